"""From a callback to a scorecard in S3 and an e-mail: the steps in order, and what is stored between them."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callcoach.assemblyai import (
    COACH_READ_SECONDS,
    DOWNLOAD_FAILED,
    AssemblyAI,
    Completion,
    IdentificationAnswer,
)
from callcoach.aws_faults import passing_fault
from callcoach.documents import Failure, Submission, encode, is_earlier
from callcoach.errors import NotFinished, PermanentError, Postponed, RateLimited, RequestRefused
from callcoach.failures import Failures
from callcoach.idempotency import Outcome
from callcoach.names import scoring_id
from callcoach.notifications import Notifications
from callcoach.observability import count, logger
from callcoach.operators import Operators
from callcoach.queue import Message, Queue, back_off_seconds
from callcoach.resubmission import RESUBMIT_DELAY_SECONDS, may_resubmit, resubmission
from callcoach.slots import Slots
from callcoach.state import Progress, State
from callcoach.storage import Documents
from callcoach.transcript import SpeakerIdentification, Transcript, decode_transcript, identified, storable
from callcoach.work import GaveUp
from scorecard.callback import Callback, read_callback
from scorecard.coach import CoachAttempt
from scorecard.mail import message_attributes, render_mail
from scorecard.readiness import NEVER_FINISHED, require_finished, transcript_deleted
from scorecard.report import render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import coach_of, score_call
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment, assign_roles, mapping_by_alignment
from scorecard.turns import roles_by_channel, with_turns

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A callback can overtake the record of its own submission, or come from somebody who has only the webhook's key. After
# so many looks, about an hour, nobody waits for a record: one that is written later brings a message of its own.
LOOKS_FOR_RECORD = 8
# Another submission's record may still be about to be replaced by the callback's own; that takes seconds.
LOOKS_AT_OTHER_RECORD = 2

# A speaker identification that never answered may have been paid for; after so many the call goes without.
MOST_UNANSWERED = 2

# What is left to do after the coach's last answer.
FINISHING_SECONDS = 30.0


class Replies(msgspec.Struct, frozen=True):
    """replies/<recording key>.json: what the coach answered, verbatim."""

    transcript_id: str
    attempts: list[CoachAttempt]


class CallFailed(Exception):
    """There will be no scorecard of this submission, for the reason that fault gives."""

    def __init__(self, fault: PermanentError, submission: Submission) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.submission = submission


class _Run(msgspec.Struct, frozen=True):
    """One run of the work on a call.

    begun: an earlier run may have stored some of the results. ends_at: when Lambda kills it, in the seconds of
    time.monotonic(). The rest is what earlier runs have left: the failure that was told, who speaks, what was answered.
    """

    callback: Callback
    submission: Submission
    progress: Progress
    assemblyai: AssemblyAI
    slots: Slots
    begun: bool
    ends_at: float
    failed_before: Failure | None = None
    identification: SpeakerIdentification | None = None
    earlier_attempts: Sequence[CoachAttempt] = ()


class _Heard(msgspec.Struct, frozen=True):
    """A transcript, and who speaks in it if that was asked for at the same time."""

    transcript: Transcript
    answer: IdentificationAnswer | None


class Scorer:
    """Turns a callback into a scorecard in S3 and an e-mail.

    Every step may run again. What has been paid for is stored before the next paid step begins, and scorecards/ is
    written last: it says that the call is done.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        documents: Documents,
        notifications: Notifications,
        failures: Failures,
        recordings_queue: Queue,
        state: State,
        operators: Operators,
        assemblyai: Callable[[], AssemblyAI],
        once: Callable[[Callable[..., Outcome]], Callable[..., Outcome]],
    ) -> None:
        """Take the collaborators; once makes a function run once for each identity."""
        self._settings = settings
        self._documents = documents
        self._notifications = notifications
        self._failures = failures
        self._recordings_queue = recordings_queue
        self._state = state
        self._operators = operators
        self._assemblyai = assemblyai
        self._coach = coach_of(settings)
        self._score_once = once(self._score)
        self._per_minute = {
            "understanding": settings.identifications_per_minute,
            "chat": settings.coach_requests_per_minute,
        }

    def work_id(self, message: Message) -> str:
        """Return the name of the work that a message asks for. Raises MalformedMessage."""
        return scoring_id(read_callback(message.body, message.attributes).transcript_id)

    def do(self, message: Message, progress: Progress, context: "LambdaContext") -> frozenset[str]:
        """Score the call that a message is about, once; return which services of AssemblyAI took part.

        Raises Postponed, TransientError and AccountRefused when it cannot be scored now.
        """
        callback = read_callback(message.body, message.attributes)
        submission = self._submission(callback, looks=message.receive_count)
        if submission is None:
            return frozenset()
        served: set[str] = set()
        try:
            self._score_once(
                context=context,
                identity={"transcript_id": callback.transcript_id},
                callback=callback,
                submission=submission,
                progress=progress,
                begun=_was_begun(message, callback, submission, progress),
                ends_at=time.monotonic() + context.get_remaining_time_in_millis() / 1000,
                served=served,
            )
        except CallFailed as failed:
            self._failed(failed)
            # Not remembered as done: AssemblyAI may finish after all, and its callback then finds the way open.
            self._state.give_up(scoring_id(callback.transcript_id))
        return frozenset(served)

    def give_up(self, message: Message, why: GaveUp) -> None:
        """Record that a call is not scored, unless it is, or belongs to another submission by now."""
        callback = read_callback(message.body, message.attributes)
        body = self._documents.read("submissions", callback.recording)
        submission = msgspec.json.decode(body, type=Submission) if body else None
        if submission is None or submission.transcript_id != callback.transcript_id:
            return
        if self._scorecard(submission) is not None:
            return
        self._state.close_job(submission.open_job)
        self._failures.record(
            Failure(
                recording=submission.recording,
                stage="score",
                reason=why.reason,
                detail=why.detail,
                next_step=why.next_step,
                retryable=True,
                transcript_id=submission.transcript_id,
                etag=submission.etag,
                sequencer=submission.sequencer,
            ),
            submission.call,
        )

    def _submission(self, callback: Callback, *, looks: int) -> Submission | None:
        """Return the record of the submission that a callback is about; None when there is none to wait for.

        Raises NotFinished while the record may be about to be written.
        """
        body = self._documents.read("submissions", callback.recording)
        submission = msgspec.json.decode(body, type=Submission) if body else None
        if submission and submission.transcript_id == callback.transcript_id:
            return submission
        if looks < (LOOKS_AT_OTHER_RECORD if submission else LOOKS_FOR_RECORD):
            raise NotFinished("the submission is not on record yet", retry_after_seconds=back_off_seconds(looks))
        if submission:
            logger.info("a newer recording replaced this one", transcript_id=callback.transcript_id)
            count("SupersededCallbacks")
        else:
            logger.warning("not a transcript of this application", transcript_id=callback.transcript_id)
            count("ForeignCallbacks")
        return None

    def _score(
        self,
        *,
        identity: dict[str, str],
        callback: Callback,
        submission: Submission,
        progress: Progress,
        begun: bool,
        ends_at: float,
        served: set[str],
    ) -> Outcome:
        assemblyai = self._assemblyai()
        run = _Run(
            callback=callback,
            submission=submission,
            progress=progress,
            assemblyai=assemblyai,
            slots=Slots(self._state, scoring_id(callback.transcript_id), progress, self._per_minute),
            begun=begun,
            ends_at=ends_at,
        )
        try:
            return identity | {"outcome": self._outcome(run)}
        except CallFailed as failed:
            if failed.fault.reason == NEVER_FINISHED:
                raise
            if failed.fault.reason == DOWNLOAD_FAILED and may_resubmit(submission, datetime.now(UTC)):
                self._resubmit(submission)
                return identity | {"outcome": "resubmitted"}
            self._failed(failed)
            return identity | {"outcome": "failed", "reason": failed.fault.reason}
        finally:
            assemblyai.close()
            served |= assemblyai.served

    def _outcome(self, run: _Run) -> str:
        """Score a call, or find that an earlier run has done so; return the scorecard's status."""
        run, finished = self._with_results(run)
        if finished is None:
            heard = self._hear(run)
            scorecard = self._score_submission(run, heard)
            logger.info("scored", transcript_id=run.submission.transcript_id, status=scorecard.status)
            count("ScorecardsWritten")
        else:
            scorecard = finished
        if self._settings.delete_at_assemblyai:
            run.assemblyai.delete_transcript(run.submission.transcript_id)
        self._tell(scorecard, run.failed_before)
        if run.failed_before:
            self._documents.delete("failures", run.submission.recording)
        return scorecard.status

    def _with_results(self, run: _Run) -> tuple[_Run, Scorecard | None]:
        """Return the run with what earlier runs have left, and their scorecard if they came so far."""
        if not run.begun:
            return msgspec.structs.replace(run, failed_before=self._failed_before(run.submission)), None
        with ThreadPoolExecutor(max_workers=4) as pool:
            failed_before = pool.submit(self._failed_before, run.submission)
            scorecard = pool.submit(self._scorecard, run.submission)
            identification = pool.submit(self._identification, run)
            attempts = pool.submit(self._earlier_attempts, run)
        return (
            msgspec.structs.replace(
                run,
                failed_before=failed_before.result(),
                identification=identification.result(),
                earlier_attempts=attempts.result(),
            ),
            scorecard.result(),
        )

    def _failed_before(self, submission: Submission) -> Failure | None:
        """Return what was recorded of this drop or an earlier one, which a scorecard replaces."""
        body = self._documents.read("failures", submission.recording)
        failure = msgspec.json.decode(body, type=Failure) if body else None
        is_later = failure and failure.sequencer and is_earlier(submission.sequencer, failure.sequencer)
        return None if is_later else failure

    def _earlier_attempts(self, run: _Run) -> Sequence[CoachAttempt]:
        """Return what the coach has answered so far."""
        stored = self._documents.read("replies", run.submission.recording)
        kept = [msgspec.json.decode(body, type=Replies) for body in (stored, run.progress.replies) if body]
        attempts = [replies.attempts for replies in kept if replies.transcript_id == run.submission.transcript_id]
        return max(attempts, key=len, default=())

    def _identification(self, run: _Run) -> SpeakerIdentification | None:
        """Return who speaks, as an earlier run was told."""
        if run.progress.identification:
            kept = msgspec.json.decode(run.progress.identification, type=SpeakerIdentification)
            if kept.mapping is not None:
                return kept
        stored = self._documents.read("transcripts", run.submission.recording)
        transcript = decode_transcript(stored) if stored else None
        return transcript.identification if transcript and transcript.id == run.submission.transcript_id else None

    def _scorecard(self, submission: Submission) -> Scorecard | None:
        """Return the scorecard of a submission, if it is written."""
        body = self._documents.read("scorecards", submission.recording)
        scorecard = msgspec.json.decode(body, type=Scorecard) if body else None
        return scorecard if scorecard and scorecard.call.transcript_id == submission.transcript_id else None

    def _hear(self, run: _Run) -> _Heard:
        """Return the finished transcript. Raises NotFinished, and CallFailed when there never will be one."""
        transcript_id = run.submission.transcript_id
        try:
            if run.callback.says_completed and self._asks_who_speaks(run):
                heard = self._transcript_and_speakers(run)
            else:
                heard = _Heard(run.assemblyai.transcript(transcript_id), None)
            require_finished(heard.transcript, run.submission, overdue=run.callback.status == "overdue")
        except RequestRefused as refusal:
            logger.warning("no such transcript", transcript_id=transcript_id, reason=str(refusal))
            raise CallFailed(transcript_deleted(), run.submission) from refusal
        except PermanentError as fault:
            raise CallFailed(fault, run.submission) from fault
        return heard

    def _score_submission(self, run: _Run, heard: _Heard) -> Scorecard:
        key = run.submission.recording
        transcript, roles = self._transcript_and_roles(run, heard)
        self._documents.write("transcripts", key, encode(storable(transcript)))
        self._state.close_job(run.submission.open_job)
        attempts = list(run.earlier_attempts)

        def keep(paid: Sequence[CoachAttempt]) -> None:
            attempts[:] = paid
            self._keep_replies(run, Replies(transcript.id, attempts))

        def complete(request: Mapping[str, object]) -> Completion:
            return self._complete(run, request, questions=len(attempts))

        scored = score_call(
            transcript,
            roles,
            run.submission,
            self._settings,
            complete,
            coach=self._coach,
            earlier=run.earlier_attempts,
            keep=keep,
            first_run=run.progress.attempts == 0,
        )
        self._tell_of_refused_models(scored.refused_models)
        self._documents.write("reports", key, render_report(scored.scorecard, transcript).encode())
        self._documents.write("scorecards", key, encode(scored.scorecard))
        if run.progress.replies:
            # The words of a call stay in the table no longer than they have to.
            self._state.keep_answer(scoring_id(run.callback.transcript_id), "replies", b"")
        return scored.scorecard

    def _keep_replies(self, run: _Run, replies: Replies) -> None:
        """Keep what was paid for at once, and where S3 does not take it in the table until the next run."""
        body = encode(replies)
        try:
            self._documents.write("replies", run.submission.recording, body)
        except Exception as fault:
            if passing_fault(fault) is None:
                raise
            self._state.keep_answer(scoring_id(run.callback.transcript_id), "replies", body)
            raise

    def _complete(self, run: _Run, request: Mapping[str, object], *, questions: int) -> Completion:
        """Ask a language model when it is this call's turn. questions: how many were asked before."""
        needed_seconds = COACH_READ_SECONDS + FINISHING_SECONDS
        if questions > len(run.earlier_attempts) and run.ends_at - time.monotonic() < needed_seconds:
            raise Postponed("the next run has more time for another question", retry_after_seconds=1)
        model = str(request["model"])
        run.slots.wait("chat", f"chat {questions}", model)
        try:
            return run.assemblyai.complete(request)
        except RateLimited as fault:
            run.slots.rejected("chat", fault, model)
            raise

    def _transcript_and_roles(self, run: _Run, heard: _Heard) -> tuple[Transcript, RoleAssignment]:
        """Return the transcript in turns, and each label's side: by its channel, or by who AssemblyAI says it is."""
        if run.submission.rep_channel:
            transcript = with_turns(heard.transcript)
            return transcript, roles_by_channel(transcript.utterances or [], run.submission.rep_channel)
        transcript = self._with_identification(run, heard)
        return transcript, assign_roles(transcript.utterances or [], transcript.identification, self._settings.roles)

    def _asks_who_speaks(self, run: _Run) -> bool:
        return run.identification is None and not run.submission.rep_channel

    def _transcript_and_speakers(self, run: _Run) -> _Heard:
        """Ask for both side by side: neither needs the other's answer, and the second takes seconds."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            asked = pool.submit(self._identify, run)
            transcript = run.assemblyai.transcript(run.submission.transcript_id)
            # Who speaks in a transcript that is not there yet, or never will be, does not matter.
            answer = asked.result() if transcript.status == "completed" else None
        return _Heard(transcript, answer)

    def _identify(self, run: _Run) -> IdentificationAnswer:
        """Ask who speaks. Where AssemblyAI will not say, the call still has its numbers per speaker."""
        transcript_id = run.submission.transcript_id
        if run.progress.unanswered >= MOST_UNANSWERED:
            logger.warning("speakers not identified", transcript_id=transcript_id, reason="never answered")
            count("IdentificationsRefused")
            return IdentificationAnswer()
        run.slots.wait("understanding", "understanding")
        try:
            answer = run.assemblyai.identify_speakers(transcript_id, self._settings.roles)
        except RateLimited as fault:
            run.slots.rejected("understanding", fault)
            raise
        except RequestRefused as refusal:
            logger.warning("speakers not identified", transcript_id=transcript_id, reason=str(refusal))
            count("IdentificationsRefused")
            return IdentificationAnswer()
        self._keep_identification(run, answer.identification)
        return answer

    def _keep_identification(self, run: _Run, identification: SpeakerIdentification) -> None:
        """Keep what was paid for at once: the transcript that it belongs to may not be there yet.

        It also tells every later run, whichever message starts it, that there is something to take up.
        """
        try:
            self._state.keep_answer(
                scoring_id(run.callback.transcript_id), "identification", msgspec.json.encode(identification)
            )
        except Exception as fault:
            # It is kept again, with the transcript.
            if passing_fault(fault) is None:
                raise
            logger.warning("not kept in the table", reason=str(fault))

    def _with_identification(self, run: _Run, heard: _Heard) -> Transcript:
        """Return the transcript with its speakers identified, by an earlier run's result where there is one."""
        transcript, answer = heard.transcript, heard.answer
        if run.identification:
            return identified(transcript, run.identification)
        answer = answer or self._identify(run)
        identification = answer.identification
        if identification.mapping is None:
            aligned = mapping_by_alignment(transcript.utterances or [], answer.utterances or [])
            identification = SpeakerIdentification(status=identification.status, mapping=aligned or None)
        return identified(transcript, identification)

    def _resubmit(self, submission: Submission) -> None:
        """Put a recording back into its queue: AssemblyAI could not fetch it, and a failed job is free."""
        logger.warning(
            "submitting again", transcript_id=submission.transcript_id, resubmissions=submission.resubmissions + 1
        )
        count("Resubmissions")
        self._state.close_job(submission.open_job)
        self._recordings_queue.send(resubmission(submission), delay_seconds=RESUBMIT_DELAY_SECONDS)

    def _failed(self, failed: CallFailed) -> None:
        fault, submission = failed.fault, failed.submission
        logger.error("cannot be scored", reason=fault.reason, transcript_id=submission.transcript_id)
        self._state.close_job(submission.open_job)
        self._failures.record(
            Failure(
                recording=submission.recording,
                stage="transcribe",
                reason=fault.reason,
                detail=fault.detail,
                next_step=fault.next_step,
                retryable=fault.retryable,
                transcript_id=submission.transcript_id,
                etag=submission.etag,
                sequencer=submission.sequencer,
            ),
            submission.call,
        )

    def _tell_of_refused_models(self, refused: dict[str, str]) -> None:
        for model, said in refused.items():
            self._operators.tell(
                f"coach_model_refused#{model}",
                "callcoach: AssemblyAI refuses a coach model",
                f"AssemblyAI does not let {model} answer: {said}\n\n"
                "Calls are coached by the other model, or not at all if there is none. What to do: set the parameters\n"
                "CoachModel and CoachFallbackModel to models that your account may use.\n",
            )

    def _tell(self, scorecard: Scorecard, replaces: Failure | None) -> None:
        subject, text = render_mail(scorecard, self._documents.bucket, replaces)
        self._notifications.publish(subject, text, message_attributes(scorecard))


def _was_begun(message: Message, callback: Callback, submission: Submission, progress: Progress) -> bool:
    """Return whether an earlier run may have stored results, which another message about the call may have started.

    On a first callback it costs nothing to know: an identification that was paid for stands in the progress. Where each
    side has a channel there is none.
    """
    seen_before = message.receive_count > 1 or callback.status == "overdue" or bool(submission.rep_channel)
    return seen_before or bool(progress.identification or progress.attempts or progress.given_up_at)
