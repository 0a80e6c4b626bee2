"""Text as comparable tokens, each of which knows where it stands. Pure.

Two wordings of the same speech give the same keys: "we can't pay $1,500" and "We cannot pay fifteen hundred dollars".
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from operator import eq
from pathlib import Path

import msgspec

from callcoach.languages import base_code
from scorecard.numerals import number_starts, numeral_key, read_number, written_number_key

_TABLES = tomllib.loads(Path(__file__).with_name("tokens.toml").read_text("utf-8"))

# Stands for one character of a script without spaces; a combining mark of such a script is one, too.
_UNSPACED_SIGN = "文"
_UNSPACED_RANGES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED_RANGES += "\U00020000-\U0003134f"
UNSPACED = re.compile(f"[{_UNSPACED_RANGES}]")
# Of Chinese and Japanese, Hindi, Arabic and Urdu, Khmer, Burmese, Amharic: no blank has to follow.
OTHER_SENTENCE_ENDS = "\u3002\uff01\uff1f\uff61\u0964\u0965\u061f\u06d4\u17d4\u104b\u1362"
WRITTEN_WORD = re.compile(rf"[{_UNSPACED_RANGES}]|[^\s{_UNSPACED_RANGES}]+")

_APOSTROPHES = dict.fromkeys("'`\u2018\u2019\u02bc\u2032", "'")
_TAG = re.compile(r"\[[^\[\]]{0,60}\]|<[^<>]{0,60}>")
_WORD = r"[a-z][a-z0-9]*(?:'[a-z0-9]+)*"
_PLAIN = re.compile(rf"\d+(?:[.,:]\d+)*|{_WORD}|%|{_UNSPACED_SIGN}")
# What begins with another letter than a or p is a word and nothing else, which is quickest to see.
_ENGLISH = re.compile(
    r"[b-oq-z][a-z0-9]*(?:'[a-z0-9]+)*"
    r"|(?:(?<![a-z0-9])-)?(?P<number>\d+(?:[.,:]\d+)*|(?<![a-z0-9.])\.\d+)(?P<suffix>[a-z]*)"
    rf"|(?P<noon>[ap])\.\s?m(?![a-z])|'(?:cause|em|til)(?![a-z])|per cent(?![a-z])|{_WORD}|[%&]|{_UNSPACED_SIGN}"
)
_MAX_REPEATED_TOKENS = 3


class Token(msgspec.Struct, frozen=True, gc=False):
    """What is compared, and the characters [start, end) of the text that it stands for."""

    key: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether this is a number, in digits or in words."""
        return self.key.startswith("#")


class _English(msgspec.Struct, frozen=True):
    dropped: frozenset[str]
    pronouns: frozenset[str]
    contractions: dict[str, str]
    spellings: dict[str, str]


class Language(msgspec.Struct, frozen=True):
    """What may differ between a quote and the words that were said.

    negations: empty where no list exists. negation_follows: it may stand behind what it negates. characters_per_word:
    2 where each character is a token.
    """

    negations: frozenset[str] = frozenset()
    negation_follows: bool = False
    negating_prefixes: tuple[str, ...] = ()
    quantities: frozenset[str] = frozenset()
    soft: frozenset[str] = frozenset()
    soft_phrases: tuple[str, ...] = ()
    stop: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()
    characters_per_word: int = 1
    is_english: bool = False

    def is_critical(self, key: str) -> bool:
        """Whether another sentence would be meant with this token or without it."""
        if key in self.negations or key in self.quantities:
            return True
        return not key.isalpha() and any(character.isdigit() for character in key)


_ENGLISH_TABLES = msgspec.convert(_TABLES["en"], _English)
# Words without an apostrophe that are not compared as they stand.
_OTHERWISE_COMPARED = _ENGLISH_TABLES.dropped | _ENGLISH_TABLES.spellings.keys()
# What other characters may stand for: 's, n't, %, a.m. and the like.
_SHORT_FOR = frozenset(
    " ".join((*_ENGLISH_TABLES.contractions.values(), *_ENGLISH_TABLES.spellings.values())).split()
) | {"is", "not", "am", "pm", "minus", "percent"}


