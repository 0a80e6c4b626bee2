"""One e-mail about many recordings."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.examples import HOSTILE_TEXTS

from callcoach.calls import Call
from callcoach.notifications import Counts
from callcoach.plain_text import columns
from callcoach.summary import Summary, summarised, summary_mail, summary_notification

NOW = datetime(2026, 5, 6, tzinfo=UTC)


def call(recording: str, state: Any = "scored", **known: Any) -> Call:
    return Call(recording=recording, state=state, dropped_at=NOW, since_at=NOW, **known)


def test_outcomes_are_counted_and_what_needs_somebody_is_named() -> None:
    calls = [
        call("b.mp3", "failed", reason="no_speech"),
        call("a.mp3", "failed", reason="no_speech"),
        *(call(f"dana/{number}.mp3", rep="Dana Reyes") for number in range(3)),
        call("chris/1.mp3", rep="Chris"),
    ]
    statuses = {f"dana/{number}.mp3": "complete" for number in range(3)} | {"chris/1.mp3": "needs_roles"}

    summary = summarised(calls, statuses, ["gone.mp3"])
    subject, text = summary_mail(summary, "the-bucket")

    assert summary == Summary(
        scored={"complete": 3, "needs_roles": 1},
        failed={"no_speech": ["a.mp3", "b.mp3"]},
        check_roles=["chris/1.mp3"],
        reps={"Dana Reyes": 3, "Chris": 1},
        gone=["gone.mp3"],
    )
    assert subject == "Call reviews: 4 scored, 2 not"
    said = text.splitlines()
    assert said[0] == "CALL REVIEWS: 4 recordings scored, 2 recordings not."
    for lines in (
        ["NOT SCORED: nobody speaks in the recording", "  a.mp3", "  b.mp3"],
        ["SCORED, BY REP", "  Dana Reyes: 3", "  Chris: 1"],
    ):
        assert lines == said[said.index(lines[0]) :][: len(lines)]
    assert "  chris/1.mp3" in said
    assert "the-bucket" in said[-1]
    told = summary_notification(summary)
    assert (told.status, told.headline) == ("summary", "4 recordings scored, 2 recordings not.")
    assert told.counts == Counts(scored={"complete": 3, "needs_roles": 1}, failed={"no_speech": 2})


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_it_is_plain_and_of_bounded_size(hostile: str) -> None:
    """Whatever names hold, and however many there are."""
    calls = [call(f"{number} {hostile}", "failed", reason="no_speech") for number in range(1000)]
    calls += [call(f"s{number}", rep=f"{number} {hostile}") for number in range(1000)]

    _, text = summary_mail(summarised(calls, {}, [f"{number} {hostile}" for number in range(1000)]), "the-bucket")

    assert all(columns(line) <= 72 and line.isprintable() for line in text.splitlines())
    assert len(text) < 64_000
    assert "970 more" in text
    assert "example.com" not in text
