"""python -m callcoach submit and redrive: putting recordings on their way, and back on it."""

import time
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import UTC, datetime

import click
import msgspec

from callcoach.backfill import cost, last_sequencer, object_created, plan_backfill
from callcoach.deployed import (
    Answer,
    Deployed,
    When,
    about_a_stack,
    dry_run_option,
    err,
    printing,
    skipped_lines,
    telling_progress,
    yes_option,
)
from callcoach.moments import age
from callcoach.plain_text import how_many, printable, words
from callcoach.queues import send, waiting
from callcoach.redriving import DeadLetter, Redriver, chosen
from callcoach.summary import Summary, summarised, summary_mail, summary_notification
from callcoach.traces import Traces, silent

# How long --quiet waits before it looks again at what is on its way.
LOOK_AGAIN_SECONDS = 10.0
# Why a recording is left out that has an outcome, or comes to one by itself.
_KNOWN = ("submitted", "scored", "failed", "recording_gone")


@click.command(short_help="Submit recordings of which nothing came.")
@click.argument("recordings", metavar="[KEY]...", nargs=-1)
@click.option("--prefix", help="All recordings whose names begin with this.")
@click.option("--since", type=When(), help="All that were dropped since then: 24h, 30d, 2026-05-06.")
@click.option("--quiet", is_flag=True, help="Send one e-mail about all of them, when the last one is done.")
@dry_run_option
@yes_option
@about_a_stack
@printing
def submit(
    deployed: Deployed,
    *,
    recordings: Sequence[str],
    prefix: str | None,
    since: datetime | None,
    quiet: bool,
    dry_run: bool,
    yes: bool,
) -> Answer:
    """Submit recordings of which nothing came: dropped before the stack was there, or their event was lost.

    KEY is a recording's whole name in its bucket. What was submitted, scored or has failed is left as it is; drop a
    failed one again to try again. May be repeated: nothing is submitted twice.

    --quiet waits until the last of them is scored or has failed, and sends one e-mail instead of one for each.
    Interrupted, the calls go on; give the command once more, and it waits for those that it submitted before.
    """
    if bool(recordings) == (prefix is not None or since is not None):
        raise click.UsageError("Name recordings, or choose them by --prefix or --since.")
    stack = deployed.stack
    with telling_progress() as progress:
        tracer, calls = deployed.tracer(progress), deployed.calls(progress)
        found = deployed.traces(tracer, recordings, prefix or "", since)
        plan = plan_backfill(found, calls, named=bool(recordings))
        known = {key: found[key] for key, reason in plan.skipped.items() if reason in _KNOWN}
        before = calls.quiet(known) if quiet else []
        queue = waiting(deployed.sqs, {"RecordingsQueue": stack.queue_urls["RecordingsQueue"]})["RecordingsQueue"]
    if dry_run or not (plan.submitted or before):
        would = sorted(plan.submitted)
        lines = [f"Would be submitted: {printable(key, 1024)}" for key in would]
        return Answer(
            {"stack": stack.name, "would_submit": would, "submitted": [], "skipped": plan.skipped},
            "\n".join([*lines, *skipped_lines(plan.skipped)]) or "There is nothing to submit.",
        )
    if not yes:
        if queue.visible or queue.hidden:
            err.print("Messages wait in RecordingsQueue; some may be about these recordings. None is paid for twice.")
        err.print(
            cost(
                plan,
                channels=1 if stack.parameters["RepChannel"] == "0" else 2,
                speech_models=stack.speech_models,
                coach_models=stack.coach_models,
            )
        )
        about = "all of them together, those too that were submitted quietly before" if quiet else "each"
        err.print(f"Everybody who is subscribed gets an e-mail about {about}.")
        click.confirm(f"Submit them to the stack {stack.name}?", abort=True, err=True)
    with telling_progress() as progress:
        bodies = {
            key: object_created(
                stack.recordings_bucket, key, listed, last_sequencer(key, found[key], calls), quiet=quiet
            )
            for key, listed in plan.submitted.items()
        }
        left = send(deployed.sqs, stack.queue_urls["RecordingsQueue"], bodies, progress)
    sent = sorted(set(bodies) - set(left))
    document: dict[str, object] = {"stack": stack.name, "submitted": sent, "skipped": plan.skipped}
    if quiet and not left:
        err.print("On the way. Should you interrupt this, they go on; give the command once more to wait again.")
        summary = _outcomes(deployed, {*sent, *before}, prefix=None if recordings else prefix or "")
        subject, text = summary_mail(summary, stack.scorecards_bucket)
        deployed.notifications().publish(subject, text, {"outcome": "summary"}, summary_notification(summary))
        return Answer(document | {"summary": msgspec.to_builtins(summary)}, text)
    return Answer(
        document,
        "\n".join(
            [
                f"{how_many(len(sent), 'recording')} on the way: {deployed.command('watch')}",
                *skipped_lines(plan.skipped),
            ]
        ),
        f"the queue did not take {how_many(len(left), 'recording')}. Give the command once more." if left else "",
    )


