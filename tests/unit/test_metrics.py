"""Who talked how much."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import (
    SAMPLE_CALLS,
    conversation,
    intervals,
    moved,
    sample_timing,
    sample_transcript,
    utterance,
    utterance_lists,
)

from callcoach.transcript import Utterance
from scorecard.metrics import (
    band_for,
    has_target_mark,
    share,
    speaker_table,
    talk_listen,
    unassigned_share,
    union_ms,
    whole_percent,
    word_count,
)
from scorecard.scorecard import TalkListen
from scorecard.speakers import RoleAssignment

THREE_SIDES = RoleAssignment(
    sides={"A": "rep", "B": "customer", "C": "unassigned"},
    source="identification",
    identification="success",
    reasons=[],
)
MIRRORED = RoleAssignment(
    sides={"A": "customer", "B": "rep", "C": "unassigned"},
    source="identification",
    identification="success",
    reasons=[],
)


def talk(
    utterances: list[Utterance],
    roles: RoleAssignment = THREE_SIDES,
    *,
    duration_ms: int = 5000,
    call_type: str | None = None,
) -> TalkListen:
    return talk_listen(utterances, roles, duration_ms=duration_ms, target_rep_share=0.4, call_type=call_type)


def with_rep_share(rep_share: float, call_type: str) -> TalkListen:
    """Return the talk of a call in which the rep's share is rep_share, to four decimals."""
    rep_ms = round(rep_share * 10_000)
    said = [Utterance("A", "", 0, rep_ms), Utterance("B", "", rep_ms, 10_000)]
    return talk(said, duration_ms=10_000, call_type=call_type)


@given(intervals)
def test_union_counts_each_millisecond_once(times: list[tuple[int, int]]) -> None:
    """By definition: the number of milliseconds that lie in any interval."""
    covered = {moment for start_ms, end_ms in times for moment in range(start_ms, end_ms)}
    assert union_ms(times) == len(covered)


@given(intervals, st.randoms(use_true_random=False), st.integers(-1000, 1000))
def test_union_knows_no_order_and_no_origin(times, random, by_ms) -> None:
    shuffled = random.sample(times, len(times))
    assert union_ms((start_ms + by_ms, end_ms + by_ms) for start_ms, end_ms in shuffled) == union_ms(times)


@given(intervals, st.integers(0, 300))
def test_splitting_an_interval_changes_no_union(times: list[tuple[int, int]], after_ms: int) -> None:
    halves = []
    for start_ms, end_ms in times:
        middle_ms = min(start_ms + after_ms, end_ms)
        halves += [(start_ms, middle_ms), (middle_ms, end_ms)] if start_ms <= end_ms else [(start_ms, end_ms)]
    assert union_ms(halves) == union_ms(times)


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_share_has_four_decimals(part: int, rest: int) -> None:
    value = share(part, part + rest)
    assert value is not None
    assert value == round(value, 4)
    assert abs(value - part / (part + rest)) <= 0.00005 + 1e-12


def test_share_of_nothing_is_unknown() -> None:
    assert share(0, 0) is None


@given(st.integers(0, 10_000))
def test_whole_percents_of_both_sides_add_up_to_a_hundred(basis_points: int) -> None:
    """A reader adds the two numbers on the page; they must be 100, whatever was rounded."""
    rep_share = round(basis_points / 10_000, 4)
    assert whole_percent(rep_share) + whole_percent(round(1 - rep_share, 4)) == 100
    assert abs(whole_percent(rep_share) - 100 * rep_share) <= 0.5 + 1e-9


@given(utterance_lists(min_size=1))
def test_both_shares_add_up_to_one(utterances: list[Utterance]) -> None:
    said = talk(utterances)
    assert said.rep_ms is not None
    assert said.customer_ms is not None
    if said.rep_share is None:
        assert said.rep_ms + said.customer_ms == 0
        assert (said.verdict, said.not_judged_reason) == ("not_judged", "no_speech")
    else:
        assert said.customer_share is not None
        assert said.rep_share + said.customer_share == pytest.approx(1, abs=1e-9)


@given(utterance_lists(min_size=1), st.randoms(use_true_random=False))
def test_order_of_utterances_is_irrelevant(utterances, random) -> None:
    shuffled = random.sample(utterances, len(utterances))
    assert talk(shuffled) == talk(utterances)
    assert unassigned_share(shuffled, THREE_SIDES) == unassigned_share(utterances, THREE_SIDES)
    by_label = {row.label: row for row in speaker_table(utterances, THREE_SIDES)}
    assert {row.label: row for row in speaker_table(shuffled, THREE_SIDES)} == by_label


@given(utterance_lists(min_size=1), st.integers(0, 100_000))
def test_moving_the_whole_call_changes_no_talk_time(utterances: list[Utterance], by_ms: int) -> None:
    before, after = talk(utterances), talk(moved(utterances, by_ms))
    assert (after.rep_ms, after.customer_ms, after.rep_share) == (before.rep_ms, before.customer_ms, before.rep_share)
    assert speaker_table(moved(utterances, by_ms), THREE_SIDES) == speaker_table(utterances, THREE_SIDES)


@given(utterance_lists(min_size=1))
def test_swapping_the_roles_mirrors_the_numbers(utterances: list[Utterance]) -> None:
    one, other = talk(utterances), talk(utterances, MIRRORED)
    assert (one.rep_ms, one.customer_ms) == (other.customer_ms, other.rep_ms)
    if one.rep_share is not None:
        assert other.rep_share == pytest.approx(one.customer_share, abs=1.01e-4)
    assert unassigned_share(utterances, MIRRORED) == unassigned_share(utterances, THREE_SIDES)


