"""AssemblyAI's stand-in: personal data redacted from a transcript, and where the live service leaves it."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.stand_in import CALLS, KEY, ROLES, finished, upload
from tests.sandbox.assemblyai.server import AssemblyAI

NAMES = ("demo_three_speakers", "discovery_price_shock", "discovery_well_led")


@pytest.fixture(scope="module")
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY, delay_seconds=0) as service:
        yield service


def redacted(service: AssemblyAI, name: str, **fields: Any) -> Any:
    sound = (CALLS / name / "recording.ogg").read_bytes()
    asked = {"speaker_labels": True, "sentiment_analysis": True, "redact_pii": True, **fields}
    return finished(service, audio_url=upload(service, sound), **asked)


def sample(name: str) -> Any:
    return json.loads((CALLS / name / "transcript.json").read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_no_marked_phrase_is_left_in_text_utterances_or_words(stand_in: AssemblyAI, name: str) -> None:
    marked = tomllib.loads((CALLS / name / "script.toml").read_text("utf-8"))["personal_data"]
    phrases = [phrase for phrases in marked.values() for phrase in phrases]
    said = sample(name)["text"]
    assert [phrase for phrase in phrases if phrase not in said] == []

    transcript = redacted(stand_in, name)
    texts = [
        transcript["text"],
        " ".join(utterance["text"] for utterance in transcript["utterances"]),
        " ".join(word["text"] for word in transcript["words"]),
        " ".join(word["text"] for utterance in transcript["utterances"] for word in utterance["words"]),
    ]
    assert len(set(texts)) == 1
    assert [phrase for phrase in phrases if phrase in texts[0]] == []


def test_a_word_becomes_as_many_hashes_as_it_has_characters(stand_in: AssemblyAI) -> None:
    transcript = redacted(stand_in, "discovery_price_shock")
    assert transcript["text"].startswith("Hi ######, this is #### from #########. Thanks for making the time today.")
    assert "is ###### a year, billed up front." in transcript["text"]


def test_every_word_of_an_entity_becomes_its_name_and_keeps_times_and_punctuation(stand_in: AssemblyAI) -> None:
    transcript = redacted(stand_in, "demo_three_speakers", redact_pii_sub="entity_name")
    assert transcript["text"].startswith("Hi [PERSON_NAME], this is [PERSON_NAME] from [ORGANIZATION], good to see you")
    assert "and [PERSON_NAME] on [DATE] [DATE] [DATE], at two?" in transcript["text"]
    assert [{**word, "text": ""} for word in transcript["words"]] == [
        {**word, "text": ""} for word in sample("demo_three_speakers")["words"]
    ]


def test_only_what_the_policies_name_is_redacted_and_unknown_policies_are_taken(stand_in: AssemblyAI) -> None:
    policies = ["person_name", "phone_number", "shoe_size"]
    transcript = redacted(stand_in, "discovery_price_shock", redact_pii_policies=policies)
    assert transcript["redact_pii_policies"] == policies
    assert transcript["text"].startswith("Hi ######, this is #### from Shiftwell.")
    untouched = redacted(stand_in, "discovery_price_shock", redact_pii_policies=["phone_number"])
    assert untouched["text"] == sample("discovery_price_shock")["text"]


def test_sentiment_rows_keep_what_was_said(stand_in: AssemblyAI) -> None:
    rows = redacted(stand_in, "discovery_well_led")["sentiment_analysis_results"]
    assert rows == sample("discovery_well_led")["sentiment_analysis_results"]
    assert [row for row in rows if "Elena" in row["text"]]


def test_unredacted_twins_stand_beside_the_redacted_and_keep_their_labels(stand_in: AssemblyAI) -> None:
    understanding = {"request": {"speaker_identification": ROLES}}
    fields = {"redact_pii_return_unredacted": True, "speech_understanding": understanding}
    transcript = redacted(stand_in, "discovery_well_led", **fields)
    whole = sample("discovery_well_led")
    for name in ("text", "words", "utterances"):
        assert transcript[f"unredacted_{name}"] == whole[name]
        assert transcript[name] != whole[name]
    assert {said["speaker"] for said in transcript["utterances"]} == {"Sales Rep", "Customer"}
    assert redacted(stand_in, "discovery_well_led")["unredacted_text"] is None


def test_without_diarization_the_text_and_the_words_are_redacted(stand_in: AssemblyAI) -> None:
    transcript = redacted(stand_in, "discovery_well_led", speaker_labels=False)
    assert transcript["utterances"] is None
    assert transcript["text"].startswith("Hello, this is #####.")
    assert transcript["words"][3]["text"] == "#####."
