"""The numbers about a conversation: who talks how much, for how long, how they take turns, what is asked. Pure.

Milliseconds and words are summed as integers and divided once. METRICS.md says what each definition means.
"""

import tomllib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec

from callcoach.call_types import call_type_named
from callcoach.documents import Notice
from callcoach.languages import language_name
from callcoach.transcript import Utterance
from scorecard.english import (
    Tracker,
    filler_count,
    is_backchannel,
    is_open,
    is_reliably_english,
    mentions_in,
    questions,
)
from scorecard.scorecard import Band, Mention, Metric, MetricBand, Side, Span, Speaker, TalkListen, Verdict
from scorecard.speakers import MAXIMUM_UNASSIGNED_SHARE, RoleAssignment, is_role_question
from scorecard.tokens import has_spaces

TALK_SHARE_DEFINITION = "talk_share.turn_union.v1"

# Why a metric is null, and why a talk share is not judged. METRICS.md says what each means.
NullReason = Literal[
    "roles_unknown",
    "roles_contradict",
    "language",
    "unspaced",
    "one_channel",
    "disfluencies_off",
    "no_speech",
    "too_little_speech",
    "no_switches",
]
UnjudgedReason = Literal["roles_unknown", "roles_contradict", "no_speech", "unassigned_high", "share_extreme"]

# From here on a reader is told how much of the speech belongs to neither side.
NOTED_UNASSIGNED_SHARE = 0.05

# One side's speech goes on after a pause of this length, and a longer one is silence.
PAUSE_MS = 3_000
# What is shorter leaves the floor to the other side; a customer's story also survives a short question.
BACKCHANNEL_WORDS = 3
SHORT_QUESTION_WORDS = 6
BACKCHANNEL_MS = 1_000
# Where words are not written apart, this much speech counts as one: 150 words a minute.
MS_PER_WORD = 400

# A question is engaging when its answer is one of these.
ENGAGING_MS = 20_000
ENGAGING_WORDS = 40
# A question that more of the same side's sentences follow is not what the other side answers.
SENTENCES_AFTER_A_QUESTION = 1
LONGEST_ANSWERS = 3

# Speech of less time has no speed.
MINIMUM_SPEED_MS = 15_000
# Speech that begins this long before the other side ends, if that side then ends soon, interrupts it.
INTERRUPTION_MS = 300
CUT_OFF_MS = 2_000

_BANDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("bands.toml").read_text("utf-8"))
_TOLERANCE: float = _BANDS.pop("tolerance")


class _Kind(msgspec.Struct, frozen=True):
    """What holds for a metric on every call, and what must be known for it."""

    unit: str
    definition: str
    confidence: Literal["high", "medium", "low"]
    band: str = ""
    by_side: bool = True
    by_words: bool = False
    by_word_lists: bool = False


_KINDS = {
    "longest_monologue": _Kind("ms", "monologue.gap3s_backchannel3w.v1", "high", "longest_monologue_ms"),
    "longest_customer_story": _Kind("ms", "customer_story.v1", "high"),
    "questions": _Kind("count", "questions.no_tags.v1", "high", "questions", by_word_lists=True),
    "questions_per_hour": _Kind("per_hour", "questions.no_tags.v1", "high", by_word_lists=True),
    "open_questions": _Kind("count", "questions.open.v1", "medium", by_word_lists=True),
    "engaging_questions": _Kind("count", "callcoach.engaging.v1", "medium", by_word_lists=True),
    "switches_per_5min": _Kind("per_5min", "interactivity.switches_3w.v1", "medium"),
    "patience": _Kind("ms", "patience.median_clipped.v1", "low"),
    "rep_words_per_minute": _Kind("words_per_minute", "wpm.turn_time.v1", "medium", by_words=True),
    "customer_words_per_minute": _Kind("words_per_minute", "wpm.turn_time.v1", "medium", by_words=True),
    "silence": _Kind("ms", "silence.gap3s.v1", "high", by_side=False),
    "interruptions": _Kind("count", "interruptions.v1", "medium", by_word_lists=True),
    "fillers_per_100_words": _Kind("per_100_words", "fillers.v1", "medium", by_word_lists=True),
}


