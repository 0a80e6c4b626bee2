"""What may be published of the coach's reply. Pure.

What rests on a quote that was never said is left out, a level may be lowered and never raised, and prose is proofread.
"""

import re
from collections.abc import Sequence
from typing import Literal

from scorecard.evidence import Claim
from scorecard.question import METRIC_ITEMS, CoachedCall, fact_numbers
from scorecard.reply import ItemReply, KeepReply, NextStepReply, Quote, Reply, ShiftReply, SuggestionReply
from scorecard.rubric import RUBRIC, RUBRIC_ITEMS
from scorecard.scorecard import (
    Coaching,
    Evidence,
    EvidenceCounts,
    Keep,
    NextStep,
    Rubric,
    RubricLevel,
    Shift,
    Suggestion,
)
from scorecard.sentiment import SHIFTS_DEFINITION, ShiftCandidate
from scorecard.tokens import UNSPACED
from scorecard.wording import Proofreader, asks, begins_with_cue, consents, is_one_action

SUGGESTIONS = 3
# Quotes read of one suggestion or praise, and of anything else.
ADVICE_QUOTES, QUOTES = 2, 4
# With fewer questions nobody has got to the bottom of anything.
DISCOVERY_QUESTIONS = 3

# Where words are not written apart, each character is one.
_WORD = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\w)+")


