"""One logger and one set of metrics for both functions.

A log line is a constant sentence with fields. What was said in a call, keys, tokens and links never reach it. Every
line of a piece of work says which recording it is about (recording_hash), which transcript as soon as that is known
(transcript_id), and how far the work is (stage, as documents.Failure has it).
"""

from typing import Literal

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from callcoach.names import recording_hash

Stage = Literal["submit", "transcribe", "score"]

logger = Logger()
metrics = Metrics()


def begin_lines() -> None:
    """Let the lines that follow say nothing of what the lines before were about."""
    logger.append_keys(recording_hash=None, transcript_id=None, stage=None)


def lines_about(recording: str, stage: Stage, transcript_id: str | None) -> None:
    """Let the lines that follow say what they are about."""
    logger.append_keys(recording_hash=recording_hash(recording), transcript_id=transcript_id, stage=stage)


def lines_of_transcript(transcript_id: str) -> None:
    """Let the lines that follow name a transcript too."""
    logger.append_keys(transcript_id=transcript_id)


def lines_of_stage(stage: Stage) -> None:
    """Let the lines that follow say that the work has come to a stage."""
    logger.append_keys(stage=stage)


def count(name: str, value: float = 1) -> None:
    """Add to a metric."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def count_percent(name: str, percent: float) -> None:
    """Note how much of something is used."""
    metrics.add_metric(name=name, unit=MetricUnit.Percent, value=round(percent, 2))


def count_seconds(name: str, seconds: float) -> None:
    """Note how long something took."""
    metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=round(seconds, 3))


def count_request(endpoint: str, seconds: float, is_answered: bool) -> None:  # noqa: FBT001 - assemblyai.Observe
    """Note how long one of AssemblyAI's endpoints took, and that it gave no answer that helps."""
    count_seconds(f"{endpoint}Seconds", seconds)
    if not is_answered:
        count(f"{endpoint}Errors")
