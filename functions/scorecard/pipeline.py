"""From a finished transcript to a scorecard: the steps in order, and what is stored between them."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec

from callcoach.assemblyai import AssemblyAI, Completion, IdentificationAnswer
from callcoach.documents import Submission, encode
from callcoach.errors import NotFinished, PermanentError, RequestRefused, TranscriptFailed
from callcoach.idempotency import Outcome
from callcoach.notifications import Notifications
from callcoach.observability import count, logger
from callcoach.storage import Documents
from callcoach.transcript import (
    SpeakerIdentification,
    Transcript,
    decode_transcript,
    identified,
    storable,
)
from scorecard.callback import Callback, recording_key
from scorecard.coaching import (
    PROMPT_SHA256,
    PROMPT_VERSION,
    RUBRIC_SHA256,
    Reply,
    UnusableReply,
    coach_request,
    coaching_from,
    published_shifts,
    read_reply,
    uncoachable_reason,
)
from scorecard.evidence import Verifier
from scorecard.metrics import speaker_table, talk_listen, unassigned_share
from scorecard.report import headline, render_mail, render_report
from scorecard.scorecard import (
    SCHEMA_VERSION,
    Call,
    Notice,
    Roles,
    RoleSignals,
    Run,
    Scorecard,
    Sentiment,
    Status,
    TalkListen,
)
from scorecard.sentiment import Reading, read_sentiment
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment, assign_roles, mapping_by_alignment

# A callback can overtake the record of its own submission by this much.
RECORD_WAIT_SECONDS = 15.0

# How long an overdue transcript is left alone, in times of the first wait: 15 min, 1 h, then 4 h at a time.
LOOK_AGAIN_FACTORS = (1, 4, 16)

Complete = Callable[[Mapping[str, object]], Completion]


class CoachAttempt(msgspec.Struct, frozen=True):
    """One paid question to a model, as replies/<recording key>.json keeps it."""

    model: str
    request_sha256: str
    finish_reason: str
    content: str
    input_tokens: int | None
    output_tokens: int | None


class CoachedCall(msgspec.Struct, frozen=True):
    """A scorecard and the attempts that it rests on."""

    scorecard: Scorecard
    attempts: list[CoachAttempt]


class Replies(msgspec.Struct, frozen=True):
    """replies/<recording key>.json: what the coach answered, verbatim."""

    transcript_id: str
    attempts: list[CoachAttempt]


class CallFailed(Exception):  # noqa: N818 - says what happened to the call
    """There will be no scorecard of this submission, for the reason that fault gives."""

    def __init__(self, fault: PermanentError, submission: Submission) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.submission = submission


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
            if callback.says_completed and not redelivered:
                transcript, answer = self._transcript_and_speakers(assemblyai, callback.transcript_id)
            else:
                transcript, answer = assemblyai.transcript(callback.transcript_id), None
        except RequestRefused as refusal:
            logger.warning("no such transcript", transcript_id=callback.transcript_id, reason=str(refusal))
            count("ForeignCallbacks")
            return {"outcome": "ignored"}
        key = recording_key(transcript.webhook_url)
        if key is None:
            logger.warning("not a transcript of this application", transcript_id=transcript.id)
            count("ForeignCallbacks")
            return {"outcome": "ignored"}
        submission = self._submission(key, transcript, callback)
        if submission is None:
            return {"outcome": "superseded"}
        try:
            return self._score_submission(assemblyai, callback, transcript, answer, submission, redelivered)
        except PermanentError as fault:
            raise CallFailed(fault, submission) from fault

    def _score_submission(
        self,
        assemblyai: AssemblyAI,
        callback: Callback,
        transcript: Transcript,
        answer: IdentificationAnswer | None,
        submission: Submission,
        redelivered: bool,
    ) -> Outcome:
        require_finished(transcript, submission, callback)
        key = submission.recording
        done = self._documents.read("scorecards", key) if redelivered else None
        if done:
            scorecard = msgspec.json.decode(done, type=Scorecard)
            if scorecard.call.transcript_id == transcript.id:
                # An earlier run ended between the scorecard and the e-mail.
                self._tell(scorecard)
                return {"outcome": scorecard.status, "transcript_id": transcript.id}
        transcript = self._with_identification(assemblyai, transcript, answer, key)
        self._documents.write("transcripts", key, encode(storable(transcript)))
        roles = assign_roles(transcript.utterances or [], transcript.identification, self._settings.roles)
        coached = score_call(transcript, roles, submission, self._settings, assemblyai.complete)
        if coached.attempts:
            replies = Replies(transcript_id=transcript.id, attempts=coached.attempts)
            self._documents.write("replies", key, encode(replies))
        self._documents.write("reports", key, render_report(coached.scorecard, transcript).encode())
        self._documents.write("scorecards", key, encode(coached.scorecard))
        self._tell(coached.scorecard)
        logger.info("scored", transcript_id=transcript.id, status=coached.scorecard.status)
        count("ScorecardsWritten")
        return {"outcome": coached.scorecard.status, "transcript_id": transcript.id}

    def _transcript_and_speakers(
        self, assemblyai: AssemblyAI, transcript_id: str
    ) -> tuple[Transcript, IdentificationAnswer | None]:
        """Ask for both side by side: neither needs the other's answer, and the second takes seconds."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            asked = pool.submit(self._identify, assemblyai, transcript_id)
            transcript = assemblyai.transcript(transcript_id)
            # Who speaks in a transcript that is not there yet, or never will be, does not matter.
            answer = asked.result() if transcript.status == "completed" else None
        return transcript, answer

    def _identify(self, assemblyai: AssemblyAI, transcript_id: str) -> IdentificationAnswer:
        """Ask who speaks. Where AssemblyAI will not say, the call still has its numbers per speaker."""
        try:
            return assemblyai.identify_speakers(transcript_id, self._settings.roles)
        except RequestRefused as refusal:
            logger.warning("speakers not identified", transcript_id=transcript_id, reason=str(refusal))
            count("IdentificationsRefused")
            return IdentificationAnswer()

    def _submission(self, key: str, transcript: Transcript, callback: Callback) -> Submission | None:
        """Return the record of the submission that this transcript belongs to; None when a newer one replaced it."""
        body = self._documents.read("submissions", key)
        if body is None:
            raise NotFinished("the submission is not on record yet", retry_after_seconds=RECORD_WAIT_SECONDS)
        submission = msgspec.json.decode(body, type=Submission)
        if submission.transcript_id != transcript.id:
            logger.info("a newer recording replaced this one", transcript_id=transcript.id, status=callback.status)
            count("SupersededCallbacks")
            return None
        return submission

    def _with_identification(
        self, assemblyai: AssemblyAI, transcript: Transcript, answer: IdentificationAnswer | None, key: str
    ) -> Transcript:
        """Return the transcript with its speakers identified, by an earlier run's result where there is one."""
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
        attributes = {
            "outcome": scorecard.status,
            "rep": scorecard.call.rep,
            "team": scorecard.call.team,
            "customer": scorecard.call.customer,
            "call_type": scorecard.call.call_type,
            "needs_review": str(scorecard.roles.needs_review).lower(),
            "coachable": str(scorecard.coaching is not None).lower(),
        }
        self._notifications.publish(subject, text, attributes)


