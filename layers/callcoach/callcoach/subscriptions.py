"""Who gets what a topic tells: subscriptions to it, and what each lets through."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

import msgspec
from botocore.exceptions import ClientError

from callcoach.notifications import attribute_text

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

Protocol = Literal["email", "https", "sqs", "lambda"]
# The values of message attributes that are let through, by attribute; {} lets everything through.
Filter = Mapping[str, Sequence[str]]

# SNS multiplies the numbers of values.
MOST_COMBINATIONS = 150

_ADDRESSES: Mapping[Protocol, str] = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "https": r"https://[^\s/]+(?:/\S*)?",
    "sqs": r"arn:[a-z-]+:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}",
    "lambda": r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(?::[\w$-]+)?",
}
# What a list shows in the place of a subscription's ARN.
PENDING = ("PendingConfirmation", "pending confirmation")


class Subscription(msgspec.Struct, frozen=True):
    """One subscriber. filter: None where that cannot be seen, as of one that is not confirmed.

    is_unguarded: anybody who has one of its e-mails can end it, for it was confirmed by following AWS's link.
    """

    address: str
    protocol: str
    is_confirmed: bool
    is_unguarded: bool
    filter: dict[str, list[str]] | None


class NotSubscribed(LookupError):
    """Nobody has subscribed under that address."""


class NotConfirmed(LookupError):
    """The address was subscribed and has not agreed yet."""


class BadLink(ValueError):
    """What was given is not the link of AWS's message, or not any more."""


class Subscriptions:
    """The subscriptions to one topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self.topic_arn = topic_arn

    def all(self) -> Iterator[Subscription]:
        """Yield all of them."""
        for row in self._rows():
            if row["SubscriptionArn"] in PENDING:
                yield Subscription(
                    row["Endpoint"], row["Protocol"], is_confirmed=False, is_unguarded=False, filter=None
                )
            else:
                yield self._described(row["SubscriptionArn"])

    def subscribe(self, address: str, protocol: Protocol, wanted: Filter) -> Subscription:
        """Subscribe an address, or give its subscription another filter.

        One that is not confirmed is sent AWS's message once more.
        """
        row = self._find(address)
        policy = json.dumps({name: list(values) for name, values in wanted.items()}, sort_keys=True)
        if row is None or row["SubscriptionArn"] in PENDING:
            # With a filter of its own this call is refused where there is a subscription; so it goes by the next one.
            arn = self._client.subscribe(
                TopicArn=self.topic_arn,
                Protocol=protocol,
                Endpoint=row["Endpoint"] if row else address,
                ReturnSubscriptionArn=True,
                Attributes={"FilterPolicy": policy} if wanted and row is None else {},
            )["SubscriptionArn"]
        else:
            arn = row["SubscriptionArn"]
        before = self._described(arn)
        if before.filter == {name: list(values) for name, values in wanted.items()}:
            return before
        self._client.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy
        )
        return self._described(arn)

    def confirm(self, token: str) -> Subscription:
        """Agree in the place of the address, so that nobody without rights can end its subscription.

        Raises BadLink for a token that AWS does not take.
        """
        try:
            confirmed = self._client.confirm_subscription(
                TopicArn=self.topic_arn, Token=token, AuthenticateOnUnsubscribe="true"
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in ("InvalidParameter", "NotFound"):
                raise
            raise BadLink("AWS does not take this link: it was used, or is older than two days") from None
        return self._described(confirmed["SubscriptionArn"])

    def unsubscribe(self, address: str) -> None:
        """End a subscription. Raises NotSubscribed, and NotConfirmed for one that ends by itself."""
        row = self._find(address)
        if row is None:
            raise NotSubscribed(address)
        if row["SubscriptionArn"] in PENDING:
            raise NotConfirmed(address)
        self._client.unsubscribe(SubscriptionArn=row["SubscriptionArn"])

    def _rows(self) -> "Iterator[SubscriptionTypeDef]":
        for page in self._client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self.topic_arn):
            yield from page["Subscriptions"]

    def _find(self, address: str) -> "SubscriptionTypeDef | None":
        # To mail, an address is the same however it is written.
        is_mail = "@" in address
        for row in self._rows():
            endpoint = row["Endpoint"]
            if endpoint == address or (is_mail and endpoint.casefold() == address.casefold()):
                return row
        return None

    def _described(self, arn: str) -> Subscription:
        attributes = self._client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        protocol, is_confirmed = attributes["Protocol"], attributes.get("PendingConfirmation") != "true"
        was_signed = attributes.get("ConfirmationWasAuthenticated") == "true"
        return Subscription(
            address=attributes["Endpoint"],
            protocol=protocol,
            is_confirmed=is_confirmed,
            is_unguarded=protocol == "email" and is_confirmed and not was_signed,
            filter=json.loads(attributes.get("FilterPolicy") or "{}"),
        )


def protocol_of(address: str) -> Protocol:
    """Return by which protocol SNS reaches an address. Raises ValueError that says what an address may be."""
    for protocol, form in _ADDRESSES.items():
        if re.fullmatch(form, address):
            return protocol
    if address.endswith(".fifo"):
        raise ValueError(f"{address} is a FIFO queue, which gets nothing of such a topic; name a standard queue")
    if address.startswith("http://"):
        raise ValueError(f"{address} is not encrypted on the way; say https://")
    raise ValueError(f"{address} is no address: say name@example.com, https://…, or the ARN of a queue or a function")


def wanted_filter(values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the filter that lets these values through, each written as it is in the messages' attributes.

    Raises ValueError for a value of which nothing is left, and for more than SNS takes.
    """
    wanted = {}
    for name, texts in values.items():
        written = list(dict.fromkeys(map(attribute_text, texts)))
        if "" in written:
            raise ValueError(f"a blank {name.replace('_', ' ')} is none: messages without one carry no such attribute")
        if written:
            wanted[name] = written
    combinations = prod(map(len, wanted.values()))
    if combinations > MOST_COMBINATIONS:
        raise ValueError(
            f"SNS takes {MOST_COMBINATIONS} combinations of a filter's values, and these are {combinations}"
        )
    return wanted


class Token(msgspec.Struct, frozen=True):
    """What the link in AWS's message holds. topic_arn: None where only the token was given."""

    token: str
    topic_arn: str | None


def token_of(link: str) -> Token:
    """Return the token of a link, as it is or as a mail scanner has wrapped it; or of itself. Raises BadLink."""
    text = unquote(unquote(link.strip()))
    if re.fullmatch(r"[0-9A-Za-z]{32,}", text):
        return Token(text, None)
    token, topic = re.search(r"[?&]Token=([0-9A-Za-z]+)", text), re.search(r"[?&]TopicArn=([\w:.-]+)", text)
    if token is None or topic is None:
        raise BadLink("this is not the link of AWS's message; it begins with https://sns. and holds a Token")
    return Token(token[1], topic[1])
