"""What SNS does and moto does not: confirmations, addresses, and a message of its own for each protocol."""

import copy
import json
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter, SNSNotFoundError
from moto.sns.models import SNSBackend, Subscription, Topic, sns_backends
from moto.sns.responses import SNSResponse

PENDING = "PendingConfirmation"
# Whoever has such an address has to agree.
_CONFIRMED_BY_LINK = ("email", "email-json", "http", "https")
_ENDPOINTS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "email-json": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "http": r"http://[^\s/]+.*",
    "https": r"https://[^\s/]+.*",
    "sqs": r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}(?:\.fifo)?",
    "lambda": r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(?::[\w$-]+)?",
}

# May a topic send to a queue? Their ARNs.
Permits = Callable[[str, str], bool]


def patches(permits: Permits) -> list[AbstractContextManager[Any]]:
    """Return the patches, to be entered as long as moto runs."""
    listed, published = SNSBackend.list_subscriptions_by_topic, Topic.publish
    attributes_set, delivered = SNSBackend.set_subscription_attributes, Subscription.publish
    return [
        mock.patch.object(SNSResponse, "subscribe", _subscribe),
        mock.patch.object(SNSResponse, "unsubscribe", _unsubscribe),
        mock.patch.object(SNSResponse, "confirm_subscription", _confirm),
        mock.patch.object(SNSBackend, "list_subscriptions_by_topic", _hiding_pending_arns(listed)),
        mock.patch.object(SNSBackend, "set_subscription_attributes", _without_empty_filters(attributes_set)),
        mock.patch.object(Topic, "publish", _noting_what_was_sent(published)),
        mock.patch.object(Subscription, "publish", _where_it_may(delivered, permits)),
    ]


def is_pending(subscription: Subscription) -> bool:
    return hasattr(subscription, "token")


@dataclass(frozen=True)
class Sent:
    """What became of a published message: what people got by e-mail and who, and what everything else got."""

    by_mail: str
    recipients: tuple[str, ...]
    for_machines: str


def sent(topic: Topic, message_id: str) -> Sent | None:
    """Return what was noted when a message was published; None as long as whoever publishes it waits for the answer."""
    noted: Mapping[str, Sent] = vars(topic).get("noted", {})
    return noted.get(message_id)


def link_to_confirm(account_id: str, region: str, topic_arn: str, endpoint: str) -> str:
    """Return the link that AWS mails to an address that has not been confirmed. Raises LookupError."""
    for subscription in sns_backends[account_id][region].subscriptions.values():
        if subscription.endpoint == endpoint and subscription.topic.arn == topic_arn and is_pending(subscription):
            query = {"TopicArn": topic_arn, "Token": subscription.token, "Endpoint": endpoint}  # type: ignore[attr-defined]
            return f"https://sns.{region}.amazonaws.com/confirmation.html?{urlencode(query)}"
    raise LookupError(endpoint)


def _subscribe(response: SNSResponse) -> ActionResult:
    topic_arn, endpoint, protocol = (str(response._get_param(name)) for name in ("TopicArn", "Endpoint", "Protocol"))
    if protocol not in _ENDPOINTS or not re.fullmatch(_ENDPOINTS[protocol], endpoint):
        raise SNSInvalidParameter(f"Invalid parameter: {protocol} endpoint")
    backend, attributes = response.backend, dict(response._get_attributes() or {})
    known = backend._find_subscription(topic_arn, endpoint, protocol)
    if known is None:
        known = backend.subscribe(topic_arn, endpoint, protocol)
        # A filter that is refused leaves no subscription behind.
        try:
            for name, value in attributes.items():
                backend.set_subscription_attributes(known.arn, name, value)
        except Exception:
            backend.unsubscribe(known.arn)
            raise
        if protocol in _CONFIRMED_BY_LINK:
            known.token = secrets.token_hex(64)  # type: ignore[attr-defined]
            known.attributes |= {PENDING: True, "ConfirmationWasAuthenticated": False}
    elif any(known.attributes.get(name) != value for name, value in attributes.items()):
        raise SNSInvalidParameter(
            "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
        )
    wants_arn = str(response._get_param("ReturnSubscriptionArn")).lower() == "true"
    return ActionResult(
        {"SubscriptionArn": known.arn if wants_arn or not is_pending(known) else "pending confirmation"}
    )


