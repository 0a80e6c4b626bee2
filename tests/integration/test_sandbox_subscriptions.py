"""Subscriptions in the sandbox are as SNS has them where moto is kinder."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends
from tests.integration.test_sandbox_account import error_code
from tests.sandbox.cloud import Cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(parameters={"NotificationEmail": "coach@example.com"}, invoke=False) as cloud:
        yield cloud


@pytest.fixture
def topic(cloud: Cloud) -> str:
    """A topic without subscriptions."""
    name = f"topic-{len(cloud.client('sns').list_topics()['Topics'])}"
    return str(cloud.client("sns").create_topic(Name=name)["TopicArn"])


def queue_of(cloud: Cloud, topic: str, *, is_let_in: bool = True) -> tuple[str, str]:
    """Make a queue that subscribes to a topic; return its address and the subscription."""
    sqs, name = cloud.client("sqs"), topic.rpartition(":")[2]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    if is_let_in:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": lets_in(topic, arn)})
    subscribed = cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return str(url), str(subscribed["SubscriptionArn"])


def lets_in(topic: str, queue: str) -> str:
    """Return the policy with which a queue takes what a topic sends."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def received(cloud: Cloud, url: str) -> list[str]:
    """Return the messages that have come to a queue, and delete them."""
    sqs, texts = cloud.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url).get("Messages"):
        for message in messages:
            texts.append(json.loads(message["Body"])["Message"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return texts


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ("xml", '{"default": "a"}'),
        ("json", "a"),
        ("json", '["default"]'),
        ("json", '"default"'),
        ("json", "[]"),
        ("json", "{}"),
        ("json", '{"email": "a"}'),
        ("json", '{"default": {"a": 1}}'),
        ("json", '{"default": "a", "email": 1}'),
        ("json", '{"default": "a", "default": "b"}'),
    ],
)
def test_a_message_for_several_protocols_is_an_object_of_texts_with_a_default(
    cloud: Cloud, topic: str, structure: str, message: str
) -> None:
    """Whoever subscribes; moto looks at it only where somebody does."""
    sns = cloud.client("sns")
    code = error_code(lambda: sns.publish(TopicArn=topic, Message=message, MessageStructure=structure))
    assert code == "InvalidParameter"


def test_each_protocol_gets_its_own_text_and_others_the_default(cloud: Cloud) -> None:
    """An empty text is one; what is no structure goes to all as it is."""
    topic = cloud.resources["ScorecardsTopic"]
    sns, (url, _) = cloud.client("sns"), queue_of(cloud, topic)
    for by_protocol in ({"default": "d", "email": "e"}, {"default": "d", "sqs": "s"}, {"default": "d", "sqs": ""}):
        sns.publish(TopicArn=topic, Message=json.dumps(by_protocol), MessageStructure="json")
    sns.publish(TopicArn=topic, Message='{"default": "d"}')

    assert received(cloud, url) == ["d", "s", "", '{"default": "d"}']
    sent = [(mail.message, mail.for_machines) for mail in cloud.publications()]
    assert sent == [("e", "d"), ("d", "d"), ("d", "d"), ('{"default": "d"}', '{"default": "d"}')]


def test_all_texts_and_attributes_count_for_the_limit(cloud: Cloud, topic: str) -> None:
    sns = cloud.client("sns")

    def publish(size: int) -> Any:
        attributes = {"a": {"DataType": "String", "StringValue": "x" * 1000}}
        message = json.dumps({"default": "d" * size, "email": "e" * size})
        return sns.publish(TopicArn=topic, Message=message, MessageStructure="json", MessageAttributes=attributes)

    assert error_code(lambda: publish(130_000)) == "allowed"
    assert error_code(lambda: publish(131_000)) == "InvalidParameter"


def test_a_queue_takes_only_what_its_policy_lets_in(cloud: Cloud, topic: str) -> None:
    url, _ = queue_of(cloud, topic, is_let_in=False)
    cloud.client("sns").publish(TopicArn=topic, Message="x")
    assert received(cloud, url) == []


