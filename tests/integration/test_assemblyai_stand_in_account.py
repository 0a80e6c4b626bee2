"""AssemblyAI's stand-in: answers that depend on the account, which may change while it runs, and what it pays for."""

import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from itertools import repeat
from typing import Any

import pytest
import requests
from tests.integration.stand_in import (
    CALLS,
    KEY,
    RECORDING,
    Outside,
    chat,
    finished,
    outside_world,
    submit,
    understand,
    upload,
    wait_for,
)
from tests.sandbox.assemblyai.gateway import ErrorShape
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.assemblyai.understanding import Fault

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY, delay_seconds=0) as service:
        yield service


def change(service: AssemblyAI, **fields: Any) -> None:
    service.account = replace(service.account, **fields)


def transcribed(service: AssemblyAI, audio_url: str | None = None) -> str:
    """Return the id of a transcript of the sample call about a price."""
    audio_url = audio_url or upload(service, RECORDING.read_bytes())
    return str(finished(service, audio_url=audio_url, speaker_labels=True)["id"])


def test_old_key_stops_and_new_key_works_when_the_key_is_changed(stand_in: AssemblyAI) -> None:
    url = f"{stand_in.url}/v2/transcript"

    def statuses() -> list[int]:
        return [requests.get(url, headers={"Authorization": key}, timeout=5).status_code for key in (KEY, "new")]

    assert statuses() == [200, 401]
    change(stand_in, api_key="new")
    assert statuses() == [401, 200]
    assert chat(stand_in, messages=HELLO).status_code == 401


def test_plan_without_the_gateway_has_no_chat_and_perhaps_no_understanding(stand_in: AssemblyAI) -> None:
    no_access = "Your account does not have access to LLM Gateway. Please upgrade."
    transcript_id = transcribed(stand_in)
    change(stand_in, gateway_services=["understanding"])
    refused = chat(stand_in, messages=HELLO)
    assert (refused.status_code, refused.json()["error"]) == (401, no_access)
    assert understand(stand_in, transcript_id).status_code == 200

    change(stand_in, gateway_services=[])
    refused = understand(stand_in, transcript_id)
    assert (refused.status_code, refused.json()["error"]) == (401, no_access)
    assert refused.json().keys() == {"error", "status", "request_id"}

    change(stand_in, gateway_services=["chat"])
    assert chat(stand_in, messages=HELLO).status_code == 200


def test_account_may_be_without_a_model_that_the_catalogue_has(stand_in: AssemblyAI) -> None:
    change(stand_in, chat_models=["gpt-oss-20b"])
    no_access = "Your account does not have access to this LLM Gateway model"
    refused = chat(stand_in, messages=HELLO)
    assert (refused.status_code, refused.json()["message"]) == (400, no_access)
    allowed = {"model": "gpt-oss-20b", "messages": HELLO}
    assert chat(stand_in, **allowed).status_code == 200
    refused = chat(stand_in, **allowed, fallbacks=[{"model": "claude-sonnet-4-6"}])
    assert (refused.status_code, refused.json()["message"]) == (400, no_access)
    listed = requests.get(f"{stand_in.url}/v1/models", timeout=5).json()["data"]
    assert "claude-sonnet-4-6" in {model["id"] for model in listed}


def test_account_that_owes_money_gets_nothing_that_costs_any(stand_in: AssemblyAI) -> None:
    transcript_id = transcribed(stand_in)
    paid = stand_in.paid_calls
    change(stand_in, balance_is_negative=True)
    negative = "Your current account balance is negative. Please top up to continue using the API."
    refused = submit(stand_in, audio_url="https://example.com/call.ogg")
    assert (refused.status_code, refused.json()) == (400, {"error": negative})
    for refused in (understand(stand_in, transcript_id), chat(stand_in, messages=HELLO)):
        assert (refused.status_code, refused.json()["message"]) == (400, negative)
    assert stand_in.paid_calls == paid
    change(stand_in, balance_is_negative=False)
    assert understand(stand_in, transcript_id).status_code == 200


def test_more_places_let_waiting_jobs_begin() -> None:
    with AssemblyAI(KEY, delay_seconds=0, account=Account(KEY, concurrent_jobs=1)) as service:
        service.never_finish(RECORDING.read_bytes())
        audio_url = upload(service, RECORDING.read_bytes())
        ids = [submit(service, audio_url=audio_url).json()["id"] for _ in range(2)]

        def statuses() -> set[str]:
            return {service.jobs[transcript_id].history[-1][0] for transcript_id in ids}

        wait_for(lambda: statuses() == {"queued", "processing"})
        change(service, concurrent_jobs=2)
        wait_for(lambda: statuses() == {"processing"})


def test_changed_account_goes_on_with_its_faults_and_new_faults_begin_anew(stand_in: AssemblyAI) -> None:
    def statuses(count: int) -> list[int]:
        return [chat(stand_in, messages=HELLO).status_code for _ in range(count)]

    change(stand_in, coach_faults=["server_error", None, "server_error"])
    assert statuses(1) == [500]
    change(stand_in, concurrent_jobs=7)
    assert statuses(3) == [200, 500, 200]
    change(stand_in, coach_faults=repeat("server_error"))
    assert statuses(2) == [500, 500]


LABELLED = {"A": "Sales Rep", "B": "Customer"}


