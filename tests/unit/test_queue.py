"""SQS: what a record says, hiding its message, and working through a Lambda event."""

import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import EVENTS

from callcoach.errors import AccountRefused, MalformedMessage, NotFinished, RateLimited, UpstreamUnavailable
from callcoach.idempotency import AlreadyInProgress
from callcoach.queue import (
    IN_PROGRESS_SECONDS,
    LONGEST_HIDE_SECONDS,
    Message,
    Queue,
    back_off_seconds,
    messages,
    work_through,
)


class HidingQueue(Queue):
    """Notes for how long each message is hidden."""

    def __init__(self) -> None:
        self.hidden: dict[str, float] = {}

    def hide(self, message: Message, seconds: float) -> None:
        self.hidden[message.message_id] = seconds


def event_of(*receive_counts: int) -> dict[str, Any]:
    records = [
        {
            "messageId": f"m{number}",
            "body": f"body {number}",
            "receiptHandle": f"r{number}",
            "attributes": {"ApproximateReceiveCount": str(receive_count)},
        }
        for number, receive_count in enumerate(receive_counts)
    ]
    return {"Records": records}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_messages_are_those_of_the_sample_events(path: Any) -> None:
    event = json.loads(path.read_text())
    (message,) = messages(event)
    (record,) = event["Records"]
    assert message == Message(record["messageId"], record["body"], record["receiptHandle"], 1)


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [{}]}, {"detail-type": "Object Created"}])
def test_event_from_elsewhere_is_malformed(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        messages(event)


@given(st.integers(1, 100))
def test_waits_double_up_to_a_quarter_of_an_hour(receive_count: int) -> None:
    ceiling = min(15 * 2**receive_count, 900)
    assert ceiling / 2 <= back_off_seconds(receive_count) <= ceiling


def test_done_messages_are_acknowledged() -> None:
    done: list[str] = []
    queue = HidingQueue()
    answer = work_through(event_of(1, 1), queue, lambda message: done.append(message.body))
    assert answer == {"batchItemFailures": []}
    assert done == ["body 0", "body 1"]
    assert queue.hidden == {}


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (RateLimited("429", retry_after_seconds=56), 56),
        (UpstreamUnavailable("503", retry_after_seconds=7), 7),
        (NotFinished("queued", retry_after_seconds=3600), 3600),
        (AlreadyInProgress("busy"), IN_PROGRESS_SECONDS),
    ],
)
def test_message_is_hidden_for_the_wait_that_is_named(fault: Exception, seconds: float) -> None:
    """Only the message whose work failed comes back."""

    def work(message: Message) -> None:
        if message.message_id == "m1":
            raise fault

    queue = HidingQueue()
    assert work_through(event_of(1, 1, 1), queue, work) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert queue.hidden == {"m1": seconds}


@pytest.mark.parametrize(
    "fault",
    [
        UpstreamUnavailable("503"),
        RateLimited("429", retry_after_seconds=0),
        AccountRefused("401"),
        NotFinished("queued"),
    ],
)
def test_without_a_named_wait_it_grows_with_each_delivery(fault: Exception) -> None:
    def work(_: Message) -> None:
        raise fault

    queue = HidingQueue()
    work_through(event_of(1, 20), queue, work)
    assert 15 <= queue.hidden["m0"] <= 30
    assert 450 <= queue.hidden["m1"] <= 900


def test_malformed_message_goes_to_the_dead_letter_queue_by_itself() -> None:
    """It is not acknowledged and not hidden: the queue's own visibility and receive count do the rest."""

    def work(_: Message) -> None:
        raise MalformedMessage("what is this")

    queue = HidingQueue()
    assert work_through(event_of(1), queue, work) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert queue.hidden == {}


def test_an_unexpected_exception_stays_one() -> None:
    def work(_: Message) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work_through(event_of(1), HidingQueue(), work)


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs")


@pytest.mark.parametrize(("seconds", "asked"), [(0.4, 0), (-5, 0), (56.2, 56), (10**6, LONGEST_HIDE_SECONDS)])
def test_hidden_message_stays_hidden_within_what_sqs_allows(sqs: Any, seconds: float, asked: int) -> None:
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    queue = Queue(sqs, url)
    queue.send("hello")
    (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
    queue.hide(Message(received["MessageId"], received["Body"], received["ReceiptHandle"], 1), seconds)
    assert ("Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)) is (asked == 0)


def test_delayed_message_is_not_seen_at_once(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    Queue(sqs, url).send("later", delay_seconds=900)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesDelayed"]) == ("0", "1")
