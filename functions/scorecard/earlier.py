"""What earlier runs have left behind about a call: what was paid for is taken up, not paid for again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from callcoach.documents import Failure, Submission, is_earlier
from callcoach.queue import Message
from callcoach.state import Progress
from callcoach.storage import Documents
from callcoach.transcript import SpeakerIdentification, Transcript, decode_transcript
from scorecard.callback import Callback
from scorecard.replies import CoachAttempt, Replies
from scorecard.scorecard import Scorecard


class Earlier(msgspec.Struct, frozen=True):
    """The scorecard, if it is written; else who speaks, and what the coach has answered so far.

    transcript: as it is stored, in turns and with who speaks; of a call that is scored again. paid_elsewhere: those of
    the attempts that are no part of this work's cost.
    """

    scorecard: Scorecard | None = None
    transcript: Transcript | None = None
    identification: SpeakerIdentification | None = None
    attempts: Sequence[CoachAttempt] = ()
    paid_elsewhere: Sequence[CoachAttempt] = ()


def was_begun(message: Message, callback: Callback, submission: Submission, progress: Progress) -> bool:
    """Return whether an earlier run may have stored results, which another message about the call may have started.

    On a first callback it costs nothing to know: an identification that was paid for stands in the progress. Where each
    side has a channel there is none.
    """
    seen_before = message.receive_count > 1 or callback.status == "overdue" or bool(submission.rep_channel)
    return seen_before or bool(progress.identification or progress.attempts or progress.given_up_at)


def left_by_earlier_runs(
    documents: Documents, submission: Submission, progress: Progress, pool: ThreadPoolExecutor
) -> Earlier:
    """Return what is stored of a submission; the documents are read side by side."""
    scorecard = pool.submit(written_scorecard, documents, submission)
    identification = pool.submit(_identification, documents, submission, progress)
    attempts = pool.submit(_attempts, documents, submission, progress)
    return Earlier(scorecard=scorecard.result(), identification=identification.result(), attempts=attempts.result())


def left_for_rescore(
    documents: Documents, submission: Submission, progress: Progress, request_id: str, pool: ThreadPoolExecutor
) -> Earlier:
    """Return what a call is scored again from; its scorecard is none of it.

    Answers of which nothing could be used are left out: whoever wants it scored again wants others.
    """
    before = pool.submit(written_scorecard, documents, submission)
    transcript = pool.submit(stored_transcript, documents, submission)
    replies = pool.submit(_replies, documents, submission, progress)
    scorecard = before.result()
    coach_failed = scorecard is not None and (scorecard.status_reason or "").startswith("coach_")
    own = [kept.attempts for kept in replies.result() if kept.request_id == request_id]
    others = [] if own or coach_failed else [_answered(kept.attempts) for kept in replies.result()]
    return Earlier(
        transcript=transcript.result(),
        attempts=max([*own, *others], key=len, default=()),
        paid_elsewhere=max(others, key=len, default=()),
    )


def written_scorecard(documents: Documents, submission: Submission) -> Scorecard | None:
    """Return the scorecard of a submission, if it is written."""
    body = documents.read("scorecards", submission.recording)
    scorecard = msgspec.json.decode(body, type=Scorecard) if body else None
    return scorecard if scorecard and scorecard.call.transcript_id == submission.transcript_id else None


def failure_before(documents: Documents, submission: Submission) -> Failure | None:
    """Return what was recorded of this drop or an earlier one, which a scorecard replaces."""
    body = documents.read("failures", submission.recording)
    failure = msgspec.json.decode(body, type=Failure) if body else None
    is_later = failure and failure.sequencer and is_earlier(submission.sequencer, failure.sequencer)
    return None if is_later else failure


def _identification(documents: Documents, submission: Submission, progress: Progress) -> SpeakerIdentification | None:
    if progress.identification:
        kept = msgspec.json.decode(progress.identification, type=SpeakerIdentification)
        if kept.mapping is not None:
            return kept
    transcript = stored_transcript(documents, submission)
    return transcript.identification if transcript else None


def stored_transcript(documents: Documents, submission: Submission) -> Transcript | None:
    """Return the transcript of a submission, if it is stored."""
    stored = documents.read("transcripts", submission.recording)
    transcript = decode_transcript(stored) if stored else None
    return transcript if transcript and transcript.id == submission.transcript_id else None


def _attempts(documents: Documents, submission: Submission, progress: Progress) -> Sequence[CoachAttempt]:
    return max((replies.attempts for replies in _replies(documents, submission, progress)), key=len, default=())


def _replies(documents: Documents, submission: Submission, progress: Progress) -> list[Replies]:
    """Return what is kept of the coach's answers about a transcript, in S3 and in the table."""
    stored = documents.read("replies", submission.recording)
    kept = [msgspec.json.decode(body, type=Replies) for body in (stored, progress.replies) if body]
    return [replies for replies in kept if replies.transcript_id == submission.transcript_id]


def _answered(attempts: Sequence[CoachAttempt]) -> Sequence[CoachAttempt]:
    return [attempt for attempt in attempts if attempt.content]
