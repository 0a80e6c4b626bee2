"""A recording that AssemblyAI could not fetch goes back to its queue."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import submission

from callcoach.names import Drop
from callcoach.resubmission import MOST_RESUBMISSIONS, may_resubmit, resubmission
from submit.recording import read_event

DROPPED = datetime.fromisoformat("2026-05-06T14:35:00Z")


def submitted(resubmissions: int = 0, key: str = "dana-reyes/acme.mp3") -> "object":
    return msgspec.structs.replace(submission(key=key), dropped_at="2026-05-06T14:35:00Z", resubmissions=resubmissions)


@pytest.mark.parametrize(
    ("resubmissions", "hours", "allowed"),
    [(0, 0, True), (0, 23.9, True), (0, 24, False), (MOST_RESUBMISSIONS - 1, 1, True), (MOST_RESUBMISSIONS, 1, False)],
)
def test_for_a_day_and_not_for_ever(resubmissions: int, hours: float, *, allowed: bool) -> None:
    assert may_resubmit(submitted(resubmissions), DROPPED + timedelta(hours=hours)) is allowed  # type: ignore[arg-type]


@given(st.text(min_size=1), st.booleans())
def test_what_goes_back_is_read_as_the_same_drop(key: str, quiet: bool) -> None:  # noqa: FBT001 - drawn
    """But as another piece of work: the first is done."""
    record = msgspec.structs.replace(submission(key=key), quiet=quiet)
    message = resubmission(record)
    again = read_event(message)
    assert message.isascii()
    assert again == Drop(record.bucket, key, record.etag, record.sequencer, 1, record.size_bytes, quiet)
    assert again.work_id != msgspec.structs.replace(again, resubmissions=0).work_id
    assert again.open_job != msgspec.structs.replace(again, resubmissions=0).open_job
