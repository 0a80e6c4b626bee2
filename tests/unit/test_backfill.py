"""The event that a recording gets which never had one: where it stands among S3's own, and what is chosen."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.test_calls import FAILURE, KEY, SUBMISSION, Shelf, calls, traces

from callcoach.backfill import Backfill, cost, last_sequencer, object_created, plan_backfill
from callcoach.documents import encode, is_earlier
from callcoach.traces import Listed, Traces
from submit.recording import read_event

DROPPED_AT = datetime(2026, 5, 6, 14, 0, tzinfo=UTC)
# As S3's documentation shows them: seconds since 1970 and something behind it, with and without zeros before.
S3_SEQUENCERS = ["0055AED6DCD90281E5", "0062E99A88DC407460", "617f08299329d189", "62E99A88DC407460"]
# The sandbox's own: microseconds.
SANDBOX_SEQUENCER = "000006500000000000"


# Two hours of a model that takes 3.00 and 15.00 USD for a million tokens, and a tenth more within its region.
COACHED_USD = 2 * (25_000 * 3.00 + 2000 * 15.00) * 1.1 / 1e6


def cost_of(plan: Backfill, *, channels: int) -> str:
    return cost(
        plan,
        channels=channels,
        speech_models=["universal-3-pro", "universal-2"],
        coach_models=["claude-sonnet-4-6", "claude-haiku-4-5-20251001"],
    )


def recording(etag: str = "one", minutes: float = 0, size_bytes: int = 5) -> Listed:
    return Listed(DROPPED_AT + timedelta(minutes=minutes), etag, size_bytes)


def sequencer(etag: str = "one", minutes: float = 0, last: str = "") -> str:
    return read_event(object_created("b", KEY, recording(etag, minutes), last)).sequencer


def test_the_function_reads_it_as_the_event_of_a_drop() -> None:
    key = "dana reyes/é&1\ufffe.ogg"
    body = object_created("a-bucket", key, recording("e", size_bytes=7), "")

    dropped = read_event(body)

    assert (dropped.bucket, dropped.recording, dropped.etag, dropped.size_bytes) == ("a-bucket", key, "e", 7)
    assert dropped.resubmissions == 0
    assert body.isascii()
    assert json.loads(body)["detail-type"] == "Object Created"


@pytest.mark.parametrize("real", [*S3_SEQUENCERS, SANDBOX_SEQUENCER])
def test_where_no_event_is_known_it_is_earlier_than_any_of_s3(real: str) -> None:
    assert is_earlier(sequencer(), real)


@given(
    last=st.text("0123456789ABCDEF", min_size=16, max_size=18),
    etag=st.text(min_size=1),
    minutes=st.integers(0, 10**6),
)
def test_it_is_later_than_the_last_known_event_and_earlier_than_the_next(last: str, etag: str, minutes: int) -> None:
    """S3's own are equally long, so the next one differs before ours begins to."""
    following = f"{int(last, 16) + 1:0{len(last)}X}"
    ours = sequencer(etag, minutes, last)

    assert is_earlier(last, ours)
    assert len(following) > len(last) or is_earlier(ours, following)


def test_the_same_content_has_the_same_each_time_and_another_another() -> None:
    """The same is done once, another is new work."""
    assert sequencer("one") == sequencer("one")
    assert len({sequencer("one"), sequencer("two"), sequencer("one", minutes=1), sequencer("one", last="0A")}) == 4
    assert all(is_earlier(early, late) for early, late in pairwise(sequencer("one", minutes) for minutes in range(5)))


@pytest.mark.parametrize(
    ("submitted", "failed", "last"),
    [("0A", "0B", "0B"), ("0C", "0B", "0C"), ("0C", None, "0C"), (None, "0B", "0B"), (None, None, "")],
)
def test_the_last_event_is_known_from_both_records(submitted: str | None, failed: str | None, last: str) -> None:
    shelf = Shelf(
        {
            "submissions": encode(replace(SUBMISSION, sequencer=submitted or "")),
            "failures": encode(replace(FAILURE, sequencer=failed)),
        }
    )
    found = traces(0, 1 if submitted else None, None, 2 if failed else None)

    assert last_sequencer(KEY, found, calls(shelf)) == last


def planned(key: str, found: Traces, *, named: bool = False) -> Backfill:
    shelf = Shelf({"submissions": encode(SUBMISSION), "failures": encode(FAILURE)})
    return plan_backfill({key: found}, calls(shelf), named=named)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (traces(0, 1, None, None), "submitted"),
        (traces(0, 1, 2, None), "scored"),
        (traces(0, 1, None, 2), "failed"),
        (traces(None, 1, 2, None), "recording_gone"),
    ],
)
def test_what_something_came_of_is_left_as_it_is(found: Traces, reason: str) -> None:
    assert planned(KEY, found, named=True) == Backfill({}, {KEY: reason})


def test_what_is_no_recording_is_left_unless_somebody_names_it() -> None:
    """Its type may say that it is sound; a listing does not tell types."""
    found = traces(0, None, None, None)

    assert planned("notes.txt", found).skipped == {"notes.txt": "not_a_recording"}
    assert set(planned("notes.txt", found, named=True).submitted) == {"notes.txt"}
    assert set(planned("a.ogg", found).submitted) == {"a.ogg"}


@pytest.mark.parametrize(("size_bytes", "reason"), [(0, "empty_recording"), (6 * 1000**3, "recording_too_large")])
def test_what_would_be_refused_for_its_size_is_left_in_any_case(size_bytes: int, reason: str) -> None:
    assert planned("a.ogg", Traces(recording(size_bytes=size_bytes)), named=True).skipped == {"a.ogg": reason}


def test_the_cost_follows_the_hours_of_sound() -> None:
    """An hour compressed to 64 kbit/s, and an hour of samples."""
    plan = Backfill({"a.mp3": recording(size_bytes=28_800_000), "b.WAV": recording(size_bytes=115_200_000)}, {})

    assert plan.hours == pytest.approx(2)
    assert "2 recordings, 144.0 MB: about 2.0 hours" in cost_of(plan, channels=1)
    assert f"about {2 * (0.21 + 3 * 0.02) + COACHED_USD:.2f} USD" in cost_of(plan, channels=1)
    assert f"about {2 * (2 * 0.21 + 0.02) + COACHED_USD:.2f} USD" in cost_of(plan, channels=2)


def test_a_cost_that_cannot_be_known_is_not_made_up() -> None:
    plan = Backfill({"a.mp3": recording(size_bytes=28_800_000)}, {})

    # The second model is another one's price.
    assert " USD" not in cost(
        plan, channels=1, speech_models=["universal-9", "universal-2"], coach_models=["claude-sonnet-4-6"]
    )
    assert " USD" not in cost(plan, channels=1, speech_models=["universal-2"], coach_models=["claude-9"])
