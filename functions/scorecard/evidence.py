"""Whether a quote was really said. Pure.

What is published is cut out of the transcript again, so it is a substring of the utterance that it names.
"""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from callcoach.transcript import Utterance, Word
from scorecard.scorecard import Evidence, EvidenceCounts
from scorecard.speakers import RoleAssignment

EVIDENCE_DEFINITION = "evidence.exact_tokens.v1"

# Shorter quotes stand in many places and prove nothing.
MINIMUM_TOKENS = 3

# A number with its separators is one token: half of it would be another number.
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)+\w*|\w+(?:['’]\w+)*")


class Claim(msgspec.Struct, frozen=True):
    """A quote as the coach offers it: its utterance's index, and the words."""

    utterance: int
    quote: str


class Verifier:
    """Checks claims against one transcript and keeps count."""

    def __init__(self, utterances: Sequence[Utterance], roles: RoleAssignment) -> None:
        self._utterances = utterances
        self._roles = roles
        self._claimed = 0
        self._dropped: Counter[str] = Counter()

    def verified(self, claims: Sequence[Claim]) -> list[Evidence]:
        """Return the claims whose words stand, in that order, in the utterance that they name."""
        return [evidence for claim in claims if (evidence := self._verify(claim))]

    def counts(self) -> EvidenceCounts:
        """Return how many claims were made, and what became of them."""
        dropped = self._dropped.total()
        return EvidenceCounts(
            claimed=self._claimed,
            verified=self._claimed - dropped,
            repaired=0,
            dropped=dropped,
            dropped_reasons=dict(self._dropped),
            definition=EVIDENCE_DEFINITION,
        )

    def _verify(self, claim: Claim) -> Evidence | None:
        self._claimed += 1
        wanted = [_folded(token[0]) for token in _TOKEN.finditer(claim.quote)]
        if len(wanted) < MINIMUM_TOKENS:
            self._dropped["too_short"] += 1
            return None
        if not 0 <= claim.utterance < len(self._utterances):
            self._dropped["no_such_utterance"] += 1
            return None
        utterance = self._utterances[claim.utterance]
        tokens = list(_TOKEN.finditer(utterance.text))
        said = [_folded(token[0]) for token in tokens]
        width = len(wanted)
        first = next((at for at in range(len(said) - width + 1) if said[at : at + width] == wanted), None)
        if first is None:
            self._dropped["not_found"] += 1
            return None
        start, end = tokens[first].start(), tokens[first + width - 1].end()
        # The sentence's closing mark belongs to its words.
        while end < len(utterance.text) and utterance.text[end] in ".,!?%":
            end += 1
        start_ms, end_ms = _times(utterance, start, end)
        return Evidence(
            utterance=claim.utterance,
            label=utterance.speaker,
            side=self._roles.sides[utterance.speaker],
            start_ms=start_ms,
            end_ms=end_ms,
            text=utterance.text[start:end].rstrip(","),
            check="verified",
        )


def _folded(token: str) -> str:
    return token.casefold().replace("’", "'")


def _times(utterance: Utterance, start: int, end: int) -> tuple[int, int]:
    """Return when the characters [start, end) of an utterance are said.

    By the words' times where the words are those of the text, else by the characters' part of the whole.
    """
    offset = 0
    spoken: list[Word] = []
    for word in utterance.words:
        at = utterance.text.find(word.text, offset)
        if at < 0:
            spoken.clear()
            break
        offset = at + len(word.text)
        if at < end and offset > start:
            spoken.append(word)
    if spoken:
        return spoken[0].start_ms, spoken[-1].end_ms
    length_ms = utterance.end_ms - utterance.start_ms
    characters = max(len(utterance.text), 1)
    return (
        utterance.start_ms + length_ms * start // characters,
        utterance.start_ms + length_ms * end // characters,
    )
