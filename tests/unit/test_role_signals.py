"""What the words say about who is the rep."""

import re
import tomllib
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from tests.benchmarks.roles import (
    CLAIM,
    SWAPPED,
    WRITTEN,
    Case,
    run,
    sample_case,
    swapped,
    switched_half_way,
    with_claim,
    without_names,
    written_case,
)
from tests.unit.examples import REP_AND_CUSTOMER, SAMPLE_CALLS, conversation, moved, utterance_lists
from tests.unit.growth import FOUR_TIMES, times_as_long

import scorecard.role_signals
from callcoach.transcript import Utterance
from scorecard.role_signals import RoleSignal, points_of, role_signals, signals_found, text_signals
from scorecard.speakers import RoleAssignment

NAMES = {"rep": "Dana Reyes", "customer": "Marcus Lee"}

# One sentence for each kind of thing that one side says, and what it is worth.
SENTENCES = {
    "This is Dana, hello.": 5,
    "I'm Dana Reyes, hello.": 5,
    "My name is Dana.": 5,
    "Hi Marcus.": 5,
    "Thanks a lot, Marcus.": 5,
    "This is Ina from Shiftwell.": 3,
    "Good day, I am calling about your trial.": 3,
    "Thank you for joining.": 2,
    "I wanted to quickly learn how it goes.": 2,
    "I'd love to show it.": 2,
    "The agenda for today is short.": 2,
    "Let me pull up the page.": 2,
    "I'll send you the plan.": 2,
    "We also provide a guide.": 2,
    "That is on our product roadmap.": 2,
    "Tell me about the clinics.": 1,
    "How do you handle swaps?": 1,
    "Does that make sense?": 1,
    "Hi Dana.": -5,
    "Thank you, Dana.": -5,
    "Dana, how about the price?": -5,
    "It is like that here at Marcus Lee.": -5,
    "We're using Rostero.": -3,
    "How much is it?": -3,
    "What's the price?": -3,
    "I'd run it by the board.": -3,
    "I'll talk to my boss.": -3,
    "Our current tool is slow.": -2,
    "I like your platform.": -2,
    "Does it integrate with payroll?": -2,
    "We're looking for a tool.": -2,
    "I’m worried about it.": -2,
    "It's too expensive.": -2,
    "Please send me a page.": -2,
    "I'll think about it.": -2,
    "We need swaps.": -1,
    # Near misses.
    "Dana's manager is away.": 0,
    "I'm Dana's manager.": 0,
    "I'm the sales rep here, Dana.": 0,
    "We use spreadsheets.": 0,
    "It rained.": 0,
}


@pytest.mark.parametrize(("sentence", "points"), SENTENCES.items())
def test_a_sentence_is_worth_what_the_table_says(sentence: str, points: int) -> None:
    said = conversation(("A", sentence), ("B", "Mm."))
    assert text_signals(said, REP_AND_CUSTOMER, english=True, **NAMES).margin == points


def test_every_signal_is_tried() -> None:
    """Each row of the table is met by one of the sentences above."""
    table = tomllib.loads(Path(scorecard.role_signals.__file__).with_suffix(".toml").read_text("utf-8"))["signal"]
    signals = role_signals(**NAMES)
    said = conversation(*(("A", sentence) for sentence in SENTENCES))
    assert {signal for signal, _ in signals_found(said, said, signals)} == {row["id"] for row in table}


@cache
def matching(signal_pattern: str) -> st.SearchStrategy[str]:
    """Texts that match; made once, because it takes longer than to draw one."""
    pattern = re.compile(signal_pattern, re.IGNORECASE)
    return st.from_regex(pattern, fullmatch=True).filter(pattern.search)


@pytest.mark.parametrize("signal", role_signals(**NAMES), ids=lambda signal: signal.id)
@tried(max_examples=20)
@given(data=st.data())
def test_what_matches_a_signal_holds_one_of_its_words(signal: RoleSignal, data: st.DataObject) -> None:
    said = Utterance("A", data.draw(matching(signal.pattern)), 0, 1000)
    assert signals_found([said], [said], [signal])


