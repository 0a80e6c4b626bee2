"""The state of a stack: its calls, its queues, its pause; and how a terminal shows them."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from callcoach.calls import STATES, Call, Calls
from callcoach.moments import age
from callcoach.names import recording_hash
from callcoach.plain_text import printable, words
from callcoach.queues import Waiting
from callcoach.stack import Stack
from callcoach.state import Pause, Spent
from callcoach.traces import Traces

# EventBridge and SQS take seconds; what is older and was not submitted waits for something.
ON_ITS_WAY = timedelta(minutes=15)

_STYLES = {"dropped": "", "transcribing": "cyan", "overdue": "yellow", "scored": "green", "failed": "red"}
_KEY_CHARACTERS = 1024
# The recording's name, by which all commands ask for it, has room first. Narrower terminals show no transcripts' ids,
# or neither these nor who spoke.
_WITH_TRANSCRIPTS_COLUMNS = 150
_WITH_PEOPLE_COLUMNS = 100


class Spending(msgspec.Struct, frozen=True):
    """What a month has cost so far, by list prices, of what it may. is_waived: it may cost more, an operator says."""

    month: str
    spent_usd: float
    cap_usd: float
    is_waived: bool


class Status(msgspec.Struct, frozen=True):
    """What status prints.

    counts: of the calls dropped since, by state; waiting: messages, by queue; spending: None without a cost cap.
    """

    stack: str
    since: datetime
    calls: list[Call]
    counts: dict[str, int]
    waiting: dict[str, Waiting]
    paused: Pause | None
    spending: Spending | None


class Reconciliation(msgspec.Struct, frozen=True):
    """What has one end only.

    not_submitted: recordings of which nothing came, though they were dropped a while ago; waiting: messages in
    RecordingsQueue, which may be about them; without_recording: outcomes of recordings that are gone too early.
    """

    stack: str
    not_submitted: list[str]
    waiting: Waiting
    without_recording: list[str]


def counted(calls: Sequence[Call]) -> dict[str, int]:
    """Return how many calls are in each state."""
    counts = Counter(call.state for call in calls)
    return {state: counts[state] for state in STATES}


def reconciled(stack: Stack, calls: Calls, found: dict[str, Traces], queue: Waiting, now: datetime) -> Reconciliation:
    """Return what has one end only. A recording that was kept as long as it should be is not missed."""
    kept_days = int(stack.parameters["RecordingsRetentionDays"]) if stack.owns_recordings_bucket else None
    kept_since = now - timedelta(days=kept_days) if kept_days else None
    return Reconciliation(
        stack=stack.name,
        not_submitted=[key for key in calls.not_submitted(found) if found[key].began_at < now - ON_ITS_WAY],
        waiting=queue,
        without_recording=sorted(
            key
            for key, traces in found.items()
            if traces.recording is None and traces.outcome and (not kept_since or traces.began_at > kept_since)
        ),
    )


class StatusView(msgspec.Struct, frozen=True):
    """A table of the calls, and below it the counts, the queues and the pause. rows: no more than these."""

    status: Status
    now: datetime
    rows: int | None = None

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        shown = self.status.calls[: self.rows]
        if shown:
            yield self._table(shown, options.max_width)
            more = len(self.status.calls) - len(shown)
            yield Text(f"and {more} more\n" if more else "")
        counts = ", ".join(f"{count} {state}" for state, count in self.status.counts.items())
        yield Text(f"{counts} since {_moment(self.status.since)}")
        for queue, waits in self.status.waiting.items():
            if waits.visible or waits.hidden:
                yield Text(f"{queue}: {_waits(waits)}")
        if self.status.spending:
            yield Text(spending_line(self.status.spending))
        if self.status.paused:
            reason = printable(self.status.paused.reason, 200)
            yield Text(f"Paused by {self.status.paused.by}{reason and ': '}{reason}")

    def _table(self, calls: Sequence[Call], columns: int) -> Table:
        with_transcripts, with_people = columns >= _WITH_TRANSCRIPTS_COLUMNS, columns >= _WITH_PEOPLE_COLUMNS
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("STATE", min_width=12)
        for name, width in (("SINCE", 6), ("DROPPED", 7)):
            table.add_column(name, no_wrap=True, min_width=width)
        if with_people:
            table.add_column("REP / CUSTOMER", min_width=10)
        if with_transcripts:
            table.add_column("TRANSCRIPT", no_wrap=True)
        table.add_column("RECORDING", overflow="fold", min_width=20)
        for call in calls:
            people = " / ".join(printable(name, 30) for name in (call.rep, call.customer) if name)
            table.add_row(
                Text(call.state + (f": {words(call.reason)}" if call.reason else ""), style=_STYLES[call.state]),
                age(call.since_at, self.now),
                age(call.dropped_at, self.now) if call.dropped_at else "gone",
                *([people or "-"] if with_people else []),
                *([call.transcript_id or "-"] if with_transcripts else []),
                Text(printable(call.recording, _KEY_CHARACTERS)),
            )
        return table


def spending_of(stack: Stack, month: str, spent: Spent) -> Spending | None:
    """Return what is counted of a month; nothing is without a cap."""
    cap_usd = stack.monthly_cost_cap_usd
    return Spending(month, spent.usd, cap_usd, spent.is_waived) if cap_usd else None


def spending_line(spending: Spending) -> str:
    """Return it in words."""
    waived = ", which is waived" if spending.is_waived else ""
    return f"Spent in {spending.month}: {spending.spent_usd:,.2f} of {spending.cap_usd:,.2f} USD{waived}"


def call_view(call: Call, now: datetime) -> str:
    """Return all that is known of one call, a line for each."""
    facts = [
        ("recording", printable(call.recording, _KEY_CHARACTERS)),
        ("state", f"{call.state}, since {_moment(call.since_at)} ({age(call.since_at, now)})"),
        ("dropped", f"{_moment(call.dropped_at)}, {call.size_bytes:,} bytes" if call.dropped_at else "gone"),
        ("rep", printable(call.rep or "")),
        ("customer", printable(call.customer or "")),
        ("transcript", call.transcript_id),
        ("in the logs", f"recording_hash {recording_hash(call.recording)}"),
        ("reason", f"{call.reason} ({call.stage}{', may pass' if call.retryable else ''})" if call.reason else None),
        ("detail", printable(call.detail or "", 2000)),
        ("what to do", printable(call.next_step or "", 2000)),
    ]
    return "\n".join(f"{name:<11} {said}" for name, said in facts if said)


def reconciliation_view(reconciliation: Reconciliation, command: Callable[[str], str]) -> str:
    """Return both lists, each with what to do about it. command: makes one about the stack."""
    lines = []
    if reconciliation.not_submitted:
        lines += ["Recordings of which nothing came. To send one on its way:", f"  {command('submit KEY')}"]
        lines += [f"  {printable(key, _KEY_CHARACTERS)}" for key in reconciliation.not_submitted]
        if reconciliation.waiting.visible or reconciliation.waiting.hidden:
            lines.append(
                f"Some of them may be about to be submitted: RecordingsQueue: {_waits(reconciliation.waiting)}"
            )
    if reconciliation.without_recording:
        lines += ["Outcomes whose recording is gone. To take one away too:", f"  {command('forget KEY')}"]
        lines += [f"  {printable(key, _KEY_CHARACTERS)}" for key in reconciliation.without_recording]
    return "\n".join(lines) or "Every recording was submitted, and every outcome has its recording."


def _waits(waits: Waiting) -> str:
    hidden = f", {waits.hidden} hidden (in work, or for a later look)" if waits.hidden else ""
    return f"{waits.visible} waiting{hidden}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
