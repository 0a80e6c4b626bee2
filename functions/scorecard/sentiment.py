"""Where the customer's wording changed. Pure.

AssemblyAI labels every sentence. Single labels are noisy, so a shift is a stretch of the customer's sentences whose
labels are too dense for chance at this call's own rates: maximal scoring segments of log-likelihood ratios, found in
one pass (Ruzzo and Tompa, "A Linear Time Algorithm for Finding All Maximal Scoring Subsequences", ISMB 1999), kept
where as good a stretch is rarely expected by chance (the extreme-value form of Karlin and Altschul, PNAS 1990).
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import exp, log
from operator import attrgetter
from typing import NamedTuple

import msgspec

from callcoach.plain_text import is_single_spaced
from callcoach.transcript import SentimentRow, Utterance
from scorecard.metrics import share
from scorecard.scorecard import (
    Polarity,
    RowCounts,
    SentimentBySide,
    SentimentCounts,
    ShiftQuote,
    Side,
    Tally,
    TurnScores,
    TurnScoresBySide,
)
from scorecard.speakers import RoleAssignment

SHIFTS_DEFINITION = "sentiment.episodes_llr.v1"
TURNS_DEFINITION = "sentiment.aws_style_turns.v1"

# Below this many usable rows nothing can be told from chance.
MINIMUM_ROWS = 20
# A row that lies less than this in any utterance belongs to none.
MINIMUM_OVERLAP = 0.3
# A row is a sentence: what runs over more utterances or words than these is none. That bounds the work.
MAXIMUM_UTTERANCES, MAXIMUM_WORDS = 100, 400
# A polar label that is less sure than this counts as neutral.
MINIMUM_CONFIDENCE = 0.5
# A polarity that is more common than this is the call's state, not an event in it.
STATE_SHARE = 0.40
CLEAR_EXPECTATION, POSSIBLE_EXPECTATION = 0.05, 0.3
# Calibrated so that shuffled rows give at most one clear shift in ten calls.
CHANCE_FACTOR = 0.2
PUBLISHED_SHIFTS = 3
QUOTE_WORDS = 40

_LABELS = {"POSITIVE": 1, "NEUTRAL": 0, "NEGATIVE": -1}
_PRIOR_ROWS = 10
_PRIOR = {-1: 0.10, 0: 0.72, 1: 0.18}
_EPISODE_RATES: dict[int, dict[int, float]] = {
    -1: {-1: 0.55, 0: 0.38, 1: 0.07},
    1: {1: 0.65, 0: 0.30, -1: 0.05},
}
# Scores are whole millionths of a nat, so that their sums are the same on every machine.
_NAT = 1_000_000
_NAMES: dict[int, Polarity] = {-1: "negative", 1: "positive"}

_COURTESY_WORDS = frozenset(
    """
    hi hello hey thanks thank you great good nice to meet bye goodbye okay sure yes yeah perfect awesome sounds
    cool have a day one take care talk soon appreciate it so much again very
    """.split()  # noqa: SIM905 - a list would take a page
)
_COURTESY_PHRASES = re.compile(r"\b(thanks?|nice to meet|(good)?bye|take care|have a good)\b")
_COURTESY_MS = 60_000

_LETTER = re.compile(r"\w")
_TOKEN = re.compile(r"\w+")
_MARKS = re.compile(r"[^\w\s]*")


class SpokenWord(msgspec.Struct, frozen=True, gc=False):
    """One word of an utterance: text[start : end], and when it is said."""

    start: int
    end: int
    start_ms: int
    end_ms: int


class _TimedWords(NamedTuple):
    """The words of an utterance, and the middle of each in time, doubled. texts: where they are not in spoken."""

    doubled_middles_ms: list[int]
    texts: list[str]
    spoken: list[SpokenWord] | None


class PlacedRow(msgspec.Struct, frozen=True, gc=False):
    """One labelled sentence in its utterance."""

    start_ms: int
    end_ms: int
    label: int
    confidence: float
    utterance: int


class Speech:
    """The utterances, and the words of those that are asked about."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self.utterances = utterances
        self._timed: dict[int, _TimedWords] = {}

    def during(self, row: PlacedRow) -> range:
        """Return which words of its utterance a row is about: those whose middle it covers.

        None of more than a sentence has.
        """
        middles = self.timed(row.utterance).doubled_middles_ms
        first, past = bisect_left(middles, 2 * row.start_ms), bisect_right(middles, 2 * row.end_ms)
        return range(first, past) if past - first <= MAXIMUM_WORDS else range(0)

    def timed(self, utterance: int) -> _TimedWords:
        """Return the words of an utterance."""
        timed = self._timed.get(utterance)
        if timed is None:
            timed = self._timed[utterance] = _timed_words(self.utterances[utterance])
        return timed

    def text(self, utterance: int, said: range) -> str:
        """Return some words of an utterance as they stand in its text."""
        timed = self.timed(utterance)
        if timed.spoken is None:
            return " ".join(timed.texts[said.start : said.stop])
        return self.utterances[utterance].text[timed.spoken[said[0]].start : timed.spoken[said[-1]].end]


