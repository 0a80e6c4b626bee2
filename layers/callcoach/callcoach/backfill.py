"""Recordings of which nothing came get the event that they should have had.

S3's event orders the drops under one name by its sequencer, so ours has to have one: later than that of any outcome
that is written, earlier than any that S3 may still send, and the same each time for the same content. A sequencer is
compared as text that is padded with zeros on its right (documents.is_earlier), so it is the last known one with
something behind it; where none is known it begins with more zeros than any of S3's, which begin with a date.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from callcoach.acceptance import refusal
from callcoach.calls import Calls
from callcoach.documents import is_earlier
from callcoach.names import Drop
from callcoach.pricing import about_usd, usual_cost
from callcoach.traces import Listed, Traces

# What a second of speech mostly takes: compressed, and as plain samples.
COMPRESSED_BYTES_PER_SECOND = 8_000
PLAIN_BYTES_PER_SECOND = 32_000
_PLAIN_SUFFIXES = (".aif", ".aiff", ".au", ".wav")

# No sequencer of S3 begins with so many.
_FIRST = "0" * 8


class Backfill(msgspec.Struct, frozen=True):
    """Which recordings are submitted, and why the others are not: their state, or why SubmitFunction would refuse."""

    submitted: dict[str, Listed]
    skipped: dict[str, str]

    @property
    def size_bytes(self) -> int:
        """How large they are together."""
        return sum(listed.size_bytes for listed in self.submitted.values())

    @property
    def hours(self) -> float:
        """About how many hours of sound they are."""
        return sum(_seconds(key, listed.size_bytes) for key, listed in self.submitted.items()) / 3600


def plan_backfill(found: Mapping[str, Traces], calls: Calls, *, named: bool) -> Backfill:
    """Choose the recordings of which nothing came.

    named: somebody named each of them, so of a file whose type S3 may know better SubmitFunction decides.
    """
    waiting = set(calls.not_submitted(found))
    submitted: dict[str, Listed] = {}
    skipped: dict[str, str] = {}
    for key, traces in found.items():
        recording = traces.recording
        if recording is None:
            skipped[key] = "recording_gone"
        elif key not in waiting:
            skipped[key] = traces.outcome[0] if traces.outcome else "submitted"
        elif (reason := refusal(key, recording.size_bytes)) and not (named and reason == "not_a_recording"):
            skipped[key] = reason
        else:
            submitted[key] = recording
    return Backfill(submitted, skipped)


def last_sequencer(key: str, traces: Traces, calls: Calls) -> str:
    """Return the latest sequencer in what is written about a recording; "" where there is none."""
    records = (calls.submission(key, traces), calls.failure(key, traces))
    submitted, failed = ((record.sequencer if record else None) or "" for record in records)
    return failed if is_earlier(submitted, failed) else submitted


def object_created(bucket: str, key: str, recording: Listed, last: str, *, quiet: bool = False) -> str:
    """Return the message that S3's event about a recording would be.

    last: the latest sequencer that is known; quiet: as documents.Submission has it.
    """
    content = hashlib.sha256(recording.etag.encode()).hexdigest()[:8]
    sequencer = f"{last or _FIRST}{int(recording.written_at.timestamp()):08X}{content.upper()}"
    return Drop(bucket, key, recording.etag, sequencer, size_bytes=recording.size_bytes, quiet=quiet).event


def cost(plan: Backfill, *, channels: int, speech_models: Sequence[str], coach_models: Sequence[str]) -> str:
    """Return in words about what AssemblyAI takes for recordings, by their sizes alone."""
    calls = len(plan.submitted)
    plural = "" if calls == 1 else "s"
    about = usual_cost(calls, plan.hours, coach_models, speech_models, channels=channels)
    return (
        f"{calls} recording{plural}, {plan.size_bytes / 1e6:,.1f} MB: about {plan.hours:,.1f} hours of"
        f" sound if compressed as usual,\nwhich AssemblyAI transcribes and coaches for {about_usd(about)}."
    )


def _seconds(key: str, size_bytes: int) -> float:
    is_plain = PurePosixPath(key).suffix.lower() in _PLAIN_SUFFIXES
    return size_bytes / (PLAIN_BYTES_PER_SECOND if is_plain else COMPRESSED_BYTES_PER_SECOND)
