"""AssemblyAI's stand-in and calls in other languages: which model hears them, and what it leaves out or refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.stand_in import KEY, Outside, finished, outside_world, submit
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

LANGUAGES = Path(__file__).parents[1] / "data" / "languages"
WANTED = {"speaker_labels": True, "sentiment_analysis": True, "disfluencies": True}


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[AssemblyAI, Outside]]:
    account = Account(KEY, languages_without_speakers=["cy"])
    with outside_world() as outside, AssemblyAI(KEY, delay_seconds=0.02, account=account) as stand_in:
        outside.content_type = "audio/wav"
        yield stand_in, outside


def transcribed(service: tuple[AssemblyAI, Outside], name: str, **fields: Any) -> dict[str, Any]:
    stand_in, outside = service
    outside.content = (LANGUAGES / f"{name}.toml").read_bytes()
    transcript: dict[str, Any] = finished(stand_in, audio_url=outside.url, **fields)
    return transcript


def test_a_detected_language_goes_without_what_it_lacks(service: tuple[AssemblyAI, Outside]) -> None:
    transcript = transcribed(service, "german", language_detection=True, **WANTED)
    assert (transcript["status"], transcript["language_code"]) == ("completed", "de")
    assert transcript["language_confidence"] > 0.9
    assert transcript["utterances"]
    assert transcript["sentiment_analysis_results"] is None


@pytest.mark.parametrize(
    ("name", "wanted", "used", "warned"),
    [
        ("spanish", ["universal-3-pro", "universal-2"], "universal-3-pro", False),
        ("japanese", ["universal-3-pro", "universal-2"], "universal-2", True),
        ("japanese", ["universal-3-5-pro", "universal-2"], "universal-3-5-pro", False),
    ],
)
def test_the_first_model_that_knows_the_language_hears_it(
    service: tuple[AssemblyAI, Outside], name: str, wanted: list[str], used: str, *, warned: bool
) -> None:
    transcript = transcribed(service, name, speech_models=wanted)
    assert transcript["speech_model_used"] == used
    said = [warning["message"] for warning in transcript["metadata"]["warnings"]]
    assert any("is not supported in" in message for message in said) is warned


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"language_detection": True, "language_confidence_threshold": 0.99},
            "detected language 'ja', confidence 0.9874, is below the requested confidence threshold value of '0.99'",
        ),
        ({"speech_models": ["universal-3-pro"]}, "The language 'ja' is not supported by the speech models"),
        ({"language_code": "ko"}, "This stand-in hears this call in its own language"),
    ],
)
def test_a_language_that_cannot_be_heard_ends_the_job(
    service: tuple[AssemblyAI, Outside], fields: dict[str, Any], error: str
) -> None:
    transcript = transcribed(service, "japanese", **fields)
    assert transcript["status"] == "error"
    assert error in transcript["error"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"language_code": "de-DE"}, '"language_code" "de-DE" is not supported'),
        (
            {"language_code": "de", "sentiment_analysis": True, "disfluencies": True},
            "The following models are not available in this language: sentiment_analysis, disfluencies",
        ),
        (
            {"language_code": "cy", "speaker_labels": True, "redact_pii": True},
            "The following models are not available in this language: redact_pii, speaker_labels",
        ),
        ({"language_codes": ["de", "fr"]}, '"language_codes" must contain "en"'),
    ],
)
def test_what_a_named_language_lacks_is_refused(
    service: tuple[AssemblyAI, Outside], fields: dict[str, Any], error: str
) -> None:
    stand_in, outside = service
    answer = submit(stand_in, audio_url=outside.url, **fields)
    assert (answer.status_code, answer.json()) == (400, {"error": error})