def _timed_words(utterance: Utterance) -> _TimedWords:
    """Return the words: the recogniser's where they are what stands between single blanks."""
    text, texts = utterance.text, [word.text for word in utterance.words]
    if text and " ".join(texts) == text and text.count(" ") == len(texts) - 1 and is_single_spaced(text):
        return _TimedWords([word.start_ms + word.end_ms for word in utterance.words], texts, None)
    spoken = spoken_words(utterance)
    return _TimedWords([word.start_ms + word.end_ms for word in spoken], [], spoken)


class ShiftCandidate(msgspec.Struct, frozen=True):
    """A shift before the coach has said what it is about.

    first_utterance, last_utterance: the window in which its cause must lie.
    """

    strength: str
    from_: str
    to: Polarity
    at_ms: int
    until_ms: int
    recovered: bool
    here: Tally
    elsewhere: Tally
    expected_by_chance: float
    quote: ShiftQuote | None
    first_utterance: int
    last_utterance: int


class Reading(msgspec.Struct, frozen=True):
    """What the labels say. candidates is None, with the reason, when nothing can be known.

    placed: the rows that lie in an utterance, in order of time.
    """

    counts: RowCounts
    by_side: SentimentBySide | None
    aws_style_score: TurnScoresBySide | None
    candidates: list[ShiftCandidate] | None
    candidates_reason: str | None
    usable_customer_rows: int
    placed: list[PlacedRow]


def read_sentiment(rows: Sequence[SentimentRow], utterances: Sequence[Utterance], roles: RoleAssignment) -> Reading:
    """Place the rows, count them per side, and find where the customer's wording changed."""
    placed = place_rows(rows, utterances)
    counts = RowCounts(
        total=len(rows),
        assigned=len(placed),
        unassigned=len(rows) - len(placed),
        below_0_5=sum((row.confidence or 0.0) < MINIMUM_CONFIDENCE for row in rows),
    )
    if not roles.both_sides_known:
        return Reading(counts, None, None, None, "roles_doubtful", 0, placed)
    rep, customer = (
        [row for row in placed if roles.sides[utterances[row.utterance].speaker] == side]
        for side in ("rep", "customer")
    )
    speech = speech_of(utterances)
    usable = usable_rows(customer, speech)
    enough = len(usable) >= MINIMUM_ROWS
    return Reading(
        counts=counts,
        by_side=SentimentBySide(rep=_counts(rep), customer=_counts(customer)),
        aws_style_score=aws_style_score(placed, speech, roles),
        candidates=find_shifts(usable, speech) if enough else None,
        candidates_reason=None if enough else "too_few_rows",
        usable_customer_rows=len(usable),
        placed=placed,
    )


def speech_of(utterances: Sequence[Utterance]) -> Speech:
    """Return the words of the utterances; they are found when somebody asks."""
    return Speech(utterances)


