"""What the objects about a recording say of it: the latest counts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from callcoach.calls import Calls, CallState
from callcoach.documents import CallDetails, Failure, Kind, Submission, encode
from callcoach.queues import Waiting
from callcoach.stack import Stack
from callcoach.status import reconciled
from callcoach.traces import Listed, Traces, silent

if TYPE_CHECKING:
    from callcoach.storage import Documents

T0 = datetime(2026, 5, 6, 14, 0, tzinfo=UTC)
KEY = "a.ogg"
SUBMISSION = Submission(
    bucket="b",
    recording=KEY,
    etag="one",
    size_bytes=1,
    sequencer="0A",
    transcript_id="t1",
    submitted_at="2026-05-06T14:00:01Z",
    overdue_after_seconds=900,
    deadline_at="2026-05-07T14:00:01Z",
    call=CallDetails(rep="Dana Reyes"),
    asked={},
)
FAILURE = Failure(KEY, "transcribe", "no_audio", "no sound", "listen", retryable=False, transcript_id="t1")


class Shelf:
    """Documents in memory, and how often one was read."""

    def __init__(self, documents: Mapping[Kind, bytes]) -> None:
        self.documents = documents
        self.reads = 0

    def read(self, kind: Kind, _: str) -> bytes | None:
        self.reads += 1
        return self.documents.get(kind)


def shelf(submitted: float | None = 1) -> Shelf:
    """Return the records of a call that was submitted so many minutes after T0."""
    submitted_at = (T0 + timedelta(minutes=submitted or 0)).isoformat()
    submission = msgspec.structs.replace(SUBMISSION, submitted_at=submitted_at)
    return Shelf({"submissions": encode(submission), "failures": encode(FAILURE)})


def calls(documents: Shelf) -> Calls:
    return Calls(cast("Documents", documents), silent)


def at(minutes: float | None, etag: str = "one") -> Listed | None:
    return None if minutes is None else Listed(T0 + timedelta(minutes=minutes), etag, 5)


def traces(dropped: float | None, submitted: float | None, scored: float | None, failed: float | None) -> Traces:
    return Traces(at(dropped), at(submitted), at(scored), at(failed))


@pytest.mark.parametrize(
    ("written", "state", "since"),
    [
        ((0, None, None, None), "dropped", 0),
        ((0, 1, None, None), "transcribing", 1),
        ((0, -30, None, None), "overdue", -15),
        ((0, 1, 2, None), "scored", 2),
        ((0, 1, 1, None), "scored", 1),
        ((0, 1, None, 2), "failed", 2),
        ((0, None, None, 0), "failed", 0),
        ((0, 1, 2, 3), "failed", 3),
        ((0, 1, 3, 2), "scored", 3),
        ((0, 1, 3, 3), "failed", 3),
        # Submitted again since.
        ((0, 4, 2, None), "transcribing", 4),
        ((0, 4, None, 2), "transcribing", 4),
        # The recording is gone.
        ((None, 1, 2, None), "scored", 2),
        ((None, 1, None, None), "transcribing", 1),
        # Dropped again, with the same content.
        ((5, 1, 2, None), "scored", 2),
        ((5, 1, None, None), "transcribing", 1),
        ((5, 1, None, 2), "dropped", 5),
        ((5, None, None, 2), "dropped", 5),
    ],
)
def test_the_latest_counts(written: Sequence[float | None], state: CallState, since: float) -> None:
    """Written, in minutes: the recording, its submission, its scorecard, its failure."""
    found = {KEY: traces(*written)}

    (call,) = calls(shelf(written[1])).described(found, T0 + timedelta(minutes=10))

    assert (call.state, call.since_at) == (state, T0 + timedelta(minutes=since))
    assert (call.reason == "no_audio") == (state == "failed")
    assert call.dropped_at == (None if written[0] is None else T0 + timedelta(minutes=written[0]))
    assert calls(shelf()).not_submitted(found) == ([KEY] if state == "dropped" else [])


def test_a_record_that_was_written_anew_is_no_new_submission() -> None:
    """As when a quiet one is so no longer."""
    (call,) = calls(shelf(1)).described({KEY: traces(0, 4, 2, None)}, T0 + timedelta(minutes=10))

    assert (call.state, call.since_at) == ("scored", T0 + timedelta(minutes=2))


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"<html>", b"\xff"])
def test_a_record_that_nobody_can_read_hides_nothing_else(spoilt: bytes) -> None:
    documents = Shelf({"submissions": spoilt, "failures": spoilt})
    found = {"a": traces(0, 1, None, None), "b": traces(0, 1, None, 2), "c": traces(0, 1, 2, None)}

    described = calls(documents).described(found, T0 + timedelta(days=1))

    assert {call.recording: call.state for call in described} == {"a": "transcribing", "b": "failed", "c": "scored"}


def test_another_content_under_a_name_is_dropped_anew() -> None:
    """Of the call that was there before, only who it may be with is told."""
    found = {KEY: Traces(at(5, "two"), at(1), at(2))}

    (call,) = calls(shelf()).described(found, T0)

    assert (call.state, call.transcript_id) == ("dropped", None)


def test_only_what_may_have_been_dropped_again_is_read_to_reconcile() -> None:
    documents = shelf()

    assert calls(documents).not_submitted({"a": traces(0, 1, 2, None), "b": traces(0, None, None, 1)}) == []
    assert documents.reads == 0


def test_what_was_read_is_read_again_when_it_was_written_anew() -> None:
    documents = shelf()
    reader = calls(documents)
    for written in (1, 1, 2):
        reader.described({KEY: traces(0, written, None, None)}, T0)

    assert documents.reads == 2


def stack(**parameters: str) -> Stack:
    return Stack("callcoach", {"RecordingsBucketName": "", "RecordingsRetentionDays": "90"} | parameters, {}, {})


@pytest.mark.parametrize(
    ("days", "parameters", "missed"),
    [(10, {}, [KEY]), (100, {}, []), (100, {"RecordingsBucketName": "theirs"}, [KEY])],
)
def test_a_recording_that_was_deleted_in_its_time_is_not_missed(
    days: int, parameters: dict[str, str], missed: list[str]
) -> None:
    """In a bucket of somebody else nobody knows that time."""
    found = {KEY: traces(None, 0, 1, None)}

    reconciliation = reconciled(stack(**parameters), calls(shelf()), found, Waiting(0, 0), T0 + timedelta(days=days))

    assert reconciliation.without_recording == missed


def test_what_was_dropped_just_now_is_on_its_way() -> None:
    found = {KEY: traces(0, None, None, None)}

    def told(minutes: float) -> Any:
        now = T0 + timedelta(minutes=minutes)
        return msgspec.to_builtins(reconciled(stack(), calls(shelf()), found, Waiting(0, 0), now))["not_submitted"]

    assert told(14) == []
    assert told(16) == [KEY]
