"""The official Python SDK against the stand-in: what it sends is taken, what it gets is understood."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import assemblyai
import pytest
from tests.sandbox.assemblyai.server import AssemblyAI

# The SDK itself uses what pydantic has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = "a-key"
RECORDING = Path(__file__).parents[1] / "data" / "calls" / "discovery_well_led" / "recording.ogg"


@pytest.fixture
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY, delay_seconds=0.1) as service:
        yield service


@pytest.fixture
def transcriber(stand_in: AssemblyAI) -> Iterator[assemblyai.Transcriber]:
    settings = assemblyai.Settings(
        api_key=KEY, base_url=stand_in.url, llm_gateway_base_url=stand_in.url, polling_interval=0.05
    )
    client = assemblyai.Client(settings=settings)
    yield assemblyai.Transcriber(client=client)
    client.http_client.close()


@pytest.fixture
def config() -> assemblyai.TranscriptionConfig:
    return assemblyai.TranscriptionConfig(
        speech_models=["universal-3-5-pro", "universal-2"], speaker_labels=True, sentiment_analysis=True
    )


def test_sdk_uploads_submits_and_polls_to_the_end(
    stand_in: AssemblyAI, transcriber: assemblyai.Transcriber, config: assemblyai.TranscriptionConfig
) -> None:
    transcript = transcriber.transcribe(str(RECORDING), config=config)

    assert transcript.status == assemblyai.TranscriptStatus.completed
    assert transcript.utterances
    assert {utterance.speaker for utterance in transcript.utterances} == {"A", "B"}
    assert transcript.sentiment_analysis
    assert {row.sentiment.value for row in transcript.sentiment_analysis} == {"POSITIVE", "NEUTRAL", "NEGATIVE"}
    # The SDK reads a row without a start as one that starts at 0.
    assert [row.start for row in transcript.sentiment_analysis].count(0) == 1
    assert " ".join(sentence.text for sentence in transcript.get_sentences()) == transcript.text
    assert len(stand_in.requests("GET", f"/v2/transcript/{transcript.id}")) > 1


def test_sdk_raises_for_a_recording_that_cannot_be_had(transcriber: assemblyai.Transcriber) -> None:
    transcript = transcriber.transcribe("http://127.0.0.1:9/call.ogg")
    assert transcript.status == assemblyai.TranscriptStatus.error
    assert transcript.error
    assert transcript.error.startswith("Download error, unable to download http://127.0.0.1:9/call.ogg.")


def test_sdk_submits_with_a_webhook_that_is_called(
    stand_in: AssemblyAI, transcriber: assemblyai.Transcriber, config: assemblyai.TranscriptionConfig
) -> None:
    received: list[tuple[str | None, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["x-api-key"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.timeout = 5
        config.set_webhook(f"http://127.0.0.1:{server.server_address[1]}/done", "x-api-key", "secret")
        uploaded = transcriber.upload_file(str(RECORDING))
        submitted = transcriber.submit(uploaded, config=config)
        thread = Thread(target=server.handle_request)
        thread.start()
        thread.join()
    assert received == [("secret", {"transcript_id": submitted.id, "status": "completed"})]
    deadline = time.monotonic() + 5
    while stand_in.deliveries[0].outcome == "pending" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stand_in.deliveries[0].status_code == 204


def test_sdk_raises_what_the_service_says(transcriber: assemblyai.Transcriber) -> None:
    wrong = assemblyai.TranscriptionConfig(speech_models=["nano"])
    with pytest.raises(assemblyai.TranscriptError, match="must be a non-empty list containing one or more of"):
        transcriber.submit("https://example.com/call.ogg", config=wrong)