def spoken_words(utterance: Utterance) -> list[SpokenWord]:
    """Return the words as they stand in the utterance's text, each with the marks that follow it.

    They have the recogniser's times where its words are those of the text; else they are what stands between spaces,
    timed by its place among the characters.
    """
    text = utterance.text
    words = []
    offset = 0
    for word in utterance.words:
        token = word.text.strip()
        start = text.find(token, offset)
        if start < 0 or _LETTER.search(text[offset:start]):
            break
        marks = _MARKS.match(text, start + len(token))
        offset = marks.end() if marks else start + len(token)
        if token:
            words.append(SpokenWord(start, offset, word.start_ms, word.end_ms))
    else:
        if words and not _LETTER.search(text[offset:]):
            return words
    length_ms, characters = utterance.end_ms - utterance.start_ms, max(len(text), 1)
    return [
        SpokenWord(
            found.start(),
            found.end(),
            utterance.start_ms + length_ms * found.start() // characters,
            utterance.start_ms + length_ms * found.end() // characters,
        )
        for found in re.finditer(r"\S+", text)
    ]


class _Extent(msgspec.Struct, frozen=True, gc=False):
    """When an utterance is said."""

    start_ms: int
    end_ms: int
    utterance: int


def place_rows(rows: Iterable[SentimentRow], utterances: Sequence[Utterance]) -> list[PlacedRow]:
    """Give each row to the utterance that it overlaps most in time, the earlier one of equals; in order of time.

    A row without times, or that hardly overlaps any utterance, is left out; and one over very many of them.
    """
    extents = _undominated(utterances)
    ends = [extent.end_ms for extent in extents]
    starts = [extent.start_ms for extent in extents]
    placed = []
    for row in rows:
        label = _LABELS.get(row.sentiment.upper())
        if label is None or row.start_ms is None or row.end_ms is None or row.end_ms <= row.start_ms:
            continue
        start_ms, end_ms = row.start_ms, row.end_ms
        first, past = bisect_right(ends, start_ms), bisect_left(starts, end_ms)
        if past - first > MAXIMUM_UTTERANCES:
            continue
        nearest = extents[first] if first < past else None
        if nearest and nearest.start_ms <= start_ms and end_ms <= nearest.end_ms:
            # Nothing overlaps a row more than what is said around all of it.
            placed.append(PlacedRow(start_ms, end_ms, label, row.confidence or 0.0, nearest.utterance))
            continue
        best_ms, best = 0, -1
        for extent in extents[first:past]:
            overlap_ms = min(end_ms, extent.end_ms) - max(start_ms, extent.start_ms)
            if overlap_ms > best_ms:
                best_ms, best = overlap_ms, extent.utterance
            if extent.end_ms >= end_ms:
                break
        if best_ms >= MINIMUM_OVERLAP * (end_ms - start_ms):
            placed.append(PlacedRow(start_ms, end_ms, label, row.confidence or 0.0, best))
    return sorted(placed, key=attrgetter("start_ms", "end_ms", "label", "confidence"))


def _undominated(utterances: Sequence[Utterance]) -> list[_Extent]:
    """Return the utterances in order of their starts, but for those that end no later than one which began before.

    Nothing overlaps such an utterance more than the one around it. What is left is in order of the ends too.
    """
    extents: list[_Extent] = []
    for index, utterance in sorted(enumerate(utterances), key=lambda numbered: numbered[1].start_ms):
        ends_later = not extents or utterance.end_ms > extents[-1].end_ms
        if ends_later and utterance.end_ms > utterance.start_ms:
            extents.append(_Extent(utterance.start_ms, utterance.end_ms, index))
    return extents


