"""What the coach tells of a call: the summary, the talking, the turns in the customer's wording, the end."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.sandbox.assemblyai.coach.conversation import REP, Line, stems
from tests.sandbox.assemblyai.coach.observations import AMOUNT, DAY, PRICE
from tests.sandbox.assemblyai.coach.retelling import PROMISE, THIRD, clause, listing, sentence, shift
from tests.sandbox.assemblyai.coach.wording import Evidence, Item, Wording

ACTION = r"\b(?:i'll|we'll|could we|how about|shall we|can we|let's|let me|we could)\s+"
OWN_TROUBLE = r"\b(nightmare|los(e|es|t)|without|wrong|phone|late|hand)\b"


class Telling(Wording):
    """The prose about a call. Only the summary may hold a number."""

    def summary(self) -> str:
        """Two or three sentences of at most 60 words: the customer's world, the offer, the end."""
        parts = [self._summary_of_need(), self._summary_of_offer(), self._summary_of_end()]
        return " ".join(sentence(part) for part in parts if part)

    def _summary_of_need(self) -> str:
        said = [
            shift(text, THIRD)
            for found in (self.seen.situation, *self.seen.problems[:3])
            if found and (text := clause(found[1], 14)) and not re.search(r"\b(you|your|he|she)\b", text.lower())
        ]
        distinct: list[str] = []
        for text in said:
            if not any(len(stems(text) & stems(other)) > 1 for other in distinct):
                distinct.append(text)
        if not distinct:
            topics = self.seen.topics(self.seen.customer, 2)
            return f"The customer speaks about {listing(topics)}" if topics else ""
        return "The customer says that " + " and that ".join(distinct[:2])

    def _summary_of_offer(self) -> str:
        topics = self.seen.topics(self.seen.rep, 3)
        amount = re.search(AMOUNT, self.seen.price.lower) if self.seen.price else None
        replies = [reply for _, _, reply in self.seen.digging if reply is not None]
        numbers = [
            shift(text, THIRD)
            for reply in replies
            for part in reply.sentences
            if re.search(r"\d", part)
            and (text := clause(part, 14))
            and not re.search(r"\b(he|she|you)\b", text.lower())
        ]
        if amount is None and len(replies) > 1 and numbers:
            return f"asked what follows from it, they add that {numbers[0]}"
        shown = f"the rep side talks about the {listing(topics)}" if topics else ""
        if amount is None:
            return shown
        doubt = next((doubt for doubt in self.seen.doubts if doubt.kind == "price"), None)
        found = ", which the customer finds high" if doubt else ""
        first = f"{shown} and names" if shown else "the rep names"
        return f"{first} a price of {amount[0]}{found}"

    def _summary_of_end(self) -> str:
        step = self.seen.next_step
        if step.status == "agreed":
            return f"They agree on a next step for {step.when}"
        if step.status == "proposed":
            return "The call ends without a fixed next step"
        if step.status == "customer_declined":
            return "The customer declines"
        return "The call ends without a next step" if step.status == "none" else ""

    def talk_listen(self) -> str:
        """One or two sentences about how the talking was divided, without a number; at most 35 words."""
        verdict = self.talk_verdict()
        run = self.call.longest_run()
        topic = next(iter(self.seen.topics(run, 1)), None)
        about = f" about the {topic}" if topic else ""
        if verdict == "above":
            asked = "" if any(line.questions for line in run) else ", without a question in it"
            raised = self.seen.unanswered[0] if self.seen.unanswered else None
            word = self.seen.subject(raised[1]) if raised else None
            cost = f" The customer's point about {word} stays open meanwhile." if word else ""
            return f"Much of the rep's time goes into one long stretch{about}{asked}.{cost}"
        if verdict == "below" or (verdict == "in_band" and self.call.share(REP) < 0.5):
            return (
                "Short questions from the rep leave the floor to the customer, "
                "whose longer answers carry the call from today's process to its consequences."
            )
        return f"The talking is shared; the longest stretch is the part{about}, and questions break up the rest."

    def change(self, candidate: Mapping[str, Any]) -> Item:
        """Say what a change in the customer's wording is about and which words of the call set it off."""
        first = candidate.get("from_utterance", 0)
        last = candidate.get("to_utterance", first)
        window = [line for line in self.call.lines if first <= line.number <= last]
        quoted = self.call.find(candidate.get("quote_utterance"))
        found: Item = {
            "candidate": candidate.get("candidate"),
            "about": "unclear",
            "cause": "",
            "evidence": [],
        }
        if quoted is None:
            return found
        heard = [line for line in window if line.side == REP and line.number < quoted.number]
        if candidate.get("polarity") == "positive":
            return {**found, **self._warmer(quoted, heard)}
        priced = next((line for line in reversed(heard) if line.says(PRICE)), None)
        own = quoted.says(r"\b(we|our|my|i'm the one|the old|last (month|year|week|quarter))\b")
        if priced is not None:
            period = "yearly" if priced.says(r"\b(a|per) year\b") else "monthly" if priced.says("month") else "full"
            run = self.call.longest_run()
            walk = " right after a long walk-through" if run and run[-1].number <= priced.number else ""
            cause = f"The rep names the {period} price{walk}, before it is clear what it is compared with."
            evidence = [priced.quote(priced.sentence_with(AMOUNT))]
            return {**found, "about": "our_offer_or_rep", "cause": cause, "evidence": evidence}
        asked = next((line for line in reversed(heard) if line.questions), None)
        if own and asked is not None:
            cause = "The rep asks how the work is done today, and the customer describes what goes wrong with it."
            return {
                **found,
                "about": "their_own_situation",
                "cause": cause,
                "evidence": [
                    asked.quote(asked.questions[-1]),
                    quoted.quote(quoted.sentence_with(OWN_TROUBLE)),
                ],
            }
        if quoted.says(r"\b(vendor|supplier|carrier|they (promised|never|told))\b"):
            cause = "The customer describes trouble with somebody outside of this call."
            return {**found, "about": "third_party", "cause": cause, "evidence": [quoted.quote()]}
        if heard:
            cause = "The customer's doubt follows the rep's words here, and no question is asked about it first."
            return {**found, "about": "our_offer_or_rep", "cause": cause, "evidence": [heard[-1].quote()]}
        return found

    def _warmer(self, quoted: Line, heard: Sequence[Line]) -> Item:
        if not heard:
            return {}
        word = self.seen.subject(quoted.text) or self.seen.subject(heard[-1].text)
        about = f" about {word}" if word else ""
        return {
            "about": "our_offer_or_rep",
            "cause": f"The rep's answer{about} meets what the customer asked for.",
            "evidence": [heard[-1].quote()],
        }

    def next_step(self) -> Item:
        """Say what is agreed, who does it, and which words name the day."""
        step = self.seen.next_step
        evidence: Evidence = []
        action = ""
        if step.proposal is not None:
            part = step.proposal.sentence_with(DAY if step.status == "agreed" else ACTION)
            action = self._action(part)
            evidence.append(step.proposal.quote(part))
        if step.consent is not None:
            evidence.append(step.consent.quote(step.consent.sentences[0]))
        taken = step.customer_action
        if taken is not None and taken is not step.consent and step.status == "agreed":
            evidence.append(taken.quote(taken.sentence_with(r"'ll (ask|bring|check|send|talk)")))
        owner = "nobody"
        if step.proposal is not None:
            owner = "both" if taken is not None and step.status == "agreed" else "rep"
        return {
            "status": step.status,
            "action": action,
            "owner": owner,
            "when_words": step.when,
            "evidence": evidence,
        }

    def _action(self, part: str) -> str:
        found = re.search(ACTION, part, re.IGNORECASE)
        text = part[found.end() :] if found else part
        text = re.split(
            r",? and (?:we can|i'll|i|then)\b|, say\b|[?]", text.strip().rstrip(".?!"), flags=re.IGNORECASE
        )[0]
        # The day has a field of its own.
        when = self.seen.next_step.when
        if when:
            text = re.sub(rf",?\s*(?:on )?{re.escape(when)},?", "", text, flags=re.IGNORECASE)
        promise = shift(re.sub(r",\s*(?=with\b)", " ", text.strip(" ,")), PROMISE)
        return " ".join(promise.split()[:18])
