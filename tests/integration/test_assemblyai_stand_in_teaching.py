"""AssemblyAI's stand-in: what a test can teach it about a recording."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.stand_in import (
    CALLS,
    KEY,
    RECORDING,
    Outside,
    delete,
    finished,
    get,
    outside_world,
    submit,
    understand,
    upload,
    wait_for,
)
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

SOUND = b"a sound of the test"
ASKED = {"speaker_labels": True, "sentiment_analysis": True}


@pytest.fixture
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY, delay_seconds=0) as service:
        yield service


@pytest.fixture
def outside() -> Iterator[Outside]:
    with outside_world() as world:
        world.content = SOUND
        yield world


def utterance(speaker: str, text: str, start: int) -> dict[str, Any]:
    return {"speaker": speaker, "text": text, "start": start, "end": start + 900, "confidence": 0.9, "words": []}


def transcribed(service: AssemblyAI, **fields: Any) -> Any:
    return finished(service, **{"audio_url": upload(service, SOUND), **ASKED, **fields})


def test_a_recording_is_transcribed_to_what_was_taught(stand_in: AssemblyAI) -> None:
    many = [utterance(f"S{number}", "Hello.", 1000 * number) for number in range(28)]
    stand_in.teach(SOUND, {"text": "Hello.", "utterances": many, "audio_duration": 36_000, "confidence": "high"})
    transcript = transcribed(stand_in)
    assert transcript["status"] == "completed"
    assert transcript["utterances"] == many
    assert (transcript["audio_duration"], transcript["confidence"]) == (36_000, "high")
    assert (transcript["words"], transcript["sentiment_analysis_results"]) == (None, None)
    assert transcript["speech_model_used"] == transcript["speech_models"][0]


def test_results_may_be_null_or_missing(stand_in: AssemblyAI) -> None:
    stand_in.teach(SOUND, {"utterances": None, "audio_duration": None}, without=["sentiment_analysis_results", "words"])
    transcript = transcribed(stand_in)
    assert (transcript["utterances"], transcript["audio_duration"]) == (None, None)
    assert not {"sentiment_analysis_results", "words"} & transcript.keys()


def test_what_was_asked_for_is_not_changed_by_teaching(stand_in: AssemblyAI) -> None:
    whole = json.loads((CALLS / "discovery_well_led" / "transcript.json").read_bytes())
    stand_in.teach(SOUND, whole)
    asked = {"audio_url": upload(stand_in, SOUND), "webhook_url": "http://127.0.0.1:9/done", "speaker_labels": True}
    transcript = finished(stand_in, **asked)
    assert {name: transcript[name] for name in asked} == asked
    assert transcript["id"] in stand_in.jobs
    assert transcript["utterances"] == whole["utterances"]
    assert transcript["sentiment_analysis_results"] == whole["sentiment_analysis_results"]


def test_teaching_holds_for_sample_calls_and_from_the_end_of_the_job_on(stand_in: AssemblyAI) -> None:
    sound = RECORDING.read_bytes()
    stand_in.never_finish(sound)
    transcript_id = submit(stand_in, audio_url=upload(stand_in, sound)).json()["id"]
    wait_for(lambda: get(stand_in, transcript_id)["status"] == "processing")
    said = utterance("A", "Something else.", 0)
    stand_in.teach(sound, {"utterances": [said]})
    said["text"] = "Changed later."
    stand_in.finish(transcript_id)
    wait_for(lambda: stand_in.jobs[transcript_id].completed)
    assert get(stand_in, transcript_id)["utterances"][0]["text"] == "Something else."


@pytest.mark.parametrize("status", ["processing", 7])
def test_a_status_that_was_taught_is_shown_but_the_job_has_ended(
    stand_in: AssemblyAI, outside: Outside, status: Any
) -> None:
    stand_in.teach(SOUND, {"status": status})
    transcript = finished(stand_in, audio_url=outside.url, webhook_url=outside.url)
    assert transcript["status"] == status
    (called,) = wait_for(outside.posts)
    assert json.loads(called.body)["status"] == "completed"


def test_taught_transcript_can_be_identified_however_it_looks(stand_in: AssemblyAI) -> None:
    said = [
        utterance("A", "Hi, this is Dana from Shiftwell, let me show you our platform.", 0),
        {**utterance("B", "We use a spreadsheet, and my director pays for it.", 1000), "words": None},
        {"speaker": "B", "text": None},
        {"speaker": None, "text": "Nobody said this."},
        "no object",
    ]
    stand_in.teach(SOUND, {"utterances": said})
    answer = understand(stand_in, transcribed(stand_in)["id"]).json()
    identified = answer["speech_understanding"]["response"]["speaker_identification"]
    assert identified["mapping"] == {"A": "Sales Rep", "B": "Customer"}
    assert answer["utterances"][2:] == [{"speaker": "Customer", "text": None}, *said[3:]]

    stand_in.teach(SOUND, {"utterances": []})
    answer = understand(stand_in, transcribed(stand_in)["id"]).json()
    assert answer["speech_understanding"]["response"]["speaker_identification"]["mapping"] == {}
    assert answer["utterances"] == []


def test_job_can_be_made_to_fail(stand_in: AssemblyAI, outside: Outside) -> None:
    stand_in.fail(SOUND, "Audio duration is too short.")
    transcript = finished(stand_in, audio_url=outside.url, webhook_url=outside.url)
    assert (transcript["status"], transcript["error"]) == ("error", "Audio duration is too short.")
    (called,) = wait_for(outside.posts)
    assert json.loads(called.body)["status"] == "error"
    assert stand_in.paid_calls["transcript"] == 0


def test_job_that_never_finishes_stays_until_it_is_told(stand_in: AssemblyAI) -> None:
    stand_in.teach(SOUND, {"text": "At last."})
    stand_in.never_finish(SOUND)
    first, second = (submit(stand_in, audio_url=upload(stand_in, SOUND)).json()["id"] for _ in range(2))
    other = finished(stand_in, audio_url=upload(stand_in, RECORDING.read_bytes()))
    assert other["status"] == "completed"
    stand_in.finish(second)
    wait_for(lambda: stand_in.jobs[second].completed)
    assert get(stand_in, second)["text"] == "At last."
    assert get(stand_in, first)["status"] == "processing"


def test_deletion_frees_the_place_of_a_job_that_never_finishes() -> None:
    with AssemblyAI(KEY, delay_seconds=0, account=Account(KEY, concurrent_jobs=1)) as service:
        service.never_finish(SOUND)
        endless = submit(service, audio_url=upload(service, SOUND)).json()["id"]
        wait_for(lambda: get(service, endless)["status"] == "processing")
        waiting = submit(service, audio_url=upload(service, RECORDING.read_bytes())).json()["id"]
        delete(service, endless).raise_for_status()
        wait_for(lambda: service.jobs[waiting].completed)
        assert service.jobs[endless].completed is None


def test_stop_ends_a_job_that_never_finishes() -> None:
    with AssemblyAI(KEY, delay_seconds=0) as service:
        service.never_finish(SOUND)
        transcript_id = submit(service, audio_url=upload(service, SOUND)).json()["id"]
        wait_for(lambda: get(service, transcript_id)["status"] == "processing")
    assert service.jobs[transcript_id].completed is None
