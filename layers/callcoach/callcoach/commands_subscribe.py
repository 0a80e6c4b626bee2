"""python -m callcoach subscribe and unsubscribe: who gets which message."""

from collections.abc import Mapping, Sequence
from typing import get_args

import click
import msgspec
from rich.console import Group, RenderableType

from callcoach.deployed import Answer, Deployed, about_a_stack, printing
from callcoach.notifications import Outcome
from callcoach.plain_text import printable, words
from callcoach.rows import Row, Rows
from callcoach.subscriptions import (
    BadLink,
    Filter,
    NotConfirmed,
    NotSubscribed,
    Subscription,
    Subscriptions,
    protocol_of,
    token_of,
    wanted_filter,
)

# The outputs that name the topics, and the parameters that name their first subscribers.
_TOPICS = {
    "scorecards": ("ScorecardsTopicArn", "NotificationEmail"),
    "operations": ("OperationsTopicArn", "OperationsEmail"),
}
_WORDS = {"scorecards": "scorecards and failures", "operations": "alarms and notices"}

operations_option = click.option("--operations", is_flag=True, help="Alarms and notices, in the place of scorecards.")


@click.command(short_help="Say who gets which e-mail or message.")
@click.argument("address", metavar="[ADDRESS]", required=False)
@click.option("--rep", multiple=True, help="Calls of this rep alone; may be repeated, as all filters.")
@click.option("--team", multiple=True, help="Calls of this team.")
@click.option("--customer", multiple=True, help="Calls with this customer.")
@click.option("--call-type", multiple=True, help="Calls of this type.")
@click.option("--outcome", multiple=True, type=click.Choice(get_args(Outcome)), help="Calls that came to this.")
@operations_option
@click.option("--list", "is_list", is_flag=True, help="Show all subscriptions.")
@click.option("--confirm", "link", metavar="LINK", help="Confirm one, with the link or the token of AWS's message.")
@about_a_stack
@printing
def subscribe(
    deployed: Deployed,
    *,
    address: str | None,
    operations: bool,
    is_list: bool,
    link: str | None,
    **filters: Sequence[str],
) -> Answer:
    """Let ADDRESS get scorecards and failures: an e-mail address, https://…, or the ARN of a queue or a function.

    Without a filter it gets all of them. Given again, the command replaces the filter. Everything but e-mail gets the
    JSON of notification.schema.json.

    An e-mail address has to be confirmed: let its owner copy the link of AWS's message, without following it, and give
    it to --confirm. Then a forwarded e-mail cannot be used to unsubscribe its first reader.
    """
    if sum((address is not None, is_list, link is not None)) != 1:
        raise click.UsageError("Give an ADDRESS, or --list, or --confirm LINK.")
    try:
        wanted = wanted_filter(filters)
        protocol = protocol_of(address) if address else None
    except ValueError as fault:
        raise click.UsageError(f"{fault}.") from None
    if wanted and (operations or address is None):
        raise click.UsageError("Filters are for an ADDRESS that gets scorecards.")
    if link:
        return _confirmed(deployed, link, operations=operations)
    if address is None or protocol is None:
        return _listed(deployed)
    kind = _kind(operations=operations)
    subscription = _topic(deployed, kind).subscribe(address, protocol, wanted)
    what = _what(kind, subscription.filter)
    if subscription.is_confirmed:
        lines = [f"{subscription.address} gets {what}."]
    else:
        sends = "posts a SubscribeURL" if protocol == "https" else "mails a link"
        confirm = deployed.command("subscribe --confirm 'LINK'")
        lines = [
            f"{subscription.address} will get {what}, once it is confirmed.",
            f"AWS {sends} to it, which is to be copied, not followed, and within two days given to",
            f"  {confirm}",
        ]
    if protocol in ("sqs", "lambda"):
        action = "sqs:SendMessage" if protocol == "sqs" else "lambda:InvokeFunction"
        lines.append(
            f"Its own policy has to allow sns.amazonaws.com {action}, with aws:SourceArn\n"
            f"  {_topic(deployed, kind).topic_arn}"
        )
    return Answer({"stack": deployed.stack.name, "topic": kind, **_told(subscription)}, "\n".join(lines))