def _outcomes(deployed: Deployed, recordings: Collection[str], *, prefix: str | None) -> Summary:
    """Wait until each recording is scored, has failed or is gone, and sum up what became of them.

    prefix: what the names of all of them begin with; None to look at one after the other.
    """
    tracer, calls = deployed.tracer(silent), deployed.calls(silent)
    waited_for, ended, gone = set(recordings), dict[str, Traces](), set[str]()
    with telling_progress() as progress:
        while True:
            progress("recordings are done", len(ended), len(recordings))
            listed = {key: tracer.of(key) for key in waited_for} if prefix is None else tracer.all(prefix)
            found = {key: traces for key in waited_for if (traces := listed.get(key))}
            gone |= waited_for - found.keys()
            described = calls.described(found, datetime.now(UTC))
            ended |= {call.recording: found[call.recording] for call in described if call.state in ("scored", "failed")}
            waited_for = found.keys() - ended.keys()
            if not waited_for:
                statuses = {key: card.status for key, card in calls.scorecards(ended).items()}
                return summarised(calls.described(ended, datetime.now(UTC)), statuses, list(gone))
            time.sleep(LOOK_AGAIN_SECONDS)


@click.command(short_help="Move messages that were given up back to their queues.")
@click.argument("recordings", metavar="[KEY]...", nargs=-1)
@click.option("--discard", is_flag=True, help="Delete the messages that cannot be redriven.")
@dry_run_option
@yes_option
@about_a_stack
@printing
def redrive(deployed: Deployed, *, recordings: Sequence[str], discard: bool, dry_run: bool, yes: bool) -> Answer:
    """List the messages in both dead-letter queues, and move them back to where they came from.

    KEY takes those about one recording. Mend what made them fail first. What was paid for is not paid for again, and a
    scorecard replaces the failure that was told. A malformed message can only be discarded.
    """
    redriver = Redriver(deployed.sqs, deployed.stack.queue_urls)
    with closing(redriver):
        letters = chosen(redriver.hold(), recordings)
        movable = [letter for letter in letters if letter.can_be_redriven]
        others = [letter for letter in letters if not letter.can_be_redriven]
        unknown = set(recordings) - {letter.recording for letter in letters}
        if unknown:
            raise click.ClickException(f"no message that can be seen is about {', '.join(sorted(unknown))}.")
        now = datetime.now(UTC)
        document: dict[str, object] = {
            "stack": deployed.stack.name,
            "messages": [_told(letter) for letter in letters],
            "redriven": 0,
            "discarded": 0,
        }
        table = "\n".join(_line(letter, now) for letter in letters)
        hint = f"\n{len(others)} cannot be redriven: --discard deletes them." if others and not discard else ""
        if dry_run or not (movable or (discard and others)):
            return Answer(document, table + hint if letters else "Both dead-letter queues are empty.")
        if not yes:
            err.print(table)
            ends = f" and delete {len(others)}" if discard and others else ""
            click.confirm(f"Redrive {how_many(len(movable), 'message')}{ends}?", abort=True, err=True)
        redriver.move(movable)
        if discard:
            redriver.discard(others)
    document |= {"redriven": len(movable), "discarded": len(others) if discard else 0}
    return Answer(document, f"{len(movable)} redriven, {document['discarded']} discarded.{hint}")


def _told(letter: DeadLetter) -> dict[str, object]:
    return {
        "queue": letter.queue,
        "message_id": letter.message_id,
        "recording": letter.recording,
        "reason": letter.reason,
        "sent_at": msgspec.to_builtins(letter.sent_at),
        "can_be_redriven": letter.can_be_redriven,
    }


def _line(letter: DeadLetter, now: datetime) -> str:
    about = printable(letter.recording, 1024) if letter.recording else f"message {letter.message_id}"
    return f"{letter.queue:<14} {age(letter.sent_at, now):>7}  {words(letter.reason):<24} {about}"
