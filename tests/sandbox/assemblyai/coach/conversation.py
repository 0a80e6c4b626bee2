"""A sales call as a prompt gives it: numbered or named lines, and the words in them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.sandbox.assemblyai.roles import SELLER_TITLE, identify_roles

REP, CUSTOMER, OTHER = "rep", "customer", "other"
SIDES = {"REP": REP, "CUST": CUSTOMER}

NUMBERED_BLOCK = re.compile(r"(?ms)^TRANSCRIPT (\S+) BEGIN\s*$(.*?)^TRANSCRIPT \1 END\s*$")
NUMBERED_LINE = re.compile(r"^\[(\d+)\] (REP|CUST|OTHER)(?: \d+)?: (.*)$", re.MULTILINE)
RATIO = re.compile(r"['\"]([^'\"]+)['\"]: ['\"]?(\d+(?:\.\d+)?)%?")
NAMED_LINE = re.compile(r"^([A-Z][\w .&'/-]{0,34}): (\S.*)$")

STOP_WORDS = frozenset(
    """
    a about after again all also always an and any anything are around as at away back be because been
    before being but by call can come could day did do does doing done down each either else even ever
    every everything few fine first for from get gets give go goes going gone good got great had half
    has have having he her here him his how i if in into is it its just keep kind know last later let
    like little look lot made make makes many may maybe me mean mine minute more most mostly much must
    my need never new next nice no nobody not nothing now of off often oh okay on once one only or other
    our out over own part people perfect please point put quite rather really right said same say see
    she should show since so some somebody someone something soon still such sure take takes talk tell
    than thank thanks that the their them then there these they thing things think this those though
    through time to today together told too two under until up us use used very want was way we week
    well went were what when where which while who whole why will with without work works would yeah
    year yes yet you your
    """.split()  # noqa: SIM905 - words read better as text
)


def tokens(text: str) -> list[str]:
    """Return the words of `text` in lower case, apostrophes straight and inside words only."""
    return re.findall(r"[a-z0-9]+(?:[',][a-z0-9]+)*", text.lower().replace("\u2019", "'"))


def stems(text: str) -> set[str]:
    """Return what the content words of `text` begin with, so that plural and tense do not matter."""
    words = (token.partition("'")[0] for token in tokens(text))
    return {word[:5].rstrip("s") for word in words if len(word) > 3 and word not in STOP_WORDS}


@dataclass(frozen=True)
class Line:
    """One utterance: its number in the prompt, its side, its words."""

    number: int
    side: str
    text: str

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The sentences, with their punctuation."""
        return tuple(part.strip() for part in re.findall(r"[^.?!]+[.?!]*(?=\s|$)|\S+", self.text) if part.strip())

    @cached_property
    def lower(self) -> str:
        """The text in lower case with straight apostrophes, for patterns."""
        return self.text.lower().replace("\u2019", "'")

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())

    @property
    def questions(self) -> list[str]:
        """The sentences that ask something; tags of up to three words do not count."""
        return [part for part in self.sentences if part.endswith("?") and len(part.split()) > 3]

    def says(self, pattern: str) -> bool:
        """Return whether the pattern occurs."""
        return re.search(pattern, self.lower) is not None

    def sentence_with(self, pattern: str) -> str:
        """Return the first sentence in which the pattern occurs, or the longest."""
        for part in self.sentences:
            if re.search(pattern, part.lower().replace("\u2019", "'")):
                return part
        return max(self.sentences, key=len)

    def quote(self, sentence: str | None = None) -> dict[str, Any]:
        """Return evidence: 5 to 25 consecutive words of this line, around `sentence` where it is short."""
        parts = list(self.sentences)
        at = parts.index(sentence) if sentence in parts else max(range(len(parts)), key=lambda i: len(parts[i]))
        first = last = at
        while len(" ".join(parts[first : last + 1]).split()) < 5 and (first > 0 or last + 1 < len(parts)):
            if last + 1 < len(parts):
                last += 1
            else:
                first -= 1
        words = " ".join(parts[first : last + 1]).split()[:25]
        return {"utterance": self.number, "quote": " ".join(words)}


