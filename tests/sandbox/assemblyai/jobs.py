"""The life of transcription jobs: queued, downloaded, processing, finished, called back, deleted."""

import hashlib
import http.client
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.assemblyai import understanding
from tests.sandbox.assemblyai.clock import Clock
from tests.sandbox.assemblyai.network import Network
from tests.sandbox.assemblyai.transcripts import (
    UPLOADS_URL,
    Account,
    complete,
    deleted,
    new_transcript,
    refuse,
)
from tests.sandbox.assemblyai.webhooks import Delivery, deliver

QUEUED_PART = 0.25  # of the delay of a job; the rest is processing
DOWNLOAD_TIMEOUT_SECONDS = 30.0  # real ones: a scaled clock does not make a download faster


@dataclass
class Job:
    """A submitted transcription. `history` holds each status with the service's second at which it began."""

    transcript: dict[str, Any]
    fields: Mapping[str, Any]
    created: str
    completed: str | None = None
    delivery: Delivery | None = None
    history: list[tuple[str, float]] = field(default_factory=list)

    @property
    def view(self) -> dict[str, Any]:
        """The transcript object as GET shows it now."""
        code = self.delivery.status_code if self.delivery else None
        return {**self.transcript, "webhook_status_code": code}


class DownloadError(Exception):
    """The recording cannot be had; the text is the transcript's `error`."""


class Jobs:
    """All transcripts and uploads of one account."""

    def __init__(
        self,
        account: Account,
        samples: Mapping[str, Mapping[str, Any]],
        network: Network,
        clock: Clock,
        delay_seconds: float,
    ) -> None:
        self.by_id: dict[str, Job] = {}
        self.deliveries: list[Delivery] = []
        self.transcribed = Counter[str]()
        self._account = account
        self._samples = samples
        self._network = network
        self._clock = clock
        self._delay_seconds = delay_seconds
        self._uploads: dict[str, bytes] = {}
        self._places = threading.Semaphore(account.concurrent_jobs)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def submit(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Queue a job for checked `fields` and return its transcript object.

        Raises RefusedError (403) for somebody else's upload.
        """
        url = fields["audio_url"]
        if url.startswith(UPLOADS_URL) and url not in self._uploads:
            raise refuse(403, "Cannot access uploaded file")
        transcript = new_transcript(str(uuid.uuid4()), fields, self._account)
        job = Job(transcript, fields, created=_now())
        thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        with self._lock:
            unfinished = sum(other.completed is None for other in self.by_id.values())
            transcript["throttled"] = True if unfinished >= self._account.concurrent_jobs else None
            self.by_id[transcript["id"]] = job
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            self._enter(job, "queued")
        queued = job.view
        thread.start()
        return queued

    def find(self, transcript_id: str) -> Job | None:
        """Return a job, finished or not, deleted or not."""
        return self.by_id.get(transcript_id)

    def upload(self, body: bytes) -> str:
        """Keep `body` and return the address under which only this service reads it."""
        url = f"{UPLOADS_URL}/{hashlib.sha256(body).hexdigest()[:16]}/{uuid.uuid4()}"
        self._uploads[url] = body
        return url

    def delete(self, job: Job) -> None:
        """Wipe the transcript and the upload it was made from."""
        with self._lock:
            self._uploads.pop(job.transcript["audio_url"], None)
            job.transcript = deleted(job.transcript)

    def newest_first(self) -> list[Job]:
        """Return all jobs, the last submitted first."""
        with self._lock:
            return list(reversed(self.by_id.values()))

    def stop(self) -> None:
        """Give up all waiting: unfinished jobs stay as they are, undelivered webhooks are not tried again."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=1.0)

    def _run(self, job: Job) -> None:
        with self._places:
            if self._clock.wait(self._stop, self._delay_seconds * QUEUED_PART):
                return
            with self._lock:
                if job.transcript["is_deleted"]:
                    return
                self._enter(job, "processing")
                asked = job.transcript
            # The recording is fetched now, not at submission: a presigned URL must still be good.
            results = self._results(asked)
            if self._clock.wait(self._stop, self._delay_seconds * (1 - QUEUED_PART)):
                return
        with self._lock:
            if job.transcript["is_deleted"]:
                return
            self._call_back(job, results["status"])
            job.transcript = {**job.transcript, **results}
            job.completed = _now()
            job.history.append((results["status"], self._clock.now()))
            self.transcribed[results["status"]] += 1
        if job.delivery is not None:
            deliver(job.delivery, self._network, self._clock, self._stop)

    def _enter(self, job: Job, status: str) -> None:
        job.history.append((status, self._clock.now()))
        job.transcript = {**job.transcript, "status": status}

    def _results(self, transcript: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the end of the job changes: the results, or the status `error` and its text."""
        try:
            sample = self._sample(self._sound(transcript["audio_url"]))
            results = complete(transcript, sample)
        except (DownloadError, ValueError) as problem:
            return {"status": "error", "error": str(problem)}
        if asked := transcript["speech_understanding"]:
            # Asked for together with the transcript, identification relabels the transcript itself.
            task = understanding.check_understanding(asked)
            found = understanding.identify_speakers(task, results)
            results["speech_understanding"] = found["speech_understanding"]
            results["utterances"] = found["utterances"]
            results["words"] = [word for utterance in found["utterances"] for word in utterance["words"]]
        return results

    def _sound(self, url: str) -> bytes:
        if url in self._uploads:
            sound = self._uploads[url]
            if sound[:1] in (b"{", b"["):
                raise DownloadError("Transcoding failed. File type application/json")
            return sound
        try:
            answer = self._network.get(url, timeout_seconds=DOWNLOAD_TIMEOUT_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(
                f"Download error, unable to download {url}. "
                "Please make sure the file exists and is accessible from the internet."
            ) from error
        if answer.status >= 400:
            side = "Client" if answer.status < 500 else "Server"
            raise DownloadError(
                f"Download error to {url}, {answer.status} {side} Error: {answer.reason} for url: {url}"
            )
        kind = answer.content_type.partition(";")[0]
        if kind.startswith("text/") or kind in ("application/xml", "application/json"):
            raise DownloadError(f"File does not appear to contain audio. File type is {kind}")
        return answer.body

    def _sample(self, sound: bytes) -> Mapping[str, Any]:
        digest = hashlib.sha256(sound).hexdigest()
        if digest not in self._samples:
            raise DownloadError(
                "This stand-in for AssemblyAI cannot hear: it knows only the recordings in tests/data/calls, "
                f"and this is none of them (SHA-256 {digest[:12]}, {len(sound):,} bytes)."
            )
        return self._samples[digest]

    def _call_back(self, job: Job, status: str) -> None:
        if job.fields.get("webhook_url") is None:
            return
        headers = {}
        if name := job.fields.get("webhook_auth_header_name"):
            headers[name] = job.fields["webhook_auth_header_value"]
        job.delivery = Delivery(job.transcript["id"], job.fields["webhook_url"], status, headers)
        self.deliveries.append(job.delivery)


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
