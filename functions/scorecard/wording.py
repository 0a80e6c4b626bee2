"""What of the coach's prose may be published. Pure.

It judges no person, addresses nobody, holds no link and no number of the model's own, and keeps to its length. A
sentence that does not is removed and counted; nothing is rewritten.
"""

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from scorecard.numerals import may_hold_number
from scorecard.tokens import OTHER_SENTENCE_ENDS, UNSPACED, Language, language_rules, tokens_of

_WORDING: dict[str, Any] = tomllib.loads(Path(__file__).with_name("wording.toml").read_text("utf-8"))
_FIELDS: dict[str, dict[str, Any]] = _WORDING["field"]
LIMITS: dict[str, int] = {name: field["words"] for name, field in _FIELDS.items()}

# Languages without spaces have no words to count: a text is no longer than this for each word that it may have. A
# character of theirs says as much as three letters.
CHARACTERS_PER_WORD = 12
UNSPACED_CHARACTER_COUNTS = 3
# No field of an honest reply comes near this.
READ_CHARACTERS = 4000

Unit = Literal["percent", "minutes", "seconds", "times"]
Facts = Mapping[Unit, AbstractSet[str]]


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


_FORBIDDEN = {reason: _any_of(patterns) for reason, patterns in _WORDING["forbidden"].items()}
_VAGUE = _any_of(_WORDING["suggestion"]["vague"])
_CONSENT = _any_of(_WORDING["next_step"]["consent"])
_REFUSAL = _any_of(_WORDING["next_step"]["refusal"])
_CUE = re.compile(rf"(?:{'|'.join(_WORDING['suggestion']['cues'])})\b", re.IGNORECASE)
_ASKING = re.compile(rf"(?:{'|'.join(_WORDING['suggestion']['asking'])})\b", re.IGNORECASE)
_NO_VERB = frozenset(_WORDING["suggestion"]["no_verb"])

_SENTENCE = re.compile(
    rf"(?:[^.!?{OTHER_SENTENCE_ENDS}]++|[.!?])*?"
    rf"(?:(?<![.!?])[.!?]+[\"'”’)]*(?=\s)|[{OTHER_SENTENCE_ENDS}]+[\"'”’」』)]*|$)"
)
_ENDED = re.compile(rf"[.!?{OTHER_SENTENCE_ENDS}][\"'”’»」』)]*\Z")
_ENDS_IN_CHINESE_OR_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff][」』)]*\Z")
_QUOTED = re.compile(r"[\"“][^\"“”]*[\"”]")
_LINK = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://|\bmailto:|\bwww\.|(?<![\w.+-])[\w.+-]+@[\w-]|(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}",
    re.IGNORECASE,
)
# One of these stands in every link, and in few sentences.
_OF_LINKS = re.compile(r"[@:]|\.(?:\w|(?<=[wW]\.))")
_PHONE = re.compile(r"(?<![\w.,])(?:\+|00)?\(?\d[\d ()./-]{5,40}\d(?!\w)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}")
_PHONE_DIGITS = 7

# The tokeniser takes what stands in brackets for the recogniser's tags.
_BRACKETS = str.maketrans("[]<>", "    ")
_UNITS: dict[str, Unit] = _WORDING["numbers"]["units"]
_FREE = frozenset(
    f"#{value}{ending}" for value in range(_WORDING["numbers"]["free_until"] + 1) for ending in ("", "th")
)


class Number(NamedTuple):
    """A number in a text, as the tokens of quotes have it. unit: what follows it; free: a small one in words."""

    key: str
    unit: Unit | None
    free: bool


def one_line(text: str) -> str:
    """Return text as one line of characters that can be seen, in their usual form."""
    usual = text[:READ_CHARACTERS]
    if usual.isascii() and usual.isprintable():
        return " ".join(usual.split())
    usual = unicodedata.normalize("NFKC", usual)
    seen = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in usual)
    return " ".join(seen.split())


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with its mark."""
    return [stripped for part in _SENTENCE.findall(text) if (stripped := part.strip())]


def ended(text: str) -> str:
    """Return text with the end that a sentence has in its script."""
    if _ENDED.search(text):
        return text
    if _ENDS_IN_CHINESE_OR_JAPANESE.search(text):
        return f"{text}。"
    # Thai and its neighbours end a sentence without a mark.
    return text if UNSPACED.match(text[-1:]) else f"{text}."


def numbers(text: str, language: Language) -> list[Number]:
    """Return the numbers of a text, in digits and, where the language's are known, in words."""
    if not may_hold_number(text):
        return []
    text = text.translate(_BRACKETS)
    tokens = tokens_of(text, language)
    written = [text[token.start : token.end].casefold() for token in tokens]
    return [
        Number(
            token.key,
            _UNITS.get(following),
            token.key in _FREE and not any(character.isdigit() for character in words),
        )
        for token, words, following in zip(tokens, written, [*written[1:], ""], strict=False)
        if token.is_number
    ]


def has_link(text: str) -> bool:
    """Whether a text holds an address of the web or of mail, or a telephone number."""
    if _OF_LINKS.search(text) and _LINK.search(text):
        return True
    return any(_is_phone(found[0]) for found in _PHONE.finditer(text))