class Conversation:
    """The lines of a call in order, and the facts that came with them."""

    def __init__(self, lines: Iterable[Line], facts: Mapping[str, Any]) -> None:
        self.lines: Sequence[Line] = [line for line in lines if line.text.strip()]
        self.facts = facts
        self._index = {line.number: index for index, line in enumerate(self.lines)}

    def side(self, side: str) -> list[Line]:
        """Return one side's lines."""
        return [line for line in self.lines if line.side == side]

    def before(self, line: Line, count: int) -> list[Line]:
        """Return up to `count` lines before `line`, the nearest first."""
        at = self._index[line.number]
        return list(reversed(self.lines[max(0, at - count) : at]))

    def after(self, line: Line, count: int) -> list[Line]:
        """Return up to `count` lines after `line`."""
        at = self._index[line.number]
        return list(self.lines[at + 1 : at + 1 + count])

    def reply(self, line: Line) -> Line | None:
        """Return the other side's next line, unless `line`'s own side says more before it."""
        for other in self.after(line, 4):
            if other.side not in (line.side, OTHER):
                return other
            if other.side == line.side and other.words > 6:
                return None
        return None

    def find(self, number: Any) -> Line | None:
        """Return the line of that number."""
        return self.lines[self._index[number]] if number in self._index else None

    def share(self, side: str) -> float:
        """Return a side's share of the words that rep and customer speak."""
        words = {name: sum(line.words for line in self.side(name)) for name in (REP, CUSTOMER)}
        return words[side] / max(1, sum(words.values()))

    def longest_run(self) -> list[Line]:
        """Return the rep side's longest stretch; lines of up to three words do not end it."""
        runs: list[list[Line]] = [[]]
        for line in self.lines:
            if line.side == REP:
                runs[-1].append(line)
            elif line.words > 3:
                runs.append([])
        return max(runs, key=lambda run: sum(line.words for line in run))


def read_prompt(messages: Sequence[tuple[str, str]]) -> Conversation | None:
    """Find the call in a prompt: numbered lines between nonces, or lines that begin with a speaker's name.

    None: there is no call in it. What the call's speakers say about the prompt's form is part of the call.
    """
    for role, content in messages:
        if role != "user":
            continue
        if block := NUMBERED_BLOCK.search(content):
            lines = [
                Line(int(number), SIDES.get(side, OTHER), text)
                for number, side, text in NUMBERED_LINE.findall(block[2])
            ]
            return Conversation(lines, _facts(content[: block.start()]))
        if lines := _named_lines(content):
            return Conversation(lines, {"ratios": dict(RATIO.findall(content.partition("Transcript:")[0]))})
    return None


def _facts(head: str) -> Mapping[str, Any]:
    at = head.find("{", head.find("FACTS"))
    if "FACTS" not in head or at < 0:
        return {}
    facts, _ = json.JSONDecoder().raw_decode(head, at)
    return facts if isinstance(facts, dict) else {}


def _named_lines(content: str) -> list[Line]:
    _, found, body = content.rpartition("Transcript:")
    if not found:
        return []
    named = [match.groups() for row in body.splitlines() if (match := NAMED_LINE.match(row.strip()))]
    spoken: dict[str, list[str]] = {}
    for name, text in named:
        spoken.setdefault(name, []).append(text)
    if len(spoken) < 2:
        return []
    sides = {name: REP for name in spoken if SELLER_TITLE.search(name)}
    if not sides:
        # Labels like A and B tell nothing: read who sells from what they say.
        sides = {name: REP for name, role in identify_roles(spoken, ["rep", "customer"]).items() if role == "rep"}
    return [Line(number, sides.get(name, CUSTOMER), text) for number, (name, text) in enumerate(named)]
