"""The numbers about a conversation, against calls whose numbers can be told by hand, and what holds for every call."""

import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
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
from tests.unit.growth import FOUR_TIMES, times_as_long

from callcoach.call_types import CALL_TYPES
from callcoach.transcript import Utterance
from scorecard import metrics
from scorecard.english import TRACKERS, Tracker
from scorecard.metrics import (
    band_for,
    call_metrics,
    has_target_mark,
    mentions,
    notices,
    share,
    speaker_table,
    stretches,
    talk_listen,
    turns_of,
    unassigned_share,
    union_ms,
    whole_percent,
    word_count,
)
from scorecard.scorecard import Mention, Metric, Side, Span, TalkListen
from scorecard.speakers import RoleAssignment, is_role_question

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


SWAPPED: dict[Side, Side] = {"rep": "customer", "customer": "rep", "unassigned": "unassigned"}

QUESTION = "How do you plan the shifts today?"
ANSWER = "We plan all of that by hand and it takes the whole Friday"


@st.composite
def calls(draw: st.DrawFn) -> list[Utterance]:
    """Utterances of A, B and C at any time: overlapping, empty, reversed, before the start, out of order."""
    texts = st.sampled_from(
        [
            "",
            "yes",
            "mhm yeah",
            QUESTION,
            ANSWER,
            "um, we lost two\u00a0renewals, right?",
            "Ärger \u2013 it's the price",
            "日本語",
        ]
    )
    times = st.integers(-10_000, 60_000)
    return draw(st.lists(st.builds(Utterance, st.sampled_from("ABC"), texts, times, times), max_size=14))


def measured(utterances: Sequence[Utterance], roles: RoleAssignment = THREE_SIDES, **facts: Any) -> dict[str, Metric]:
    """Measure a call of ten minutes in English with a channel for each side, unless the facts say otherwise."""
    known: dict[str, Any] = {
        "duration_ms": 600_000,
        "audio_channels": 2,
        "language_code": "en_us",
        "language_confidence": 0.98,
        "call_type": "discovery",
        "disfluencies": True,
    }
    return call_metrics(utterances, roles, **known | facts)


def values(metrics: dict[str, Metric]) -> dict[str, float | None]:
    return {name: metric.value for name, metric in metrics.items()}


def heard(utterances: Sequence[Utterance], roles: RoleAssignment = THREE_SIDES) -> list[Mention]:
    found = mentions(utterances, roles, TRACKERS, language_code="en", language_confidence=None)
    assert found is not None
    return found


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


def test_sides_that_the_words_contradict_have_no_numbers() -> None:
    contradicted = msgspec.structs.replace(THREE_SIDES, contradicted=True)
    said = talk(conversation(("A", "hello there"), ("B", "hello")), contradicted)
    assert (said.rep_share, said.verdict, said.not_judged_reason) == (None, "not_judged", "roles_contradict")


def test_speech_of_neither_side_makes_the_share_uncertain() -> None:
    """A tenth may still be judged; more could turn the verdict round."""
    said = [Utterance("A", "", 0, 500), Utterance("B", "", 500, 900), Utterance("C", "", 900, 1000)]
    assert talk(said, call_type="other").verdict == "in_band"
    said.append(Utterance("C", "", 1000, 1001))
    uncertain = talk(said, call_type="other")
    assert (uncertain.rep_share, uncertain.verdict) == (0.5556, "not_judged")
    assert uncertain.not_judged_reason == "unassigned_high"


@pytest.mark.parametrize(
    ("rep_share", "verdict"), [(0.1499, "not_judged"), (0.15, "below"), (0.85, "above"), (0.8501, "not_judged")]
)
def test_extreme_share_asks_who_is_who_before_it_judges(rep_share: float, verdict: str) -> None:
    said = with_rep_share(rep_share, "discovery")
    assert said.verdict == verdict
    assert is_role_question(rep_share) is (said.not_judged_reason == "share_extreme")


def test_extreme_share_is_judged_where_a_person_said_who_is_who() -> None:
    roles = msgspec.structs.replace(THREE_SIDES, source="override")
    said = talk([Utterance("A", "", 0, 990), Utterance("B", "", 990, 1000)], roles)
    assert (said.verdict, said.not_judged_reason) == ("above", None)


