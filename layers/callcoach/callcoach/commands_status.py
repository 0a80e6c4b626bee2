"""python -m callcoach status and watch: what became of each recording."""

import time
from datetime import UTC, datetime, timedelta

import click
import msgspec
from rich.live import Live

from callcoach.calls import Calls
from callcoach.deployed import Answer, Deployed, When, about_a_stack, out, printing, telling_progress
from callcoach.names import recording_hash
from callcoach.pause import month_of
from callcoach.queues import waiting
from callcoach.status import (
    Status,
    StatusView,
    call_view,
    counted,
    reconciled,
    reconciliation_view,
    spending_of,
)
from callcoach.traces import Tracer, silent

_SHOWN = timedelta(days=7)
# What watch shows beside the calls: a heading, counts, four queues and a pause.
_OTHER_LINES = 10
_since = click.option("--since", type=When(), help="Dropped since then: 24h, 30d, 2026-05-06. [default: 7d]")


@click.command()
@click.argument("recording", metavar="[KEY]", required=False)
@_since
@click.option(
    "--reconcile", is_flag=True, help="List what has one end only: recordings without any outcome, and others."
)
@about_a_stack
@printing
def status(deployed: Deployed, *, recording: str | None, since: datetime | None, reconcile: bool) -> Answer:
    """Show what became of each recording, or of one.

    KEY is the recording's whole name in its bucket. The states are dropped (not submitted yet), transcribing, overdue,
    scored, and failed with the reason. --reconcile compares both buckets, as old as the recordings may be: what was
    dropped before the stack was there, or whose event was lost, and what is known of recordings that are gone.
    """
    if recording and (since or reconcile):
        raise click.UsageError("KEY stands alone: --since and --reconcile are about many recordings.")
    now = datetime.now(UTC)
    with telling_progress() as progress:
        tracer, calls = deployed.tracer(progress), deployed.calls(progress)
        if recording:
            return _status_of(recording, deployed, tracer, calls, now)
        if reconcile:
            found = {key: traces for key, traces in tracer.all().items() if not since or traces.began_at >= since}
            queue = waiting(deployed.sqs, {"RecordingsQueue": deployed.stack.queue_urls["RecordingsQueue"]})
            reconciliation = reconciled(deployed.stack, calls, found, queue["RecordingsQueue"], now)
            return Answer(msgspec.to_builtins(reconciliation), reconciliation_view(reconciliation, deployed.command))
        shown = _status(deployed, tracer, calls, since or now - _SHOWN, now)
    return Answer(msgspec.to_builtins(shown), StatusView(shown, now))


@click.command(short_help="Show status until you press Ctrl-C.")
@_since
@click.option(
    "--every",
    "interval_seconds",
    type=click.FloatRange(min=0.5),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@about_a_stack
def watch(deployed: Deployed, *, since: datetime | None, interval_seconds: float) -> None:
    """Show what becomes of the recordings until you press Ctrl-C."""
    tracer, calls = deployed.tracer(silent), deployed.calls(silent)
    try:
        with Live(console=out, auto_refresh=False) as live:
            while True:
                now = datetime.now(UTC)
                shown = _status(deployed, tracer, calls, since or now - _SHOWN, now)
                live.update(StatusView(shown, now, rows=max(out.height - _OTHER_LINES, 1)), refresh=True)
                time.sleep(interval_seconds)
    except KeyboardInterrupt:
        return


def _status_of(recording: str, deployed: Deployed, tracer: Tracer, calls: Calls, now: datetime) -> Answer:
    traces = tracer.of(recording)
    if traces is None:
        raise click.ClickException(deployed.unknown(recording))
    (call,) = calls.described({recording: traces}, now)
    document = {
        "stack": deployed.stack.name,
        "call": msgspec.to_builtins(call),
        "recording_hash": recording_hash(recording),
    }
    return Answer(document, call_view(call, now))


def _status(deployed: Deployed, tracer: Tracer, calls: Calls, since: datetime, now: datetime) -> Status:
    found = {key: traces for key, traces in tracer.all().items() if traces.began_at >= since}
    described = calls.described(found, now)
    month = month_of(now.timestamp())
    known = deployed.state.look("", month)
    return Status(
        stack=deployed.stack.name,
        since=since,
        calls=described,
        counts=counted(described),
        waiting=waiting(deployed.sqs, deployed.stack.queue_urls),
        paused=known.pause,
        spending=spending_of(deployed.stack, month, known.spent),
    )
