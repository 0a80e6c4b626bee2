"""Moving messages that were given up out of the dead-letter queues, back to the queues that they came from."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callcoach.documents import decode_key
from callcoach.errors import MalformedMessage
from callcoach.names import Drop
from callcoach.polling import own_attributes, visible_messages

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueOutputTypeDef,
        MessageAttributeValueTypeDef,
        MessageTypeDef,
    )

# Each dead-letter queue, and the queue whose messages are given up into it.
SOURCES = {"RecordingsDlq": "RecordingsQueue", "CallbacksDlq": "CallbacksQueue"}

# Nobody else sees a message while somebody decides about it.
HELD_SECONDS = 900
_MOVERS = 10

# A message that was received so often, each time by a run that was killed, is moved by SQS, which gives no reason.
_KILLED = "crashed"
_MALFORMED = "malformed_message"


class DeadLetter(msgspec.Struct, frozen=True):
    """A message in a dead-letter queue.

    recording: None where it names none; sent_at: when it came there, or was sent at first if SQS has moved it.
    """

    queue: str
    message_id: str
    recording: str | None
    reason: str
    sent_at: datetime
    message: "MessageTypeDef"

    @property
    def can_be_redriven(self) -> bool:
        """Whether the function that gave it up could do anything with it."""
        return self.recording is not None and self.reason != _MALFORMED


class Redriver:
    """Holds the messages of both dead-letter queues until each is moved, discarded or let go.

    SQS's own move task takes all of a queue or nothing, what is malformed too, and leaves the old reason on it.
    """

    def __init__(self, client: "SQSClient", queue_urls: Mapping[str, str]) -> None:
        self._client = client
        self._queue_urls = queue_urls
        self._held: dict[str, DeadLetter] = {}

    def hold(self) -> list[DeadLetter]:
        """Take all messages that nobody has in hand, and return them, the oldest first."""
        with ThreadPoolExecutor(len(SOURCES)) as pool:
            for letters in pool.map(self._receive, SOURCES):
                self._held |= {letter.message_id: letter for letter in letters}
        return sorted(self._held.values(), key=lambda letter: letter.sent_at)

    def move(self, letters: Sequence[DeadLetter]) -> None:
        """Send messages anew to the queues that they came from, and take them out of the dead-letter queues."""
        with ThreadPoolExecutor(_MOVERS) as pool:
            list(pool.map(self._move, letters))

    def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages."""
        with ThreadPoolExecutor(_MOVERS) as pool:
            list(pool.map(self._delete, letters))

    def close(self) -> None:
        """Let the others be seen again."""
        with ThreadPoolExecutor(_MOVERS) as pool:
            list(pool.map(self._show, list(self._held.values())))

    def _receive(self, queue: str) -> list[DeadLetter]:
        messages = visible_messages(self._client, self._queue_urls[queue], HELD_SECONDS)
        return [_dead_letter(queue, message) for message in messages]

    def _move(self, letter: DeadLetter) -> None:
        self._client.send_message(
            QueueUrl=self._queue_urls[SOURCES[letter.queue]],
            MessageBody=letter.message["Body"],
            MessageAttributes=_kept(letter.message.get("MessageAttributes", {})),
        )
        self._delete(letter)

    def _delete(self, letter: DeadLetter) -> None:
        self._client.delete_message(
            QueueUrl=self._queue_urls[letter.queue], ReceiptHandle=letter.message["ReceiptHandle"]
        )
        del self._held[letter.message_id]

    def _show(self, letter: DeadLetter) -> None:
        self._client.change_message_visibility(
            QueueUrl=self._queue_urls[letter.queue],
            ReceiptHandle=letter.message["ReceiptHandle"],
            VisibilityTimeout=0,
        )
        del self._held[letter.message_id]


def chosen(letters: Sequence[DeadLetter], recordings: Collection[str]) -> list[DeadLetter]:
    """Return the messages about some recordings; all of them where none is named."""
    return [letter for letter in letters if not recordings or letter.recording in recordings]


def _dead_letter(queue: str, message: "MessageTypeDef") -> DeadLetter:
    own = own_attributes(message)
    return DeadLetter(
        queue=queue,
        message_id=message["MessageId"],
        recording=decode_key(own.get("recording", "")) or _dropped(message["Body"]),
        # EventBridge names its own reason.
        reason=own.get("reason") or own.get("ERROR_CODE") or _KILLED,
        sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
        message=message,
    )


def _dropped(body: str) -> str | None:
    """Return the recording that an event says was dropped; None when it is no such event."""
    try:
        return Drop.from_event(body).recording
    except MalformedMessage:
        return None


def _kept(
    attributes: "Mapping[str, MessageAttributeValueOutputTypeDef]",
) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return the attributes without those that say why a message was given up; EventBridge's are in capitals."""
    return {
        name: {"DataType": value["DataType"], "StringValue": value.get("StringValue", "")}
        for name, value in attributes.items()
        if name != "reason" and not name.isupper()
    }
