"""Where the customer's wording changed."""

import json
import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.benchmarks.sentiment import (
    MIXES,
    SIZES,
    changed_by_one,
    clear_shift_after_a_change,
    customer_rows,
    drawn,
    found_by_chance,
    labelled_rows,
    power,
    run,
    shuffled,
)
from tests.unit.examples import (
    CALLS,
    REP_AND_CUSTOMER,
    ROLES,
    SAMPLE_CALLS,
    TESTS,
    conversation,
    labelled_call,
    moved,
    rows_of,
    sample_transcript,
    utterance_lists,
)
from tests.unit.growth import FOUR_TIMES, times_as_long

from callcoach.documents import encode
from callcoach.transcript import SentimentRow, Utterance, Word, decode_transcript, timed_rows
from scorecard.scorecard import TurnScores
from scorecard.sentiment import (
    MINIMUM_OVERLAP,
    MINIMUM_ROWS,
    POSSIBLE_EXPECTATION,
    PUBLISHED_SHIFTS,
    QUOTE_WORDS,
    Reading,
    ShiftCandidate,
    Turn,
    find_episodes,
    find_shifts,
    maximal_segments,
    place_rows,
    read_sentiment,
    speech_of,
    spoken_words,
    turn_scores,
    usable_rows,
)
from scorecard.speakers import RoleAssignment, assign_roles

NO_SIDES = RoleAssignment(
    sides={"A": "unassigned", "B": "unassigned"}, source="none", identification="none", reasons=[]
)

CALM = "0" * 12


def reading_of(labels: str) -> Reading:
    utterances, rows = labelled_call(labels)
    return read_sentiment(rows, utterances, REP_AND_CUSTOMER)


def segments_by_definition(scores: Sequence[int]) -> list[tuple[int, int, int]]:
    """All segments that outscore each of their proper parts, and lie in no longer segment that does so too."""
    bounds = [(first, past) for first in range(len(scores)) for past in range(first + 1, len(scores) + 1)]

    def outscores_its_parts(first: int, past: int) -> bool:
        whole = sum(scores[first:past])
        return whole > 0 and all(
            sum(scores[start:end]) < whole
            for start in range(first, past)
            for end in range(start + 1, past + 1)
            if (start, end) != (first, past)
        )

    good = [bound for bound in bounds if outscores_its_parts(*bound)]
    return [
        (first, past, sum(scores[first:past]))
        for first, past in good
        if not any(start <= first and past <= end and (start, end) != (first, past) for start, end in good)
    ]


@given(st.lists(st.integers(-4, 4), max_size=11))
def test_maximal_segments_are_those_of_the_definition(scores: list[int]) -> None:
    assert maximal_segments(scores) == segments_by_definition(scores)


def test_maximal_segments_of_the_papers_example() -> None:
    """Ruzzo and Tompa 1999: three disjoint segments."""
    scores = [4, -5, 3, -3, 1, 2, -2, 2, -2, 1, 5]
    assert maximal_segments(scores) == [(0, 1, 4), (2, 3, 3), (4, 11, 7)]


sentiment_rows = st.lists(
    st.builds(
        SentimentRow,
        st.sampled_from(["POSITIVE", "neutral", "NEGATIVE", "MIXED"]),
        st.floats(0, 1),
        st.none() | st.integers(0, 5000),
        st.none() | st.integers(0, 5000),
    ),
    max_size=12,
)


@given(sentiment_rows, utterance_lists())
def test_each_row_lies_in_the_utterance_that_it_overlaps_most(rows, utterances) -> None:
    """By definition, row by row: the largest overlap, not below the minimum, and the earlier utterance of equals."""
    expected = []
    for row in rows:
        if row.start_ms is None or row.end_ms is None or row.end_ms <= row.start_ms or row.sentiment == "MIXED":
            continue
        overlaps = [min(row.end_ms, said.end_ms) - max(row.start_ms, said.start_ms) for said in utterances]
        if not overlaps or max(overlaps) < MINIMUM_OVERLAP * (row.end_ms - row.start_ms):
            continue
        best = min(
            (index for index, overlap in enumerate(overlaps) if overlap == max(overlaps)),
            key=lambda index: (utterances[index].start_ms, index),
        )
        expected.append((row.start_ms, row.end_ms, best))
    placed = place_rows(rows, utterances)
    assert sorted((row.start_ms, row.end_ms, row.utterance) for row in placed) == sorted(expected)
    assert [row.start_ms for row in placed] == sorted(row.start_ms for row in placed)


def test_a_word_thrown_in_hides_no_row() -> None:
    """What the other side says within a long turn takes no row from it."""
    said = [Utterance("B", "one two", 0, 1000), Utterance("A", "mm", 100, 200), Utterance("A", "yes", 300, 350)]
    rows = [SentimentRow("NEUTRAL", 0.9, 500, 900), SentimentRow("NEUTRAL", 0.9, 100, 200)]
    assert [row.utterance for row in place_rows(rows, said)] == [0, 0]


