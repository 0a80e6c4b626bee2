"""AssemblyAI's transcript as typed values."""

import json
from typing import Any

import pytest
from tests.unit.examples import CALLS, SAMPLE_CALLS, made_transcript, sample_transcript, utterance

from callcoach.documents import encode
from callcoach.errors import TranscriptFailed, UpstreamUnavailable
from callcoach.transcript import (
    LONGEST_MS,
    NO_SPEAKER,
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
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"id": "t1"}',
        b'{"id": "t1", "status": "caf\xe9"}',
        b'{"id": "t1", "st',
        b'{"id": 5, "status": "completed"}',
        b'{"id": "t1", "status": null}',
        b'{"id": "t1", "status": "completed", "text": ' + b"[" * 200_000,
        b'{"id": "t1", "status": "completed", "audio_duration": 1' + b"0" * 5000 + b"}",
    ],
    ids=lambda body: f"{body[:40]!r}",
)
def test_what_is_no_transcript_is_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailable):
        decode_transcript(body)


SAID = {"speaker": "A", "text": "We lost two.", "start": 0, "end": 900}
WORD = {"text": "We", "start": 0, "end": 200}
ROW = {"sentiment": "NEGATIVE", "confidence": 0.9, "start": 0, "end": 900}
# What stands in none of the fields below as it should.
NO_TEXTS: list[Any] = [[], {}, 5, True]
OTHERS: list[Any] = [[], {}, "x", "NaN", "Infinity", 10**30, -(10**30), 1e300, float("nan"), float("inf"), [[{}]]]


def answer(**fields: Any) -> bytes:
    """Return a finished transcript's JSON with NaN where a number is none, as Python writes it."""
    return json.dumps({"id": "t1", "status": "completed", "utterances": [SAID], **fields}).encode()


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("audio_duration", "audio_duration_seconds"),
        ("audio_channels", "audio_channels"),
        ("confidence", "confidence"),
        ("language_confidence", "language_confidence"),
        ("metadata", "metadata"),
        ("speech_understanding", "speech_understanding"),
    ],
)
def test_part_that_a_scorecard_can_do_without_is_left_out(name: str, field: str, other: Any) -> None:
    """What was said is worth a scorecard, whatever stands beside it."""
    transcript = decode_transcript(answer(**{name: other}))
    assert not getattr(transcript, field) or (name, other) in (("metadata", {}), ("speech_understanding", {}))
    assert [said.text for said in transcript.utterances or []] == ["We lost two."]


@pytest.mark.parametrize("name", ["language_code", "speech_model_used", "webhook_url", "error"])
def test_text_that_is_none_is_left_out(name: str) -> None:
    for other in NO_TEXTS:
        assert getattr(decode_transcript(answer(**{name: other})), name) is None


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 93, "0.9.9"])
def test_confidence_that_is_no_share_is_none(confidence: Any) -> None:
    rows = [ROW | {"confidence": confidence}]
    transcript = decode_transcript(answer(confidence=confidence, sentiment_analysis_results=rows))
    assert (transcript.confidence, (transcript.sentiment_rows or [])[0].confidence) == (None, None)


@pytest.mark.parametrize("words", ["x", {}, [5], [WORD, {}], [WORD | {"start": None}], [WORD, WORD | {"end": -1}]])
def test_words_that_cannot_be_read_are_none(words: Any) -> None:
    """The utterance has its own times; what is said when within it is then estimated."""
    (said,) = decode_transcript(answer(utterances=[SAID | {"words": words}])).utterances or []
    assert (said.text, said.start_ms, said.end_ms, said.words) == ("We lost two.", 0, 900, [])


def test_row_that_cannot_be_read_is_left_out_and_a_time_of_it_is_found_by_its_words() -> None:
    rows: list[Any] = [5, None, {}, ROW | {"sentiment": 5}, ROW | {"start": "soon", "text": "We lost two."}, ROW]
    transcript = decode_transcript(answer(sentiment_analysis_results=rows))
    found, told = transcript.sentiment_rows or []
    assert found.is_timed
    assert told == SentimentRow("NEGATIVE", 0.9, 0, 900)
    assert decode_transcript(answer(sentiment_analysis_results={"a": 1})).sentiment_rows is None


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"start": -80}, ("A", 0, 900)),
        ({"start": 0.4, "end": 900.6}, ("A", 0, 901)),
        ({"start": "0", "end": "900"}, ("A", 0, 900)),
        ({"start": 900, "end": 0}, ("A", 900, 0)),
        ({"speaker": None}, (NO_SPEAKER, 0, 900)),
        ({"channel": {}, "confidence": "high"}, ("A", 0, 900)),
    ],
)
def test_utterance_is_read_where_its_meaning_is_clear(change: dict[str, Any], read: tuple[str, int, int]) -> None:
    """Milliseconds from the start of the recording, and a label of its own for whoever has none."""
    (said,) = decode_transcript(answer(utterances=[SAID | change])).utterances or []
    assert (said.speaker, said.start_ms, said.end_ms) == read


@pytest.mark.parametrize(
    "utterances",
    [
        "x",
        {"A": "We lost two."},
        [[SAID]],
        ["We lost two."],
        [None],
        [SAID, {}],
        *([SAID, SAID | {name: other}] for name in ("speaker", "text") for other in NO_TEXTS),
        *([SAID, SAID | {name: other}] for name in ("start", "end") for other in OTHERS),
        [SAID | {"text": None}],
        [SAID | {"end": None}],
        [SAID | {"end": True}],
        [SAID | {"end": LONGEST_MS + 1}],
    ],
    ids=repr,
)
def test_speech_that_cannot_be_read_fails_for_good(utterances: Any) -> None:
    """A finished transcript does not change, so nothing is gained by asking again."""
    with pytest.raises(TranscriptFailed) as failed:
        decode_transcript(answer(utterances=utterances))
    assert (failed.value.reason, failed.value.retryable) == ("transcript_unreadable", False)
    assert failed.value.next_step
    assert "We lost" not in failed.value.detail


@pytest.mark.parametrize("status", ["queued", "processing", "error"])
def test_speech_of_a_transcript_that_is_not_finished_does_not_matter(status: str) -> None:
    transcript = decode_transcript(answer(status=status, error="Audio duration is too short.", utterances="soon"))
    assert (transcript.status, transcript.error, transcript.utterances) == (
        status,
        "Audio duration is too short.",
        None,
    )


def test_half_of_a_surrogate_pair_is_a_question_mark() -> None:
    """Whoever cuts a text between the two halves of an emoji writes such JSON; no file can hold it."""
    body = answer(text="\ud83d", utterances=[SAID | {"text": "Great \ud83d"}], language_code="\udc00")
    transcript = decode_transcript(body)
    assert [said.text for said in transcript.utterances or []] == ["Great ?"]
    assert b"Great ?" in encode(transcript)


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
