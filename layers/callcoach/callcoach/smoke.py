"""One recording on its way through a deployed stack: how long each stage took, and what to do if it does not arrive."""

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from callcoach.calls import Call
from callcoach.documents import Submission
from callcoach.queues import Waiting


class Stages(msgspec.Struct, frozen=True):
    """How long each stage took, from the end of the one before; None where it has not ended."""

    submitted_seconds: float | None = None
    transcribed_seconds: float | None = None
    scored_seconds: float | None = None


def stages(
    dropped_at: datetime, submission: Submission | None, transcript_at: datetime | None, scorecard_at: datetime | None
) -> Stages:
    """Return how long each stage took. The moments are those of S3 and Lambda, whose clocks may differ a little."""
    submitted_at = datetime.fromisoformat(submission.submitted_at) if submission else None
    return Stages(
        submitted_seconds=_between(dropped_at, submitted_at),
        transcribed_seconds=_between(submitted_at, transcript_at),
        scored_seconds=_between(transcript_at, scorecard_at),
    )


def stages_view(took: Stages) -> str:
    """Return a line for each stage that has ended."""
    rows = (
        ("submitted", took.submitted_seconds, "EventBridge, RecordingsQueue, SubmitFunction"),
        ("transcribed", took.transcribed_seconds, "AssemblyAI, its callback, CallbacksQueue"),
        ("scored", took.scored_seconds, "ScorecardFunction: who is who, the coach, the checks"),
    )
    return "\n".join(f"{name:<12} {seconds:>5.0f} s  {where}" for name, seconds, where in rows if seconds is not None)


def stuck(call: Call, waiting: Mapping[str, Waiting], command: Callable[[str], str]) -> str:
    """Return where a call stands that is not scored in time, and what to do. command: makes one about the stack."""
    if call.state == "dropped":
        queue, given_up = waiting["RecordingsQueue"], waiting["RecordingsDlq"]
        if given_up.visible or given_up.hidden:
            told = f"It is not submitted, and RecordingsDlq holds what was given up:\n  {command('redrive --dry-run')}"
        elif queue.visible or queue.hidden:
            told = "It is not submitted: its message is in RecordingsQueue. What for, SubmitFunction's log says."
        else:
            told = (
                "It is not submitted: no event came. Those of a new bucket begin after five minutes; a bucket of your"
                " own needs EventBridge switched on."
            )
    else:
        told = (
            "It is submitted: AssemblyAI works on it, or cannot call back. callcoach asks AssemblyAI itself after a"
            f" while, so it may still be scored. Whether the webhook works:\n  {command('doctor --deployed')}"
        )
    status = command(f"status {shlex.quote(call.recording)}")
    return f"{told}\nWhat else may be wrong, and what becomes of it:\n  {command('doctor')}\n  {status}"


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return max((end - begin).total_seconds(), 0.0) if begin and end else None