def test_words_of_a_row_are_those_whose_middle_it_covers() -> None:
    (said,) = conversation(("B", "one two three four five"))
    (row,) = place_rows([SentimentRow("NEUTRAL", 0.9, 600, 1399)], [said])
    speech = speech_of([said])
    assert speech.text(0, speech.during(row)) == "two three"


def test_counts_are_per_side_and_their_shares_of_time() -> None:
    said = conversation(("A", "one two three"), ("B", "four"), ("B", "five six seven"), ("A", "eight"))
    reading = read_sentiment(
        [*rows_of(said, ["POSITIVE", "NEGATIVE", "NEUTRAL", "POSITIVE"]), SentimentRow("POSITIVE", 0.4, None, 70)],
        said,
        REP_AND_CUSTOMER,
    )
    assert (reading.counts.total, reading.counts.assigned, reading.counts.unassigned) == (5, 4, 1)
    assert reading.counts.below_0_5 == 1
    assert reading.by_side is not None
    rep, customer = reading.by_side.rep, reading.by_side.customer
    assert (rep.positive, rep.neutral, rep.negative, rep.positive_share) == (2, 0, 0, 1.0)
    assert (customer.positive, customer.neutral, customer.negative) == (0, 1, 1)
    assert (customer.neutral_share, customer.negative_share) == (0.75, 0.25)


def test_without_sides_nothing_is_known_about_the_customer() -> None:
    utterances, rows = labelled_call("0" * 40)
    reading = read_sentiment(rows, utterances, NO_SIDES)
    assert reading.by_side is None
    assert reading.candidates is None
    assert reading.candidates_reason == "roles_doubtful"
    assert reading.counts.assigned == 40


def test_too_few_rows_are_said_to_be_too_few() -> None:
    """One row less than the minimum is null with its reason; at the minimum there is an answer."""
    few, enough = reading_of("0" * (MINIMUM_ROWS - 1)), reading_of("0" * MINIMUM_ROWS)
    assert (few.candidates, few.candidates_reason, few.usable_customer_rows) == (None, "too_few_rows", MINIMUM_ROWS - 1)
    assert few.by_side is not None
    assert (enough.candidates, enough.candidates_reason) == ([], None)


@pytest.mark.parametrize("labels", ["0" * 60, "+" * 60, "-" * 60, "0-0+" * 15])
def test_an_even_call_has_no_shift(labels: str) -> None:
    """All alike, or a polarity that is the call's state, is no event in it."""
    assert reading_of(labels).candidates == []


def test_a_polarity_that_fills_the_call_is_no_event() -> None:
    """Above two fifths of the sentences it is the state of the call, however it is spread."""
    assert reading_of("0" * 36 + "-" * 24).candidates
    assert reading_of("0" * 35 + "-" * 25).candidates == []


def test_a_dense_stretch_is_a_shift() -> None:
    """Its bounds are those of its first and last negative row, its counts those of the stretch and of the rest."""
    labels = CALM + "0+00-" + CALM + "-----" + CALM + CALM
    reading = reading_of(labels)
    assert reading.candidates is not None
    (shift,) = reading.candidates
    utterances, rows = labelled_call(labels)
    first = labels.index("-----")
    assert (shift.at_ms, shift.until_ms) == (rows[first].start_ms, rows[first + 4].end_ms)
    assert (shift.strength, shift.from_, shift.to, shift.recovered) == ("clear", "neutral", "negative", True)
    assert (shift.here.rows, shift.here.polar_rows) == (5, 5)
    assert (shift.elsewhere.rows, shift.elsewhere.polar_rows) == (len(labels) - 5, 1)
    assert 0 < shift.expected_by_chance <= 0.05
    assert shift.last_utterance == first + 5
    assert utterances[shift.first_utterance].end_ms > shift.at_ms - 90_000


def test_a_stretch_at_the_end_is_not_recovered() -> None:
    reading = reading_of(CALM + CALM + CALM + "----" + "0000")
    assert reading.candidates is not None
    assert [shift.recovered for shift in reading.candidates] == [False]
    reading = reading_of(CALM + CALM + CALM + "----" + "00000")
    assert reading.candidates is not None
    assert [shift.recovered for shift in reading.candidates] == [True]


def test_a_turn_for_the_better_says_what_it_comes_from() -> None:
    reading = reading_of(CALM + CALM + "-----" + "+++++++" + CALM + CALM)
    assert reading.candidates is not None
    assert [(shift.from_, shift.to) for shift in reading.candidates] == [
        ("neutral", "negative"),
        ("negative", "positive"),
    ]


def test_no_more_than_three_shifts_and_those_in_order_of_time() -> None:
    reading = reading_of((CALM + CALM + "-----") * 5 + CALM)
    assert reading.candidates is not None
    assert len(reading.candidates) == PUBLISHED_SHIFTS
    assert [shift.at_ms for shift in reading.candidates] == sorted(shift.at_ms for shift in reading.candidates)


