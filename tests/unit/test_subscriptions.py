"""Addresses, filters and links, before AWS sees them."""

from unittest.mock import Mock
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS

from callcoach.notifications import Notifications
from callcoach.subscriptions import BadLink, Token, protocol_of, token_of, wanted_filter

TOKEN = "2336412f37" * 14
TOPIC = "arn:aws:sns:eu-west-1:123456789012:callcoach-ScorecardsTopic-1ab2"


@pytest.mark.parametrize(
    ("address", "protocol"),
    [
        ("lead@example.com", "email"),
        ("Lead+calls@mail.example.co.uk", "email"),
        ("https://hooks.example.com/a?b=c", "https"),
        ("https://example.com", "https"),
        ("arn:aws:sqs:eu-west-1:123456789012:calls", "sqs"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:calls", "sqs"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:to-slack", "lambda"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:to-slack:live", "lambda"),
    ],
)
def test_protocol_is_found_from_the_address(address: str, protocol: str) -> None:
    assert protocol_of(address) == protocol


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("lead", "is no address"),
        ("lead@localhost", "is no address"),
        ("a b@example.com", "is no address"),
        ("lead@example.com\nx", "is no address"),
        ("http://example.com/hook", "is not encrypted on the way; say https://"),
        ("https:///hook", "is no address"),
        ("arn:aws:sqs:eu-west-1:123456789012:calls.fifo", "is a FIFO queue"),
        ("arn:aws:s3:::bucket", "is no address"),
        ("", "is no address"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is(address: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        protocol_of(address)


@given(st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(min_size=1, max_size=200)))
def test_filter_has_the_value_that_a_message_carries(name: str) -> None:
    """However long or odd the name: both are written by the same rule."""
    topic = Mock()
    Notifications(topic, TOPIC).publish("subject", "text", {"rep": name})
    carried = topic.publish.call_args.kwargs["MessageAttributes"].get("rep")
    if carried is None:
        with pytest.raises(ValueError, match="a blank rep"):
            wanted_filter({"rep": [name]})
    else:
        assert wanted_filter({"rep": [name]}) == {"rep": [carried["StringValue"]]}


def test_filter_of_nothing_is_none_and_a_value_counts_once() -> None:
    assert wanted_filter({"rep": [], "team": []}) == {}
    assert wanted_filter({"rep": ["Dana  Reyes", "Dana Reyes"], "team": ["North"]}) == {
        "rep": ["Dana Reyes"],
        "team": ["North"],
    }


def test_filter_keeps_within_what_sns_takes() -> None:
    reps = [f"rep {number}" for number in range(50)]
    assert len(wanted_filter({"rep": reps, "team": ["North", "South", "West"]})["rep"]) == 50
    with pytest.raises(ValueError, match="150 combinations of a filter's values, and these are 200"):
        wanted_filter({"rep": reps, "team": ["North", "South", "West", "East"]})


@pytest.mark.parametrize(
    "link",
    [
        f"https://sns.eu-west-1.amazonaws.com/confirmation.html?TopicArn={TOPIC}&Token={TOKEN}&Endpoint=a@example.com",
        f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}",
        f" https://sns.eu-west-1.amazonaws.com/?Token={TOKEN}&TopicArn={TOPIC.replace(':', '%3A')}\n",
        f"https://scanner.example.com/?url=https%3A%2F%2Fsns%2F%3FTopicArn%3D{TOPIC}%26Token%3D{TOKEN}&data=05",
        f"https://scanner.example.com/?url=https%3A%2F%2Fsns%2F%3FToken%3D{TOKEN}%26TopicArn%3D{quote(quote(TOPIC))}",
    ],
)
def test_link_is_read_as_it_is_and_as_a_mail_scanner_wraps_it(link: str) -> None:
    assert token_of(link) == Token(TOKEN, TOPIC)


def test_token_alone_names_no_topic() -> None:
    assert token_of(TOKEN) == Token(TOKEN, None)


@pytest.mark.parametrize("link", ["", "https://example.com", "abc", f"https://sns.amazonaws.com/?Token={TOKEN}"])
def test_what_is_no_link_of_aws_is_refused(link: str) -> None:
    with pytest.raises(BadLink, match="not the link"):
        token_of(link)
