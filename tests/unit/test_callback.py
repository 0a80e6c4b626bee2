"""What arrives in CallbacksQueue, and whose recording a transcript belongs to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import EVENTS

from callcoach.errors import MalformedMessage
from scorecard.callback import Callback, read_callback, recording_key
from submit.recording import webhook_address


@pytest.mark.parametrize("status", ["completed", "error", "overdue"])
def test_callback_of_each_kind_is_read(status: str) -> None:
    """What is read is what the sample event says."""
    event = json.loads((EVENTS / f"callback_{status}.json").read_text())
    body = event["Records"][0]["body"]
    callback = read_callback(body)
    assert callback == Callback(**json.loads(body))
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
        '{"status": "redacted_audio_ready", "redacted_audio_url": "https://cdn.example/a"}',
    ],
)
def test_other_messages_are_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        read_callback(body)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_recording_is_found_again_from_the_address(key: str) -> None:
    """The address that SubmitFunction gives leads back to the very key."""
    assert recording_key(webhook_address("https://api.example/callbacks/assemblyai", key)) == key


@pytest.mark.parametrize(
    "webhook_url",
    [
        None,
        "",
        "http://deleted_by_user",
        "https://api.example/callbacks/assemblyai",
        "https://api.example/?recording=",
        "https://api.example/?recording=YQ&recording=Yg",
        "https://api.example/?recording=%C3%A4",
        "https://api.example/?recording=a b",
        "https://api.example/?recording=abcde",
        "https://api.example/?recording=_w",
        "https://[broken/?recording=YQ",
    ],
)
def test_address_of_somebody_else_names_no_recording(webhook_url: str | None) -> None:
    assert recording_key(webhook_url) is None


@given(st.text())
def test_no_address_breaks_the_reading(webhook_url: str) -> None:
    key = recording_key(webhook_url)
    assert key is None or key
