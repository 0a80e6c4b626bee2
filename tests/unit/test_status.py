"""What became of recordings, in terminals of all widths."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from callcoach.calls import Call
from callcoach.queues import Waiting
from callcoach.samconfig import command_about
from callcoach.status import Reconciliation, Status, StatusView, counted, reconciliation_view

NOW = datetime(2026, 5, 6, 14, 0, tzinfo=UTC)
FAILED = Call(
    recording="dana-reyes/acme_discovery_2026-05-06.mp3",
    state="failed",
    dropped_at=NOW,
    since_at=NOW,
    size_bytes=5,
    transcript_id="0b5d1e2a-6f0e-4c7b-9a55-2f8f4c1f7f10",
    rep="Dana Reyes of the northern team",
    customer="Acme Holding and daughters",
    reason="transcription_failed",
)


def shown(columns: int) -> list[str]:
    stream = io.StringIO()
    status = Status("callcoach", NOW, [FAILED], counted([FAILED]), {"CallbacksQueue": Waiting(0, 3)}, None, None)
    Console(file=stream, width=columns, highlight=False, markup=False).print(StatusView(status, NOW))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 150, 10_000])
def test_the_whole_name_of_a_recording_is_shown_however_narrow_the_terminal(columns: int) -> None:
    heading, *rows = shown(columns)
    begins = heading.index("RECORDING")

    assert FAILED.recording in "".join(row[begins:].strip() for row in rows[: rows.index("")])
    assert all(len(row) <= columns for row in rows)


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (80, ["STATE", "SINCE", "DROPPED", "RECORDING"]),
        (120, ["STATE", "SINCE", "DROPPED", "REP", "/", "CUSTOMER", "RECORDING"]),
        (150, ["STATE", "SINCE", "DROPPED", "REP", "/", "CUSTOMER", "TRANSCRIPT", "RECORDING"]),
    ],
)
def test_a_wider_terminal_shows_more(columns: int, headings: list[str]) -> None:
    assert shown(columns)[0].split() == headings


def test_a_message_that_is_there_for_later_is_not_said_to_be_in_work() -> None:
    assert "CallbacksQueue: 0 waiting, 3 hidden (in work, or for a later look)" in shown(80)


def test_what_to_do_names_the_stack() -> None:
    found = Reconciliation("callcoach-b", ["a.mp3"], Waiting(0, 0), ["b.mp3"])

    told = reconciliation_view(found, lambda words: command_about("callcoach-b", "eu-west-1", words)).splitlines()

    assert "  python -m callcoach submit KEY --stack callcoach-b --region eu-west-1" in told
    assert "  python -m callcoach forget KEY --stack callcoach-b --region eu-west-1" in told