def test_unsure_labels_count_as_neutral() -> None:
    utterances, rows = labelled_call(CALM + "------" + CALM)
    unsure = [SentimentRow(row.sentiment, 0.49, row.start_ms, row.end_ms) for row in rows]
    assert read_sentiment(unsure, utterances, REP_AND_CUSTOMER).candidates == []
    sure = [SentimentRow(row.sentiment, 0.5, row.start_ms, row.end_ms) for row in rows]
    assert read_sentiment(sure, utterances, REP_AND_CUSTOMER).candidates


def test_one_long_breath_is_not_enough() -> None:
    """Three negative sentences within one short utterance are one remark."""
    calm = [("B", f"we plan number {index} of the shifts by hand") for index in range(40)]
    said = conversation(*calm[:20], ("B", " ".join(["that is really very bad"] * 4)), *calm[20:], pause_ms=10_000)
    long = said[20]
    rows = rows_of([*said[:20], *said[21:]], ["NEUTRAL"] * 40)
    rows += [
        SentimentRow("NEGATIVE", 0.9, long.words[5 * part].start_ms, long.words[5 * part + 4].end_ms)
        for part in range(4)
    ]
    assert read_sentiment(rows, said, REP_AND_CUSTOMER).candidates == []


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("Thanks so much, take care, goodbye.", False),
        ("Thanks for making the time this morning.", False),
        ("Thank you for showing us the plan.", False),
        ("Nice to meet you in person, Dana.", False),
        ("No, not that.", False),
        ("We lost two renewals.", True),
        ("Okay, so 40 a day.", True),
        ("We lost two renewals in March.", True),
    ],
)
def test_courtesies_and_scraps_are_left_out(text: str, *, usable: bool) -> None:
    """Greetings and thanks in a call's first minute, and sentences of three words, say nothing about its course."""
    said = conversation(("B", text), ("A", " ".join(["word"] * 600)))
    assert read_sentiment(rows_of(said, ["POSITIVE"] * 2), said, REP_AND_CUSTOMER).usable_customer_rows == usable


def test_the_first_minute_begins_with_the_first_words() -> None:
    """Ten minutes of music before the call make no statement of a thanks."""
    said = moved(conversation(("B", "Thank you for showing us the plan."), ("A", " ".join(["word"] * 600))), 600_000)
    assert read_sentiment(rows_of(said, ["POSITIVE"] * 2), said, REP_AND_CUSTOMER).usable_customer_rows == 0


def test_thanks_in_the_middle_of_a_call_count() -> None:
    talk = ("A", " ".join(["word"] * 200))
    said = conversation(talk, ("B", "Thanks for showing us the whole plan."), talk)
    assert read_sentiment(rows_of(said[1:2], ["POSITIVE"]), said, REP_AND_CUSTOMER).usable_customer_rows == 1


def test_quote_is_the_surest_and_longest_statement() -> None:
    """It is cut from the utterance; a question or a scrap shows nothing."""
    labels = CALM + "-----" + CALM
    utterances, rows = labelled_call(labels)
    texts = [
        "bad",
        "why is that so expensive for clinics like ours?",
        "that is too much",
        "a number like that I cannot take to anybody",
        "no",
    ]
    for offset, text in enumerate(texts):
        said = utterances[13 + offset]
        words = [
            Word(word, said.start_ms + 400 * at, said.start_ms + 400 * (at + 1)) for at, word in enumerate(text.split())
        ]
        utterances[13 + offset] = Utterance("B", text, said.start_ms, said.end_ms, words)
    speech = speech_of(utterances)
    placed = [row for row in place_rows(rows, utterances) if row.label or len(speech.during(row)) > 3]
    (shift,) = find_shifts(placed, speech)
    assert shift.quote is not None
    assert (shift.quote.utterance, shift.quote.text, shift.quote.label) == (16, texts[3], "B")
    assert (shift.quote.start_ms, shift.quote.end_ms) == (utterances[16].start_ms, utterances[16].words[-1].end_ms)


def test_long_quote_is_cut_from_its_middle() -> None:
    labels = CALM + "-----" + CALM
    utterances, rows = labelled_call(labels)
    long = conversation(("B", " ".join(f"w{number}" for number in range(60))))[0]
    utterances[14] = moved([long], utterances[14].start_ms)[0]
    rows[13] = SentimentRow("NEGATIVE", 0.99, utterances[14].start_ms, utterances[14].end_ms)
    (shift,) = read_sentiment(rows, utterances, REP_AND_CUSTOMER).candidates or []
    assert shift.quote is not None
    assert shift.quote.text.split() == [f"w{number}" for number in range(10, 50)]


@given(st.text("+-000", min_size=20, max_size=80), st.randoms(use_true_random=False))
def test_order_of_the_rows_is_irrelevant(labels: str, shuffle: random.Random) -> None:
    utterances, rows = labelled_call(labels)
    shuffled = shuffle.sample(rows, len(rows))
    assert read_sentiment(shuffled, utterances, REP_AND_CUSTOMER) == read_sentiment(rows, utterances, REP_AND_CUSTOMER)


