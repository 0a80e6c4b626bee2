"""What arrives in CallbacksQueue."""

import json

import pytest
from tests.unit.examples import EVENTS

from callcoach.documents import encode_key
from callcoach.errors import MalformedMessage
from callcoach.queue import messages
from scorecard.callback import Callback, read_callback


@pytest.mark.parametrize("status", ["completed", "error", "overdue", "rescore"])
def test_callback_of_each_kind_is_read(status: str) -> None:
    """What is read is what the sample event says."""
    event = json.loads((EVENTS / f"callback_{status}.json").read_text())
    (message,) = messages(event)
    callback = read_callback(message.body, message.attributes)
    assert callback == Callback(**json.loads(message.body), recording="dana-reyes/acme discovery+1.ogg")
    assert callback.status == status
    assert callback.says_completed is (status == "completed")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        "transcript_id=a",
        '{"transcript_id": "a"}',
        '{"transcript_id": 5, "status": "completed"}',
        '{"transcript_id": "a", "status": "queued"}',
        '{"transcript_id": "", "status": "completed"}',
        json.dumps({"transcript_id": "a" * 129, "status": "completed"}),
        '{"transcript_id": "\\ud83d", "status": "completed"}',
        '{"transcript_id": "a", "status": "rescore"}',
        '{"transcript_id": "a", "status": "rescore", "request_id": ""}',
        '{"transcript_id": "a", "status": "rescore", "request_id": "../other"}',
        '{"status": "redacted_audio_ready", "redacted_audio_url": "https://cdn.example/a"}',
        "[" * 100_000,
    ],
)
def test_other_messages_are_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        read_callback(body, {"recording": "YQ"})


def test_only_a_rescore_has_a_request() -> None:
    """A field that AssemblyAI may have of that name is another one. Each rescore is work of its own."""
    request_id = "0f" * 16
    body = {"transcript_id": "a", "status": "completed", "request_id": 7}
    first = read_callback(json.dumps(body), {"recording": "YQ"})
    again = read_callback(json.dumps(body | {"status": "rescore", "request_id": request_id}), {"recording": "YQ"})
    assert (first.request_id, again.request_id) == ("", request_id)
    assert first.identity == {"transcript_id": "a"}
    assert again.identity == {"transcript_id": "a", "request_id": request_id}
    assert first.work_id != again.work_id


@pytest.mark.parametrize("recording", [None, "", "\u00e4", "a b", "abcde", "_w", "YQ==", encode_key("x" * 1025)])
def test_callback_that_names_no_recording_is_malformed(recording: str | None) -> None:
    """What is no base64url of UTF-8 was not written by callcoach."""
    attributes = {} if recording is None else {"recording": recording}
    with pytest.raises(MalformedMessage):
        read_callback('{"transcript_id": "a", "status": "completed"}', attributes)
