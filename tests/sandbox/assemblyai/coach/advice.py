"""What to practise, what to keep, what to ask: with words of this call."""

import re
from collections.abc import Mapping, Sequence

from tests.sandbox.assemblyai.coach.observations import NAMED
from tests.sandbox.assemblyai.coach.retelling import SECOND, fitting, shift
from tests.sandbox.assemblyai.coach.wording import Evidence, Item, Wording

NEXT_LEVEL_WEIGHT = {0: 9.0, 1: 7.0, 2: 3.0, 3: 1.0}
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
        "What went wrong the last time stays unknown, and it is what the doubt is about.",
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


class Advice(Wording):
    """Suggestions and the one thing to keep."""

    def suggestions(self, rubric: Mapping[str, Item]) -> list[Item]:
        """Return suggestions, the one that would have changed this call most first."""
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
            if level == "not_observed" or (level == "3" and name not in ("discovery", "next_step")):
                continue
            weight = NEXT_LEVEL_WEIGHT[int(level)] - place / 4
            if name == "objection" and level in "01" and self.seen.doubts[0].kind == "price":
                weight += 3  # a price that is not understood ends deals
            if name == "listening" and level == "2" and self.seen.unanswered:
                weight += 3  # said back once, and passed over another time
            ranked.append((weight, {"item": name, **advise(rubric[name])}))
        if self.talk_verdict() == "above":
            ranked.append((5.4, self._advise_talk_share()))
        ranked.sort(key=lambda entry: -entry[0])
        return [item for _, item in ranked]

    @staticmethod
    def _advice(kind: str, evidence: Evidence, *texts: str) -> Item:
        when, do, say, because = texts
        return {
            "kind": kind,
            "evidence": evidence[:2],
            "when": when,
            "do": do,
            "say": say,
            "because": because,
        }

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
        if doubt.kind == "risk" and doubt.answer and doubt.answer.says(r"\bpromise\b"):
            because = "The answer is a promise, and a promise is what the customer was given the last time."
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
        problem = self.problem()
        said = shift(problem[2], SECOND) if problem and problem[2] else None
        return self._advice(
            "absence",
            [problem[0].quote(problem[1])] if problem else item["evidence"],
            "After the customer has described how something works today",
            "Say it back in one sentence and ask whether it is right",
            fitting(
                25,
                said and f"So {said}. Did I get that right?",
                "Let me say that back, and you tell me what I missed.",
            ),
            "A point that is said back is easier to build on when the offer comes.",
        )

    def _advise_discovery(self, item: Item) -> Item:
        if item["level"] == "3":
            return self._advice(
                "moment",
                item["evidence"][-1:],
                "After the customer has put a number to a problem",
                "Ask who keeps that number and how it looked a year ago",
                "Who keeps that number, and how did it look a year ago?",
                "The number comes from one person; those who decide will ask where it is from.",
            )
        problem = self.problem(uncosted=True)
        if problem is None and self.seen.problems:
            line, part = self.seen.problems[0]
            return self._advice(
                "moment",
                [line.quote(part)],
                "After the customer has said what a problem costs",
                "Ask who else feels it and what has been tried",
                "Who else feels that, and what have you tried so far?",
                "The cost is on the table; who wants it gone, and how badly, stays unknown.",
            )
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
        does = "did" if re.search(r"\b(last|lost|took|\w+ed)\b", part.lower()) else "does"
        fixes = "had" if does == "did" else "has"
        theirs = self.third(part, 9)
        return self._advice(
            "absence" if item["level"] in ("0", "1") else "moment",
            [line.quote(part)],
            "When the customer tells what goes wrong today",
            "Ask what it costs and who feels it, then wait for the answer",
            fitting(
                25,
                yours and f"You said {yours}. What {does} that cost you, and who {fixes} to fix it?",
                "What does that cost you, and who has to fix it?",
            ),
            fitting(
                25,
                theirs and f"The cost of it stays unsaid: {theirs}. A price later has nothing to stand against.",
                "The cost of it stays unsaid, so a price later has nothing to stand against.",
            ),
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
        if item["level"] == "3":
            day = re.sub(r"^(next|this) |,? at .*| the .*", "", step.when, flags=re.IGNORECASE)
            return self._advice(
                "moment",
                item["evidence"][-1:],
                "After the date is fixed",
                "Ask what could get in its way, and agree what to do then",
                f"What could get in the way of {day}, and what would we do then?",
                "The date rests on people who are not on this call."
                if step.people_named
                else "Nothing is said about what could move the date.",
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
        problem = self.problem()
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
            fitting(
                25,
                said and f"You told me {said}. Let me show you only what changes that.",
                "Let me show you only the part that changes what you described.",
            ),
            "The walk-through goes on from screen to screen, without the customer's own case.",
        )

    def _advise_opening(self, item: Item) -> Item:
        if item["level"] == "2":
            do, say = (
                "Ask what the customer wants from it, and come back to that at the end",
                "What would make these minutes well spent for you?",
            )
            because = "The plan for the call is the rep's; what the customer hopes for comes out only by chance."
        else:
            do, say = (
                "Name two topics and the time, and ask what to add",
                "I have two questions and one thing to show. What should be on the list for you?",
            )
            because = (
                "The customer's own topic comes up in passing and has to compete with the presentation."
                if self.seen.unanswered
                else "What the customer hopes for comes out only by chance."
            )
        return self._advice("moment", item["evidence"], "When the greetings are over", do, say, because)

    def _advise_talk_share(self) -> Item:
        run = self.call.longest_run()
        topics = self.seen.topics(run, 2)
        first = (
            f"Before a second topic such as the {topics[1]} begins"
            if len(topics) > 1
            else "Before a second screen is shown"
        )
        liked = next(
            (line for line in self.seen.customer if run and line.number > run[-1].number and line.words > 4),
            None,
        )
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

    def keep(self) -> Item:
        """One behaviour to repeat, with its moment."""
        confirmed = [item for item in self.seen.restated if item[2] is not None]
        quantified = [item for item in self.seen.digging if item[2] and re.search(r"\d", item[2].text)]
        if quantified and len(self.seen.digging) > 1:
            line, part, reply = quantified[-1]
            what = "Ask what follows from a problem and wait: the answer comes with a number."
            return {
                "what": what,
                "evidence": [line.quote(part)] + ([reply.quote(reply.sentence_with(r"\d"))] if reply else []),
            }
        if self.seen.tied and self.seen.liked:
            line, part, _ = self.seen.tied[0]
            return {
                "what": "Tie what is shown to the case that the customer described a moment before.",
                "evidence": [line.quote(part)],
            }
        if confirmed:
            line, part, _ = confirmed[0]
            return {
                "what": "Say the customer's point back and ask whether it is right.",
                "evidence": [line.quote(part)],
            }
        if (smaller := self.seen.smaller_start) is not None:
            what = (
                "Answer a doubt with a question about a smaller first step: it brought the customer back into the talk."
            )
            return {"what": what, "evidence": [smaller.quote(smaller.questions[0])]}
        if self.seen.questions:
            line, part = self.seen.questions[0]
            return {
                "what": "Ask how things are done today before anything is shown.",
                "evidence": [line.quote(part)],
            }
        return {"what": "", "evidence": []}

    def question(self, suggestions: Sequence[Item]) -> str:
        """One open question for the talk between manager and rep, of at most 25 words."""
        item = suggestions[0]["item"] if suggestions else ""
        doubt = self.seen.doubts[0].kind if self.seen.doubts else None
        if item == "objection" and doubt and suggestions[0]["when"].startswith("After an answer"):
            return f"How could the rep have found out whether the doubt about {NAMED[doubt]} was gone?"
        if item == "objection" and doubt:
            return f"If the doubt about {NAMED[doubt]} came up again, what would be the first question?"
        return QUESTIONS.get(item, "Which answer on this call came as a surprise, and what did it change?")
