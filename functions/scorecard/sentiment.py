"""Where the customer's wording changed. Pure.

AssemblyAI labels every sentence. Single labels are noisy, so a shift is a stretch of the customer's sentences whose
labels are too dense for chance at this call's own rates: maximal scoring segments of log-likelihood ratios, found in
one pass (Ruzzo and Tompa, "A Linear Time Algorithm for Finding All Maximal Scoring Subsequences", ISMB 1999), kept
where as good a stretch is rarely expected by chance (the extreme-value form of Karlin and Altschul, PNAS 1990).
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp, log

import msgspec

from callcoach.transcript import SentimentRow, Utterance
from scorecard.metrics import share
from scorecard.scorecard import (
    Polarity,
    RowCounts,
    SentimentBySide,
    SentimentCounts,
    ShiftQuote,
    Tally,
)
from scorecard.speakers import RoleAssignment

SHIFTS_DEFINITION = "sentiment.episodes_llr.v1"

# Below this many usable rows nothing can be told from chance.
MINIMUM_ROWS = 20
# A row that lies less than this in any utterance belongs to none.
MINIMUM_OVERLAP = 0.3
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
_NAMES: dict[int, Polarity] = {-1: "negative", 1: "positive"}

_COURTESY_WORDS = frozenset(
    """
    hi hello hey thanks thank you great good nice to meet bye goodbye okay sure yes yeah perfect awesome sounds
    cool have a day one take care talk soon appreciate it so much again very
    """.split()  # noqa: SIM905 - a list would take a page
)
_COURTESY_PHRASES = re.compile(r"\b(thanks?|nice to meet|(good)?bye|take care|have a good)\b")
_COURTESY_MS = 60_000


class PlacedRow(msgspec.Struct, frozen=True, gc=False):
    """One labelled sentence in its utterance. first_word, past_word: its words among the utterance's."""

    start_ms: int
    end_ms: int
    label: int
    confidence: float
    utterance: int
    first_word: int
    past_word: int


class ShiftCandidate(msgspec.Struct, frozen=True):
    """A shift before the coach has said what it is about. utterances: the window in which its cause must lie."""

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
    """What the labels say. candidates is None, with the reason, when nothing can be known."""

    counts: RowCounts
    by_side: SentimentBySide | None
    candidates: list[ShiftCandidate] | None
    candidates_reason: str | None
    usable_customer_rows: int


def read_sentiment(rows: Sequence[SentimentRow], utterances: Sequence[Utterance], roles: RoleAssignment) -> Reading:
    """Place the rows, count them per side, and find where the customer's wording changed."""
    placed = place_rows(rows, utterances)
    counts = RowCounts(
        total=len(rows),
        assigned=len(placed),
        unassigned=len(rows) - len(placed),
        below_0_5=sum((row.confidence or 0.0) < 0.5 for row in rows),
    )
    if not roles.both_sides_known:
        return Reading(counts, None, None, "roles_doubtful", 0)
    sides = {
        side: [row for row in placed if roles.sides[utterances[row.utterance].speaker] == side]
        for side in ("rep", "customer")
    }
    by_side = SentimentBySide(rep=_counts(sides["rep"]), customer=_counts(sides["customer"]))
    first_ms = min(utterance.start_ms for utterance in utterances)
    last_ms = max(utterance.end_ms for utterance in utterances)
    usable = [row for row in sides["customer"] if _is_usable(row, utterances[row.utterance], first_ms, last_ms)]
    if len(usable) < MINIMUM_ROWS:
        return Reading(counts, by_side, None, "too_few_rows", len(usable))
    return Reading(counts, by_side, find_shifts(usable, utterances), None, len(usable))


