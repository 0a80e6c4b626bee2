"""AssemblyAI's transcript as typed values. Times are whole milliseconds from the start of the recording.

Unknown keys are skipped and almost everything may be null: real answers carry about eighty keys, and older ones fewer.
The top-level words and text repeat what the utterances hold and are not read.
"""

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from callcoach.errors import TranscriptFailed, UpstreamUnavailable
from callcoach.languages import SEVERAL_LANGUAGES, base_code

# AssemblyAI takes ten hours of sound; what lies far behind that is no time in a call.
LONGEST_MS = 100 * 3_600_000

Moment = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_MS)]
Confidence = Annotated[float, msgspec.Meta(ge=0, le=1)]

# The label of what was said by nobody in particular.
NO_SPEAKER = "?"

StructType = TypeVar("StructType", bound=msgspec.Struct)

_TIMES = {"start_ms": "start", "end_ms": "end"}

# A row without times lies where this part of its words is said, within so many words of the row before it.
_SHARED_WORDS = 0.8
_REACH_WORDS = 400
# A row is a sentence: what is longer is not looked for, which bounds the work.
_ROW_WORDS = 100
_SPEAKER_TAG = re.compile(r"\[speaker:[^\[\]]*\]", re.IGNORECASE)
_SPOKEN = re.compile(r"\w+(?:['’]\w+)*")


class Word(msgspec.Struct, rename=_TIMES, gc=False):
    """One word; text carries its punctuation."""

    text: str
    start_ms: Moment
    end_ms: Moment


class Utterance(msgspec.Struct, rename={**_TIMES, "timed_words": "words"}):
    """What one diarized speaker says in one go. timed_words: null where the service gives none."""

    speaker: str
    text: str
    start_ms: Moment
    end_ms: Moment
    timed_words: list[Word] | None = None

    @property
    def words(self) -> list[Word]:
        """The words with their times; empty where there are none."""
        return self.timed_words or []


class SentimentRow(msgspec.Struct, rename=_TIMES, omit_defaults=True, gc=False):
    """AssemblyAI's label of one sentence.

    Its own speaker is unreliable and is not read: a row belongs to the utterance that it overlaps most. text is there
    only until a row without times has found some: it may carry raw tags, and what the transcript has redacted.
    """

    sentiment: str
    confidence: Confidence | None = None
    start_ms: Moment | None = None
    end_ms: Moment | None = None
    text: str | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the row says when its sentence was said."""
        return self.start_ms is not None and self.end_ms is not None and self.start_ms < self.end_ms


class SpeakerIdentification(msgspec.Struct, omit_defaults=True):
    """Who is who: diarized label -> the role asked for."""

    status: str = ""
    mapping: Mapping[str, str | None] | None = None


class RelabelledUtterance(msgspec.Struct, rename={"start_ms": "start"}, gc=False):
    """An utterance of an identification's answer: the same speech under the role's name; null where it has none."""

    speaker: str | None = None
    start_ms: Annotated[float, msgspec.Meta(ge=-LONGEST_MS, le=LONGEST_MS)] | None = None


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
    audio_duration_seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_MS / 1000)] | None = None
    audio_channels: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    confidence: Confidence | None = None
    language_code: str | None = None
    language_codes: list[str] | None = None
    language_confidence: Confidence | None = None
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
    def words_language(self) -> str | None:
        """The language by whose rules words may be read; SEVERAL_LANGUAGES where more than one was heard."""
        heard = {base_code(code) for code in self.language_codes or []}
        return SEVERAL_LANGUAGES if len(heard) > 1 else self.language_code

    @property
    def duration_ms(self) -> int:
        """Length of the recording: AssemblyAI's whole seconds, or the end of the last utterance if that is later."""
        last_ms = max((utterance.end_ms for utterance in self.utterances or []), default=0)
        return max(round((self.audio_duration_seconds or 0) * 1000), last_ms, 0)


_decoder = msgspec.json.Decoder(Transcript, strict=False)


def decode_transcript(body: bytes) -> Transcript:
    """Read a transcript as AssemblyAI answers it or as transcripts/ stores it; no text of a sentiment row is kept.

    A part that is not of its type is left out where a scorecard can do without it.
    Raises UpstreamUnavailable when body is no transcript: a proxy's page or a cut-off answer; the caller asks again.
    Raises TranscriptFailed when what was said cannot be read although the transcript is finished: it will not change.
    """
    try:
        transcript = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        transcript = _mended(body)
    if transcript.sentiment_rows:
        transcript.sentiment_rows = timed_rows(transcript.sentiment_rows, transcript.utterances or [])
    return transcript


