"""A recording that AssemblyAI could not fetch goes back to where it came from, with a new link. Pure."""

from datetime import datetime, timedelta

from callcoach.documents import Submission
from callcoach.names import Drop

# The link to a recording may have died while the job waited at AssemblyAI. Failed jobs are free, so it is tried again
# for a day; a bucket that lets nobody in is told of after the last of these.
MOST_RESUBMISSIONS = 5
RESUBMIT_HOURS = 24
RESUBMIT_DELAY_SECONDS = 900


def may_resubmit(submission: Submission, now: datetime) -> bool:
    """Return whether a job whose recording could not be fetched is made anew."""
    dropped_at = datetime.fromisoformat(submission.dropped_at or submission.submitted_at)
    in_time = now < dropped_at + timedelta(hours=RESUBMIT_HOURS)
    return in_time and submission.resubmissions < MOST_RESUBMISSIONS


def resubmission(submission: Submission) -> str:
    """Return the message that puts a recording back into RecordingsQueue."""
    return Drop(
        bucket=submission.bucket,
        recording=submission.recording,
        etag=submission.etag,
        sequencer=submission.sequencer,
        resubmissions=submission.resubmissions + 1,
        size_bytes=submission.size_bytes,
        quiet=submission.quiet,
    ).event
