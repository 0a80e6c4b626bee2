"""Submitting one recording."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from callcoach.acceptance import is_folder
from callcoach.assemblyai import AssemblyAI
from callcoach.documents import Failure, Notice, Recording, Submission, encode, encode_key, is_earlier
from callcoach.errors import JobsFull, PermanentError, RequestRefused, UnsupportedRecording
from callcoach.failures import Failures, failure_of
from callcoach.idempotency import Outcome
from callcoach.names import Drop, names_object
from callcoach.observability import count, lines_of_transcript, logger
from callcoach.operators import Operators
from callcoach.queue import Message, Queue
from callcoach.state import Progress, State
from callcoach.storage import Documents, Recordings
from callcoach.work import GaveUp, Subject
from submit.recording import (
    details_in_key,
    key_pattern,
    language_refusal,
    read_event,
    replacement_models,
    require_recording,
    submission_record,
    transcript_options,
    unread_language,
    webhook_address,
)
from submit.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

WEBHOOK_KEY_HEADER = "x-api-key"

# AssemblyAI's clock, S3's and ours may differ by this much.
CLOCKS_DIFFER = timedelta(seconds=5)

# A job whose end nobody has told us of keeps its place for so long after its deadline.
PLACE_EXTRA_HOURS = 1

# A recording that finds no place among the open jobs looks again no sooner.
SOONEST_LOOK_SECONDS = 15.0


class Submitter:
    """Makes one transcription job per dropped content, and the message that looks after it.

    Every step may run again. Before the job is paid for, a place among the open jobs is taken under the content's own
    name: a run that finds it taken looks for the job of the run before. The submission's record is written before
    anything depends on it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        recordings: Recordings,
        documents: Documents,
        failures: Failures,
        callbacks: Queue,
        state: State,
        operators: Operators,
        assemblyai: Callable[[], AssemblyAI],
        webhook_key: Callable[[], str],
        once: Callable[[Callable[..., Outcome]], Callable[..., Outcome]],
    ) -> None:
        """Take the collaborators; once makes a function run once for each identity."""
        self._settings = settings
        self._key_pattern = key_pattern(settings.key_pattern)
        self._recordings = recordings
        self._documents = documents
        self._failures = failures
        self._callbacks = callbacks
        self._state = state
        self._operators = operators
        self._assemblyai = assemblyai
        self._webhook_key = webhook_key
        self._submit_once = once(self._submit)

    def subject(self, message: Message) -> Subject:
        """Return what a message is about. Raises MalformedMessage."""
        dropped = read_event(message.body)
        return Subject(dropped.work_id, dropped.recording, "submit")

    def do(self, message: Message, progress: Progress, context: "LambdaContext") -> frozenset[str]:
        """Submit what was dropped, once for each time that it was; return which services of AssemblyAI took part.

        Raises Postponed, TransientError and AccountRefused when it cannot be submitted now.
        """
        dropped = read_event(message.body)
        if is_folder(dropped.recording, dropped.size_bytes):
            return frozenset()
        served: set[str] = set()
        self._submit_once(
            context=context,
            identity=dropped.identity,
            dropped=dropped,
            tried_before=progress.attempts > 0 or progress.given_up_at > 0,
            seconds=context.get_remaining_time_in_millis() / 1000,
            served=served,
        )
        return frozenset(served)

    def give_up(self, message: Message, why: GaveUp) -> None:
        """Record that a recording is not submitted, unless its job was made or a newer one took its place."""
        dropped = read_event(message.body)
        recorded = self._recorded(dropped)
        if recorded and recorded.etag == dropped.etag and recorded.resubmissions == dropped.resubmissions:
            self._look_after(recorded)
            return
        if recorded and is_earlier(dropped.sequencer, recorded.sequencer):
            return
        self._failed(dropped, why)

    def _submit(
        self, *, identity: dict[str, str], dropped: Drop, tried_before: bool, seconds: float, served: set[str]
    ) -> Outcome:
        try:
            with self._state.lease(dropped.lease, seconds):
                return self._submit_alone(dropped, tried_before=tried_before, served=served)
        except PermanentError as fault:
            logger.error("cannot be submitted", reason=fault.reason, sequencer=identity["sequencer"])
            self._failed(dropped, fault)
            return {"outcome": "failed", "reason": fault.reason}

    def _failed(self, dropped: Drop, why: PermanentError | GaveUp) -> None:
        self._state.close_job(dropped.open_job)
        self._failures.record(failure_of(dropped, "submit", why))

    def _submit_alone(self, dropped: Drop, *, tried_before: bool, served: set[str]) -> Outcome:
        """Submit while no other run works on this recording, or find that there is nothing to do."""
        recording = self._recordings.describe(dropped.bucket, dropped.recording)
        if recording is None:
            if self._state.forgotten(dropped.lease)[0]:
                # The message was hidden when the call was forgotten.
                logger.info("forgotten", sequencer=dropped.sequencer)
                return {"outcome": "forgotten"}
            raise UnsupportedRecording(
                "recording_gone",
                "the recording was deleted or renamed before it was submitted",
                next_step="Drop it again if it should be scored.",
            )
        if recording.etag != dropped.etag:
            logger.info("a newer recording lies under this key", sequencer=dropped.sequencer)
            return {"outcome": "superseded"}
        require_recording(dropped.recording, recording)
        recorded = self._recorded(dropped)
        if recorded and not self._wants_new_job(dropped, recorded):
            lines_of_transcript(recorded.transcript_id)
            if recorded.quiet and not dropped.quiet:
                # Somebody has dropped it as any other, and waits for an e-mail.
                recorded = msgspec.structs.replace(recorded, quiet=False)
                self._documents.write("submissions", dropped.recording, encode(recorded))
            # Dropped again, it may be a call whose scoring was given up: no reason to wait for a callback.
            self._look_after(recorded, at_once=recorded.sequencer != dropped.sequencer)
            return {"outcome": "submitted_already", "transcript_id": recorded.transcript_id}
        other_job = recorded.transcript_id if recorded else None
        record = self._make_job(dropped, recording, other_job, tried_before=tried_before, served=served)
        self._look_after(record)
        logger.info("submitted", size_bytes=recording.size_bytes)
        count("RecordingsSubmitted")
        return {"outcome": "submitted", "transcript_id": record.transcript_id}

    def _recorded(self, dropped: Drop) -> Submission | None:
        """Return the record of the last submission under this key, whatever its content."""
        body = self._documents.read("submissions", dropped.recording)
        return msgspec.json.decode(body, type=Submission) if body else None

    def _wants_new_job(self, dropped: Drop, recorded: Submission) -> bool:
        """Whether what was dropped is to be paid for although there is a submission under its name."""
        if recorded.etag != dropped.etag or recorded.resubmissions < dropped.resubmissions:
            return True
        if recorded.sequencer == dropped.sequencer:
            return False
        # Dropped again: a transcript that failed is made anew, one that only was not scored is not.
        body = self._documents.read("failures", dropped.recording)
        failed = msgspec.json.decode(body, type=Failure) if body else None
        return failed is not None and failed.stage == "transcribe" and failed.transcript_id == recorded.transcript_id

    def _look_after(self, record: Submission, *, at_once: bool = False) -> None:
        """Send the message that asks what became of a transcript, when its callback is overdue or at once."""
        overdue = {"transcript_id": record.transcript_id, "status": "overdue"}
        self._callbacks.send(
            msgspec.json.encode(overdue).decode(),
            attributes={"recording": encode_key(record.recording)},
            delay_seconds=0 if at_once else self._settings.overdue_after_seconds,
        )

    def _make_job(
        self,
        dropped: Drop,
        recording: Recording,
        other_job: str | None,
        *,
        tried_before: bool,
        served: set[str],
    ) -> Submission:
        settings = self._settings
        asked = transcript_options(
            recording,
            speech_models=settings.speech_models,
            language=settings.language,
            disfluencies=settings.disfluencies,
            rep_channel=settings.rep_channel,
            redact_pii=settings.redact_pii,
        )
        unread = unread_language(recording)
        warnings = [unread] if unread else []
        place_since = self._take_place(dropped)
        assemblyai = self._assemblyai()
        try:
            transcript_id = None
            if place_since is not None or tried_before:
                since = datetime.fromtimestamp(place_since, UTC) if place_since else recording.last_modified
                transcript_id = self._unrecorded(assemblyai, dropped, since - CLOCKS_DIFFER, other_job)
            if transcript_id is None:
                transcript_id = self._post(assemblyai, dropped, asked, warnings)
            lines_of_transcript(transcript_id)
        finally:
            assemblyai.close()
            served |= assemblyai.served
        record = submission_record(
            dropped,
            recording,
            transcript_id,
            asked,
            warnings,
            now=datetime.now(UTC),
            overdue_after_seconds=settings.overdue_after_seconds,
            deadline_hours=settings.transcript_deadline_hours,
            in_key=details_in_key(dropped.recording, self._key_pattern, prefix=settings.recordings_prefix),
            rep_channel=settings.rep_channel,
        )
        self._documents.write("submissions", dropped.recording, encode(record))
        return record

    def _take_place(self, dropped: Drop) -> float | None:
        """Take a place among the open jobs; return since when this content has had it, None for a new one."""
        hours = self._settings.transcript_deadline_hours + PLACE_EXTRA_HOURS
        try:
            return self._state.open_job(
                dropped.open_job, limit=self._settings.max_open_jobs, lives_seconds=hours * 3600
            )
        except LookupError:
            # Those who wait look one after another, as fast as places come free at most.
            look_at = self._state.book_slot("places", self._settings.identifications_per_minute)
            raise JobsFull(
                f"{self._settings.max_open_jobs} jobs are open at AssemblyAI",
                retry_after_seconds=max(look_at - time.time(), SOONEST_LOOK_SECONDS),
            ) from None

    def _unrecorded(self, assemblyai: AssemblyAI, dropped: Drop, oldest: datetime, other_job: str | None) -> str | None:
        """Find the job of an earlier run that ended between AssemblyAI's answer and our record.

        A job older than that is about another content of the same name, and other_job is known to be.
        """
        for row in assemblyai.transcripts_since(oldest):
            if (
                row.status != "error"
                and row.id != other_job
                and names_object(row.audio_url, dropped.bucket, dropped.recording)
            ):
                logger.warning("found the job of an interrupted run")
                count("InterruptedJobsFound")
                return row.id
        return None

    def _post(self, assemblyai: AssemblyAI, dropped: Drop, asked: dict[str, object], warnings: list[Notice]) -> str:
        """Make the job. Speech models that AssemblyAI has retired are replaced once, in `asked` too."""
        addresses = {
            "audio_url": self._recordings.link(dropped.bucket, dropped.recording, self._settings.recording_url_seconds),
            "webhook_url": webhook_address(self._settings.webhook_url, dropped.recording),
            "webhook_auth_header_name": WEBHOOK_KEY_HEADER,
            "webhook_auth_header_value": self._webhook_key(),
        }
        try:
            return assemblyai.submit(asked | addresses)
        except RequestRefused as refusal:
            models = replacement_models(refusal.detail)
            if models is None:
                if unsupported := language_refusal(refusal, asked):
                    raise unsupported from refusal
                raise
            wanted = ",".join(self._settings.speech_models)
            if models:
                asked["speech_models"] = list(models)
            else:
                asked.pop("speech_models", None)
            instead = ",".join(models) or "the account's default"
            text = f"AssemblyAI refused the speech models {wanted}; {instead} was used instead."
            warnings.append(Notice("speech_models_replaced", text))
            logger.warning("speech models refused", wanted=wanted, instead=instead)
            count("SpeechModelsReplaced")
            transcript_id = assemblyai.submit(asked | addresses)
        self._operators.tell(
            "speech_models_replaced",
            "callcoach: AssemblyAI refuses the speech models",
            f"AssemblyAI refuses the speech models {wanted}. Calls are transcribed by {instead} until the parameter\n"
            "SpeechModels is changed.\n",
        )
        return transcript_id