def look_again_seconds(submission: Submission, now: datetime) -> float:
    """Return how long to leave an overdue transcript alone: longer the longer it has been waited for."""
    waited_seconds = (now - datetime.fromisoformat(submission.submitted_at)).total_seconds()
    waits = [submission.overdue_after_seconds * factor for factor in LOOK_AGAIN_FACTORS]
    return next((wait for wait in waits if waited_seconds < 2 * wait), waits[-1])


def require_finished(transcript: Transcript, submission: Submission, callback: Callback) -> None:
    """Return when the transcript is completed and has speech in it.

    Raises NotFinished while it is being made, until the submission's deadline; TranscriptFailed when it failed.
    """
    if transcript.status in ("queued", "processing"):
        now = datetime.now(UTC)
        if now >= datetime.fromisoformat(submission.deadline_at):
            raise TranscriptFailed(
                "never_finished",
                f"AssemblyAI has not finished the transcript by {submission.deadline_at}",
                next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
                retryable=True,
            )
        raise NotFinished(
            f"the transcript is {transcript.status}",
            retry_after_seconds=look_again_seconds(submission, now) if callback.status == "overdue" else None,
        )
    if transcript.status != "completed":
        raise transcript_failure(transcript.error or f"status {transcript.status}")
    if transcript.utterances is None:
        raise TranscriptFailed(
            "no_speakers",
            "the transcript tells no speakers apart; AssemblyAI may not do so in this language",
            next_step="Set the recording's language, or score calls in a supported language.",
        )
    if not any(utterance.text.strip() for utterance in transcript.utterances):
        raise TranscriptFailed(
            "no_speech", "nobody speaks in the recording", next_step="Check the recording: it may be silent."
        )


