"""python -m callcoach subscribe and unsubscribe: who gets what, and who can end that."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import Stack, running_stack
from tests.integration.test_sandbox_subscriptions import lets_in, received

from callcoach.notifications import Notifications

LEAD = "lead@example.com"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(invoke=False) as running:
        yield running


@pytest.fixture(autouse=True)
def _nobody_but_the_manager(stack: Stack) -> Iterator[None]:
    """Let no test see the subscribers of another, confirmed or not."""
    yield
    for row in run(stack.cloud, "subscribe", "--list", "--json").document["subscriptions"]:
        if row["address"] != "manager@example.com":
            operations = ["--operations"] if row["topic"] == "operations" else []
            if not row["is_confirmed"]:
                confirm(stack, row["address"], "OperationsTopic" if operations else "ScorecardsTopic")
            assert run(stack.cloud, "unsubscribe", row["address"], *operations).exit_code == 0


def subscribe(stack: Stack, *arguments: str) -> Any:
    ran = run(stack.cloud, "subscribe", "--json", *arguments)
    assert (ran.exit_code, ran.err) == (0, "")
    return ran.document


def confirm(stack: Stack, address: str, topic: str = "ScorecardsTopic") -> Ran:
    return run(stack.cloud, "subscribe", "--confirm", stack.cloud.link_to_confirm(topic, address), "--json")


def listed(stack: Stack) -> dict[str, Any]:
    rows = subscribe(stack, "--list")["subscriptions"]
    return {row["address"]: row for row in rows if row["topic"] == "scorecards"}


def tell(stack: Stack, **attributes: str) -> list[str]:
    """Publish a message and return who gets it by e-mail."""
    topic = stack.cloud.resources["ScorecardsTopic"]
    Notifications(stack.cloud.client("sns"), topic).publish("subject", "text", attributes)
    told = [mail for mail in stack.cloud.publications() if mail.topic == "ScorecardsTopic"]
    return sorted(told[-1].recipients)


def test_an_address_is_subscribed_confirmed_and_gets_its_calls_alone(stack: Stack) -> None:
    told = run(stack.cloud, "subscribe", LEAD, "--team", "North", "--outcome", "complete", "--outcome", "failed")
    assert told.out.splitlines()[0] == (
        f"{LEAD} will get scorecards and failures with outcome complete or failed, team North, once it is confirmed."
    )
    assert "  python -m callcoach subscribe --confirm 'LINK' --region eu-west-1" in told.out.splitlines()
    assert tell(stack, team="North", outcome="complete") == ["manager@example.com"]
    assert listed(stack)[LEAD]["is_confirmed"] is False
    assert "not confirmed" in run(stack.cloud, "subscribe", "--list").out

    ran = confirm(stack, LEAD)

    assert ran.document == {
        "stack": "callcoach",
        "topic": "scorecards",
        "address": LEAD,
        "protocol": "email",
        "is_confirmed": True,
        "is_unguarded": False,
        "filter": {"team": ["North"], "outcome": ["complete", "failed"]},
    }
    assert tell(stack, team="North", outcome="complete") == [LEAD, "manager@example.com"]
    for others in ({"team": "South", "outcome": "complete"}, {"team": "North", "outcome": "needs_roles"}, {}):
        assert tell(stack, **others) == ["manager@example.com"]


def test_a_confirmation_by_its_link_is_told_to_be_unguarded(stack: Stack) -> None:
    """The stack's own first subscriber has followed the link."""
    assert [row["is_unguarded"] for row in listed(stack).values()] == [True]
    told = run(stack.cloud, "subscribe", "--list").out
    assert "manager@example.com" in told
    assert "unguarded" in told
    subscribe(stack, LEAD)
    assert confirm(stack, LEAD).document["is_unguarded"] is False


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_given_again_it_replaces_the_filter(stack: Stack, is_confirmed: bool) -> None:  # noqa: FBT001 - both
    subscribe(stack, LEAD, "--team", "North")
    if is_confirmed:
        confirm(stack, LEAD)
    for filters, expected in (
        (["--rep", "Dana Reyes", "--rep", "Chris"], {"rep": ["Dana Reyes", "Chris"]}),
        (["--rep", "Dana Reyes", "--rep", "Chris"], {"rep": ["Dana Reyes", "Chris"]}),
        ([], {}),
        (["--customer", "Acme\t GmbH" + "x" * 80], {"customer": ["Acme GmbH" + "x" * 48 + "..."]}),
    ):
        assert subscribe(stack, "LEAD@example.com", *filters)["filter"] == expected
    rows = subscribe(stack, "--list")["subscriptions"]
    assert len(rows) == 2
    if not is_confirmed:
        confirm(stack, LEAD)
    assert tell(stack, customer="Acme GmbH" + "x" * 80) == [LEAD, "manager@example.com"]
    assert tell(stack, rep="Chris") == ["manager@example.com"]


def test_a_queue_is_subscribed_at_once_and_told_what_it_lacks(stack: Stack) -> None:
    sqs, topic = stack.cloud.client("sqs"), stack.cloud.resources["ScorecardsTopic"]
    url = sqs.create_queue(QueueName="calls")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    told = run(stack.cloud, "subscribe", arn, "--call-type", "demo").out

    assert told.splitlines()[0] == f"{arn} gets scorecards and failures with call type demo."
    assert f"sns.amazonaws.com sqs:SendMessage, with aws:SourceArn\n  {topic}" in told
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": lets_in(topic, arn)})
    for call_type in ("demo", "cold"):
        tell(stack, call_type=call_type)
    assert received(stack.cloud, url) == ["text"]


