"""What is asked, filled in and mentioned, by lists of words (english.toml, trackers.toml). Pure.

The lists are English: for a call in another language their counts would be wrong, so the callers leave them out.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from callcoach.errors import SettingsError
from callcoach.languages import base_code
from callcoach.plain_text import single_spaced

# Below this, AssemblyAI is not sure which language it heard, or heard several.
RELIABLE_LANGUAGE_CONFIDENCE = 0.6

_STRAIGHT = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
# In plain text. A pattern that begins with a character is looked for faster than one that looks back first.
_SENTENCE_END = re.compile(r" (?<=[.!?\u2026] )")
_WORD = re.compile(r"[\w'-]+")
# The name of whoever is addressed: "does that make sense, Ruth?"
_ADDRESS = re.compile(r", [\w'-]+$")


class _Phrases:
    """Phrases to look for as whole words in plain text. Most texts hold none, which is quick to see."""

    def __init__(self, phrases: Iterable[str]) -> None:
        wanted = {plain(phrase) for phrase in phrases}
        self._pattern = re.compile(rf"(?<!\w)(?:{_any_of(wanted)})(?!\w)")
        # Whatever holds "pricing page" holds "pricing".
        self._least = [one for one in sorted(wanted) if not any(other in one for other in wanted - {one})]

    def may_be_in(self, said: str) -> bool:
        for phrase in self._least:  # noqa: SIM110 - any() takes twice the time
            if phrase in said:
                return True
        return False

    def matches(self, said: Sequence[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Yield where the phrases stand in several texts, each with the place of its text among them."""
        # A line feed stands in no plain text. What is nowhere in a call need not be looked for in its utterances.
        whole = "\n".join(said)
        may_hold: set[int] = set()
        for phrase in [one for one in self._least if one in whole]:
            may_hold.update(place for place, text in enumerate(said) if phrase in text)
        for place in sorted(may_hold):
            for match in self._pattern.finditer(said[place]):
                yield place, match


class Tracker(msgspec.Struct, frozen=True, dict=True):
    """Words to look for, and the name under which they are counted."""

    name: str
    phrases: list[str]

    @cached_property
    def wanted(self) -> _Phrases:
        """What looks for the words."""
        return _Phrases(self.phrases)


