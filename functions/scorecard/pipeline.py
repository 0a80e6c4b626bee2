"""From a callback to a scorecard in S3 and an e-mail: the steps in order, and what is stored between them."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import count as count_from
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callcoach.assemblyai import (
    COACH_READ_SECONDS,
    DOWNLOAD_FAILED,
    AssemblyAI,
    Completion,
    IdentificationAnswer,
)
from callcoach.aws_faults import passing_fault
from callcoach.documents import Failure, Override, Submission, encode
from callcoach.errors import (
    AccountRefused,
    NotFinished,
    PermanentError,
    Postponed,
    RateLimited,
    RequestRefused,
    TranscriptFailed,
    TransientError,
)
from callcoach.failures import Failures, failure_of
from callcoach.idempotency import Outcome
from callcoach.names import scoring_id
from callcoach.notifications import Notifications
from callcoach.observability import Stage, count, lines_of_stage, logger
from callcoach.operators import Operators
from callcoach.pricing import coaching_cost
from callcoach.queue import Message, Queue, back_off_seconds
from callcoach.resubmission import RESUBMIT_DELAY_SECONDS, may_resubmit, resubmission
from callcoach.slots import Slots
from callcoach.spending import Spending
from callcoach.state import Progress, State
from callcoach.storage import Documents
from callcoach.transcript import SpeakerIdentification, Transcript, identified, storable
from callcoach.work import GaveUp, Subject
from scorecard.callback import Callback, read_callback
from scorecard.counting import count_answer, count_scored
from scorecard.earlier import (
    Earlier,
    failure_before,
    left_by_earlier_runs,
    left_for_rescore,
    stored_transcript,
    was_begun,
    written_scorecard,
)
from scorecard.overrides import overridden, override_of, role_names
from scorecard.readiness import NEVER_FINISHED, require_finished, transcript_deleted
from scorecard.replies import CoachAttempt, Replies
from scorecard.scorecard import Scorecard
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment, assign_roles, mapping_by_alignment

# What reads, judges and shows a call is imported where it is used, and first beside the wait for AssemblyAI (_prepare):
# that takes as long as a third of all that a new process does before its first message.
if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from scorecard.coach import Coach
    from scorecard.report_mail import ReportMail

# A callback can overtake the record of its own submission, or come from somebody who has only the webhook's key. After
# so many looks, about an hour, nobody waits for a record: one that is written later brings a message of its own.
LOOKS_FOR_RECORD = 8
# Another submission's record may still be about to be replaced by the callback's own; that takes seconds.
LOOKS_AT_OTHER_RECORD = 2

# A speaker identification that never answered may have been paid for; after so many the call goes without.
MOST_UNANSWERED = 2

# What is left to do after the coach's last answer.
FINISHING_SECONDS = 30.0


class CallFailed(Exception):
    """There will be no scorecard of this submission, for the reason that fault gives."""

    def __init__(self, fault: PermanentError, submission: Submission) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.submission = submission


class _Run(msgspec.Struct, frozen=True):
    """One run of the work on a call.

    ends_at: when Lambda kills it, in the seconds of time.monotonic(); pool: works beside it; earlier: what runs before
    it have left; failed_before: the failure on record; override: what was put right about the call.
    """

    callback: Callback
    submission: Submission
    progress: Progress
    assemblyai: AssemblyAI
    slots: Slots
    ends_at: float
    pool: ThreadPoolExecutor
    earlier: Earlier
    failed_before: "Future[Failure | None]"
    override: "Future[Override | None]"


class _Speakers(NamedTuple):
    """What AssemblyAI says about who speaks. is_kept: the table has it, so a later run need not ask again."""

    answer: IdentificationAnswer
    is_kept: bool


class _Heard(NamedTuple):
    """A transcript, and who speaks in it if that was asked for at the same time."""

    transcript: Transcript
    speakers: _Speakers | None


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
        spending: Spending,
        operators: Operators,
        report_mail: "ReportMail | None",
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
        self._spending = spending
        self._operators = operators
        self._report_mail = report_mail
        self._assemblyai = assemblyai
        self._score_once = once(self._score)
        self._per_minute = {
            "understanding": settings.identifications_per_minute,
            "chat": settings.coach_requests_per_minute,
        }

    @cached_property
    def _coach(self) -> "Coach":
        from scorecard.scoring import coach_of

        return coach_of(self._settings)

    def subject(self, message: Message) -> Subject:
        """Return what a message is about. Raises MalformedMessage."""
        callback = read_callback(message.body, message.attributes)
        stage: Stage = "score" if callback.request_id else "transcribe"
        # What is transcribed is paid for, and worth the rest.
        begins_spending = bool(callback.request_id)
        return Subject(callback.work_id, callback.recording, stage, callback.transcript_id, begins_spending)

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
                identity=callback.identity,
                callback=callback,
                submission=submission,
                progress=progress,
                begun=was_begun(message, callback, submission, progress),
                ends_at=time.monotonic() + context.get_remaining_time_in_millis() / 1000,
                served=served,
            )
        except CallFailed as failed:
            self._failed(failed.submission, "transcribe", failed.fault)
            # Not remembered as done: AssemblyAI may finish after all, and its callback then finds the way open.
            self._state.give_up(callback.work_id)
        return frozenset(served)

    def give_up(self, message: Message, why: GaveUp) -> None:
        """Record that a call is not scored, unless it is, or belongs to another submission by now."""
        callback = read_callback(message.body, message.attributes)
        body = self._documents.read("submissions", callback.recording)
        submission = msgspec.json.decode(body, type=Submission) if body else None
        if submission is None or submission.transcript_id != callback.transcript_id:
            return
        if written_scorecard(self._documents, submission) is not None:
            return
        self._failed(submission, "score", why)

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
            logger.info("a newer recording replaced this one")
            count("SupersededCallbacks")
        else:
            logger.warning("not a transcript of this application")
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
        try:
            with self._alone(callback, ends_at), ThreadPoolExecutor(max_workers=5) as pool:
                pool.submit(_prepare)
                failed_before = pool.submit(failure_before, self._documents, submission)
                override = pool.submit(override_of, self._documents, submission)
                if callback.request_id:
                    earlier = left_for_rescore(self._documents, submission, progress, callback.request_id, pool)
                    if why_not := _why_not_rescored(callback, override.result(), earlier):
                        return identity | {"outcome": why_not}
                else:
                    earlier = left_by_earlier_runs(self._documents, submission, progress, pool) if begun else Earlier()
                run = _Run(
                    callback=callback,
                    submission=submission,
                    progress=progress,
                    assemblyai=assemblyai,
                    slots=Slots(self._state, callback.work_id, progress, self._per_minute),
                    ends_at=ends_at,
                    pool=pool,
                    earlier=earlier,
                    failed_before=failed_before,
                    override=override,
                )
                return identity | {"outcome": self._outcome(run)}
        except CallFailed as failed:
            if failed.fault.reason == NEVER_FINISHED:
                raise
            if failed.fault.reason == DOWNLOAD_FAILED and may_resubmit(submission, datetime.now(UTC)):
                self._resubmit(submission)
                return identity | {"outcome": "resubmitted"}
            self._failed(failed.submission, "transcribe", failed.fault)
            return identity | {"outcome": "failed", "reason": failed.fault.reason}
        finally:
            assemblyai.close()
            served |= assemblyai.served

    def _alone(self, callback: Callback, ends_at: float) -> AbstractContextManager[None]:
        """Let no two rescores of a call, nor one and its being forgotten, work at the same time."""
        if not callback.request_id:
            # Once sees to that.
            return nullcontext()
        return self._state.lease(scoring_id(callback.transcript_id), ends_at - time.monotonic())

    def _outcome(self, run: _Run) -> str:
        """Score a call, or find that an earlier run has done so; return the scorecard's status."""
        scorecard, report = run.earlier.scorecard, ""
        if scorecard is None:
            scorecard, report = self._score_submission(run, self._hear(run))
            count_scored(run.submission, scorecard, is_rescore=bool(run.callback.request_id))
        if self._settings.delete_at_assemblyai and not run.earlier.transcript:
            run.assemblyai.delete_transcript(run.submission.transcript_id)
        failed_before = run.failed_before.result()
        self._tell(run, scorecard, report, failed_before)
        if failed_before:
            self._documents.delete("failures", run.submission.recording)
        return scorecard.status

    def _hear(self, run: _Run) -> _Heard:
        """Return the finished transcript. Raises NotFinished, and CallFailed when there never will be one."""
        if run.earlier.transcript:
            return _Heard(run.earlier.transcript, None)
        transcript_id = run.submission.transcript_id
        try:
            if run.callback.says_completed and self._asks_who_speaks(run):
                heard = self._transcript_and_speakers(run)
            else:
                heard = _Heard(run.assemblyai.transcript(transcript_id), None)
            self._require_finished(run, heard.transcript)
        except RequestRefused as refusal:
            logger.warning("no such transcript", reason=str(refusal))
            raise CallFailed(transcript_deleted(), run.submission) from refusal
        except PermanentError as fault:
            raise CallFailed(fault, run.submission) from fault
        return heard

    def _require_finished(self, run: _Run, transcript: Transcript) -> None:
        """Raise what readiness.require_finished does. What was transcribed is paid for, speech or not."""
        try:
            require_finished(transcript, run.submission, overdue=run.callback.status == "overdue")
        except TranscriptFailed:
            if transcript.status == "completed":
                self._count_transcription(run, transcript)
            raise

    def _count_transcription(self, run: _Run, transcript: Transcript) -> None:
        from scorecard.scoring import cost_of_transcription

        costs = [cost_of_transcription(transcript, run.submission)]
        self._spending.add(run.submission.transcript_id, "transcription", costs)

    def _count_coaching(self, run: _Run, attempts: Sequence[CoachAttempt]) -> None:
        costs = [coaching_cost([attempt]) for attempt in attempts if attempt not in run.earlier.paid_elsewhere]
        step = f"coaching {run.callback.request_id}" if run.callback.request_id else "coaching"
        self._spending.add(run.submission.transcript_id, step, costs)

    def _score_submission(self, run: _Run, heard: _Heard) -> tuple[Scorecard, str]:
        """Write a call's documents, those that nothing waits for while the coach thinks.

        Returns the scorecard and the report, a page of HTML.
        """
        from scorecard.report import render_report
        from scorecard.scoring import score_call

        lines_of_stage("score")
        key = run.submission.recording
        transcript, roles, is_kept = self._transcript_and_roles(run, heard)
        stored = encode(storable(transcript))
        storing = []
        if not run.earlier.transcript:
            storing = [
                run.pool.submit(self._store, run, stored),
                run.pool.submit(self._count_transcription, run, transcript),
            ]
        # Earlier answers may belong to another question by now; numbers go on behind them in any case.
        questions = count_from(len(run.earlier.attempts))
        # Nothing is paid for before what was paid for is kept.
        keeping = [] if is_kept else [*storing]

        def keep(paid: Sequence[CoachAttempt]) -> None:
            replies = Replies(transcript.id, list(paid), run.callback.request_id)
            keeping.append(run.pool.submit(self._keep_replies, run, replies))

        def complete(request: Mapping[str, object]) -> Completion:
            _require_done(keeping)
            return self._complete(run, request, question=next(questions))

        scored = score_call(
            transcript,
            roles,
            overridden(run.submission, run.override.result()),
            self._settings,
            complete,
            coach=self._coach,
            earlier=run.earlier.attempts,
            keep=keep,
            first_run=run.progress.attempts == 0,
            transcript_sha256=hashlib.sha256(stored).hexdigest(),
        )
        keeping.append(run.pool.submit(self._count_coaching, run, scored.attempts))
        self._tell_of_refused_models(scored.refused_models)
        report = render_report(scored.scorecard, transcript)
        self._documents.write("reports", key, report.encode())
        _require_done([*storing, *keeping])
        self._documents.write("scorecards", key, encode(scored.scorecard))
        if run.progress.replies:
            # The words of a call stay in the table no longer than they have to.
            self._state.keep_answer(run.callback.work_id, "replies", b"")
        return scored.scorecard, report

    def _store(self, run: _Run, transcript: bytes) -> None:
        """Store what was said, and then give the place among the open jobs back."""
        self._documents.write("transcripts", run.submission.recording, transcript)
        self._state.close_job(run.submission.open_job)

    def _keep_replies(self, run: _Run, replies: Replies) -> None:
        """Keep what was paid for at once, and where S3 does not take it in the table until the next run."""
        body = encode(replies)
        try:
            self._documents.write("replies", run.submission.recording, body)
        except Exception as fault:
            if passing_fault(fault) is None:
                raise
            self._state.keep_answer(run.callback.work_id, "replies", body)
            raise

    def _complete(self, run: _Run, request: Mapping[str, object], *, question: int) -> Completion:
        """Ask a language model when it is this call's turn. question: its number, from 0."""
        needed_seconds = COACH_READ_SECONDS + FINISHING_SECONDS
        if question > len(run.earlier.attempts) and run.ends_at - time.monotonic() < needed_seconds:
            raise Postponed("the next run has more time for another question", retry_after_seconds=1)
        model = str(request["model"])
        run.slots.wait("chat", f"chat {question}", model)
        try:
            completion = run.assemblyai.complete(request)
        except RateLimited as fault:
            run.slots.rejected("chat", fault, model)
            raise
        count_answer(model, completion)
        return completion

    def _transcript_and_roles(self, run: _Run, heard: _Heard) -> tuple[Transcript, RoleAssignment, bool]:
        """Return the transcript in turns, and each label's side: by its channel, or by who AssemblyAI says it is.

        Also whether a later run could find out the same without paying again.
        """
        from scorecard.turns import roles_by_channel, with_turns

        rep_channel, is_kept = run.submission.rep_channel, True
        if run.earlier.transcript:
            transcript = heard.transcript
        elif rep_channel:
            transcript = with_turns(heard.transcript)
        else:
            transcript, is_kept = self._with_identification(run, heard)
        utterances, said = transcript.utterances or [], role_names(run.override.result(), self._settings.roles)
        if rep_channel and not said:
            return transcript, roles_by_channel(utterances, rep_channel), is_kept
        roles = assign_roles(utterances, transcript.identification, self._settings.roles, override=said)
        return transcript, roles, is_kept

    def _asks_who_speaks(self, run: _Run) -> bool:
        return run.earlier.identification is None and not run.submission.rep_channel

    def _transcript_and_speakers(self, run: _Run) -> _Heard:
        """Ask for both side by side: neither needs the other's answer, and the second takes seconds."""
        asked = run.pool.submit(self._identify, run)
        transcript = run.assemblyai.transcript(run.submission.transcript_id)
        # Who speaks in a transcript that is not there yet, or never will be, does not matter.
        return _Heard(transcript, asked.result() if transcript.status == "completed" else None)

    def _identify(self, run: _Run) -> _Speakers:
        """Ask who speaks. Where AssemblyAI will not say, the call still has its numbers per speaker."""
        transcript_id, work_id = run.submission.transcript_id, run.callback.work_id
        if run.progress.identifications >= MOST_UNANSWERED:
            return _not_identified("never answered")
        run.slots.wait("understanding", "understanding")
        # Noted beforehand: whoever is killed now, or works at the same time, cannot make it one more.
        if not self._state.may_identify(work_id, MOST_UNANSWERED):
            return _not_identified("never answered")
        try:
            answer = run.assemblyai.identify_speakers(transcript_id, self._settings.roles)
        except RequestRefused as refusal:
            return _not_identified(str(refusal))
        except (TransientError, AccountRefused) as fault:
            if isinstance(fault, RateLimited):
                run.slots.rejected("understanding", fault)
            if not getattr(fault, "maybe_paid", False):
                self._state.not_identified(work_id)
            raise
        return _Speakers(answer, is_kept=self._keep_identification(run, answer.identification))

    def _keep_identification(self, run: _Run, identification: SpeakerIdentification) -> bool:
        """Keep what was paid for at once, since its transcript may not be there yet; return whether that is enough.

        It also tells every later run, whichever message starts it, that there is something to take up.
        """
        try:
            self._state.keep_answer(run.callback.work_id, "identification", msgspec.json.encode(identification))
        except Exception as fault:
            # It is kept again, with the transcript.
            if passing_fault(fault) is None:
                raise
            logger.warning("not kept in the table", reason=str(fault))
            return False
        return identification.mapping is not None

    def _with_identification(self, run: _Run, heard: _Heard) -> tuple[Transcript, bool]:
        """Return the transcript with its speakers identified, by an earlier run's result where there is one."""
        if run.earlier.identification:
            return identified(heard.transcript, run.earlier.identification), True
        answer, is_kept = heard.speakers or self._identify(run)
        identification = answer.identification
        if identification.mapping is None:
            aligned = mapping_by_alignment(heard.transcript.utterances or [], answer.utterances or [])
            identification = SpeakerIdentification(status=identification.status, mapping=aligned or None)
        return identified(heard.transcript, identification), is_kept

    def _resubmit(self, submission: Submission) -> None:
        """Put a recording back into its queue: AssemblyAI could not fetch it, and a failed job is free."""
        logger.warning("submitting again", resubmissions=submission.resubmissions + 1)
        count("Resubmissions")
        self._state.close_job(submission.open_job)
        self._recordings_queue.send(resubmission(submission), delay_seconds=RESUBMIT_DELAY_SECONDS)

    def _failed(self, submission: Submission, stage: Stage, why: PermanentError | GaveUp) -> None:
        self._state.close_job(submission.open_job)
        self._failures.record(failure_of(submission, stage, why), submission.call)

    def _tell_of_refused_models(self, refused: dict[str, str]) -> None:
        for model, said in refused.items():
            self._operators.tell(
                f"coach_model_refused#{model}",
                "callcoach: AssemblyAI refuses a coach model",
                f"AssemblyAI does not let {model} answer: {said}\n\n"
                "Calls are coached by the other model, or not at all if there is none. What to do: set the parameters\n"
                "CoachModel and CoachFallbackModel to models that your account may use.\n",
            )

    def _tell(self, run: _Run, scorecard: Scorecard, report: str, failed_before: Failure | None) -> None:
        """Tell people. report: the page, "" where an earlier run has made it."""
        if run.submission.quiet:
            return
        from scorecard.mail import message_attributes, render_mail, scorecard_notification

        # Of a quiet failure nobody was told.
        replaces = failed_before if failed_before and not failed_before.quiet else None
        corrects = bool(run.callback.request_id) and failed_before is None
        mail = partial(render_mail, scorecard, self._documents.bucket, replaces, corrects=corrects)
        if not run.progress.told:
            notification = scorecard_notification(scorecard, self._documents.bucket)
            self._notifications.publish(*mail(), message_attributes(scorecard), notification)
        if self._report_mail and (report := report or self._report_again(run, scorecard)):
            subject, text = mail(is_attached=True)
            self._mail_report(run, self._report_mail, subject, text, report)

    def _report_again(self, run: _Run, scorecard: Scorecard) -> str:
        """Return the report of a scorecard that an earlier run has written; "" where its transcript is gone by now."""
        from scorecard.report import render_report

        transcript = stored_transcript(self._documents, run.submission)
        if transcript is None:
            logger.warning("the report is not mailed", reason="its transcript is gone")
            return ""
        return render_report(scorecard, transcript)

    def _mail_report(self, run: _Run, report_mail: "ReportMail", subject: str, text: str, report: str) -> None:
        """Mail the report. What only people can mend is told to operators, and holds up no call."""
        try:
            refusal = report_mail.send(subject, text, report, run.submission.recording)
        except Exception as fault:
            if passing_fault(fault) and not run.progress.told:
                self._state.note_told(run.callback.work_id)
            raise
        if not refusal:
            count("ReportsMailed")
            return
        logger.warning("the report is not mailed", reason=refusal.partition(":")[0])
        count("ReportsRefused")
        self._operators.tell(
            "report_refused",
            "callcoach: SES does not send the reports",
            f"SES refuses to send a report: {refusal}\n\n"
            "Scorecards are written, and whoever has subscribed is told, as ever. What to do: see that the address in\n"
            "ReportSender or its domain is verified in SES, that your account is out of SES's sandbox, and that\n"
            "sending is not paused (python -m callcoach doctor looks at that). What was not sent is not sent later:\n"
            "python -m callcoach open gives a link to a report.\n",
        )


def _why_not_rescored(callback: Callback, override: Override | None, earlier: Earlier) -> str | None:
    """Return why a call is not scored again, or None.

    Whoever has the webhook's key could ask for it, at our cost; the operator's own record proves who did.
    """
    if override is None or override.request_id != callback.request_id:
        logger.warning("no rescore that is wanted")
        count("ForeignCallbacks")
        return "not_wanted"
    if earlier.transcript is None:
        logger.error("no transcript is stored to score again")
        return "not_stored"
    return None


def _not_identified(reason: str) -> _Speakers:
    logger.warning("speakers not identified", reason=reason)
    count("IdentificationsRefused")
    return _Speakers(IdentificationAnswer(), is_kept=True)


def _require_done(work: Iterable["Future[None]"]) -> None:
    """Wait for what is done beside the run. Raises what it raised."""
    for done in work:
        done.result()


def _prepare() -> None:
    """Import what a new process needs when AssemblyAI has answered, and compile its templates."""
    from scorecard import mail, question, report, scoring, turns  # noqa: F401

    question.instructions()
    report.template()
    mail.template()