class Turn(msgspec.Struct):
    """What one side says until another side does, or until it pauses for longer than PAUSE_MS."""

    side: Side
    start_ms: int
    end_ms: int
    words: int
    said: list[Utterance]

    @property
    def text(self) -> str:
        """The whole turn's text."""
        return " ".join(utterance.text for utterance in self.said)

    @property
    def is_brief(self) -> bool:
        """Whether the turn takes the floor from nobody."""
        return self.words < BACKCHANNEL_WORDS


class Stretch(msgspec.Struct):
    """What one side says without giving up the floor. first_turn: the place of its first turn among all turns."""

    first_turn: int
    start_ms: int
    end_ms: int
    words: int
    said: list[Utterance]

    @property
    def length_ms(self) -> int:
        """From the first word to the last."""
        return self.end_ms - self.start_ms

    @property
    def spans(self) -> list[Span]:
        """Where it lies: one span for each label that speaks without another of its side in between."""
        spans: list[Span] = []
        for utterance in self.said:
            end_ms = max(utterance.end_ms, utterance.start_ms)
            if spans and spans[-1].label == utterance.speaker:
                end_ms = max(end_ms, spans[-1].end_ms)
                spans[-1] = Span(spans[-1].start_ms, end_ms, utterance.speaker)
            else:
                spans.append(Span(utterance.start_ms, end_ms, utterance.speaker))
        return spans


def band_for(call_type: str | None) -> Band:
    """Return the band of a type of call by its name or one of its other names; that of "other" for all else."""
    name = call_type_named(call_type)
    share = _BANDS[name]["rep_share"]
    return Band(low=share.get("low"), high=share.get("high"), kind=name, source=f"bands.toml#{name}")


def has_target_mark(band: Band) -> bool:
    """Whether the configured target is drawn for this band's type of call."""
    return bool(_BANDS[band.kind].get("target_mark"))


