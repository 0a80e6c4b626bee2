"""What is told through SNS."""

import json
import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS

from callcoach.documents import KEY_LIMIT_BYTES, CallDetails, Failure, document_key
from callcoach.failures import Failures, failure_mail, failure_notification
from callcoach.notifications import SUBJECT_LIMIT, Notifications, StoredAt, ascii_subject
from callcoach.plain_text import columns
from callcoach.storage import Documents


@given(st.text(max_size=300))
def test_any_subject_is_one_that_sns_takes(text: str) -> None:
    """Printable ASCII on one line, fewer than 100 characters, no blank at its ends."""
    subject = ascii_subject(text)
    assert 0 < len(subject) <= SUBJECT_LIMIT < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert subject == subject.strip()


def test_long_subject_says_that_it_is_cut() -> None:
    assert ascii_subject("x" * 99) == "x" * 99
    assert ascii_subject("x" * 100) == "x" * 96 + "..."
    assert ascii_subject("") == "callcoach"


class Subscriber:
    """A queue that is subscribed to a topic of the account in memory."""

    def __init__(self) -> None:
        self._sns, self._sqs = boto3.client("sns"), boto3.client("sqs")
        self._topic = self._sns.create_topic(Name="t")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self._sns.subscribe(TopicArn=self._topic, Protocol="sqs", Endpoint=arn)
        self.notifications = Notifications(self._sns, self._topic)

    def received(self) -> dict[str, Any]:
        """Return the one message that has come."""
        (message,) = self._sqs.receive_message(QueueUrl=self._queue)["Messages"]
        said: dict[str, Any] = json.loads(message["Body"])
        return said

    @property
    def has_nothing(self) -> bool:
        """Whether no message has come."""
        return not self._sqs.receive_message(QueueUrl=self._queue).get("Messages")


def test_message_reaches_the_subscribers_with_its_attributes(aws: None) -> None:
    """What has no value is no attribute, for SNS refuses an empty one; nor does it take control characters."""
    subscriber = Subscriber()
    attributes = {"rep": "Dana\r\n\x00 Reyes" + "s" * 80, "team": None, "customer": " ", "needs_review": False}
    subscriber.notifications.publish("Señor\nx", "the text", attributes)
    said = subscriber.received()
    assert (said["Subject"], said["Message"]) == ("Senor x", "the text")
    assert said["MessageAttributes"] == {
        "rep": {"Type": "String", "Value": f"Dana Reyes{'s' * 47}..."},
        "needs_review": {"Type": "String", "Value": "false"},
    }


@pytest.mark.parametrize("hostile", [*HOSTILE_TEXTS, "\ufffe\x00\U0001f600", '"\\'])
def test_one_message_holds_prose_and_json_however_hostile_the_names(hostile: str) -> None:
    """Within 256 KiB, both texts and the attributes, and of characters that every protocol takes."""
    key = "".join(accumulate_bytes(hostile, KEY_LIMIT_BYTES))
    # S3 takes 2 kB of metadata.
    name = (hostile * 50)[:2048]
    call = CallDetails(rep=name, customer=name, team=name, call_type=name)
    where = StoredAt("b" * 63, document_key("failures", key))
    failure = a_failure(recording=key, detail=hostile * 10_000, next_step=hostile * 10_000)
    client = Mock()
    Notifications(client, "topic").publish(
        *failure_mail(failure, f"{where.bucket}/{where.key}"),
        {"rep": call.rep, "team": call.team, "customer": call.customer, "call_type": call.call_type},
        failure_notification(failure, call, where),
    )

    sent = client.publish.call_args.kwargs
    by_protocol = json.loads(sent["Message"])
    assert sent["MessageStructure"] == "json"
    assert by_protocol.keys() == {"default", "email"}
    assert sent["Message"].isascii()
    assert by_protocol["default"].isprintable()
    assert json.loads(by_protocol["default"])["call"]["recording"] == key
    headline = json.loads(by_protocol["default"])["headline"]
    assert headline.isprintable()
    assert len(headline) <= 300
    assert "example.com" not in headline
    assert len(sent["Message"]) + len(json.dumps(sent["MessageAttributes"])) < 256 * 1024 // 2


def accumulate_bytes(text: str, limit: int) -> Iterator[str]:
    """Yield characters of a text over and over, as long as they have room."""
    size = 0
    for character in cycle(text or "x"):
        size += len(character.encode())
        if size > limit:
            return
        yield character


