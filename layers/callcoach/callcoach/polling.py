"""SQS by hand: looking through the messages of a queue that nobody has in hand."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from callcoach.queues import waiting_in

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Nobody else sees a message while it is looked at; each comes back at once afterwards.
LOOKING_SECONDS = 600
# SQS asks all of its servers only if it may wait.
_WAIT_SECONDS = 1
_BATCH = 10

# Whether a message, by its body and its own attributes, is the one that is looked for.
Concerns = Callable[[str, Mapping[str, str]], bool]


class Polled(msgspec.Struct, frozen=True):
    """What polling came to. removed: bodies; out_of_sight: how many messages, of any kind, are hidden or delayed."""

    removed: list[str]
    out_of_sight: int


def remove_messages(client: "SQSClient", queue_url: str, concerns: Concerns) -> Polled:
    """Delete the messages of a queue that concern something, and leave the others.

    What is hidden or delayed cannot be received, so it can only be counted. Looking counts as a receive.
    """
    removed: list[str] = []
    others: list[MessageTypeDef] = []
    try:
        for message in visible_messages(client, queue_url, LOOKING_SECONDS):
            if concerns(message["Body"], own_attributes(message)):
                client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                removed.append(message["Body"])
            else:
                others.append(message)
        out_of_sight = waiting_in(client, queue_url).hidden - len(others)
    finally:
        for message in others:
            client.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    return Polled(removed=removed, out_of_sight=max(out_of_sight, 0))


def visible_messages(client: "SQSClient", queue_url: str, hidden_seconds: int) -> "Iterator[MessageTypeDef]":
    """Yield each message that can be received, once, and keep it out of sight for so long."""
    seen: set[str] = set()
    while True:
        received = client.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=hidden_seconds,
            WaitTimeSeconds=_WAIT_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        fresh = [message for message in received if message["MessageId"] not in seen]
        if not fresh:
            return
        seen.update(message["MessageId"] for message in fresh)
        yield from fresh


def own_attributes(message: "MessageTypeDef") -> dict[str, str]:
    """Return the attributes that the sender gave a message, by name."""
    attributes = message.get("MessageAttributes", {})
    return {name: attribute.get("StringValue", "") for name, attribute in attributes.items()}