def _is_phone(text: str) -> bool:
    return sum(character.isdigit() for character in text) >= _PHONE_DIGITS and not _DATE.fullmatch(text)


def begins_with_cue(when: str) -> bool:
    """Whether a suggestion's cue says when."""
    return _CUE.match(when) is not None


def is_one_action(do: str) -> bool:
    """Whether a suggestion's action can be one: it begins with what may be a verb, and asks for no mere degree."""
    first = re.match(r"[\w']+", do)
    return first is not None and _is_verb(first[0].casefold()) and not _VAGUE.search(_QUOTED.sub(" ", do))


def _is_verb(word: str) -> bool:
    # "Bring" and "sing" end like a participle and are none.
    return word not in _NO_VERB and not (word.endswith("ing") and len(word) > 5)


def asks(do: str) -> bool:
    """Whether a suggestion's action is to ask."""
    return _ASKING.match(do) is not None


def consents(text: str) -> bool:
    """Whether somebody agrees to something, in English."""
    return any(
        _CONSENT.search(sentence) and not _REFUSAL.search(sentence) for sentence in sentences(text.replace("’", "'"))
    )


def _length(text: str) -> int:
    return len(text) + (UNSPACED_CHARACTER_COUNTS - 1) * (0 if text.isascii() else len(UNSPACED.findall(text)))


def _joined(sentences: Iterable[str]) -> str:
    """Return sentences as one text; no blank follows a full stop of Chinese or Japanese."""
    return "".join(sentence if sentence.endswith("\u3002") else f"{sentence} " for sentence in sentences).rstrip()


def shortened(text: str, words: int) -> str:
    """Return as many whole sentences as fit; of a first one that is too long itself, what fits up to a clause's end."""
    kept: list[str] = []
    room, room_characters = words, words * CHARACTERS_PER_WORD
    for sentence in sentences(text):
        room -= len(sentence.split())
        room_characters -= _length(sentence) + 1
        if room < 0 or room_characters < 0:
            break
        kept.append(sentence)
    if kept or not text:
        return _joined(kept)
    cut = " ".join(text.split()[:words])
    cut = cut[: words * CHARACTERS_PER_WORD * len(cut) // max(_length(cut), 1)]
    # What stands before a semicolon is a sentence of its own; before a comma, mostly.
    for marks in (";:", ",\u3001"):
        clause = max(cut.rfind(mark) for mark in marks)
        if clause > len(cut) // 3:
            return ended(cut[:clause])
    return f"{cut.rstrip(' .')} ..."


class Proofreader:
    """Reads the prose about one call and keeps count of what it removes.

    facts: the numbers that we gave the coach, by what follows them; language: the code of the prose's; spoken: that of
    the quotes, if it is another.
    """

    def __init__(self, facts: Facts, *, language: str, spoken: str | None = None) -> None:
        self._facts = facts
        self._language = language_rules(language)
        self._spoken = language_rules(spoken or language)
        self._removed = Counter(dict.fromkeys(("number_not_in_facts", *_FORBIDDEN, "link"), 0))

    @property
    def english(self) -> bool:
        """Whether the word lists apply."""
        return self._language.is_english

    def removed(self) -> dict[str, int]:
        """Return how many sentences were removed for which reason."""
        return dict(self._removed)

    def read(self, field: str, text: str, cited: Iterable[str] = ()) -> str:
        """Return what may stand of a field's text: "" when nothing may.

        cited: the quotes whose numbers may be repeated.
        """
        rules = _FIELDS[field]
        known = _CitedNumbers(cited, self._spoken) if rules.get("digits", True) else None
        kept = []
        for sentence in sentences(one_line(text)):
            fault = self._fault(sentence, known, rules["lists"])
            if fault:
                self._removed[fault] += 1
            else:
                kept.append(sentence)
        return shortened(_joined(kept), rules["words"])

    def _fault(self, sentence: str, cited: "_CitedNumbers | None", lists: Iterable[str]) -> str | None:
        if has_link(sentence):
            return "link"
        if self.english:
            unquoted = _QUOTED.sub(" ", sentence)
            for reason in lists:
                if _FORBIDDEN[reason].search(unquoted):
                    return reason
        if cited is None:
            return "number_not_in_facts" if any(character.isdigit() for character in sentence) else None
        said = numbers(sentence, self._language)
        return None if all(self._is_known(number, cited) for number in said) else "number_not_in_facts"

    def _is_known(self, number: Number, cited: "_CitedNumbers") -> bool:
        if number.unit:
            return number.key in self._facts.get(number.unit, ())
        return number.free or any(number.key in keys for keys in self._facts.values()) or number.key in cited.keys


class _CitedNumbers:
    """The numbers of some quotes; read when somebody asks, because most prose has none."""

    def __init__(self, quotes: Iterable[str], language: Language) -> None:
        self._quotes = quotes
        self._language = language

    @cached_property
    def keys(self) -> AbstractSet[str]:
        return {number.key for quote in self._quotes for number in numbers(quote, self._language)}