def a_failure(**changes: Any) -> Failure:
    values: dict[str, Any] = {
        "recording": "dana/acme.mp3",
        "stage": "transcribe",
        "reason": "no_speech",
        "detail": "no speech was found",
        "next_step": "Check the recording.",
        "retryable": False,
    }
    return Failure(**values | changes)


def test_failure_is_recorded_and_told_with_who_was_on_the_call(aws: None) -> None:
    boto3.client("s3").create_bucket(
        Bucket="scorecards", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    subscriber = Subscriber()
    failures = Failures(Documents(boto3.client("s3"), "scorecards"), subscriber.notifications)
    failures.record(a_failure(), CallDetails(rep="Dana", team="North", call_type="demo"))
    said = subscriber.received()
    assert {name: attribute["Value"] for name, attribute in said["MessageAttributes"].items()} == {
        "outcome": "failed",
        "reason": "no_speech",
        "stage": "transcribe",
        "rep": "Dana",
        "team": "North",
        "call_type": "demo",
    }
    assert json.loads(said["Message"]) == {
        "schema_version": 1,
        "status": "failed",
        "headline": "No call review: nobody speaks in the recording.",
        "reason": "no_speech",
        "needs_review": None,
        "call": {
            "recording": "dana/acme.mp3",
            "transcript_id": None,
            "rep": "Dana",
            "customer": None,
            "team": "North",
            "call_type": "demo",
            "recorded_at": None,
        },
        "scorecard": None,
        "report": None,
        "failure": {"bucket": "scorecards", "key": "failures/dana/acme.mp3.json"},
        "counts": None,
    }
    stored = boto3.client("s3").get_object(Bucket="scorecards", Key="failures/dana/acme.mp3.json")["Body"].read()
    assert json.loads(stored)["reason"] == "no_speech"


def test_quiet_failure_is_recorded_and_nobody_is_told(aws: None) -> None:
    boto3.client("s3").create_bucket(
        Bucket="scorecards", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    subscriber = Subscriber()
    documents = Documents(boto3.client("s3"), "scorecards")
    Failures(documents, subscriber.notifications).record(a_failure(quiet=True))
    assert json.loads(documents.read("failures", "dana/acme.mp3") or b"")["quiet"] is True
    assert subscriber.has_nothing


def test_first_three_lines_of_a_failure_say_what_happened_what_to_do_and_what_was_saved() -> None:
    _, text = failure_mail(a_failure(), "scorecards/failures/dana/acme.mp3.json")
    lines = text.split("\n")
    assert lines[:2] == ["NO SCORECARD: nobody speaks in the recording.", "WHAT TO DO: Check the recording."]
    assert lines[2].startswith("SAVED: the reason, in ")
    assert lines[-2] == "In detail: no speech was found"
    assert "no_speech" not in text


@pytest.mark.parametrize("hostile", [*HOSTILE_TEXTS, "https://evil.com/x"])
def test_mail_about_a_failure_is_plain(hostile: str) -> None:
    """In 72 columns without a link and of bounded size, whatever the names hold."""
    failure = a_failure(recording=f"calls/{hostile}.mp3", reason="not_a_recording", detail=hostile * 100)
    subject, text = failure_mail(failure, f"scorecards/failures/calls/{hostile}.mp3.json")
    assert len(ascii_subject(subject)) <= SUBJECT_LIMIT
    assert ascii_subject(subject).endswith(": it is no audio or video file")
    assert len(text) <= 8192
    lines = text.split("\n")
    assert all(columns(line) <= 72 and line.isprintable() for line in lines)
    assert [line.split(":")[0] for line in lines if line.startswith(("NO SCORE", "WHAT TO", "SAVED", "Recording"))] == [
        "NO SCORECARD",
        "WHAT TO DO",
        "SAVED",
        "Recording",
    ]
    assert "evil.com" not in text.replace("\n", "")


@pytest.mark.parametrize("key", ["日本/電話.m4a", "a/e\u0301 .mp3", "new\nline\x00\ufffe.mp3", "ü" * 512, "evil.com/é"])
def test_mail_about_a_failure_tells_the_exact_name(key: str) -> None:
    """Many names look the same; what links have for it can be turned back."""
    _, text = failure_mail(a_failure(recording=key), "scorecards/failures/x.json")
    written = re.search(r"Its name as links have it: ([\S\n]+)", text)
    assert written
    assert unquote(written[1].replace("\n", "")) == key
    assert len(text) <= 8192
    assert all(columns(line) <= 72 and line.isprintable() for line in text.split("\n"))
    assert "evil.com" not in text.replace("\n", "")
