"""What is told through SNS: prose to people by e-mail, and one JSON object to everything else that subscribes."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from callcoach.plain_text import ascii_text, clipped, printable, without_links

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, PublishInputTypeDef

NOTIFICATION_VERSION = 1
# SNS takes "fewer than 100" printable ASCII characters.
SUBJECT_LIMIT = 99
_HEADLINE_CHARACTERS = 300

# What subscribers filter by; None is what nobody knows.
Attributes = Mapping[str, str | bool | None]

Outcome = Literal["complete", "numbers_only", "needs_roles", "failed", "summary"]


class CallTold(msgspec.Struct, frozen=True):
    """Which call it is about, as in its scorecard; null what nobody said. Names are as somebody typed them."""

    recording: str
    transcript_id: str | None
    rep: str | None
    customer: str | None
    team: str | None
    call_type: str | None
    recorded_at: str | None


class StoredAt(msgspec.Struct, frozen=True):
    """Where in S3 a document lies."""

    bucket: str
    key: str


class Counts(msgspec.Struct, frozen=True):
    """What became of many recordings: scored ones by status, failed ones by reason."""

    scored: dict[str, int]
    failed: dict[str, int]


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What machines are told of a call, or with status summary of many.

    Adding a field keeps the version; renaming, removing, or changing what one means makes the next. headline: the first
    thing to know, in words that are not a quote; reason: a code, the scorecard's status_reason or the failure's reason;
    needs_review: whether it is in doubt who is who; scorecard, report, failure: where each lies, null where none does.
    """

    schema_version: int
    status: Outcome
    headline: str
    reason: str | None
    needs_review: bool | None
    call: CallTold | None
    scorecard: StoredAt | None
    report: StoredAt | None
    failure: StoredAt | None
    counts: Counts | None


class Notifications:
    """Tells everybody who has subscribed to a topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(
        self, subject: str, text: str, attributes: Attributes, notification: Notification | None = None
    ) -> None:
        """Send one message: the text, and where there is a notification the text by e-mail alone.

        Attributes without a value are left out.
        """
        texts = {
            name: str(value).lower() if isinstance(value, bool) else attribute_text(value or "")
            for name, value in attributes.items()
        }
        typed: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text
        }
        message: PublishInputTypeDef = {
            "TopicArn": self._topic_arn,
            "Subject": ascii_subject(subject),
            "Message": text,
            "MessageAttributes": typed,
        }
        if notification:
            by_protocol = {"default": encode_notification(notification), "email": text}
            message |= {"Message": json.dumps(by_protocol), "MessageStructure": "json"}
        self._client.publish(**message)


def encode_notification(notification: Notification) -> str:
    """Return the JSON object on one line, in ASCII: SQS refuses some of the characters that a key may have."""
    return json.dumps(msgspec.to_builtins(notification), sort_keys=True)


def attribute_text(text: str) -> str:
    """Return text as subscribers' filters see it: cut to one printable line, "" where nothing is left."""
    return printable(text)


def one_sentence(text: str) -> str:
    """Return text as a headline: on one line, cut, and without links, for a chat would make them live."""
    return clipped(without_links(printable(text, _HEADLINE_CHARACTERS)), _HEADLINE_CHARACTERS)


def ascii_subject(subject: str) -> str:
    """Return subject as SNS takes it: printable ASCII on one line, at most 99 characters."""
    plain = ascii_text(subject)
    if len(plain) > SUBJECT_LIMIT:
        plain = plain[: SUBJECT_LIMIT - 3].rstrip() + "..."
    return plain or "callcoach"
