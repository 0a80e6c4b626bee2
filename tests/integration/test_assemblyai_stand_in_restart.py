"""AssemblyAI's stand-in: down for a while, and back with all that it knew."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urlsplit

import pytest
import requests
from tests.integration.stand_in import HEADERS, KEY, Outside, chat, get, outside_world, submit, upload, wait_for
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def outside() -> Iterator[Outside]:
    with outside_world() as world:
        yield world


def test_a_restart_ends_all_connections_and_keeps_the_address_and_the_jobs() -> None:
    with AssemblyAI(KEY, clock_scale=0.01) as service, requests.Session() as kept_alive:
        url = service.url
        transcript_id = submit(service, audio_url="http://127.0.0.1:9/call").json()["id"]
        uploaded = upload(service, b"noise")
        kept_alive.get(f"{url}/v2/transcript", headers=HEADERS, timeout=5)
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=5) as connection:
            connection.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
            service.restart(away_seconds=2)
            assert connection.recv(1) == b""
        assert service.url == url
        listed = kept_alive.get(f"{url}/v2/transcript", headers=HEADERS, timeout=5).json()
        assert [item["id"] for item in listed["transcripts"]] == [transcript_id]
        assert submit(service, audio_url=uploaded).status_code == 200


def test_while_it_is_away_nobody_answers_jobs_go_on_and_callbacks_wait(outside: Outside) -> None:
    with AssemblyAI(KEY, delay_seconds=1, clock_scale=0.1) as service:
        transcript_id = submit(service, audio_url=outside.url, webhook_url=outside.url).json()["id"]
        with service.away():
            with pytest.raises(requests.ConnectionError, match="refused"):
                get(service, transcript_id)
            wait_for(lambda: service.jobs[transcript_id].completed)
            wait_for(lambda: service.deliveries)
            assert outside.posts() == []
        wait_for(outside.posts)
        assert get(service, transcript_id)["status"] == "completed"


def test_a_callback_is_tried_again_after_the_restart_and_not_before_it(outside: Outside) -> None:
    outside.answers = [500]
    with AssemblyAI(KEY, delay_seconds=0, clock_scale=0.01) as service:
        submit(service, audio_url=outside.url, webhook_url=outside.url)
        wait_for(outside.posts)
        with service.away():
            time.sleep(0.3)  # thirty of its seconds, after ten of which it would try again
            assert len(outside.posts()) == 1
        wait_for(lambda: service.deliveries[0].outcome == "delivered")
        assert [attempt.status for attempt in service.deliveries[0].attempts] == [500, 200]


def test_what_was_asked_just_before_is_carried_out_and_paid_but_never_answered() -> None:
    arrived = Event()

    def faults() -> Iterator[None]:
        arrived.set()
        yield None

    account = Account(KEY, coach_faults=faults())
    with (
        AssemblyAI(KEY, answer_seconds={"POST /v1/chat": 0.2}, account=account) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(chat, service, messages=HELLO)
        assert arrived.wait(5)
        with service.away(), pytest.raises(requests.ConnectionError):
            asked.result()
        wait_for(lambda: service.paid_calls["chat"] == 1)
        assert chat(service, messages=HELLO).status_code == 200


def test_it_can_be_stopped_while_it_is_away(outside: Outside) -> None:
    with AssemblyAI(KEY, delay_seconds=0.2) as service:
        submit(service, audio_url=outside.url, webhook_url=outside.url)
        with service.away():
            wait_for(lambda: service.deliveries)
            service.stop()
        with pytest.raises(requests.ConnectionError, match="refused"):
            requests.get(service.url, timeout=5)
    assert outside.posts() == []
