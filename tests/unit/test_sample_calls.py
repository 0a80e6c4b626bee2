"""The sample calls: their transcripts say what their scripts and their sound say."""

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

CALLS = Path(__file__).parents[1] / "data" / "calls"
NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "script.toml").exists())


def read(name: str, file: str) -> Any:
    path = CALLS / name / file
    return tomllib.loads(path.read_text("utf-8")) if path.suffix == ".toml" else json.loads(path.read_bytes())


def union_ms(utterances: list[dict[str, Any]], label: str) -> int:
    """Return how many milliseconds at least one utterance of the label covers."""
    covered = 0
    until = -1
    for utterance in sorted(utterances, key=lambda utterance: utterance["start"]):
        if utterance["speaker"] == label:
            covered += max(0, utterance["end"] - max(until, utterance["start"]))
            until = max(until, utterance["end"])
    return covered


def test_there_are_three_of_them() -> None:
    assert NAMES == ["demo_three_speakers", "discovery_price_shock", "discovery_well_led"]


@pytest.mark.parametrize("name", NAMES)
def test_talk_time_is_what_counting_samples_gives(name: str) -> None:
    """Sentence by sentence from the rendered sound, pauses inside a turn included."""
    timing = read(name, "timing.json")
    utterances = read(name, "transcript.json")["utterances"]
    for label, talk_ms in timing["talk_ms"].items():
        turns = [turn["sentence_samples"] for turn in timing["turns"] if turn["speaker"] == label]
        pauses = sum(len(turn) - 1 for turn in turns) * timing["sentence_pause_samples"]
        samples = sum(map(sum, turns)) + pauses
        assert samples * 1000 == talk_ms * timing["sample_rate"]
        assert union_ms(utterances, label) == talk_ms


@pytest.mark.parametrize("name", NAMES)
def test_transcript_says_the_words_of_the_script(name: str) -> None:
    script, transcript = read(name, "script.toml"), read(name, "transcript.json")
    said = [" ".join(line.removeprefix("+ ").removeprefix("- ") for line in turn["text"]) for turn in script["turn"]]
    assert [utterance["text"] for utterance in transcript["utterances"]] == said
    assert [utterance["speaker"] for utterance in transcript["utterances"]] == [
        turn["speaker"] for turn in script["turn"]
    ]
    assert transcript["text"] == " ".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_times_run_forward_and_words_fill_their_utterance(name: str) -> None:
    transcript = read(name, "transcript.json")
    words = transcript["words"]
    assert all(word["start"] < word["end"] for word in words)
    assert all(first["end"] <= second["start"] for first, second in itertools.pairwise(words))
    for utterance in transcript["utterances"]:
        assert utterance["start"] == utterance["words"][0]["start"]
        assert utterance["end"] == utterance["words"][-1]["end"]
        assert utterance["text"].split() == [word["text"] for word in utterance["words"]]
    assert transcript["audio_duration"] * 1000 >= words[-1]["end"]


@pytest.mark.parametrize("name", NAMES)
def test_call_is_long_enough_to_be_coached_and_small_enough_to_be_kept(name: str) -> None:
    transcript = read(name, "transcript.json")
    sides = {label: speaker["side"] for label, speaker in read(name, "script.toml")["speakers"].items()}
    assert (CALLS / name / "recording.ogg").stat().st_size < 500_000
    assert 4 * 60 <= transcript["audio_duration"] <= 6.1 * 60
    talk_ms = {"rep": 0, "customer": 0}
    for label, side in sides.items():
        talk_ms[side] += union_ms(transcript["utterances"], label)
    assert min(talk_ms.values()) >= 60_000
    assert sum(talk_ms.values()) >= 180_000
    customer = [
        line.removeprefix("+ ").removeprefix("- ")
        for turn in read(name, "script.toml")["turn"]
        if sides[turn["speaker"]] == "customer"
        for line in turn["text"]
    ]
    assert sum(len(sentence.split()) > 3 for sentence in customer) >= 30


def test_rep_talks_far_too_much_in_one_call_and_little_in_another() -> None:
    def rep_share(name: str) -> float:
        talk_ms = read(name, "timing.json")["talk_ms"]
        rep = {label for label, speaker in read(name, "script.toml")["speakers"].items() if speaker["side"] == "rep"}
        return float(sum(talk_ms[label] for label in rep) / sum(talk_ms.values()))

    assert rep_share("discovery_price_shock") > 0.6
    assert 0.38 < rep_share("discovery_well_led") < 0.45
    assert rep_share("demo_three_speakers") < 0.65
