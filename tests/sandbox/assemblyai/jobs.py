"""The life of transcription jobs: queued, downloaded, processing, finished, called back, deleted."""

import http.client
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.assemblyai.billing import Ledger, recording_key
from tests.sandbox.assemblyai.clock import Clock
from tests.sandbox.assemblyai.network import Network
from tests.sandbox.assemblyai.outcomes import Outcome, failure
from tests.sandbox.assemblyai.samples import sha256
from tests.sandbox.assemblyai.transcripts import UPLOADS_URL, Account, deleted, new_transcript, refuse
from tests.sandbox.assemblyai.webhooks import Delivery, deliver

QUEUED_PART = 0.25  # of the delay of a job; the rest is processing
DOWNLOAD_TIMEOUT_SECONDS = 30.0  # real ones: a scaled clock does not make a download faster


@dataclass
class Job:
    """A submitted transcription. `history` holds each status with the service's second at which it began."""

    id: str
    transcript: dict[str, Any]
    fields: Mapping[str, Any]
    created: str
    completed: str | None = None
    delivery: Delivery | None = None
    history: list[tuple[str, float]] = field(default_factory=list)
    hurry: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def recording(self) -> str:
        """The key of the recording."""
        return recording_key(self.fields["audio_url"])

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
        outcomes: Mapping[str, Outcome],
        network: Network,
        clock: Clock,
        delay_seconds: float,
        *,
        ledger: Ledger,
    ) -> None:
        self.by_id: dict[str, Job] = {}
        self.deliveries: list[Delivery] = []
        self.outcomes = dict(outcomes)
        self.endless: set[str] = set()
        self.online = threading.Event()
        self.online.set()
        self._account = account
        self._ledger = ledger
        self._network = network
        self._clock = clock
        self._delay_seconds = delay_seconds
        self._uploads: dict[str, bytes] = {}
        self._running = 0
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._place_freed = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []

    @property
    def account(self) -> Account:
        """Whose jobs these are; as many run at once as it may have."""
        return self._account

    @account.setter
    def account(self, account: Account) -> None:
        with self._lock:
            self._account = account
            self._place_freed.notify_all()

    def submit(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Queue a job for checked `fields` and return its transcript object.

        Raises RefusedError (403) for somebody else's upload.
        """
        url = fields["audio_url"]
        if url.startswith(UPLOADS_URL) and url not in self._uploads:
            raise refuse(403, "Cannot access uploaded file")
        transcript_id = str(uuid.uuid4())
        transcript = new_transcript(transcript_id, fields, self.account)
        job = Job(transcript_id, transcript, fields, created=_now())
        thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        with self._lock:
            unfinished = sum(other.completed is None for other in self.by_id.values())
            transcript["throttled"] = True if unfinished >= self.account.concurrent_jobs else None
            self.by_id[transcript_id] = job
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            self._enter(job, "queued")
        queued = job.view
        thread.start()
        return queued

    def teach(self, digest: str, outcome: Outcome) -> None:
        """Let jobs of the recording with this digest come to this, from now on, and to their end."""
        self.outcomes[digest] = outcome
        self.endless.discard(digest)

    def find(self, transcript_id: str) -> Job | None:
        """Return a job, finished or not, deleted or not."""
        return self.by_id.get(transcript_id)

    def upload(self, body: bytes) -> str:
        """Keep `body` and return the address under which only this service reads it."""
        url = f"{UPLOADS_URL}/{sha256(body)[:16]}/{uuid.uuid4()}"
        self._uploads[url] = body
        return url

    def delete(self, job: Job) -> None:
        """Wipe the transcript and the upload it was made from."""
        with self._lock:
            self._uploads.pop(job.fields["audio_url"], None)
            job.transcript = deleted(job.transcript)
            job.hurry.set()

    def newest_first(self) -> list[Job]:
        """Return all jobs, the last submitted first."""
        with self._lock:
            return list(reversed(self.by_id.values()))

    def stop(self) -> None:
        """Give up all waiting: unfinished jobs stay as they are, undelivered webhooks are not tried again."""
        self._stop.set()
        self.online.set()
        with self._lock:
            self._place_freed.notify_all()
            for job in self.by_id.values():
                job.hurry.set()
        for thread in self._threads:
            thread.join(timeout=1.0)

    def _run(self, job: Job) -> None:
        with self._place():
            self._clock.wait(job.hurry, self._delay_seconds * QUEUED_PART)
            with self._lock:
                if self._over(job):
                    return
                self._enter(job, "processing")
            # The recording is fetched now, not at submission: a presigned URL must still be good.
            outcome = self._outcome(job)
        with self._lock:
            if self._over(job):
                return
            try:
                job.transcript = outcome(job.transcript)
            except ValueError as problem:
                job.transcript = failure(str(problem))(job.transcript)
            # A taught transcript may have any status, but the job knows how it ended.
            status = "error" if job.transcript.get("status") == "error" else "completed"
            self._call_back(job, status)
            job.completed = _now()
            job.history.append((status, self._clock.now()))
            if status == "completed":
                self._ledger.add_transcript(job.recording, job.transcript)
        if job.delivery is not None:
            deliver(job.delivery, self._network, self._clock, online=self.online, stop=self._stop)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for jobs that run at the same time, as soon as one is free."""
        with self._place_freed:
            self._place_freed.wait_for(lambda: self._stop.is_set() or self._running < self.account.concurrent_jobs)
            self._running += 1
        try:
            yield
        finally:
            with self._place_freed:
                self._running -= 1
                self._place_freed.notify()

    def _over(self, job: Job) -> bool:
        return self._stop.is_set() or bool(job.transcript.get("is_deleted"))

    def _enter(self, job: Job, status: str) -> None:
        job.history.append((status, self._clock.now()))
        job.transcript = {**job.transcript, "status": status}

    def _outcome(self, job: Job) -> Outcome:
        """Fetch the recording, take the time that a transcription takes, and return what it comes to."""
        rest_seconds = self._delay_seconds * (1 - QUEUED_PART)
        try:
            sound = self._sound(job.fields["audio_url"])
        except DownloadError as problem:
            self._clock.wait(job.hurry, rest_seconds)
            return failure(str(problem))
        digest = sha256(sound)
        self._clock.wait(job.hurry, None if digest in self.endless else rest_seconds)
        unknown = failure(
            "This stand-in for AssemblyAI cannot hear: it knows only the recordings in tests/data/calls "
            f"and what it is taught, and this is none of them (SHA-256 {digest[:12]}, {len(sound):,} bytes)."
        )
        return self.outcomes.get(digest, unknown)

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

    def _call_back(self, job: Job, status: str) -> None:
        if job.fields.get("webhook_url") is None:
            return
        headers = {}
        if name := job.fields.get("webhook_auth_header_name"):
            headers[name] = job.fields["webhook_auth_header_value"]
        job.delivery = Delivery(job.id, job.fields["webhook_url"], status, headers)
        self.deliveries.append(job.delivery)


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