@pytest.mark.parametrize(
    ("fault", "answer", "speakers"),
    [
        (None, {"mapping": LABELLED, "status": "success"}, {"Sales Rep", "Customer"}),
        ("completed", {"mapping": LABELLED, "status": "completed"}, {"Sales Rep", "Customer"}),
        ("no_mapping", {"status": "success"}, {"Sales Rep", "Customer"}),
        ("failed", {"status": "failed"}, {"A", "B"}),
        ("null_roles", {"mapping": {"A": "Sales Rep", "B": None}, "status": "success"}, {"Sales Rep", "B"}),
        ("missing_labels", {"mapping": {"A": "Sales Rep"}, "status": "success"}, {"Sales Rep", "B"}),
        ("no_utterances", {"mapping": LABELLED, "status": "success"}, set()),
    ],
)
def test_identification_may_answer_in_other_ways(
    stand_in: AssemblyAI, fault: Fault | None, answer: dict[str, Any], speakers: set[str]
) -> None:
    transcript_id = transcribed(stand_in)
    change(stand_in, identification_faults=[fault])
    response = understand(stand_in, transcript_id)
    assert response.status_code == 200
    body = response.json()
    assert body["speech_understanding"]["response"]["speaker_identification"] == {"effort": "low", **answer}
    assert {said["speaker"] for said in body["utterances"]} == speakers
    assert understand(stand_in, transcript_id).json()["utterances"][0]["speaker"] == "Sales Rep"


MODEL_IS_GONE = "model claude-1 is not supported"


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("flat", {"code": 400, "message": MODEL_IS_GONE}),
        ("nested", {"error": {"code": 400, "message": MODEL_IS_GONE}}),
        ("text", {"error": MODEL_IS_GONE, "status": "error"}),
    ],
)
def test_gateway_may_speak_of_errors_in_each_of_its_shapes(
    stand_in: AssemblyAI, shape: ErrorShape, body: dict[str, Any]
) -> None:
    change(stand_in, gateway_error_shape=shape)
    refused = chat(stand_in, model="claude-1", messages=HELLO)
    assert refused.status_code == 400
    found = refused.json()
    assert found.pop("request_id")
    assert found == body
    answered = chat(stand_in, messages=HELLO).json()
    assert {"choices", "request_id"} < answered.keys()


def test_limit_may_name_seconds_a_date_or_nothing(stand_in: AssemblyAI) -> None:
    change(stand_in, understanding_requests_per_minute=0, transcript_requests_per_5_minutes=0)

    def waits(form: str) -> list[str | None]:
        change(stand_in, retry_after=form)
        refused = [understand(stand_in, "none"), submit(stand_in)]
        assert [answer.status_code for answer in refused] == [429, 429]
        return [answer.headers.get("Retry-After") for answer in refused]

    assert waits("absent") == [None, None]
    for seconds, most in zip(waits("seconds"), (60, 300), strict=True):
        assert most - 10 < int(seconds or 0) <= most
    for date, most in zip(waits("date"), (60, 300), strict=True):
        assert date
        assert date.endswith(" GMT")
        assert most - 10 < parsedate_to_datetime(date).timestamp() - time.time() <= most


@pytest.fixture
def outside() -> Iterator[Outside]:
    with outside_world() as world:
        yield world


def prompt(transcript: dict[str, Any]) -> list[dict[str, str]]:
    sides = {"A": "REP", "B": "CUST"}
    lines = [f"[{at}] {sides[said['speaker']]}: {said['text']}" for at, said in enumerate(transcript["utterances"])]
    content = "\n".join(["FACTS", "{}", "TRANSCRIPT 7f BEGIN", *lines, "TRANSCRIPT 7f END"])
    return [{"role": "user", "content": content}]


def test_what_a_recording_was_paid_for_is_known_by_its_key(stand_in: AssemblyAI, outside: Outside) -> None:
    stand_in.hosts["amazonaws.com"] = outside.url
    bucket, elsewhere = "https://bucket.s3.amazonaws.com", "https://s3.amazonaws.com/bucket"
    first = finished(stand_in, audio_url=f"{bucket}/dana%20reyes/price.ogg?X-Amz-Signature=1", speaker_labels=True)
    finished(stand_in, audio_url=f"{bucket}/dana%20reyes/price.ogg?X-Amz-Signature=2", speaker_labels=True)
    outside.content = (CALLS / "discovery_well_led" / "recording.ogg").read_bytes()
    second = finished(stand_in, audio_url=f"{elsewhere}/well-led.ogg", speaker_labels=True)
    stand_in.fail(b"noise", "Audio duration is too short.")
    outside.content = b"noise"
    finished(stand_in, audio_url=f"{bucket}/noise.ogg")

    understand(stand_in, first["id"])
    for _ in range(2):
        chat(stand_in, messages=prompt(second))
    shortened = {**first, "utterances": first["utterances"][:-3]}
    chat(stand_in, messages=prompt(shortened))
    chat(stand_in, messages=HELLO)

    assert stand_in.paid_for("dana reyes/price.ogg") == {"transcript": 2, "understanding": 1, "chat": 1}
    assert stand_in.paid_for("well-led.ogg") == {"transcript": 1, "understanding": 0, "chat": 2}
    assert stand_in.paid_for("noise.ogg") == {"transcript": 0, "understanding": 0, "chat": 0}
    assert stand_in.paid_calls == {"transcript": 3, "understanding": 1, "chat": 4}
