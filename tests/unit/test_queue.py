"""SQS: what a record says, and hiding, renewing and giving up its message."""

import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import EVENTS

from callcoach.errors import MalformedMessage
from callcoach.queue import (
    LAST_RECEIVE,
    LONGEST_HIDE_SECONDS,
    RENEWED_FROM_RECEIVE,
    Message,
    Queue,
    back_off_seconds,
    messages,
)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_messages_are_those_of_the_sample_events(path: Any) -> None:
    event = json.loads(path.read_text())
    (message,) = messages(event)
    (record,) = event["Records"]
    said = {name: attribute["stringValue"] for name, attribute in record["messageAttributes"].items()}
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    assert message == Message(record["messageId"], record["body"], record["receiptHandle"], 1, sent_at, said)


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [{}]}, {"detail-type": "Object Created"}])
def test_event_from_elsewhere_is_malformed(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        messages(event)


@given(st.integers(1, 100))
def test_waits_double_up_to_a_quarter_of_an_hour(attempts: int) -> None:
    ceiling = min(15 * 2 ** (attempts - 1), 900)
    assert ceiling / 2 <= back_off_seconds(attempts) <= ceiling


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs")


@pytest.fixture
def urls(sqs: Any) -> tuple[str, str]:
    """A queue and its dead-letter queue."""
    queue, dead_letters = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "dlq"))
    return queue, dead_letters


def received(sqs: Any, url: str) -> list[Any]:
    answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])
    found: list[Any] = answer.get("Messages", [])
    return found


def message_of(record: Any, receive_count: int = 1) -> Message:
    return Message(
        record["MessageId"], record["Body"], record["ReceiptHandle"], receive_count, 0.0, {"recording": "YQ"}
    )


@pytest.mark.parametrize(("seconds", "asked"), [(0.4, 0), (-5, 0), (56.2, 56), (10**6, LONGEST_HIDE_SECONDS)])
def test_hidden_message_stays_hidden_within_what_sqs_allows(sqs: Any, urls: Any, seconds: float, asked: int) -> None:
    queue = Queue(sqs, *urls)
    queue.send("hello")
    (record,) = received(sqs, urls[0])
    assert queue.hide(message_of(record), seconds)
    assert bool(received(sqs, urls[0])) is (asked == 0)


@pytest.mark.parametrize("receive_count", range(RENEWED_FROM_RECEIVE, LAST_RECEIVE + 1))
def test_message_that_waits_for_long_is_sent_anew(sqs: Any, urls: Any, receive_count: int) -> None:
    """SQS would count its looks as failures, and move it to the dead-letter queue without a word."""
    queue = Queue(sqs, *urls)
    queue.send("hello", attributes={"recording": "YQ"})
    (record,) = received(sqs, urls[0])
    assert not queue.hide(message_of(record, receive_count), 0)
    (renewed,) = received(sqs, urls[0])
    assert renewed["MessageId"] != record["MessageId"]
    assert renewed["Body"] == "hello"
    assert renewed["MessageAttributes"]["recording"]["StringValue"] == "YQ"
    assert renewed["Attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.parametrize("last", ["9", "x" * 100_000])
def test_message_that_somebody_made_as_large_as_may_be_is_kept_with_the_reason(sqs: Any, urls: Any, last: str) -> None:
    """A copy with one attribute more would be refused, and the message would come back twenty times."""
    body = "ü" * (512 * 1024)
    attributes = {f"a{number}": str(number) for number in range(9)} | {"last": last}
    Queue(sqs, *urls).give_up(Message("m1", body, "r1", 1, 0.0, attributes), "malformed_message")
    (kept,) = received(sqs, urls[1])
    said = {name: attribute["StringValue"] for name, attribute in kept["MessageAttributes"].items()}
    assert said == {name: text for name, text in attributes.items() if name != "last"} | {"reason": "malformed_message"}
    assert body.startswith(kept["Body"])
    assert len(kept["Body"].encode()) + len(json.dumps(said)) < 1024**2


def test_message_that_is_given_up_is_kept_with_the_reason(sqs: Any, urls: Any) -> None:
    queue = Queue(sqs, *urls)
    queue.send("hello", attributes={"recording": "YQ"})
    (record,) = received(sqs, urls[0])
    queue.give_up(message_of(record), "aws_unavailable")
    (kept,) = received(sqs, urls[1])
    assert kept["Body"] == "hello"
    said = {name: attribute["StringValue"] for name, attribute in kept["MessageAttributes"].items()}
    assert said == {"recording": "YQ", "reason": "aws_unavailable"}
