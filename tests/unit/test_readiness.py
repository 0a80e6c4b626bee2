"""Whether a transcript can be scored: finished, not yet, or never."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.unit.examples import long_call, made_transcript, submission

from callcoach.assemblyai import transcript_failure
from callcoach.errors import NotFinished, TranscriptFailed, UpstreamUnavailable
from callcoach.transcript import Transcript, Utterance
from scorecard.readiness import look_again_seconds, require_finished

SUBMITTED = datetime.fromisoformat(submission().submitted_at)


@pytest.mark.parametrize(
    ("waited_minutes", "next_minutes"),
    [(0, 15), (15, 15), (29, 15), (30, 60), (90, 60), (119, 60), (120, 240), (1000, 240)],
)
def test_waits_grow_from_a_quarter_of_an_hour_to_four_hours(waited_minutes: int, next_minutes: int) -> None:
    now = SUBMITTED + timedelta(minutes=waited_minutes)
    assert look_again_seconds(submission(), now) == 60 * next_minutes


@pytest.mark.parametrize("status", ["queued", "processing"])
def test_unfinished_transcript_is_looked_at_again_until_its_deadline(status: str) -> None:
    in_time = msgspec.structs.replace(submission(), deadline_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    with pytest.raises(NotFinished) as early:
        require_finished(Transcript("t1", status), in_time, overdue=False)
    assert early.value.retry_after_seconds == 4 * 60 * 4
    with pytest.raises(NotFinished) as overdue:
        require_finished(Transcript("t1", status), in_time, overdue=True)
    assert overdue.value.retry_after_seconds == 4 * 3600
    late = msgspec.structs.replace(submission(), deadline_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    with pytest.raises(TranscriptFailed) as given_up:
        require_finished(Transcript("t1", status), late, overdue=True)
    assert (given_up.value.reason, given_up.value.retryable) == ("never_finished", True)


@pytest.mark.parametrize(
    ("transcript", "reason"),
    [
        (Transcript("t1", "completed"), "no_speakers"),
        (Transcript("t1", "completed", utterances=[]), "no_speech"),
        (Transcript("t1", "completed", utterances=[Utterance("A", " ", 0, 5)]), "no_speech"),
        (Transcript("t1", "error", error="Audio duration is too short."), "audio_too_short"),
        (Transcript("t1", "error"), "transcription_failed"),
        (Transcript("t1", "something new"), "transcription_failed"),
        (Transcript("t1", "completed", webhook_url="http://deleted_by_user"), "transcript_deleted"),
    ],
)
def test_transcript_without_speech_fails_for_good(transcript: Transcript, reason: str) -> None:
    with pytest.raises(TranscriptFailed) as failed:
        require_finished(transcript, submission(), overdue=False)
    assert failed.value.reason == reason
    assert failed.value.next_step


@pytest.mark.parametrize(("language", "redacted"), [("de", True), ("en_us", True), ("cy", False), (None, False)])
def test_what_was_to_be_redacted_and_cannot_be_is_not_scored(language: str | None, *, redacted: bool) -> None:
    """AssemblyAI leaves a feature that a detected language lacks out without a word."""
    said = Transcript("t1", "completed", language_code=language, utterances=[Utterance("A", "I am Dana", 0, 5)])
    asked = msgspec.structs.replace(submission(), asked={"redact_pii": True})
    require_finished(said, submission(), overdue=False)
    if redacted:
        require_finished(said, asked, overdue=False)
        return
    with pytest.raises(TranscriptFailed) as failed:
        require_finished(said, asked, overdue=False)
    assert failed.value.reason == "not_redacted"


@pytest.mark.parametrize("status", ["completed", "error", "processing"])
def test_another_transcript_than_was_asked_for_is_upstreams_fault(status: str) -> None:
    """It may be of anybody's call."""
    with pytest.raises(UpstreamUnavailable):
        require_finished(Transcript("t2", status), submission(), overdue=False)


def test_finished_transcript_is_taken() -> None:
    require_finished(made_transcript(long_call()), submission(), overdue=True)


@pytest.mark.parametrize(
    ("error", "reason", "retryable"),
    [
        (
            (
                "Download error, unable to download https://b.s3.eu-central-1.amazonaws.com/k?X-Amz-Signature=5ecre7."
                " Please make sure the file exists and is accessible from the internet."
            ),
            "download_failed",
            True,
        ),
        (
            (
                "Download error to https://b.s3.amazonaws.com/k?X-Amz-Signature=5ecre7, 403 Client Error: Forbidden for"
                " url: https://b.s3.amazonaws.com/k?X-Amz-Signature=5ecre7"
            ),
            "download_failed",
            True,
        ),
        ("Download error, unable to access file at https://example.com/audio.mp3", "download_failed", True),
        ("File does not appear to contain audio. File type is text/html (HTML document)", "no_audio", False),
        ("Transcoding failed. File type application/json", "no_audio", False),
        ("Audio duration is too short.", "audio_too_short", False),
        ("language_detection: confidence 0.2 is below the threshold", "language_not_recognized", False),
        ("Speech is below the speech threshold", "no_speech", False),
        ("language_detection cannot be performed on files with no spoken audio.", "no_speech", False),
        (
            "detected language 'en', confidence 0.6602, is below the requested confidence threshold value of '0.8'",
            "language_not_recognized",
            False,
        ),
        ("The language 'ja' is not supported by the speech models universal-3-pro.", "language_not_recognized", False),
        ("Server error, developers have been alerted.", "transcription_failed", True),
        ("Server error about https://b.s3.amazonaws.com/too%20short/language.mp3", "transcription_failed", True),
        ("", "transcription_failed", True),
        ("\x00\n<b>" * 10_000, "transcription_failed", True),
        ("Cannot fetch https://b.s3.amazonaws.com/k?X-Amz-Signature=5ecre7 in time", "transcription_failed", True),
        ("https://b.s3.amazonaws.com/k?" + "a=b&" * 100 + "X-Amz-Signature=5ecre7", "transcription_failed", True),
    ],
)
def test_failure_says_what_to_do_and_no_signature(error: str, reason: str, *, retryable: bool) -> None:
    """Texts as the service writes them; a link in one is a key to the recording."""
    failure = transcript_failure(error)
    assert (failure.reason, failure.retryable) == (reason, retryable)
    assert failure.next_step
    assert "5ecre7" not in failure.detail
    assert "X-Amz" not in failure.detail