def transcript_failure(error: str) -> TranscriptFailed:
    """Return the failure that AssemblyAI's text stands for; it gives no code."""
    text = error.casefold()
    if "download error" in text:
        # The text holds the recording's link and its signature.
        return TranscriptFailed(
            "download_failed",
            "AssemblyAI could not download the recording",
            next_step="Drop the recording again; if it happens again, check the bucket's policy and encryption key.",
            retryable=True,
        )
    if "too short" in text:
        return TranscriptFailed(
            "audio_too_short", "the recording is too short to transcribe", next_step="Nothing: there is no call in it."
        )
    if "does not appear to contain audio" in text or "transcoding failed" in text:
        return TranscriptFailed(
            "no_audio",
            "AssemblyAI finds no sound in the file",
            next_step="Check that the file plays, and drop it again.",
        )
    return TranscriptFailed(
        "transcription_failed",
        f"AssemblyAI answered: {error[:300]}",
        next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
        retryable=True,
    )


def score_call(
    transcript: Transcript,
    roles: RoleAssignment,
    submission: Submission,
    settings: Settings,
    complete: Complete,
) -> CoachedCall:
    """Measure a call and let it be coached. complete asks a language model; nothing else here leaves the process.

    Raises what complete raises, except that a refused request or an unusable answer ends in a scorecard without
    coaching.
    """
    utterances = transcript.utterances or []
    talk = talk_listen(
        utterances,
        roles,
        duration_ms=transcript.duration_ms,
        target_rep_share=settings.target_rep_share,
        call_type=submission.call.call_type,
    )
    reading = (
        None if transcript.sentiment_rows is None else read_sentiment(transcript.sentiment_rows, utterances, roles)
    )
    attempts: list[CoachAttempt] = []
    reply: Reply | None = None
    reason: str | None = None
    if len(roles.sides) > 1 and not roles.both_sides_known:
        reason = "roles_unknown"
    else:
        reason = uncoachable_reason(transcript, roles)
    if reason is None:

        def request(model: str, with_schema: bool) -> dict[str, Any]:
            return coach_request(
                model,
                utterances,
                roles,
                talk,
                reading,
                duration_ms=transcript.duration_ms,
                with_schema=with_schema,
            )

        reply, reason = _ask_coach(settings, request, complete, attempts)
    if reply and reply.roles_check.verdict == "not_a_sales_call":
        reply, reason = None, "not_a_sales_call"
    return CoachedCall(
        scorecard=_assemble(transcript, roles, submission, talk, reading, reply, reason, attempts),
        attempts=attempts,
    )


def _ask_coach(
    settings: Settings,
    request: Callable[[str, bool], dict[str, Any]],
    complete: Complete,
    attempts: list[CoachAttempt],
) -> tuple[Reply | None, str | None]:
    """Ask the first model, then the fallback once. Return a reply, or why there is none."""
    reason = "coach_unavailable"
    for model in dict.fromkeys((settings.coach_model, settings.coach_fallback_model)):
        if not model:
            continue
        try:
            completion, asked = _complete(model, request, complete)
        except RequestRefused as refusal:
            logger.error("coach model refused", model=model, reason=str(refusal))
            count("CoachRefused")
            continue
        attempts.append(
            CoachAttempt(
                model=model,
                request_sha256=hashlib.sha256(msgspec.json.encode(asked)).hexdigest(),
                finish_reason=completion.finish_reason,
                content=completion.content,
                input_tokens=completion.input_tokens,
                output_tokens=completion.output_tokens,
            )
        )
        try:
            return read_reply(completion.content, completion.finish_reason), None
        except UnusableReply as fault:
            logger.warning("unusable reply", model=model, reason=fault.reason)
            count("CoachRepliesUnusable")
            reason = fault.reason
    return None, reason


def _complete(
    model: str, request: Callable[[str, bool], dict[str, Any]], complete: Complete
) -> tuple[Completion, dict[str, Any]]:
    """Ask one model; one that does not take response_format gets the schema as text."""
    body = request(model, True)
    try:
        return complete(body), body
    except RequestRefused as refusal:
        if "response_format" not in refusal.detail:
            raise
    body = request(model, False)
    return complete(body), body