def _mended(body: bytes) -> Transcript:
    """Read a transcript of which some part is not what it should be."""
    try:
        said = json.loads(body, parse_constant=lambda _: None)
        # A half of a surrogate pair, as an upstream that cuts texts leaves it, is no character.
        said = json.loads(json.dumps(said, ensure_ascii=False).encode(errors="replace"))
        whole = _fitting({**said, "utterances": None, "sentiment_analysis_results": None}, Transcript)
    except (ValueError, TypeError, RecursionError, msgspec.ValidationError) as fault:
        raise UpstreamUnavailable(f"this is no transcript: {fault}") from fault
    try:
        whole.utterances = _utterances(said.get("utterances"))
    except msgspec.ValidationError as fault:
        if whole.status == "completed":
            raise transcript_unreadable(str(fault)) from fault
    rows = said.get("sentiment_analysis_results")
    if isinstance(rows, list):
        whole.sentiment_rows = []
        for row in rows:
            with suppress(msgspec.ValidationError):
                whole.sentiment_rows.append(_fitting(row, SentimentRow))
    return whole


def transcript_unreadable(why: str) -> TranscriptFailed:
    """Return the failure of a transcript that is finished and still not what AssemblyAI documents."""
    return TranscriptFailed(
        "transcript_unreadable",
        f"AssemblyAI's transcript is not of the documented shape: {why}",
        next_step="For whoever runs callcoach: look for a newer version, or report this. Dropped again, the recording"
        " is transcribed anew.",
    )


def _utterances(said: object) -> list[Utterance] | None:
    """Return the utterances without words that are not what they should be. Raises ValidationError for all else."""
    if said is None:
        return None
    if not isinstance(said, list):
        raise msgspec.ValidationError("the utterances are no list")
    utterances = []
    for number, utterance in enumerate(said):
        try:
            utterances.append(_fitting(_with_whole_times(utterance), Utterance))
        except msgspec.ValidationError as fault:
            raise msgspec.ValidationError(f"utterance {number}: {fault}") from fault
    return utterances


def _with_whole_times(said: object) -> object:
    """Return an utterance with times in whole milliseconds that begin with the recording, and a label in any case."""
    if not isinstance(said, dict):
        return said
    mended: dict[str, object] = {"speaker": NO_SPEAKER} if said.get("speaker") is None else {}
    for name in _TIMES.values():
        moment = said.get(name)
        if isinstance(moment, int | float) and not isinstance(moment, bool) and abs(moment) <= LONGEST_MS:
            mended[name] = max(round(moment), 0)
    return said | mended


def _fitting(said: object, struct_type: type[StructType]) -> StructType:
    """Return a struct of what fits: a field that has a default takes it in the place of anything else.

    Raises ValidationError when a field without a default does not fit.
    """
    if not isinstance(said, dict):
        raise msgspec.ValidationError(f"Expected an object, got {type(said).__name__}")
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct_type):
        try:
            values[field.name] = msgspec.convert(said.get(field.encode_name), field.type, strict=False)
        except msgspec.ValidationError as fault:
            if field.required:
                raise msgspec.ValidationError(f"{field.encode_name}: {fault}") from fault
    return struct_type(**values)


class _TokensOf(dict[str, list[str]]):
    """What of a word is compared, by the word: a call has about a thousand different ones."""

    def __missing__(self, word: str) -> list[str]:
        plain = word.rstrip(".,?!")
        # Most words are letters and a mark, for which no pattern is needed.
        is_simple = plain.isascii() and plain.isalnum()
        tokens = self[word] = [plain.lower()] if is_simple else _SPOKEN.findall(word.casefold())
        return tokens


class _Spoken(NamedTuple):
    """All words of a call in order of time, the index of each one's utterance, and what of them is compared."""

    words: list[Word]
    utterances: list[int]
    tokens_of: _TokensOf


