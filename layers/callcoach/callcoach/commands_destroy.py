"""python -m callcoach destroy: a stack goes, and what it has stored stays until somebody removes that."""

import shlex
from datetime import UTC, datetime

import click

from callcoach.calls import Call
from callcoach.deployed import Deployed, about_a_stack, out, telling_progress
from callcoach.plain_text import how_many
from callcoach.queues import Waiting, waiting
from callcoach.sam import CommandFailed, missing_commands, run
from callcoach.stack import RETAINED
from callcoach.status import ON_ITS_WAY
from callcoach.traces import Traces

_DEAD_LETTERS = ("RecordingsDlq", "CallbacksDlq")


@click.command(short_help="Delete a stack; its buckets stay.")
@click.option("--abandon-calls", is_flag=True, help="Even while calls are on their way: nobody will hear of them.")
@about_a_stack
def destroy(deployed: Deployed, *, abandon_calls: bool) -> None:
    """Delete a stack, after its name was typed.

    What goes and what stays is said before. The buckets stay with all that lies in them, and with their rules for how
    long it is kept. While calls are on their way nothing is deleted.
    """
    stack, region = deployed.stack, deployed.region
    if missing := missing_commands():
        raise click.ClickException(f"{' and '.join(missing)} cannot be found. Use: make destroy")
    account = deployed.client("sts").get_caller_identity()["Account"]
    queues = waiting(deployed.sqs, stack.queue_urls)
    on_their_way = _on_their_way(deployed)
    out.print(
        f"The stack {stack.name} in {region} of the account {account}\n\n{_told(deployed, queues)}", soft_wrap=True
    )
    if (on_their_way or _in_queue(queues)) and not abandon_calls:
        raise click.ClickException(_refused(deployed, on_their_way, queues["RecordingsQueue"]))
    typed = click.prompt(f"\nType {stack.name} to delete it", default="", show_default=False, err=True)
    if typed.strip() != stack.name:
        raise click.ClickException("that is not its name. Nothing was deleted.")
    delete = ["sam", "delete", "--stack-name", stack.name, "--region", region, "--no-prompts"]
    try:
        run(delete, deployed.endpoint_url)
    except CommandFailed as fault:
        raise click.ClickException(
            f"{fault}, for the reason above. The stack's events say more; destroy it again."
        ) from None
    out.print(
        f"\n{stack.name} is deleted. What is left can be removed for good:\n{_remove_commands(deployed)}",
        soft_wrap=True,
    )


def _on_their_way(deployed: Deployed) -> list[Call]:
    """Return the calls whose outcome somebody still waits for."""
    now = datetime.now(UTC)
    with telling_progress() as progress:
        found = {key: traces for key, traces in deployed.tracer(progress).all().items() if _may_be_open(traces)}
        calls = deployed.calls(progress).described(found, now)
    return [
        call
        for call in calls
        if call.state in ("transcribing", "overdue") or (call.state == "dropped" and call.since_at > now - ON_ITS_WAY)
    ]


def _may_be_open(traces: Traces) -> bool:
    outcome, submission = traces.outcome, traces.submissions
    return (
        outcome is None or traces.is_dropped_later or bool(submission and submission.written_at > outcome[1].written_at)
    )


def _in_queue(queues: dict[str, Waiting]) -> int:
    waits = queues["RecordingsQueue"]
    return waits.visible + waits.hidden


def _refused(deployed: Deployed, on_their_way: list[Call], queue: Waiting) -> str:
    told = [f"{how_many(len(on_their_way), 'recording')} on the way to a scorecard"] if on_their_way else []
    waits = queue.visible + queue.hidden
    told += [f"{how_many(waits, 'message')} in RecordingsQueue"] if waits else []
    return (
        f"{' and '.join(told)}. Nothing was deleted. Wait until they are done (see: {deployed.command('status')}),"
        " or give them up with --abandon-calls."
    )


def _told(deployed: Deployed, queues: dict[str, Waiting]) -> str:
    """Return what goes with the stack, and what stays."""
    stack = deployed.stack
    given_up = sum(queues[queue].visible + queues[queue].hidden for queue in _DEAD_LETTERS)
    lines = [
        "goes:   functions, queues, webhook, state table, topics and who subscribed, alarms, dashboard, logs",
        f"goes:   what was given up and waits to be redriven: {how_many(given_up, 'message', none='no')}",
    ]
    kept = {"RecordingsBucket": "RecordingsRetentionDays", "ScorecardsBucket": "ScorecardsRetentionDays"}
    lines += [
        f"stays:  s3://{stack.resources[name]}, where all is deleted after {stack.parameters[kept[name]]} days"
        for name in RETAINED
        if name in stack.resources
    ]
    if not stack.owns_recordings_bucket:
        lines.append(f"stays:  s3://{stack.recordings_bucket}, which is your own")
    lines += [
        f"stays:  the secret {stack.assemblyai_secret}",
        "stays:  transcripts at AssemblyAI; of what should go there too, forget each call before",
    ]
    return "\n".join(lines)


def _remove_commands(deployed: Deployed) -> str:
    """Return what removes what the stack leaves behind, to be pasted by somebody who means it."""
    stack, region = deployed.stack, f"--region {deployed.region}"
    buckets = [stack.resources[name] for name in RETAINED if name in stack.resources]
    secret = shlex.quote(stack.assemblyai_secret)
    return "\n".join(
        [
            *(f"  aws s3 rb {region} --force s3://{bucket}" for bucket in buckets),
            f"  aws secretsmanager delete-secret {region} --secret-id {secret}   # unless another stack uses it",
        ]
    )