@given(utterance_lists(min_size=1), st.integers(0, 5000))
def test_splitting_an_utterance_changes_no_talk_time(utterances: list[Utterance], after_ms: int) -> None:
    first = utterances[0]
    middle_ms = max(min(first.start_ms + after_ms, first.end_ms), first.start_ms)
    halves = [
        Utterance(first.speaker, "", first.start_ms, middle_ms),
        Utterance(first.speaker, first.text, middle_ms, first.end_ms),
    ]
    before, after = talk(utterances), talk([*halves, *utterances[1:]])
    assert (after.rep_ms, after.customer_ms) == (before.rep_ms, before.customer_ms)
    assert after.by_quarter_rep_share == before.by_quarter_rep_share


@given(utterance_lists(min_size=1))
def test_quarters_cover_the_whole_call(utterances: list[Utterance]) -> None:
    """Each quarter's share lies between 0 and 1; where only the rep speaks, it is 1 or unknown."""
    quarters = talk(utterances).by_quarter_rep_share
    assert quarters is not None
    assert len(quarters) == 4
    assert all(part is None or 0 <= part <= 1 for part in quarters)
    only_rep = [Utterance("A", said.text, said.start_ms, said.end_ms) for said in utterances]
    assert set(talk(only_rep).by_quarter_rep_share or []) <= {None, 1.0}


def test_quarters_show_who_spoke_when() -> None:
    said = [Utterance("A", "", 0, 2000), Utterance("B", "", 2000, 3000), Utterance("A", "", 2500, 3000)]
    assert talk(said, duration_ms=4000).by_quarter_rep_share == [1.0, 1.0, 0.3333, None]


def test_share_of_the_call_counts_the_silence() -> None:
    said = talk([Utterance("A", "one two", 0, 1000), Utterance("B", "three", 1000, 2000)], duration_ms=10_000)
    assert (said.rep_share, said.rep_share_of_call, said.rep_share_of_words) == (0.5, 0.1, 0.6667)


def test_unknown_sides_are_null_with_a_reason() -> None:
    roles = RoleAssignment(
        sides={"A": "rep", "B": "unassigned"}, source="none", identification="none", reasons=["role_missing"]
    )
    said = talk(conversation(("A", "hello there"), ("B", "hello")), roles)
    assert (said.rep_ms, said.customer_ms, said.rep_share, said.customer_share) == (None, None, None, None)
    assert said.by_quarter_rep_share is None
    assert (said.verdict, said.not_judged_reason) == ("not_judged", "roles_unknown")


def test_third_speaker_is_in_neither_side_and_counted() -> None:
    said = [Utterance("A", "", 0, 6), Utterance("B", "", 6, 9), Utterance("C", "", 9, 10)]
    assert talk(said, duration_ms=10).rep_share == 0.6667
    assert unassigned_share(said, THREE_SIDES) == 0.1


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_talk_times_of_the_samples_are_those_of_their_sound(name: str) -> None:
    """The scripts' own times, computed when the sound was made, know nothing of this code."""
    transcript = sample_transcript(name)
    roles = RoleAssignment(
        sides=dict.fromkeys((said.speaker for said in transcript.utterances or []), "rep"),
        source="none",
        identification="none",
        reasons=[],
    )
    table = {row.label: row.talk_ms for row in speaker_table(transcript.utterances or [], roles)}
    assert table == sample_timing(name)["talk_ms"]


def test_speakers_come_in_order_of_first_speech() -> None:
    said = conversation(("B", "good morning to you"), ("A", "and to you"), ("B", "so"))
    rows = speaker_table(said, RoleAssignment({"B": "customer", "A": "rep"}, "none", "none", []))
    assert [(row.label, row.role, row.talk_ms, row.words, row.utterances) for row in rows] == [
        ("B", "customer", 2000, 5, 2),
        ("A", "rep", 1200, 3, 1),
    ]
    assert [row.talk_share for row in rows] == [0.625, 0.375]


@pytest.mark.parametrize(
    ("call_type", "kind"),
    [
        ("discovery", "discovery"),
        (" Discovery ", "discovery"),
        ("intro", "discovery"),
        ("walkthrough", "demo"),
        ("outbound", "cold"),
        ("renewal", "follow-up"),
        ("other", "other"),
        ("tolerance", "other"),
        ("hostile <b>type</b>", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_band_follows_the_type_that_somebody_gave(call_type: str | None, kind: str) -> None:
    band = band_for(call_type)
    assert (band.kind, band.source) == (kind, f"bands.toml#{kind}")


@pytest.mark.parametrize("call_type", ["discovery", "demo", "cold", "follow-up", "other"])
def test_edges_of_a_band_are_tolerant(call_type: str) -> None:
    """Three hundredths outside are still in the band; one ten-thousandth more is not."""
    band = band_for(call_type)
    if band.low is not None:
        assert with_rep_share(band.low - 0.03, call_type).verdict == "in_band"
        assert with_rep_share(band.low - 0.0301, call_type).verdict == "below"
    if band.high is not None:
        assert with_rep_share(band.high + 0.03, call_type).verdict == "in_band"
        assert with_rep_share(band.high + 0.0301, call_type).verdict == "above"


def test_target_is_drawn_only_where_it_is_meant() -> None:
    drawn = {kind for kind in ("discovery", "demo", "cold", "follow-up", "other") if has_target_mark(band_for(kind))}
    assert drawn == {"discovery", "other"}


def test_words_are_counted_without_the_recognisers_list() -> None:
    said = utterance("A", "one two three")
    assert word_count(said) == 3
    assert word_count(Utterance("A", "one two  three four", 0, 1)) == 4


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_samples_are_in_order_of_time(name: str) -> None:
    """What the sentiment's windows and the report's timeline rest on."""
    utterances = sample_transcript(name).utterances or []
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(utterances))