@cache
def language_rules(code: str | None) -> Language:
    """Return the rules of a language code such as en_us; of an unknown language there are none."""
    base = base_code(code)
    if base in _TABLES["unspaced"]:
        return Language(characters_per_word=2)
    rules = _TABLES.get(base)
    if not isinstance(rules, dict):
        return Language()
    return msgspec.convert({**rules, "is_english": base == "en"}, Language)


def has_spaces(code: str | None) -> bool:
    """Whether words are written apart in a language, so that they can be counted."""
    return language_rules(code).characters_per_word == 1


def tokens_of(text: str, language: Language) -> list[Token]:
    """Return the tokens of a text. Tags in brackets are none, and an immediate repetition counts once."""
    folded, shape, offsets = _folded(text)
    if language.is_english:
        tokens = _with_numbers(_english_words(folded, shape), shape)
    else:
        tokens = [_plain(folded, match) for match in _PLAIN.finditer(shape)]
    if not isinstance(offsets, range):
        tokens = [Token(token.key, offsets[token.start], offsets[token.end - 1] + 1) for token in tokens]
    return _without_repeats(tokens)


def folded(text: str) -> str:
    """Return a text without differences of case, width and accents: where literal tokens stand as they are."""
    return _folded(text)[0]


def is_literal(key: str) -> bool:
    """Whether a text can hold a token of that key only if the key stands in the folded text."""
    return key not in _SHORT_FOR and not key.startswith("#")


def _folded(text: str) -> tuple[str, str, Sequence[int]]:
    """Return a text folded, the same as shapes, and the place of each of its characters in the text.

    Folded is without differences of case, width and accents. Shapes show a letter that is not ASCII as x, a character
    of a script without spaces as one sign, and what stands in no word as a blank.
    """
    if text.isascii():
        folded = text.lower().replace("`", "'")
        return folded, _without_tags(folded), range(len(text) + 1)
    characters: list[str] = []
    shapes: list[str] = []
    offsets: list[int] = []
    latin = False
    for offset, character in enumerate(text):
        for part, shape in _parts(character):
            if shape == "mark":
                if latin:
                    continue
            else:
                latin = shape != "x" or "LATIN" in unicodedata.name(part, "")
            characters.append(part)
            shapes.append("x" if shape == "mark" else shape)
            offsets.append(offset)
    offsets.append(len(text))
    return "".join(characters), _without_tags("".join(shapes)), offsets


@cache
def _parts(character: str) -> tuple[tuple[str, str], ...]:
    """Return the folded characters that one character stands for, each with its shape."""
    if character in _APOSTROPHES:
        return (("'", "'"),)
    # A script without spaces is not taken apart: a mark would be one token more.
    whole = unicodedata.normalize("NFKC", character).casefold()
    if whole.isdecimal():
        return tuple((digit, digit) for digit in (str(unicodedata.decimal(one)) for one in whole))
    parts = whole if UNSPACED.match(whole) else unicodedata.normalize("NFKD", whole)
    return tuple((part, _shape(part)) for part in parts if unicodedata.category(part) != "Cf")


def _shape(part: str) -> str:
    if part.isascii():
        return part
    if UNSPACED.match(part):
        return _UNSPACED_SIGN
    if unicodedata.category(part).startswith("M"):
        return "mark"
    return "x" if part.isalnum() else " "


def _without_tags(shape: str) -> str:
    """Return shapes with blanks for what stands in brackets; few texts have any."""
    return _TAG.sub(_blank, shape) if "[" in shape or "<" in shape else shape


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _plain(folded: str, match: re.Match[str]) -> Token:
    key = folded[match.start() : match.end()]
    if key == "%":
        key = "percent"
    return Token(written_number_key(key) if key[0].isdigit() else key, match.start(), match.end())