def _counts(rows: Sequence[PlacedRow]) -> SentimentCounts:
    number, time_ms = {-1: 0, 0: 0, 1: 0}, {-1: 0, 0: 0, 1: 0}
    for row in rows:
        number[row.label] += 1
        time_ms[row.label] += row.end_ms - row.start_ms
    whole_ms = sum(time_ms.values())
    return SentimentCounts(
        positive=number[1],
        neutral=number[0],
        negative=number[-1],
        positive_share=share(time_ms[1], whole_ms),
        neutral_share=share(time_ms[0], whole_ms),
        negative_share=share(time_ms[-1], whole_ms),
    )


def aws_style_score(placed: Iterable[PlacedRow], speech: Speech, roles: RoleAssignment) -> TurnScoresBySide:
    """Score the turns of both sides from -5 to +5.

    A turn is positive or negative when its labels, weighed by their words, tip a quarter of its words that way.
    """
    tipped: Counter[int] = Counter()
    for row in placed:
        if row.label:
            tipped[row.utterance] += row.label * len(speech.during(row))
    turns: dict[Side, list[Turn]] = {"rep": [], "customer": [], "unassigned": []}
    for index, utterance in sorted(enumerate(speech.utterances), key=lambda numbered: numbered[1].start_ms):
        if utterance.text.strip():
            weight = tipped[index]
            polarity = 0
            if weight and 4 * abs(weight) >= len(speech.timed(index).doubled_middles_ms):
                polarity = 1 if weight > 0 else -1
            turns[roles.sides[utterance.speaker]].append(Turn(utterance.start_ms, utterance.end_ms, polarity))
    return TurnScoresBySide(
        rep=turn_scores(turns["rep"]), customer=turn_scores(turns["customer"]), definition=TURNS_DEFINITION
    )


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One turn of a side. polarity: -1, 0 or 1."""

    start_ms: int
    end_ms: int
    polarity: int


def turn_scores(turns: Sequence[Turn]) -> TurnScores:
    """Score one side's turns, in order of time, as Amazon Transcribe Call Analytics and Contact Lens publish it.

    A quarter is a fourth of the time until this side's last turn ends; a turn belongs to that in which it begins. The
    formula is not documented; it was found from published scores.
    """
    whole_ms = max((turn.end_ms for turn in turns), default=0)
    quarters: list[list[int]] = [[], [], [], []]
    for turn in turns:
        quarter = 4 * turn.start_ms // whole_ms if whole_ms > 0 else 0
        quarters[min(max(quarter, 0), 3)].append(turn.polarity)
    return TurnScores(
        overall=_streak_score([turn.polarity for turn in turns]),
        quarters=[_streak_score(quarter) for quarter in quarters],
    )


def _streak_score(polarities: Sequence[int]) -> float | None:
    """Return 5 * (positive - negative) / all, where the n-th turn of a streak of one polarity weighs n."""
    if not polarities:
        return None
    balance = total = streak = before = 0
    for polarity in polarities:
        streak = streak + 1 if polarity and polarity == before else 1
        before = polarity
        balance += polarity * streak
        total += streak
    # Rounded to tenths in integers, halves away from zero.
    tenths = (100 * abs(balance) + total) // (2 * total)
    return (tenths if balance > 0 else -tenths) / 10


def usable_rows(rows: Iterable[PlacedRow], speech: Speech) -> list[PlacedRow]:
    """Leave out what is too short to mean anything, and greetings, thanks and farewells."""
    first_ms = min((utterance.start_ms for utterance in speech.utterances), default=0)
    last_ms = max((utterance.end_ms for utterance in speech.utterances), default=0)
    usable = []
    for row in rows:
        said = speech.during(row)
        if len(said) <= 3:
            continue
        text = speech.text(row.utterance, said).casefold()
        first = _TOKEN.search(text)
        if first is None or (first[0] in _COURTESY_WORDS and _COURTESY_WORDS.issuperset(_TOKEN.findall(text))):
            continue
        at_an_end = row.start_ms < first_ms + _COURTESY_MS or row.start_ms >= last_ms - _COURTESY_MS
        if at_an_end and _COURTESY_PHRASES.search(" ".join(_TOKEN.findall(text))):
            continue
        usable.append(row)
    return usable


class Episode(msgspec.Struct, frozen=True):
    """A stretch rows[first : past], and how many as good ones chance would bring to such a call."""

    polarity: int
    first: int
    past: int
    expected_by_chance: float

    @property
    def is_clear(self) -> bool:
        """Whether the labels alone show it; otherwise the words must."""
        return self.expected_by_chance <= CLEAR_EXPECTATION


def find_episodes(rows: Sequence[PlacedRow]) -> list[Episode]:
    """Return the stretches of usable customer rows that are too dense for chance, in order; no two overlap."""
    labels = _sure_labels(rows)
    episodes = [
        episode for polarity in (-1, 1) for episode in _episodes(labels, polarity) if _is_spread(rows, labels, episode)
    ]
    kept: list[Episode] = []
    for episode in sorted(episodes, key=_least_expected):
        position = bisect_left(kept, episode.first, key=lambda other: other.first)
        follows = position == 0 or kept[position - 1].past <= episode.first
        precedes = position == len(kept) or episode.past <= kept[position].first
        if follows and precedes:
            kept.insert(position, episode)
    return kept


def _least_expected(episode: Episode) -> tuple[float, int]:
    return episode.expected_by_chance, episode.first


def find_shifts(rows: Sequence[PlacedRow], speech: Speech) -> list[ShiftCandidate]:
    """Return the shifts that a stretch of usable customer rows shows, in order of time.

    Of more than three, the three that chance explains least.
    """
    episodes = find_episodes(rows)
    published = sorted(episodes, key=_least_expected)[:PUBLISHED_SHIFTS]
    return [_candidate(rows, episode, episodes, speech) for episode in sorted(published, key=lambda one: one.first)]


def _sure_labels(rows: Iterable[PlacedRow]) -> list[int]:
    return [row.label if row.confidence >= MINIMUM_CONFIDENCE else 0 for row in rows]


def _episodes(labels: Sequence[int], polarity: int) -> list[Episode]:
    total = len(labels)
    count = Counter(labels)
    if count[polarity] > STATE_SHARE * total:
        return []
    score = _scores(count, polarity)
    episodes = []
    for first, past, segment_score in maximal_segments([score[label] for label in labels]):
        expected = CHANCE_FACTOR * total * exp(-segment_score / _NAT)
        if expected <= POSSIBLE_EXPECTATION:
            episodes.append(Episode(polarity, first, past, expected))
    return episodes


def _scores(count: Mapping[int, int], polarity: int) -> dict[int, int]:
    """Return for each label how much more it speaks for an episode than for the rest of the call."""
    total = sum(count.values())
    usual = {label: (count[label] + _PRIOR_ROWS * _PRIOR[label]) / (total + _PRIOR_ROWS) for label in _PRIOR}
    rates = _EPISODE_RATES[polarity]
    if 2 * usual[polarity] > rates[polarity]:
        raised = min(0.9, 2 * usual[polarity])
        rest = (1 - raised) / (1 - rates[polarity])
        rates = {label: raised if label == polarity else rate * rest for label, rate in rates.items()}
    return {label: round(_NAT * log(rates[label] / usual[label])) for label in _PRIOR}


class _Segment(msgspec.Struct, frozen=True, gc=False):
    """scores[first : past]; left, right: the sum of all scores before it and up to its end.

    lower: the position among those found of the nearest earlier one with a smaller left, or -1.
    """

    first: int
    past: int
    left: int
    right: int
    lower: int


def maximal_segments(scores: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return all maximal scoring segments as (first, past, score), in order (Ruzzo and Tompa 1999).

    What stands between a segment and the one that its lower points at is never looked at again, so the work is linear.
    """
    found: list[_Segment] = []
    for index, (score, total) in enumerate(zip(scores, accumulate(scores), strict=True)):
        if score <= 0:
            continue
        first, left = index, total - score
        position = len(found) - 1
        while True:
            while position >= 0 and found[position].left >= left:
                position = found[position].lower
            if position < 0 or found[position].right >= total:
                found.append(_Segment(first, index + 1, left, total, position))
                break
            first, left = found[position].first, found[position].left
            lower = found[position].lower
            del found[position:]
            position = lower
    return [(segment.first, segment.past, segment.right - segment.left) for segment in found]


