"""The conversation with the language models: which is asked, what is asked again, and when to stop.

A question is paid for by the token, so a call gets at most three. A repair names the field and the fault and never the
right answer: a quote that we had told the model would prove nothing.

The conversation is a function of the call and of what was answered so far. Each attempt is kept as soon as it is paid
for, so a run that ends in the middle is taken up by the next where it was, without asking anything twice.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from callcoach.assemblyai import Completion
from callcoach.errors import RequestRefused, TransientError, UpstreamUnavailable
from callcoach.observability import count, logger
from scorecard.question import Question
from scorecard.replies import CoachAttempt
from scorecard.reply import Reply, UnusableReply, read_reply

MOST_PAID = 3
QUESTIONS_A_MODEL = 2
# A message that names every wrong field of a bad reply would be a second prompt.
NAMED_FIELDS = 12

Complete = Callable[[Mapping[str, object]], Completion]
Check = Callable[[Reply], list[str]]
Keep = Callable[[Sequence[CoachAttempt]], None]

_REASONS = {
    "truncated": "coach_truncated",
    "refused": "coach_refused",
    "empty": "coach_unavailable",
    "unreadable": "coach_invalid",
}
# What a model maker writes when it will not take a parameter; the schema is refused under several names.
_PARAMETERS = {
    "temperature": ("temperature",),
    "response_format": (
        "response_format",
        "output_format",
        "json_schema",
        "too complex",
        "extra inputs are not permitted",
    ),
}
_SHORTER = "Your last answer was longer than the room for it. Use at most half of every word limit."


class CoachOutcome(msgspec.Struct, frozen=True):
    """The coach's reply and the attempt that gave it, or the reason why there is none; and every paid attempt.

    refused: models that AssemblyAI would not let answer, with what it said.
    """

    reply: Reply | None
    reason: str | None
    attempts: list[CoachAttempt]
    answered_by: CoachAttempt | None = None
    refused: dict[str, str] = {}


class _Answer(NamedTuple):
    reply: Reply
    attempt: CoachAttempt


class _Repair(NamedTuple):
    """What is added to the question when it is asked again."""

    remark: str = ""
    exchange: tuple[tuple[str, str], ...] = ()


class Coach:
    """The models, the first first, and the parameters that they were found not to take.

    Lives as long as the process. "" is no model; temperature None is not sent.
    """

    def __init__(self, models: Iterable[str], *, temperature: float | None = 0.0) -> None:
        self._models = tuple(dict.fromkeys(filter(None, models)))
        self._temperature = temperature
        self._not_taken: dict[str, set[str]] = {}

    def ask(
        self,
        question: Question,
        complete: Complete,
        unusable_fields: Check,
        *,
        earlier: Sequence[CoachAttempt] = (),
        keep: Keep = lambda _: None,
        first_run: bool = True,
    ) -> CoachOutcome:
        """Ask until a reply can be used, each model once and once again with what was wrong.

        unusable_fields: the fields of a reply that are worth a second question. A reply that stays partly wrong is
        better than none and is returned. earlier: the attempts that a run before this one has kept; keep: is given all
        attempts whenever one was paid for, before the next question.
        Raises what complete raises. But after RequestRefused, and UpstreamUnavailable unless it is the first_run, the
        next model is asked; and an answer that never came, which may have been paid for, is given up with the last of
        the MOST_PAID questions.
        """
        conversation = _Conversation(
            self, question, complete, unusable_fields, earlier=earlier, keep=keep, first_run=first_run
        )
        for model in self._models:
            answer = conversation.with_model(model)
            if answer is None:
                continue
            not_sales = answer.reply.roles_check.verdict == "not_a_sales_call"
            return CoachOutcome(
                reply=None if not_sales else answer.reply,
                reason="not_a_sales_call" if not_sales else None,
                attempts=conversation.attempts,
                answered_by=answer.attempt,
                refused=conversation.refused,
            )
        if conversation.unavailable:
            raise conversation.unavailable
        return CoachOutcome(
            reply=None, reason=conversation.reason, attempts=conversation.attempts, refused=conversation.refused
        )

    def send(self, model: str, question: Question, repair: _Repair, complete: Complete) -> Completion:
        """Return a model's answer; a parameter that it does not take is left out."""
        not_taken = self._not_taken.setdefault(model, set())
        while True:
            request = question.request(
                model,
                temperature=None if "temperature" in not_taken else self._temperature,
                with_schema="response_format" not in not_taken,
                remark=repair.remark,
                exchange=repair.exchange,
            )
            try:
                return complete(request)
            except RequestRefused as refusal:
                parameter = _refused_parameter(refusal, request)
                if parameter is None:
                    raise
                not_taken.add(parameter)
                logger.error("the coach model does not take a parameter", model=model, parameter=parameter)
                count("CoachParametersRefused")