def test_an_address_gets_nothing_before_it_is_confirmed(cloud: Cloud) -> None:
    """Its subscription has no ARN to be seen, unless it is asked for; it cannot be taken away, and ends by itself."""
    sns, topic = cloud.client("sns"), cloud.resources["OperationsTopic"]
    wanted = {"TopicArn": topic, "Protocol": "email", "Endpoint": "new@example.com"}
    assert sns.subscribe(**wanted)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**wanted, ReturnSubscriptionArn=True)["SubscriptionArn"]
    (row,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert row["SubscriptionArn"] == "PendingConfirmation"
    assert error_code(lambda: sns.unsubscribe(SubscriptionArn=row["SubscriptionArn"])) == "InvalidParameter"
    assert error_code(lambda: sns.unsubscribe(SubscriptionArn=arn)) == "InvalidParameter"
    sns.publish(TopicArn=topic, Message="before")

    token = parse_qs(urlsplit(cloud.link_to_confirm("OperationsTopic", "new@example.com")).query)["Token"][0]
    confirm = {"TopicArn": topic, "AuthenticateOnUnsubscribe": "true"}
    # checkov:skip=CKV_SECRET_6: a word in the place of the token
    assert error_code(lambda: sns.confirm_subscription(**confirm, Token="another")) == "InvalidParameter"
    assert sns.confirm_subscription(**confirm, Token=token)["SubscriptionArn"] == arn
    sns.publish(TopicArn=topic, Message="after")

    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "true")
    assert [mail.message for mail in cloud.mails() if "new@example.com" in mail.recipients] == ["after"]
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "nobody"),
        ("https", "http://example.com"),
        ("http", "https://example.com"),
        ("sqs", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
        ("lambda", "f"),
        ("carrier", "pigeon"),
    ],
)
def test_an_address_fits_its_protocol(cloud: Cloud, topic: str, protocol: str, endpoint: str) -> None:
    sns = cloud.client("sns")
    code = error_code(lambda: sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint))
    assert code == "InvalidParameter"


def test_a_filter_is_changed_by_its_own_call(cloud: Cloud, topic: str) -> None:
    """To subscribe again with another one is refused; an empty one takes it away."""
    sns, (url, arn) = cloud.client("sns"), queue_of(cloud, topic)

    def set_filter(policy: Any) -> None:
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=json.dumps(policy)
        )

    def publish(team: str) -> None:
        attributes = {"team": {"DataType": "String", "StringValue": team}}
        sns.publish(TopicArn=topic, Message=team, MessageAttributes=attributes)

    set_filter({"team": ["North"]})
    publish("South")
    publish("North")
    again = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn_of(cloud, url)}
    assert sns.subscribe(**again)["SubscriptionArn"] == arn
    with pytest.raises(ClientError, match="already exists with different attributes"):
        sns.subscribe(**again, Attributes={"FilterPolicy": "{}"})
    set_filter({})
    publish("West")

    assert received(cloud, url) == ["North", "West"]
    assert "FilterPolicy" not in sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def test_a_filter_that_is_refused_leaves_no_subscription(cloud: Cloud, topic: str) -> None:
    sns = cloud.client("sns")
    wanted = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    assert error_code(lambda: sns.subscribe(**wanted, Attributes={"FilterPolicy": '{"team": "North"}'})) != "allowed"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def arn_of(cloud: Cloud, url: str) -> str:
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(attributes["QueueArn"])


def test_a_message_is_seen_once_whoever_sends_it_has_its_answer(cloud: Cloud) -> None:
    """Moto shows it a moment before, when it is not noted yet who gets it."""
    topic = sns_backends[DEFAULT_ACCOUNT_ID][cloud.region].topics[cloud.resources["OperationsTopic"]]
    before = cloud.publications()
    topic.sent_notifications.append(("on its way", "hello", None, None, None))
    try:
        assert cloud.publications() == before
    finally:
        topic.sent_notifications.pop()
