"""What a coach says about what was noticed: levels, reasons, suggestions, the summary."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.sandbox.assemblyai.conversation import CUSTOMER, REP, Conversation, Line, stems
from tests.sandbox.assemblyai.observations import AMOUNT, DOUBTS, NAMED, PRICE, Doubt, Observations
from tests.sandbox.assemblyai.retelling import PROMISE, SECOND, THIRD, clause, fitting, listing, sentence, shift

Evidence = list[dict[str, Any]]
Item = dict[str, Any]
NEXT_LEVEL_WEIGHT = {0: 9.0, 1: 7.0, 2: 3.0}


class Advisor:
    """Puts observations into words. Prose holds no number but in quotes and in the summary, and judges nobody."""

    def __init__(self, call: Conversation, seen: Observations) -> None:
        self.call = call
        self.seen = seen

    # ---- words

    def _problem(self) -> tuple[Line, str, str | None] | None:
        """The worst problem that can be named in one clause, else the worst: line, sentence, clause."""
        named = [(line, part, clause(part)) for line, part in self.seen.problems]
        return next((item for item in named if item[2]), named[0] if named else None)

    def _third(self, part: str, most: int = 12) -> str | None:
        """A clause of `part` in the third person, where it says no number and nothing about a single person."""
        text = clause(part, most)
        if text is None or re.search(r"\d|\b(he|she|you|your)\b", text.lower()):
            return None
        return shift(text, THIRD)

    # ---- the parts of the reply

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
            return "The call ends with a proposal for a next step, without a fixed day"
        if step.status == "customer_declined":
            return "The customer declines"
        return "The call ends without a next step" if step.status == "none" else ""

    def talk_listen(self) -> str:
        """One or two sentences about how the talking was divided, without a number; at most 35 words."""
        verdict = self.call.facts.get("talk_verdict") or self._own_verdict()
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
        return f"The talking is shared; the longest stretch of the rep side is the part{about}, and questions break up the rest."

    def _own_verdict(self) -> str:
        share = self.call.share(REP)
        return "above" if share > 0.55 else "below" if share < 0.35 else "in_band"

    def shift(self, candidate: Mapping[str, Any]) -> Item:
        """Say what a change in the customer's wording is about and which words of the call set it off."""
        first = candidate.get("from_utterance", 0)
        last = candidate.get("to_utterance", first)
        window = [line for line in self.call.lines if first <= line.number <= last]
        quoted = self.call.find(candidate.get("quote_utterance"))
        found: Item = {"candidate": candidate.get("candidate"), "about": "unclear", "cause": "", "evidence": []}
        if quoted is None:
            return found
        heard = [line for line in window if line.side == REP and line.number < quoted.number]
        if candidate.get("polarity") == "positive":
            return {**found, **self._warmer(quoted, heard)}
        priced = next((line for line in reversed(heard) if line.says(PRICE)), None)
        own = len(re.findall(r"\b(we|our|my|i'm the one|the old|last (month|year|week|quarter))\b", quoted.lower))
        if priced is not None:
            period = "yearly" if priced.says(r"\b(a|per) year\b") else "monthly" if priced.says("month") else "full"
            run = self.call.longest_run()
            walk = " right after a long walk-through" if run and run[-1].number <= priced.number else ""
            cause = f"The rep names the {period} price{walk}, before it is clear what the customer compares it with."
            evidence = [priced.quote(priced.sentence_with(AMOUNT))]
            return {**found, "about": "our_offer_or_rep", "cause": cause, "evidence": evidence}
        asked = next((line for line in reversed(heard) if line.questions), None)
        if own and asked is not None:
            cause = "The rep asks how the work is done today, and the customer describes what goes wrong with it."
            return {
                **found,
                "about": "their_own_situation",
                "cause": cause,
                "evidence": [asked.quote(asked.questions[-1]), quoted.quote(quoted.sentence_with(OWN_TROUBLE))],
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
        about = f" about the {word}" if word else ""
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
            part = step.proposal.sentence_with(ACTION)
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
        found = re.search(ACTION, part, re.I)
        text = part[found.end() :] if found else part
        text = re.split(r",? and (?:we can|i'll|then)\b|, say\b|[?]", text.strip().rstrip(".?!"))[0]
        # The day has a field of its own.
        when = self.seen.next_step.when
        if when:
            text = re.sub(rf",?\s*(?:on )?{re.escape(when)},?", "", text, flags=re.I)
        promise = shift(re.sub(r"\b(\w+) you\b", r"\1 the customer", text.strip(" ,")), PROMISE)
        return " ".join(promise.split()[:18])

    # ---- the rubric

    def rubric(self) -> dict[str, Item]:
        """Judge the six behaviours; a level is reached only with words to quote."""
        return {
            "opening": self._opening(),
            "discovery": self._discovery(),
            "listening": self._listening(),
            "value_link": self._value_link(),
            "objection": self._objection(),
            "next_step": self._closing(),
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
            "What will be covered is said and the customer can agree; the customer's own goal is not asked for.",
            "Topics and time are named, the customer's own goal is asked for, and the call comes back to it.",
        )[level]
        return self._item("start of the call", evidence, rationale, level)

    def _discovery(self) -> Item:
        problem = self._problem()
        if problem is None and not self.seen.questions:
            return self._item("", [], "No problem, goal or way of working comes up on this call.", None)
        occasion = (problem and self._third(problem[1])) or "how the customer works today"
        digging = self.seen.digging
        quantified = [reply for _, _, reply in digging if reply and re.search(r"\d", reply.text)]
        subjects = {frozenset(stems(reply.text)) for _, _, reply in digging if reply}
        if len(digging) > 1 and quantified and len(subjects) > 1:
            evidence = [line.quote(part) for line, part, _ in digging[:2]] + [quantified[0].quote()]
            text = "Questions about causes and consequences follow the customer's answers on more than one topic, and the customer puts a number to one of them."
            return self._item(occasion, evidence, text, 3)
        if digging:
            line, part, _ = digging[0]
            text = "At least one question builds on an answer and asks what follows from it; its cost stays unsaid."
            return self._item(occasion, [line.quote(part)], text, 2)
        if self.seen.questions:
            line, part = self.seen.questions[0]
            missed = f"; after hearing that {occasion}, the rep moves on" if problem and self._third(problem[1]) else ""
            return self._item(occasion, [line.quote(part)], f"The rep asks for facts, and no question builds on an answer{missed}.", 1)
        line, part, _ = problem or (self.seen.customer[0], self.seen.customer[0].text, None)
        return self._item(occasion, [line.quote(part)], "A problem is described, and nothing is asked about it before presenting.", 0)

    def _listening(self) -> Item:
        if sum(line.words for line in self.seen.customer) < 200:
            return self._item("", [], "The customer speaks too little for this to show.", None)
        confirmed = [item for item in self.seen.restated if item[2] is not None]
        if len(self.seen.restated) > 1 and confirmed:
            evidence = [line.quote(part) for line, part, _ in self.seen.restated[:2]]
            evidence += [confirmed[0][2].quote()] if confirmed[0][2] else []
            return self._item(
                self._about(confirmed[0][1]),
                evidence,
                "The rep side says the customer's point back more than once, and the customer confirms it.",
                3,
            )
        missed = self.seen.unanswered
        if len(missed) > 1 and not self.seen.restated:
            evidence = []
            for line, part, reply in missed[:2]:
                evidence += [line.quote(part), reply.quote(reply.sentences[0])]
            return self._item(
                self._about(missed[0][1]),
                evidence,
                "The customer raises a point more than once, and each time the rep goes on with another topic.",
                0,
            )
        if self.seen.restated:
            line, part, _ = self.seen.restated[0]
            later = "; another point of the customer gets no answer at once" if missed else ""
            return self._item(self._about(part), [line.quote(part)], f"The customer's point is said back in other words{later}.", 2)
        line = self.seen.acknowledged or next((line for line in self.seen.rep if line.words > 4), self.seen.rep[0])
        text = "Answers are taken in with a word or two, and the talk moves on."
        return self._item("the customer's description of today's work", [line.quote()], text, 1)

    def _value_link(self) -> Item:
        offer = self.seen.general_offer
        if offer is None or not self.seen.problems:
            return self._item("", [], "Nothing is offered on this call, or no need is stated.", None)
        tied = self.seen.tied
        if tied:
            line, part, need = tied[0]
            numbered = re.search(r"\d", need.text) is not None
            wanted = next((liked for liked in self.seen.liked if liked.number > line.number), None)
            occasion = self._about(need.text)
            if wanted is not None and (len({item[2].number for item in tied}) > 1 or numbered):
                evidence = [line.quote(part), (tied[1][0].quote(tied[1][1]) if len(tied) > 1 else need.quote()), wanted.quote()]
                text = "The offer is tied to what the customer described earlier, and the customer says that it fits."
                return self._item(occasion, evidence, text, 3)
            return self._item(occasion, [line.quote(part)], "One part of the offer is tied in words to a need stated earlier.", 2)
        like_you = next((line for line in self.seen.rep if line.says(r"\b\w+ like yours\b")), None)
        problem = self._problem()
        need_line, need_part = (problem[0], problem[1]) if problem else (self.seen.customer[0], "")
        occasion = self._third(need_part) or "the need that the customer stated"
        if like_you is not None:
            text = "The need is named in general; no part of the walk-through comes back to what this customer described."
            return self._item(occasion, [like_you.quote(like_you.sentence_with("like yours"))], text, 1)
        return self._item(
            occasion,
            [need_line.quote(need_part), offer.quote()],
            "The offer is described in general, although the customer has stated a need.",
            0,
        )

    def _objection(self) -> Item:
        if not self.seen.doubts:
            return self._item("", [], "The customer voices no doubt, worry or reason to wait.", None)
        doubt = self.seen.doubts[0]
        voiced = doubt.lines[0].quote(self._voice(doubt))
        occasion = f"{NAMED[doubt.kind]}"
        if doubt.answer is None:
            return self._item(occasion, [voiced], "The doubt is passed over and gets no answer.", 0)
        if doubt.asked_first is not None:
            asked = doubt.asked_first.quote(doubt.asked_first.questions[0])
            if doubt.settled is not None:
                text = "The doubt is acknowledged and asked about before it is answered, and the rep checks whether the answer settles it."
                return self._item(occasion, [voiced, asked, doubt.settled.quote(doubt.settled.sentence_with(SETTLE_WORDS))], text, 3)
            text = "A question comes before the answer; whether the answer settles the doubt is not asked."
            return self._item(occasion, [voiced, asked], text, 2)
        text = f"The doubt about {NAMED[doubt.kind]} is answered at once, without a question about what is behind it."
        return self._item(occasion, [voiced, doubt.answer.quote()], text, 1)

    def _closing(self) -> Item:
        step = self.seen.next_step
        if step.status in ("not_in_recording", "customer_declined"):
            return self._item("", [], "The recording gives no occasion for a next step.", None)
        if step.proposal is None:
            last = next((line for line in reversed(self.call.lines) if line.words > 4), self.call.lines[-1])
            return self._item("end of the call", [last.quote()], "The call ends without any next step.", 0)
        evidence: Evidence = self.next_step()["evidence"]
        if step.status == "proposed":
            text = "Something will be sent and a talk may follow; there is no day, and the customer takes nothing on."
            return self._item("end of the call", evidence, text, 1)
        if step.customer_action is not None or step.people_named:
            text = "Action, day and people are named, and the customer takes something on as well."
            return self._item("end of the call", evidence, text, 3)
        return self._item("end of the call", evidence, "Action, day and owner are named, and the customer agrees.", 2)

    def _about(self, part: str) -> str:
        word = self.seen.subject(part)
        return f"the customer's point about {word}" if word else "a point that the customer raises"

    @staticmethod
    def _voice(doubt: Doubt) -> str:
        return doubt.lines[0].sentence_with(DOUBTS[doubt.kind])

    # ---- suggestions

    def suggestions(self, rubric: Mapping[str, Item]) -> list[Item]:
        """Return suggestions, the one that would have changed this call most first; none for a behaviour at its best."""
        ranked: list[tuple[float, Item]] = []
        makers = {
            "objection": self._advise_objection,
            "listening": self._advise_listening,
            "discovery": self._advise_discovery,
            "next_step": self._advise_next_step,
            "value_link": self._advise_value_link,
            "opening": self._advise_opening,
        }
        for place, (name, advise) in enumerate(makers.items()):
            level = rubric[name]["level"]
            if level in ("3", "not_observed"):
                continue
            weight = NEXT_LEVEL_WEIGHT[int(level)] - place / 4
            if name == "objection" and level in "01" and self.seen.doubts[0].kind == "price":
                weight += 3  # a price that is not understood ends deals
            ranked.append((weight, {"item": name, **advise(rubric[name])}))
        if self.call.facts.get("talk_verdict", self._own_verdict()) == "above":
            ranked.append((5.4, self._advise_talk_share()))
        ranked.sort(key=lambda entry: -entry[0])
        return [item for _, item in ranked]

    @staticmethod
    def _advice(kind: str, evidence: Evidence, *texts: str) -> Item:
        when, do, say, because = texts
        return {"kind": kind, "evidence": evidence[:2], "when": when, "do": do, "say": say, "because": because}

    def _advise_objection(self, item: Item) -> Item:
        doubt = self.seen.doubts[0]
        if item["level"] == "2":
            return self._advice(
                "moment",
                item["evidence"],
                f"After an answer about {NAMED[doubt.kind]}",
                "Ask whether that settles it before going on",
                "Does that answer it for you, or is there something else behind it?",
                "Without that question it stays unknown whether the doubt is gone.",
            )
        when, do, say, because = OBJECTION_ADVICE[doubt.kind]
        return self._advice("moment", item["evidence"], when, do, say, because)

    def _advise_listening(self, item: Item) -> Item:
        missed = self.seen.unanswered
        word = self.seen.subject(missed[0][1]) if missed else None
        if missed and word:
            line, part, reply = missed[-1] if len(missed) > 1 else missed[0]
            word = self.seen.subject(part) or word
            again = f"The question about {word} comes back later, so it mattered more than the next screen."
            once = f"The point about {word} stays open at the moment when the customer wants to hear about it."
            return self._advice(
                "moment",
                [line.quote(part), reply.quote(reply.sentences[0])],
                f"When the customer brings up {word} in the middle of something else",
                "Answer it in one sentence at once, then ask whether to go on",
                f"Short answer on {word} first, then I'll go on. What do you need it to do?",
                again if len(missed) > 1 else once,
            )
        problem = self._problem()
        said = shift(problem[2], SECOND) if problem and problem[2] else None
        return self._advice(
            "absence",
            [problem[0].quote(problem[1])] if problem else item["evidence"],
            "After the customer has described how something works today",
            "Say it back in one sentence and ask whether it is right",
            fitting(25, said and f"So {said}. Did I get that right?", "Let me say that back, and you tell me what I missed."),
            "A point that is said back is easier to build on when the offer comes.",
        )

    def _advise_discovery(self, item: Item) -> Item:
        problem = self._problem()
        if problem is None:
            return self._advice(
                "absence",
                item["evidence"],
                "Before anything is shown",
                "Ask what made the customer take this call",
                "What happened that made you look at this now?",
                "The reason for the call stays unknown, so nothing can be tied to it.",
            )
        line, part, said = problem
        yours = shift(said, SECOND) if said else None
        theirs = self._third(part, 9)
        return self._advice(
            "absence" if item["level"] in ("0", "1") else "moment",
            [line.quote(part)],
            "When the customer tells what goes wrong today",
            "Ask what it costs and who feels it, then wait for the answer",
            fitting(25, yours and f"You said {yours}. What did that cost you, and who had to fix it?", "What does that cost you, and who has to fix it?"),
            fitting(25, theirs and f"The cost of it stays unsaid: {theirs}. A price later has nothing to stand against.", "The cost of it stays unsaid, so a price later has nothing to stand against."),
        )

    def _advise_next_step(self, item: Item) -> Item:
        step = self.seen.next_step
        if item["level"] == "2":
            return self._advice(
                "moment",
                item["evidence"],
                "After the customer has agreed to a day",
                "Ask for one thing that the customer brings to it",
                "What could you bring along, so that we use the time well?",
                "So far only one side brings something to the meeting.",
            )
        evidence = item["evidence"]
        return self._advice(
            "moment" if step.proposal else "absence",
            evidence,
            "Before the customer has to leave",
            "Offer a day and an hour, and name what both bring to it",
            "Could we meet on Tuesday at ten, you with your open questions and I with a one-page plan?",
            "The call ends on a promise to send something, so nothing is fixed for either side."
            if step.proposal
            else "The call ends without a day, so the next move depends on the customer alone.",
        )

    def _advise_value_link(self, item: Item) -> Item:
        problem = self._problem()
        said = shift(problem[2], SECOND) if problem and problem[2] else None
        offer = self.seen.general_offer
        if item["level"] == "2":
            return self._advice(
                "moment",
                item["evidence"],
                "After a part of the offer has been tied to a need",
                "Ask how it would change a normal week, and let the customer say it",
                "What would that change for your team in a normal week?",
                "The rep makes the link; whether it fits is left for the customer to say.",
            )
        evidence = [problem[0].quote(problem[1])] if problem else []
        evidence += [offer.quote()] if offer else []
        return self._advice(
            "moment",
            evidence,
            "Before a feature is shown",
            "Name the customer's own case that it is for, and skip features without one",
            fitting(25, said and f"You told me {said}. Let me show you only what changes that.", "Let me show you only the part that changes what you described."),
            "The walk-through goes from screen to screen, and the customer's own case does not come back in it.",
        )

    def _advise_opening(self, item: Item) -> Item:
        if item["level"] == "2":
            do, say = "Ask what the customer wants from it, and come back to that at the end", "What would make these minutes well spent for you?"
            because = "The plan for the call is the rep's; what the customer hopes for comes out only by chance."
        else:
            do, say = "Name two topics and the time, and ask what to add", "I have two questions and one thing to show. What should be on the list for you?"
            because = "The customer's own topic comes up in passing and has to compete with the presentation."
        return self._advice("moment", item["evidence"], "When the greetings are over", do, say, because)

    def _advise_talk_share(self) -> Item:
        run = self.call.longest_run()
        topics = self.seen.topics(run, 2)
        first = f"Before a second topic such as the {topics[1]} begins" if len(topics) > 1 else "Before a second screen is shown"
        liked = next((line for line in self.seen.customer if run and line.number > run[-1].number and line.words > 4), None)
        return {
            "item": "talk_share",
            **self._advice(
                "metric",
                [liked.quote()] if liked else [],
                first,
                "Stop and ask which part of the first one the customer would use",
                "Which of these would your team really use in a normal week?",
                "During the longest stretch it stays unknown which part of it matters to the customer.",
            ),
        }

    # ---- what to keep, what to ask

    def keep(self) -> Item:
        """One behaviour to repeat, with its moment."""
        confirmed = [item for item in self.seen.restated if item[2] is not None]
        quantified = [item for item in self.seen.digging if item[2] and re.search(r"\d", item[2].text)]
        if quantified and len(self.seen.digging) > 1:
            line, part, reply = quantified[-1]
            what = "Ask what follows from a problem and wait: the answer comes with a number."
            return {"what": what, "evidence": [line.quote(part)] + ([reply.quote()] if reply else [])}
        if self.seen.tied and self.seen.liked:
            line, part, need = self.seen.tied[0]
            return {"what": "Tie what is shown to the case that the customer described a moment before.", "evidence": [line.quote(part)]}
        if confirmed:
            line, part, _ = confirmed[0]
            return {"what": "Say the customer's point back and ask whether it is right.", "evidence": [line.quote(part)]}
        if (smaller := self.seen.smaller_start) is not None:
            what = "Answer a doubt with a question about a smaller first step: it brought the customer back into the talk."
            return {"what": what, "evidence": [smaller.quote(smaller.questions[0])]}
        if self.seen.questions:
            line, part = self.seen.questions[0]
            return {"what": "Ask how things are done today before anything is shown.", "evidence": [line.quote(part)]}
        return {"what": "", "evidence": []}

    def question(self, suggestions: Sequence[Item]) -> str:
        """One open question for the talk between manager and rep, of at most 25 words."""
        item = suggestions[0]["item"] if suggestions else ""
        doubt = self.seen.doubts[0].kind if self.seen.doubts else None
        if item == "objection" and doubt:
            return f"If the minute before the doubt about {NAMED[doubt]} came again, what would be the first question?"
        return QUESTIONS.get(item, "Which answer on this call came as a surprise, and what did it change?")


ACTION = r"\b(?:i'll|we'll|could we|how about|shall we|can we|let's|let me|we could)\s+"
AGENDA_WORDS = r"\b(minutes|planned|agenda|like to|love to|wanted to|cover)\b"
SETTLE_WORDS = r"\b(settle|does that|would that)\b"
OWN_TROUBLE = r"\b(nightmare|los(e|es|t)|without|wrong|phone|late|hand)\b"

# (when, do, say, because) for a doubt that is answered without a question about it.
OBJECTION_ADVICE: Mapping[str, tuple[str, str, str, str]] = {
    "price": (
        "When the customer says that the price is higher than expected",
        "Ask what they compare it with, before a word about what is included",
        "Higher than what you had in mind, or than what you pay today?",
        "What the price is compared with stays unknown, so the answer lists what is included.",
    ),
    "timing": (
        "When the customer worries about the date",
        "Ask by when it has to run, before offering a plan",
        "What has to be finished by then, and what can wait?",
        "The plan is offered before the customer's own date is known.",
    ),
    "risk": (
        "When the customer tells of a project that went wrong",
        "Ask what exactly went wrong and who has to be convinced",
        "What would you have to see early on, to know that this one is different?",
        "The doubt comes from an earlier project; a promise is what the customer heard the last time too.",
    ),
    "another supplier": (
        "When the customer names another supplier",
        "Ask what they liked there, before comparing",
        "What did you see there that you would like to have?",
        "What counts in the comparison stays unknown.",
    ),
    "somebody else's decision": (
        "When somebody else has to agree",
        "Ask what that person will want to know, and offer to help with it",
        "What will they ask first, and how can we prepare that together?",
        "The person who decides is not on the call, and what they need stays unknown.",
    ),
}
QUESTIONS = {
    "objection": "If the minute of the doubt came again, what would be the first question?",
    "listening": "Which point did the customer raise more than once, and what was behind it?",
    "discovery": "What would the customer lose by changing nothing, and how could we find out?",
    "next_step": "What would have to be true for this customer to keep a fixed date next week?",
    "value_link": "Which one thing that was shown would this customer miss most, and why?",
    "opening": "What did the customer want from this call, and when did it become clear?",
    "talk_share": "Which part of the presentation could go, and what would the customer say in its place?",
}
SUGGESTION_FIELDS = ("item", "kind", "evidence", "when", "do", "say", "because")
