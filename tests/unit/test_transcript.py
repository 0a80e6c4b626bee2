"""AssemblyAI's transcript as typed values."""

import json
from typing import Any

import pytest
from tests.unit.examples import CALLS, SAMPLE_CALLS, made_transcript, sample_transcript, utterance

from callcoach.documents import encode
from callcoach.errors import UpstreamUnavailable
from callcoach.transcript import (
    SentimentRow,
    SpeakerIdentification,
    Transcript,
    Utterance,
    decode_transcript,
    identified,
    storable,
    timed_rows,
)


def raw(name: str) -> Any:
    return json.loads((CALLS / name / "transcript.json").read_text())


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_values_are_those_of_the_json(name: str) -> None:
    said, transcript = raw(name), sample_transcript(name)
    assert (transcript.id, transcript.status, transcript.confidence) == (said["id"], said["status"], said["confidence"])
    assert transcript.audio_duration_seconds == said["audio_duration"]
    assert [(one.speaker, one.text, one.start_ms, one.end_ms) for one in transcript.utterances or []] == [
        (one["speaker"], one["text"], one["start"], one["end"]) for one in said["utterances"]
    ]
    assert [[(word.text, word.start_ms, word.end_ms) for word in one.words] for one in transcript.utterances or []] == [
        [(word["text"], word["start"], word["end"]) for word in one["words"]] for one in said["utterances"]
    ]
    rows = list(zip(transcript.sentiment_rows or [], said["sentiment_analysis_results"], strict=True))
    assert all((row.sentiment, row.confidence) == (one["sentiment"], one["confidence"]) for row, one in rows)
    assert all(
        (row.start_ms, row.end_ms) == (one["start"], one["end"]) for row, one in rows if one["start"] is not None
    )


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_what_is_stored_reads_the_same(name: str) -> None:
    transcript = sample_transcript(name)
    assert decode_transcript(encode(storable(transcript))) == storable(transcript)


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_what_is_stored_holds_no_address(name: str) -> None:
    """AssemblyAI echoes the recording's signed link and the webhook's fields."""
    said = raw(name) | {
        "audio_url": "https://b.s3.amazonaws.com/k?X-Amz-Signature=5ecre7",
        "webhook_url": "https://api.example/callbacks/assemblyai?recording=YQ",
        "webhook_auth_header_name": "x-api-key",
        "webhook_auth_header_value": "webhook-5ecre7",
    }
    transcript = decode_transcript(json.dumps(said).encode())
    assert transcript.webhook_url == said["webhook_url"]
    stored = encode(storable(transcript)).decode()
    assert "5ecre7" not in stored
    assert "https://" not in stored


def test_almost_everything_may_be_null() -> None:
    """A job that has only just been made, and a deleted one."""
    said = dict.fromkeys(raw(SAMPLE_CALLS[0])) | {"id": "t1", "status": "queued"}
    transcript = decode_transcript(json.dumps(said).encode())
    assert transcript == Transcript("t1", "queued")
    assert transcript.identification is None
    assert transcript.duration_ms == 0


def test_rows_without_a_start_are_read() -> None:
    row = {
        "text": "[Speaker:1] Hm.",
        "start": None,
        "end": 5,
        "sentiment": "NEUTRAL",
        "confidence": 0.5,
        "speaker": None,
    }
    body = json.dumps({"id": "t1", "status": "completed", "sentiment_analysis_results": [row]}).encode()
    (read,) = decode_transcript(body).sentiment_rows or []
    assert (read.start_ms, read.end_ms) == (None, 5)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b"{}", b'{"id": "t1"}', b'{"id": "t1", "status": "caf\xe9"}', b'{"id": "t1", "st'],
)
def test_what_is_no_transcript_is_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailable):
        decode_transcript(body)


@pytest.mark.parametrize(
    ("seconds", "end_ms", "duration_ms"), [(None, 0, 0), (None, 800, 800), (5, 800, 5000), (1, 1600, 1600)]
)
def test_duration_covers_every_utterance(seconds: float | None, end_ms: int, duration_ms: int) -> None:
    """AssemblyAI's whole seconds may end before the last word."""
    said = [utterance("A", " ".join(["word"] * (end_ms // 400)))] if end_ms else []
    assert made_transcript(said, audio_duration_seconds=seconds).duration_ms == duration_ms


def test_identification_is_carried_where_assemblyai_puts_it() -> None:
    identification = SpeakerIdentification("success", {"A": "Sales Rep"})
    transcript = identified(Transcript("t1", "completed"), identification)
    assert transcript.identification == identification
    stored = json.loads(encode(transcript))
    assert stored["speech_understanding"]["response"]["speaker_identification"] == {
        "mapping": {"A": "Sales Rep"},
        "status": "success",
    }


def test_a_row_that_is_no_sentence_is_not_looked_for() -> None:
    """However long a row without times is, reading a transcript stays quick: it is left unplaced."""
    long = " ".join(f"word{number}" for number in range(101))
    said = Utterance("A", long, 0, 60_000)
    rows = [SentimentRow("NEGATIVE", 0.9, None, None, long), SentimentRow("NEGATIVE", 0.9, None, None, long[:60])]

    unplaced, placed = timed_rows(rows, [said])

    assert not unplaced.is_timed
    assert placed.is_timed
