"""What lies in the scorecards bucket: how the objects are named, and the records that both functions write or read."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Literal

import msgspec

Kind = Literal["submissions", "transcripts", "replies", "reports", "scorecards", "failures", "overrides"]

# S3's limit for a key, in UTF-8.
KEY_LIMIT_BYTES = 1024

_SUFFIXES: dict[Kind, str] = {
    "submissions": ".json",
    "transcripts": ".json",
    "replies": ".json",
    "reports": ".html",
    "scorecards": ".json",
    "failures": ".json",
    "overrides": ".json",
}

# How a name that was cut ends.
_CUT = re.compile(r"~[0-9a-f]{64}\Z")


def document_key(kind: Kind, recording_key: str) -> str:
    """Return where the document of that kind about a recording lies: kind/recording_key.suffix.

    A name that S3 would refuse as too long is cut and ends in the SHA-256 of the recording's key instead; and one that
    could be taken for such a name, so that no two recordings share one.
    """
    suffix = _SUFFIXES[kind]
    key = f"{kind}/{recording_key}{suffix}"
    if len(key.encode()) <= KEY_LIMIT_BYTES and not _CUT.search(recording_key):
        return key
    end = f"~{hashlib.sha256(recording_key.encode()).hexdigest()}{suffix}"
    room = KEY_LIMIT_BYTES - len(f"{kind}/{end}")
    return f"{kind}/{recording_key.encode()[:room].decode(errors='ignore')}{end}"


def encode_key(recording_key: str) -> str:
    """Return a recording's key as it stands in addresses and message attributes: base64url without padding."""
    return base64.urlsafe_b64encode(recording_key.encode()).decode().rstrip("=")


def decode_key(text: str) -> str | None:
    """Return the recording's key that encode_key wrote; None for any other text."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        # No base64, or no UTF-8.
        return None
    # Python passes over what is no base64, and more than one text can stand for the same bytes.
    return key if encode_key(key) == text else None


class Recording(msgspec.Struct, frozen=True):
    """What S3 knows about a recording. metadata: the x-amz-meta-* fields without that prefix."""

    etag: str
    size_bytes: int
    content_type: str
    last_modified: datetime
    metadata: dict[str, str]


class Notice(msgspec.Struct, frozen=True):
    """Something that a reader of the scorecard should know."""

    code: str
    text: str


class CallDetails(msgspec.Struct, frozen=True):
    """Who was on the call, as the recording's metadata or its key says; null where neither does."""

    recorded_at: str | None = None
    recorded_at_source: Literal["metadata", "path", "object"] | None = None
    rep: str | None = None
    customer: str | None = None
    team: str | None = None
    call_type: str | None = None
    call_type_source: Literal["metadata", "path", "override"] | None = None


class Submission(msgspec.Struct, frozen=True):
    """submissions/<recording key>.json: what was asked of AssemblyAI for which content.

    asked: the request's options, without the recording's link and the webhook's key.
    rep_channel: 1 or 2 where each side has a channel of its own, 0 where speakers are told apart by voice.
    dropped_at: when the object was written; open_job: its place among the jobs that AssemblyAI has in hand;
    resubmissions: how often this drop was submitted before, because AssemblyAI could not fetch the recording;
    quiet: no e-mail is sent about it.
    """

    bucket: str
    recording: str
    etag: str
    size_bytes: int
    sequencer: str
    transcript_id: str
    submitted_at: str
    overdue_after_seconds: int
    deadline_at: str
    call: CallDetails
    asked: dict[str, object]
    rep_channel: int = 0
    warnings: list[Notice] = []
    dropped_at: str = ""
    open_job: str = ""
    resubmissions: int = 0
    quiet: bool = False


class Failure(msgspec.Struct, frozen=True):
    """failures/<recording key>.json: why there is no scorecard, and what to do about it.

    sequencer: of the drop that it is about; a later drop's outcome replaces it. quiet: no e-mail was sent about it.
    """

    recording: str
    stage: Literal["submit", "transcribe", "score"]
    reason: str
    detail: str
    next_step: str
    retryable: bool
    transcript_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    quiet: bool = False


class Override(msgspec.Struct, frozen=True):
    """overrides/<recording key>.json: what an operator has put right about one transcript, read whenever it is scored.

    request_id: of the last rescore; without this record nobody is believed to have asked for one. roles: the side of
    each label, {} where AssemblyAI's identification stands; call_type: None where what the recording says stands.
    """

    recording: str
    transcript_id: str
    request_id: str
    roles: dict[str, Literal["rep", "customer"]] = {}
    call_type: str | None = None


def is_earlier(sequencer: str, other: str) -> bool:
    """Return whether a drop came before another one of the same key.

    S3 says: pad the shorter of the two with zeros on its right, and compare them as text.
    """
    length = max(len(sequencer), len(other))
    return sequencer.ljust(length, "0") < other.ljust(length, "0")


_encoder = msgspec.json.Encoder(order="sorted")


def encode(document: msgspec.Struct) -> bytes:
    """One line of JSON with sorted keys, so that the same content gives the same bytes."""
    return _encoder.encode(document)
