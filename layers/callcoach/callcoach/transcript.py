"""AssemblyAI's transcript as typed values. Times are whole milliseconds from the start of the recording.

Unknown keys are skipped and almost everything may be null: real answers carry about eighty keys, and older ones fewer.
The top-level words and text repeat what the utterances hold and are not read.
"""

from collections.abc import Mapping

import msgspec

from callcoach.errors import UpstreamUnavailable

_TIMES = {"start_ms": "start", "end_ms": "end"}


class Word(msgspec.Struct, rename=_TIMES, gc=False):
    """One word; text carries its punctuation."""

    text: str
    start_ms: int
    end_ms: int


class Utterance(msgspec.Struct, rename={**_TIMES, "timed_words": "words"}):
    """What one diarized speaker says in one go. timed_words: null where the service gives none."""

    speaker: str
    text: str
    start_ms: int
    end_ms: int
    timed_words: list[Word] | None = None

    @property
    def words(self) -> list[Word]:
        """The words with their times; empty where there are none."""
        return self.timed_words or []


class SentimentRow(msgspec.Struct, rename=_TIMES, gc=False):
    """AssemblyAI's label of one sentence.

    Its own speaker is unreliable and its text may carry raw tags, so neither is read: a row belongs to the
    utterance that it overlaps most.
    """

    sentiment: str
    confidence: float | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class SpeakerIdentification(msgspec.Struct, omit_defaults=True):
    """Who is who: diarized label -> the role asked for."""

    status: str = ""
    mapping: Mapping[str, str | None] | None = None


class RelabelledUtterance(msgspec.Struct, rename={"start_ms": "start"}, gc=False):
    """An utterance of an identification's answer: the same speech under the role's name."""

    speaker: str
    start_ms: int


class _UnderstandingResponse(msgspec.Struct, omit_defaults=True):
    speaker_identification: SpeakerIdentification | None = None


class Understanding(msgspec.Struct, omit_defaults=True):
    """The speech_understanding object of a transcript."""

    response: _UnderstandingResponse | None = None


class TranscriptWarning(msgspec.Struct):
    """One entry of metadata.warnings."""

    message: str = ""


class Metadata(msgspec.Struct, omit_defaults=True):
    """What AssemblyAI says about the transcription itself."""

    warnings: list[TranscriptWarning] | None = None


_RENAMED = {
    "audio_duration_seconds": "audio_duration",
    "sentiment_rows": "sentiment_analysis_results",
}


class Transcript(msgspec.Struct, rename=_RENAMED, omit_defaults=True):
    """The part of a transcript that a scorecard needs."""

    id: str
    status: str
    error: str | None = None
    audio_duration_seconds: float | None = None
    audio_channels: int | None = None
    confidence: float | None = None
    language_code: str | None = None
    language_confidence: float | None = None
    speech_model_used: str | None = None
    utterances: list[Utterance] | None = None
    sentiment_rows: list[SentimentRow] | None = None
    speech_understanding: Understanding | None = None
    metadata: Metadata | None = None
    webhook_url: str | None = None

    @property
    def identification(self) -> SpeakerIdentification | None:
        """The speaker identification that this transcript carries, if any."""
        answer = self.speech_understanding and self.speech_understanding.response
        return answer.speaker_identification if answer else None

    @property
    def duration_ms(self) -> int:
        """Length of the recording: AssemblyAI's whole seconds, or the end of the last utterance if that is later."""
        last_ms = max((utterance.end_ms for utterance in self.utterances or []), default=0)
        return max(round((self.audio_duration_seconds or 0) * 1000), last_ms, 0)


_decoder = msgspec.json.Decoder(Transcript, strict=False)


def decode_transcript(body: bytes) -> Transcript:
    """Read a transcript as AssemblyAI answers it or as transcripts/ stores it.

    Raises UpstreamUnavailable when body is no transcript: a proxy's page or a cut-off answer; the caller asks again.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise UpstreamUnavailable(f"this is no transcript: {fault}") from fault


def identified(transcript: Transcript, identification: SpeakerIdentification) -> Transcript:
    """Return the transcript carrying identification where AssemblyAI itself puts it when asked in the same request."""
    understanding = Understanding(response=_UnderstandingResponse(speaker_identification=identification))
    return msgspec.structs.replace(transcript, speech_understanding=understanding)


def storable(transcript: Transcript) -> Transcript:
    """Return the transcript without the addresses that AssemblyAI echoes: the rest may be kept."""
    return msgspec.structs.replace(transcript, webhook_url=None)
