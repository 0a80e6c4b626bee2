"""Make each call's sound and transcript from its script.

Run it from the root of the project, with espeak-ng and ffmpeg installed:
`python -m tests.data.calls.make_calls`.

The times of the transcript are those of the sound: every sentence is rendered on its own and its samples are
counted. Within a sentence, time is divided among the words by their length.
"""

import array
import hashlib
import io
import itertools
import json
import subprocess
import sys
import tomllib
import uuid
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sandbox.assemblyai.transcripts import Account, complete, mean, new_transcript

CALLS = Path(__file__).parent
SAMPLE_RATE = 22_050  # what espeak-ng renders
GRID_MS = 20  # every sentence and pause lasts a multiple of it, so that samples are whole milliseconds
GRID_SAMPLES = SAMPLE_RATE * GRID_MS // 1000
SENTENCE_PAUSE_MS = 260
QUIET = 120  # an amplitude below it, of 32,768, is silence
SENTIMENTS = {"+": "POSITIVE", "-": "NEGATIVE"}


@dataclass(frozen=True)
class Sentence:
    """One sentence as rendered, with its first sample and its number of samples in the recording."""

    text: str
    sentiment: str
    start_sample: int
    samples: int

    @property
    def start_ms(self) -> int:
        """Its beginning in the recording."""
        return self.start_sample // GRID_SAMPLES * GRID_MS

    @property
    def end_ms(self) -> int:
        """Its end in the recording."""
        return (self.start_sample + self.samples) // GRID_SAMPLES * GRID_MS


@dataclass(frozen=True)
class Turn:
    """What one speaker says before another one speaks."""

    speaker: str
    sentences: Sequence[Sentence]


def main() -> None:
    """Make every call that has a script."""
    for script in sorted(CALLS.glob("*/script.toml")):
        make_call(script)


def make_call(script: Path) -> None:
    """Write `recording.ogg`, `transcript.json` and `timing.json` beside `script`."""
    call = tomllib.loads(script.read_text(encoding="utf-8"))
    sound, turns = render(call)
    script.with_name("recording.ogg").write_bytes(compress(sound))
    transcript = build_transcript(script.parent.name, turns, len(sound))
    write_json(script.with_name("transcript.json"), transcript)
    write_json(script.with_name("timing.json"), timing(turns))
    print(f"{script.parent.name}: {len(sound) / SAMPLE_RATE:.0f} s, {len(turns)} turns")


def render(call: Mapping[str, Any]) -> tuple["array.array[int]", list[Turn]]:
    """Speak the script. Return the samples of the whole recording and its turns."""
    sound = array.array("h")
    turns = []
    for turn in call["turn"]:
        sentences = []
        pause_ms = turn["pause_ms"]
        for line in turn["text"]:
            mark, _, rest = line.partition(" ")
            text = rest if mark in SENTIMENTS else line
            sound.extend(silence(pause_ms))
            spoken = speak(text, call["speakers"][turn["speaker"]])
            sentiment = SENTIMENTS.get(mark, "NEUTRAL")
            sentences.append(Sentence(text, sentiment, len(sound), len(spoken)))
            sound.extend(spoken)
            pause_ms = SENTENCE_PAUSE_MS
        turns.append(Turn(turn["speaker"], sentences))
    sound.extend(silence(600))
    return sound, turns


