"""Submitting one recording."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from callcoach.assemblyai import AssemblyAI
from callcoach.documents import Failure, Recording, Submission, encode
from callcoach.errors import RequestRefused, UnsupportedRecording
from callcoach.idempotency import Outcome
from callcoach.observability import count, logger
from callcoach.queue import Queue
from callcoach.storage import Documents, Recordings
from submit.recording import (
    DroppedObject,
    details_in_key,
    key_pattern,
    names_object,
    replacement_models,
    require_recording,
    submission_record,
    transcript_options,
    webhook_address,
)
from submit.settings import Settings

WEBHOOK_KEY_HEADER = "x-api-key"


class Submitter:
    """Makes one transcription job per dropped content, and the message that looks after it.

    Every step may run again: the submission's record is written before anything depends on it, and a second run finds
    that record or, if it was never written, the job itself.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        recordings: Recordings,
        documents: Documents,
        callbacks: Queue,
        assemblyai: Callable[[], AssemblyAI],
        webhook_key: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._key_pattern = key_pattern(settings.key_pattern)
        self._recordings = recordings
        self._documents = documents
        self._callbacks = callbacks
        self._assemblyai = assemblyai
        self._webhook_key = webhook_key

    def submit(self, dropped: DroppedObject, *, redelivered: bool) -> Outcome:
        """Submit what was dropped and return its transcript's id, or why there was nothing to do.

        redelivered: an earlier run may have made the job without recording it.
        Raises PermanentError when it cannot be submitted, TransientError when not now.
        """
        recording = self._recordings.describe(dropped.bucket, dropped.key)
        if recording is None:
            raise UnsupportedRecording(
                "recording_gone",
                "the recording was deleted or renamed before it was submitted",
                next_step="Drop it again if it should be scored.",
            )
        if recording.etag != dropped.etag:
            logger.info("a newer recording lies under this key", sequencer=dropped.sequencer)
            return {"outcome": "superseded"}
        require_recording(dropped.key, recording)
        earlier = self._earlier(dropped, recording)
        if earlier and earlier.sequencer != dropped.sequencer:
            logger.info("this content is submitted already", transcript_id=earlier.transcript_id)
            return {"outcome": "submitted_already", "transcript_id": earlier.transcript_id}
        record = earlier or self._make_job(dropped, recording, redelivered=redelivered)
        overdue = {"transcript_id": record.transcript_id, "status": "overdue"}
        self._callbacks.send(msgspec.json.encode(overdue).decode(), delay_seconds=self._settings.overdue_after_seconds)
        logger.info("submitted", transcript_id=record.transcript_id, size_bytes=recording.size_bytes)
        count("RecordingsSubmitted")
        return {"outcome": "submitted", "transcript_id": record.transcript_id}

    def _earlier(self, dropped: DroppedObject, recording: Recording) -> Submission | None:
        """Return the record of a submission of this very content, unless that one failed."""
        body = self._documents.read("submissions", dropped.key)
        if body is None:
            return None
        earlier = msgspec.json.decode(body, type=Submission)
        if earlier.etag != recording.etag:
            return None
        if earlier.sequencer != dropped.sequencer:
            failed = self._documents.read("failures", dropped.key)
            if failed and msgspec.json.decode(failed, type=Failure).transcript_id == earlier.transcript_id:
                return None
        return earlier

    def _make_job(self, dropped: DroppedObject, recording: Recording, *, redelivered: bool) -> Submission:
        settings = self._settings
        asked = transcript_options(
            recording,
            speech_models=settings.speech_models,
            language=settings.language,
            disfluencies=settings.disfluencies,
            rep_channel=settings.rep_channel,
        )
        warnings: list[str] = []
        assemblyai = self._assemblyai()
        try:
            transcript_id = self._unrecorded(assemblyai, dropped, recording) if redelivered else None
            if transcript_id is None:
                transcript_id = self._post(assemblyai, dropped, asked, warnings)
        finally:
            assemblyai.close()
        record = submission_record(
            dropped,
            recording,
            transcript_id,
            asked,
            warnings,
            now=datetime.now(UTC),
            overdue_after_seconds=settings.overdue_after_seconds,
            deadline_hours=settings.transcript_deadline_hours,
            in_key=details_in_key(dropped.key, self._key_pattern, prefix=settings.recordings_prefix),
            rep_channel=settings.rep_channel,
        )
        self._documents.write("submissions", dropped.key, encode(record))
        return record

    def _unrecorded(self, assemblyai: AssemblyAI, dropped: DroppedObject, recording: Recording) -> str | None:
        """Find the job of an earlier run that ended between AssemblyAI's answer and our record."""
        # A job older than the content is about another content of the same name.
        oldest = recording.last_modified - timedelta(seconds=5)
        for row in assemblyai.recent_transcripts():
            if (
                row.status != "error"
                and row.created_at >= oldest
                and names_object(row.audio_url, dropped.bucket, dropped.key)
            ):
                logger.warning("found the job of an interrupted run", transcript_id=row.id)
                return row.id
        return None

    def _post(
        self, assemblyai: AssemblyAI, dropped: DroppedObject, asked: dict[str, object], warnings: list[str]
    ) -> str:
        """Make the job. Speech models that AssemblyAI has retired are replaced once, in `asked` too."""
        addresses = {
            "audio_url": self._recordings.link(dropped.bucket, dropped.key, self._settings.recording_url_seconds),
            "webhook_url": webhook_address(self._settings.webhook_url, dropped.key),
            "webhook_auth_header_name": WEBHOOK_KEY_HEADER,
            "webhook_auth_header_value": self._webhook_key(),
        }
        try:
            return assemblyai.submit(asked | addresses)
        except RequestRefused as refusal:
            models = replacement_models(refusal.detail)
            if models is None:
                raise
            wanted = ",".join(self._settings.speech_models)
            if models:
                asked["speech_models"] = list(models)
            else:
                asked.pop("speech_models", None)
            instead = ",".join(models) or "the account's default"
            warnings.append(f"AssemblyAI refused the speech models {wanted}; {instead} was used instead.")
            logger.warning("speech models refused", wanted=wanted, instead=instead)
            count("SpeechModelsReplaced")
            return assemblyai.submit(asked | addresses)