def _english_words(folded: str, shape: str) -> list[Token]:
    words: list[Token] = []
    for match in _ENGLISH.finditer(shape):
        start, end = match.span()
        if match.lastgroup is None:
            word = folded[start:end]
            if "'" in word or word in _OTHERWISE_COMPARED:
                words += [Token(key, start, end) for key in _keys_of(word)]
            else:
                words.append(Token(word, start, end))
        elif match["noon"]:
            words.append(Token(f"{match['noon']}m", start, end))
        else:
            words += _numeral(match)
    return words


def _keys_of(word: str) -> Sequence[str]:
    """Return what a word counts as: nothing, itself, or what it is short for."""
    dropped = _ENGLISH_TABLES.dropped
    return () if word in dropped else [key for key in _expanded(word) if key not in dropped]


def _expanded(word: str) -> list[str]:
    """Return what a word is short for."""
    tables = _ENGLISH_TABLES
    if word in tables.spellings:
        return tables.spellings[word].split()
    if word.endswith("n't"):
        return [*_expanded(word[:-3]), "not"]
    stem, apostrophe, ending = word.rpartition("'")
    if apostrophe and ending in tables.contractions:
        return [*_expanded(stem), tables.contractions[ending]]
    if apostrophe and ending == "s" and stem in tables.pronouns:
        return [stem, "is"]
    return [word]


def _numeral(match: re.Match[str]) -> Iterator[Token]:
    """Split what is written in digits: sign, number, and the letters glued to it."""
    start, end = match.span()
    middle = end - len(match["suffix"])
    if match[0].startswith("-"):
        yield Token("minus", start, start + 1)
        start += 1
    number = numeral_key(match["number"])
    if match["suffix"] in ("st", "nd", "rd", "th"):
        yield Token(f"{number}th", start, end)
        return
    yield Token(number, start, middle)
    if match["suffix"]:
        yield Token(match["suffix"], middle, end)


def _with_numbers(words: list[Token], shape: str) -> list[Token]:
    """Join the words of each number; a year or a time is said as two, a telephone number digit by digit."""
    keys = [word.key for word in words]
    starts = number_starts(keys)
    if not starts:
        return words
    joined: list[Token] = []
    at = reach = 0
    for start in starts:
        if start < at:
            continue
        # All numbers of a run of words have the same end before them, which is looked for once.
        reach = max(reach, start + 1)
        while reach < len(words) and _run_on(words[reach - 1], words[reach], shape):
            reach += 1
        key, width = read_number(keys, start, reach) or (keys[start], 1)
        joined += words[at:start]
        at = start + width
        joined.append(Token(key, words[start].start, words[at - 1].end))
    return joined + words[at:]


def _run_on(left: Token, right: Token, shape: str) -> bool:
    """Whether two words may belong to one number: "ten thirty" and "twenty-five", not "ten, thirty" and "10-30"."""
    between = shape[left.end : right.start]
    return between.isspace() or not between or (between == "-" and left.key.isalpha())


def _has_repeats(keys: Sequence[str]) -> bool:
    """Whether any words are said twice in immediate succession."""
    widths = range(1, _MAX_REPEATED_TOKENS + 1)
    return any(b"\1" * width in bytes(map(eq, keys, keys[width:])) for width in widths)


def _without_repeats(tokens: list[Token]) -> list[Token]:
    """Let the first of a stutter's words stand for all of it; a number that is said twice may be two."""
    if not _has_repeats([token.key for token in tokens]):
        return tokens
    kept: list[Token] = []
    keys: list[str] = []
    for token in tokens:
        is_near = token.key in keys[-_MAX_REPEATED_TOKENS:]
        kept.append(token)
        keys.append(token.key)
        for width in range(1, _MAX_REPEATED_TOKENS + 1) if is_near else ():
            if keys[-width:] != keys[-2 * width : -width]:
                continue
            if not any(word.is_number for word in kept[-width:]):
                kept[-width:] = []
                keys[-width:] = []
                kept[-1] = msgspec.structs.replace(kept[-1], end=token.end)
            break
    return kept