def test_a_text_without_the_words_is_not_searched() -> None:
    """Typographic marks and accents are in many texts, and a search of them all takes eight times as long."""
    signal = RoleSignal("asks", 1, "the price", opening=False, words=(frozenset(("price",)), frozenset(("the",))))
    said = conversation(("A", "We’d rather wait, José: the time."), ("B", "A price."))
    with patch.object(RoleSignal, "finditer") as searched:
        assert not signals_found(said, said, [signal])
    assert not searched.called


def test_names_that_are_not_ascii_are_found() -> None:
    signals = role_signals("Çağla", "\u0130nci \u017folar")
    said = conversation(("A", "Hi inci, I'm ÇAĞLA."), ("B", "We at \u0130nci \u017folar, hi çağla."))
    assert set(signals_found(said, said, signals)) >= {("greets_rep", "B"), ("says_own_name", "A")}


def test_a_signal_counts_at_most_twice() -> None:
    signals = role_signals(None, None)
    said = conversation(*[("A", "Our customers like our platform and our roadmap.")] * 5)
    assert points_of(signals_found(said, said, signals), signals)["A"] == 4
    apart = conversation(*[("A", "Our customers like it.")] * 5, ("B", "Mm."))
    assert text_signals(apart, REP_AND_CUSTOMER, english=True).margin == 4


@pytest.mark.parametrize(("before", "points"), [(5, 3), (6, 0)])
def test_openings_count_only_in_the_first_six_utterances(before: int, points: int) -> None:
    said = conversation(*[("B", "Mm.")] * before, ("A", "This is Ina from Shiftwell."))
    assert text_signals(said, REP_AND_CUSTOMER, english=True).margin == points


def test_signals_of_names_need_the_names() -> None:
    said = conversation(("A", "Hi Marcus, this is Dana."), ("B", "Hi Dana."))
    assert text_signals(said, REP_AND_CUSTOMER, english=True).margin == 0
    assert text_signals(said, REP_AND_CUSTOMER, english=True, rep="Dana").margin == 10
    assert text_signals(said, REP_AND_CUSTOMER, english=True, **NAMES).margin == 15


@pytest.mark.parametrize("name", ["The Home Depot", "A", "", "  ", "(", "D.*", "\\"])
def test_names_are_names_and_no_patterns(name: str) -> None:
    """Metadata is anybody's text."""
    said = conversation(("A", "Hi the, thanks a, this is D and all"), ("B", "I'm here, thanks the lot."))
    assert text_signals(said, REP_AND_CUSTOMER, english=True, rep=name, customer=name).margin == 0


def test_other_languages_are_not_weighed() -> None:
    signals = text_signals(conversation(("A", "Hi Marcus."), ("B", "Hi Dana.")), REP_AND_CUSTOMER, english=False)
    assert (signals.margin, signals.reasons) == (None, [])


def test_without_sides_there_is_no_margin() -> None:
    nobody = RoleAssignment({"A": "unassigned", "B": "unassigned"}, "none", "none", [])
    assert text_signals(conversation(("A", "Hi."), ("B", "Hi.")), nobody, english=True).margin is None


def test_of_several_reps_the_one_who_says_most_is_weighed_against_the_best_customer() -> None:
    roles = RoleAssignment({"A": "rep", "B": "customer", "C": "rep", "D": "customer"}, "identification", "success", [])
    said = conversation(
        ("A", "We need a seat."),
        ("C", "We provide seats to all of our customers, and it is a long story how that came about."),
        ("B", "We're not sure."),
        ("D", "We provide coffee."),
    )
    assert text_signals(said, roles, english=True).margin == 4 - 2