def test_words_that_are_not_written_apart_have_no_share() -> None:
    said = talk_listen(
        [Utterance("A", "今日", 0, 50), Utterance("B", "明日", 50, 100)],
        THREE_SIDES,
        duration_ms=100,
        target_rep_share=0.4,
        call_type=None,
        language_code="ja",
    )
    assert (said.rep_share, said.rep_share_of_words) == (0.5, None)


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


def test_every_type_of_call_has_ranges_of_its_own() -> None:
    bands = tomllib.loads(Path(metrics.__file__).with_name("bands.toml").read_text("utf-8"))
    assert bands.keys() - {"tolerance"} == CALL_TYPES.keys()


@pytest.mark.parametrize("call_type", CALL_TYPES)
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


@given(calls(), st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_utterances(utterances, random) -> None:
    shuffled = random.sample(utterances, len(utterances))
    assert measured(shuffled) == measured(utterances)
    assert heard(shuffled) == heard(utterances)


@given(calls(), st.integers(-100_000, 100_000))
def test_moving_the_whole_call_changes_no_metric(utterances: list[Utterance], by_ms: int) -> None:
    """What is measured stays; where it was measured moves along."""
    before, after = measured(utterances), measured(moved(utterances, by_ms))
    assert values(after) == values(before)
    for name, metric in before.items():
        assert after[name].spans == [
            Span(span.start_ms + by_ms, span.end_ms + by_ms, span.label) for span in metric.spans
        ]
    assert [(one.tracker, one.side, one.count) for one in heard(moved(utterances, by_ms))] == [
        (one.tracker, one.side, one.count) for one in heard(utterances)
    ]


@given(calls())
def test_swapping_the_roles_mirrors_every_number_of_a_side(utterances: list[Utterance]) -> None:
    one, other = values(measured(utterances)), values(measured(utterances, MIRRORED))
    assert one["rep_words_per_minute"] == other["customer_words_per_minute"]
    assert one["customer_words_per_minute"] == other["rep_words_per_minute"]
    assert one["switches_per_5min"] == other["switches_per_5min"]
    assert one["silence"] == other["silence"]
    for side in ("rep", "customer"):
        assert stretches(turns_of(utterances, THREE_SIDES), side, brief_words=3) == stretches(
            turns_of(utterances, MIRRORED), SWAPPED[side], brief_words=3
        )
    assert {(said.tracker, SWAPPED[said.side], said.count, said.first_ms) for said in heard(utterances, MIRRORED)} == {
        (said.tracker, said.side, said.count, said.first_ms) for said in heard(utterances)
    }


@given(calls().filter(bool), st.integers(0, 60_000), st.integers(0, 12))
def test_splitting_an_utterance_changes_no_sum(utterances: list[Utterance], after_ms: int, after_words: int) -> None:
    """Silence, speed and shares are of the union of the speech and of its words, however it is cut."""
    first, *others = utterances
    middle_ms = max(min(first.start_ms + after_ms, first.end_ms), first.start_ms)
    said = first.text.split()
    halves = [
        Utterance(first.speaker, " ".join(said[:after_words]), first.start_ms, middle_ms),
        Utterance(first.speaker, " ".join(said[after_words:]), middle_ms, first.end_ms),
    ]
    before, after = measured(utterances), measured([*halves, *others])
    for name in ("silence", "rep_words_per_minute", "customer_words_per_minute"):
        assert after[name] == before[name]
    assert talk([*halves, *others], duration_ms=60_000) == talk(utterances, duration_ms=60_000)


@given(
    calls(),
    st.sampled_from([THREE_SIDES, MIRRORED, msgspec.structs.replace(THREE_SIDES, contradicted=True)]),
    st.fixed_dictionaries(
        {
            "duration_ms": st.sampled_from([0, 1, 600_000, 40_000_000]),
            "audio_channels": st.sampled_from([None, 1, 2]),
            "language_code": st.sampled_from([None, "en", "de", "ja"]),
            "language_confidence": st.sampled_from([None, 0.2, 0.99]),
            "call_type": st.sampled_from([None, "discovery", "demo", "<b>"]),
            "disfluencies": st.booleans(),
        }
    ),
)
def test_what_is_not_known_is_null_with_its_reason_whatever_the_call(utterances, roles, facts) -> None:
    """And never judged; what is known has a value that JSON can hold."""
    for name, metric in measured(utterances, roles, **facts).items():
        assert (metric.value is None) == (metric.reason is not None) == (metric.confidence == "none"), name
        assert (metric.verdict != "not_judged") == (metric.band is not None), name
        assert metric.value is None or metric.value >= 0, name
        assert metric.value is not None or not metric.spans, name
        assert msgspec.json.decode(msgspec.json.encode(metric), type=Metric) == metric
        assert all(span.start_ms <= span.end_ms for span in metric.spans)


def test_ids_units_and_definitions_are_the_published_ones() -> None:
    found = {name: (metric.unit, metric.definition) for name, metric in measured([]).items()}
    assert found == {
        "longest_monologue": ("ms", "monologue.gap3s_backchannel3w.v1"),
        "longest_customer_story": ("ms", "customer_story.v1"),
        "questions": ("count", "questions.no_tags.v1"),
        "questions_per_hour": ("per_hour", "questions.no_tags.v1"),
        "open_questions": ("count", "questions.open.v1"),
        "engaging_questions": ("count", "callcoach.engaging.v1"),
        "switches_per_5min": ("per_5min", "interactivity.switches_3w.v1"),
        "patience": ("ms", "patience.median_clipped.v1"),
        "rep_words_per_minute": ("words_per_minute", "wpm.turn_time.v1"),
        "customer_words_per_minute": ("words_per_minute", "wpm.turn_time.v1"),
        "silence": ("ms", "silence.gap3s.v1"),
        "interruptions": ("count", "interruptions.v1"),
        "fillers_per_100_words": ("per_100_words", "fillers.v1"),
    }


def test_monologue_goes_on_over_backchannels_and_ends_with_an_answer() -> None:
    """Two words or a pause of three seconds leave the floor to the rep; three words take it."""
    said = [
        utterance("A", ANSWER, 0),
        utterance("B", "oh really", 5000),
        utterance("A", ANSWER, 6000),
        utterance("A", ANSWER, 13_800),
        utterance("B", "we had that", 19_000),
        utterance("A", ANSWER, 20_500),
    ]
    longest = measured(said)["longest_monologue"]
    assert longest.value == said[3].end_ms
    assert longest.spans == [Span(0, said[3].end_ms, "A")]


@pytest.mark.parametrize(("pause_ms", "count"), [(3000, 1), (3001, 2)])
def test_turn_and_monologue_end_with_a_pause_of_more_than_three_seconds(pause_ms: int, count: int) -> None:
    turns = turns_of(conversation(("A", ANSWER), ("A", ANSWER), pause_ms=pause_ms), THREE_SIDES)
    assert len(turns) == count
    assert len(stretches(turns, "rep", brief_words=3)) == count


def test_speech_within_speech_of_the_same_side_shortens_nothing() -> None:
    """What begins later may end sooner."""
    said = [Utterance("A", ANSWER, 0, 12_000), Utterance("A", ANSWER, 3000, 4000)]
    longest = measured(said)["longest_monologue"]
    assert (longest.value, longest.spans) == (12_000, [Span(0, 12_000, "A")])
    two_reps = RoleAssignment({"A": "rep", "B": "customer", "C": "rep"}, "identification", "success", [])
    said = [said[0], Utterance("B", "oh really", 9000, 13_000), Utterance("C", "and so it is", 9500, 11_000)]
    assert measured(said, two_reps)["longest_monologue"].value == 12_000


def test_monologue_of_two_people_names_both() -> None:
    """The side's number is one; its spans say who spoke."""
    two_reps = RoleAssignment({"A": "rep", "B": "customer", "C": "rep"}, "identification", "success", [])
    said = conversation(("A", ANSWER), ("C", ANSWER), ("C", ANSWER), ("B", ANSWER))
    longest = measured(said, two_reps)["longest_monologue"]
    assert longest.value == said[2].end_ms
    assert longest.spans == [Span(0, said[0].end_ms, "A"), Span(said[1].start_ms, said[2].end_ms, "C")]


def test_backchannel_under_speech_is_no_turn() -> None:
    """Heard on the other channel while the rep goes on: it neither ends the monologue nor changes the speaker."""
    said = [utterance("A", ANSWER, 0), utterance("B", "yes of course", 1000, word_ms=300), utterance("A", ANSWER, 5100)]
    assert [turn.side for turn in turns_of(said, THREE_SIDES)] == ["rep"]
    assert measured(said)["longest_monologue"].value == said[2].end_ms


def test_customer_story_survives_a_short_question() -> None:
    """Five words are a nudge, six are a question of their own."""
    said = conversation(("B", ANSWER), ("A", "and who does all that"), ("B", ANSWER), ("A", QUESTION))
    assert measured(said)["longest_customer_story"].value == said[2].end_ms
    said = conversation(("B", ANSWER), ("A", "and who is doing all that"), ("B", ANSWER), ("A", QUESTION))
    assert measured(said)["longest_customer_story"].value == said[0].end_ms


def test_speech_without_time_makes_no_monologue() -> None:
    metrics = measured([Utterance("A", ANSWER, 5, 5), Utterance("B", ANSWER, 9, 7)])
    assert {metrics[name].reason for name in ("longest_monologue", "longest_customer_story", "silence")} == {
        "no_speech"
    }


def test_questions_are_the_reps() -> None:
    said = conversation(
        ("A", QUESTION),
        ("B", "What does it cost?"),
        ("A", "Do you use it, and who else? You plan by hand, right?"),
        ("C", "Why?"),
    )
    metrics = measured(said, duration_ms=1_934_000)
    assert (metrics["questions"].value, metrics["open_questions"].value) == (2, 1)
    assert metrics["questions_per_hour"].value == 3.7


def test_question_that_two_utterances_share_counts_once() -> None:
    said = conversation(("A", "How do you plan"), ("A", "the shifts today?"), ("B", ANSWER))
    assert measured(said)["questions"].value == 1


@pytest.mark.parametrize(
    ("answer", "word_ms", "engaging"),
    [
        ("word " * 40, 100, 1),
        ("word " * 39, 100, 0),
        ("word " * 10, 2000, 1),
        ("word " * 10, 1999, 0),
    ],
)
def test_engaging_question_makes_the_customer_talk(answer: str, word_ms: int, engaging: int) -> None:
    """For twenty seconds or forty words."""
    asked = utterance("A", QUESTION, 0)
    metric = measured([asked, utterance("B", answer, asked.end_ms + 300, word_ms=word_ms)])["engaging_questions"]
    assert metric.value == engaging
    assert len(metric.spans) == engaging


def test_answer_goes_on_over_a_backchannel_and_follows_its_question() -> None:
    """A question that the rep talks on after is not what the customer answers."""
    parts = [("B", "word " * 20), ("A", "oh really"), ("B", "word " * 20)]
    assert measured(conversation(("A", QUESTION), *parts))["engaging_questions"].value == 1
    assert measured(conversation(("A", f"{QUESTION} I ask as many do."), *parts))["engaging_questions"].value == 1
    talked_on = f"{QUESTION} I ask as many do. We have a platform."
    assert measured(conversation(("A", talked_on), *parts))["engaging_questions"].value == 0


def test_three_longest_answers_are_shown() -> None:
    turns = [turn for words in (40, 60, 50, 70) for turn in (("A", QUESTION), ("B", "word " * words))]
    said = conversation(*turns)
    metric = measured(said)["engaging_questions"]
    assert metric.value == 4
    assert [span.start_ms for span in metric.spans] == [said[7].start_ms, said[3].start_ms, said[5].start_ms]


def test_switches_ignore_short_turns_and_third_speakers() -> None:
    said = conversation(("A", ANSWER), ("B", "oh really"), ("A", ANSWER), ("C", ANSWER), ("A", ANSWER), ("B", ANSWER))
    assert measured(said, duration_ms=300_000)["switches_per_5min"].value == 1.0
    assert measured(said, duration_ms=600_000)["switches_per_5min"].value == 0.5


def test_patience_is_the_median_wait_after_the_customer() -> None:
    """A wait is from the customer's end to the rep's begin; speech over the customer's end is none."""
    starts = [0]
    said = []
    for wait_ms in (300, -900, 500):
        asked = utterance("B", ANSWER, starts[-1])
        answered = utterance("A", ANSWER, asked.end_ms + wait_ms)
        said += [asked, answered]
        starts.append(answered.end_ms + 2000)
    patience = measured(said)["patience"]
    assert (patience.value, patience.n, patience.confidence) == (300, 3, "low")


def test_patience_needs_a_turn_on_both_sides() -> None:
    """After a backchannel, or by one, nothing is waited for; nor where the rep never stopped."""
    for said in (
        conversation(("A", ANSWER), ("B", "oh really"), ("A", ANSWER)),
        conversation(("B", ANSWER), ("A", "oh really"), ("B", ANSWER)),
        [utterance("A", ANSWER * 9, 0), utterance("B", ANSWER, 1000), utterance("A", ANSWER, 90_000)],
    ):
        patience = measured(said)["patience"]
        assert (patience.value, patience.n, patience.reason) == (None, 0, "no_switches")


def test_speed_is_words_over_the_side_s_own_speech() -> None:
    """At 400 ms a word it is 150 a minute, silence or not; under fifteen seconds of speech it is unknown."""
    said = [utterance("A", "word " * 38, 0), utterance("A", "word " * 20, 60_000), utterance("B", "word " * 37, 90_000)]
    metrics = measured(said)
    assert metrics["rep_words_per_minute"].value == 150
    assert (metrics["customer_words_per_minute"].value, metrics["customer_words_per_minute"].reason) == (
        None,
        "too_little_speech",
    )


def test_silence_is_what_nobody_fills() -> None:
    """Over three seconds, between the first word and the last; a third speaker fills it too."""
    said = [
        Utterance("A", "", 10_000, 11_000),
        Utterance("B", "", 14_000, 15_000),
        Utterance("C", "", 18_001, 30_000),
        Utterance("A", "", 20_000, 21_000),
        Utterance("B", "", 34_000, 34_000),
        Utterance("B", "", 35_000, 36_000),
    ]
    silence = measured(said)["silence"]
    assert (silence.value, silence.n) == (3001 + 5000, 2)


@pytest.mark.parametrize(
    ("overlap_ms", "text", "counted"),
    [
        (300, "wait that is not it", 1),
        (2000, "wait that is not it", 1),
        (299, "wait that is not it", 0),
        (2001, "wait that is not it", 0),
        (1000, "wait no", 0),
        (1000, "yeah yeah got it right", 0),
    ],
)
def test_interruption_cuts_the_customer_off(overlap_ms: int, text: str, counted: int) -> None:
    """It begins before the customer ends, the customer ends soon after, and it is more than a backchannel."""
    customer = utterance("B", ANSWER, 0)
    metric = measured([customer, utterance("A", text, customer.end_ms - overlap_ms, word_ms=900)])["interruptions"]
    assert metric.value == counted
    assert [span.label for span in metric.spans] == ["A"] * counted


def test_who_begins_together_interrupts_nobody() -> None:
    said = [utterance("B", "so we plan by", 0), utterance("A", "so how do you plan", 0)]
    assert measured(said)["interruptions"].value == 0


def test_customer_who_interrupts_is_not_counted() -> None:
    rep = utterance("A", ANSWER, 0)
    assert measured([rep, utterance("B", ANSWER, rep.end_ms - 1000)])["interruptions"].value == 0


def test_fillers_are_the_reps_per_hundred_words() -> None:
    said = conversation(
        ("A", "um we plan, you know, by hand and uh then again it is all by hand today"), ("B", "um uh er")
    )
    assert measured(said)["fillers_per_100_words"].value == round(300 / 17, 1)


BY_WORD_LISTS = dict.fromkeys(
    (
        "questions",
        "questions_per_hour",
        "open_questions",
        "engaging_questions",
        "fillers_per_100_words",
        "interruptions",
    ),
    "language",
)


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({}, {}),
        ({"audio_channels": None}, {"interruptions": "one_channel"}),
        ({"audio_channels": 1}, {"interruptions": "one_channel"}),
        ({"disfluencies": False}, {"fillers_per_100_words": "disfluencies_off"}),
        (
            {"language_code": "de"},
            BY_WORD_LISTS,
        ),
        ({"language_confidence": 0.5}, BY_WORD_LISTS),
        ({"language_code": "mul"}, BY_WORD_LISTS),
        (
            {"language_code": "ja"},
            BY_WORD_LISTS | {"rep_words_per_minute": "unspaced", "customer_words_per_minute": "unspaced"},
        ),
    ],
)
def test_what_such_a_call_cannot_tell_is_null_and_why(facts: dict[str, Any], reasons: dict[str, str]) -> None:
    """Everything else is known of a call in which both sides say enough."""
    said = conversation(*[("A", QUESTION), ("B", ANSWER)] * 10)
    metrics = measured(said, **facts)
    assert {name: metric.reason for name, metric in metrics.items() if metric.reason} == reasons


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        (msgspec.structs.replace(THREE_SIDES, contradicted=True), "roles_contradict"),
        (RoleAssignment({"A": "rep", "B": "unassigned"}, "identification", "success", []), "roles_unknown"),
        (RoleAssignment({"A": "rep"}, "none", "none", []), "roles_unknown"),
    ],
)
def test_without_sides_only_the_silence_is_known(roles: RoleAssignment, reason: str) -> None:
    said = conversation(*[("A", QUESTION), ("B" if "B" in roles.sides else "A", "That is the price")] * 10)
    metrics = measured(said, roles)
    assert {metric.reason for name, metric in metrics.items() if name != "silence"} == {reason}
    assert metrics["silence"].reason is None
    assert {mention.side for mention in heard(said, roles)} == {"unassigned"}