def timed_rows(rows: Sequence[SentimentRow], utterances: Sequence[Utterance]) -> list[SentimentRow]:
    """Return the rows without their text; one without times gets those at which its words are said.

    Its place is the nearest one, after the row before it rather than before that, at which one utterance holds at least
    80 % of its words. Where there is none, the row stays without times.
    """
    if all(row.is_timed or not row.text for row in rows):
        return [_row_at(row, row.start_ms, row.end_ms) for row in rows]
    spoken = _spoken_words(utterances)
    position = 0
    until_ms: int | None = None
    timed = []
    for row in rows:
        start_ms, end_ms = row.start_ms, row.end_ms
        if row.is_timed:
            until_ms = end_ms
        else:
            if until_ms is not None:
                position, until_ms = bisect_left(spoken.words, until_ms, key=_start_ms), None
            if span := _place_of(row.text or "", spoken, position):
                first, position = span
                start_ms, end_ms = spoken.words[first].start_ms, spoken.words[position - 1].end_ms
        timed.append(_row_at(row, start_ms, end_ms))
    return timed


def _row_at(row: SentimentRow, start_ms: int | None, end_ms: int | None) -> SentimentRow:
    return SentimentRow(row.sentiment, row.confidence, start_ms, end_ms)


def _start_ms(word: Word) -> int:
    return word.start_ms


def _spoken_words(utterances: Sequence[Utterance]) -> _Spoken:
    """Return all words; where there are no times of words, by their place among the characters."""
    spoken = _Spoken([], [], _TokensOf())
    for index, utterance in sorted(enumerate(utterances), key=lambda numbered: numbered[1].start_ms):
        words = utterance.words or _evenly_timed(utterance)
        spoken.words.extend(words)
        spoken.utterances.extend(repeat(index, len(words)))
    return spoken


def _evenly_timed(utterance: Utterance) -> list[Word]:
    length_ms, characters = utterance.end_ms - utterance.start_ms, max(len(utterance.text), 1)
    return [
        Word(
            found[0],
            utterance.start_ms + length_ms * found.start() // characters,
            utterance.start_ms + length_ms * found.end() // characters,
        )
        for found in _SPOKEN.finditer(utterance.text)
    ]


def _place_of(text: str, spoken: _Spoken, position: int) -> tuple[int, int] | None:
    """Return the bounds (first, past) of the nearest place among the spoken words that holds a row's words."""
    tokens = Counter(_SPOKEN.findall(_SPEAKER_TAG.sub(" ", text).casefold()))
    if tokens.total() > _ROW_WORDS:
        return None
    enough = max(_SHARED_WORDS * tokens.total(), 1)
    ahead = range(position, min(position + _REACH_WORDS, len(spoken.words)))
    behind = range(min(position, len(spoken.words)) - 1, max(position - _REACH_WORDS, 0) - 1, -1)
    for near in chain(ahead, behind):
        if _shared(tokens, spoken, near)[0] >= enough:
            # The place may begin a few words before or after the first start that holds enough.
            slack = min(tokens.total() - int(enough) + 1, _REACH_WORDS)
            starts = range(max(near - slack, 0), min(near + slack + 1, len(spoken.words)))
            first = max(starts, key=lambda start: _shared(tokens, spoken, start)[0])
            return first, _shared(tokens, spoken, first)[1]
    return None


def _shared(tokens: Counter[str], spoken: _Spoken, first: int) -> tuple[int, int]:
    """Return how many of the tokens are said from there on in the same utterance, and where the last of them ends."""
    words, utterances, tokens_of = spoken
    if tokens.keys().isdisjoint(tokens_of[words[first].text]):
        return 0, first
    missing = dict(tokens)
    shared, past, left = 0, first, tokens.total()
    for at in range(first, len(words)):
        if left <= 0 or utterances[at] != utterances[first]:
            break
        for token in tokens_of[words[at].text]:
            left -= 1
            if missing.get(token, 0) > 0:
                missing[token] -= 1
                shared, past = shared + 1, at + 1
    return shared, past


def identified(transcript: Transcript, identification: SpeakerIdentification) -> Transcript:
    """Return the transcript carrying identification where AssemblyAI itself puts it when asked in the same request."""
    understanding = Understanding(response=_UnderstandingResponse(speaker_identification=identification))
    return msgspec.structs.replace(transcript, speech_understanding=understanding)


def storable(transcript: Transcript) -> Transcript:
    """Return the transcript without the addresses that AssemblyAI echoes: the rest may be kept."""
    return msgspec.structs.replace(transcript, webhook_url=None)
