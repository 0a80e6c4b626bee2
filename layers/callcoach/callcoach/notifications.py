"""E-mail through SNS."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from callcoach.plain_text import ascii_text, printable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

# SNS takes "fewer than 100" printable ASCII characters.
SUBJECT_LIMIT = 99

# What subscribers filter by; None is what nobody knows.
Attributes = Mapping[str, str | bool | None]


class Notifications:
    """Tells everybody who has subscribed to a topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, message: str, attributes: Attributes) -> None:
        """Send one message. Attributes are cut to one printable line; those without a value are left out."""
        texts = {
            name: str(value).lower() if isinstance(value, bool) else printable(value or "")
            for name, value in attributes.items()
        }
        typed: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text
        }
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=ascii_subject(subject),
            Message=message,
            MessageAttributes=typed,
        )


def ascii_subject(subject: str) -> str:
    """Return subject as SNS takes it: printable ASCII on one line, at most 99 characters."""
    plain = ascii_text(subject)
    if len(plain) > SUBJECT_LIMIT:
        plain = plain[: SUBJECT_LIMIT - 3].rstrip() + "..."
    return plain or "callcoach"
