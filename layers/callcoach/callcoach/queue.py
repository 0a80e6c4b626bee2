"""SQS: what a record of a Lambda event says, and hiding its message until later."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from callcoach.errors import MalformedMessage, NotFinished, TransientError
from callcoach.idempotency import AlreadyInProgress
from callcoach.observability import count, logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS hides a message for twelve hours in all since it was received.
LONGEST_HIDE_SECONDS = 11 * 3600

# How soon to look again at work that another invocation has in hand.
IN_PROGRESS_SECONDS = 60.0


class Message(msgspec.Struct, frozen=True):
    """One received message. receive_count is 1 at the first delivery; hiding a message counts as a delivery too."""

    message_id: str
    body: str
    receipt_handle: str
    receive_count: int


def messages(event: dict[str, Any]) -> list[Message]:
    """Return the messages of a Lambda event from an SQS event source.

    Raises MalformedMessage when the event comes from elsewhere.
    """
    try:
        return [
            Message(
                message_id=record["messageId"],
                body=record["body"],
                receipt_handle=record["receiptHandle"],
                receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            )
            for record in event["Records"]
        ]
    except (KeyError, TypeError, ValueError) as fault:
        raise MalformedMessage(f"not an event of an SQS queue: {fault!r}") from fault


def back_off_seconds(receive_count: int) -> float:
    """Return a wait that doubles with each delivery, from 15 s to 15 min, with full jitter in its upper half."""
    ceiling = min(15 * 2 ** min(receive_count, 6), 900)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret


class Queue:
    """One queue."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def hide(self, message: Message, seconds: float) -> None:
        """Keep a received message out of sight; it comes back after that."""
        self._client.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=message.receipt_handle,
            VisibilityTimeout=min(max(round(seconds), 0), LONGEST_HIDE_SECONDS),
        )

    def send(self, body: str, *, delay_seconds: int = 0) -> None:
        """Send a message that is seen after delay_seconds, at most 900."""
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body, DelaySeconds=delay_seconds)


def work_through(event: dict[str, Any], queue: Queue, work: Callable[[Message], None]) -> dict[str, Any]:
    """Hand each message of a Lambda event to work, and return what tells Lambda which messages are not done.

    What work raises decides: a TransientError hides its message for the wait that upstream named, or longer with each
    delivery; a MalformedMessage leaves it to the dead-letter queue. Any other exception fails the invocation.
    """
    unfinished = []
    for message in messages(event):
        count("MessagesReceived")
        try:
            work(message)
        except NotFinished as fault:
            logger.info("not finished yet", reason=str(fault), receive_count=message.receive_count)
            queue.hide(message, fault.retry_after_seconds or back_off_seconds(message.receive_count))
            unfinished.append(message)
        except TransientError as fault:
            wait_seconds = fault.retry_after_seconds or back_off_seconds(message.receive_count)
            logger.warning(
                "trying again later",
                error=type(fault).__name__,
                reason=str(fault),
                receive_count=message.receive_count,
                wait_seconds=round(wait_seconds),
            )
            count("Retries")
            queue.hide(message, wait_seconds)
            unfinished.append(message)
        except AlreadyInProgress:
            logger.info("another invocation works on this", message_id=message.message_id)
            queue.hide(message, IN_PROGRESS_SECONDS)
            unfinished.append(message)
        except MalformedMessage as fault:
            logger.error("malformed message", reason=str(fault), message_id=message.message_id)
            count("MalformedMessages")
            unfinished.append(message)
    return {"batchItemFailures": [{"itemIdentifier": message.message_id} for message in unfinished]}