def _is_spread(rows: Sequence[PlacedRow], labels: Sequence[int], episode: Episode) -> bool:
    """A stretch needs three rows of its polarity, in two utterances or over half a minute."""
    polar = [rows[index] for index in range(episode.first, episode.past) if labels[index] == episode.polarity]
    if len(polar) < 3:
        return False
    return len({row.utterance for row in polar}) >= 2 or polar[-1].end_ms - polar[0].start_ms >= 30_000


def _candidate(
    rows: Sequence[PlacedRow], episode: Episode, all_episodes: Sequence[Episode], speech: Speech
) -> ShiftCandidate:
    labels = _sure_labels(rows)
    polar = [index for index in range(episode.first, episode.past) if labels[index] == episode.polarity]
    at_ms, until_ms = rows[polar[0]].start_ms, rows[polar[-1]].end_ms
    before = [other for other in all_episodes if other.past <= episode.first and episode.first - other.past < 3]
    later_negative = sum(
        other.past - other.first for other in all_episodes if other.polarity == -1 and other.first >= episode.past
    )
    polar_elsewhere = labels.count(episode.polarity) - len(polar)
    window = [
        index
        for index, utterance in enumerate(speech.utterances)
        if utterance.end_ms > at_ms - 90_000 and utterance.start_ms < until_ms
    ]
    return ShiftCandidate(
        strength="clear" if episode.is_clear else "possible",
        from_=_NAMES[before[-1].polarity] if before else "neutral",
        to=_NAMES[episode.polarity],
        at_ms=at_ms,
        until_ms=until_ms,
        recovered=len(rows) - episode.past - later_negative >= 5,
        here=Tally(rows=episode.past - episode.first, polar_rows=len(polar)),
        elsewhere=Tally(rows=len(rows) - (episode.past - episode.first), polar_rows=polar_elsewhere),
        expected_by_chance=round(episode.expected_by_chance, 4),
        quote=_quote([rows[index] for index in polar], speech),
        first_utterance=window[0],
        last_utterance=window[-1],
    )


