"""SQS: what a record of a Lambda event says, and what can be done with its message."""

import random
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from callcoach.errors import MalformedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

# SQS hides a message for twelve hours in all since it was received.
LONGEST_HIDE_SECONDS = 11 * 3600
# SQS delays a new message by no more.
LONGEST_DELAY_SECONDS = 900

# The queues' maxReceiveCount. Hiding a message counts as a receive, so a message that only waits is sent anew in good
# time; the last receives are left to runs that were killed.
LAST_RECEIVE = 20
RENEWED_FROM_RECEIVE = 14

# What a kept copy holds at the most. SQS takes ten attributes, and a mebibyte in all.
KEPT_ATTRIBUTES, KEPT_ATTRIBUTE_CHARACTERS, KEPT_BYTES = 9, 2000, 900_000


class Message(msgspec.Struct, frozen=True):
    """One received message.

    receive_count: 1 at the first delivery; sent_at: seconds since 1970; attributes: the message's own, texts alone.
    """

    message_id: str
    body: str
    receipt_handle: str
    receive_count: int
    sent_at: float = 0.0
    attributes: Mapping[str, str] = {}


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
                sent_at=int(record["attributes"]["SentTimestamp"]) / 1000,
                attributes={
                    name: attribute["stringValue"]
                    for name, attribute in record["messageAttributes"].items()
                    if attribute.get("stringValue")
                },
            )
            for record in event["Records"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedMessage(f"not an event of an SQS queue: {fault!r}") from fault


def back_off_seconds(attempts: int) -> float:
    """Return a wait that doubles with each attempt, from 15 s to 15 min, with full jitter in its upper half."""
    ceiling = min(15 * 2 ** min(max(attempts, 1) - 1, 6), 900)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret


class Queue:
    """One queue, and the dead-letter queue behind it where messages are given up."""

    def __init__(self, client: "SQSClient", queue_url: str, dead_letters_url: str = "") -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letters_url = dead_letters_url

    def hide(self, message: Message, seconds: float) -> bool:
        """Keep a received message out of sight for so long; return whether it still has to come back.

        One that was received too often is sent anew, which starts its count and its retention again, and is then done.
        """
        if message.receive_count >= RENEWED_FROM_RECEIVE:
            self.send(message.body, attributes=message.attributes, delay_seconds=seconds)
            return False
        self._client.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=message.receipt_handle,
            VisibilityTimeout=_whole(seconds, LONGEST_HIDE_SECONDS),
        )
        return True

    def send(self, body: str, *, attributes: Mapping[str, str] | None = None, delay_seconds: float = 0) -> None:
        """Send a message that is seen after delay_seconds, at most 900."""
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=body,
            DelaySeconds=_whole(delay_seconds, LONGEST_DELAY_SECONDS),
            MessageAttributes=typed(attributes or {}),
        )

    def give_up(self, message: Message, reason: str) -> None:
        """Put a copy of a message into the dead-letter queue, with the reason. The message itself is then done.

        What makes a message larger than any of ours is left out of the copy: the reason has to fit in.
        """
        short = {name: text for name, text in message.attributes.items() if len(text) <= KEPT_ATTRIBUTE_CHARACTERS}
        self._client.send_message(
            QueueUrl=self._dead_letters_url,
            MessageBody=message.body.encode()[:KEPT_BYTES].decode(errors="ignore"),
            MessageAttributes=typed(dict(islice(short.items(), KEPT_ATTRIBUTES)) | {"reason": reason}),
        )


def _whole(seconds: float, longest: int) -> int:
    return min(max(int(seconds), 0), longest)


def typed(attributes: Mapping[str, str]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes as SQS takes them."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
