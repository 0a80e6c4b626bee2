"""Moments and ages as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from callcoach.moments import age, clock, moment

NOW = datetime(2026, 5, 6, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T10:30", datetime(2026, 5, 1, 10, 30, tzinfo=UTC)),
        ("2026-05-01T10:30+02:00", datetime(2026, 5, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_so_long_ago_or_a_date(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "7", "d", "-7d", "7y", "2026-13-01", "999999w"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment: say 30m, 24h, 7d"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_an_age_has_one_unit_and_at_least_two_of_it(seconds: int, said: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("moment_ms", "written"), [(-5, "0:00"), (59_999, "0:59"), (436_000, "7:16"), (3_600_000, "1:00:00")]
)
def test_a_moment_of_a_recording_is_written_as_players_write_it(moment_ms: int, written: str) -> None:
    assert clock(moment_ms) == written
