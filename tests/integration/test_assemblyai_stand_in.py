"""AssemblyAI's stand-in: transcripts and webhooks, over HTTP as a client meets them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.integration.stand_in import (
    CALLS,
    HEADERS,
    KEY,
    RECORDING,
    Outside,
    chat,
    delete,
    finished,
    get,
    outside_world,
    submit,
    understand,
    upload,
    wait_for,
)
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

EVERYTHING = {"speaker_labels": True, "sentiment_analysis": True}


@pytest.fixture
def outside() -> Iterator[Outside]:
    with outside_world() as world:
        yield world


@pytest.fixture
def stand_in() -> Iterator[AssemblyAI]:
    """A service whose minute lasts 0.6 seconds."""
    with AssemblyAI(KEY, delay_seconds=4, clock_scale=0.01) as service:
        yield service


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/transcript", {"error": "Authentication error, API token missing/invalid"}),
        ("GET", "/v2/transcript/x", {"error": "Authentication error, API token missing/invalid"}),
        (
            "POST",
            "/v1/understanding",
            {"error": "Authentication error, API token missing/invalid", "status": "error"},
        ),
        (
            "POST",
            "/v1/chat/completions",
            {"error": "Authentication error, API token missing/invalid", "status": "error"},
        ),
    ],
)
def test_wrong_key_gets_a_401_in_the_shape_of_each_service(
    stand_in: AssemblyAI, method: str, path: str, body: dict[str, str]
) -> None:
    answer = requests.request(method, stand_in.url + path, headers={"Authorization": "other"}, json={}, timeout=5)
    assert answer.status_code == 401
    found = answer.json()
    assert ("request_id" in found) == path.startswith("/v1/")
    found.pop("request_id", None)
    assert found == body


def test_only_chat_takes_a_bearer_token(stand_in: AssemblyAI) -> None:
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert requests.post(f"{stand_in.url}/v1/chat/completions", headers=bearer, json={}, timeout=5).status_code == 400
    assert requests.get(f"{stand_in.url}/v2/transcript", headers=bearer, timeout=5).status_code == 401


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, '"audio_url" is required'),
        ({"audio_url": "recording.ogg"}, '"audio_url" must be a valid URL'),
        ({"speaker_lables": True}, "Unknown fields: speaker_lables"),
        ({"speaker_labels": "yes"}, '"speaker_labels" must be a boolean'),
        ({"speech_model": "best"}, 'speech_model is deprecated. Use "speech_models" instead.'),
        (
            {"speech_models": []},
            (
                '"speech_models" must be a non-empty list containing one or more of: '
                '"assemblyai-stt-3-7", "universal-3-5-pro", "universal-2"'
            ),
        ),
        (
            {"speech_models": ["nano"]},
            (
                '"speech_models" must be a non-empty list containing one or more of: '
                '"assemblyai-stt-3-7", "universal-3-5-pro", "universal-2"'
            ),
        ),
        (
            {"speech_models": ["universal-3-pro", "universal-2"]},
            (
                'The "universal-3-pro" speech model(s) have been deprecated. '
                'Use speech_models: ["universal-3-5-pro", "universal-2"] instead.'
            ),
        ),
        (
            {"speaker_labels": True, "speakers_expected": 2, "speaker_options": {"max_speakers_expected": 3}},
            "Both speaker_options and speakers_expected can not be used in the same request.",
        ),
        ({"speakers_expected": 2}, "speakers_expected needs speaker_labels."),
        (
            {
                "speaker_labels": True,
                "speaker_options": {"min_speakers_expected": 3, "max_speakers_expected": 2},
            },
            "min_speakers_expected must not be more than max_speakers_expected.",
        ),
        (
            {"language_code": "en", "language_detection": True},
            "language_code and language_detection can not be used in the same request.",
        ),
        (
            {"language_code": "de", "sentiment_analysis": True},
            "The following models are not available in this language: sentiment_analysis",
        ),
        (
            {"language_detection_options": {"localization": ["en_us"]}},
            '"localization" must contain only en_au or en_uk',
        ),
        ({"sentiment_analysis": True, "punctuate": False}, "sentiment_analysis needs punctuate."),
        (
            {"redact_pii_return_unredacted": True},
            "`redact_pii_return_unredacted` can only be set to True if `redact_pii` is True",
        ),
        ({"redact_pii": True, "redact_pii_audio": True}, 'This stand-in does not simulate "redact_pii_audio".'),
        (
            {"webhook_url": "https://example.com", "webhook_auth_header_name": "x-api-key"},
            "webhook_auth_header_name, webhook_auth_header_value and webhook_url need each other.",
        ),
        (
            {"webhook_auth_header_name": "x api key"},
            '"webhook_auth_header_name" must be 1 to 1000 letters, digits, hyphens or underscores',
        ),
        (
            {"summarization": True, "auto_chapters": True},
            "Only one of summarization and auto_chapters can be enabled in the same request.",
        ),
        (
            {
                "speech_understanding": {
                    "request": {"speaker_identification": {"speaker_type": "role", "known_values": ["A"]}}
                }
            },
            "speaker_labels or multichannel required",
        ),
        ({"entity_detection": True}, 'This stand-in does not simulate "entity_detection".'),
    ],
)
def test_request_that_the_service_refuses_gets_a_400_and_no_job(fields: dict[str, Any], error: str) -> None:
    account = Account(KEY, retired_speech_models=["universal-3-pro"])
    with AssemblyAI(KEY, account=account) as service:
        if error != '"audio_url" is required':
            fields = {"audio_url": "https://example.com/call.ogg", **fields}
        answer = submit(service, **fields)
        assert answer.status_code == 400
        assert answer.json() == {"error": error}
        assert not service.jobs


def test_submission_echoes_the_request_but_never_the_webhook_secret(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = submit(
        stand_in,
        audio_url=f"{outside.url}/call.ogg?X-Amz-Signature=abc",
        speech_models=["universal-3-pro", "universal-2"],
        language_code="en",
        webhook_url=f"{outside.url}/done",
        webhook_auth_header_name="x-api-key",
        webhook_auth_header_value="secret",
        **EVERYTHING,
    ).json()
    assert transcript["status"] == "queued"
    assert transcript["audio_url"] == f"{outside.url}/call.ogg?X-Amz-Signature=abc"
    assert transcript["speech_models"] == ["universal-3-pro", "universal-2"]
    assert transcript["language_code"] == "en_us"
    assert transcript["webhook_auth"] is True
    assert transcript["webhook_auth_header_value"] is None
    assert len(transcript) > 75
    assert [name for name in ("text", "words", "utterances", "audio_duration", "error") if transcript[name]] == []


def test_job_goes_from_queued_over_processing_to_completed_in_its_time(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = finished(stand_in, audio_url=outside.url, **EVERYTHING)
    history = stand_in.jobs[transcript["id"]].history
    assert [status for status, _ in history] == ["queued", "processing", "completed"]
    assert 4 <= history[-1][1] - history[0][1] < 40
    assert transcript["speech_model_used"] == transcript["speech_models"][0]
    assert transcript["audio_duration"] == round(transcript["audio_duration"])
    assert stand_in.paid_calls == {"transcript": 1, "understanding": 0, "chat": 0}


def test_what_was_not_asked_for_is_null(stand_in: AssemblyAI, outside: Outside) -> None:
    plain = finished(stand_in, audio_url=outside.url)
    assert plain["text"]
    assert plain["utterances"] is None
    assert plain["sentiment_analysis_results"] is None
    assert {word["speaker"] for word in plain["words"]} == {None}

    labelled = finished(stand_in, audio_url=outside.url, speaker_labels=True)
    assert [word["speaker"] for word in labelled["words"]] == [
        word["speaker"] for utterance in labelled["utterances"] for word in utterance["words"]
    ]
    assert {utterance["speaker"] for utterance in labelled["utterances"]} == {"A", "B"}


def test_sentiment_rows_have_the_defects_of_the_live_service(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = finished(stand_in, audio_url=outside.url, **EVERYTHING)
    rows = transcript["sentiment_analysis_results"]

    def true_speaker(row: dict[str, Any]) -> str:
        return next(
            str(utterance["speaker"])
            for utterance in transcript["utterances"]
            if utterance["start"] < row["end"] <= utterance["end"]
        )

    wrong = [row for row in rows if row["speaker"] and row["speaker"] != true_speaker(row)]
    assert wrong
    assert [row for row in rows if row["speaker"] is None]
    assert [row for row in rows if row["text"].startswith("[Speaker:")]
    assert len([row for row in rows if row["start"] is None]) == 1


def test_more_speakers_than_allowed_are_merged(stand_in: AssemblyAI, outside: Outside) -> None:
    outside.content = (CALLS / "demo_three_speakers" / "recording.ogg").read_bytes()
    three = finished(stand_in, audio_url=outside.url, speaker_labels=True)
    options = {"max_speakers_expected": 2}
    two = finished(stand_in, audio_url=outside.url, speaker_labels=True, speaker_options=options)
    assert {utterance["speaker"] for utterance in three["utterances"]} == {"A", "B", "C"}
    assert {utterance["speaker"] for utterance in two["utterances"]} == {"A", "B"}


def test_recording_that_cannot_be_had_ends_in_error_without_a_charge(stand_in: AssemblyAI, outside: Outside) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/call.ogg"
    gone = finished(stand_in, audio_url=closed)
    assert gone["status"] == "error"
    assert gone["error"] == (
        f"Download error, unable to download {closed}. "
        "Please make sure the file exists and is accessible from the internet."
    )
    for status, words in ((403, "403 Client Error: Forbidden"), (404, "404 Client Error: Not Found")):
        url = f"{outside.url}/status/{status}"
        refused = finished(stand_in, audio_url=url)
        assert refused["error"] == f"Download error to {url}, {words} for url: {url}"
    assert stand_in.paid_calls["transcript"] == 0


def test_what_is_no_sample_call_is_refused_and_says_why(stand_in: AssemblyAI, outside: Outside) -> None:
    outside.content = b"OggS and then something else"
    unknown = finished(stand_in, audio_url=outside.url)
    assert unknown["status"] == "error"
    assert "knows only the recordings in tests/data/calls" in unknown["error"]

    outside.content, outside.content_type = b"<html></html>", "text/html"
    page = finished(stand_in, audio_url=outside.url)
    assert page["error"] == "File does not appear to contain audio. File type is text/html"

    german = finished(stand_in, audio_url=f"{outside.url}/call", language_code="de")
    assert german["status"] == "error"


def test_recording_is_fetched_when_the_job_leaves_the_queue_not_before(outside: Outside) -> None:
    with AssemblyAI(KEY, delay_seconds=2) as service:
        submit(service, audio_url=outside.url)
        time.sleep(0.2)
        assert outside.seen == []
        wait_for(lambda: outside.seen)


def test_hosts_lead_to_an_address_with_path_query_and_host_header_unchanged(
    stand_in: AssemblyAI, outside: Outside
) -> None:
    stand_in.hosts["s3.eu-west-1.amazonaws.com"] = outside.url
    transcript = submit(
        stand_in,
        audio_url="https://bucket.s3.eu-west-1.amazonaws.com/a%20b/call.ogg?X-Amz-Expires=7200&sig=%2F%3D",
        webhook_url="https://abc.execute-api.eu-west-1.amazonaws.com/v1/callbacks?recording=Y2FsbA",
    ).json()
    # The receiver may become known after the submission.
    stand_in.hosts["abc.execute-api.eu-west-1.amazonaws.com"] = outside.url
    wait_for(outside.posts)
    fetched, called = outside.seen
    assert fetched.target == "/a%20b/call.ogg?X-Amz-Expires=7200&sig=%2F%3D"
    assert fetched.headers["Host"] == "bucket.s3.eu-west-1.amazonaws.com"
    assert called.target == "/v1/callbacks?recording=Y2FsbA"
    assert called.headers["Host"] == "abc.execute-api.eu-west-1.amazonaws.com"
    wait_for(lambda: get(stand_in, transcript["id"])["webhook_status_code"] == 200)


def test_webhook_is_the_id_and_the_status_with_the_header_and_nothing_else(
    stand_in: AssemblyAI, outside: Outside
) -> None:
    transcript = submit(
        stand_in,
        audio_url=outside.url,
        webhook_url=f"{outside.url}/done?recording=abc",
        webhook_auth_header_name="x-api-key",
        webhook_auth_header_value="secret",
    ).json()
    (called,) = wait_for(outside.posts)
    assert json.loads(called.body) == {
        "transcript_id": transcript["id"],
        "status": "completed",
    }
    assert called.headers["x-api-key"] == "secret"
    assert called.headers["Content-Type"] == "application/json"


def test_webhook_of_a_failed_job_says_error_and_no_more(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = submit(stand_in, audio_url=f"{outside.url}/status/404", webhook_url=outside.url).json()
    (called,) = wait_for(outside.posts)
    assert json.loads(called.body) == {"transcript_id": transcript["id"], "status": "error"}


def test_webhook_is_tried_again_every_ten_seconds_until_a_2xx(stand_in: AssemblyAI, outside: Outside) -> None:
    outside.answers = [500, 302, 202]
    submit(stand_in, audio_url=outside.url, webhook_url=f"{outside.url}/done")
    delivery = wait_for(lambda: stand_in.deliveries and stand_in.deliveries[0])
    wait_for(lambda: delivery.outcome != "pending")
    assert delivery.outcome == "delivered"
    assert [attempt.status for attempt in delivery.attempts] == [500, 302, 202]
    first, second, third = (attempt.at for attempt in delivery.attempts)
    assert second - first >= 10
    assert third - second >= 10


@pytest.mark.parametrize("status", [400, 403, 429])
def test_a_4xx_ends_the_tries_at_once(stand_in: AssemblyAI, outside: Outside, status: int) -> None:
    outside.answers = [status]
    transcript = submit(stand_in, audio_url=outside.url, webhook_url=f"{outside.url}/done").json()
    wait_for(lambda: stand_in.deliveries and stand_in.deliveries[0].outcome == "refused")
    time.sleep(0.15)
    assert len(outside.posts()) == 1
    assert get(stand_in, transcript["id"])["webhook_status_code"] == status


def test_ten_tries_are_all() -> None:
    with AssemblyAI(KEY, delay_seconds=0, clock_scale=0.002) as service:
        submit(service, audio_url="http://127.0.0.1:9/call", webhook_url="http://127.0.0.1:9/done")
        wait_for(lambda: service.deliveries and service.deliveries[0].outcome == "failed")
        (delivery,) = service.deliveries
        assert [attempt.status for attempt in delivery.attempts] == [None] * 10


def test_an_answer_after_ten_seconds_is_none_and_brings_the_callback_twice(
    stand_in: AssemblyAI, outside: Outside
) -> None:
    outside.delay_seconds = 0.2  # twenty of the service's seconds
    submit(stand_in, audio_url=outside.url, webhook_url=f"{outside.url}/done")
    wait_for(lambda: len(outside.posts()) > 1)
    first = stand_in.deliveries[0].attempts[0]
    assert first.status is None
    assert 10 <= first.seconds < 20


@pytest.mark.parametrize("framing", ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf"])
def test_a_request_that_ends_in_the_middle_is_none(stand_in: AssemblyAI, framing: str) -> None:
    server = urlsplit(stand_in.url)
    with socket.create_connection((server.hostname, server.port)) as connection:
        head = f"POST /v2/upload HTTP/1.1\r\nHost: {server.netloc}\r\nAuthorization: {KEY}\r\n"
        connection.sendall((head + framing).encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert stand_in.requests("POST", "/v2/upload") == []


def test_uploads_are_transcribed_and_belong_to_their_account(stand_in: AssemblyAI) -> None:
    url = upload(stand_in, RECORDING.read_bytes())
    assert finished(stand_in, audio_url=url)["status"] == "completed"

    as_json = upload(stand_in, b'{"audio": "x"}')
    assert finished(stand_in, audio_url=as_json)["error"] == "Transcoding failed. File type application/json"

    empty = requests.post(f"{stand_in.url}/v2/upload", headers=HEADERS, data=b"", timeout=5)
    assert empty.status_code == 422
    assert empty.headers["Content-Type"].startswith("text/plain")

    foreign = submit(stand_in, audio_url=f"{url}0")
    assert (foreign.status_code, foreign.json()) == (403, {"error": "Cannot access uploaded file"})


def test_delete_wipes_the_transcript_once(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = finished(stand_in, audio_url=outside.url, webhook_url=outside.url, **EVERYTHING)
    wiped = delete(stand_in, transcript["id"])
    assert wiped.status_code == 200
    left = wiped.json()
    assert {**get(stand_in, transcript["id"]), "webhook_status_code": None} == {**left, "webhook_status_code": None}
    assert (left["id"], left["status"], left["text"]) == (transcript["id"], "completed", "Deleted by user.")
    assert left["audio_url"] == left["webhook_url"] == "http://deleted_by_user"
    results = ("words", "utterances", "sentiment_analysis_results", "audio_duration", "confidence")
    assert {left[name] for name in results} == {None}
    again = delete(stand_in, transcript["id"])
    assert (again.status_code, again.json()) == (404, {"error": "Not found"})


def test_deleted_transcript_is_gone_for_the_gateway_too_but_not_from_the_list(
    stand_in: AssemblyAI, outside: Outside
) -> None:
    transcript_id = finished(stand_in, audio_url=outside.url, speaker_labels=True)["id"]
    delete(stand_in, transcript_id)
    about = {"messages": [{"role": "user", "content": "{{ transcript }}"}], "transcript_id": transcript_id}
    for answer in (understand(stand_in, transcript_id), chat(stand_in, **about)):
        assert (answer.status_code, answer.json()["message"]) == (404, "transcript deleted")
    (item,) = listed(stand_in)["transcripts"]
    assert (item["id"], item["audio_url"]) == (transcript_id, "http://deleted_by_user")
    assert stand_in.paid_calls == {"transcript": 1, "understanding": 0, "chat": 0}


@pytest.mark.parametrize("moment", ["queued", "processing"])
def test_transcript_deleted_before_its_end_stays_as_it_is_and_is_never_called_back(
    outside: Outside, moment: str
) -> None:
    with AssemblyAI(KEY, delay_seconds=0.4) as service:
        transcript = submit(service, audio_url=outside.url, webhook_url=f"{outside.url}/done").json()
        job = service.jobs[transcript["id"]]
        wait_for(lambda: job.history[-1][0] == moment)
        delete(service, transcript["id"]).raise_for_status()
        time.sleep(0.6)
        left = get(service, transcript["id"])
        assert (left["status"], left["text"]) == (moment, "Deleted by user.")
        assert outside.posts() == []
        assert service.paid_calls["transcript"] == 0


def test_unknown_transcript_is_a_404(stand_in: AssemblyAI) -> None:
    for path in ("/v2/transcript/none", "/v2/transcript/none/sentences", "/v2/nothing"):
        answer = requests.get(stand_in.url + path, headers=HEADERS, timeout=5)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


def listed(service: AssemblyAI, **query: Any) -> Any:
    return requests.get(f"{service.url}/v2/transcript", headers=HEADERS, params=query, timeout=5).json()


def names(page: Any) -> list[str]:
    return [item["id"] for item in page["transcripts"]]


def test_list_pages_from_the_newest_to_the_oldest_and_back(stand_in: AssemblyAI, outside: Outside) -> None:
    ids = [submit(stand_in, audio_url=outside.url).json()["id"] for _ in range(5)]
    wait_for(lambda: all(job.completed for job in stand_in.jobs.values()))

    first = listed(stand_in, limit=2)
    assert names(first) == ids[:2:-1]
    assert f"before_id={ids[3]}" in first["page_details"]["prev_url"]
    assert names(listed(stand_in, limit=2, before_id=ids[3])) == [ids[2], ids[1]]
    assert names(listed(stand_in, limit=2, after_id=ids[0])) == [ids[2], ids[1]]
    assert names(listed(stand_in, status="error")) == []
    assert len(names(listed(stand_in, status="completed"))) == 5
    assert "error" in listed(stand_in, limit=201)
    assert "error" in listed(stand_in, status="done")


def test_list_of_more_jobs_than_a_page_holds_is_read_page_by_page() -> None:
    with AssemblyAI(KEY, delay_seconds=3600) as service:
        ids = [submit(service, audio_url="http://127.0.0.1:9/call").json()["id"] for _ in range(205)]
        assert len(names(listed(service))) == 10
        first = listed(service, limit=200)
        later = submit(service, audio_url="http://127.0.0.1:9/call").json()["id"]
        second = listed(service, limit=200, before_id=names(first)[-1])
        assert names(first) + names(second) == ids[::-1]
        assert second["page_details"]["result_count"] == 5
        assert names(listed(service, limit=200, before_id=ids[0])) == []
        assert names(listed(service, limit=1)) == [later]


def test_a_job_may_be_listed_some_time_after_its_submission() -> None:
    with AssemblyAI(KEY, clock_scale=0.01, list_delay_seconds=40) as service:
        transcript_id = submit(service, audio_url="http://127.0.0.1:9/call").json()["id"]
        assert names(listed(service)) == []
        assert get(service, transcript_id)["id"] == transcript_id
        wait_for(lambda: names(listed(service)) == [transcript_id])


def test_sentences_cover_every_word(stand_in: AssemblyAI, outside: Outside) -> None:
    transcript = finished(stand_in, audio_url=outside.url, speaker_labels=True)
    url = f"{stand_in.url}/v2/transcript/{transcript['id']}"
    found = requests.get(f"{url}/sentences", headers=HEADERS, timeout=5).json()
    assert " ".join(sentence["text"] for sentence in found["sentences"]) == transcript["text"]
    paragraphs = requests.get(f"{url}/paragraphs", headers=HEADERS, timeout=5).json()["paragraphs"]
    assert "speaker" not in paragraphs[0]


def test_jobs_beyond_the_concurrency_wait_their_turn(outside: Outside) -> None:
    account = Account(KEY, concurrent_jobs=1)
    with AssemblyAI(KEY, delay_seconds=10, clock_scale=0.01, account=account) as service:
        first, second = (submit(service, audio_url=outside.url).json() for _ in range(2))
        assert (first["throttled"], second["throttled"]) == (None, True)
        wait_for(lambda: all(job.completed for job in service.jobs.values()))
        ended = dict(service.jobs[first["id"]].history)["completed"]
        assert dict(service.jobs[second["id"]].history)["processing"] >= ended


def test_too_many_requests_wait_for_the_rest_of_the_window() -> None:
    account = Account(KEY, transcript_requests_per_5_minutes=2)
    with AssemblyAI(KEY, account=account) as service:
        statuses = [requests.get(f"{service.url}/v2/transcript", headers=HEADERS, timeout=5) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert 290 <= int(statuses[2].headers["Retry-After"]) <= 300


def test_two_services_know_nothing_of_each_other(outside: Outside) -> None:
    with AssemblyAI(KEY, delay_seconds=0) as one, AssemblyAI("other", delay_seconds=0) as other:
        transcript = finished(one, audio_url=outside.url)
        answer = requests.get(
            f"{other.url}/v2/transcript/{transcript['id']}", headers={"Authorization": "other"}, timeout=5
        )
        assert answer.status_code == 404
        assert other.paid_calls["transcript"] == 0


def test_requests_can_be_looked_at(stand_in: AssemblyAI, outside: Outside) -> None:
    submit(stand_in, audio_url=outside.url, speaker_labels=True)
    submit(stand_in, speaker_labels=True)
    assert [seen.json().get("audio_url") for seen in stand_in.requests("POST", "/v2/transcript")] == [
        outside.url,
        None,
    ]
    assert [exchange.status for exchange in stand_in.exchanges] == [200, 400]


def test_stop_does_not_wait_for_unfinished_work(outside: Outside) -> None:
    service = AssemblyAI(KEY, delay_seconds=60).start()
    with requests.Session() as kept_alive:
        body = {"audio_url": outside.url}
        kept_alive.post(f"{service.url}/v2/transcript", headers=HEADERS, json=body, timeout=5)
        service.stop()
        assert [job.completed for job in service.jobs.values()] == [None]
        with pytest.raises(requests.ConnectionError):
            kept_alive.get(f"{service.url}/v2/transcript", headers=HEADERS, timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_as_a_process_and_ends_at_a_signal(number: signal.Signals) -> None:
    code = f"from tests.sandbox.assemblyai.server import serve_forever; serve_forever(0, {KEY!r}, 1.0)"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        assert requests.get(f"{url}/v2/transcript", headers=HEADERS, timeout=5).json()["transcripts"] == []
        process.send_signal(number)
        assert process.wait(timeout=5) == 0