@pytest.mark.parametrize(
    ("call_type", "monologue_ms", "verdict"),
    [
        ("discovery", 150_000, "in_band"),
        ("discovery", 150_400, "above"),
        ("demo", 300_000, "in_band"),
        ("demo", 300_400, "above"),
        ("cold", 90_400, "above"),
        ("follow-up", 150_000, "in_band"),
        (None, 150_400, "above"),
    ],
)
def test_monologue_is_judged_by_the_band_of_the_type(call_type: str | None, monologue_ms: int, verdict: str) -> None:
    """Without a tolerance, which is one of shares."""
    said = [utterance("A", "word " * (monologue_ms // 400), 0), utterance("B", ANSWER, monologue_ms + 300)]
    longest = measured(said, call_type=call_type)["longest_monologue"]
    assert (longest.value, longest.verdict) == (monologue_ms, verdict)
    assert longest.band is not None
    assert longest.band.source == f"bands.toml#{call_type or 'other'}"


@pytest.mark.parametrize(
    ("call_type", "minutes", "asked", "verdict"),
    [
        ("discovery", 20, 10, "below"),
        ("discovery", 60, 11, "in_band"),
        ("discovery", 30, 14, "in_band"),
        ("discovery", 30, 15, "above"),
        ("discovery", 19.9, 10, "not_judged"),
        ("discovery", 60.1, 10, "not_judged"),
        ("demo", 30, 10, "not_judged"),
    ],
)
def test_questions_are_judged_on_calls_of_usual_length(call_type, minutes, asked, verdict) -> None:
    said = conversation(("A", f"{QUESTION} " * asked), ("B", ANSWER))
    metric = measured(said, call_type=call_type, duration_ms=round(minutes * 60_000))["questions"]
    assert (metric.value, metric.verdict, metric.band is None) == (asked, verdict, verdict == "not_judged")


def test_mentions_say_who_how_often_and_when_first() -> None:
    trackers = [Tracker("price", ["price"]), Tracker("competitor:Renewly", ["renewly"])]
    said = conversation(
        ("B", "we looked at Renewly and Renewly’s price"), ("A", "our price is a fair price"), ("C", "which price")
    )
    found = mentions(said, THREE_SIDES, trackers, language_code="en", language_confidence=0.9)
    assert found == [
        Mention("price", "customer", 1, said[0].words[6].start_ms),
        Mention("price", "rep", 2, said[1].words[1].start_ms),
        Mention("price", "unassigned", 1, said[2].words[1].start_ms),
        Mention("competitor:Renewly", "customer", 2, said[0].words[3].start_ms),
    ]


def test_mention_without_times_of_words_is_where_its_utterance_begins() -> None:
    said = [Utterance("A", "what is the price", 700, 2000)]
    assert heard(said) == [Mention("price", "rep", 1, 700)]


def test_no_mention_is_an_empty_list_and_no_tracker_is_null() -> None:
    said = conversation(("A", ANSWER), ("B", ANSWER))
    assert heard(said) == []
    assert mentions(said, THREE_SIDES, (), language_code="en", language_confidence=None) is None
    for code, confidence in (("de", 0.99), ("en", 0.5), (None, None)):
        assert mentions(said, THREE_SIDES, TRACKERS, language_code=code, language_confidence=confidence) is None


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"language_code": "de"}, ["language_not_counted"]),
        ({"language_confidence": 0.5}, ["language_not_counted"]),
        ({"trackers": ()}, ["no_trackers"]),
    ],
)
def test_null_mentions_have_their_reason_among_the_notices(facts: dict[str, Any], codes: list[str]) -> None:
    said = conversation(("A", ANSWER), ("B", ANSWER))
    known: dict[str, Any] = {"trackers": TRACKERS, "language_code": "en_us", "language_confidence": 0.98} | facts
    trackers = known.pop("trackers")
    assert [notice.code for notice in notices(said, THREE_SIDES, trackers, **known)] == codes
    assert (mentions(said, THREE_SIDES, trackers, **known) is None) == bool(codes)


