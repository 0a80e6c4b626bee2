"""A recording that AssemblyAI could not fetch goes back to where it came from, with a new link. Pure."""

import json
from datetime import datetime, timedelta

from callcoach.documents import Submission

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
    """Return the message that puts a recording back into RecordingsQueue: EventBridge's event, and what we add."""
    dropped = {
        "key": submission.recording,
        "etag": submission.etag,
        "size": submission.size_bytes,
        "sequencer": submission.sequencer,
    }
    detail = {
        "bucket": {"name": submission.bucket},
        "object": dropped,
        "resubmissions": submission.resubmissions + 1,
        "quiet": submission.quiet,
    }
    # In ASCII: SQS refuses some of the characters that a key may have.
    return json.dumps({"source": "callcoach", "detail-type": "Object Created", "detail": detail})