class Editor:
    """Holds the parts of one reply against the call, and keeps count of what is left out."""

    def __init__(self, call: CoachedCall) -> None:
        self._call = call
        self._verifier = call.verifier.anew()
        self._proofreader = Proofreader(fact_numbers(call), language=call.prose_language, spoken=call.language)

    def evidence_counts(self) -> EvidenceCounts:
        """Return how many quotes were offered, and how many were said."""
        return self._verifier.counts()

    def prose_removed(self) -> dict[str, int]:
        """Return how many sentences were removed for which reason."""
        return self._proofreader.removed()

    def coaching(self, reply: Reply) -> Coaching:
        """Return what is left of a reply; the shifts stand elsewhere."""
        next_step = self._next_step(reply.next_step)
        caps = self._caps(next_step)
        levels = {item: self._level(item, getattr(reply.rubric, item), caps[item]) for item in RUBRIC_ITEMS}
        observed = [level.level for level in levels.values() if level.level is not None]
        question = self._proofreader.read("question", reply.question_for_one_to_one)
        return Coaching(
            language=self._call.prose_language,
            summary=self._proofreader.read("summary", reply.summary, [said.text for said in self._call.utterances]),
            talk_listen=self._proofreader.read("talk_listen", reply.talk_listen),
            next_step=next_step,
            keep=self._keep(reply.keep),
            suggestions=self._suggestions(reply),
            rubric=Rubric(
                version=RUBRIC["version"], points=sum(observed), points_possible=3 * len(observed), items=levels
            ),
            question_for_one_to_one=question if "?" in question or not self._proofreader.english else "",
        )

    def shifts(self, replies: Sequence[ShiftReply]) -> list[Shift]:
        """Join what the labels show with what the coach read: a possible shift needs a cause that was really said."""
        by_number: dict[int, ShiftReply] = {}
        for reply in replies:
            by_number.setdefault(reply.candidate, reply)
        found: list[Shift] = []
        for number, candidate in enumerate(self._call.candidates, start=1):
            about, cause, evidence = self._reading_of(candidate, by_number.get(number))
            if candidate.strength == "clear" or (cause and about != "no_real_shift"):
                shown = "unclear" if about == "no_real_shift" else about
                found.append(_shift(candidate, f"s{len(found) + 1}", shown, cause or None, evidence))
        return found

    def _reading_of(self, candidate: ShiftCandidate, reply: ShiftReply | None) -> tuple[str, str, list[Evidence]]:
        """Return what a shift is about and its cause, which needs words from the shift's own window."""
        if reply is None:
            return "unclear", "", []
        evidence = [
            quote
            for quote in self._verified(reply.evidence[:QUOTES])
            if candidate.first_utterance <= quote.utterance <= candidate.last_utterance
        ]
        return reply.about, self._proofreader.read("cause", reply.cause) if evidence else "", evidence

    def is_said(self, quote: Quote) -> bool:
        """Whether a quote can be published."""
        return bool(self._verified([quote]))

    def _verified(self, quotes: Sequence[Quote]) -> list[Evidence]:
        """Return the quotes that were said, and by the side whose utterance is named: a claim is about who said it."""
        found: list[Evidence] = []
        for quote in quotes:
            claim = Claim(utterance=quote.utterance, quote=quote.quote)
            found += self._verifier.verified([claim], self._side_of(quote.utterance))
        return found

    def _side_of(self, number: int) -> Literal["rep", "customer"] | None:
        if not 0 <= number < len(self._call.utterances):
            return None
        side = self._call.roles.sides[self._call.utterances[number].speaker]
        return None if side == "unassigned" else side

    def _next_step(self, reply: NextStepReply) -> NextStep:
        """Believe in an agreement only where the words for it, and for its day, stand in the transcript."""
        evidence = self._verified(reply.evidence[:QUOTES])
        when_words = self._proofreader.read("when_words", reply.when_words, _texts(evidence))
        if not any(_stands_in(when_words, quote.text) for quote in evidence):
            when_words = ""
        status: str = reply.status
        if status == "agreed" and not (when_words and _both_agree(evidence)):
            status = "proposed" if evidence else "none"
        nothing = status in ("none", "not_in_recording")
        return NextStep(
            status=status,
            action="" if nothing else self._proofreader.read("action", reply.action, _texts(evidence)),
            owner="nobody" if nothing else reply.owner,
            when_words="" if nothing else when_words,
            evidence=evidence,
        )

    def _caps(self, next_step: NextStep) -> dict[str, int]:
        """Return the highest level of each behaviour that our own numbers and checks allow."""
        caps = dict.fromkeys(RUBRIC_ITEMS, 3)
        if self._call.talk.verdict == "above":
            caps["listening"] = 2
        questions = self._call.metrics.get("questions")
        if questions is not None and questions.value is not None and questions.value < DISCOVERY_QUESTIONS:
            caps["discovery"] = 1
        if next_step.status != "agreed":
            caps["next_step"] = 1
        return caps

    def _level(self, item: str, reply: ItemReply, cap: int) -> RubricLevel:
        """Return the level that the words which were really said allow; without any it is not known."""
        evidence = self._verified(reply.evidence[:QUOTES])
        claimed = None if reply.level == "not_observed" else int(reply.level)
        level, reason = claimed, None
        if claimed is None or (claimed == 0 and not evidence):
            level, reason = None, "not_observed"
        elif claimed >= 1 and not _of_rep(evidence):
            level, reason = None, "evidence_dropped"
        else:
            level = min(claimed, cap, 3 if _supports_the_highest(item, evidence) else 2)
        return RubricLevel(
            level=level,
            occasion=self._proofreader.read("occasion", reply.occasion, _texts(evidence)),
            rationale=self._proofreader.read("rationale", reply.rationale),
            evidence=evidence,
            lowered_from=claimed if level is not None and level != claimed else None,
            reason=reason,
        )

    def _keep(self, reply: KeepReply) -> Keep | None:
        """Return the praise, if it is for words of the rep."""
        evidence = self._verified(reply.evidence[:ADVICE_QUOTES])
        what = self._proofreader.read("what", reply.what, _texts(evidence))
        return Keep(what=what, evidence=evidence) if what and _of_rep(evidence) else None

    def _suggestions(self, reply: Reply) -> list[Suggestion]:
        """Return the first three that may stand and concern different items."""
        found: list[Suggestion] = []
        for _, offered in _ranked(reply):
            suggestion = self._suggestion(offered, len(found) + 1)
            if suggestion and len(found) < SUGGESTIONS and all(suggestion.item != other.item for other in found):
                found.append(suggestion)
        return found

    def _suggestion(self, reply: SuggestionReply, rank: int) -> Suggestion | None:
        """Return a suggestion in its form, if it rests on words that were said or on a number outside its range."""
        metric = METRIC_ITEMS.get(reply.item)
        evidence = self._verified(reply.evidence[:ADVICE_QUOTES])
        about_a_number = metric is not None and reply.kind == "metric"
        if not (evidence or about_a_number) or (metric and reply.item not in self._call.items_outside_range):
            return None
        cited = _texts(evidence)
        suggestion = Suggestion(
            rank=rank,
            item=reply.item,
            kind="moment" if reply.kind == "metric" and not about_a_number else reply.kind,
            when=self._proofreader.read("when", reply.when, cited),
            do=self._proofreader.read("do", reply.do, cited),
            say=self._proofreader.read("say", reply.say, cited),
            because=self._proofreader.read("because", reply.because, cited),
            evidence=evidence,
            metric=metric,
        )
        return suggestion if _has_form(suggestion, english=self._proofreader.english) else None


