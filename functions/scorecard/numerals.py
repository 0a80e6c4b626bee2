"""Numbers as people say and write them: "fifteen hundred", 1,500 and 1.5k have the same key. English. Pure.

A key is # and the digits, with p for the decimal point: 1.5 is #1p5 and never 15. The fourteenth is #14th.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_TABLES = tomllib.loads(Path(__file__).with_name("numerals.toml").read_text("utf-8"))
_NUMBERS: dict[str, int] = _TABLES["numbers"]
_ORDINALS: dict[str, int] = _TABLES["ordinals"]
_SCALES: dict[str, int] = _TABLES["scales"]
_SCALE_SIGNS: dict[str, int] = _TABLES["scale_signs"]

_STARTS = frozenset({*_NUMBERS, *_ORDINALS, *_SCALES, "a", "minus", "negative"})

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_GROUPED_ANYHOW = re.compile(r"(\d{1,3}([.,])\d{3}(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)")
_INTEGER = re.compile(r"#\d+")
_DECIMAL = re.compile(r"#(\d+)p(\d+)")
# Longer strings of digits name something; nobody counts so far.
_MAX_DIGITS = 15
_TELEPHONE_DIGITS = range(3, 21)


_ASCII_WORD = re.compile(r"[a-z]+|[0-9]")
_ASCII_STARTS = frozenset({*_NUMBERS, *_ORDINALS, *_SCALES, *"0123456789"})


class _Read(NamedTuple):
    value: int
    after: int


def numeral_key(digits: str) -> str:
    """Return the key of a number that is written in digits, as 18,000 or 1.5 or 10:30; other forms stay as they are."""
    if _GROUPED.fullmatch(digits):
        digits = digits.replace(",", "")
    if clock := _CLOCK.fullmatch(digits):
        return f"#{clock[1]}" if clock[2] == "00" else f"#{clock[1]}{clock[2]}"
    whole, point, fraction = digits.partition(".")
    if not point or not (whole + fraction).isdigit() or len(digits) > _MAX_DIGITS:
        return f"#{digits}"
    return f"#{whole}" if fraction == "00" else f"#{whole or 0}p{fraction}"


def written_number_key(digits: str) -> str:
    """Return the key of a number in digits in any language but English: 18.000 and 18,000 are grouped, 1,5 is not."""
    grouped = _GROUPED_ANYHOW.fullmatch(digits)
    if grouped:
        digits = re.sub(r"[.,]", "", grouped[1]) + (f".{grouped[3]}" if grouped[3] else "")
    return numeral_key(digits.replace(",", "."))


def may_hold_number(text: str) -> bool:
    """Whether a text is worth reading for numbers: one in ASCII holds a digit, or a word that is a number by itself."""
    return not text.isascii() or not _ASCII_STARTS.isdisjoint(_ASCII_WORD.findall(text.lower()))


def number_starts(keys: Sequence[str]) -> list[int]:
    """Return where read_number is worth asking among the keys of some tokens: at an "a" only where a scale follows."""
    return [
        at
        for at, key in enumerate(keys)
        if key.startswith("#")
        or (key in _STARTS and (key != "a" or not _SCALES.keys().isdisjoint(keys[at + 1 : at + 2])))
    ]


def read_number(keys: Sequence[str], at: int, end: int) -> tuple[str, int] | None:
    """Return the key of the number that begins at keys[at], and how many of keys[:end] it takes."""
    first = at
    negative = keys[at] in ("minus", "negative")
    if negative or (keys[at] == "a" and at + 1 < end and keys[at + 1] in _SCALES):
        at += 1
    if at == end:
        return None
    if not negative and (told := _said_in_parts(keys, at, end) or _ordinal(keys, at)):
        return told[0], told[1] - first
    read = _decimal(keys, at, end)
    if read is None:
        cardinal = _cardinal(keys, at, end)
        if cardinal is None:
            return None
        read = str(cardinal.value), cardinal.after
    return f"#{'-' if negative else ''}{read[0]}", read[1] - first


def _ordinal(keys: Sequence[str], at: int) -> tuple[str, int] | None:
    """Read "fourteenth", and "twenty first"."""
    if keys[at] in _ORDINALS:
        return f"#{_ORDINALS[keys[at]]}th", at + 1
    tens = _NUMBERS.get(keys[at], 0)
    if tens >= 20 and at + 1 < len(keys) and 0 < _ORDINALS.get(keys[at + 1], 10) < 10:
        return f"#{tens + _ORDINALS[keys[at + 1]]}th", at + 2
    return None


def _said_in_parts(keys: Sequence[str], at: int, end: int) -> tuple[str, int] | None:
    """Read years and times ("nineteen ninety", "ten oh five") and strings of digits ("four four seven")."""
    parts: list[int] = []
    places = [at]
    while places[-1] < end and len(parts) < _TELEPHONE_DIGITS.stop:
        place = places[-1]
        part = _Read(0, place + 1) if parts and keys[place] in ("oh", "zero") else _below_hundred(keys, place, end)
        if part is None or part.value > 99:
            break
        parts.append(part.value)
        places.append(part.after)
        if len(parts) > 3 and max(parts) > 9:
            return None
    if places[-1] < end and (keys[places[-1]] in _SCALES or keys[places[-1]] in _SCALE_SIGNS):
        return None
    if len(parts) == 2 and parts[0] > 0 and parts[1] >= 10:
        return f"#{parts[0]}{parts[1]}", places[2]
    if len(parts) == 3 and parts[0] >= 10 and parts[1] == 0 and 0 < parts[2] < 10:
        return f"#{parts[0]}0{parts[2]}", places[3]
    if len(parts) in _TELEPHONE_DIGITS and max(parts) < 10:
        return "#" + "".join(map(str, parts)), places[-1]
    return None


def _decimal(keys: Sequence[str], at: int, end: int) -> tuple[str, int] | None:
    """Read 1.5, "one point five" and either with its scale."""
    if written := _DECIMAL.fullmatch(keys[at]):
        whole, fraction, after = int(written[1]), written[2], at + 1
    else:
        start = _below_hundred(keys, at, end)
        if start is None or start.after >= end or keys[start.after] != "point":
            return None
        whole, after, fraction = start.value, start.after + 1, ""
        while after < end and _NUMBERS.get(keys[after], 10) < 10:
            fraction += str(_NUMBERS[keys[after]])
            after += 1
        if not fraction:
            return None
    scale = _scale(keys, after, end)
    if scale == 1:
        return f"{whole}p{fraction}", after
    scaled, rest = divmod(int(f"{whole}{fraction}") * scale, 10 ** len(fraction))
    return (f"{whole}p{fraction}x{scale}" if rest else str(scaled)), after + 1


def _cardinal(keys: Sequence[str], at: int, end: int) -> _Read | None:
    """Read "two hundred and five thousand three hundred" and the like."""
    total, limit = 0, 10**18
    after: int | None = None
    while at < end:
        group = _group(keys, at, end)
        if group is None and after is None and keys[at] in _SCALES:
            group = _Read(1, at)
        if group is None or group.value >= limit:
            break
        scale = _scale(keys, group.after, end)
        if scale >= limit:
            break
        total, after = total + group.value * scale, group.after + (scale > 1)
        if scale == 1:
            break
        at, limit = after, scale
        if at + 1 < end and keys[at] == "and":
            at += 1
    return None if after is None else _Read(total, after)


def _group(keys: Sequence[str], at: int, end: int) -> _Read | None:
    """Read a number below a hundred, hundreds of it ("fifteen hundred"), or one that is written in digits."""
    start = _Read(1, at) if keys[at] == "hundred" else _below_hundred(keys, at, end)
    if start is None or start.value > 99 or start.after >= end or keys[start.after] != "hundred":
        return start
    after = start.after + 1
    rest = None
    place = after + 1 if after < end and keys[after] == "and" else after
    if place < end:
        rest = _below_hundred(keys, place, end)
    if rest and 0 < rest.value < 100:
        return _Read(start.value * 100 + rest.value, rest.after)
    return _Read(start.value * 100, after)


def _below_hundred(keys: Sequence[str], at: int, end: int) -> _Read | None:
    """Read "seventy", "seventy five", or an integer of any size that is written in digits."""
    if _INTEGER.fullmatch(keys[at]):
        return _Read(int(keys[at][1:]), at + 1) if len(keys[at]) <= _MAX_DIGITS else None
    value = _NUMBERS.get(keys[at])
    if value is None:
        return None
    if value >= 20 and at + 1 < end and 0 < _NUMBERS.get(keys[at + 1], 0) < 10:
        return _Read(value + _NUMBERS[keys[at + 1]], at + 2)
    return _Read(value, at + 1)


def _scale(keys: Sequence[str], at: int, end: int) -> int:
    if at >= end:
        return 1
    scale = _SCALES.get(keys[at]) or _SCALE_SIGNS.get(keys[at], 1)
    return 1 if scale == 100 else scale