def union_ms(intervals: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of the intervals (start_ms, end_ms) runs; empty and reversed ones do not."""
    total = 0
    covered_until = None
    for start_ms, end_ms in sorted(intervals):
        if covered_until is None or start_ms > covered_until:
            total += max(end_ms - start_ms, 0)
            covered_until = max(end_ms, start_ms)
        elif end_ms > covered_until:
            total += end_ms - covered_until
            covered_until = end_ms
    return total


def share(part: int, whole: int) -> float | None:
    """Return part / whole with four decimals; None where there is no whole."""
    return round(part / whole, 4) if whole else None


def whole_percent(share: float) -> int:
    """Return a share of four decimals as whole percent; those of two shares that make 1 make 100.

    Halves go to the even neighbour, and are found in integers: 100 * 0.545 is more than 54.5.
    """
    return round(round(share * 10_000) / 100)


def speaker_table(utterances: Sequence[Utterance], roles: RoleAssignment, *, spaced: bool = True) -> list[Speaker]:
    """Return one row per diarized label, in order of first speech. spaced: whether words are written apart."""
    by_label: dict[str, list[Utterance]] = {label: [] for label in roles.sides}
    for utterance in utterances:
        by_label[utterance.speaker].append(utterance)
    speech_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in utterances)
    rows = []
    for label, said in by_label.items():
        talk_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in said)
        rows.append(
            Speaker(
                label=label,
                role=roles.sides[label],
                talk_ms=talk_ms,
                talk_share=share(talk_ms, speech_ms),
                words=sum(map(word_count, said)) if spaced else None,
                utterances=len(said),
            )
        )
    return rows


def unassigned_share(utterances: Sequence[Utterance], roles: RoleAssignment) -> float | None:
    """Return the part of all speech that belongs to neither side."""
    neither = _side_intervals(utterances, roles, "unassigned")
    if not neither:
        return 0.0 if any(utterance.end_ms > utterance.start_ms for utterance in utterances) else None
    speech_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in utterances)
    return share(union_ms(neither), speech_ms)


def word_count(utterance: Utterance, *, spaced: bool = True) -> int:
    """Return the words that the recogniser counted, or those between spaces where it gives none.

    Where words are not written apart their number is estimated from time, for rules that need one.
    """
    if not spaced:
        return max(utterance.end_ms - utterance.start_ms, 0) // MS_PER_WORD
    return len(utterance.words) or len(utterance.text.split())


def talk_listen(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    *,
    duration_ms: int,
    target_rep_share: float,
    call_type: str | None,
    language_code: str | None = None,
) -> TalkListen:
    """Return the talk share of both sides, judged by the band of the call's type.

    Everything is null, with the reason, when one of the sides is not known.
    """
    band = band_for(call_type)
    if unknown := sides_unknown_reason(roles):
        return TalkListen(
            rep_ms=None,
            customer_ms=None,
            rep_share=None,
            customer_share=None,
            rep_share_of_call=None,
            rep_share_of_words=None,
            target_rep_share=target_rep_share,
            band=band,
            verdict="not_judged",
            not_judged_reason=unknown,
            definition=TALK_SHARE_DEFINITION,
            by_quarter_rep_share=None,
        )
    rep = _side_intervals(utterances, roles, "rep")
    customer = _side_intervals(utterances, roles, "customer")
    rep_ms, customer_ms = union_ms(rep), union_ms(customer)
    rep_share = share(rep_ms, rep_ms + customer_ms)
    rep_words, customer_words = (_side_words(utterances, roles, side) for side in ("rep", "customer"))
    unjudged = _unjudged_reason(rep_share, unassigned_share(utterances, roles), roles)
    return TalkListen(
        rep_ms=rep_ms,
        customer_ms=customer_ms,
        rep_share=rep_share,
        customer_share=None if rep_share is None else round(1 - rep_share, 4),
        rep_share_of_call=share(rep_ms, duration_ms),
        rep_share_of_words=share(rep_words, rep_words + customer_words) if has_spaces(language_code) else None,
        target_rep_share=target_rep_share,
        band=band,
        verdict="not_judged" if rep_share is None or unjudged else _verdict(rep_share, band, _TOLERANCE),
        not_judged_reason=unjudged,
        definition=TALK_SHARE_DEFINITION,
        by_quarter_rep_share=[
            _share_between(rep, customer, quarter * duration_ms // 4, (quarter + 1) * duration_ms // 4)
            for quarter in range(4)
        ],
    )


def sides_unknown_reason(roles: RoleAssignment) -> Literal["roles_unknown", "roles_contradict"] | None:
    """Return why nothing can be said per side, or None."""
    if roles.both_sides_known:
        return None
    return "roles_contradict" if roles.contradicted else "roles_unknown"


def _unjudged_reason(rep_share: float | None, unassigned: float | None, roles: RoleAssignment) -> UnjudgedReason | None:
    if rep_share is None:
        return "no_speech"
    if unassigned is not None and unassigned > MAXIMUM_UNASSIGNED_SHARE:
        return "unassigned_high"
    if is_role_question(rep_share) and roles.source != "override":
        return "share_extreme"
    return None


def _side_words(utterances: Iterable[Utterance], roles: RoleAssignment, side: str) -> int:
    return sum(word_count(said) for said in utterances if roles.sides.get(said.speaker, "unassigned") == side)


def _side_intervals(utterances: Sequence[Utterance], roles: RoleAssignment, side: str) -> list[tuple[int, int]]:
    return [(said.start_ms, said.end_ms) for said in utterances if roles.sides.get(said.speaker, "unassigned") == side]


def _share_between(
    rep: Sequence[tuple[int, int]], customer: Sequence[tuple[int, int]], from_ms: int, to_ms: int
) -> float | None:
    """Return the rep's share of what both sides say between two moments."""
    rep_ms, customer_ms = (
        union_ms(
            (max(start_ms, from_ms), min(end_ms, to_ms))
            for start_ms, end_ms in side
            if end_ms > from_ms and start_ms < to_ms
        )
        for side in (rep, customer)
    )
    return share(rep_ms, rep_ms + customer_ms)


def _verdict(value: float, band: Band | MetricBand, tolerance: float = 0) -> Verdict:
    if band.low is not None and value < band.low - tolerance:
        return "below"
    if band.high is not None and value > band.high + tolerance:
        return "above"
    return "in_band"


def call_metrics(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    *,
    duration_ms: int,
    audio_channels: int | None,
    language_code: str | None,
    language_confidence: float | None,
    call_type: str | None,
    disfluencies: bool,
) -> dict[str, Metric]:
    """Return every metric by its id; what cannot be known on this call is null with the reason.

    audio_channels: 2 and more only where each side has its own, with utterances as scorecard.turns makes them.
    disfluencies: whether fillers were asked for.
    """
    withheld = _withheld(
        roles,
        channels_apart=(audio_channels or 1) > 1,
        spaced=has_spaces(language_code),
        english=is_reliably_english(language_code, language_confidence),
        disfluencies=disfluencies,
    )
    measured = {"silence": _silence(utterances)}
    if roles.both_sides_known:
        turns = turns_of(utterances, roles, spaced=has_spaces(language_code))
        measured |= _floor(turns, duration_ms) | {"patience": _patience(turns)} | _rates(utterances, roles)
        # What reads the words again is left out where it is withheld.
        if "questions" not in withheld:
            measured |= _questions(turns, duration_ms)
        if "interruptions" not in withheld:
            measured["interruptions"] = _interruptions(turns)
        if "fillers_per_100_words" not in withheld:
            measured["fillers_per_100_words"] = _fillers(utterances, roles)
    band_name = band_for(call_type).kind
    return {
        name: _unknown(kind, withheld[name])
        if name in withheld
        else _known(kind, measured[name], _metric_band(kind, band_name, duration_ms))
        for name, kind in _KINDS.items()
    }


def turns_of(utterances: Iterable[Utterance], roles: RoleAssignment, *, spaced: bool = True) -> list[Turn]:
    """Return the turns of a call by time, whatever the order of its utterances; all labels of one side are one speaker.

    What a listener says under another side's speech, of under three words or at most a second, is no turn.
    spaced: whether the words are written apart and can be counted; where not, their number is estimated from time.
    """
    turns: list[Turn] = []
    in_time = sorted(
        utterances, key=lambda said: (said.start_ms, said.end_ms, said.speaker, said.text, word_count(said))
    )
    for utterance in in_time:
        side = roles.sides.get(utterance.speaker, "unassigned")
        start_ms, end_ms = utterance.start_ms, max(utterance.end_ms, utterance.start_ms)
        words = word_count(utterance, spaced=spaced)
        turn = turns[-1] if turns else None
        if turn and turn.side != side and end_ms <= turn.end_ms:
            if words < BACKCHANNEL_WORDS or end_ms - start_ms <= BACKCHANNEL_MS:
                continue
        elif turn and turn.side == side and start_ms - turn.end_ms <= PAUSE_MS:
            turn.end_ms = max(turn.end_ms, end_ms)
            turn.words += words
            turn.said.append(utterance)
            continue
        turns.append(Turn(side, start_ms, end_ms, words, [utterance]))
    return turns


def stretches(turns: Sequence[Turn], side: Side, *, brief_words: int) -> list[Stretch]:
    """Return what a side says without giving up the floor.

    It goes on over pauses of up to three seconds, and over what others say meanwhile in fewer than brief_words words.
    """
    found: list[Stretch] = []
    words_between = 0
    for place, turn in enumerate(turns):
        if turn.side != side:
            words_between += turn.words
            continue
        last = found[-1] if found else None
        if last and words_between < brief_words and turn.start_ms - last.end_ms <= PAUSE_MS:
            last.end_ms = max(last.end_ms, turn.end_ms)
            last.words += turn.words
            last.said.extend(turn.said)
        else:
            found.append(Stretch(place, turn.start_ms, turn.end_ms, turn.words, list(turn.said)))
        words_between = 0
    return found


class _Measured(msgspec.Struct, frozen=True):
    """A value, and where and over what it was counted; None with the reason where this call gives none."""

    value: int | float | None
    spans: list[Span] = []
    n: int | msgspec.UnsetType = msgspec.UNSET
    reason: NullReason | None = None


_NO_SPEECH = _Measured(None, reason="no_speech")


def _withheld(
    roles: RoleAssignment, *, channels_apart: bool, spaced: bool, english: bool, disfluencies: bool
) -> dict[str, NullReason]:
    """Return the metrics that cannot be known of such a call, each with the reason that weighs most."""
    withheld: dict[str, NullReason] = {}
    if not channels_apart:
        withheld["interruptions"] = "one_channel"
    if not disfluencies:
        withheld["fillers_per_100_words"] = "disfluencies_off"
    for name, kind in _KINDS.items():
        if kind.by_word_lists and not english:
            withheld[name] = "language"
        elif kind.by_words and not spaced:
            withheld[name] = "unspaced"
        if kind.by_side and (unknown := sides_unknown_reason(roles)):
            withheld[name] = unknown
    return withheld


def _unknown(kind: _Kind, reason: NullReason, n: int | msgspec.UnsetType = msgspec.UNSET) -> Metric:
    return Metric(
        value=None,
        unit=kind.unit,
        band=None,
        verdict="not_judged",
        reason=reason,
        definition=kind.definition,
        confidence="none",
        spans=[],
        n=n,
    )


def _known(kind: _Kind, measured: _Measured, band: MetricBand | None) -> Metric:
    if measured.value is None:
        return _unknown(kind, measured.reason or "no_speech", measured.n)
    return Metric(
        value=measured.value,
        unit=kind.unit,
        band=band,
        verdict=_verdict(measured.value, band) if band else "not_judged",
        reason=None,
        definition=kind.definition,
        confidence=kind.confidence,
        spans=measured.spans,
        n=measured.n,
    )


def _metric_band(kind: _Kind, band_name: str, duration_ms: int) -> MetricBand | None:
    """Return the usual range of a metric on a type of call, if it has one for calls of that length."""
    edges = _BANDS[band_name].get(kind.band)
    if not edges:
        return None
    shortest, longest = edges.get("only_if_minutes", (0, None))
    if duration_ms < shortest * 60_000 or (longest is not None and duration_ms > longest * 60_000):
        return None
    return MetricBand(low=edges.get("low"), high=edges.get("high"), source=f"bands.toml#{band_name}")


def _per(count: int, unit_ms: int, whole_ms: int) -> _Measured:
    """Return how many there are per unit of time."""
    return _Measured(round(count * unit_ms / whole_ms, 1)) if whole_ms else _NO_SPEECH


def _floor(turns: Sequence[Turn], duration_ms: int) -> dict[str, _Measured]:
    """Measure how long each side keeps the floor, and how often it changes hands."""
    holders = [turn.side for turn in turns if turn.side != "unassigned" and not turn.is_brief]
    switches = sum(before != after for before, after in pairwise(holders))
    return {
        "longest_monologue": _longest(stretches(turns, "rep", brief_words=BACKCHANNEL_WORDS)),
        "longest_customer_story": _longest(stretches(turns, "customer", brief_words=SHORT_QUESTION_WORDS)),
        "switches_per_5min": _per(switches, 300_000, duration_ms),
    }


def _longest(found: Sequence[Stretch]) -> _Measured:
    """Measure the longest stretch; of equal ones the first."""
    longest = max(found, key=lambda stretch: stretch.length_ms, default=None)
    return _Measured(longest.length_ms, longest.spans) if longest and longest.length_ms else _NO_SPEECH


def _questions(turns: Sequence[Turn], duration_ms: int) -> dict[str, _Measured]:
    """Measure what the rep asks, and which of it makes the customer talk."""
    answers = {stretch.first_turn: stretch for stretch in stretches(turns, "customer", brief_words=BACKCHANNEL_WORDS)}
    asked = open_ones = 0
    engaging: list[Stretch] = []
    for place, turn in enumerate(turns):
        if turn.side != "rep":
            continue
        found = list(questions(turn.text))
        asked += len(found)
        open_ones += sum(is_open(question) for question, _ in found)
        answer = answers.get(place + 1)
        if answer and found and found[-1][1] <= SENTENCES_AFTER_A_QUESTION and _engages(answer):
            engaging.append(answer)
    longest = sorted(engaging, key=lambda answer: -answer.length_ms)[:LONGEST_ANSWERS]
    return {
        "questions": _Measured(asked),
        "questions_per_hour": _per(asked, 3_600_000, duration_ms),
        "open_questions": _Measured(open_ones),
        "engaging_questions": _Measured(len(engaging), [span for answer in longest for span in answer.spans]),
    }


def _engages(answer: Stretch) -> bool:
    return answer.length_ms >= ENGAGING_MS or answer.words >= ENGAGING_WORDS


def _patience(turns: Sequence[Turn]) -> _Measured:
    """Measure the median wait of the rep after a customer's turn, both of them more than a backchannel.

    Speech that has begun before the customer ends is no wait at all; where the rep spoke all along there is nothing
    to measure.
    """
    waits = []
    rep_until_ms: int | None = None
    for before, turn in pairwise(turns):
        if before.side == "rep":
            rep_until_ms = before.end_ms if rep_until_ms is None else max(rep_until_ms, before.end_ms)
        waited = before.side == "customer" and turn.side == "rep" and not before.is_brief and not turn.is_brief
        if waited and (rep_until_ms is None or rep_until_ms <= before.end_ms):
            waits.append(max(turn.start_ms - before.end_ms, 0))
    if not waits:
        return _Measured(None, n=0, reason="no_switches")
    waits.sort()
    middle = len(waits) // 2
    return _Measured(round((waits[middle] + waits[-middle - 1]) / 2), n=len(waits))


def _interruptions(turns: Sequence[Turn]) -> _Measured:
    """Count the rep's turns that begin while the customer speaks and after which the customer soon stops."""
    spans = []
    customer: Turn | None = None
    for turn in turns:
        if turn.side == "customer":
            customer = turn
        if turn.side != "rep" or customer is None or turn.is_brief or turn.start_ms <= customer.start_ms:
            continue
        overlap_ms = customer.end_ms - turn.start_ms
        if INTERRUPTION_MS <= overlap_ms <= CUT_OFF_MS and not is_backchannel(turn.text):
            spans.append(Span(turn.start_ms, customer.end_ms, turn.said[0].speaker))
    return _Measured(len(spans), spans)


def _rates(utterances: Sequence[Utterance], roles: RoleAssignment) -> dict[str, _Measured]:
    """Measure how fast each side talks."""
    rates = {}
    for side in ("rep", "customer"):
        talk_ms = union_ms(_side_intervals(utterances, roles, side))
        speed = round(_side_words(utterances, roles, side) * 60_000 / talk_ms) if talk_ms else None
        too_little = talk_ms < MINIMUM_SPEED_MS
        rates[f"{side}_words_per_minute"] = (
            _Measured(None, reason="too_little_speech") if too_little else _Measured(speed)
        )
    return rates


def _fillers(utterances: Sequence[Utterance], roles: RoleAssignment) -> _Measured:
    """Measure how many fillers the rep uses."""
    rep = [said for said in utterances if roles.sides.get(said.speaker, "unassigned") == "rep"]
    words = sum(map(word_count, rep))
    fillers = sum(filler_count(said.text) for said in rep)
    return _Measured(round(fillers * 100 / words, 1)) if words else _NO_SPEECH


def _silence(utterances: Iterable[Utterance]) -> _Measured:
    """Measure the pauses of more than three seconds between the first and the last speech of anybody."""
    silent_ms = pauses = 0
    spoken_until_ms: int | None = None
    for start_ms, end_ms in sorted((said.start_ms, said.end_ms) for said in utterances if said.end_ms > said.start_ms):
        if spoken_until_ms is not None and start_ms - spoken_until_ms > PAUSE_MS:
            silent_ms += start_ms - spoken_until_ms
            pauses += 1
        spoken_until_ms = end_ms if spoken_until_ms is None else max(spoken_until_ms, end_ms)
    return _NO_SPEECH if spoken_until_ms is None else _Measured(silent_ms, n=pauses)


def mentions(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    trackers: Sequence[Tracker],
    *,
    language_code: str | None,
    language_confidence: float | None,
) -> list[Mention] | None:
    """Return how often each side uses a tracker's words, in order of the trackers and of first use.

    None without a tracker, and where the language is not reliably English. Where the sides are not known, all that is
    said is nobody's.
    """
    if not trackers or not is_reliably_english(language_code, language_confidence):
        return None
    known = roles.both_sides_known
    heard: dict[tuple[str, Side], list[int]] = {}
    for one in mentions_in((said.text for said in utterances), trackers):
        said = utterances[one.text]
        side = roles.sides.get(said.speaker, "unassigned") if known else "unassigned"
        at_ms = said.words[one.word].start_ms if len(said.words) == one.of else said.start_ms
        heard.setdefault((one.tracker, side), []).append(at_ms)
    order = {tracker.name: place for place, tracker in enumerate(trackers)}
    found = [Mention(tracker, side, len(times), min(times)) for (tracker, side), times in heard.items()]
    return sorted(found, key=lambda mention: (order[mention.tracker], mention.first_ms, mention.side))


def notices(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    trackers: Sequence[Tracker],
    *,
    language_code: str | None,
    language_confidence: float | None,
) -> list[Notice]:
    """Return what a reader should know about the numbers: speech of neither side, and a language without word lists."""
    found = []
    if roles.both_sides_known:
        found += _third_speakers(utterances, roles)
    if not is_reliably_english(language_code, language_confidence):
        language = language_name(language_code) or "an unknown language"
        sure = "" if language_confidence is None else f", confidence {language_confidence:.2f}"
        text = f"Questions, fillers and mentions are counted in English only; this call is in {language}{sure}."
        found.append(Notice(code="language_not_counted", text=text))
    elif not trackers:
        found.append(Notice(code="no_trackers", text="No words to look for are configured (trackers.toml)."))
    return found


def _third_speakers(utterances: Sequence[Utterance], roles: RoleAssignment) -> list[Notice]:
    heard = dict.fromkeys(said.speaker for said in utterances)
    labels = [label for label, side in roles.sides.items() if side == "unassigned" and label in heard]
    if not labels:
        return []
    whole = unassigned_share(utterances, roles) or 0
    part = f"({whole:.1%} of the speech)"
    if len(labels) == 1:
        text = f"Speaker {labels[0]} {part} has no role and is in neither side."
    else:
        text = f"Speakers {', '.join(labels[:-1])} and {labels[-1]} {part} have no role and are in neither side."
    found = [Notice(code="third_speaker", text=text)]
    if whole > NOTED_UNASSIGNED_SHARE:
        text = "That is enough to change the talk share, depending on whose side it is."
        found.append(Notice(code="unassigned_speech", text=text))
    return found