class _Conversation:
    """All questions about one call."""

    def __init__(
        self,
        coach: Coach,
        question: Question,
        complete: Complete,
        unusable_fields: Check,
        *,
        earlier: Sequence[CoachAttempt],
        keep: Keep,
        first_run: bool,
    ) -> None:
        self.attempts: list[CoachAttempt] = []
        self.refused: dict[str, str] = {}
        self.unavailable: UpstreamUnavailable | None = None
        self.reason = "coach_unavailable"
        self._coach = coach
        self._question = question
        self._complete = complete
        self._unusable_fields = unusable_fields
        self._earlier = list(earlier)
        self._keep = keep
        self._first_run = first_run

    def with_model(self, model: str) -> _Answer | None:
        """Ask a model, and once again if it can do better; return the better answer, which is the later one."""
        if not self._question.fits(model):
            self.reason = "too_long_for_coach"
            return None
        answer: _Answer | None = None
        repair: _Repair | None = _Repair()
        for _ in range(QUESTIONS_A_MODEL):
            if repair is None or len(self.attempts) >= MOST_PAID:
                break
            try:
                attempt = self._attempt(model, repair)
            except TransientError:
                if answer is None:
                    raise
                # What there is can be used; it is not worth waiting for something better.
                break
            if attempt is None:
                break
            later, repair = self._read(attempt)
            answer = later or answer
        return answer

    def _attempt(self, model: str, repair: _Repair) -> CoachAttempt | None:
        sha256 = self._question_sha256(model, repair)
        if self._earlier and self._earlier[0].question_sha256 == sha256:
            attempt = self._earlier.pop(0)
            self.attempts.append(attempt)
            return attempt
        try:
            completion = self._coach.send(model, self._question, repair, self._complete)
        except RequestRefused as refusal:
            logger.error("coach model refused", model=model, reason=str(refusal))
            count("CoachRefused")
            self.refused[model] = refusal.detail
            return None
        except UpstreamUnavailable as fault:
            if not fault.maybe_paid:
                if self._first_run:
                    raise
                logger.warning("coach model unavailable", model=model, reason=str(fault))
                self.unavailable = fault
                return None
            self._note(CoachAttempt(model, sha256, "", "", None, None))
            if len(self.attempts) < MOST_PAID:
                raise
            return self.attempts[-1]
        attempt = CoachAttempt(
            model=model,
            question_sha256=sha256,
            finish_reason=completion.finish_reason,
            content=completion.content,
            input_tokens=completion.input_tokens,
            output_tokens=completion.output_tokens,
        )
        self._note(attempt)
        return attempt

    def _note(self, attempt: CoachAttempt) -> None:
        # What was answered after a question that is asked otherwise now belongs to another conversation.
        self._earlier.clear()
        self.attempts.append(attempt)
        self._keep(self.attempts)

    def _question_sha256(self, model: str, repair: _Repair) -> str:
        """Return a hash of what is asked, whatever parameters a model takes."""
        asked = self._question.request(model, remark=repair.remark, exchange=repair.exchange)
        return hashlib.sha256(msgspec.json.encode([asked["model"], asked["messages"]])).hexdigest()

    def _read(self, attempt: CoachAttempt) -> tuple[_Answer | None, _Repair | None]:
        """Return the answer that an attempt holds, and what to say to get a better one."""
        try:
            reply = read_reply(attempt.content, attempt.finish_reason)
        except UnusableReply as unusable:
            self._failed(_REASONS[unusable.fault], attempt.model, unusable.fault)
            return None, _repair_of(attempt, unusable)
        if self._question.leaks_into(_texts(msgspec.to_builtins(reply))):
            self._failed("coach_invalid", attempt.model, "leak")
            return None, None
        answer = _Answer(reply, attempt)
        faults = self._unusable_fields(reply)
        if not faults:
            return answer, None
        logger.info("fields of the reply cannot be used", model=attempt.model, fields=len(faults))
        count("CoachRepliesRepaired")
        return answer, _Repair(exchange=(("assistant", attempt.content), ("user", _other_words(faults))))

    def _failed(self, reason: str, model: str, fault: str) -> None:
        self.reason = reason
        logger.warning("no usable reply", model=model, reason=reason, fault=fault)
        count("CoachRepliesUnusable")


def _repair_of(attempt: CoachAttempt, unusable: UnusableReply) -> _Repair | None:
    """Return what to say to a model whose answer holds no reply; None for one that will not give any."""
    if unusable.fault == "truncated":
        return _Repair(remark=_SHORTER)
    if unusable.fault == "unreadable":
        asked = f"Your reply cannot be read: {unusable.detail}. Send the whole object again, changed only there."
        return _Repair(exchange=(("assistant", attempt.content), ("user", asked)))
    return _Repair() if unusable.fault == "empty" else None


def _other_words(faults: Sequence[str]) -> str:
    return (
        f"These fields cannot be used: {'; '.join(faults[:NAMED_FIELDS])}. Choose other words that stand in the "
        "transcript, or another point. Leave everything else as it is. Send the whole object again."
    )


def _refused_parameter(refusal: RequestRefused, request: Mapping[str, Any]) -> str | None:
    """Return which of a request's parameters a 400 is about, if it is about one that can be left out."""
    if refusal.status != 400:
        return None
    said = refusal.detail.casefold()
    return next(
        (name for name, marks in _PARAMETERS.items() if name in request and any(mark in said for mark in marks)), None
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)
