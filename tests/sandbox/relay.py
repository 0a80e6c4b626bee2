"""The real AssemblyAI for a stack that nothing outside can reach.

Stands between the deployed functions and AssemblyAI. What needs a way in from outside is done from here: the recording
is fetched from the sandbox and uploaded instead of linked to, and the callback is made by looking until the transcript
ends. Everything else is passed on as it is, so the functions run unchanged.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import requests

REQUEST_SECONDS = 300
POLL_SECONDS = 3.0
WEBHOOK_SECONDS = 10
WEBHOOK_ATTEMPTS = 10

_WEBHOOK_FIELDS = ("webhook_url", "webhook_auth_header_name", "webhook_auth_header_value")


@dataclass(frozen=True)
class RelayedJob:
    """What the stack asked for and AssemblyAI was not told."""

    audio_url: str
    webhook_url: str
    webhook_header: Mapping[str, str]


class Relay:
    """An address for the stack's AssemblyAIEndpointUrl that leads to AssemblyAI's hosts.

    hosts: host name -> base URL, as the stand-in's: where webhooks to those hosts are really sent.
    """

    def __init__(
        self,
        api_url: str,
        gateway_url: str,
        *,
        hosts: Mapping[str, str] | None = None,
        poll_seconds: float = POLL_SECONDS,
        say: Callable[[str], None] = print,
    ) -> None:
        self.hosts: dict[str, str] = dict(hosts or {})
        self.jobs: dict[str, RelayedJob] = {}
        self.steps: dict[str, list[str]] = {}
        self._api_url = api_url
        self._gateway_url = gateway_url
        self._poll_seconds = poll_seconds
        self._say = say
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, method: str, path: str, key: str, body: bytes) -> requests.Response:
        """Send a request to the host that it belongs to and return the answer."""
        base = self._gateway_url if path.startswith("/v1/") else self._api_url
        headers = {"Authorization": key, "Content-Type": "application/json"}
        return requests.request(method, base + path, data=body or None, headers=headers, timeout=REQUEST_SECONDS)

    def submit(self, key: str, body: bytes) -> requests.Response:
        """Upload the recording, submit it without a webhook, and look after the job from here."""
        asked: dict[str, Any] = json.loads(body)
        sound = requests.get(asked["audio_url"], timeout=REQUEST_SECONDS)
        sound.raise_for_status()
        self._say(f"uploading {len(sound.content) / 1000**2:.1f} MB to AssemblyAI")
        uploaded = requests.post(
            f"{self._api_url}/v2/upload",
            data=sound.content,
            headers={"Authorization": key, "Content-Type": "application/octet-stream"},
            timeout=REQUEST_SECONDS,
        )
        if not uploaded.ok:
            return uploaded
        told = {name: value for name, value in asked.items() if name not in _WEBHOOK_FIELDS}
        told["audio_url"] = uploaded.json()["upload_url"]
        answer = self.pass_on("POST", "/v2/transcript", key, json.dumps(told).encode())
        if answer.ok:
            transcript_id = answer.json()["id"]
            self.jobs[transcript_id] = RelayedJob(
                audio_url=asked["audio_url"],
                webhook_url=asked["webhook_url"],
                webhook_header={asked["webhook_auth_header_name"]: asked["webhook_auth_header_value"]},
            )
            threading.Thread(target=self._look_after, args=(transcript_id, key), daemon=True).start()
        return answer

    def echo(self, answer: Any) -> Any:
        """Put the stack's own addresses back where AssemblyAI would have echoed them."""
        if isinstance(answer, dict) and isinstance(answer.get("transcripts"), list):
            return {**answer, "transcripts": [self.echo(row) for row in answer["transcripts"]]}
        job = self.jobs.get(answer["id"]) if isinstance(answer, dict) and "id" in answer else None
        return {**answer, "audio_url": job.audio_url, "webhook_url": job.webhook_url} if job else answer

    def _look_after(self, transcript_id: str, key: str) -> None:
        self.steps[transcript_id] = []
        while not self._stopping.wait(self._poll_seconds):
            answer = self.pass_on("GET", f"/v2/transcript/{transcript_id}", key, b"")
            status = answer.json()["status"] if answer.ok else "queued"
            if status == "processing":
                self.steps[transcript_id] = ["transcribing"]
            if status in ("completed", "error"):
                self._call_back(transcript_id, status)
                return

    def _call_back(self, transcript_id: str, status: str) -> None:
        """Deliver the callback as AssemblyAI does: until a 2xx, at most ten times, never again after a 4xx."""
        job = self.jobs[transcript_id]
        address = urlsplit(job.webhook_url)
        base = self.hosts.get(address.netloc, f"{address.scheme}://{address.netloc}")
        for _ in range(WEBHOOK_ATTEMPTS):
            answer = requests.post(
                f"{base}{address.path}?{address.query}",
                json={"transcript_id": transcript_id, "status": status},
                headers={**job.webhook_header, "Host": address.netloc},
                timeout=WEBHOOK_SECONDS,
            )
            if answer.status_code < 500:
                self.steps[transcript_id].append("callback")
                return
            self._stopping.wait(self._poll_seconds)


def _handler(relay: Relay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing: the demo prints its own progress."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            key = self.headers.get("Authorization", "")
            if self.command == "POST" and self.path == "/v2/transcript":
                answer = relay.submit(key, body)
            else:
                answer = relay.pass_on(self.command, self.path, key, body)
            content = answer.content
            if answer.ok and self.path.startswith("/v2/"):
                content = json.dumps(relay.echo(answer.json())).encode()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            if "Retry-After" in answer.headers:
                self.send_header("Retry-After", answer.headers["Retry-After"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