def unusable_fields(reply: Reply, call: CoachedCall) -> list[str]:
    """Return what is worth asking the model again for, as "field (fault)"; empty when the reply will do.

    One quote of the advice may be wrong: there is a spare suggestion. What is wrong among the levels costs a level and
    is not paid for again.
    """
    editor = Editor(call)
    advice = [*((f"suggestions.{rank}", part.evidence) for rank, part in _ranked(reply)), ("keep", reply.keep.evidence)]
    wrong = [
        f"{name}.evidence[{at}] ({_quote_fault(quote, call)})"
        for name, quotes in advice
        for at, quote in enumerate(quotes[:ADVICE_QUOTES])
        if not editor.is_said(quote)
    ]
    faults = wrong if len(wrong) > 1 else []
    given = range(1, len(call.candidates) + 1)
    answered = {shift.candidate for shift in reply.shifts}
    faults += [f"shifts (no entry for candidate {number})" for number in given if number not in answered]
    faults += [
        f"shifts[{at}].candidate (there is no candidate {shift.candidate})"
        for at, shift in enumerate(reply.shifts)
        if shift.candidate not in given
    ]
    return faults


def _ranked(reply: Reply) -> list[tuple[str, SuggestionReply]]:
    offered = reply.suggestions
    return [("first", offered.first), ("second", offered.second), ("third", offered.third), ("spare", offered.spare)]


def _quote_fault(quote: Quote, call: CoachedCall) -> str:
    if not 0 <= quote.utterance < len(call.utterances):
        return f"there is no utterance {quote.utterance}"
    return f"no such words in utterance {quote.utterance}"


def _shift(candidate: ShiftCandidate, shift_id: str, about: str, cause: str | None, evidence: list[Evidence]) -> Shift:
    return Shift(
        id=shift_id,
        strength="clear" if candidate.strength == "clear" else "possible",
        from_=candidate.from_,
        to=candidate.to,
        at_ms=candidate.at_ms,
        until_ms=candidate.until_ms,
        recovered=candidate.recovered,
        rows=candidate.here.rows,
        polar_rows=candidate.here.polar_rows,
        elsewhere=candidate.elsewhere,
        expected_by_chance=candidate.expected_by_chance,
        about=about,
        quote=candidate.quote,
        cause=cause,
        evidence=evidence,
        definition=SHIFTS_DEFINITION,
    )


def _texts(evidence: Sequence[Evidence]) -> list[str]:
    return [quote.text for quote in evidence]


def _of_rep(evidence: Sequence[Evidence]) -> bool:
    return any(quote.side == "rep" for quote in evidence)


def _both_agree(evidence: Sequence[Evidence]) -> bool:
    """Whether the quotes are words of both sides, or the customer's consent."""
    customer = [quote for quote in evidence if quote.side == "customer"]
    return bool(customer) and (_of_rep(evidence) or any(consents(quote.text) for quote in customer))


def _stands_in(words: str, text: str) -> bool:
    wanted, said = (" ".join(_WORD.findall(part.casefold())) for part in (words, text))
    return bool(wanted) and f" {wanted} " in f" {said} "


def _supports_the_highest(item: str, evidence: Sequence[Evidence]) -> bool:
    """Whether there are two quotes; of an agreement, one of each side."""
    if item == "next_step":
        return {"rep", "customer"} <= {quote.side for quote in evidence}
    return len({(quote.utterance, quote.start_ms, quote.text) for quote in evidence}) > 1


def _has_form(suggestion: Suggestion, *, english: bool) -> bool:
    """Whether there is a cue, one action, words for it and a reason; the words ask if the action is to ask."""
    if not (suggestion.when and suggestion.do and suggestion.say and suggestion.because):
        return False
    if not english:
        return True
    if asks(suggestion.do) and "?" not in suggestion.say:
        return False
    return begins_with_cue(suggestion.when) and is_one_action(suggestion.do)