@given(st.text("+-000", min_size=20, max_size=60), st.randoms(use_true_random=False))
def test_order_of_the_utterances_is_irrelevant(labels: str, shuffle: random.Random) -> None:
    utterances, rows = labelled_call(labels)
    before = read_sentiment(rows, utterances, REP_AND_CUSTOMER)
    after = read_sentiment(rows, shuffle.sample(utterances, len(utterances)), REP_AND_CUSTOMER)
    assert (after.counts, after.by_side, after.aws_style_score) == (
        before.counts,
        before.by_side,
        before.aws_style_score,
    )
    assert [essence(shift) for shift in after.candidates or []] == [essence(shift) for shift in before.candidates or []]


@given(st.text("+-000", min_size=20, max_size=80), st.integers(0, 3_600_000))
def test_moving_the_whole_call_moves_its_shifts(labels: str, by_ms: int) -> None:
    """Music before the call changes nothing but the times."""
    utterances, rows = labelled_call(labels)
    later = moved(utterances, by_ms)
    before = read_sentiment(rows, utterances, REP_AND_CUSTOMER)
    after = read_sentiment(rows_of(later[1:-1], [row.sentiment for row in rows]), later, REP_AND_CUSTOMER)
    assert (after.counts, after.by_side) == (before.counts, before.by_side)
    assert after.usable_customer_rows == before.usable_customer_rows
    assert [(shift.at_ms - by_ms, shift.expected_by_chance) for shift in after.candidates or []] == [
        (shift.at_ms, shift.expected_by_chance) for shift in before.candidates or []
    ]