def place_rows(rows: Iterable[SentimentRow], utterances: Sequence[Utterance]) -> list[PlacedRow]:
    """Give each row to the utterance that it overlaps most in time, the earlier one of equals; in order of time.

    A row without usable times, or that hardly overlaps any utterance, is left out.
    """
    order = sorted(range(len(utterances)), key=lambda index: utterances[index].start_ms)
    timed = sorted(
        (
            (row.start_ms, row.end_ms, row)
            for row in rows
            if row.start_ms is not None and row.end_ms is not None and row.end_ms > row.start_ms
        ),
        key=lambda timed_row: timed_row[:2],
    )
    placed = []
    open_utterances: list[int] = []
    following = 0
    for start_ms, end_ms, row in timed:
        while following < len(order) and utterances[order[following]].start_ms < end_ms:
            open_utterances.append(order[following])
            following += 1
        open_utterances = [index for index in open_utterances if utterances[index].end_ms > start_ms]
        best_ms, best = 0, -1
        for index in open_utterances:
            overlap_ms = min(end_ms, utterances[index].end_ms) - max(start_ms, utterances[index].start_ms)
            if overlap_ms > best_ms:
                best_ms, best = overlap_ms, index
        label = _LABELS.get(row.sentiment.upper())
        if label is None or best_ms < MINIMUM_OVERLAP * (end_ms - start_ms):
            continue
        words = utterances[best].words
        first = bisect_left(words, 2 * start_ms, key=lambda word: word.start_ms + word.end_ms)
        past = bisect_right(words, 2 * end_ms, key=lambda word: word.start_ms + word.end_ms)
        placed.append(PlacedRow(start_ms, end_ms, label, row.confidence or 0.0, best, first, past))
    return placed


def _counts(rows: Sequence[PlacedRow]) -> SentimentCounts:
    number: Counter[int] = Counter()
    time_ms: Counter[int] = Counter()
    for row in rows:
        number[row.label] += 1
        time_ms[row.label] += row.end_ms - row.start_ms
    whole_ms = time_ms.total()
    return SentimentCounts(
        positive=number[1],
        neutral=number[0],
        negative=number[-1],
        positive_share=share(time_ms[1], whole_ms),
        neutral_share=share(time_ms[0], whole_ms),
        negative_share=share(time_ms[-1], whole_ms),
    )


def _is_usable(row: PlacedRow, utterance: Utterance, first_ms: int, last_ms: int) -> bool:
    """Leave out what is too short to mean anything, and greetings, thanks and farewells."""
    tokens = [
        token
        for word in utterance.words[row.first_word : row.past_word]
        for token in re.findall(r"[a-z]+", word.text.casefold())
    ]
    if row.past_word - row.first_word <= 3 or _COURTESY_WORDS.issuperset(tokens):
        return False
    at_an_end = row.start_ms < first_ms + _COURTESY_MS or row.start_ms >= last_ms - _COURTESY_MS
    return not (at_an_end and _COURTESY_PHRASES.search(" ".join(tokens)))


class _Episode(msgspec.Struct, frozen=True):
    """rows[first : past], and how many stretches as good chance would bring to such a call."""

    polarity: int
    first: int
    past: int
    expected_by_chance: float


def find_shifts(rows: Sequence[PlacedRow], utterances: Sequence[Utterance]) -> list[ShiftCandidate]:
    """Return the stretches of usable customer rows whose wording differs, in order of time.

    Of more than three, the three that chance explains least.
    """
    labels = [row.label if row.confidence >= 0.5 else 0 for row in rows]
    episodes = [
        episode for polarity in (-1, 1) for episode in _episodes(labels, polarity) if _is_spread(rows, labels, episode)
    ]
    episodes.sort(key=lambda episode: (episode.expected_by_chance, episode.first))
    kept: list[_Episode] = []
    for episode in episodes:
        if all(episode.first >= other.past or episode.past <= other.first for other in kept):
            kept.append(episode)
    published = sorted(kept[:PUBLISHED_SHIFTS], key=lambda episode: episode.first)
    in_order = sorted(kept, key=lambda episode: episode.first)
    return [_candidate(rows, labels, episode, in_order, utterances) for episode in published]


def _episodes(labels: Sequence[int], polarity: int) -> list[_Episode]:
    count = Counter(labels)
    total = len(labels)
    if count[polarity] > STATE_SHARE * total:
        return []
    usual = {label: (count[label] + _PRIOR_ROWS * _PRIOR[label]) / (total + _PRIOR_ROWS) for label in _PRIOR}
    rates = dict(_EPISODE_RATES[polarity])
    if 2 * usual[polarity] > rates[polarity]:
        raised = min(0.9, 2 * usual[polarity])
        rest = (1 - raised) / (1 - rates[polarity])
        rates = {label: raised if label == polarity else rate * rest for label, rate in rates.items()}
    score = {label: log(rates[label] / usual[label]) for label in _PRIOR}
    return [
        _Episode(polarity, first, past, CHANCE_FACTOR * total * exp(-segment_score))
        for first, past, segment_score in maximal_segments([score[label] for label in labels])
        if CHANCE_FACTOR * total * exp(-segment_score) <= POSSIBLE_EXPECTATION
    ]


