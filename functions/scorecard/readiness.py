"""Whether a transcript can be scored: finished, not yet, or never."""

from datetime import UTC, datetime

from callcoach.assemblyai import without_signatures
from callcoach.documents import Submission
from callcoach.errors import NotFinished, TranscriptFailed
from callcoach.transcript import Transcript

# How long an overdue transcript is left alone, in times of the first wait: 15 min, 1 h, then 4 h at a time.
LOOK_AGAIN_FACTORS = (1, 4, 16)


def look_again_seconds(submission: Submission, now: datetime) -> float:
    """Return how long to leave an overdue transcript alone: longer the longer it has been waited for."""
    waited_seconds = (now - datetime.fromisoformat(submission.submitted_at)).total_seconds()
    waits = [submission.overdue_after_seconds * factor for factor in LOOK_AGAIN_FACTORS]
    return next((wait for wait in waits if waited_seconds < 2 * wait), waits[-1])


def require_finished(transcript: Transcript, submission: Submission, *, overdue: bool) -> None:
    """Return when the transcript is completed and has speech in it.

    overdue: we look by ourselves, because no callback has come.
    Raises NotFinished while it is being made, until the submission's deadline; TranscriptFailed when it failed.
    """
    if transcript.status in ("queued", "processing"):
        now = datetime.now(UTC)
        if now >= datetime.fromisoformat(submission.deadline_at):
            raise TranscriptFailed(
                "never_finished",
                f"AssemblyAI has not finished the transcript by {submission.deadline_at}",
                next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
                retryable=True,
            )
        raise NotFinished(
            f"the transcript is {transcript.status}",
            retry_after_seconds=look_again_seconds(submission, now) if overdue else None,
        )
    if transcript.status != "completed":
        raise transcript_failure(transcript.error or f"status {transcript.status}")
    if transcript.utterances is None:
        raise TranscriptFailed(
            "no_speakers",
            "the transcript tells no speakers apart; AssemblyAI may not do so in this language",
            next_step="Set the recording's language, or score calls in a supported language.",
        )
    if not any(utterance.text.strip() for utterance in transcript.utterances):
        raise TranscriptFailed(
            "no_speech", "nobody speaks in the recording", next_step="Check the recording: it may be silent."
        )


def transcript_failure(error: str) -> TranscriptFailed:
    """Return the failure that AssemblyAI's text stands for; it gives no code."""
    text = error.casefold()
    if "download error" in text:
        # The text holds the recording's link and its signature.
        return TranscriptFailed(
            "download_failed",
            "AssemblyAI could not download the recording",
            next_step="Drop the recording again; if it happens again, check the bucket's policy and encryption key.",
            retryable=True,
        )
    if "too short" in text:
        return TranscriptFailed(
            "audio_too_short", "the recording is too short to transcribe", next_step="Nothing: there is no call in it."
        )
    if "does not appear to contain audio" in text or "transcoding failed" in text:
        return TranscriptFailed(
            "no_audio",
            "AssemblyAI finds no sound in the file",
            next_step="Check that the file plays, and drop it again.",
        )
    return TranscriptFailed(
        "transcription_failed",
        f"AssemblyAI answered: {without_signatures(error)[:300]}",
        next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
        retryable=True,
    )
