"""The names under which a recording's work is kept in the state table, and its link known at AssemblyAI. Pure.

A name is a hash wherever the recording's own name would stand in it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec

from callcoach.errors import MalformedMessage


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: Annotated[str, msgspec.Meta(min_length=1)]
    etag: str = ""
    sequencer: str = ""
    size: int = 0


class _Detail(msgspec.Struct):
    bucket: _Bucket
    object: _Object
    resubmissions: int = 0
    quiet: bool = False


class _ObjectCreated(msgspec.Struct):
    detail: _Detail


class Drop(msgspec.Struct, frozen=True):
    """One content that was dropped under a recording's name, as far as it is known; "" where it is not.

    sequencer: orders S3's events about one name. resubmissions: how often AssemblyAI failed to fetch it before.
    quiet: whoever submitted it tells people of its outcome, so nobody else does.
    """

    bucket: str
    recording: str
    etag: str = ""
    sequencer: str = ""
    resubmissions: int = 0
    size_bytes: int = 0
    quiet: bool = False

    @property
    def identity(self) -> dict[str, str]:
        """What makes two messages the same piece of work."""
        return {
            "bucket": self.bucket,
            "key": self.recording,
            "sequencer": self.sequencer,
            "resubmissions": str(self.resubmissions),
        }

    @property
    def event(self) -> str:
        """The message of RecordingsQueue that tells of it: EventBridge's event, and what we add."""
        dropped = {"key": self.recording, "etag": self.etag, "size": self.size_bytes, "sequencer": self.sequencer}
        detail = {
            "bucket": {"name": self.bucket},
            "object": dropped,
            "resubmissions": self.resubmissions,
            "quiet": self.quiet,
        }
        # In ASCII: SQS refuses some of the characters that a key may have.
        return json.dumps({"source": "callcoach", "detail-type": "Object Created", "detail": detail})

    @classmethod
    def from_event(cls, body: str) -> "Drop":
        """Read what tells of a drop: EventBridge's event "Object Created" of S3, whose key is not URL-encoded, or ours.

        Raises MalformedMessage when it names no object.
        """
        try:
            detail = msgspec.json.decode(body, type=_ObjectCreated).detail
        except (msgspec.DecodeError, RecursionError) as fault:
            raise MalformedMessage(f"not an Object Created event: {fault}") from fault
        return cls(
            bucket=detail.bucket.name,
            recording=detail.object.key,
            etag=detail.object.etag,
            sequencer=detail.object.sequencer,
            resubmissions=detail.resubmissions,
            size_bytes=detail.object.size,
            quiet=detail.quiet,
        )

    @property
    def work_id(self) -> str:
        """The name of its submission."""
        return f"submit#{_hashed(*self.identity.values())}"

    @property
    def lease(self) -> str:
        """The name that a run holds while it submits: one run for each recording, whatever its content."""
        return f"submit#{_hashed(self.bucket, self.recording)}"

    @property
    def open_job(self) -> str:
        """The name of this content's place among the jobs that AssemblyAI has in hand."""
        return _hashed(self.bucket, self.recording, self.etag, str(self.resubmissions))


def recording_hash(recording: str) -> str:
    """Return what stands for a recording's key in every log line about it."""
    return _hashed(recording)


def scoring_id(transcript_id: str, request_id: str = "") -> str:
    """Return the name of the work on a transcript. request_id: of a rescore, which is work of its own."""
    return f"score#{transcript_id}#{request_id}" if request_id else f"score#{transcript_id}"


def scoring_identity(transcript_id: str, request_id: str = "") -> dict[str, str]:
    """Return what makes two messages the same work on a transcript."""
    return {"transcript_id": transcript_id} | ({"request_id": request_id} if request_id else {})


def once_id(function: str, identity: Mapping[str, str]) -> str:
    """Return the id of the record that Powertools keeps of a piece of work (callcoach.idempotency)."""
    text = json.dumps(identity, sort_keys=True)
    return f"{function}#{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"


def names_object(link: str | None, bucket: str, key: str) -> bool:
    """Return whether a link, whatever its signature, leads to that object (virtual-hosted or path style)."""
    try:
        parts = urlsplit(link or "")
    except ValueError:
        return False
    path = unquote(parts.path)
    return path == f"/{bucket}/{key}" or ((parts.hostname or "").startswith(f"{bucket}.") and path == f"/{key}")


def _hashed(*parts: str) -> str:
    """Return a short name for what the parts say together; none of them can be read from it."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