@pytest.mark.parametrize(("third_ms", "codes"), [(5, ["third_speaker"]), (6, ["third_speaker", "unassigned_speech"])])
def test_third_speaker_is_told_and_more_than_a_twentieth_is_warned_of(third_ms: int, codes: list[str]) -> None:
    said = [Utterance("A", "", 0, 60), Utterance("B", "", 60, 100 - third_ms), Utterance("C", "", 100 - third_ms, 100)]
    found = notices(said, THREE_SIDES, TRACKERS, language_code="en", language_confidence=None)
    assert [notice.code for notice in found] == codes
    assert found[0].text == f"Speaker C ({third_ms}.0% of the speech) has no role and is in neither side."


def test_many_speakers_are_one_notice() -> None:
    labels = "ABCDE"
    roles = RoleAssignment({**dict.fromkeys(labels, "unassigned"), "A": "rep", "B": "customer"}, "none", "none", [])
    said = conversation(*((label, "hello there") for label in labels))
    found = notices(said, roles, TRACKERS, language_code="en", language_confidence=None)
    assert found[0].text == "Speakers C, D and E (60.0% of the speech) have no role and are in neither side."


def test_metrics_of_a_sample_are_those_that_can_be_heard_in_it() -> None:
    """The long walk-through of one script, and the questions of another, told from the scripts."""
    shock = sample_transcript("discovery_price_shock")
    roles = RoleAssignment({"A": "rep", "B": "customer"}, "identification", "success", [])
    longest = measured(shock.utterances or [], roles)["longest_monologue"]
    assert longest.value == sum(span.end_ms - span.start_ms for span in longest.spans)
    assert longest.value > 120_000
    led = sample_transcript("discovery_well_led")
    roles = RoleAssignment({"A": "customer", "B": "rep"}, "identification", "success", [])
    asked = measured(led.utterances or [], roles, duration_ms=led.duration_ms)
    marks = sum(said.text.count("?") for said in led.utterances or [] if said.speaker == "B")
    assert asked["questions"].value == marks - 1, "all but one, which asks whether something was got right"


def test_work_grows_with_the_call() -> None:
    def measure(said: list[Utterance]) -> None:
        measured(said)
        heard(said)
        talk(said, duration_ms=said[-1].end_ms)

    short, long = (conversation(*[("A", f"{QUESTION} {ANSWER}"), ("B", ANSWER)] * times) for times in (500, 2000))
    assert times_as_long(measure, short, long) < FOUR_TIMES
