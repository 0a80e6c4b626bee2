"""Whether a quote was really said, and by the right side. Pure.

The coach gives an utterance's number and the words; a slot may demand a side. What is published is cut out of the
transcript again, uncut from the first to the last word found, so it is a substring of the utterance that it names. The
speaker is never repaired: a claim is about who said it. What this cannot see is a true quote under a claim that it
does not support.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Literal, NamedTuple

import msgspec

from callcoach.transcript import Utterance
from scorecard.scorecard import Evidence, EvidenceCounts
from scorecard.speakers import RoleAssignment
from scorecard.tokens import (
    OTHER_SENTENCE_ENDS,
    UNSPACED,
    WRITTEN_WORD,
    Language,
    Token,
    folded,
    is_literal,
    language_rules,
    tokens_of,
)

EVIDENCE_DEFINITION = "evidence.token_align.v1"

DemandedSide = Literal["rep", "customer"]
Check = Literal["verified", "repaired"]
DropReason = Literal["too_short", "not_found", "wrong_speaker", "ambiguous", "negation", "elision"]

# All in tokens, and for written words in scripts without spaces twice as many characters.
_MINIMUM_TOKENS = 3
# Shorter quotes stand in many places, so they must stand where they are said to.
_SHORT_TOKENS = 5
_SHORT_CONTENT_TOKENS = 2
_UNAMBIGUOUS_TOKENS = 8
_MAX_GAP_TOKENS = 40
_GAP_EDGE_TOKENS = 3
_MAX_ELIDED_WORDS = 60
_MAX_WORDS = 40
_NEGATION_REACH_TOKENS = 4
_BACKCHANNEL_TOKENS = 3
_MAX_BACKCHANNELS = 2

_EXACT_REACH = 3
_SHORT_REACH = 1
_NEAR_REACH = 2
_JOINED_REACH = 1
_RUN_REACH = 6

# Costs of an alignment in fifths of an edit.
_EDIT = 5
_SOFT_EXTRA = 1
_CRITICAL = 25
# Tokens of the quote below which so many edits are allowed: four in five of them match.
_ALLOWED_EDITS = ((10, 1), (16, 2), (24, 3))
_MOST_ALLOWED_EDITS = 4
_CANDIDATE_CONTENT_PERCENT = 60
_INFLECTED_LETTERS = 5
_PREFIXED_LETTERS = 4

_ELLIPSIS = re.compile(r"[\[(]?(?:\u2026|\.(?:\s?\.)+)[\])]?")
_PAUSE = re.compile(r"[.,;:!?\u2026](?=[\s\"\u201d\u2019]|$)|[\u2013\u2014]|\s-+\s")
# "not, um, going": these commas part nothing. After "no" a comma ends it.
_FILLED_PAUSE = re.compile(r",?\s{1,20}(?:u[hm]+|er+m?|hm+|ah|eh|you know|i mean|like),?(?=\s|$)", re.IGNORECASE)
_SENTENCE_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)]*+(?=\s++[^a-z])|[" + OTHER_SENTENCE_ENDS + "]+"
)
_CLOSING = ",;:-\u2013\u2014 "


class Claim(msgspec.Struct, frozen=True):
    """A quote as the coach offers it: its utterance's index, and the words."""

    utterance: int
    quote: str


class Dropped(msgspec.Struct, frozen=True):
    """Which of the claims was not found, and why."""

    index: int
    reason: DropReason


class Checked(msgspec.Struct, frozen=True):
    """What became of some claims. A quote over a backchannel gives one evidence for each utterance."""

    evidence: list[Evidence]
    dropped: list[Dropped]


class Cut(msgspec.Struct, frozen=True):
    """Words of one utterance: a substring of its text, and when it is said."""

    text: str
    start_ms: int
    end_ms: int


class _Span(NamedTuple):
    """The tokens first to last of a line, both included."""

    line: "_Line"
    first: int
    last: int


class _Found(NamedTuple):
    spans: list[_Span]
    check: Check


class _WrittenWord(msgspec.Struct, frozen=True, gc=False):
    start: int
    end: int
    start_ms: int
    end_ms: int


class _Quote(NamedTuple):
    keys: list[str]
    content: frozenset[str]
    # Those of the content that a line can hold only if they stand in its folded text.
    literal: frozenset[str]
    # The quote between its ellipses.
    parts: list[list[str]]


