"""What became of each recording, as the objects in both buckets tell.

    dropped        it lies in its bucket, and nothing was asked of AssemblyAI about it yet
    transcribing   it was submitted
    overdue        it was submitted, and the time for its callback is over
    scored         its scorecard is written
    failed         it has none, for the reason in failures/

Of the objects about a recording the latest counts, so a listing says nearly all.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import msgspec

from callcoach.documents import Failure, Kind, Submission
from callcoach.published import ScoredCall
from callcoach.side_by_side import side_by_side
from callcoach.storage import Documents
from callcoach.traces import Listed, Progress, Traces

CallState = Literal["dropped", "transcribing", "overdue", "scored", "failed"]
STATES: tuple[CallState, ...] = ("dropped", "transcribing", "overdue", "scored", "failed")

Read = TypeVar("Read")
Record = TypeVar("Record", bound=msgspec.Struct)


class Call(msgspec.Struct, frozen=True):
    """One recording and what became of it; None where that is not known.

    dropped_at: None when the recording is gone; since_at: when it came into that state; stage to retryable: of a
    failure, as documents.Failure says.
    """

    recording: str
    state: CallState
    dropped_at: datetime | None
    since_at: datetime
    size_bytes: int | None = None
    transcript_id: str | None = None
    rep: str | None = None
    customer: str | None = None
    stage: str | None = None
    reason: str | None = None
    detail: str | None = None
    next_step: str | None = None
    retryable: bool | None = None


class Calls:
    """Reads what was written about recordings, side by side and each version of it once."""

    def __init__(self, documents: Documents, progress: Progress) -> None:
        self._documents = documents
        self._progress = progress
        self._bodies: dict[tuple[Kind, str, Listed], bytes] = {}

    def described(self, found: Mapping[str, Traces], now: datetime) -> list[Call]:
        """Return what became of recordings, the latest first."""
        calls = self._side_by_side(list(found), lambda key: self._described(key, found[key], now))
        return sorted(calls, key=lambda call: (found[call.recording].began_at, call.recording), reverse=True)

    def not_submitted(self, found: Mapping[str, Traces]) -> list[str]:
        """Return the recordings that are dropped. Only what may have been dropped again is read."""
        later = [key for key, traces in found.items() if traces.is_dropped_later]
        again = self._side_by_side(later, lambda key: self._changes_nothing(key, found[key]))
        return sorted(key for key, changes_nothing in zip(later, again, strict=True) if not changes_nothing)

    def submission(self, recording: str, traces: Traces) -> Submission | None:
        """Return the record of the last submission; None when nothing can read it, too."""
        return _decoded(self._read("submissions", recording, traces.submissions), Submission)

    def failure(self, recording: str, traces: Traces) -> Failure | None:
        """Return the record of the last failure; None when nothing can read it, too."""
        return _decoded(self._read("failures", recording, traces.failures), Failure)

    def quiet(self, found: Mapping[str, Traces]) -> list[str]:
        """Return the recordings whose outcome nobody is told by an e-mail of its own."""
        quiet = self._side_by_side(list(found), lambda key: self._is_quiet(key, found[key]))
        return sorted(key for key, is_quiet in zip(found, quiet, strict=True) if is_quiet)

    def scorecards(self, found: Mapping[str, Traces]) -> dict[str, ScoredCall]:
        """Return what their scorecards say of recordings that have one."""
        bodies = self._side_by_side(list(found), lambda key: self._read("scorecards", key, found[key].scorecards))
        cards = {key: _decoded(body, ScoredCall) for key, body in zip(found, bodies, strict=True)}
        return {key: card for key, card in cards.items() if card}

    def _is_quiet(self, key: str, traces: Traces) -> bool:
        records = (self.submission(key, traces), self.failure(key, traces))
        return any(record.quiet for record in records if record)

    def _described(self, key: str, traces: Traces, now: datetime) -> Call:
        submission = self.submission(key, traces)
        is_dropped = traces.is_dropped_later and not self._changes_nothing(key, traces)
        state, since_at = _state(traces, submission, now, is_dropped=is_dropped)
        failure = self.failure(key, traces) if state == "failed" else None
        call = Call(
            recording=key,
            state=state,
            dropped_at=traces.recording.written_at if traces.recording else None,
            since_at=since_at,
            size_bytes=traces.recording.size_bytes if traces.recording else None,
            rep=submission.call.rep if submission else None,
            customer=submission.call.customer if submission else None,
        )
        if failure:
            return msgspec.structs.replace(
                call,
                transcript_id=failure.transcript_id,
                stage=failure.stage,
                reason=failure.reason,
                detail=failure.detail,
                next_step=failure.next_step,
                retryable=failure.retryable,
            )
        if submission and not is_dropped:
            return msgspec.structs.replace(call, transcript_id=submission.transcript_id)
        return call

    def _changes_nothing(self, key: str, traces: Traces) -> bool:
        """Whether what was dropped last is what was submitted before, and did not fail."""
        submission, recording = self.submission(key, traces), traces.recording
        failed = traces.outcome is not None and traces.outcome[0] == "failed"
        return bool(submission and recording and not failed and submission.etag == recording.etag)

    def _read(self, kind: Kind, recording: str, listed: Listed | None) -> bytes | None:
        if listed is None:
            return None
        version = (kind, recording, listed)
        if version not in self._bodies:
            body = self._documents.read(kind, recording)
            if body is None:
                return None
            self._bodies[version] = body
        return self._bodies[version]

    def _side_by_side(self, keys: Sequence[str], read: Callable[[str], Read]) -> list[Read]:
        results: list[Read] = []
        for result in side_by_side(read, keys):
            results.append(result)
            self._progress("records read", len(results), len(keys))
        return results


def _decoded(body: bytes | None, record_type: type[Record]) -> Record | None:
    """Return a record. One that somebody has spoilt must not hide what became of all others."""
    try:
        return msgspec.json.decode(body, type=record_type) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _state(
    traces: Traces, submission: Submission | None, now: datetime, *, is_dropped: bool
) -> tuple[CallState, datetime]:
    """Return a recording's state, and since when it is in it."""
    submitted_at, outcome = _submitted_at(traces, submission), traces.outcome
    if not is_dropped:
        if outcome and (submitted_at is None or submitted_at <= outcome[1].written_at):
            return outcome[0], outcome[1].written_at
        if submitted_at and submission:
            overdue_at = submitted_at + timedelta(seconds=submission.overdue_after_seconds)
            if overdue_at < now:
                return "overdue", overdue_at
        if submitted_at:
            return "transcribing", submitted_at
    return "dropped", traces.began_at


def _submitted_at(traces: Traces, submission: Submission | None) -> datetime | None:
    """Return when a recording was submitted: its record says so, and may have been written anew since."""
    if submission:
        return datetime.fromisoformat(submission.submitted_at)
    return traces.submissions.written_at if traces.submissions else None
