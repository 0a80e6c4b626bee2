"""Whether a transcript can be scored: finished, not yet, or never."""

from datetime import UTC, datetime

from callcoach.assemblyai import transcript_failure
from callcoach.documents import Submission
from callcoach.errors import NotFinished, TranscriptFailed, UpstreamUnavailable
from callcoach.languages import language_name, redacts
from callcoach.transcript import Transcript

# How long an overdue transcript is left alone, in times of the first wait: 15 min, 1 h, then 4 h at a time.
LOOK_AGAIN_FACTORS = (1, 4, 16)
# A callback that comes before the end is looked after more closely than no callback at all.
EARLY_CALLBACK_PART = 1 / 15

# The one failure that a late callback may still turn into a scorecard.
NEVER_FINISHED = "never_finished"

# AssemblyAI writes this into the addresses of a transcript that was deleted, and leaves it completed.
_DELETED = "deleted_by_user"


def look_again_seconds(submission: Submission, now: datetime) -> float:
    """Return how long to leave an overdue transcript alone: longer the longer it has been waited for."""
    waited_seconds = (now - datetime.fromisoformat(submission.submitted_at)).total_seconds()
    waits = [submission.overdue_after_seconds * factor for factor in LOOK_AGAIN_FACTORS]
    return next((wait for wait in waits if waited_seconds < 2 * wait), waits[-1])


def require_finished(transcript: Transcript, submission: Submission, *, overdue: bool) -> None:
    """Return when the transcript is completed and has speech in it.

    overdue: we look by ourselves, because no callback has come.
    Raises NotFinished while it is being made, until the submission's deadline; TranscriptFailed when it failed, or
    holds personal data that was to be redacted; UpstreamUnavailable when it is another one than was asked for.
    """
    if transcript.id != submission.transcript_id:
        raise UpstreamUnavailable("AssemblyAI answered with another transcript")
    if _DELETED in (transcript.webhook_url or ""):
        raise transcript_deleted()
    if transcript.status in ("queued", "processing"):
        now = datetime.now(UTC)
        if now >= datetime.fromisoformat(submission.deadline_at):
            raise TranscriptFailed(
                NEVER_FINISHED,
                f"AssemblyAI has not finished the transcript by {submission.deadline_at}",
                next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
                retryable=True,
            )
        wait_seconds = look_again_seconds(submission, now)
        raise NotFinished(
            f"the transcript is {transcript.status}",
            retry_after_seconds=wait_seconds if overdue else wait_seconds * EARLY_CALLBACK_PART,
        )
    if transcript.status != "completed":
        raise transcript_failure(transcript.error or f"status {transcript.status}")
    if transcript.utterances is None:
        raise TranscriptFailed(
            "no_speakers",
            "the transcript tells no speakers apart; AssemblyAI may not do so in this language",
            next_step="For whoever runs callcoach: name the right language in the recording's metadata (language),"
            " if it was taken for another one.",
        )
    if submission.asked.get("redact_pii") and not redacts(transcript.language_code):
        # A feature that a detected language lacks is left out without a word.
        language = language_name(transcript.language_code) or "an unknown language"
        raise TranscriptFailed(
            "not_redacted",
            f"AssemblyAI redacts no personal data in {language}",
            next_step="For whoever runs callcoach: name the language in the recording's metadata (language) if it"
            " was taken for another one; such calls are scored only by a stack whose RedactPii is blank.",
        )
    if not any(utterance.text.strip() for utterance in transcript.utterances):
        raise TranscriptFailed(
            "no_speech", "nobody speaks in the recording", next_step="Check the recording: it may be silent."
        )


def transcript_deleted() -> TranscriptFailed:
    """Return the failure of a transcript that is no longer at AssemblyAI."""
    return TranscriptFailed(
        "transcript_deleted",
        "the transcript was deleted at AssemblyAI before it was scored, or belongs to another account by now",
        next_step="Drop the recording again; it is then transcribed and paid for anew.",
        retryable=True,
    )
