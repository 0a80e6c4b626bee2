"""Which objects there are about each recording, by listing both buckets."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from callcoach.acceptance import is_folder
from callcoach.documents import Kind, document_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_KINDS: tuple[Kind, ...] = ("submissions", "scorecards", "failures")

# What is being done, how much of it is done, and of how much if that is known.
Progress = Callable[[str, int, int | None], None]


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


class Listed(msgspec.Struct, frozen=True):
    """An object in a listing."""

    written_at: datetime
    etag: str
    size_bytes: int


class Traces(msgspec.Struct):
    """The objects about one recording; None where there is none."""

    recording: Listed | None = None
    submissions: Listed | None = None
    scorecards: Listed | None = None
    failures: Listed | None = None

    @property
    def outcome(self) -> tuple[Literal["scored", "failed"], Listed] | None:
        """The later outcome. A failure is deleted when a scorecard replaces it, so of two at once it is the later."""
        scored, failed = self.scorecards, self.failures
        if failed and (not scored or failed.written_at >= scored.written_at):
            return "failed", failed
        return ("scored", scored) if scored else None

    @property
    def began_at(self) -> datetime:
        """When the recording was dropped; where it is gone, the earliest that is still known."""
        if self.recording:
            return self.recording.written_at
        return min(listed.written_at for listed in self._written)

    @property
    def is_dropped_later(self) -> bool:
        """Whether the recording is later than all that is written about it."""
        recording = self.recording
        return recording is not None and all(listed.written_at < recording.written_at for listed in self._written)

    @property
    def _written(self) -> list[Listed]:
        return [listed for listed in (self.submissions, self.scorecards, self.failures) if listed]


class Tracer:
    """Finds what there is about the recordings of one stack.

    prefix: what the keys of all recordings begin with.
    """

    def __init__(
        self, client: "S3Client", recordings: str, scorecards: str, *, prefix: str, progress: Progress
    ) -> None:
        self._client = client
        self._recordings = recordings
        self._scorecards = scorecards
        self._prefix = prefix
        self._progress = progress

    def of(self, recording: str) -> Traces | None:
        """Return the objects about one recording; None when there are none."""
        traces = Traces(recording=self._exactly(self._recordings, recording))
        for kind in _KINDS:
            setattr(traces, kind, self._exactly(self._scorecards, document_key(kind, recording)))
        return None if traces == Traces() else traces

    def written_at(self, kind: Kind, recording: str) -> datetime | None:
        """Return when a document about a recording was written; None when there is none."""
        listed = self._exactly(self._scorecards, document_key(kind, recording))
        return listed.written_at if listed else None

    def all(self, prefix: str = "") -> dict[str, Traces]:
        """Return all recordings whose keys begin with a prefix, and all of which something is written."""
        with ThreadPoolExecutor(len(_KINDS) + 1) as pool:
            start = prefix if prefix.startswith(self._prefix) else self._prefix
            dropped = pool.submit(self._listing, self._recordings, start, "recordings listed")
            written = {
                kind: pool.submit(self._listing, self._scorecards, f"{kind}/{prefix}", f"{kind}/ listed")
                for kind in _KINDS
            }
        found = {
            key: Traces(recording=listed)
            for key, listed in dropped.result().items()
            if key.startswith(prefix) and not is_folder(key, listed.size_bytes)
        }
        for kind, listing in written.items():
            recordings = {document_key(kind, key): key for key in found}
            for name, listed in listing.result().items():
                key = recordings.get(name) or self._named_in(kind, name)
                if key is not None:
                    setattr(found.setdefault(key, Traces()), kind, listed)
        return found

    def _listing(self, bucket: str, prefix: str, told: str) -> dict[str, Listed]:
        found: dict[str, Listed] = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found |= {entry["Key"]: _listed(entry) for entry in page.get("Contents", [])}
            self._progress(told, len(found), None)
        return found

    def _exactly(self, bucket: str, key: str) -> Listed | None:
        """Return an object. A listing begins with the one whose key is the prefix itself."""
        page = self._client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return next((_listed(entry) for entry in page.get("Contents", []) if entry["Key"] == key), None)

    def _named_in(self, kind: Kind, name: str) -> str | None:
        """Return the recording that a document is about. A name that was cut does not say, but its content does."""
        key = name.removeprefix(f"{kind}/").rpartition(".")[0]
        if document_key(kind, key) == name:
            return key
        body = self._client.get_object(Bucket=self._scorecards, Key=name)["Body"].read()
        try:
            named = msgspec.json.decode(body, type=_Named)
        except msgspec.DecodeError:
            return None
        return named.call.recording if named.call else named.recording or None


class _Call(msgspec.Struct):
    recording: str | None = None


class _Named(msgspec.Struct):
    """What names the recording in a document of any kind."""

    recording: str = ""
    call: _Call | None = None


def _listed(entry: "ObjectTypeDef") -> Listed:
    return Listed(written_at=entry["LastModified"], etag=entry["ETag"].strip('"'), size_bytes=entry["Size"])
