"""AssemblyAI's stand-in as a client meets it over HTTP, and the world outside that it fetches from and calls back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import requests
from tests.sandbox.assemblyai.server import AssemblyAI

KEY = "a-key"
HEADERS = {"Authorization": KEY}
CALLS = Path(__file__).parents[1] / "data" / "calls"
RECORDING = CALLS / "discovery_price_shock" / "recording.ogg"
ROLES = {"speaker_type": "role", "known_values": ["Sales Rep", "Customer"]}


@dataclass
class Seen:
    """A request that the world outside the stand-in received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Outside:
    """A server that holds recordings and takes webhooks; `answers` are the statuses of the next POSTs."""

    url: str = ""
    content: bytes = field(default_factory=RECORDING.read_bytes)
    content_type: str = "audio/ogg"
    answers: list[int] = field(default_factory=list)
    delay_seconds: float = 0.0
    seen: list[Seen] = field(default_factory=list)

    def posts(self) -> list[Seen]:
        return [request for request in self.seen if request.method == "POST"]


@contextmanager
def outside_world() -> Iterator[Outside]:
    world = Outside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            world.seen.append(Seen("GET", self.path, dict(self.headers), b""))
            status = int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200
            self.answer(status, world.content)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            world.seen.append(Seen("POST", self.path, dict(self.headers), body))
            time.sleep(world.delay_seconds)
            self.answer(world.answers.pop(0) if world.answers else 200, b"")

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", world.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # a caller that does not wait for a late answer

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        world.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()


def submit(service: AssemblyAI, **fields: Any) -> requests.Response:
    return requests.post(f"{service.url}/v2/transcript", headers=HEADERS, json=fields, timeout=5)


def get(service: AssemblyAI, transcript_id: str) -> Any:
    return requests.get(f"{service.url}/v2/transcript/{transcript_id}", headers=HEADERS, timeout=5).json()


def delete(service: AssemblyAI, transcript_id: str) -> requests.Response:
    return requests.delete(f"{service.url}/v2/transcript/{transcript_id}", headers=HEADERS, timeout=5)


def upload(service: AssemblyAI, sound: bytes) -> str:
    """Return the address of an uploaded recording."""
    answer = requests.post(f"{service.url}/v2/upload", headers=HEADERS, data=sound, timeout=5)
    return str(answer.json()["upload_url"])


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 8
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.01)
    return found


def finished(service: AssemblyAI, **fields: Any) -> Any:
    """Submit, wait for the end, and return the transcript."""
    answer = submit(service, **fields)
    assert answer.status_code == 200, answer.text
    transcript_id = answer.json()["id"]
    wait_for(lambda: service.jobs[transcript_id].completed)
    return get(service, transcript_id)


def understand(service: AssemblyAI, transcript_id: str, task: Any = ROLES) -> requests.Response:
    request = {"speaker_identification": task}
    body = {"transcript_id": transcript_id, "speech_understanding": {"request": request}}
    return requests.post(f"{service.url}/v1/understanding", headers=HEADERS, json=body, timeout=5)


def chat(service: AssemblyAI, **body: Any) -> requests.Response:
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 6000, **body}
    return requests.post(f"{service.url}/v1/chat/completions", headers=HEADERS, json=asked, timeout=10)