def cut(utterance: Utterance, start_ms: int, end_ms: int) -> Cut | None:
    """Return what is said of an utterance between two times, at most 40 words; None when no word is.

    A word belongs where its middle is. Without the words' own times they are taken to be evenly spoken.
    """
    words = _written_words(utterance)
    said = [word for word in words if 2 * start_ms <= word.start_ms + word.end_ms <= 2 * end_ms]
    while said and _length_in_words(utterance.text[said[0].start : said[-1].end]) > _MAX_WORDS:
        said.pop()
    return _cut(utterance, words, said[0].start, said[-1].end) if said else None


class Verifier:
    """Checks claims against one transcript and keeps count."""

    def __init__(self, utterances: Sequence[Utterance], roles: RoleAssignment, *, language: str | None) -> None:
        self._rules = language_rules(language)
        self._lines = [_Line(number, utterance, self._rules) for number, utterance in enumerate(utterances)]
        self._sides = roles.sides
        self._numbers_by_key: dict[str, list[int]] = {}
        self._found: dict[tuple[Claim, DemandedSide | None], _Found | DropReason] = {}
        self._outcomes: Counter[Check] = Counter()
        self._dropped: Counter[str] = Counter()

    def anew(self) -> "Verifier":
        """Return a verifier that has counted nothing, and knows what this one has read and found."""
        other = copy(self)
        other.forget_counts()
        return other

    def forget_counts(self) -> None:
        """Count from nothing."""
        self._outcomes = Counter()
        self._dropped = Counter()

    def verified(self, claims: Sequence[Claim], side: DemandedSide | None = None) -> list[Evidence]:
        """Return the words of those claims that were really said. side: who must have said them; None: anybody."""
        return self.checked(claims, side).evidence

    def checked(self, claims: Sequence[Claim], side: DemandedSide | None = None) -> Checked:
        """Return the same, and which of the claims were dropped."""
        evidence: list[Evidence] = []
        dropped: list[Dropped] = []
        for index, claim in enumerate(claims):
            found = self._found.get((claim, side)) or self._find(claim, side)
            self._found[claim, side] = found
            if isinstance(found, _Found):
                self._outcomes[found.check] += 1
                evidence.extend(self._evidence(span, found.check) for span in found.spans)
            else:
                self._dropped[found] += 1
                dropped.append(Dropped(index, found))
        return Checked(evidence, dropped)

    def counts(self) -> EvidenceCounts:
        """Return how many claims were made, and what became of them."""
        return EvidenceCounts(
            claimed=self._outcomes.total() + self._dropped.total(),
            verified=self._outcomes["verified"],
            repaired=self._outcomes["repaired"],
            dropped=self._dropped.total(),
            dropped_reasons=dict(self._dropped),
            definition=EVIDENCE_DEFINITION,
        )

    def _find(self, claim: Claim, side: DemandedSide | None) -> _Found | DropReason:
        """Look where the claim says, then around it, then everywhere; first for the very words, then for near ones."""
        quote = self._quote(claim.quote)
        scale = self._rules.characters_per_word
        named = claim.utterance
        if len(quote.keys) < _MINIMUM_TOKENS * scale or not quote.content:
            return "too_short"
        short = len(quote.keys) < _SHORT_TOKENS * scale or len(quote.content) < _SHORT_CONTENT_TOKENS
        for line in self._around(named, _SHORT_REACH if short else _EXACT_REACH, side):
            if hits := line.exact(quote):
                return self._unless_negated(hits, "verified" if line.number == named else "repaired")
        if short:
            elsewhere = any(line.exact(quote) for line in self._around(named, _SHORT_REACH, None))
            return "wrong_speaker" if elsewhere else "not_found"
        return self._joined(quote, named, side) or self._find_reworded(quote, named, side)

    def _find_reworded(self, quote: _Quote, named: int, side: DemandedSide | None) -> _Found | DropReason:
        if any(len(part) < _MINIMUM_TOKENS * self._rules.characters_per_word for part in quote.parts):
            return "too_short"
        if elided := self._elided(quote, named, side):
            return elided
        for line in self._around(named, _NEAR_REACH, side):
            if near := self._near(quote, line):
                return self._unless_negated([near], "repaired")
        return self._anywhere(quote, named, side)

    def _quote(self, text: str) -> _Quote:
        keys = self._keys(_ELLIPSIS.sub(" ", text))
        parts = [self._keys(part) for part in _ELLIPSIS.split(text)] if _ELLIPSIS.search(text) else [keys]
        content = frozenset(keys) - self._rules.stop
        return _Quote(
            keys=keys,
            content=content,
            literal=frozenset(filter(is_literal, content)),
            parts=[part for part in parts if part],
        )

    def _keys(self, text: str) -> list[str]:
        return [token.key for token in tokens_of(text, self._rules)]

    def _around(self, named: int, reach: int, side: DemandedSide | None) -> Iterator["_Line"]:
        """Yield the lines of a side that are near the named one, the nearest first."""
        for distance in range(reach + 1):
            for number in sorted({named - distance, named + distance}):
                if 0 <= number < len(self._lines) and self._speaks(self._lines[number], side):
                    yield self._lines[number]

    def _speaks(self, line: "_Line", side: DemandedSide | None) -> bool:
        return side is None or self._sides[line.utterance.speaker] == side

    def _near(self, quote: _Quote, line: "_Line") -> _Span | None:
        """Align a quote whose words differ a little; not where no list says which words must not differ."""
        return line.aligned(quote.keys) if self._rules.negations else None

    def _joined(self, quote: _Quote, named: int, side: DemandedSide | None) -> _Found | DropReason | None:
        """Find a quote that runs over the other's "mm-hmm": published for each utterance."""
        for anchor in self._around(named, _JOINED_REACH, side):
            if not self._may_run_over(quote, anchor):
                continue
            run = self._run(anchor)
            places: list[tuple[_Line, int]] = []
            for line in run:
                # A stutter over the backchannel counts once, as it does within an utterance.
                again = bool(places) and line.keys[:1] == places[-1][0].keys[-1:]
                places += [(line, at) for at in range(int(again), len(line.keys))]
            for first in _places(quote.keys, [line.keys[at] for line, at in places]):
                said = places[first : first + len(quote.keys)]
                spans = [
                    _Span(line, group[0][1], group[-1][1])
                    for line, group in ((line, list(group)) for line, group in groupby(said, itemgetter(0)))
                ]
                if spans[-1].line.number - spans[0].line.number + 1 - len(spans) > _MAX_BACKCHANNELS:
                    continue
                if spans[0].line.negated_before(spans[0].first) or spans[-1].line.negated_after(spans[-1].last):
                    return "negation"
                return _Found(spans, "repaired")
        return None

    def _run(self, anchor: "_Line") -> list["_Line"]:
        """Return what the anchor's speaker says around it without being interrupted by more than a backchannel."""
        at, speaker = anchor.number, anchor.utterance.speaker
        earlier = list(_unbroken(reversed(self._lines[max(at - _RUN_REACH, 0) : at]), speaker))
        later = _unbroken(self._lines[at + 1 : at + 1 + _RUN_REACH], speaker)
        return [*reversed(earlier), anchor, *later]

    def _may_run_over(self, quote: _Quote, anchor: "_Line") -> bool:
        """Whether what is said around the anchor may hold a quote, as far as can be seen without its tokens."""
        around = self._lines[max(anchor.number - _RUN_REACH, 0) : anchor.number + 1 + _RUN_REACH]
        return all(any(key in line.folded for line in around) for key in quote.literal)

    def _elided(self, quote: _Quote, named: int, side: DemandedSide | None) -> _Found | DropReason | None:
        """Find the parts of a quote with ellipses, in order and close together; what was left out is published too."""
        if len(quote.parts) < 2:
            return None
        reason: DropReason | None = None
        for line in self._around(named, _EXACT_REACH, side):
            for span, gaps in line.in_order(quote.parts, _MAX_GAP_TOKENS * self._rules.characters_per_word):
                if any(line.negated_at_edges(first, last) for first, last in gaps):
                    reason = "negation"
                elif _length_in_words(line.text_of(span.first, span.last)) > _MAX_ELIDED_WORDS:
                    reason = "elision"
                else:
                    return self._unless_negated([span], "repaired")
        return reason

    def _anywhere(self, quote: _Quote, named: int, side: DemandedSide | None) -> _Found | DropReason:
        """Search the whole transcript. What stands in several places must be long to be told apart."""
        for search in (self._all_exact, self._all_near):
            hits = search(quote)
            if not hits:
                continue
            right = [hit for hit in hits if self._speaks(hit.line, side)]
            if not right:
                return "wrong_speaker"
            if len(right) > 1 and len(quote.keys) < _UNAMBIGUOUS_TOKENS * self._rules.characters_per_word:
                return "ambiguous"
            nearest = min(right, key=lambda hit: abs(hit.line.number - named))
            return self._unless_negated([nearest], "repaired")
        return "not_found"

    def _all_exact(self, quote: _Quote) -> list[_Span]:
        lines = self._holding(quote.literal, len(quote.literal))
        return [hit for line in lines for hit in line.exact(quote)]

    def _all_near(self, quote: _Quote) -> list[_Span]:
        """Look closer where enough of the content of a quote stands."""
        enough = -(-len(quote.content) * _CANDIDATE_CONTENT_PERCENT // 100)
        lines = self._holding(quote.literal, enough - len(quote.content) + len(quote.literal))
        likely = (line for line in lines if len(quote.content.intersection(line.keys)) >= enough)
        return [near for line in likely if (near := self._near(quote, line))]

    def _holding(self, keys: Collection[str], at_least: int) -> list["_Line"]:
        """Return the lines whose folded text holds at least so many of the keys."""
        if at_least <= 0:
            return self._lines
        # Who has none of these has too few of all, and long keys stand in few lines.
        telling = sorted(keys, key=len, reverse=True)[: len(keys) - at_least + 1]
        numbers = sorted({number for key in telling for number in self._numbers_with(key)})
        lines = (self._lines[number] for number in numbers)
        return [line for line in lines if sum(key in line.folded for key in keys) >= at_least]

    def _numbers_with(self, key: str) -> list[int]:
        """Return which lines' folded text holds a key."""
        numbers = self._numbers_by_key.get(key)
        if numbers is None:
            numbers = self._numbers_by_key[key] = []
            whole, starts = self._folded
            at = whole.find(key)
            while at >= 0:
                number = bisect_right(starts, at) - 1
                numbers.append(number)
                at = whole.find(key, starts[number + 1])
        return numbers

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        """The folded text of all lines, a line feed after each, and where each begins; and then where it all ends."""
        texts = [f"{line.folded}\n" for line in self._lines]
        return "".join(texts), list(accumulate(map(len, texts), initial=0))

    @staticmethod
    def _unless_negated(hits: Iterable[_Span], check: Check) -> _Found | DropReason:
        for hit in hits:
            if not hit.line.negated_before(hit.first) and not hit.line.negated_after(hit.last):
                return _Found([hit], check)
        return "negation"

    def _evidence(self, span: _Span, check: Check) -> Evidence:
        utterance = span.line.utterance
        words = span.line.published(span.first, span.last)
        return Evidence(
            utterance=span.line.number,
            label=utterance.speaker,
            side=self._sides[utterance.speaker],
            start_ms=words.start_ms,
            end_ms=words.end_ms,
            text=words.text,
            check=check,
        )


class _Line:
    """One utterance, read when it is needed."""

    def __init__(self, number: int, utterance: Utterance, rules: Language) -> None:
        self.number = number
        self.utterance = utterance
        self._rules = rules

    @cached_property
    def _tokens(self) -> list[Token]:
        return tokens_of(self.utterance.text, self._rules)

    @cached_property
    def keys(self) -> list[str]:
        return [token.key for token in self._tokens]

    @cached_property
    def _costs(self) -> list[int]:
        """What it costs when a quote leaves out a token."""
        costs = [_SOFT_EXTRA if key in self._rules.soft else _EDIT for key in self.keys]
        for phrase in self._rules.soft_phrases:
            words = phrase.split()
            for place in _places(words, self.keys):
                costs[place : place + len(words)] = [_SOFT_EXTRA] * len(words)
        return [_CRITICAL if self._rules.is_critical(key) else cost for key, cost in zip(self.keys, costs, strict=True)]

    @cached_property
    def folded(self) -> str:
        """The text as it is compared before it is cut into tokens, which is dear."""
        return folded(self.utterance.text)

    def exact(self, quote: _Quote) -> list[_Span]:
        """Return where exactly the tokens of a quote stand."""
        said = self.folded
        for key in quote.literal:
            if key not in said:
                return []
        return [_Span(self, place, place + len(quote.keys) - 1) for place in _places(quote.keys, self.keys)]

    def in_order(self, parts: Sequence[list[str]], max_gap: int) -> Iterator[tuple[_Span, list[tuple[int, int]]]]:
        """Yield where the parts stand one after the other, and the gaps [first, last) between them."""
        for first in _places(parts[0], self.keys):
            end = first + len(parts[0])
            gaps: list[tuple[int, int]] = []
            for part in parts[1:]:
                place = next(_places(part, self.keys, end), None)
                if place is None or place - end > max_gap:
                    break
                gaps.append((end, place))
                end = place + len(part)
            else:
                yield _Span(self, first, end - 1), gaps

    def aligned(self, wanted: list[str]) -> _Span | None:
        """Return the cheapest place where nearly these tokens stand, from the first to the last of them.

        Each step keeps, for each number of the quote's tokens that are used up, the cheapest way there: its cost, and
        minus the place where it began. Ways that cost too much are left, so few remain.
        """
        rules, size = self._rules, len(wanted)
        edits = next((edits for below, edits in _ALLOWED_EDITS if size < below), _MOST_ALLOWED_EDITS)
        if not self._may_hold(wanted, but_for=edits):
            return None
        limit = edits * _EDIT
        missing = [_CRITICAL if rules.is_critical(key) else _EDIT for key in wanted]
        opposites = _opposites(wanted, rules)
        best: tuple[tuple[int, int], int] | None = None
        ways: dict[int, tuple[int, int]] = {}
        for place, (key, cost_of_extra) in enumerate(zip(self.keys, self._costs, strict=True)):
            extra = _CRITICAL if key in opposites else cost_of_extra
            step: dict[int, tuple[int, int]] = {}
            if _is_form_of(wanted[0], key, rules):
                step[1] = 0, -place
            for used, (cost, begin) in ways.items():
                _keep(step, used, (cost + extra, begin), limit)
                if _is_form_of(wanted[used], key, rules):
                    _keep(step, used + 1, (cost, begin), limit)
                elif used < size - 1:
                    _keep(step, used + 1, (cost + max(missing[used], extra, _EDIT), begin), limit)
            for used in range(1, size - 1):
                if used in step:
                    cost, begin = step[used]
                    _keep(step, used + 1, (cost + missing[used], begin), limit)
            whole = step.pop(size, None)
            if whole and (best is None or whole < best[0]):
                best = whole, place
            ways = step
        return best and _Span(self, -best[0][1], best[1])

    def _may_hold(self, wanted: Sequence[str], *, but_for: int) -> bool:
        """Whether nearly these tokens may stand here, as far as is seen without the order of the words.

        Each that has no form here is an edit. The first and the last have to have one.
        """
        keys, initials = self._vocabulary
        absent = [key not in keys and (len(key) < _INFLECTED_LETTERS or key[0] not in initials) for key in wanted]
        return not (absent[0] or absent[-1]) and sum(absent) <= but_for

    @cached_property
    def _vocabulary(self) -> tuple[frozenset[str], frozenset[str]]:
        """The tokens, and the first letters of those that may be inflected."""
        return frozenset(self.keys), frozenset(key[0] for key in self.keys if len(key) >= _INFLECTED_LETTERS)

    def negated_before(self, first: int) -> bool:
        """Whether a negation was cut off at the start: what is left would say the opposite."""
        text, tokens = self.utterance.text, self._tokens
        for at in range(first - 1, max(first - 1 - _NEGATION_REACH_TOKENS, -1), -1):
            between = text[tokens[at].end : tokens[first].start]
            if tokens[at].key in self._rules.negations:
                return not _PAUSE.search(between if tokens[at].key == "no" else _FILLED_PAUSE.sub(" ", between))
        return False

    def negated_after(self, last: int) -> bool:
        """Whether a negation is glued to the last word, or follows it in a language where it does."""
        tokens = self._tokens
        reach = _NEGATION_REACH_TOKENS if self._rules.negation_follows else 0
        for token in tokens[last + 1 : last + 2 + reach]:
            glued = token.start < tokens[last].end
            if token.key in self._rules.negations and (glued or reach):
                return not _PAUSE.search(self.utterance.text[tokens[last].end : token.start])
        return False

    def negated_at_edges(self, first: int, last: int) -> bool:
        """Whether the first or the last tokens of a gap negate."""
        gap = self.keys[first:last]
        return bool({*gap[:_GAP_EDGE_TOKENS], *gap[-_GAP_EDGE_TOKENS:]} & self._rules.negations)

    def text_of(self, first: int, last: int) -> str:
        return self.utterance.text[self._tokens[first].start : self._tokens[last].end]

    def published(self, first: int, last: int) -> Cut:
        """Return the words of a span, with the rest of their sentence unless that makes them long."""
        start, end = self._tokens[first].start, self._tokens[last].end
        for word in self._words:
            if word.start < end and word.end > start:
                start, end = min(start, word.start), max(end, word.end)
        wide_start, wide_end = self._sentences_around(start, end)
        if _length_in_words(self.utterance.text[wide_start:wide_end]) <= _MAX_WORDS:
            start, end = wide_start, wide_end
        return _cut(self.utterance, self._words, start, end)

    def _sentences_around(self, start: int, end: int) -> tuple[int, int]:
        ends = self._sentence_ends
        before = bisect_right(ends, start)
        after = bisect_right(ends, end - 1)
        return (
            ends[before - 1] if before else 0,
            ends[after] if after < len(ends) else len(self.utterance.text),
        )

    @cached_property
    def _sentence_ends(self) -> list[int]:
        return [match.end() for match in _SENTENCE_END.finditer(self.utterance.text)]

    @cached_property
    def _words(self) -> list[_WrittenWord]:
        return _written_words(self.utterance)


def _unbroken(lines: Iterable[_Line], speaker: str) -> Iterator[_Line]:
    """Yield a speaker's lines until somebody else says more than a backchannel."""
    for line in lines:
        if line.utterance.speaker == speaker:
            yield line
        elif len(line.keys) > _BACKCHANNEL_TOKENS:
            return


def _places(wanted: list[str], keys: list[str], start: int = 0) -> Iterator[int]:
    """Yield where some tokens stand next to each other among others."""
    at = start - 1
    while True:
        try:
            at = keys.index(wanted[0], at + 1)
        except ValueError:
            return
        if keys[at : at + len(wanted)] == wanted:
            yield at


def _keep(ways: dict[int, tuple[int, int]], used: int, way: tuple[int, int], limit: int) -> None:
    if way[0] <= limit and (used not in ways or way < ways[used]):
        ways[used] = way


def _is_form_of(wanted: str, said: str, rules: Language) -> bool:
    """Whether two words are the same, but for one letter or an ending of a long one."""
    if wanted == said:
        return True
    if min(len(wanted), len(said)) < _INFLECTED_LETTERS or wanted[0] != said[0]:
        return False
    if rules.is_critical(wanted) or rules.is_critical(said):
        return False
    shared = next(at for at, (left, right) in enumerate(zip(wanted + "\0", said + "\1", strict=False)) if left != right)
    left, right = wanted[shared:], said[shared:]
    inflected = left in rules.endings and right in rules.endings
    return inflected or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def _opposites(wanted: Iterable[str], rules: Language) -> set[str]:
    """Return the words that say the opposite of some: "unlikely" for "likely" and the other way round."""
    opposites: set[str] = set()
    for key in wanted:
        for prefix in rules.negating_prefixes:
            if len(key) >= _PREFIXED_LETTERS:
                opposites.add(prefix + key)
            if key.startswith(prefix) and len(key) >= len(prefix) + _PREFIXED_LETTERS:
                opposites.add(key.removeprefix(prefix))
    return opposites


def _written_words(utterance: Utterance) -> list[_WrittenWord]:
    """Return where the words of the text stand and when each is said.

    Where the words are not those of the text, which redaction may cause, they are taken to be evenly spoken.
    """
    text = utterance.text
    words: list[_WrittenWord] = []
    offset = 0
    for word in utterance.words:
        at = text.find(word.text, offset)
        between = text[offset:at]
        if at < 0 or (between != " " and any(map(str.isalnum, between))):
            break
        offset = at + len(word.text)
        words.append(_WrittenWord(at, offset, word.start_ms, word.end_ms))
    else:
        if words and not any(map(str.isalnum, text[offset:])):
            return words
    length_ms = utterance.end_ms - utterance.start_ms
    return [
        _WrittenWord(
            match.start(),
            match.end(),
            utterance.start_ms + length_ms * match.start() // len(text),
            utterance.start_ms + length_ms * match.end() // len(text),
        )
        for match in WRITTEN_WORD.finditer(text)
    ]


def _length_in_words(text: str) -> float:
    """Return the words of a text; two characters of a script without spaces count as one."""
    if text.isascii():
        return len(text.split())
    return sum(0.5 if UNSPACED.match(word) else 1 for word in WRITTEN_WORD.findall(text))


def _cut(utterance: Utterance, words: Sequence[_WrittenWord], start: int, end: int) -> Cut:
    """Cut the characters [start, end) out of an utterance. Times beyond the utterance's own are not believed."""
    text = utterance.text[start:end].strip().rstrip(_CLOSING)
    spoken = [word for word in words if word.start < end and word.end > start]
    first_ms, last_ms = (
        (min(word.start_ms for word in spoken), max(word.end_ms for word in spoken))
        if spoken
        else (utterance.start_ms, utterance.end_ms)
    )
    low, high = sorted((utterance.start_ms, utterance.end_ms))
    return Cut(text, min(max(first_ms, low), high), min(max(last_ms, low), high))
