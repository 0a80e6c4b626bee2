"""What CloudWatch is told of a call: what its answers and its scorecard came to."""

from datetime import UTC, datetime, timedelta
from typing import Any

from callcoach.assemblyai import Completion
from callcoach.documents import Submission
from callcoach.observability import count, count_seconds, logger
from callcoach.pricing import coaching_cost
from scorecard.replies import CoachAttempt
from scorecard.scorecard import Scorecard

# A recording that was submitted so long after its drop was dropped before there was a stack, or its event was lost.
BACKFILLED_AFTER = timedelta(days=1)

_OUTCOMES = {"complete": "CallsComplete", "numbers_only": "CallsNumbersOnly", "needs_roles": "CallsNeedRoles"}


def count_answer(model: str, completion: Completion) -> None:
    """Note what an answer of a language model took."""
    taken, given = completion.input_tokens, completion.output_tokens
    cost = coaching_cost([CoachAttempt(model, "", completion.finish_reason, "", taken, given)])
    count("InputTokens", taken or 0)
    count("OutputTokens", given or 0)
    count("CoachingUsd", cost.usd or 0)
    logger.info("answered", coach_model=model, input_tokens=taken, output_tokens=given, coaching_usd=cost.usd)


def count_scored(submission: Submission, scorecard: Scorecard, *, is_rescore: bool) -> None:
    """Note what a call came to, and what it took. A rescore has transcribed nothing, and nobody has waited for it."""
    count(_OUTCOMES[scorecard.status])
    line: dict[str, Any] = {"coach_attempts": scorecard.run.coach_attempts}
    if not is_rescore:
        waited_seconds = seconds_since_drop(submission, datetime.now(UTC))
        if waited_seconds is not None:
            count_seconds("EndToEndSeconds", waited_seconds)
        costs, audio_seconds = scorecard.run.cost_usd, scorecard.call.duration_seconds
        transcription_usd = costs.transcription if costs else None
        count_seconds("AudioSeconds", audio_seconds)
        count("TranscriptionUsd", transcription_usd or 0)
        line |= {
            "end_to_end_seconds": waited_seconds,
            "audio_seconds": audio_seconds,
            "transcription_usd": transcription_usd,
        }
    logger.info("scored", status=scorecard.status, status_reason=scorecard.status_reason, **line)


def seconds_since_drop(submission: Submission, now: datetime) -> float | None:
    """Return how long ago a recording was dropped; None for one that had lain there before anybody waited for it."""
    submitted_at = datetime.fromisoformat(submission.submitted_at)
    dropped_at = datetime.fromisoformat(submission.dropped_at or submission.submitted_at)
    is_backfill = submitted_at - dropped_at > BACKFILLED_AFTER
    return None if is_backfill else round((now - dropped_at).total_seconds(), 3)
