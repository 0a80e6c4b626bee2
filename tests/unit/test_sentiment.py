"""Where the customer's wording changed."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import (
    REP_AND_CUSTOMER,
    SAMPLE_CALLS,
    conversation,
    labelled_call,
    moved,
    rows_of,
    sample_transcript,
    utterance_lists,
)

from callcoach.transcript import SentimentRow, Utterance, Word
from scorecard.sentiment import (
    MINIMUM_OVERLAP,
    MINIMUM_ROWS,
    PUBLISHED_SHIFTS,
    Reading,
    find_shifts,
    maximal_segments,
    place_rows,
    read_sentiment,
)
from scorecard.speakers import RoleAssignment

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
    """Ruzzo and Tompa 1999, section 2: three disjoint segments."""
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


def test_words_of_a_row_are_those_whose_middle_it_covers() -> None:
    (said,) = conversation(("B", "one two three four five"))
    (row,) = place_rows([SentimentRow("NEUTRAL", 0.9, 600, 1399)], [said])
    assert [word.text for word in said.words[row.first_word : row.past_word]] == ["two", "three"]


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
        "why is that so terribly expensive?",
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
    placed = [row for row in place_rows(rows, utterances) if row.label or row.past_word - row.first_word > 3]
    (shift,) = find_shifts(placed, utterances)
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


@pytest.mark.parametrize(("negative", "neutral"), [(0.05, 0.80), (0.10, 0.72), (0.15, 0.50)])
@pytest.mark.parametrize("size", [20, 80])
def test_chance_alone_gives_hardly_a_shift(negative: float, neutral: float, size: int) -> None:
    """Labels drawn independently at a call's own rates: at most one clear shift in ten calls."""
    draw = random.Random(20)
    clear = 0
    for _ in range(100):
        labels = "".join(draw.choices("-0+", [negative, neutral, 1 - negative - neutral], k=size))
        utterances, rows = labelled_call(labels)
        placed = place_rows(rows, utterances)
        clear += sum(shift.strength == "clear" for shift in find_shifts(placed, utterances))
    assert clear <= 10