@given(utterance_lists(min_size=1), st.permutations(["rep", "customer", "unassigned"]))
def test_any_utterances_can_be_weighed(utterances: list[Utterance], sides) -> None:
    """And music before the call changes nothing."""
    roles = RoleAssignment(dict(zip("ABC", sides, strict=True)), "identification", "success", [])
    signals = text_signals(utterances, roles, english=True, **NAMES)
    later = moved(utterances, 60_000)
    assert text_signals(later, roles, english=True, **NAMES) == signals


CASES = [*map(sample_case, SAMPLE_CALLS), *map(written_case, WRITTEN)]


@pytest.mark.parametrize("case", [*CASES, *map(without_names, CASES)], ids=lambda case: case.name)
def test_right_roles_are_believed_and_swapped_ones_stopped(case: Case) -> None:
    """Whatever the coach says about swapped ones; and it alone stops no call."""
    assert case.review(coach_doubts=False).reasons == []
    assert case.review(coach_doubts=True).reasons == ["coach_contradicts"]
    assert not case.review(coach_doubts=True).needs_roles
    assert swapped(case).review(coach_doubts=False).needs_roles
    assert swapped(case).review(coach_doubts=True).needs_roles


@pytest.mark.parametrize("case", [case for case in CASES if len(case.sides) == 2], ids=lambda case: case.name)
def test_mirrored_roles_mirror_the_margin(case: Case) -> None:
    assert swapped(case).sides == {label: SWAPPED[side] for label, side in case.sides.items()}
    assert swapped(case).signals().margin == -(case.signals().margin or 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("coach_doubts", [False, True])
def test_a_customer_who_claims_to_be_the_rep_changes_no_side(case: Case, *, coach_doubts: bool) -> None:
    """At worst a person is asked to look, even where the coach believes the claim."""
    rep = (case.rep or "Dana").split()[0]
    claimed = with_claim(case, CLAIM.replace("Dana", rep))
    review = claimed.review(coach_doubts=coach_doubts)
    assert not review.needs_roles
    assert review.needs_review == coach_doubts


def test_labels_that_switch_half_way_are_said_to() -> None:
    switched = switched_half_way(sample_case("discovery_well_led"))
    assert switched.signals().reasons == ["labels_may_switch"]
    assert sample_case("discovery_well_led").signals().reasons == []


def test_a_channel_neither_switches_nor_holds_two_people() -> None:
    switched = switched_half_way(sample_case("discovery_well_led"))
    channels = RoleAssignment(dict(switched.sides), "channel", "none", [])
    assert text_signals(switched.utterances, channels, english=True, rep="Jordan Blake").reasons == []


@pytest.mark.parametrize(
    ("merged", "apart", "said"),
    [(3, 20, True), (2, 20, False), (3, 147, True), (3, 148, False)],
)
def test_questions_answered_in_the_same_breath_are_two_people(merged: int, apart: int, *, said: bool) -> None:
    """Three of them, and one in fifty utterances."""
    turns = [("A", "Would Tuesday suit you? Yes, Tuesday is fine.")] * merged + [("B", "Would it? Then fine.")] * apart
    signals = text_signals(conversation(*turns), REP_AND_CUSTOMER, english=True)
    assert signals.reasons == (["merged_speakers"] if said else [])


@pytest.mark.parametrize("text", ["how you ", "thanks so much ", "we a a ", "our let me what you "])
def test_work_grows_with_the_words(text: str) -> None:
    """Text that begins many signals and ends none costs no more than twice as much when there is twice as much."""

    def look(times: int) -> None:
        text_signals(conversation(("A", text * times), ("B", "Mm.")), REP_AND_CUSTOMER, english=True, **NAMES)

    assert times_as_long(look, 1000, 4000) < FOUR_TIMES


def test_table_has_a_line_for_every_state_of_every_call() -> None:
    lines = run().lines
    assert len(lines) == 1 + 6 * len(SAMPLE_CALLS) + 2 * len(WRITTEN)
    assert all("needs roles" in line for line in lines if line.startswith("  swapped"))
