"""SubmitFunction on real events: what it asks of AssemblyAI, what it remembers, what it refuses."""

import base64
import json
from collections.abc import Iterator

import pytest
from tests.integration.stack import DONE, KEY, Stack, running_stack
from tests.sandbox.lambdas import InvocationError


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=3600) as running:
        yield running


def test_asks_for_everything_that_a_scorecard_needs(stack: Stack) -> None:
    key = "dana reyes/erste+1.ogg"

    assert stack.submit(key) == DONE

    (asked,) = [job.fields for job in stack.stand_in.jobs.values() if "erste" in job.fields["audio_url"]]
    assert asked["speech_models"] == ["universal-3-pro", "universal-2"]
    assert asked["speaker_labels"] is True
    assert asked["sentiment_analysis"] is True
    assert asked["language_detection"] is True
    assert "disfluencies" not in asked
    assert asked["webhook_auth_header_name"] == "x-api-key"
    host = next(iter(stack.cloud.hosts))
    encoded = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    assert asked["webhook_url"] == f"https://{host}/live/callbacks/assemblyai?recording={encoded}"


def test_records_what_was_asked_without_link_and_key(stack: Stack) -> None:
    key = "recorded.ogg"
    etag = stack.drop(key, b"sound", Metadata={"rep": "Dana", "call-type": "demo", "recorded-at": "2026-05-06"})

    stack.cloud.invoke("SubmitFunction", stack.recording_event(key, etag=etag, size=5, sequencer="0B"))

    record = stack.document("submissions", key)
    assert record["etag"] == etag
    assert record["sequencer"] == "0B"
    assert record["transcript_id"] in stack.stand_in.jobs
    assert record["call"]["rep"] == "Dana"
    assert record["call"]["call_type"] == "demo"
    assert record["call"]["recorded_at"] == "2026-05-06T00:00:00Z"
    assert "audio_url" not in record["asked"]
    assert "webhook_auth_header_value" not in record["asked"]


def test_sets_the_watchdog(stack: Stack) -> None:
    key = "watched.ogg"
    stack.submit(key)
    transcript_id = stack.document("submissions", key)["transcript_id"]

    (message,) = [m for m in stack.cloud.messages("CallbacksQueue") if transcript_id in m.body]

    assert json.loads(message.body) == {"transcript_id": transcript_id, "status": "overdue"}
    assert message.state == "delayed"


def test_the_same_event_twice_makes_one_job(stack: Stack) -> None:
    key = "twice.ogg"
    etag = stack.drop(key, b"sound")
    event = stack.recording_event(key, etag=etag, size=5)

    assert stack.cloud.invoke("SubmitFunction", event) == DONE
    assert stack.cloud.invoke("SubmitFunction", event) == DONE

    assert len(stack.submissions(key)) == 1


def test_the_same_content_dropped_again_makes_no_new_job(stack: Stack) -> None:
    key = "again.ogg"
    stack.submit(key, sequencer="01")
    stack.submit(key, sequencer="02")

    assert len(stack.submissions(key)) == 1
    assert stack.document("submissions", key)["sequencer"] == "01"


def test_new_content_under_an_old_name_makes_a_new_job(stack: Stack) -> None:
    key = "changed.ogg"
    stack.submit(key, b"first", sequencer="01")
    first = stack.document("submissions", key)["transcript_id"]
    stack.submit(key, b"second", sequencer="02")

    assert len(stack.submissions(key)) == 2
    assert stack.document("submissions", key)["transcript_id"] != first


def test_an_event_about_content_that_was_replaced_is_left_to_the_newer_event(stack: Stack) -> None:
    key = "replaced.ogg"

    assert stack.submit(key, etag="0" * 32) == DONE

    assert stack.submissions(key) == []
    assert stack.document("failures", key) is None


def test_a_run_that_died_before_its_record_is_not_paid_twice(stack: Stack) -> None:
    """The job of the first run is found in AssemblyAI's list."""
    key = "died.ogg"
    etag = stack.drop(key, b"sound")
    with stack.cloud.fault("s3", "PutObject"), pytest.raises(InvocationError):
        stack.cloud.invoke("SubmitFunction", stack.recording_event(key, etag=etag, size=5))
    assert len(stack.submissions(key)) == 1

    again = stack.recording_event(key, etag=etag, size=5, receive_count=2)
    assert stack.cloud.invoke("SubmitFunction", again) == DONE

    assert len(stack.submissions(key)) == 1
    assert stack.document("submissions", key)["transcript_id"] in stack.stand_in.jobs


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("notes.txt", b"not a call", "not_a_recording"),
        ("empty.mp3", b"", "empty_recording"),
        ("a/./b.mp3", b"sound", "unsupported_key"),
    ],
)
def test_what_is_no_recording_ends_in_a_failure_and_a_mail(stack: Stack, key: str, body: bytes, reason: str) -> None:
    assert stack.submit(key, body) == DONE

    failure = stack.document("failures", key)
    assert failure["reason"] == reason
    assert failure["stage"] == "submit"
    assert failure["next_step"]
    assert stack.submissions(key) == []
    (mail,) = stack.mails_about(f"Recording: {key}")
    assert mail.attributes == {"outcome": "failed", "reason": reason, "stage": "submit"}


def test_a_recording_that_is_gone_ends_in_a_failure(stack: Stack) -> None:
    key = "gone.ogg"

    answer = stack.cloud.invoke("SubmitFunction", stack.recording_event(key, etag="0" * 32, size=5))

    assert answer == DONE
    assert stack.document("failures", key)["reason"] == "recording_gone"


def test_a_folder_is_nothing(stack: Stack) -> None:
    assert stack.submit("folder/", b"") == DONE

    assert stack.document("failures", "folder/") is None


def test_the_recording_s_language_wins(stack: Stack) -> None:
    key = "german.ogg"
    etag = stack.drop(key, b"sound", Metadata={"language": "de"})

    stack.cloud.invoke("SubmitFunction", stack.recording_event(key, etag=etag, size=5))

    (asked,) = stack.submissions(key)
    assert asked["language_code"] == "de"
    assert "language_detection" not in asked
    assert "sentiment_analysis" not in asked


def test_a_malformed_message_goes_to_the_dead_letter_queue(stack: Stack) -> None:
    event = stack.recording_event("any.ogg", etag="0", size=1)
    event["Records"][0]["body"] = '{"hello": 1}'

    assert stack.cloud.invoke("SubmitFunction", event) == DONE

    (message,) = stack.cloud.messages("RecordingsDlq")
    assert (message.body, message.attributes["reason"]) == ('{"hello": 1}', "malformed_message")


def test_the_key_appears_in_no_log(stack: Stack) -> None:
    logs = stack.cloud.logs("SubmitFunction")

    assert "submitted" in logs
    assert KEY not in logs