def _document(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


def read_trackers(document: dict[str, Any]) -> tuple[Tracker, ...]:
    """Return the trackers of a document like trackers.toml. Raises SettingsError for one without a name or words."""
    try:
        trackers = msgspec.convert(document.get("tracker", []), type=tuple[Tracker, ...])
    except msgspec.ValidationError as fault:
        raise SettingsError(f"trackers.toml: {fault}") from fault
    names = [tracker.name.strip() for tracker in trackers]
    if not all(names) or len(set(names)) < len(names):
        raise SettingsError("trackers.toml: every tracker needs a name of its own")
    for tracker in trackers:
        if not tracker.phrases or not all(map(plain, tracker.phrases)):
            raise SettingsError(f"trackers.toml: {tracker.name} needs phrases, and none of them blank")
    return trackers


def is_reliably_english(language_code: str | None, language_confidence: float | None) -> bool:
    """Whether the word lists fit. An unknown language is none; a confidence that nobody gave is no doubt."""
    doubtful = language_confidence is not None and language_confidence < RELIABLE_LANGUAGE_CONFIDENCE
    return base_code(language_code) == "en" and not doubtful


def plain(text: str) -> str:
    """Return text as the lists have it: compatibility forms folded, lower case, straight apostrophes, single spaces."""
    # ASCII has no other forms, and no other case than the lower one.
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().translate(_STRAIGHT)
    return single_spaced(folded)


def questions(text: str) -> Iterator[tuple[str, int]]:
    """Yield the questions in what one side says, each with how many sentences follow it.

    A question is a sentence that ends with a question mark or begins with an invitation to tell ("walk me through").
    Tags ("…, right?") and checks ("does that make sense?", "how are you?") are none.
    """
    said = plain(text)
    may_invite = _INVITATIONS.may_be_in(said)
    if not may_invite and "?" not in said:
        return
    sentences = _SENTENCE_END.split(said)
    for index, sentence in enumerate(sentences):
        if _is_question(sentence.strip("\"'\u201c\u201d()[]- "), may_invite=may_invite):
            yield sentence, len(sentences) - index - 1


def is_open(question: str) -> bool:
    """Whether a question, as questions yields it, asks in one of its clauses for more than a yes or a number."""
    if _INVITATION.match(_core(question)):
        return True
    clauses = [_core(clause) for clause in question.split(", ")]
    return any(_OPEN.match(clause) and not _CLOSED.match(clause) for clause in clauses)


def filler_count(text: str) -> int:
    """Return how many fillers a text has."""
    said = plain(text)
    return sum(1 for pattern in _FILLERS for _ in pattern.finditer(said))


def is_backchannel(text: str) -> bool:
    """Whether a text has nothing but words with which a listener goes on listening."""
    return all(word in _BACKCHANNELS for word in _WORD.findall(plain(text)))


class WordsHeard(NamedTuple):
    """A tracker's words in one of several texts: text is its place among these, word that of their first word in it.

    of: how many words the text has.
    """

    tracker: str
    text: int
    word: int
    of: int


def mentions_in(texts: Iterable[str], trackers: Sequence[Tracker]) -> Iterator[WordsHeard]:
    """Yield each time that a tracker's words occur."""
    said = [plain(text) for text in texts]
    for tracker in trackers:
        last = -1
        counted_to = word = of = 0
        for place, match in tracker.wanted.matches(said):
            if place != last:
                last, counted_to, word, of = place, 0, 0, said[place].count(" ") + 1
            word += said[place].count(" ", counted_to, match.start())
            counted_to = match.start()
            yield WordsHeard(tracker.name, place, word, of)


def _is_question(sentence: str, *, may_invite: bool) -> bool:
    body = sentence.rstrip("?!. ")
    if may_invite and _INVITATION.match(_core(sentence)):
        return True
    if not sentence.endswith("?") or _TAG.search(body):
        return False
    core = _LEAD_INS.sub("", body) if body not in _CHECKS else ""
    return bool(core) and core not in _CHECKS and _ADDRESS.sub("", core) not in _CHECKS


def _core(sentence: str) -> str:
    """Return a sentence without what may stand before a question."""
    return _REQUESTS.sub("", _LEAD_INS.sub("", sentence))


def _any_of(phrases: Iterable[str]) -> str:
    """Return a pattern for any of the phrases; the longest is tried first."""
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase)))


def _whole_words(phrases: Iterable[str], not_after: Iterable[str] = ()) -> re.Pattern[str]:
    before = "".join(rf"(?<!\b{re.escape(word)} )" for word in not_after)
    return re.compile(rf"(?<![\w'-]){before}(?:{_any_of(phrases)})(?![\w-]|'\w)")


_LISTS = _document("english.toml")
TRACKERS = read_trackers(_document("trackers.toml"))
_CHECKS = frozenset(_LISTS["checks"])
_BACKCHANNELS = frozenset(_LISTS["backchannels"])
_LEAD_INS = re.compile(
    rf"^(?:(?:{_any_of(_LISTS['lead_ins'])})(?:, | )|(?!(?:{_any_of(_LISTS['open_starts'])}),)[\w'-]+, )+"
)
_REQUESTS = re.compile(rf"^(?:(?:{_any_of(_LISTS['requests'])})(?:, | ))+")
_OPEN = re.compile(rf"(?:{_any_of(_LISTS['open_starts'])})(?![\w'])")
_CLOSED = re.compile(rf"(?:{_any_of(_LISTS['closed_starts'])})(?![\w'])")
_INVITATION = re.compile(rf"(?:{_any_of(_LISTS['invitations'])})(?![\w'])")
_INVITATIONS = _Phrases(_LISTS["invitations"])
_TAG = re.compile(
    rf", (?:{_any_of(_LISTS['tags'])}|(?:{_any_of(_LISTS['tag_verbs'])}) (?:{_any_of(_LISTS['tag_pronouns'])}))$"
)
_FILLERS = [_whole_words(filler["phrases"], filler.get("not_after", ())) for filler in _LISTS["filler"]]