@pytest.mark.parametrize("label", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_rows_of_the_rep_change_no_shift(name: str, label: str) -> None:
    transcript = sample_transcript(name)
    utterances = transcript.utterances or []
    rows = transcript.sentiment_rows or []
    roles = RoleAssignment({"A": "rep", "B": "customer", "C": "unassigned"}, "identification", "success", [])
    placed = {
        (row.start_ms, row.end_ms): roles.sides[utterances[row.utterance].speaker]
        for row in place_rows(rows, utterances)
    }
    changed = [
        SentimentRow(label, row.confidence, row.start_ms, row.end_ms)
        if placed.get((row.start_ms or 0, row.end_ms or 0)) == "rep"
        else row
        for row in rows
    ]
    assert read_sentiment(changed, utterances, roles).candidates == read_sentiment(rows, utterances, roles).candidates


def episodes_per_call(calls: Iterable[list[int]]) -> tuple[float, float]:
    found = found_by_chance(calls)
    return found.clear, found.possible


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("size", SIZES)
def test_chance_alone_gives_hardly_a_shift(mix: tuple[float, float, float], size: int) -> None:
    """Labels drawn independently at a call's own rates: at most one clear shift in ten calls."""
    clear, possible = episodes_per_call(drawn(mix, size, 150))
    assert clear <= 0.1
    assert possible <= 0.6


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_order_alone_makes_a_shift(name: str) -> None:
    """The same labels in a thousand other orders."""
    clear, possible = episodes_per_call(shuffled(name, 1000))
    assert clear <= 0.1
    assert possible <= 0.6


@pytest.mark.parametrize(
    ("mix", "length", "share", "clear", "possible"),
    [
        (MIXES[1], 8, 0.65, 0.70, 0.89),
        (MIXES[2], 8, 0.65, 0.46, 0.80),
        (MIXES[1], 6, 0.60, 0.44, 0.72),
        (MIXES[2], 6, 0.60, 0.24, 0.60),
    ],
)
def test_a_planted_stretch_is_found(mix, length, share, clear, possible) -> None:
    """Five points below what was measured; the onset is right, or nearly."""
    found = power(mix, length, share, 600)
    assert found.clear >= clear
    assert found.possible >= possible
    assert found.onset_errors[len(found.onset_errors) // 2] <= 1
    assert found.onset_errors[len(found.onset_errors) * 9 // 10] <= 3


def test_a_clear_shift_does_not_hang_on_one_label() -> None:
    """Whichever row is labelled otherwise or left out, the sample call's shift stays at least possible."""
    after = clear_shift_after_a_change("discovery_price_shock")
    rows = len(customer_rows("discovery_price_shock"))
    assert {kind: len(expected) for kind, expected in after.items()} == {
        "left out": rows,
        "labelled otherwise": 2 * rows,
    }
    assert max(max(expected) for expected in after.values()) <= POSSIBLE_EXPECTATION


def test_changes_are_of_one_row() -> None:
    rows = labelled_rows([0, -1])
    changed = [[row.label for row in other] for _, other in changed_by_one(rows)]
    assert changed == [[-1], [-1, -1], [1, -1], [0], [0, 0], [0, 1]]


def test_price_shock_is_the_one_clear_shift_of_the_sample_calls() -> None:
    """What the customer says about the old tool is a possible one: whether it is one, the words must show."""
    shifts = {name: sample_reading(name).candidates for name in SAMPLE_CALLS}
    complaint, shock = shifts.pop("discovery_price_shock") or []
    assert [shift for found in shifts.values() for shift in found or []] == []
    said = sample_transcript("discovery_price_shock").utterances or []
    assert "old tool is a nightmare" in said[3].text
    assert (complaint.strength, complaint.to, complaint.last_utterance) == ("possible", "negative", 5)
    assert "18,000" in said[15].text
    assert (shock.strength, shock.from_, shock.to, shock.recovered) == ("clear", "neutral", "negative", True)
    assert (shock.at_ms, shock.until_ms) == (said[15].start_ms, said[17].end_ms)
    assert (shock.here.polar_rows, shock.here.rows) == (7, 8)
    assert shock.quote
    assert shock.quote.text in said[17].text


def sample_reading(name: str) -> Reading:
    transcript = sample_transcript(name)
    roles = assign_roles(transcript.utterances or [], transcript.identification, ROLES)
    return read_sentiment(transcript.sentiment_rows or [], transcript.utterances or [], roles)


def test_rows_after_a_shift_count_outside_negative_stretches_only() -> None:
    """It is recovered when five sentences follow that lie in no other negative stretch."""
    apart = CALM + CALM + CALM + "-----" + "0000+00" + "------" + "00"
    shifts = reading_of(apart).candidates or []
    assert len(shifts) in (1, 2)
    assert shifts[0].recovered == (len(shifts) == 2)
    assert not shifts[-1].recovered


@pytest.mark.parametrize(
    ("stretch", "strength"),
    [("--0-", "possible"), ("-0--", "possible"), ("---", "possible"), ("----", "clear"), ("-----", "clear")],
)
def test_how_many_close_together_are_a_shift(stretch: str, strength: str) -> None:
    """In a call of the usual mix three negative sentences within four are possible, four in a row are clear."""
    usual = "0-0+0-0+" + CALM, CALM + "000-00+00-00+0+0000+"
    (shift,) = reading_of(usual[0] + CALM + stretch + usual[1]).candidates or []
    assert shift.strength == strength


def test_the_more_usual_the_wording_the_more_it_takes() -> None:
    """The same stretch is clear in a calm call and no shift in one that is negative throughout."""
    (shift,) = reading_of(CALM * 3 + "-0-0-0-" + CALM * 3).candidates or []
    assert shift.strength == "clear"
    assert reading_of("0-00-00-0" * 4 + "-0-0-0-" + "0-00-00-0" * 4).candidates == []


@pytest.mark.parametrize(
    ("stretch", "polarity"),
    [("+++++++---", 1), ("++-----++", -1), ("--+++++--", 1), ("---+++++++", 1), ("-----++", -1)],
)
def test_of_two_overlapping_stretches_the_less_expected_stays(stretch: str, polarity: int) -> None:
    """And what does not overlap it."""
    signs = {"+": 1, "-": -1, "0": 0}
    episodes = find_episodes(labelled_rows(signs[sign] for sign in CALM * 4 + stretch + CALM * 4))
    assert all(one.past <= other.first for one, other in pairwise(episodes))
    assert min(episodes, key=lambda episode: episode.expected_by_chance).polarity == polarity


@pytest.mark.parametrize(
    ("labels", "is_usual"),
    [
        ("0" * 50 + "+" * 3 + "-" * 7, False),
        # Where every third sentence is negative, an episode must reach twice that rate.
        ("-000" * 10 + "-" * 9 + "-000" * 8, True),
    ],
)
def test_expectation_is_that_of_the_formula(labels: str, *, is_usual: bool) -> None:
    """By definition: 0.2 n exp(-score), where a row scores the log of its rate in an episode by the call's own."""
    size = len(labels)
    prior = {"-": 0.10, "0": 0.72, "+": 0.18}
    usual = {sign: (labels.count(sign) + 10 * share) / (size + 10) for sign, share in prior.items()}
    assert (2 * usual["-"] > 0.55) == is_usual
    negative = max(0.55, 2 * usual["-"])
    rates = {"-": negative, "0": 0.38 * (1 - negative) / 0.45, "+": 0.07 * (1 - negative) / 0.45}
    signs = {"+": 1, "-": -1, "0": 0}
    (episode,) = find_episodes(labelled_rows(signs[sign] for sign in labels))
    assert episode.polarity == -1
    score = sum(log(rates[sign] / usual[sign]) for sign in labels[episode.first : episode.past])
    assert episode.expected_by_chance == pytest.approx(0.2 * size * exp(-score), rel=1e-4)


courtesies = st.lists(
    st.sampled_from(["Thank you so much.", "Okay, great, sounds good.", "Sure, perfect.", "Yes, awesome, thank you."]),
    min_size=1,
    max_size=6,
)


@given(st.text("+-000", min_size=20, max_size=60), courtesies, st.integers(0, 60))
def test_courtesies_change_no_shift(labels: str, said: list[str], at: int) -> None:
    """Wherever they are said, and however they are labelled."""
    utterances, rows = labelled_call(labels)
    before = read_sentiment(rows, utterances, REP_AND_CUSTOMER)
    place = 1 + min(at, len(labels))
    gap_ms = utterances[place].start_ms - 9000
    polite = moved(conversation(*(("B", text) for text in said), pause_ms=10), gap_ms)
    more = [*utterances[:place], *polite, *utterances[place:]]
    after = read_sentiment([*rows, *rows_of(polite, ["POSITIVE"] * len(polite))], more, REP_AND_CUSTOMER)
    assert [essence(shift) for shift in after.candidates or []] == [essence(shift) for shift in before.candidates or []]


def essence(shift: ShiftCandidate) -> tuple[object, ...]:
    return shift.at_ms, shift.until_ms, shift.strength, shift.to, shift.here, shift.elsewhere, shift.recovered


def test_rows_of_unassigned_speakers_are_on_no_side() -> None:
    utterances, rows = labelled_call(CALM + "-----" + CALM)
    others = [msgspec.structs.replace(said, speaker="C") for said in utterances[1:-1]]
    roles = RoleAssignment({"A": "rep", "B": "customer", "C": "unassigned"}, "identification", "success", [])
    customer = moved(conversation(("B", "we plan all of this by hand")), utterances[-1].end_ms + 1000)
    reading = read_sentiment(rows, [utterances[0], *others, utterances[-1], *customer], roles)
    assert reading.usable_customer_rows == 0
    assert reading.counts.assigned == len(rows)


def test_contradicted_roles_leave_only_counts() -> None:
    utterances, rows = labelled_call(CALM + "-----" + CALM)
    doubted = msgspec.structs.replace(REP_AND_CUSTOMER, contradicted=True)
    reading = read_sentiment(rows, utterances, doubted)
    assert (reading.candidates, reading.candidates_reason) == (None, "roles_doubtful")
    assert (reading.by_side, reading.aws_style_score) == (None, None)


# What is published of a shift's words.


@given(st.text("-000", min_size=20, max_size=50), st.sampled_from([" ", "  ", "\n", "\u00a0 "]), st.booleans())
def test_a_quote_stands_in_its_utterance(labels: str, space: str, with_words: bool) -> None:  # noqa: FBT001
    """Word for word, with the spaces that the text has, and never more than forty words."""
    utterances, rows = labelled_call(labels)
    for index, said in enumerate(utterances):
        long = space.join(f"{said.text} number {part}." for part in range(8 if index % 2 else 1))
        words = [Word(word, said.start_ms + at, said.start_ms + at + 1) for at, word in enumerate(long.split())]
        utterances[index] = Utterance(said.speaker, long, said.start_ms, said.end_ms, words if with_words else None)
    for shift in read_sentiment(rows, utterances, REP_AND_CUSTOMER).candidates or []:
        assert shift.quote
        assert shift.quote.text in utterances[shift.quote.utterance].text
        assert 5 <= len(shift.quote.text.split()) <= QUOTE_WORDS
        assert shift.at_ms <= shift.quote.start_ms <= shift.quote.end_ms <= shift.until_ms


def test_a_long_quote_keeps_whole_sentences() -> None:
    """Where the middle forty words hold the border of a sentence, it begins and ends there."""
    utterances, rows = labelled_call(CALM + "-----" + CALM)
    text = " ".join(["word"] * 20 + ["end."] + ["The", "whole", "sentence", "that", "is", "quoted."] + ["word"] * 30)
    utterances[14] = moved(conversation(("B", text)), utterances[14].start_ms)[0]
    rows[13] = SentimentRow("NEGATIVE", 0.99, utterances[14].start_ms, utterances[14].end_ms)
    (shift,) = read_sentiment(rows, utterances, REP_AND_CUSTOMER).candidates or []
    assert shift.quote
    assert shift.quote.text == "The whole sentence that is quoted."


def test_words_without_times_are_spread_over_their_utterance() -> None:
    said = Utterance("B", "one two  three.", 1000, 2500)
    assert [(said.text[word.start : word.end], word.start_ms, word.end_ms) for word in spoken_words(said)] == [
        ("one", 1000, 1300),
        ("two", 1400, 1700),
        ("three.", 1900, 2500),
    ]


@pytest.mark.parametrize("words", [["one", "three"], ["one", "two", "four"], ["two", "one", "three"], [""]])
def test_words_that_are_not_those_of_the_text_give_no_times(words: list[str]) -> None:
    said = Utterance("B", "one two three", 0, 1300, [Word(word, 7, 8) for word in words])
    assert [(word.start, word.start_ms) for word in spoken_words(said)] == [(0, 0), (4, 400), (8, 800)]


def test_a_word_has_the_marks_that_follow_it() -> None:
    said = Utterance("B", "Wow, “really”? Yes.", 0, 900, [Word("Wow", 0, 1), Word("really", 2, 3), Word("Yes", 4, 5)])
    assert [said.text[word.start : word.end] for word in spoken_words(said)] == ["Wow,", "really”?", "Yes."]


# Rows that the service gives no times.


def test_a_row_without_times_is_placed_by_its_words() -> None:
    """Its tag is no word of it, and one word in five may differ."""
    said = conversation(("A", "how is it going with the tool"), ("B", "It loses our shift swaps all the time."))
    rows = [
        SentimentRow("NEGATIVE", 0.9, None, 9999, "[Speaker:2] It loses your shift swaps all the time"),
        SentimentRow("NEGATIVE", 0.9, 900, 900, "it is going"),
        SentimentRow("NEGATIVE", 0.9, None, None, "It lost all of its swaps at that time"),
        SentimentRow("NEGATIVE", 0.9, None, None, "[Speaker:2]"),
        SentimentRow("NEGATIVE", 0.9, None, None, None),
    ]
    found = timed_rows(rows, said)
    assert [row.text for row in found] == [None] * 5
    assert [(row.start_ms, row.end_ms) for row in found[:2]] == [
        (said[1].start_ms, said[1].end_ms),
        (said[0].words[1].start_ms, said[0].words[3].end_ms),
    ]
    assert not any(row.is_timed for row in found[2:])
    reading = read_sentiment(found, said, REP_AND_CUSTOMER)
    assert (reading.counts.assigned, reading.counts.unassigned) == (2, 3)


def test_the_nearest_place_is_taken() -> None:
    """The same words are said often; rows come in the order of speech."""
    said = conversation(*[("B", "we do it by hand today")] * 6)
    untimed = SentimentRow("NEUTRAL", 0.9, None, None, "We do it by hand today.")
    third = SentimentRow("NEUTRAL", 0.9, said[3].start_ms, said[3].end_ms)
    found = timed_rows([untimed, untimed, third, untimed, untimed, untimed], said)
    assert [row.start_ms for row in found] == [said[index].start_ms for index in (0, 1, 3, 4, 5, 5)]


def test_words_without_times_place_rows_too() -> None:
    said = [Utterance("B", "one two three. four five six.", 0, 2900)]
    (row,) = timed_rows([SentimentRow("NEUTRAL", 0.9, None, None, "Four five six")], said)
    assert (row.start_ms, row.end_ms) == (1500, 2800)


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_sample_calls_lose_no_row(name: str) -> None:
    """Each has one without a start, as real transcripts do; its end is found too."""
    said = json.loads((CALLS / name / "transcript.json").read_text("utf-8"))["sentiment_analysis_results"]
    (untimed,) = [index for index, row in enumerate(said) if row["start"] is None]
    row = (sample_transcript(name).sentiment_rows or [])[untimed]
    assert row.is_timed
    assert row.end_ms == said[untimed]["end"]
    assert sample_reading(name).counts.unassigned == 0


def test_no_character_of_a_row_s_text_stays() -> None:
    """Timed or not, placed or not: it may hold what the transcript has redacted."""
    said = json.loads((CALLS / "discovery_price_shock" / "transcript.json").read_text("utf-8"))
    for index, row in enumerate(said["sentiment_analysis_results"]):
        row["text"] = f"[Speaker:7] MARKER {row['text']} MARKER"
        row["speaker"] = "MARKER"
        if index % 3 == 0:
            row["start"] = None
    transcript = decode_transcript(json.dumps(said).encode())
    roles = RoleAssignment({"A": "rep", "B": "customer"}, "identification", "success", [])
    reading = read_sentiment(transcript.sentiment_rows or [], transcript.utterances or [], roles)
    assert reading.counts.assigned > 80
    assert b"MARKER" not in encode(transcript) + msgspec.json.encode(reading)


@pytest.mark.parametrize("speaker", [None, "A", "Z"])
def test_neither_speaker_nor_tags_of_rows_matter(speaker: str | None) -> None:
    said = json.loads((CALLS / "discovery_price_shock" / "transcript.json").read_text("utf-8"))
    before = sample_reading("discovery_price_shock")
    for row in said["sentiment_analysis_results"]:
        row["text"] = "[Speaker:9] " + row["text"].removeprefix("[Speaker:1] ").removeprefix("[Speaker:2] ")
        row["speaker"] = speaker
    transcript = decode_transcript(json.dumps(said).encode())
    roles = RoleAssignment({"A": "rep", "B": "customer"}, "identification", "success", [])
    assert read_sentiment(transcript.sentiment_rows or [], transcript.utterances or [], roles) == before


# The score of turns.


def published_scores() -> list[tuple[list[Turn], TurnScores]]:
    calls = json.loads((TESTS / "data" / "aws_published_sentiment.json").read_text("utf-8"))["calls"]
    return [
        (
            [Turn(*turn) for turn in participant["turns"]],
            TurnScores(overall=participant["overall"], quarters=participant["quarters"]),
        )
        for call in calls
        for participant in call["participants"].values()
    ]


def test_turn_scores_are_those_that_aws_published() -> None:
    """39 of 40 numbers; where a side says nothing AWS has 0."""
    hits = []
    for turns, published in published_scores():
        ours = turn_scores(turns)
        hits += [
            (mine or 0.0) == theirs
            for mine, theirs in zip(
                [ours.overall, *ours.quarters], [published.overall, *published.quarters], strict=True
            )
        ]
    assert len(hits) == 40
    assert sum(hits) >= 39


def test_streaks_weigh_their_length() -> None:
    """1 + 2 + 3 for three in a row; a neutral turn weighs 1 and ends the streak."""

    def overall(*polarities: int) -> float | None:
        return turn_scores([Turn(10 * at, 10 * at + 5, polarity) for at, polarity in enumerate(polarities)]).overall

    assert overall() is None
    assert overall(0) == 0.0
    assert overall(1) == 5.0
    assert overall(1, 1, 1, 0) == 4.3
    assert overall(1, 0, 1, 1) == 4.0
    assert overall(-1, 0, 0, 0) == -1.3
    assert overall(1, -1) == 0.0


def test_a_silent_quarter_has_no_score() -> None:
    """A turn belongs to the quarter in which it begins; the last one ends with the side's last turn."""
    scores = turn_scores([Turn(0, 100, 1), Turn(2000, 2100, -1), Turn(3900, 4000, 0)])
    assert scores.quarters == [5.0, None, -5.0, 0.0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["NEGATIVE", "NEUTRAL", "NEUTRAL", "NEUTRAL"], -5.0),
        (["NEGATIVE", "NEUTRAL", "NEUTRAL", "NEUTRAL", "NEUTRAL"], 0.0),
        (["NEGATIVE", "POSITIVE", "NEUTRAL", "NEUTRAL"], 0.0),
        (["NEGATIVE"] * 6, -5.0),
    ],
)
def test_a_turn_leans_where_a_quarter_of_its_words_does(labels: list[str], expected: float) -> None:
    """Six angry sentences in one breath are one angry turn."""
    said = conversation(("A", "so"), ("B", " ".join(["that is really very bad"] * len(labels))))
    rows = [
        SentimentRow(label, 0.9, said[1].words[5 * part].start_ms, said[1].words[5 * part + 4].end_ms)
        for part, label in enumerate(labels)
    ]
    scores = read_sentiment(rows, said, REP_AND_CUSTOMER).aws_style_score
    assert scores is not None
    assert (scores.customer.overall, scores.rep.overall) == (expected, 0.0)


@given(st.text("+-000", max_size=40))
def test_mirrored_roles_mirror_the_scores(labels: str) -> None:
    utterances, rows = labelled_call(labels)
    mirrored = RoleAssignment({"A": "customer", "B": "rep"}, "identification", "success", [])
    scores = read_sentiment(rows, utterances, REP_AND_CUSTOMER).aws_style_score
    other = read_sentiment(rows, utterances, mirrored).aws_style_score
    assert scores
    assert other
    assert (scores.rep, scores.customer) == (other.customer, other.rep)


# Anything, and much of it.


@given(sentiment_rows, utterance_lists())
def test_any_rows_can_be_read(rows: list[SentimentRow], utterances: list[Utterance]) -> None:
    roles = RoleAssignment({"A": "rep", "B": "customer", "C": "unassigned"}, "identification", "success", [])
    reading = read_sentiment(rows, utterances, roles)
    assert reading.counts.assigned + reading.counts.unassigned == reading.counts.total == len(rows)
    assert len(usable_rows(reading.placed, speech_of(utterances))) <= len(reading.placed)


def hours_of(hours: int) -> tuple[list[Utterance], list[SentimentRow]]:
    said = [
        Utterance(said.speaker, said.text, 8000 * index, 8000 * index + 7000, said.words)
        for index, said in enumerate(
            conversation(*[("A", "yes"), ("B", "we plan all of this by hand and on paper")] * 225 * hours)
        )
    ]
    draw = random.Random(10)
    return said, rows_of(said, draw.choices(["NEGATIVE", "NEUTRAL", "POSITIVE"], (10, 72, 18), k=len(said)))


@pytest.mark.parametrize(
    "rows_from",
    [
        lambda said, rows: rows,
        lambda said, rows: [SentimentRow(row.sentiment, 0.9, None, None, "words that nobody says") for row in rows],
        lambda said, rows: [
            SentimentRow(row.sentiment, 0.9, None, None, one.text) for one, row in zip(said, rows, strict=True)
        ],
    ],
    ids=["timed", "untimed and never said", "untimed"],
)
def test_work_grows_with_the_call(rows_from: Any) -> None:
    def read(call: tuple[list[Utterance], list[SentimentRow]]) -> None:
        said, rows = call
        read_sentiment(timed_rows(rows_from(said, rows), said), said, REP_AND_CUSTOMER)

    assert times_as_long(read, hours_of(1), hours_of(4)) < FOUR_TIMES


@pytest.mark.parametrize("first", [[1, -2], [2, -1]])
@pytest.mark.parametrize("then", [[], [1, -2], [2, -1]])
def test_work_grows_with_the_scores(first: list[int], then: list[int]) -> None:
    """Falling and rising sums, which each make one of the two searches long, and what follows one on the other."""
    few, many = ([*first * times, *then * times] for times in (2_000, 8_000))
    assert times_as_long(maximal_segments, few, many) < FOUR_TIMES


def test_tables_are_printed() -> None:
    assert len(run(20).lines) > 20
