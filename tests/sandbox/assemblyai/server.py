"""The stand-in's HTTP server: authentication, routes, rate limits, and what tests can look at."""

import http.server
import logging
import re
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from json import dumps, loads
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.sandbox.assemblyai import gateway, transcripts, understanding
from tests.sandbox.assemblyai.clock import Clock, RateLimit
from tests.sandbox.assemblyai.coach import answer as coach_answer
from tests.sandbox.assemblyai.jobs import Job, Jobs
from tests.sandbox.assemblyai.network import Network
from tests.sandbox.assemblyai.samples import CALLS, load_samples
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.assemblyai.webhooks import Delivery
from tests.sandbox.assemblyai.wire import RefusedError, Request, Response
from tests.sandbox.interference import Answers, LostError, Refuse, SideEffects, Spoil, describe_assemblyai_request

if TYPE_CHECKING:
    import socket

PUBLIC_URL = "https://api.assemblyai.com/v2/transcript"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exchange:
    """A request that was answered, and with which status."""

    request: Request
    status: int


class AssemblyAI:
    """AssemblyAI on 127.0.0.1, for one account; one address answers for the API and for LLM Gateway.

    All state lives in the object: two of them know nothing of each other.

    Args:
        api_key: The key that it takes.
        delay_seconds: How long a job takes, of the service's seconds.
        chat_delay_seconds: How long a chat completion takes, of the service's seconds.
        clock_scale: How many real seconds one of the service's seconds lasts.
        hosts: A private name service for recordings and webhooks, see Network.
        calls: The folder with the calls that it can transcribe.
        account: Models and limits of the account of that key, where they matter.
        port: The port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        api_key: str,
        *,
        delay_seconds: float = 2.0,
        chat_delay_seconds: float = 0.0,
        clock_scale: float = 1.0,
        hosts: Mapping[str, str] | None = None,
        calls: Path = CALLS,
        account: Account | None = None,
        port: int = 0,
    ) -> None:
        self.account = account or Account(api_key)
        if self.account.api_key != api_key:
            raise ValueError("the account has another key")
        self._clock = Clock(clock_scale)
        self._chat_delay_seconds = chat_delay_seconds
        self._network = Network(hosts or {})
        self._jobs = Jobs(self.account, load_samples(calls), self._network, self._clock, delay_seconds)
        self._transcript_limit = RateLimit(self._clock, self.account.transcript_requests_per_5_minutes, 300)
        self._understanding_limit = RateLimit(self._clock, self.account.understanding_requests_per_minute)
        self._coach_faults = iter(self.account.coach_faults)
        self._chat_limits: dict[str, RateLimit] = {}
        self._paid = Counter[str]()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.exchanges: list[Exchange] = []
        self._effects: SideEffects | None = None
        self._server = _Server(("127.0.0.1", port), self._handle)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all connections, jobs and deliveries."""
        self._stop.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._jobs.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def hosts(self) -> dict[str, str]:
        """The private name service: host name -> base URL. It may be changed at any time."""
        return self._network.hosts

    @property
    def jobs(self) -> Mapping[str, Job]:
        """All jobs by transcript id, in the order of submission."""
        return self._jobs.by_id

    @property
    def deliveries(self) -> list[Delivery]:
        """All webhooks, with every attempt's status and time."""
        return self._jobs.deliveries

    @property
    def paid_calls(self) -> Mapping[str, int]:
        """What the account is billed for: transcript (completed ones only), understanding, chat."""
        return {
            "transcript": self._jobs.transcribed["completed"],
            "understanding": self._paid["understanding"],
            "chat": self._paid["chat"],
        }

    def requests(self, method: str, path: str) -> list[Request]:
        """Return the requests seen for a method and an exact path, oldest first."""
        return [seen.request for seen in self.exchanges if seen.request.method == method and seen.request.path == path]

    @contextmanager
    def intercept(self, effects: SideEffects) -> Iterator[None]:
        """Let the requests be side effects of the functions, inside a `with` block."""
        before, self._effects = self._effects, effects
        try:
            yield
        finally:
            self._effects = before

    def _handle(self, request: Request) -> Response | Spoil:
        effects = self._effects
        if effects is None:
            return self._exchange(request, self._route)
        answers = Answers[Response | Spoil](
            carry_out=lambda: self._exchange(request, self._route),
            refuse=lambda refusal: self._exchange(request, partial(_refuse, refusal)),
            spoil=lambda spoiled: spoiled,
            wait=self._stop.wait,
        )
        function, what = describe_assemblyai_request(request.method, request.path)
        return effects.intercept(function, what, answers)

    def _exchange(self, request: Request, respond: Callable[[Request], Response]) -> Response:
        gateway_request = request.path.startswith("/v1/")
        try:
            response = respond(request)
        except RefusedError as refused:
            response = refused.response
        except Exception:
            log.exception("the stand-in failed at %s %s", request.method, request.path)
            response = Response(500, {"error": "Internal server error. Please retry your request."})
        if gateway_request and isinstance(response.body, dict) and request.path != "/v1/models":
            response = Response(response.status, {**response.body, "request_id": str(uuid.uuid4())}, response.headers)
        with self._lock:
            self.exchanges.append(Exchange(request, response.status))
        return response

    def _route(self, request: Request) -> Response:
        for method, pattern, name in ROUTES:
            matched = re.fullmatch(pattern, request.path)
            if matched and method == request.method:
                self._admit(request)
                endpoint: Callable[..., Response] = getattr(self, name)
                return endpoint(request, *matched.groups())
        raise self._not_found(request)

    def _not_found(self, request: Request) -> RefusedError:
        if request.path.startswith("/v1/"):
            return gateway.refuse(404, "not found")
        return transcripts.refuse(404, "Not found")

    def _admit(self, request: Request) -> None:
        """Check the key and the rate limit. Raises RefusedError (401, 429) in the shape of each service."""
        if request.path == "/v1/models":
            return
        key = request.headers.get("authorization", "")
        if request.path.startswith("/v2/"):
            if key != self.account.api_key:
                raise transcripts.refuse(401, "Authentication error, API token missing/invalid")
            remaining, rest_seconds = self._transcript_limit.take()
            if remaining < 0:
                error = {"error": "Too Many Requests"}
                raise RefusedError(Response(429, error, {"Retry-After": str(rest_seconds)}))
            return
        if request.path == "/v1/chat/completions":
            key = key.removeprefix("Bearer ")
        if key != self.account.api_key:
            no_access = "Your account does not have access to LLM Gateway. Please upgrade."
            bad_key = "Authentication error, API token missing/invalid"
            error = {"error": bad_key if key else no_access, "status": "error"}
            raise RefusedError(Response(401, error))

    def _take(self, limit: RateLimit, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Count a request of LLM Gateway; return its headers. Raises RefusedError (429)."""
        remaining, rest_seconds = limit.take()
        headers = {
            "x-ratelimit-limit": str(limit.limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-reset": str(rest_seconds),
            **{f"x-ratelimit-{name}": value for name, value in labels.items()},
        }
        if remaining < 0:
            error = {"message": "too many requests for this action", "code": 429}
            raise RefusedError(Response(429, error, {**headers, "retry-after": str(rest_seconds)}))
        return headers

    def _submit(self, request: Request) -> Response:
        fields = transcripts.check_request(_json(request, transcripts.refuse), self.account)
        if asked := fields.get("speech_understanding"):
            try:
                understanding.check_understanding(asked)
            except RefusedError as refused:
                raise transcripts.refuse(400, refused.response.body["message"]) from refused
        return Response(200, self._jobs.submit(fields))

    def _get(self, request: Request, transcript_id: str) -> Response:
        return Response(200, self._job(transcript_id).view)

    def _job(self, transcript_id: str) -> Job:
        job = self._jobs.find(transcript_id)
        if job is None:
            raise transcripts.refuse(404, "Not found")
        return job

    def _delete(self, request: Request, transcript_id: str) -> Response:
        job = self._job(transcript_id)
        if job.transcript["is_deleted"]:
            raise transcripts.refuse(404, "Not found")
        self._jobs.delete(job)
        return Response(200, job.view)

    def _parts(self, request: Request, transcript_id: str, kind: str) -> Response:
        job = self._job(transcript_id)
        if job.transcript["status"] != "completed" or job.transcript["is_deleted"]:
            raise transcripts.refuse(400, "This transcript is not completed.")
        parts = transcripts.sentences(job.transcript)
        if kind == "paragraphs":
            parts = [{name: part[name] for name in part if name != "speaker"} for part in parts]
        head = {name: job.transcript[name] for name in ("id", "confidence", "audio_duration")}
        return Response(200, {**head, kind: parts})

    def _upload(self, request: Request) -> Response:
        if not request.body:
            return Response(422, "The request body is empty.")
        return Response(200, {"upload_url": self._jobs.upload(request.body)})

    def _list(self, request: Request) -> Response:
        query = request.query
        if unknown := sorted(query.keys() - LIST_PARAMETERS):
            raise transcripts.refuse(400, f"Unknown parameters: {', '.join(unknown)}")
        limit = int(query.get("limit", "10")) if query.get("limit", "10").isdecimal() else 0
        if not 1 <= limit <= 200:
            raise transcripts.refuse(400, '"limit" must be an integer from 1 to 200')
        if query.get("status", "queued") not in ("queued", "processing", "completed", "error"):
            raise transcripts.refuse(400, '"status" must be one of queued, processing, completed, error')
        order = [job.transcript["id"] for job in self._jobs.newest_first()]
        place = {name: index for index, name in enumerate(order)}
        found = [self._jobs.by_id[name] for name in order]
        for name in ("before_id", "after_id"):
            if name in query and query[name] not in place:
                raise transcripts.refuse(400, f'"{name}" is not the id of a transcript')
        if "before_id" in query:
            found = found[place[query["before_id"]] + 1 :]
        if "status" in query:
            found = [job for job in found if job.transcript["status"] == query["status"]]
        if "created_on" in query:
            found = [job for job in found if job.created.startswith(query["created_on"])]
        if query.get("throttled_only") == "true":
            found = [job for job in found if job.transcript["throttled"]]
        if "after_id" in query:
            newer = [job for job in found if place[job.transcript["id"]] < place[query["after_id"]]]
            page = newer[-limit:]
        else:
            page = found[:limit]
        return Response(200, _page(page, query, limit))

    def _understand(self, request: Request) -> Response:
        labels = {"service": "speech-understanding", "feature": "understanding"}
        headers = self._take(self._understanding_limit, labels)
        asked = _json(request, gateway.refuse)
        task = understanding.check_request(asked)
        transcript = self._finished(asked["transcript_id"])
        if transcript["utterances"] is None:
            raise gateway.refuse(400, "speaker_labels or multichannel required")
        with self._lock:
            self._paid["understanding"] += 1
        return Response(200, understanding.identify_speakers(task, transcript), headers)

    def _validate_understanding(self, request: Request) -> Response:
        asked = _json(request, gateway.refuse)
        understanding.check_understanding(asked.get("speech_understanding") if isinstance(asked, dict) else None)
        return Response(200, {"status": "valid"})

    def _finished(self, transcript_id: str) -> Mapping[str, Any]:
        job = self._jobs.find(transcript_id)
        if job is None:
            raise gateway.refuse(404, "transcript not found")
        if job.transcript["is_deleted"]:
            raise gateway.refuse(404, "transcript deleted")
        if job.transcript["status"] != "completed":
            raise gateway.refuse(400, "transcript is not completed")
        return job.transcript

    def _chat(self, request: Request) -> Response:
        started = time.monotonic_ns()
        body = _json(request, gateway.refuse)
        model = str(body.get("model")) if isinstance(body, dict) else ""
        with self._lock:
            limit = self._chat_limits.setdefault(model, RateLimit(self._clock, self.account.chat_requests_per_minute))
        headers = self._take(limit, {"service": "llm-gateway", "model": model})
        asked = gateway.check_request(body, self.account.retired_chat_models)
        if asked.transcript_id is not None:
            text = self._finished(asked.transcript_id)["text"]
            asked = replace(asked, messages=_inject(asked.messages, text))
        fault = self._next_coach_fault()
        gateway.fail(fault, asked)
        answer = coach_answer(asked.messages, asked.schema, self.account.coach)
        if self._clock.wait(self._stop, self._chat_delay_seconds):
            raise gateway.refuse(503, "the stand-in is stopping")
        with self._lock:
            self._paid["chat"] += 1
        return Response(200, gateway.completion(asked, answer, time.monotonic_ns() - started, fault), headers)

    def _next_coach_fault(self) -> gateway.Fault | None:
        with self._lock:
            return next(self._coach_faults, None)

    def _models(self, request: Request) -> Response:
        return Response(200, gateway.catalogue(self.account.retired_chat_models))


LIST_PARAMETERS = {"limit", "status", "created_on", "before_id", "after_id", "throttled_only"}
ROUTES = (
    ("POST", r"/v2/transcript", "_submit"),
    ("GET", r"/v2/transcript", "_list"),
    ("POST", r"/v2/upload", "_upload"),
    ("GET", r"/v2/transcript/([^/]+)", "_get"),
    ("DELETE", r"/v2/transcript/([^/]+)", "_delete"),
    ("GET", r"/v2/transcript/([^/]+)/(sentences|paragraphs)", "_parts"),
    ("POST", r"/v1/understanding", "_understand"),
    ("POST", r"/v1/understanding/validate", "_validate_understanding"),
    ("POST", r"/v1/chat/completions", "_chat"),
    ("GET", r"/v1/models", "_models"),
)


def _refuse(refusal: Refuse, request: Request) -> Response:
    """Answer as the service that is asked does when it refuses."""
    shape = gateway.refuse if request.path.startswith("/v1/") else transcripts.refuse
    return replace(shape(refusal.status, refusal.code).response, headers=refusal.headers)


def _json(request: Request, refuse: Callable[[int, str], RefusedError]) -> Any:
    try:
        return loads(request.body)
    except ValueError as error:
        raise refuse(400, "The request body is not valid JSON.") from error


def _inject(messages: Sequence[tuple[str, str]], text: str) -> list[tuple[str, str]]:
    """Put the transcript's plain text in place of the first tag, as the service does; no tag, no change."""
    tag = "{{ transcript }}"
    first = next((index for index, (_, content) in enumerate(messages) if tag in content), None)
    return [
        (role, content.replace(tag, text, 1) if index == first else content)
        for index, (role, content) in enumerate(messages)
    ]


def _page(jobs: list[Job], query: Mapping[str, str], limit: int) -> dict[str, Any]:
    def link(**changes: str) -> str:
        kept = {name: value for name, value in query.items() if name not in ("before_id", "after_id")}
        return f"{PUBLIC_URL}?{urlencode({**kept, 'limit': limit, **changes})}"

    return {
        "page_details": {
            "limit": limit,
            "result_count": len(jobs),
            "current_url": f"{PUBLIC_URL}?{urlencode({**query, 'limit': limit})}",
            "prev_url": link(before_id=jobs[-1].transcript["id"]) if jobs else None,
            "next_url": link(after_id=jobs[0].transcript["id"]) if jobs else None,
        },
        "transcripts": [
            {
                "id": job.transcript["id"],
                "resource_url": f"{PUBLIC_URL}/{job.transcript['id']}",
                "status": job.transcript["status"],
                "created": job.created,
                "completed": job.completed if job.transcript["status"] == "completed" else None,
                "audio_url": job.transcript["audio_url"],
                "error": job.transcript["error"],
            }
            for job in jobs
        ],
    }


class _Server(http.server.ThreadingHTTPServer):
    """HTTP/1.1 with kept-alive connections, which end with the server."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handle: Callable[[Request], Response | Spoil]) -> None:
        self.handle = handle
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may go away at any time; anything else is a fault of the stand-in.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one packet
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        target = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self.rfile.read(length)
        request = Request(
            method=self.command,
            path=target.path.rstrip("/"),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        try:
            response = self.server.handle(request)
        except LostError:
            self.close_connection = True
            return
        if isinstance(response, Spoil):
            self._send(response.status, response.sent_headers, response.body)
            return
        text = isinstance(response.body, str)
        content = response.body.encode() if text else dumps(response.body).encode()
        own = {
            "Content-Type": "text/plain; charset=utf-8" if text else "application/json",
            "Content-Length": str(len(content)),
        }
        self._send(response.status, {**own, **response.headers}, content)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    do_GET = do_POST = do_DELETE = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        log.debug(format, *args)


def serve_forever(port: int, api_key: str, delay_seconds: float) -> None:
    """Serve until SIGINT or SIGTERM; print the address first. Call it from the main thread."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with AssemblyAI(api_key, delay_seconds=delay_seconds, port=port) as stand_in:
        print(f"AssemblyAI's stand-in: {stand_in.url} (Ctrl-C ends it)", flush=True)
        ended.wait()
