"""Calls written down as scripts, and what AssemblyAI would hear of them if somebody spoke them.

A script is TOML: `language_code`, `[speakers]` with the side of each label, and `[[turn]]` with `speaker`, sentences as
`text`, and `pause_ms` before it. A sentence's wording is marked "+ " positive or "- " negative.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# About 140 words of English or German a minute; a character of Chinese or Japanese takes longer.
MS_PER_CHARACTER = 80
MS_PER_UNSPACED_CHARACTER = 170
SENTENCE_PAUSE_MS, TURN_PAUSE_MS = 260, 400
CONFIDENCE = 0.94

_SENTIMENTS = {"+": "POSITIVE", "-": "NEGATIVE"}
# The recogniser's words: between spaces, and in Chinese and Japanese a few characters.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]{{1,3}}[^\s\w]*|[^\s{_UNSPACED}]+")


def read_script(file: Path) -> dict[str, Any]:
    """Return a script."""
    return tomllib.loads(file.read_text("utf-8"))


def sample_of(script: Mapping[str, Any], ms_per_character: int = MS_PER_CHARACTER) -> dict[str, Any]:
    """Return the results of a completed transcript, as a sample call's `transcript.json` holds them."""
    blank = "" if script.get("language_code") == "ja" else " "
    utterances: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    at_ms = 0
    for turn in script["turn"]:
        at_ms += turn.get("pause_ms", TURN_PAUSE_MS)
        words: list[dict[str, Any]] = []
        sentences = []
        for line in turn["text"]:
            mark, _, rest = line.partition(" ")
            sentence = rest if mark in _SENTIMENTS else line
            spoken = [{**word, "speaker": turn["speaker"]} for word in _spoken(sentence, at_ms, ms_per_character)]
            rows.append(
                {
                    "text": sentence,
                    "start": spoken[0]["start"],
                    "end": spoken[-1]["end"],
                    "sentiment": _SENTIMENTS.get(mark, "NEUTRAL"),
                    "confidence": CONFIDENCE,
                    "speaker": turn["speaker"],
                }
            )
            words += spoken
            sentences.append(sentence)
            at_ms = words[-1]["end"] + SENTENCE_PAUSE_MS
        at_ms -= SENTENCE_PAUSE_MS
        utterances.append(
            {
                "speaker": turn["speaker"],
                "text": blank.join(sentences),
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "confidence": CONFIDENCE,
                "words": words,
            }
        )
    return {
        "language_code": script.get("language_code", "en"),
        "text": blank.join(utterance["text"] for utterance in utterances),
        "utterances": utterances,
        "sentiment_analysis_results": rows,
        "confidence": CONFIDENCE,
        "audio_duration": -(-at_ms // 1000),
    }


def _spoken(sentence: str, at_ms: int, ms_per_character: int) -> Iterator[dict[str, Any]]:
    for word in _WORD.findall(sentence):
        unspaced = len(re.findall(rf"[{_UNSPACED}]", word))
        end_ms = at_ms + unspaced * MS_PER_UNSPACED_CHARACTER + (len(word) - unspaced) * ms_per_character
        yield {"text": word, "start": at_ms, "end": end_ms, "confidence": CONFIDENCE}
        # The step to the next word takes as long as a letter.
        at_ms = end_ms if unspaced else end_ms + ms_per_character