def maximal_segments(scores: Sequence[float]) -> list[tuple[int, int, float]]:
    """Return all maximal scoring segments as (first, past, score), in order (Ruzzo and Tompa 1999)."""
    # Each entry: first, past, the cumulative score before it and up to its end.
    found: list[tuple[int, int, float, float]] = []
    total = 0.0
    for index, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0:
            continue
        first, left = index, before
        while True:
            position = len(found) - 1
            while position >= 0 and found[position][2] >= left:
                position -= 1
            if position < 0 or found[position][3] >= total:
                found.append((first, index + 1, left, total))
                break
            first, _, left, _ = found[position]
            del found[position:]
    return [(first, past, right - left) for first, past, left, right in found]


def _is_spread(rows: Sequence[PlacedRow], labels: Sequence[int], episode: _Episode) -> bool:
    """A stretch needs three rows of its polarity, in two utterances or over half a minute."""
    polar = [rows[index] for index in range(episode.first, episode.past) if labels[index] == episode.polarity]
    if len(polar) < 3:
        return False
    return len({row.utterance for row in polar}) >= 2 or polar[-1].end_ms - polar[0].start_ms >= 30_000


def _candidate(
    rows: Sequence[PlacedRow],
    labels: Sequence[int],
    episode: _Episode,
    all_episodes: Sequence[_Episode],
    utterances: Sequence[Utterance],
) -> ShiftCandidate:
    polar = [index for index in range(episode.first, episode.past) if labels[index] == episode.polarity]
    at_ms, until_ms = rows[polar[0]].start_ms, rows[polar[-1]].end_ms
    before = [other for other in all_episodes if other.past <= episode.first and episode.first - other.past < 3]
    negative_ahead = [other.first for other in all_episodes if other.polarity == -1 and other.first >= episode.past]
    calm_rows = min(negative_ahead, default=len(rows)) - episode.past
    polar_elsewhere = labels.count(episode.polarity) - len(polar)
    window = [
        index
        for index, utterance in enumerate(utterances)
        if utterance.end_ms > at_ms - 90_000 and utterance.start_ms < until_ms
    ]
    return ShiftCandidate(
        strength="clear" if episode.expected_by_chance <= CLEAR_EXPECTATION else "possible",
        from_=_NAMES[before[-1].polarity] if before else "neutral",
        to=_NAMES[episode.polarity],
        at_ms=at_ms,
        until_ms=until_ms,
        recovered=calm_rows >= 5,
        here=Tally(rows=episode.past - episode.first, polar_rows=len(polar)),
        elsewhere=Tally(rows=len(rows) - (episode.past - episode.first), polar_rows=polar_elsewhere),
        expected_by_chance=round(episode.expected_by_chance, 4),
        quote=_quote([rows[index] for index in polar], utterances),
        first_utterance=window[0],
        last_utterance=window[-1],
    )


def _quote(polar: Sequence[PlacedRow], utterances: Sequence[Utterance]) -> ShiftQuote | None:
    """Return the words of the row that is surest and longest: no question, five words or more."""
    best: PlacedRow | None = None
    best_weight = 0.0
    for row in polar:
        words = utterances[row.utterance].words[row.first_word : row.past_word]
        weight = row.confidence * min(len(words), 20)
        if len(words) >= 5 and not words[-1].text.endswith("?") and weight > best_weight:
            best, best_weight = row, weight
    if best is None:
        return None
    utterance = utterances[best.utterance]
    words = utterance.words[best.first_word : best.past_word]
    if len(words) > QUOTE_WORDS:
        spare = (len(words) - QUOTE_WORDS) // 2
        words = words[spare : spare + QUOTE_WORDS]
    return ShiftQuote(
        utterance=best.utterance,
        label=utterance.speaker,
        start_ms=words[0].start_ms,
        end_ms=words[-1].end_ms,
        text=" ".join(word.text for word in words),
    )