def _quote(polar: Sequence[PlacedRow], speech: Speech) -> ShiftQuote | None:
    """Return the words of the row that is surest and longest: no question, five words or more."""
    best: PlacedRow | None = None
    best_weight = 0.0
    for row in polar:
        said = speech.during(row)
        weight = row.confidence * min(len(said), 20)
        if len(said) >= 5 and weight > best_weight and "?" not in speech.text(row.utterance, said[-1:]):
            best, best_weight = row, weight
    if best is None:
        return None
    utterance, during = speech.utterances[best.utterance], speech.during(best)
    words = _around_the_middle(spoken_words(utterance)[during.start : during.stop], utterance.text)
    return ShiftQuote(
        utterance=best.utterance,
        label=utterance.speaker,
        start_ms=words[0].start_ms,
        end_ms=words[-1].end_ms,
        text=utterance.text[words[0].start : words[-1].end],
    )


def _around_the_middle(said: list[SpokenWord], text: str) -> list[SpokenWord]:
    """Return at most forty of the words, whole sentences where there are any of five words or more."""
    if len(said) <= QUOTE_WORDS:
        return said
    spare = (len(said) - QUOTE_WORDS) // 2
    ends_sentence = [text[word.end - 1] in ".!?" for word in said]
    window = range(spare, spare + QUOTE_WORDS)
    first = next((at for at in window if at == 0 or ends_sentence[at - 1]), spare)
    past = next((at + 1 for at in reversed(window) if ends_sentence[at]), spare + QUOTE_WORDS)
    return said[first:past] if past - first >= 5 else said[window.start : window.stop]
