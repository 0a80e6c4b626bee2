"""What the words say about who is the rep. Pure.

Reps and customers say different things: names, offers, objections. Who speaks first or more is no signal: the one is
worth nothing on a call that the customer made, the other is what is measured. The table is role_signals.toml.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from callcoach.transcript import Utterance
from scorecard.speakers import RoleAssignment

# How far the words must speak before the labels of a half are believed to be clear.
CLEAR_MARGIN = 4
OPENING_UTTERANCES = 6
COUNTED_TIMES = 2
# Of 57 calls with one channel per speaker, the median had no such answer and the worst one in 3.1 % of the utterances.
MERGED_UTTERANCES, MERGED_SHARE = 3, 0.02

_TABLE: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["signal"]
_ANSWERED_QUESTION = re.compile(r"\?\s{1,3}(?:yes|no|sure|good)\b", re.IGNORECASE)
# What is no ASCII and still, without regard to letter case, a letter of it.
_ASCII_IN_ANOTHER_CASE = re.compile("[\u0130\u0131\u017f\u212a]")
# Each byte of ASCII as it stands in a word, in lower case, and a blank for those that stand in none.
_IN_WORDS = bytes(ord(chr(byte).lower()) if re.match(r"\w", chr(byte), re.ASCII) else ord(" ") for byte in range(256))
_NO_FIRST_NAMES = frozenset(("a", "an", "the"))


class RoleSignal(msgspec.Struct, frozen=True, dict=True):
    """One thing that is said by one side rather than by the other. points: for the rep; pattern: in any letter case.

    words: an ASCII text that matches the pattern holds one of each; empty where that is not known.
    """

    id: str
    points: int
    pattern: str
    opening: bool
    words: tuple[frozenset[str], ...]

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Yield where a text matches. The rules of ASCII find the same in a text of it, in half the time."""
        if text.isascii() and self.pattern.isascii():
            return self._in_ascii.finditer(text)
        return self._anywhere.finditer(text.replace("’", "'"))

    @cached_property
    def _in_ascii(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE | re.ASCII)

    @cached_property
    def _anywhere(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)


class TextSignals(msgspec.Struct, frozen=True):
    """What the words say about the sides.

    margin: points by which the rep's words are more like a rep's than any customer's; null where they cannot be
    weighed. reasons: codes of what looks wrong with the labels themselves.
    """

    margin: int | None
    reasons: list[str]


def text_signals(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    *,
    english: bool,
    rep: str | None = None,
    customer: str | None = None,
) -> TextSignals:
    """Weigh the words of the labels. rep and customer: their names as somebody gave them with the recording."""
    if not english:
        return TextSignals(margin=None, reasons=[])
    said = sorted(utterances, key=lambda utterance: (utterance.start_ms, utterance.end_ms))
    margin = None
    reasons = []
    if roles.both_sides_known:
        signals = role_signals(rep, customer)
        half = len(said) // 2
        opening = said[:OPENING_UTTERANCES]
        first = signals_found(said[:half], opening[:half], signals)
        later = signals_found(said[half:], opening[half:], signals)
        rep_label = _main_rep_label(said, roles)
        margin, first_margin, later_margin = (
            _margin(points_of(found, signals), roles, rep_label) for found in (first + later, first, later)
        )
        if min(abs(first_margin), abs(later_margin)) >= CLEAR_MARGIN and (first_margin > 0) != (later_margin > 0):
            reasons.append("labels_may_switch")
    asking = [utterance.text for utterance in said if "?" in utterance.text]
    answered = sum(bool(_ANSWERED_QUESTION.search(text)) for text in asking)
    if answered >= MERGED_UTTERANCES and answered >= MERGED_SHARE * len(said):
        reasons.append("merged_speakers")
    # A channel is one side's, whatever is said on it.
    return TextSignals(margin=margin, reasons=[] if roles.source == "channel" else reasons)


