"""E-mail through SNS."""

import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS

from callcoach.documents import Failure
from callcoach.failures import failure_mail
from callcoach.notifications import SUBJECT_LIMIT, Notifications, ascii_subject, ascii_text


@given(st.text(max_size=300))
def test_any_subject_is_one_that_sns_takes(text: str) -> None:
    """Printable ASCII on one line, fewer than 100 characters, no blank at its ends."""
    subject = ascii_subject(text)
    assert 0 < len(subject) <= SUBJECT_LIMIT < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert subject == subject.strip()


@given(st.text())
def test_any_text_becomes_printable_ascii_on_one_line(text: str) -> None:
    plain = ascii_text(text)
    assert plain.isascii()
    assert plain.isprintable()
    assert ascii_text(plain) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("José Müller", "Jose Muller"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("  two\u00a0 spaces\t", "two spaces"),
        ("田中", "??"),
        ("½ ﬁ", "1?2 fi"),
        ("a\u200bb\x07", "a?b?"),
    ],
)
def test_ascii_keeps_what_it_can(text: str, plain: str) -> None:
    assert ascii_text(text) == plain


def test_long_subject_says_that_it_is_cut() -> None:
    assert ascii_subject("x" * 99) == "x" * 99
    assert ascii_subject("x" * 100) == "x" * 96 + "..."
    assert ascii_subject("") == "callcoach"


def test_message_reaches_the_subscribers_with_its_attributes(aws: None) -> None:
    """What has no value is no attribute: SNS refuses an empty one."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    Notifications(sns, topic).publish("Señor\nx", "the text", {"rep": "Dana", "team": None, "customer": ""})
    (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    said: dict[str, Any] = json.loads(received["Body"])
    assert (said["Subject"], said["Message"]) == ("Senor x", "the text")
    assert said["MessageAttributes"] == {"rep": {"Type": "String", "Value": "Dana"}}


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_mail_about_a_failure_is_plain(hostile: str) -> None:
    """What happened, what to do, what was saved: ASCII in 72 columns, whatever the names hold."""
    failure = Failure(
        recording=f"calls/{hostile}.mp3",
        stage="submit",
        reason="not_a_recording",
        detail=f"the type is {hostile}",
        next_step="Upload an audio file.",
        retryable=False,
    )
    subject, text = failure_mail(failure, f"scorecards/failures/calls/{hostile}.mp3.json")
    assert len(ascii_subject(subject)) <= SUBJECT_LIMIT
    assert ascii_subject(subject).endswith(": not a recording")
    assert text.isascii()
    lines = text.split("\n")
    assert all(len(line) <= 72 and line.replace("\n", "").isprintable() for line in lines)
    assert [line.split(":")[0] for line in lines if line.startswith(("NO SCORE", "WHAT TO", "SAVED", "Recording"))] == [
        "NO SCORECARD",
        "WHAT TO DO",
        "SAVED",
        "Recording",
    ]
