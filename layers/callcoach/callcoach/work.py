"""Working through a Lambda event of SQS: what each error of callcoach.errors comes to, for both functions.

the work returns      the message is done
Postponed             it hides for the wait that is named; nothing is counted
AccountRefused        everything pauses; it hides; nothing is counted
TransientError        an attempt is counted; it hides, longer each time, or for the wait that upstream named
  at MOST_ATTEMPTS    a failure is recorded and told, a copy waits in the dead-letter queue, the message is done
MalformedMessage      it goes to the dead-letter queue at once
anything else         the invocation fails, and the message returns when its visibility time-out is over
  at the last receive a failure is recorded and told before the work begins, in case it is killed again
"""

import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from callcoach import pause
from callcoach.aws_faults import passing_fault, refusal
from callcoach.errors import AccountRefused, MalformedMessage, Postponed, TransientError
from callcoach.observability import Stage, begin_lines, count, lines_about, logger
from callcoach.pause import Pauses
from callcoach.queue import LAST_RECEIVE, Message, Queue, back_off_seconds, messages
from callcoach.slots import LONGEST_WAIT_SECONDS, early_seconds
from callcoach.state import Pause, Progress, State

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# With waits of up to 15 minutes, eleven hours.
MOST_ATTEMPTS = 48


class GaveUp(msgspec.Struct, frozen=True):
    """Why a message is given up for now: what failures/ says. Trying again later may well help."""

    reason: str
    detail: str
    next_step: str
    retryable: ClassVar[bool] = True


class Subject(msgspec.Struct, frozen=True):
    """What a message is about.

    work_id: a name for the work, the same at each delivery. begins_spending: it asks for what nobody pays for yet.
    """

    work_id: str
    recording: str
    stage: Stage
    transcript_id: str | None = None
    begins_spending: bool = True


class Work(Protocol):
    """What a function does with one message."""

    def subject(self, message: Message) -> Subject:
        """Return what a message is about. Raises MalformedMessage."""

    def do(self, message: Message, progress: Progress, context: "LambdaContext") -> frozenset[str]:
        """Do it, and return which services of AssemblyAI took a request. Raises what callcoach.errors says."""

    def give_up(self, message: Message, why: GaveUp) -> None:
        """Record that it is not done, and tell people."""


class Worker:
    """One function's end of its queue."""

    def __init__(self, work: Work, *, queue: Queue, state: State, pauses: Pauses) -> None:
        self._work = work
        self._queue = queue
        self._state = state
        self._pauses = pauses

    def work_through(self, event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        """Work on each message of an event, and return what tells Lambda which of them come back."""
        unfinished = []
        for message in messages(event):
            count("MessagesReceived")
            begin_lines()
            try:
                comes_back = self._handle(message, context)
            except MalformedMessage as fault:
                logger.error("malformed message", reason=str(fault), message_id=message.message_id)
                count("MalformedMessages")
                self._queue.give_up(message, "malformed_message")
                comes_back = False
            if comes_back:
                unfinished.append(message)
        return {"batchItemFailures": [{"itemIdentifier": message.message_id} for message in unfinished]}

    def _handle(self, message: Message, context: "LambdaContext") -> bool:
        """Work on a message unless it is too early or too late; return whether it comes back."""
        subject = self._work.subject(message)
        lines_about(subject.recording, subject.stage, subject.transcript_id)
        work_id = subject.work_id
        known = self._state.look(work_id, self._pauses.month)
        progress, paused = known.progress, self._pauses.weigh(known)
        if message.sent_at < progress.given_up_at:
            # Another message about the same thing was given up; one copy in the dead-letter queue is enough.
            logger.info("given up already", message_id=message.message_id)
            return False
        wait_seconds = self._wait_seconds(subject, progress, paused)
        if wait_seconds is not None:
            return self._queue.hide(message, wait_seconds)
        if message.receive_count >= LAST_RECEIVE:
            self._work.give_up(message, _CRASHED)
        try:
            served = self._work.do(message, progress, context)
        except Exception as fault:
            comes_back = self._after(fault, message, work_id)
            if comes_back is None:
                logger.error("the invocation fails", error=type(fault).__name__)
                refused = refusal(fault)
                if refused is None:
                    raise
                raise refused from None
            return comes_back
        if paused and paused.service in served:
            self._pauses.end(paused)
        return False

    def _after(self, fault: Exception, message: Message, work_id: str) -> bool | None:
        """Do what an error asks for, and return whether the message comes back; None for an error that asks nothing."""
        if isinstance(fault, Postponed):
            logger.info("not yet", kind=type(fault).__name__, reason=str(fault), receive_count=message.receive_count)
            count("Postponed")
            return self._queue.hide(message, fault.retry_after_seconds)
        if isinstance(fault, AccountRefused):
            self._pauses.begin(fault)
            return self._queue.hide(message, pause.look_again_seconds())
        passing = fault if isinstance(fault, TransientError) else passing_fault(fault)
        return self._again(message, work_id, passing) if passing else None

    def _wait_seconds(self, subject: Subject, progress: Progress, paused: Pause | None) -> float | None:
        """Return for how long it is too early to work; None when it is time."""
        if paused and not self._pauses.lets_through(paused, begins_spending=subject.begins_spending):
            count("MessagesPaused")
            return pause.look_again_seconds()
        wait_seconds = progress.slot_at - time.time()
        return early_seconds(wait_seconds) if wait_seconds > LONGEST_WAIT_SECONDS else None

    def _again(self, message: Message, work_id: str, fault: TransientError) -> bool:
        """Hide a message after a fault that passes, or give it up; return whether it comes back."""
        attempts = self._state.count_fault(work_id)
        wait_seconds = max(fault.retry_after_seconds or 0.0, back_off_seconds(attempts))
        logger.warning(
            "trying again later",
            error=type(fault).__name__,
            reason=str(fault),
            attempts=attempts,
            wait_seconds=round(wait_seconds),
        )
        count("Retries")
        if attempts < MOST_ATTEMPTS:
            return self._queue.hide(message, wait_seconds)
        self._work.give_up(message, GaveUp(reason=fault.reason, detail=str(fault), next_step=_REDRIVE))
        self._queue.give_up(message, fault.reason)
        self._state.give_up(work_id)
        return False


_REDRIVE = (
    "Nothing is lost. For whoever runs callcoach: when the cause is gone, put it back into its queue (make redrive); "
    "what was paid for is not paid for again."
)
_CRASHED = GaveUp(
    reason="crashed",
    detail="the function was killed each time it worked on this recording, or ran out of time or memory",
    next_step="For whoever runs callcoach: look for the end of the function's log and mend the cause, then put it back"
    " into its queue (make redrive).",
)
