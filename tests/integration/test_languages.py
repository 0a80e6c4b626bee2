"""Calls in other languages than English, through the deployed stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.stack import KEY, Stack, running_stack
from tests.sandbox.assemblyai.transcripts import Account

LANGUAGES = Path(__file__).parents[1] / "data" / "languages"


def sound(name: str) -> bytes:
    """What stands for the recording of a call: the stand-in knows it by its bytes."""
    return (LANGUAGES / f"{name}.toml").read_bytes()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A German call whose language is detected, a Spanish one that names it, a Japanese one that is called English."""
    account = Account(KEY, languages_without_speakers=["cy"])
    with running_stack(parameters={"Disfluencies": "true"}, account=account) as running:
        running.drop("detected.wav", sound("german"))
        running.drop("named.wav", sound("spanish"), Metadata={"language": "es-ES"})
        running.drop("unread.wav", sound("japanese"), Metadata={"language": "Japanese"})
        running.drop("refused.wav", sound("german"), Metadata={"language": "cy"})
        for key in ("detected.wav", "named.wav", "unread.wav"):
            running.wait_for("scorecards", key, timeout_seconds=60)
        running.wait_for("failures", "refused.wav")
        running.cloud.wait_until(lambda: len(running.cloud.mails()) == 4)
        yield running


@pytest.mark.parametrize(
    ("key", "language", "confidence", "model"),
    [
        ("detected.wav", "de", 0.9874, "universal-3-pro"),
        ("named.wav", "es", None, "universal-3-pro"),
        ("unread.wav", "ja", 0.9874, "universal-2"),
    ],
)
def test_a_language_is_detected_or_named_and_heard_by_the_first_model_that_knows_it(
    stack: Stack, key: str, language: str, confidence: float | None, model: str
) -> None:
    call = stack.document("scorecards", key)["call"]
    assert (call["language"], call["language_confidence"], call["speech_model"]) == (language, confidence, model)


def test_what_a_named_language_lacks_is_not_asked_for(stack: Stack) -> None:
    """AssemblyAI would refuse the whole request; with a language that it detects it leaves the feature out."""
    (named,), (detected,) = stack.submissions("named.wav"), stack.submissions("detected.wav")
    assert not {"sentiment_analysis", "disfluencies", "language_detection"} & named.keys()
    assert named["language_code"] == "es"
    assert detected["sentiment_analysis"] is detected["disfluencies"] is detected["language_detection"] is True
    assert stack.document("scorecards", "detected.wav")["sentiment"] is None


@pytest.mark.parametrize("key", ["detected.wav", "named.wav", "unread.wav"])
def test_the_coach_writes_in_the_language_of_the_call(stack: Stack, key: str) -> None:
    card = stack.document("scorecards", key)
    assert card["status"] == "complete"
    assert card["coaching"]["language"] == card["call"]["language"]
    assert len(card["coaching"]["suggestions"]) == 3
    assert card["evidence"]["dropped"] == 0


def test_the_mail_keeps_the_letters_and_says_the_language(stack: Stack) -> None:
    (german,), (japanese,) = stack.mails_about("detected.wav"), stack.mails_about("unread.wav")
    assert "Wenn der Kunde den Preis höher findet" in german.message
    assert "/ German\n" in german.message
    assert "お客様が現場への不安を口にしたら" in japanese.message


def test_a_language_field_that_is_no_code_is_told(stack: Stack) -> None:
    (first, *_) = stack.document("scorecards", "unread.wav")["warnings"]
    assert first["code"] == "language_unread"
    assert '"Japanese"' in first["text"]


def test_a_language_without_speakers_is_a_failure_that_says_what_to_do(stack: Stack) -> None:
    failure = stack.document("failures", "refused.wav")
    assert (failure["stage"], failure["reason"], failure["retryable"]) == ("submit", "language_not_supported", False)
    assert "speaker_labels" in failure["detail"]
    assert "RepChannel" in failure["next_step"]
