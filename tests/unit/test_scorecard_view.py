"""A scorecard in a terminal. The functions' own examples are read, so both agree on what is published."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console
from tests.unit.scorecards import example_scorecard, spoken_by, with_doubtful_roles, without_coaching

from callcoach.documents import encode
from callcoach.published import read_scorecard
from callcoach.scorecard_view import ScorecardView
from scorecard.scorecard import Scorecard


def shown(card: Scorecard, columns: int = 100, **console: Any) -> str:
    stream = io.StringIO()
    view = ScorecardView(read_scorecard(encode(card)))
    Console(file=stream, width=columns, highlight=False, markup=False, **console).print(view)
    return stream.getvalue()


def test_it_shows_what_a_manager_acts_on() -> None:
    card = example_scorecard()
    text = " ".join(shown(card).split())

    assert card.coaching is not None
    assert card.sentiment is not None
    assert card.headline.talk
    assert card.headline.talk in text
    assert card.headline.focus
    assert card.headline.focus in text
    for suggestion in card.coaching.suggestions:
        assert suggestion.because in text
        assert all(f'"{quote.text}"' in text for quote in suggestion.evidence)
    for shift in card.sentiment.shifts or []:
        assert shift.cause is None or shift.cause in text
    assert all(" ".join(warning.text.split()) in text for warning in card.warnings)


def test_the_bar_shows_the_share_against_the_usual_range() -> None:
    card = example_scorecard()
    share, band = card.talk_listen.rep_share, card.talk_listen.band
    assert share is not None
    assert band.low is not None
    assert band.high is not None

    (bar, usual) = (line for line in shown(card).splitlines() if " customer" in line[-9:] or line.endswith(" usual"))

    assert bar.count("#") == round(50 * share)
    assert bar.count(".") == 50 - round(50 * share)
    begins = bar.index("#")
    assert usual.index("|") == begins + round(50 * band.low)
    assert usual.rindex("|") == begins + round(50 * band.high) - 1


@pytest.mark.parametrize("columns", [40, 60, 66])
def test_the_bar_is_one_line_in_a_narrow_terminal_too(columns: int) -> None:
    lines = shown(example_scorecard(), columns).splitlines()

    (bar,) = (number for number, line in enumerate(lines) if line.startswith("  rep #"))
    assert lines[bar].endswith(" customer")
    assert lines[bar + 1].endswith(" usual")
    assert max(len(lines[bar]), len(lines[bar + 1])) <= columns


def test_where_sides_are_in_doubt_that_comes_first_and_nothing_is_judged() -> None:
    text = shown(with_doubtful_roles())

    assert "CHECK WHO IS WHO FIRST" in text
    assert "#" not in text
    assert text.splitlines()[1] == "nothing was judged: the sides look swapped"


def test_a_call_without_coaching_shows_its_numbers_and_why() -> None:
    text = shown(without_coaching("too_short"))

    assert "only the numbers, no coaching: the call is too short to coach" in text
    assert "TALK SHARE" in text
    assert "SUMMARY" not in text


@pytest.mark.parametrize("said", ["\x1b]0;owned\x07\x1b[2J", "\u202egnp.exe", "[bold red]markup[/]", "é ü 漢字"])
def test_what_was_said_does_not_steer_the_terminal(said: str) -> None:
    text = shown(spoken_by(example_scorecard(), said))

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert said.isprintable() == (said in text)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_longer_than_the_terminal(columns: int) -> None:
    lines = shown(example_scorecard(), columns).splitlines()

    assert max(map(len, lines)) <= max(min(columns, 100), 70)
    assert shown(example_scorecard(), columns, force_terminal=True, color_system="standard").count("\x1b[1m") > 4


def test_a_scorecard_of_another_version_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="schema_version 2; this callcoach knows 1"):
        read_scorecard(encode(msgspec.structs.replace(example_scorecard(), schema_version=2)))
