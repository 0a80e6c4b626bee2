"""What all parts of an assessment share: the call, what was noticed in it, and words for it."""

import re
from typing import Any

from tests.sandbox.assemblyai.coach.conversation import REP, Conversation, Line
from tests.sandbox.assemblyai.coach.observations import DOUBTS, Doubt, Observations
from tests.sandbox.assemblyai.coach.retelling import THIRD, clause, shift

Evidence = list[dict[str, Any]]
Item = dict[str, Any]


class Wording:
    """A call and what was noticed in it."""

    def __init__(self, call: Conversation, seen: Observations) -> None:
        self.call = call
        self.seen = seen

    def problem(self, *, uncosted: bool = False) -> tuple[Line, str, str | None] | None:
        """The worst problem that can be named in one clause, else the worst: line, sentence, clause.

        `uncosted`: only one that nobody put a large number to, and about which no question followed.
        """
        asked = {line.number for line, _, _ in self.seen.digging}
        named = [
            (line, part, clause(part))
            for line, part in self.seen.problems
            if not uncosted or not (re.search(r"\d", line.text) or {n.number for n in self.call.after(line, 1)} & asked)
        ]
        return next((item for item in named if item[2]), named[0] if named else None)

    def third(self, part: str, most: int = 12) -> str | None:
        """A clause of `part` in the third person, unless it has a number or is about one person."""
        text = clause(part, most)
        if text is None or re.search(r"\d|\b(he|she|you|your)\b", text.lower()):
            return None
        return shift(text, THIRD)

    def about(self, part: str, also_in: str | None = None) -> str:
        """Name a point of the customer by its subject."""
        word = self.seen.subject(part, also_in)
        return f"the customer's point about {word}" if word else "a point that the customer raises"

    @staticmethod
    def voice(doubt: Doubt) -> str:
        """The sentence in which a doubt is first heard."""
        return doubt.lines[0].sentence_with(DOUBTS[doubt.kind])

    def talk_verdict(self) -> str:
        """Whether the rep's share is above, in_band or below: as FACTS say, else by the words."""
        share = self.call.share(REP)
        given: str | None = self.call.facts.get("talk_verdict")
        return given or ("above" if share > 0.55 else "below" if share < 0.35 else "in_band")
