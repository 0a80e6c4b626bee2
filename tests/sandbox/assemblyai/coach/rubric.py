"""The six behaviours: a level for each, with the words that show it and the reason in one sentence."""

import re

from tests.sandbox.assemblyai.coach.conversation import stems
from tests.sandbox.assemblyai.coach.observations import LIKE_YOU, LIKES, NAMED
from tests.sandbox.assemblyai.coach.wording import Evidence, Item, Wording

AGENDA_WORDS = r"\b(minutes|planned|agenda|like to|love to|wanted to|cover)\b"
SETTLE_WORDS = r"\b(settle|does that|would that)\b"


class Rubric(Wording):
    """Judges behaviours by what was said; a level is reached only with words to quote."""

    def items(self, ending: Evidence) -> dict[str, Item]:
        """Judge the six; `ending` is the evidence for the next step."""
        return {
            "opening": self._opening(),
            "discovery": self._discovery(),
            "listening": self._listening(),
            "value_link": self._value_link(),
            "objection": self._objection(),
            "next_step": self._closing(ending),
        }

    @staticmethod
    def _item(occasion: str, evidence: Evidence, rationale: str, level: int | None) -> Item:
        return {
            "occasion": occasion,
            "evidence": evidence,
            "rationale": rationale,
            "level": "not_observed" if level is None else str(level),
        }

    def _opening(self) -> Item:
        level, line = self.seen.opening
        if line is None:
            return self._item("", [], "The recording holds no opening by the rep side.", None)
        evidence = [line.quote(line.sentence_with(AGENDA_WORDS))]
        if level == 3:
            asked = next((part for part in line.questions), None)
            evidence += [line.quote(asked)] if asked else []
        rationale = (
            "The call starts with presenting or questions; what it is for is not said.",
            "The reason for the call is said, and the customer is not asked to agree or to add anything.",
            "What will be covered is said and can be agreed to; the customer's own goal is not asked for.",
            "Topics and time are named, the customer's own goal is asked for, and the call comes back to it.",
        )[level]
        return self._item("start of the call", evidence, rationale, level)

    def _discovery(self) -> Item:
        problem = self.problem()
        if problem is None and not self.seen.questions:
            return self._item("", [], "No problem, goal or way of working comes up on this call.", None)
        occasion = (problem and self.third(problem[1])) or "how the customer works today"
        digging = self.seen.digging
        quantified = [reply for _, _, reply in digging if reply and re.search(r"\d", reply.text)]
        subjects = {frozenset(stems(reply.text)) for _, _, reply in digging if reply}
        if len(digging) > 1 and quantified and len(subjects) > 1:
            evidence = [line.quote(part) for line, part, _ in digging[:2]]
            evidence.append(quantified[0].quote(quantified[0].sentence_with(r"\d")))
            text = (
                "Questions about causes and consequences follow the answers on more than one topic, "
                "and the customer puts a number to one of them."
            )
            return self._item(occasion, evidence, text, 3)
        if digging:
            line, part, _ = digging[0]
            costed = any(re.search(r"\d", found.text) for found, _ in self.seen.problems)
            rest = "the same is not done on a second topic." if costed else "what it costs stays unsaid."
            text = f"At least one question builds on an answer and asks what follows from it; {rest}"
            return self._item(occasion, [line.quote(part)], text, 2)
        if self.seen.questions:
            line, part = self.seen.questions[0]
            missed = f"; after hearing that {occasion}, the rep moves on" if problem and self.third(problem[1]) else ""
            return self._item(
                occasion,
                [line.quote(part)],
                f"The rep asks for facts, and no question builds on an answer{missed}.",
                1,
            )
        line, part, _ = problem or (self.seen.customer[0], self.seen.customer[0].text, None)
        return self._item(
            occasion,
            [line.quote(part)],
            "A problem is described, and nothing is asked about it before presenting.",
            0,
        )

    def _listening(self) -> Item:
        if not self.seen.rep or sum(line.words for line in self.seen.customer) < 200:
            return self._item("", [], "One side speaks too little for this to show.", None)
        confirmed = [item for item in self.seen.restated if item[2] is not None]
        missed = self.seen.unanswered
        if len(self.seen.restated) > 1 and confirmed and not missed:
            evidence = [line.quote(part) for line, part, _ in self.seen.restated[:2]]
            evidence += [confirmed[0][2].quote()] if confirmed[0][2] else []
            return self._item(
                self.about(confirmed[0][1]),
                evidence,
                "The rep side says the customer's point back more than once, and the customer confirms it.",
                3,
            )
        if len(missed) > 1 and not self.seen.restated:
            evidence = []
            for line, part, reply in missed[:2]:
                evidence += [line.quote(part), reply.quote(reply.sentences[0])]
            return self._item(
                self.about(missed[0][1]),
                evidence,
                "The customer raises a point more than once; each time the rep goes on with another topic.",
                0,
            )
        if self.seen.restated:
            line, part, _ = self.seen.restated[0]
            later = "; another point of the customer gets no answer at once" if missed else ""
            return self._item(
                self.about(part),
                [line.quote(part)],
                f"The customer's point is said back in other words{later}.",
                2,
            )
        line = self.seen.acknowledged or next((line for line in self.seen.rep if line.words > 4), self.seen.rep[0])
        text = "Answers are taken in with a word or two, and the talk moves on."
        return self._item("the customer's description of today's work", [line.quote()], text, 1)

    def _value_link(self) -> Item:
        offer = self.seen.general_offer
        if not self.seen.offered or not self.seen.problems:
            return self._item("", [], "Nothing is offered on this call, or no need is stated.", None)
        tied = self.seen.tied
        if tied:
            line, part, need = tied[0]
            numbered = re.search(r"\d", need.text) is not None
            wanted = next((liked for liked in self.seen.liked if liked.number > line.number), None)
            occasion = self.about(need.text, part)
            if wanted is not None and (len({item[2].number for item in tied}) > 1 or numbered):
                evidence = [
                    line.quote(part),
                    (tied[1][0].quote(tied[1][1]) if len(tied) > 1 else need.quote()),
                    wanted.quote(wanted.sentence_with(LIKES)),
                ]
                text = "The offer is tied to what the customer described, and the customer says that it fits."
                return self._item(occasion, evidence, text, 3)
            return self._item(
                occasion,
                [line.quote(part)],
                "One part of the offer is tied in words to a need stated earlier.",
                2,
            )
        like_you = next((line for line in self.seen.rep if line.says(LIKE_YOU)), None)
        problem = self.problem()
        need_line, need_part = (problem[0], problem[1]) if problem else (self.seen.customer[0], "")
        occasion = self.third(need_part) or "the need that the customer stated"
        if like_you is not None:
            text = "The need is named in general; nothing shown comes back to what this customer described."
            return self._item(occasion, [like_you.quote(like_you.sentence_with(LIKE_YOU))], text, 1)
        return self._item(
            occasion,
            [need_line.quote(need_part), *([offer.quote()] if offer else [])],
            "The offer is described in general, although the customer has stated a need.",
            0,
        )

    def _objection(self) -> Item:
        if not self.seen.doubts:
            return self._item("", [], "The customer voices no doubt, worry or reason to wait.", None)
        doubt = self.seen.doubts[0]
        voiced = doubt.lines[0].quote(self.voice(doubt))
        occasion = NAMED[doubt.kind]
        if doubt.answer is None:
            return self._item(occasion, [voiced], "The doubt is passed over and gets no answer.", 0)
        if doubt.asked_first is not None:
            asked = doubt.asked_first.quote(doubt.asked_first.questions[0])
            if doubt.settled is not None:
                text = (
                    "The doubt is asked about before it is answered, and the rep checks whether the answer settles it."
                )
                return self._item(
                    occasion,
                    [voiced, asked, doubt.settled.quote(doubt.settled.sentence_with(SETTLE_WORDS))],
                    text,
                    3,
                )
            text = "A question comes before the answer; whether the answer settles the doubt is not asked."
            return self._item(occasion, [voiced, asked], text, 2)
        text = f"The doubt about {NAMED[doubt.kind]} is answered without a question about what is behind it."
        return self._item(
            occasion,
            [voiced, doubt.answer.quote(doubt.answer.sentence_with(r"\b(promise|includes?)\b"))],
            text,
            1,
        )

    def _closing(self, evidence: Evidence) -> Item:
        step = self.seen.next_step
        if step.status in ("not_in_recording", "customer_declined"):
            return self._item("", [], "The recording gives no occasion for a next step.", None)
        if step.proposal is None:
            last = next((line for line in reversed(self.call.lines) if line.words > 4), self.call.lines[-1])
            return self._item("end of the call", [last.quote()], "The call ends without any next step.", 0)
        if step.status == "proposed":
            text = "Something will be sent; no day is named, and the customer takes nothing on."
            return self._item("end of the call", evidence, text, 1)
        if step.customer_action is not None or step.people_named:
            text = "Action, day and people are named, and the customer takes something on as well."
            return self._item("end of the call", evidence, text, 3)
        return self._item("end of the call", evidence, "Action, day and owner are named, and the customer agrees.", 2)