@click.command(short_help="Let somebody get no more messages.")
@click.argument("address")
@operations_option
@about_a_stack
@printing
def unsubscribe(deployed: Deployed, *, address: str, operations: bool) -> Answer:
    """Let ADDRESS get no scorecards any more, or with --operations no alarms and notices."""
    kind = _kind(operations=operations)
    try:
        _topic(deployed, kind).unsubscribe(address)
    except NotSubscribed:
        who = deployed.command("subscribe --list")
        told = f"{printable(address, 1024)} gets no {_WORDS[kind]}. See who does: {who}"
        raise click.ClickException(told) from None
    except NotConfirmed:
        told = f"{printable(address, 1024)} has not confirmed, so it gets nothing. AWS drops it within two days."
        raise click.ClickException(told) from None
    lines = [f"Unsubscribed: {printable(address, 1024)} gets no {_WORDS[kind]} any more."]
    parameter = _TOPICS[kind][1]
    if deployed.stack.parameters[parameter].casefold() == address.casefold():
        lines.append(f"The parameter {parameter} still names it. Blank it when you deploy next.")
    return Answer({"stack": deployed.stack.name, "topic": kind, "unsubscribed": address}, "\n".join(lines))


def _kind(*, operations: bool) -> str:
    return "operations" if operations else "scorecards"


def _topic(deployed: Deployed, kind: str) -> Subscriptions:
    return deployed.subscriptions(deployed.stack.outputs[_TOPICS[kind][0]])


def _confirmed(deployed: Deployed, link: str, *, operations: bool) -> Answer:
    try:
        found = token_of(link)
        topic_arn = found.topic_arn or _topic(deployed, _kind(operations=operations)).topic_arn
        kinds = {deployed.stack.outputs[output]: kind for kind, (output, _) in _TOPICS.items()}
        if topic_arn not in kinds:
            raise BadLink(f"this link is for a topic of another stack: {printable(topic_arn, 1024)}")  # noqa: TRY301 - as the others
        subscription = deployed.subscriptions(topic_arn).confirm(found.token)
    except BadLink as fault:
        raise click.ClickException(f"{fault}. For a new one: {deployed.command('subscribe ADDRESS')}") from None
    kind = kinds[topic_arn]
    told = f"Confirmed: {subscription.address} gets {_what(kind, subscription.filter)}."
    return Answer({"stack": deployed.stack.name, "topic": kind, **_told(subscription)}, told)


def _listed(deployed: Deployed) -> Answer:
    found = [(kind, subscription) for kind in _TOPICS for subscription in _topic(deployed, kind).all()]
    rows = [
        Row((subscription.address, _state(subscription)), _what(kind, subscription.filter))
        for kind, subscription in found
    ]
    shown: list[RenderableType] = [Rows(rows, columns=(40, 14))] if rows else ["Nobody has subscribed."]
    if any(subscription.is_unguarded for _, subscription in found):
        shown.append(
            "unguarded: whoever has one of its e-mails can end it. Unsubscribe it, subscribe it anew, and give the link"
            " to --confirm."
        )
    document = {
        "stack": deployed.stack.name,
        "subscriptions": [{"topic": kind, **_told(subscription)} for kind, subscription in found],
    }
    return Answer(document, Group(*shown))


def _told(subscription: Subscription) -> Mapping[str, object]:
    told: Mapping[str, object] = msgspec.to_builtins(subscription)
    return told


def _state(subscription: Subscription) -> str:
    if not subscription.is_confirmed:
        return "not confirmed"
    return "unguarded" if subscription.is_unguarded else "confirmed"


def _what(kind: str, wanted: Filter | None) -> str:
    """Return in words what somebody gets; None is a filter that cannot be seen."""
    if kind == "operations":
        return _WORDS[kind]
    if wanted is None:
        return f"{_WORDS[kind]} (a filter shows once it is confirmed)"
    said = [f"{words(name)} {' or '.join(map(str, values))}" for name, values in wanted.items()]
    return f"{_WORDS[kind]} with {', '.join(said)}" if said else f"all {_WORDS[kind]}"