def silence(duration_ms: int) -> "array.array[int]":
    """Return samples of silence; the duration is a multiple of the grid."""
    if duration_ms % GRID_MS:
        duration_ms += GRID_MS - duration_ms % GRID_MS
    return array.array("h", bytes(2 * (duration_ms // GRID_MS * GRID_SAMPLES)))


def speak(text: str, speaker: Mapping[str, Any]) -> "array.array[int]":
    """Return the samples of a sentence, from its first sound to its last, filled up to the grid."""
    command = ["espeak-ng", "--stdout", "-z", "-v", speaker["voice"], "-s", str(speaker["words_per_minute"])]
    command += ["-p", str(speaker["pitch"]), text]
    rendered = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(rendered)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE, 1, 2):
            raise RuntimeError("espeak-ng rendered an unexpected format")
        samples = array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    loud = [index for index, sample in enumerate(samples) if abs(sample) > QUIET]
    spoken = samples[loud[0] : loud[-1] + 1]
    spoken.extend(array.array("h", bytes(2 * (-len(spoken) % GRID_SAMPLES))))
    return spoken


def compress(sound: "array.array[int]") -> bytes:
    """Encode mono samples as Opus in Ogg, without a random serial number or a date."""
    raw = ["-f", "s16le" if sys.byteorder == "little" else "s16be", "-ar", str(SAMPLE_RATE), "-ac", "1"]
    opus = ["-c:a", "libopus", "-b:a", "10k", "-application", "voip", "-map_metadata", "-1"]
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact"]
    command = ["ffmpeg", "-v", "error", *raw, "-i", "pipe:0", *opus, *exact, "-f", "ogg", "pipe:1"]
    return subprocess.run(command, input=sound.tobytes(), check=True, capture_output=True).stdout


def build_transcript(name: str, turns: Sequence[Turn], samples: int) -> dict[str, Any]:
    """Return the whole transcript object of the call, as a completed job with all that a scorecard needs."""
    utterances = [utterance(turn) for turn in turns]
    sample = {
        "text": " ".join(item["text"] for item in utterances),
        "utterances": utterances,
        "sentiment_analysis_results": sentiment_rows(turns),
        "confidence": mean(word["confidence"] for item in utterances for word in item["words"]),
        "audio_duration": -(-samples // SAMPLE_RATE),
    }
    audio_url = f"https://example.com/{name}.ogg"
    asked = {
        "audio_url": audio_url,
        "speech_models": ["universal-3-5-pro", "universal-2"],
        "language_code": "en_us",
        "speaker_labels": True,
        "sentiment_analysis": True,
    }
    transcript_id = str(uuid.uuid5(uuid.NAMESPACE_URL, audio_url))
    transcript = new_transcript(transcript_id, asked, Account(api_key=""))
    return {**transcript, **complete(transcript, sample)}


def utterance(turn: Turn) -> dict[str, Any]:
    """Return a turn as AssemblyAI's utterance."""
    words = [{**word, "speaker": turn.speaker} for sentence in turn.sentences for word in timed_words(sentence)]
    return {
        "speaker": turn.speaker,
        "text": " ".join(sentence.text for sentence in turn.sentences),
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "confidence": mean(word["confidence"] for word in words),
        "words": words,
    }


def timed_words(sentence: Sentence) -> Iterable[dict[str, Any]]:
    """Divide the sentence's time among its words, each by its letters and one for the step to the next."""
    texts = sentence.text.split()
    ends = list(itertools.accumulate(len(text) + 1 for text in texts))
    length_ms = sentence.end_ms - sentence.start_ms
    borders = [sentence.start_ms + length_ms * end // ends[-1] for end in [0, *ends]]
    for index, text in enumerate(texts):
        confidence = 0.86 + 0.139 * chance(f"{sentence.start_ms} {index} {text}")
        yield {
            "text": text,
            "start": borders[index],
            "end": borders[index + 1],
            "confidence": round(confidence, 6),
        }


def sentiment_rows(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return one row per sentence, with the defects that live rows have.

    Most rows name the wrong speaker or none, more than half carry a raw speaker tag in their text, and
    one has no start: a reader has to place a row by its time or its words.
    """
    labels = sorted({turn.speaker for turn in turns})
    spoken = [(turn.speaker, sentence) for turn in turns for sentence in turn.sentences]
    rows = []
    for number, (speaker, sentence) in enumerate(spoken):
        luck = chance(f"{sentence.start_ms} {sentence.text}")
        tagged = f"[Speaker:{labels.index(speaker) + 1}] {sentence.text}" if luck < 0.55 else sentence.text
        rows.append(
            {
                "text": tagged,
                "start": None if number == len(spoken) // 2 else sentence.start_ms,
                "end": sentence.end_ms,
                "sentiment": sentence.sentiment,
                "confidence": round(0.52 + 0.42 * chance(sentence.text), 6),
                "speaker": (speaker, labels[number % len(labels)], None)[number % 8 // 3],
            }
        )
    return rows


def chance(seed: str) -> float:
    """Return a number from 0 to 1 that looks random and is the same on every run."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6]) / 2**48


def timing(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the sample counts, and each label's talk time: its turns, pauses inside them included."""
    talk_samples: dict[str, int] = {}
    for turn in turns:
        spoken = sum(sentence.samples for sentence in turn.sentences)
        pauses = len(silence(SENTENCE_PAUSE_MS)) * (len(turn.sentences) - 1)
        talk_samples[turn.speaker] = talk_samples.get(turn.speaker, 0) + spoken + pauses
    return {
        "sample_rate": SAMPLE_RATE,
        "sentence_pause_samples": len(silence(SENTENCE_PAUSE_MS)),
        "talk_ms": {label: samples * GRID_MS // GRID_SAMPLES for label, samples in sorted(talk_samples.items())},
        "turns": [
            {"speaker": turn.speaker, "sentence_samples": [sentence.samples for sentence in turn.sentences]}
            for turn in turns
        ],
    }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write one key per line, and one item per line in lists of objects."""
    lines = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in item)
            lines.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
