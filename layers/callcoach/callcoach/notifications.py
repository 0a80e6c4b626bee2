"""E-mail through SNS."""

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

# SNS takes "fewer than 100" printable ASCII characters.
SUBJECT_LIMIT = 99


class Notifications:
    """Tells everybody who has subscribed to a topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, message: str, attributes: Mapping[str, str | None]) -> None:
        """Send one message. Attributes are what subscribers filter by; those without a value are left out."""
        typed: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        }
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=ascii_subject(subject),
            Message=message,
            MessageAttributes=typed,
        )


def ascii_text(text: str) -> str:
    """Return text in printable ASCII: marks dropped, other characters as question marks, white space folded."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    plain = " ".join(plain.split())
    return "".join(character if " " <= character <= "~" else "?" for character in plain)


def ascii_subject(subject: str) -> str:
    """Return subject as SNS takes it: printable ASCII on one line, at most 99 characters."""
    plain = ascii_text(subject)
    if len(plain) > SUBJECT_LIMIT:
        plain = plain[: SUBJECT_LIMIT - 3].rstrip() + "..."
    return plain or "callcoach"
