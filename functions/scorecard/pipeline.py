"""From a callback to a scorecard in S3 and an e-mail: the steps in order, and what is stored between them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from callcoach.assemblyai import AssemblyAI, IdentificationAnswer
from callcoach.documents import Submission, encode
from callcoach.errors import NotFinished, PermanentError, RequestRefused
from callcoach.idempotency import Outcome
from callcoach.notifications import Notifications
from callcoach.observability import count, logger
from callcoach.storage import Documents
from callcoach.transcript import SpeakerIdentification, Transcript, decode_transcript, identified, storable
from scorecard.callback import Callback, recording_key
from scorecard.coach import CoachAttempt
from scorecard.mail import message_attributes, render_mail
from scorecard.readiness import require_finished
from scorecard.report import render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import coach_of, score_call
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment, assign_roles, mapping_by_alignment
from scorecard.turns import roles_by_channel, with_turns

# A callback can overtake the record of its own submission by this much.
RECORD_WAIT_SECONDS = 15.0


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
        assemblyai: Callable[[], AssemblyAI],
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._notifications = notifications
        self._assemblyai = assemblyai
        self._coach = coach_of(settings)

    def score(self, callback: Callback, *, redelivered: bool) -> Outcome:
        """Score the call that a callback is about, and return what became of it.

        redelivered: an earlier run may have stored some of the results.
        Raises NotFinished while there is nothing to score, another TransientError when a service is not available,
        and CallFailed when there never will be a scorecard.
        """
        assemblyai = self._assemblyai()
        try:
            return self._score(assemblyai, callback, redelivered=redelivered)
        finally:
            assemblyai.close()

    def _score(self, assemblyai: AssemblyAI, callback: Callback, *, redelivered: bool) -> Outcome:
        try:
            if callback.says_completed and not redelivered and not self._settings.rep_channel:
                heard = self._transcript_and_speakers(assemblyai, callback.transcript_id)
            else:
                heard = _Heard(assemblyai.transcript(callback.transcript_id), None)
        except RequestRefused as refusal:
            logger.warning("no such transcript", transcript_id=callback.transcript_id, reason=str(refusal))
            count("ForeignCallbacks")
            return {"outcome": "ignored"}
        key = recording_key(heard.transcript.webhook_url)
        if key is None:
            logger.warning("not a transcript of this application", transcript_id=callback.transcript_id)
            count("ForeignCallbacks")
            return {"outcome": "ignored"}
        submission = self._submission(key, callback.transcript_id)
        if submission is None:
            return {"outcome": "superseded"}
        try:
            require_finished(heard.transcript, submission, overdue=callback.status == "overdue")
        except PermanentError as fault:
            raise CallFailed(fault, submission) from fault
        if redelivered and (status := self._finished_earlier(submission)):
            return {"outcome": status, "transcript_id": submission.transcript_id}
        scorecard = self._score_submission(assemblyai, heard, submission)
        logger.info("scored", transcript_id=submission.transcript_id, status=scorecard.status)
        count("ScorecardsWritten")
        return {"outcome": scorecard.status, "transcript_id": submission.transcript_id}

    def _finished_earlier(self, submission: Submission) -> str | None:
        """Send the e-mail of a run that ended between the scorecard and its e-mail, and return that card's status."""
        done = self._documents.read("scorecards", submission.recording)
        scorecard = msgspec.json.decode(done, type=Scorecard) if done else None
        if scorecard is None or scorecard.call.transcript_id != submission.transcript_id:
            return None
        self._tell(scorecard)
        return scorecard.status

    def _score_submission(self, assemblyai: AssemblyAI, heard: _Heard, submission: Submission) -> Scorecard:
        key = submission.recording
        transcript, roles = self._transcript_and_roles(assemblyai, heard, submission)
        self._documents.write("transcripts", key, encode(storable(transcript)))
        scored = score_call(transcript, roles, submission, self._settings, assemblyai.complete, coach=self._coach)
        if scored.attempts:
            replies = Replies(transcript_id=transcript.id, attempts=scored.attempts)
            self._documents.write("replies", key, encode(replies))
        self._documents.write("reports", key, render_report(scored.scorecard, transcript).encode())
        self._documents.write("scorecards", key, encode(scored.scorecard))
        self._tell(scored.scorecard)
        return scored.scorecard

    def _transcript_and_roles(
        self, assemblyai: AssemblyAI, heard: _Heard, submission: Submission
    ) -> tuple[Transcript, RoleAssignment]:
        """Return the transcript in turns, and each label's side: by its channel, or by who AssemblyAI says it is."""
        if submission.rep_channel:
            transcript = with_turns(heard.transcript)
            return transcript, roles_by_channel(transcript.utterances or [], submission.rep_channel)
        transcript = self._with_identification(assemblyai, heard, submission.recording)
        return transcript, assign_roles(transcript.utterances or [], transcript.identification, self._settings.roles)

    def _transcript_and_speakers(self, assemblyai: AssemblyAI, transcript_id: str) -> _Heard:
        """Ask for both side by side: neither needs the other's answer, and the second takes seconds."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            asked = pool.submit(self._identify, assemblyai, transcript_id)
            transcript = assemblyai.transcript(transcript_id)
            # Who speaks in a transcript that is not there yet, or never will be, does not matter.
            answer = asked.result() if transcript.status == "completed" else None
        return _Heard(transcript, answer)

    def _identify(self, assemblyai: AssemblyAI, transcript_id: str) -> IdentificationAnswer:
        """Ask who speaks. Where AssemblyAI will not say, the call still has its numbers per speaker."""
        try:
            return assemblyai.identify_speakers(transcript_id, self._settings.roles)
        except RequestRefused as refusal:
            logger.warning("speakers not identified", transcript_id=transcript_id, reason=str(refusal))
            count("IdentificationsRefused")
            return IdentificationAnswer()

    def _submission(self, key: str, transcript_id: str) -> Submission | None:
        """Return the record of the submission that this transcript belongs to; None when a newer one replaced it."""
        body = self._documents.read("submissions", key)
        if body is None:
            raise NotFinished("the submission is not on record yet", retry_after_seconds=RECORD_WAIT_SECONDS)
        submission = msgspec.json.decode(body, type=Submission)
        if submission.transcript_id != transcript_id:
            logger.info("a newer recording replaced this one", transcript_id=transcript_id)
            count("SupersededCallbacks")
            return None
        return submission

    def _with_identification(self, assemblyai: AssemblyAI, heard: _Heard, key: str) -> Transcript:
        """Return the transcript with its speakers identified, by an earlier run's result where there is one."""
        transcript, answer = heard.transcript, heard.answer
        if answer is None:
            stored = self._documents.read("transcripts", key)
            if stored:
                earlier = decode_transcript(stored)
                if earlier.id == transcript.id and earlier.identification:
                    return identified(transcript, earlier.identification)
            answer = self._identify(assemblyai, transcript.id)
        identification = answer.identification
        if identification.mapping is None:
            aligned = mapping_by_alignment(transcript.utterances or [], answer.utterances or [])
            identification = SpeakerIdentification(status=identification.status, mapping=aligned or None)
        return identified(transcript, identification)

    def _tell(self, scorecard: Scorecard) -> None:
        subject, text = render_mail(scorecard, self._documents.bucket)
        self._notifications.publish(subject, text, message_attributes(scorecard))