def test_operators_are_subscribed_to_their_own_topic(stack: Stack) -> None:
    assert subscribe(stack, "operator@example.com", "--operations")["topic"] == "operations"
    token = stack.cloud.link_to_confirm("OperationsTopic", "operator@example.com").split("Token=")[1].split("&")[0]
    assert run(stack.cloud, "subscribe", "--confirm", token).exit_code == 1
    ran = run(stack.cloud, "subscribe", "--confirm", token, "--operations")

    assert ran.out == "Confirmed: operator@example.com gets alarms and notices.\n"
    stack.cloud.client("sns").publish(TopicArn=stack.cloud.resources["OperationsTopic"], Message="x")
    told = [mail.recipients for mail in stack.cloud.publications() if mail.topic == "OperationsTopic"]
    assert told[-1] == ("operator@example.com",)
    assert run(stack.cloud, "unsubscribe", "operator@example.com").exit_code == 1


def test_who_is_unsubscribed_gets_nothing(stack: Stack) -> None:
    subscribe(stack, LEAD)
    confirm(stack, LEAD)
    ran = run(stack.cloud, "unsubscribe", LEAD)
    assert (ran.exit_code, ran.out) == (0, f"Unsubscribed: {LEAD} gets no scorecards and failures any more.\n")
    assert tell(stack) == ["manager@example.com"]


def test_who_stands_in_the_parameters_is_said_to(stack: Stack) -> None:
    try:
        told = run(stack.cloud, "unsubscribe", "manager@example.com").out
        assert "The parameter NotificationEmail still names it." in told
    finally:
        subscribe(stack, "manager@example.com")
        confirm(stack, "manager@example.com")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["subscribe"], 2, "Give an ADDRESS, or --list, or --confirm LINK."),
        (["subscribe", LEAD, "--list"], 2, "Give an ADDRESS, or --list, or --confirm LINK."),
        (["subscribe", "lead"], 2, "lead is no address: say name@example.com"),
        (["subscribe", "http://example.com"], 2, "is not encrypted on the way; say https://"),
        (["subscribe", LEAD, "--rep", " \t"], 2, "a blank rep is none"),
        (["subscribe", LEAD, "--outcome", "perfect"], 2, "'perfect' is not one of"),
        (["subscribe", LEAD, "--operations", "--team", "North"], 2, "Filters are for an ADDRESS that gets scorecards."),
        (["subscribe", "--confirm", "https://example.com"], 1, "this is not the link of AWS's message"),
        (["subscribe", "--confirm", "a" * 64], 1, "it was used, or is older than two days"),
        (["subscribe", "--confirm", f"https://sns/?Token={'a' * 64}&TopicArn=arn:aws:sns:x"], 1, "of another stack"),
        (["unsubscribe", LEAD], 1, f"{LEAD} gets no scorecards and failures. See who does"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(
    stack: Stack, arguments: list[str], exit_code: int, said: str
) -> None:
    ran = run(stack.cloud, *arguments)
    assert (ran.exit_code, ran.out) == (exit_code, "")
    assert said in ran.err


def test_who_has_not_confirmed_is_dropped_by_aws(stack: Stack) -> None:
    subscribe(stack, LEAD)
    ran = run(stack.cloud, "unsubscribe", LEAD)
    assert ran.exit_code == 1
    assert f"{LEAD} has not confirmed, so it gets nothing. AWS drops it within two days." in ran.err


def test_they_need_these_rights(stack: Stack) -> None:
    reads = {"cloudformation:DescribeStacks", "cloudformation:DescribeStackResources", "sns:ListSubscriptionsByTopic"}
    needed = reads | {
        "sns:ConfirmSubscription",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Subscribe",
    }
    credentials, used = role_with(stack.cloud, "subscribes", needed)
    assert run(stack.cloud, "subscribe", LEAD, credentials=credentials).exit_code == 0
    link = stack.cloud.link_to_confirm("ScorecardsTopic", LEAD)
    assert run(stack.cloud, "subscribe", "--confirm", link, credentials=credentials).exit_code == 0
    assert run(stack.cloud, "subscribe", LEAD, "--team", "North", credentials=credentials).exit_code == 0
    assert run(stack.cloud, "subscribe", "--list", credentials=credentials).exit_code == 0
    assert used() == needed
    resources = {resource for action, resource in stack.cloud.permissions_used_by("subscribes") if "sns:" in action}
    assert resources == {stack.cloud.resources[topic] for topic in ("ScorecardsTopic", "OperationsTopic")}

    credentials, used = role_with(stack.cloud, "unsubscribes", needed := reads | {"sns:Unsubscribe"})
    assert run(stack.cloud, "unsubscribe", LEAD, credentials=credentials).exit_code == 0
    assert used() == needed


def test_doctor_names_the_command(stack: Stack) -> None:
    """Of who has not confirmed, and of a topic without subscribers."""
    subscribe(stack, LEAD)
    checks = {check["name"]: check for check in run(stack.cloud, "doctor", "--json").document["checks"]}
    assert f"not confirmed: {LEAD}" in checks["who gets scorecards"]["found"]
    assert "python -m callcoach subscribe --confirm LINK" in checks["who gets scorecards"]["advice"]
    assert "python -m callcoach subscribe ADDRESS --operations" in checks["who gets alarms"]["advice"]


def test_the_filter_on_the_wire_is_what_was_wanted(stack: Stack) -> None:
    subscribe(stack, LEAD, "--rep", "Dana Reyes")
    confirm(stack, LEAD)
    sns, topic = stack.cloud.client("sns"), stack.cloud.resources["ScorecardsTopic"]
    rows = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    (arn,) = (row["SubscriptionArn"] for row in rows if row["Endpoint"] == LEAD)
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"rep": ["Dana Reyes"]}
    assert attributes["ConfirmationWasAuthenticated"] == "true"
