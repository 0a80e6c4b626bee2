"""Forgetting a call: taking away all that is kept of one recording, here and at AssemblyAI."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from callcoach.assemblyai import AssemblyAI
from callcoach.documents import Kind, encode_key
from callcoach.errors import InProgress, MalformedMessage
from callcoach.names import Drop, names_object, once_id, scoring_id, scoring_identity
from callcoach.polling import Polled, remove_messages
from callcoach.state import State
from callcoach.storage import Documents, Recordings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# AssemblyAI lists no older transcripts.
LISTED = timedelta(days=90)

# A run that has the call in hand ends by then, and what is held here is free again if this process is killed.
HELD_SECONDS = 900.0
LOOK_AGAIN_SECONDS = 1.0

_KINDS: tuple[Kind, ...] = ("scorecards", "reports", "replies", "transcripts", "failures", "overrides", "submissions")


class Forgotten(msgspec.Struct, frozen=True):
    """What was taken away; 0 and [] where there was nothing.

    recording, documents: versions; None for a recording that was to be kept. transcripts: ids at AssemblyAI, of which
    some may have been gone. messages, out_of_sight: by queue; the latter are hidden or delayed, of whatever recording.
    state_items: in the table. before_at: when the recording was forgotten before, seconds since 1970, or 0.
    """

    recording: int | None
    documents: dict[Kind, int]
    transcripts: list[str]
    messages: dict[str, int]
    out_of_sight: dict[str, int]
    state_items: int
    before_at: float

    @property
    def is_nothing(self) -> bool:
        """Whether there was nothing to take away."""
        counts = [self.recording or 0, *self.documents.values(), *self.messages.values(), self.state_items]
        return not self.transcripts and not any(counts)


class _Call(msgspec.Struct):
    transcript_id: str | None = None


class _Mentions(msgspec.Struct):
    """What a document of any kind, or a callback, says about where else the call is kept."""

    id: str | None = None
    transcript_id: str | None = None
    call: _Call | None = None
    request_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    resubmissions: int = 0

    @property
    def transcript_ids(self) -> set[str]:
        """The transcripts that it is about."""
        said = (self.id, self.transcript_id, self.call and self.call.transcript_id)
        return {transcript_id for transcript_id in said if transcript_id}


class _Known(msgspec.Struct):
    """What was dropped under a recording's name, and the transcripts of it, as far as anybody knows.

    rescores: transcripts, each with the id of the last request to score it again.
    """

    drops: set[Drop] = msgspec.field(default_factory=set)
    transcript_ids: set[str] = msgspec.field(default_factory=set)
    rescores: set[tuple[str, str]] = msgspec.field(default_factory=set)


class Forgetter:
    """Forgets recordings of one stack.

    assemblyai: None where AssemblyAI is to be left out. queue_urls: of all queues, by name. waiting: called once when a
    run of a function has to end first.
    """

    def __init__(
        self,
        bucket: str,
        *,
        recordings: Recordings,
        documents: Documents,
        state: State,
        sqs: "SQSClient",
        queue_urls: Mapping[str, str],
        assemblyai: AssemblyAI | None,
        waiting: Callable[[], None],
    ) -> None:
        self._bucket = bucket
        self._recordings = recordings
        self._documents = documents
        self._state = state
        self._sqs = sqs
        self._queue_urls = queue_urls
        self._assemblyai = assemblyai
        self._waiting = waiting

    def forget(self, recording: str, *, keep_recording: bool = False) -> Forgotten:
        """Take away all that is kept of a recording. May be repeated.

        Nothing is taken away before AssemblyAI has deleted its part. Raises InProgress when a run does not end.
        """
        call = Drop(self._bucket, recording)
        with ExitStack() as held:
            # From here on nothing is submitted under this name, so what is known of it does not change.
            self._hold(held, partial(self._state.lease, call.lease, HELD_SECONDS))
            before_at, left_to_do = self._state.forgotten(call.lease)
            known = self._known(recording, left_to_do)
            for transcript_id in known.transcript_ids:
                self._hold(held, partial(self._state.idle, _scored_once(transcript_id), HELD_SECONDS))
                self._hold(held, partial(self._state.lease, scoring_id(transcript_id), HELD_SECONDS))
            if self._assemblyai:
                for transcript_id in known.transcript_ids:
                    self._assemblyai.delete_transcript(transcript_id)
            if known != _Known():
                self._state.note_forgotten(call.lease, msgspec.json.encode(known))
            versions = None if keep_recording else self._recordings.remove(self._bucket, recording)
            documents = {kind: self._documents.remove(kind, recording) for kind in _KINDS}
            polled = self._remove_messages(recording, known.transcript_ids)
            # The transcripts that a callback names are not believed: whoever has the webhook's key may write one.
            known.drops.update(
                drop for messages in polled.values() for body in messages.removed for drop in _drops_in(body, call)
            )
            forgotten = Forgotten(
                recording=versions,
                documents=documents,
                transcripts=sorted(known.transcript_ids) if self._assemblyai else [],
                messages={queue: len(messages.removed) for queue, messages in polled.items()},
                out_of_sight={queue: messages.out_of_sight for queue, messages in polled.items()},
                state_items=self._remove_items(known),
                before_at=before_at,
            )
            if before_at or not forgotten.is_nothing:
                self._state.note_forgotten(call.lease)
        return forgotten

    def _hold(self, held: ExitStack, take: Callable[[], AbstractContextManager[None]]) -> None:
        """Take what a run of a function may have in hand, when that run has ended."""
        deadline = time.monotonic() + HELD_SECONDS
        told = False
        while True:
            try:
                held.enter_context(take())
            except InProgress:
                if time.monotonic() > deadline:
                    raise
                if not told:
                    self._waiting()
                    told = True
                time.sleep(LOOK_AGAIN_SECONDS)
            else:
                return

    def _known(self, recording: str, left_to_do: bytes) -> _Known:
        """Return what is known of a recording, also to an earlier run that was interrupted."""
        known = msgspec.json.decode(left_to_do, type=_Known) if left_to_do else _Known()
        for kind in _KINDS:
            said = _mentions(self._documents.read(kind, recording) or b"")
            known.transcript_ids.update(said.transcript_ids)
            if said.request_id and said.transcript_id:
                known.rescores.add((said.transcript_id, said.request_id))
            if said.sequencer:
                drop = Drop(self._bucket, recording, said.etag or "", said.sequencer, said.resubmissions)
                known.drops.update(_with_repetitions(drop))
        if self._assemblyai:
            for row in self._assemblyai.transcripts_since(datetime.now(UTC) - LISTED):
                if names_object(row.audio_url, self._bucket, recording):
                    known.transcript_ids.add(row.id)
        return known

    def _remove_messages(self, recording: str, transcript_ids: Collection[str]) -> dict[str, Polled]:
        """Remove the messages about a recording from all queues side by side: each is waited for a second."""
        encoded, call = encode_key(recording), Drop(self._bucket, recording)

        def concerns(body: str, attributes: Mapping[str, str]) -> bool:
            if attributes.get("recording") == encoded or _drops_in(body, call):
                return True
            return not _mentions(body).transcript_ids.isdisjoint(transcript_ids)

        with ThreadPoolExecutor(len(self._queue_urls)) as pool:
            polling = {
                queue: pool.submit(remove_messages, self._sqs, url, concerns) for queue, url in self._queue_urls.items()
            }
        return {queue: polled.result() for queue, polled in polling.items()}

    def _remove_items(self, known: _Known) -> int:
        """Remove what the table keeps of the work, and return how many items that was."""
        ids = {f"progress#{drop.work_id}" for drop in known.drops}
        ids |= {once_id("submit", drop.identity) for drop in known.drops}
        ids |= {f"progress#{scoring_id(transcript_id)}" for transcript_id in known.transcript_ids}
        ids |= {_scored_once(transcript_id) for transcript_id in known.transcript_ids}
        ids |= {_scored_once(*rescore) for rescore in known.rescores}
        # Nobody knows any more the drop of a content that was replaced since, nor an earlier rescore: they name the
        # transcript.
        ids |= set(self._state.naming(known.transcript_ids))
        for place in {drop.open_job for drop in known.drops}:
            self._state.close_job(place)
        return sum(map(self._state.remove, sorted(ids)))


def _scored_once(transcript_id: str, request_id: str = "") -> str:
    return once_id("scorecard", scoring_identity(transcript_id, request_id))


def _mentions(body: bytes | str) -> _Mentions:
    try:
        return msgspec.json.decode(body, type=_Mentions)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Mentions()


def _drops_in(body: str, call: Drop) -> list[Drop]:
    """Return what a message of RecordingsQueue says was dropped, if it was dropped under that name."""
    try:
        dropped = Drop.from_event(body)
    except MalformedMessage:
        return []
    is_of_call = (dropped.bucket, dropped.recording) == (call.bucket, call.recording)
    return list(_with_repetitions(dropped)) if is_of_call else []


def _with_repetitions(drop: Drop) -> Iterator[Drop]:
    """Yield a drop as it was submitted at first and each time again, and as it may be about to be."""
    for resubmissions in range(drop.resubmissions + 2):
        yield msgspec.structs.replace(drop, resubmissions=resubmissions)