def _unsubscribe(response: SNSResponse) -> ActionResult:
    arn = str(response._get_param("SubscriptionArn"))
    if arn.count(":") < 6:
        raise SNSInvalidParameter("Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements")
    known = response.backend.subscriptions.get(arn)
    if known and is_pending(known):
        raise SNSInvalidParameter("Invalid parameter: This subscription is not confirmed and ends by itself")
    response.backend.unsubscribe(arn)
    return ActionResult({})


def _confirm(response: SNSResponse) -> ActionResult:
    topic_arn, token = str(response._get_param("TopicArn")), str(response._get_param("Token"))
    if topic_arn not in response.backend.topics:
        raise SNSNotFoundError("Topic does not exist")
    for subscription in response.backend.subscriptions.values():
        if subscription.topic.arn == topic_arn and getattr(subscription, "token", None) == token:
            del subscription.token  # type: ignore[attr-defined]
            authenticated = str(response._get_param("AuthenticateOnUnsubscribe")).lower() == "true"
            subscription.attributes |= {PENDING: False, "ConfirmationWasAuthenticated": authenticated}
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid parameter: Token")


def _hiding_pending_arns(listed: Callable[..., Any]) -> Callable[..., Any]:
    def call(backend: SNSBackend, topic_arn: str, next_token: str | None = None) -> Any:
        subscriptions, token = listed(backend, topic_arn, next_token)
        return [_without_arn(item) if is_pending(item) else item for item in subscriptions], token

    return call


def _without_arn(subscription: Subscription) -> Subscription:
    hidden = copy.copy(subscription)
    hidden.arn = PENDING
    return hidden


def _without_empty_filters(attributes_set: Callable[..., None]) -> Callable[..., None]:
    """Let an empty policy be none, which is how AWS takes a filter away."""

    def call(backend: SNSBackend, arn: str, name: str, value: Any) -> None:
        if name == "FilterPolicy" and json.loads(value or "{}") == {}:
            attributes_set(backend, arn, name, "")
            del backend.subscriptions[arn].attributes[name]
        else:
            attributes_set(backend, arn, name, value)

    return call


def _noting_what_was_sent(published: Callable[..., str]) -> Callable[..., str]:
    def call(topic: Any, message: str, **given: Any) -> str:
        subscriptions = topic.sns_backend._get_topic_subscriptions(topic)
        recipients = [
            subscription.endpoint
            for subscription in subscriptions
            if subscription.protocol == "email" and _lets_through(subscription, given.get("message_attributes"))
        ]
        message_id = published(topic, message, **given)
        is_structure = given.get("message_structure") == "json"
        by_mail, for_machines = (
            _text_by_protocol(message, protocol) if is_structure else message for protocol in ("email", "default")
        )
        # Two may publish at the same time.
        vars(topic).setdefault("noted", {})[message_id] = Sent(by_mail, tuple(recipients), for_machines)
        return message_id

    return call


def _lets_through(subscription: Subscription, attributes: Mapping[str, Any] | None) -> bool:
    """Return whether a message with these attributes goes to a subscriber."""
    matcher = subscription._filter_policy_matcher
    return not is_pending(subscription) and (matcher is None or matcher.matches(dict(attributes or {}), ""))


def _where_it_may(delivered: Callable[..., None], permits: Permits) -> Callable[..., None]:
    def call(subscription: Subscription, message: str, message_id: str, **given: Any) -> None:
        structure = given.pop("message_structure", None)
        may = subscription.protocol != "sqs" or permits(subscription.topic.arn, subscription.endpoint)
        if may and not is_pending(subscription):
            text = _text_by_protocol(message, subscription.protocol) if structure == "json" else message
            delivered(subscription, text, message_id, **given)

    return call


def _text_by_protocol(message: str, protocol: str) -> str:
    """Return a protocol's own text, be it empty, or the default one; strictness has seen that there is one."""
    by_protocol = json.loads(message)
    return str(by_protocol.get(protocol, by_protocol["default"]))