def _assemble(
    transcript: Transcript,
    roles: RoleAssignment,
    submission: Submission,
    talk: TalkListen,
    reading: Reading | None,
    reply: Reply | None,
    reason: str | None,
    attempts: list[CoachAttempt],
) -> Scorecard:
    utterances = transcript.utterances or []
    verifier = Verifier(utterances, roles)
    coaching = coaching_from(reply, verifier) if reply else None
    sentiment = None
    if reading:
        sentiment = Sentiment(
            what="AssemblyAI's label of each sentence's wording; not the person's feelings",
            rows=reading.counts,
            by_role=reading.by_side,
            shifts=None
            if reading.candidates is None
            else published_shifts(reading.candidates, reply.shifts if reply else [], verifier),
            shifts_reason=reading.candidates_reason,
            usable_customer_rows=reading.usable_customer_rows,
        )
    call_type = submission.call.call_type
    last = attempts[-1] if attempts else None
    status: Status = "numbers_only"
    if coaching:
        status = "complete"
    elif reason == "roles_unknown":
        status = "needs_roles"
    contradicted = reply is not None and reply.roles_check.verdict in ("swapped", "unclear")
    return Scorecard(
        schema_version=SCHEMA_VERSION,
        status=status,
        status_reason=reason,
        headline=headline(talk, coaching),
        call=Call(
            recording=submission.recording,
            recording_etag=submission.etag,
            transcript_id=transcript.id,
            recorded_at=submission.call.recorded_at,
            recorded_at_source=submission.call.recorded_at_source,
            duration_seconds=round(transcript.duration_ms / 1000),
            language=transcript.language_code,
            language_confidence=transcript.language_confidence,
            speech_model=transcript.speech_model_used,
            channels=transcript.audio_channels or 1,
            transcript_confidence=transcript.confidence,
            rep=submission.call.rep,
            customer=submission.call.customer,
            team=submission.call.team,
            call_type=call_type,
            call_type_source="metadata" if call_type else "default",
        ),
        roles=Roles(
            mapping=roles.sides,
            source=roles.source,
            signals=RoleSignals(
                identification=roles.identification, coach=reply.roles_check.verdict if reply else None
            ),
            unassigned_share=unassigned_share(utterances, roles),
            needs_review=bool(roles.reasons) or contradicted,
            reasons=[*roles.reasons, *(["coach_contradicts"] if contradicted else [])],
        ),
        speakers=speaker_table(utterances, roles),
        talk_listen=talk,
        sentiment=sentiment,
        coaching=coaching,
        evidence=verifier.counts() if reply else None,
        warnings=_warnings(transcript, roles, submission, coaching is not None and len(coaching.suggestions) < 3),
        run=Run(
            coach_model=last.model if last else None,
            coach_attempts=len(attempts),
            finish_reason=last.finish_reason if last else None,
            prompt_version=PROMPT_VERSION,
            prompt_sha256=PROMPT_SHA256,
            rubric_sha256=RUBRIC_SHA256,
            transcript_sha256=hashlib.sha256(encode(storable(transcript))).hexdigest(),
            reply_sha256=hashlib.sha256(last.content.encode()).hexdigest() if last else None,
            input_tokens=_sum([attempt.input_tokens for attempt in attempts]),
            output_tokens=_sum([attempt.output_tokens for attempt in attempts]),
        ),
    )


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _warnings(
    transcript: Transcript, roles: RoleAssignment, submission: Submission, few_suggestions: bool
) -> list[Notice]:
    notices = [Notice(code="speech_models_replaced", text=text) for text in submission.warnings]
    for label, side in roles.sides.items():
        if side == "unassigned" and roles.both_sides_known:
            text = f"Speaker {label} has no role and is in neither side."
            notices.append(Notice(code="speaker_without_role", text=text))
    if transcript.sentiment_rows is None:
        language = transcript.language_code or "unknown"
        text = f"AssemblyAI labels no sentiment in this call's language ({language})."
        notices.append(Notice(code="no_sentiment", text=text))
    if few_suggestions:
        text = "Fewer than three suggestions rest on words that were really said."
        notices.append(Notice(code="suggestions_short", text=text))
    return notices
