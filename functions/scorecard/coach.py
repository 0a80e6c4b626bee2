"""The conversation with the language models: which is asked, what is asked again, and when to stop.

A question is paid for by the token, so a call gets at most three. A repair names the field and the fault and never the
right answer: a quote that we had told the model would prove nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from callcoach.assemblyai import Completion
from callcoach.errors import RequestRefused, TransientError, UpstreamUnavailable
from callcoach.observability import count, logger
from scorecard.question import Question
from scorecard.reply import Reply, UnusableReply, read_reply

MOST_PAID = 3
QUESTIONS_A_MODEL = 2
# A message that names every wrong field of a bad reply would be a second prompt.
NAMED_FIELDS = 12

Complete = Callable[[Mapping[str, object]], Completion]
Check = Callable[[Reply], list[str]]

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


class CoachAttempt(msgspec.Struct, frozen=True):
    """One question to a model that was paid for, or may have been, as replies/<recording key>.json keeps it.

    finish_reason: the provider's own word; "" when no answer came.
    """

    model: str
    request_sha256: str
    finish_reason: str
    content: str
    input_tokens: int | None
    output_tokens: int | None


class CoachOutcome(msgspec.Struct, frozen=True):
    """The coach's reply and the attempt that gave it, or the reason why there is none; and every paid attempt."""

    reply: Reply | None
    reason: str | None
    attempts: list[CoachAttempt]
    answered_by: CoachAttempt | None = None


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
        self, question: Question, complete: Complete, unusable_fields: Check, *, attempt_number: int = 1
    ) -> CoachOutcome:
        """Ask until a reply can be used, each model once and once again with what was wrong.

        unusable_fields: the fields of a reply that are worth a second question; attempt_number: how many runs have
        asked about this call, this one included. A reply that stays partly wrong is better than none and is returned.
        Raises TransientError when the first question gets no answer: always when we are to wait, and in the first run
        when the model is down or says nothing. Once something was paid for, the next model is asked instead.
        """
        # An earlier run ended with an answer that never came, which may have been paid for.
        first_run = attempt_number == 1
        room = MOST_PAID if first_run else MOST_PAID - 1
        conversation = _Conversation(self, question, complete, unusable_fields, room=room, may_wait=first_run)
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
            )
        return CoachOutcome(reply=None, reason=conversation.reason, attempts=conversation.attempts)

    def send(self, model: str, question: Question, repair: _Repair, complete: Complete) -> tuple[str, Completion]:
        """Return the hash of a request and its answer; a parameter that the model does not take is left out."""
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
                return hashlib.sha256(msgspec.json.encode(request)).hexdigest(), complete(request)
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
        room: int,
        may_wait: bool,
    ) -> None:
        self.attempts: list[CoachAttempt] = []
        self.reason = "coach_unavailable"
        self._coach = coach
        self._question = question
        self._complete = complete
        self._unusable_fields = unusable_fields
        self._room = room
        self._may_wait = may_wait

    def with_model(self, model: str) -> _Answer | None:
        """Ask a model, and once again if it can do better; return the better answer, which is the later one."""
        if not self._question.fits(model):
            self.reason = "too_long_for_coach"
            return None
        answer: _Answer | None = None
        repair: _Repair | None = _Repair()
        for _ in range(QUESTIONS_A_MODEL):
            attempt = self._attempt(model, repair) if repair is not None and len(self.attempts) < self._room else None
            if attempt is None:
                break
            later, repair = self._read(attempt)
            answer = later or answer
        return answer

    def _attempt(self, model: str, repair: _Repair) -> CoachAttempt | None:
        try:
            sha256, completion = self._coach.send(model, self._question, repair, self._complete)
        except RequestRefused as refusal:
            logger.error("coach model refused", model=model, reason=str(refusal))
            count("CoachRefused")
            return None
        except UpstreamUnavailable as fault:
            if self._may_wait and not self.attempts:
                raise
            self._failed("coach_unavailable", model, str(fault))
            self.attempts.append(CoachAttempt(model, "", "", "", None, None))
            return None
        except TransientError as fault:
            if not self.attempts:
                raise
            self._failed("coach_unavailable", model, str(fault))
            return None
        attempt = CoachAttempt(
            model=model,
            request_sha256=sha256,
            finish_reason=completion.finish_reason,
            content=completion.content,
            input_tokens=completion.input_tokens,
            output_tokens=completion.output_tokens,
        )
        self.attempts.append(attempt)
        return attempt

    def _read(self, attempt: CoachAttempt) -> tuple[_Answer | None, _Repair | None]:
        """Return the answer that an attempt holds, and what to say to get a better one."""
        try:
            reply = read_reply(attempt.content, attempt.finish_reason)
        except UnusableReply as unusable:
            if unusable.fault == "empty" and self._may_wait and len(self.attempts) == 1:
                raise UpstreamUnavailable("the coach model answered nothing") from unusable
            self._failed(_REASONS[unusable.fault], attempt.model, unusable.fault)
            if unusable.fault == "truncated":
                return None, _Repair(remark=_SHORTER)
            if unusable.fault == "unreadable":
                asked = (
                    f"Your reply cannot be read: {unusable.detail}. Send the whole object again, changed only there."
                )
                return None, _Repair(exchange=(("assistant", attempt.content), ("user", asked)))
            return None, None
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