def role_signals(rep: str | None, customer: str | None) -> list[RoleSignal]:
    """Return the table with the names of a call in it."""
    names = {"{rep}": _first_name(rep), "{contact}": _first_name(customer), "{customer}": _whole_name(customer)}
    first_words = {mark: _first_word(name) for mark, name in zip(names, (rep, customer, customer), strict=True)}
    signals = []
    for row in _TABLE:
        pattern = "|".join(f"(?:{one})" for one in row["patterns"])
        needed = [mark for mark in names if mark in pattern]
        if not all(names[mark] for mark in needed):
            continue
        for mark in needed:
            pattern = pattern.replace(mark, names[mark] or "")
        words = [[first_words.get(word, word) for word in one_of] for one_of in row["words"]]
        signals.append(
            RoleSignal(
                id=row["id"],
                points=row["points"],
                pattern=pattern,
                opening=row.get("opening", False),
                words=tuple(frozenset(filter(None, one_of)) for one_of in words if all(one_of)),
            )
        )
    return signals


def _first_word(name: str | None) -> str | None:
    """Return a name's first word in lower case, where that is as simple as in ASCII."""
    return next(iter(_ascii_words(name)), None) if name and name.isascii() else None


def _first_name(name: str | None) -> str | None:
    first = next(iter((name or "").split()), "")
    return re.escape(first) if len(first) > 1 and first.casefold() not in _NO_FIRST_NAMES else None


def _whole_name(name: str | None) -> str | None:
    words = (name or "").split()
    return r"\s{1,3}".join(map(re.escape, words)) if len("".join(words)) > 1 else None


def signals_found(
    said: Sequence[Utterance], opening: Sequence[Utterance], signals: Iterable[RoleSignal]
) -> Counter[tuple[str, str]]:
    """Return how often each label gives each signal, (id, label), at most twice. opening: the first of what is said."""
    signals = list(signals)
    places = _places_of(frozenset(chain.from_iterable(chain.from_iterable(signal.words for signal in signals))), said)
    found: Counter[tuple[str, str]] = Counter()
    for signal in signals:
        for place in sorted(_likely(signal, places)) if signal.words else range(len(said)):
            utterance = said[place]
            key = (signal.id, utterance.speaker)
            if found[key] < COUNTED_TIMES and (place < len(opening) or not signal.opening):
                matches = signal.finditer(utterance.text)
                found[key] += sum(1 for _ in islice(matches, COUNTED_TIMES - found[key]))
    return found


def _likely(signal: RoleSignal, places: Mapping[str, set[int]]) -> set[int]:
    """Return the utterances that may match a signal."""
    with_each = (set().union(*(places[word] for word in one_of)) for one_of in signal.words)
    return places[""].union(set.intersection(*with_each))


def _places_of(words: frozenset[str], said: Iterable[Utterance]) -> dict[str, set[int]]:
    """Return in which utterances each of the words stands; under "", those whose letter case is no matter of ASCII."""
    places: dict[str, set[int]] = {word: set() for word in ("", *words)}
    for place, utterance in enumerate(said):
        text = utterance.text
        is_certain = text.isascii() or not _ASCII_IN_ANOTHER_CASE.search(text)
        found = words.intersection(_ascii_words(text)) if is_certain else ("",)
        for word in found:
            places[word].add(place)
    return places


def _ascii_words(text: str) -> list[str]:
    return text.encode().translate(_IN_WORDS).decode().split()


def points_of(found: Counter[tuple[str, str]], signals: Iterable[RoleSignal]) -> Counter[str]:
    """Return each label's points for the rep."""
    points_by_id = {signal.id: signal.points for signal in signals}
    points: Counter[str] = Counter()
    for (signal_id, label), times in found.items():
        points[label] += points_by_id[signal_id] * min(times, COUNTED_TIMES)
    return points


def _main_rep_label(said: Sequence[Utterance], roles: RoleAssignment) -> str:
    """Return the rep's label that says most; of equals the first."""
    characters: Counter[str] = Counter()
    for utterance in said:
        characters[utterance.speaker] += len(utterance.text)
    labels = [label for label, side in roles.sides.items() if side == "rep"]
    return max(labels, key=characters.__getitem__)


def _margin(points: Counter[str], roles: RoleAssignment, rep_label: str) -> int:
    return points[rep_label] - max(points[label] for label, side in roles.sides.items() if side == "customer")
