"""What a queue gets that subscribes to ScorecardsTopic fits notification.schema.json, and people get prose."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.faults.stage import TRANSCRIPT
from tests.integration.operator_commands import run
from tests.integration.stack import SOUND, Stack, running_stack
from tests.integration.test_sandbox_subscriptions import queue_of, received
from tests.sandbox.interference import Interference, Refuse
from tests.schema import ROOT

PUBLISHED = Draft202012Validator(json.loads((ROOT / "notification.schema.json").read_text("utf-8")))
# As far as S3 takes it: 1,024 bytes with what is put around it.
HOSTILE = "acme \u65e5\u672c \U0001f600\ufffe\x01 evil.com <b>/" + "\u00fc" * 450 + ".ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(delay_seconds=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def queue(stack: Stack) -> str:
    """A queue that gets everything."""
    return queue_of(stack.cloud, stack.cloud.resources["ScorecardsTopic"])[0]


def taught(stack: Stack, end: bytes) -> bytes:
    """Return another recording of the same call."""
    sound = SOUND.read_bytes() + end
    stack.stand_in.teach(sound, TRANSCRIPT)
    return sound


def told(stack: Stack, queue: str) -> Any:
    """Return what the queue got: one message, as published, of which people got another text."""
    stack.cloud.wait_until(lambda: _depth(stack, queue))
    (text,) = received(stack.cloud, queue)
    notification = json.loads(text)
    assert [fault.message for fault in PUBLISHED.iter_errors(notification)] == []
    mail = stack.cloud.mails()[-1]
    assert mail.for_machines == text
    assert not mail.message.startswith("{")
    assert mail.attributes["outcome"] == notification["status"]
    return notification


def _depth(stack: Stack, queue: str) -> int:
    asked = stack.cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    return int(asked["Attributes"]["ApproximateNumberOfMessages"])


def is_stored(stack: Stack, stored_at: Any) -> bool:
    body = stack.cloud.client("s3").get_object(Bucket=stored_at["bucket"], Key=stored_at["key"])["Body"]
    return bool(body.read())


def test_a_scorecard_is_told_with_where_it_lies(stack: Stack, queue: str) -> None:
    key = "dana-reyes/acme_discovery_2026-05-06.ogg"
    stack.drop(key, SOUND.read_bytes(), Metadata={"team": "North"})
    notification = told(stack, queue)

    card = stack.document("scorecards", key)
    assert (notification["status"], notification["reason"], notification["failure"]) == ("complete", None, None)
    assert notification["headline"] == card["headline"]["focus"]
    names = ("recording", "transcript_id", "rep", "customer", "team", "call_type", "recorded_at")
    assert notification["call"] == {name: card["call"][name] for name in names}
    assert notification["call"]["team"] == "North"
    assert is_stored(stack, notification["scorecard"])
    assert is_stored(stack, notification["report"])


def test_who_is_who_in_doubt_is_the_headline(stack: Stack, queue: str) -> None:
    refused = Refuse(400, "this request is not valid")
    with Interference(stack.cloud, stack.stand_in, lambda effect: refused if "understanding" in effect.what else None):
        stack.drop("doubtful.ogg", taught(stack, b"1"))
        notification = told(stack, queue)
    assert notification["status"] == "needs_roles"
    assert notification["headline"].startswith("Check who is who first: ")


def test_a_failure_is_told_with_its_reason_in_words(stack: Stack, queue: str) -> None:
    key = "notes.txt"
    stack.drop(key, b"not a call")
    notification = told(stack, queue)

    assert (notification["status"], notification["reason"]) == ("failed", "not_a_recording")
    assert notification["headline"] == "No call review: it is no audio or video file."
    assert notification["call"]["recording"] == key
    assert (notification["scorecard"], notification["report"]) == (None, None)
    assert is_stored(stack, notification["failure"])


@pytest.mark.parametrize("status", ["complete", "failed"])
def test_hostile_names_arrive_as_they_are(stack: Stack, queue: str, status: str) -> None:
    sound = taught(stack, b"2") if status == "complete" else b"a sound that nobody knows"
    stack.drop(HOSTILE, sound, ContentType="audio/ogg")
    notification = told(stack, queue)

    assert notification["status"] == status
    assert notification["call"]["recording"] == HOSTILE
    assert is_stored(stack, notification["scorecard"] or notification["failure"])


def test_a_summary_is_told_in_numbers(stack: Stack, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callcoach.commands_work.LOOK_AGAIN_SECONDS", 0.1)
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["RecordingsBucketName"]
    # What was there before the bucket told EventBridge.
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    keys = ("quiet/a.ogg", "quiet/notes.txt")
    stack.drop(keys[0], taught(stack, b"3"))
    stack.drop(keys[1], b"not a call")
    assert run(stack.cloud, "submit", "--quiet", "--yes", *keys).exit_code == 0
    notification = told(stack, queue)

    assert notification["status"] == "summary"
    assert notification["headline"] == "1 recording scored, 1 recording not."
    assert notification["counts"] == {"scored": {"complete": 1}, "failed": {"not_a_recording": 1}}
    assert notification["call"] is None
