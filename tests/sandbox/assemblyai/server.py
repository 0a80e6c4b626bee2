"""The stand-in's HTTP server: authentication, routes, rate limits, and what tests can look at."""

import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from json import dumps, loads
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.sandbox.assemblyai import gateway, outcomes, transcripts, understanding
from tests.sandbox.assemblyai.billing import Ledger, Service
from tests.sandbox.assemblyai.clock import Clock, RateLimit
from tests.sandbox.assemblyai.coach import answer as coach_answer
from tests.sandbox.assemblyai.coach.conversation import read_prompt
from tests.sandbox.assemblyai.jobs import Job, Jobs
from tests.sandbox.assemblyai.network import Network
from tests.sandbox.assemblyai.samples import CALLS, load_samples, sha256
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.assemblyai.webhooks import Delivery
from tests.sandbox.assemblyai.wire import RefusedError, Request, Response
from tests.sandbox.http_server import Handler, Server
from tests.sandbox.interference import Answers, LostError, Refuse, SideEffects, Spoil, describe_assemblyai_request

PUBLIC_URL = "https://api.assemblyai.com/v2/transcript"
NEGATIVE_BALANCE = "Your current account balance is negative. Please top up to continue using the API."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exchange:
    """A request that was answered, and with which status. at: the service's second at which it came."""

    request: Request
    status: int
    at: float


class AssemblyAI:
    """AssemblyAI on 127.0.0.1, for one account; one address answers for the API and for LLM Gateway.

    All state lives in the object: two of them know nothing of each other.

    Args:
        api_key: The key that it takes.
        delay_seconds: How long a job takes, of the service's seconds.
        answer_seconds: How long an answer takes, of the service's seconds, by what method and path begin with.
        clock_scale: How many real seconds one of the service's seconds lasts.
        list_delay_seconds: How long a job is missing from the list of transcripts, of the service's seconds.
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
        answer_seconds: Mapping[str, float] | None = None,
        clock_scale: float = 1.0,
        list_delay_seconds: float = 0.0,
        hosts: Mapping[str, str] | None = None,
        calls: Path = CALLS,
        account: Account | None = None,
        port: int = 0,
    ) -> None:
        account = account or Account(api_key)
        if account.api_key != api_key:
            raise ValueError("the account has another key")
        self.list_delay_seconds = list_delay_seconds
        self._clock = Clock(clock_scale)
        self.answer_seconds = dict(answer_seconds or {})
        self._network = Network(hosts or {})
        self._ledger = Ledger()
        self._jobs = Jobs(account, load_samples(calls), self._network, self._clock, delay_seconds, ledger=self._ledger)
        self._transcript_limit = RateLimit(self._clock, window_seconds=300)
        self._understanding_limit = RateLimit(self._clock)
        self._coach_faults = iter(account.coach_faults)
        self._identification_faults = iter(account.identification_faults)
        self._chat_limits: dict[str, RateLimit] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.exchanges: list[Exchange] = []
        self._effects: SideEffects | None = None
        self._server = _Server(port, self._handle)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://{self._server.address}"

    def start(self) -> Self:
        """Begin to answer."""
        self._server.start()
        return self

    def stop(self) -> None:
        """End all connections, jobs and deliveries."""
        self._stop.set()
        self._server.stop()
        self._jobs.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Be down inside a `with` block, and back at the same address after it.

        All connections end, and what was asked is carried out but not answered. Jobs go on; callbacks wait.
        """
        port = int(self._server.server_address[1])
        self._jobs.online.clear()
        self._server.stop()
        with socket.socket() as place:
            # Bound, though nobody listens: no connection of somebody else's begins at this port meanwhile.
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(("127.0.0.1", port))
            try:
                yield
            finally:
                if not self._stop.is_set():
                    self._server = _Server(port, self._handle)
                    self._server.start()
                    self._jobs.online.set()

    def restart(self, away_seconds: float = 1.0) -> None:
        """Be down for so many of the service's seconds."""
        with self.away():
            self._clock.wait(self._stop, away_seconds)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def account(self) -> Account:
        """The account; another one may be set at any time, and counts from the next request on.

        Its faults begin anew where they are another object.
        """
        return self._jobs.account

    @account.setter
    def account(self, account: Account) -> None:
        with self._lock:
            if account.coach_faults is not self.account.coach_faults:
                self._coach_faults = iter(account.coach_faults)
            if account.identification_faults is not self.account.identification_faults:
                self._identification_faults = iter(account.identification_faults)
            self._jobs.account = account

    def teach(self, sound: bytes, transcript: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
        """Let a recording of these bytes be transcribed to the results in `transcript`, whatever was asked for.

        They are taken as they are, so they may be null or of any type; the fields in `without` are missing from the
        answer. What belongs to the request (`id`, `audio_url`, `speaker_labels`, ...) stays as it was asked.
        """
        self._jobs.teach(sha256(sound), outcomes.taught(transcript, without))

    def fail(self, sound: bytes, error: str) -> None:
        """Let the jobs of a recording of these bytes end with this error."""
        self._jobs.teach(sha256(sound), outcomes.failure(error))

    def never_finish(self, sound: bytes) -> None:
        """Let the jobs of a recording of these bytes stay `processing`, each until `finish`."""
        self._jobs.endless.add(sha256(sound))

    def finish(self, transcript_id: str) -> None:
        """End a job now."""
        self.jobs[transcript_id].hurry.set()

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
    def paid_calls(self) -> Mapping[Service, int]:
        """What the account is billed for: transcript (completed ones only), understanding, chat."""
        return self._ledger.total()

    def paid_for(self, recording_key: str) -> Mapping[Service, int]:
        """Return how often the account is billed for one recording, by service as in `paid_calls`.

        The key is the path of `audio_url`, unquoted, with or without a bucket. A chat counts for the recording whose
        words are most like those in its prompt; recordings with the same words share their chats.
        """
        return self._ledger.paid_for(recording_key)

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
        came_at = self._clock.now()
        gateway_request = request.path.startswith("/v1/")
        try:
            response = respond(request)
        except RefusedError as refused:
            response = refused.response
        except Exception:
            log.exception("the stand-in failed at %s %s", request.method, request.path)
            response = Response(500, {"error": "Internal server error. Please retry your request."})
        if gateway_request and isinstance(response.body, dict) and request.path != "/v1/models":
            response = gateway.sent(response, self.account.gateway_error_shape)
        with self._lock:
            self.exchanges.append(Exchange(request, response.status, came_at))
        return response

    def _seconds(self, asked: str) -> float:
        return next((seconds for start, seconds in self.answer_seconds.items() if asked.startswith(start)), 0.0)

    def _route(self, request: Request) -> Response:
        for method, pattern, name in ROUTES:
            matched = re.fullmatch(pattern, request.path)
            if matched and method == request.method:
                self._admit(request)
                endpoint: Callable[..., Response] = getattr(self, name)
                response = endpoint(request, *matched.groups())
                self._clock.wait(self._stop, self._seconds(f"{request.method} {request.path}"))
                return response
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
            remaining, rest_seconds = self._transcript_limit.take(self.account.transcript_requests_per_5_minutes)
            if remaining < 0:
                raise RefusedError(Response(429, {"error": "Too Many Requests"}, self._retry_after(rest_seconds)))
            return
        service = "understanding"
        if request.path == "/v1/chat/completions":
            service = "chat"
            key = key.removeprefix("Bearer ")
        known = key == self.account.api_key
        if not known or service not in self.account.gateway_services:
            no_access = "Your account does not have access to LLM Gateway. Please upgrade."
            bad_key = "Authentication error, API token missing/invalid"
            error = {"error": bad_key if key and not known else no_access, "status": "error"}
            raise RefusedError(Response(401, error))

    def _retry_after(self, rest_seconds: int) -> Mapping[str, str]:
        if self.account.retry_after == "absent":
            return {}
        dated = self.account.retry_after == "date"
        return {"Retry-After": formatdate(time.time() + rest_seconds, usegmt=True) if dated else str(rest_seconds)}

    def _take(self, counter: RateLimit, limit: int, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Count a request of LLM Gateway; return its headers. Raises RefusedError (429)."""
        remaining, rest_seconds = counter.take(limit)
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-reset": str(rest_seconds),
            **{f"x-ratelimit-{name}": value for name, value in labels.items()},
        }
        if remaining < 0:
            error = {"message": "too many requests for this action", "code": 429}
            raise RefusedError(Response(429, error, {**headers, **self._retry_after(rest_seconds)}))
        return headers

    def _require_balance(self, refuse: Callable[[int, str], RefusedError]) -> None:
        """Raise RefusedError (400) where the account owes money. Documented of submissions; here of all paid work."""
        if self.account.balance_is_negative:
            raise refuse(400, NEGATIVE_BALANCE)

    def _submit(self, request: Request) -> Response:
        self._require_balance(transcripts.refuse)
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
        if job.transcript.get("is_deleted"):
            raise transcripts.refuse(404, "Not found")
        self._jobs.delete(job)
        return Response(200, job.view)

    def _parts(self, request: Request, transcript_id: str, kind: str) -> Response:
        job = self._job(transcript_id)
        if job.transcript.get("status") != "completed" or job.transcript.get("is_deleted"):
            raise transcripts.refuse(400, "This transcript is not completed.")
        parts = transcripts.sentences(job.transcript)
        if kind == "paragraphs":
            parts = [{name: part[name] for name in part if name != "speaker"} for part in parts]
        head = {name: job.transcript.get(name) for name in ("id", "confidence", "audio_duration")}
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
        jobs = self._jobs.newest_first()
        place = {job.id: index for index, job in enumerate(jobs)}
        listed_until = self._clock.now() - self.list_delay_seconds
        found = [job for job in jobs if job.history[0][1] <= listed_until]
        for name in ("before_id", "after_id"):
            if name in query and query[name] not in place:
                raise transcripts.refuse(400, f'"{name}" is not the id of a transcript')
        if "before_id" in query:
            found = [job for job in found if place[job.id] > place[query["before_id"]]]
        if "status" in query:
            found = [job for job in found if job.transcript.get("status") == query["status"]]
        if "created_on" in query:
            found = [job for job in found if job.created.startswith(query["created_on"])]
        if query.get("throttled_only") == "true":
            found = [job for job in found if job.transcript.get("throttled")]
        if "after_id" in query:
            newer = [job for job in found if place[job.id] < place[query["after_id"]]]
            page = newer[-limit:]
        else:
            page = found[:limit]
        return Response(200, _page(page, query, limit))

    def _understand(self, request: Request) -> Response:
        labels = {"service": "speech-understanding", "feature": "understanding"}
        headers = self._take(self._understanding_limit, self.account.understanding_requests_per_minute, labels)
        self._require_balance(gateway.refuse)
        asked = _json(request, gateway.refuse)
        task = understanding.check_request(asked)
        job = self._finished(asked["transcript_id"])
        if job.transcript.get("utterances") is None:
            raise gateway.refuse(400, "speaker_labels or multichannel required")
        with self._lock:
            fault = next(self._identification_faults, None)
        self._ledger.add_understanding(job.recording)
        return Response(200, understanding.identify_speakers(task, job.transcript, fault), headers)

    def _validate_understanding(self, request: Request) -> Response:
        asked = _json(request, gateway.refuse)
        understanding.check_understanding(asked.get("speech_understanding") if isinstance(asked, dict) else None)
        return Response(200, {"status": "valid"})

    def _finished(self, transcript_id: str) -> Job:
        job = self._jobs.find(transcript_id)
        if job is None:
            raise gateway.refuse(404, "transcript not found")
        if job.transcript.get("is_deleted"):
            raise gateway.refuse(404, "transcript deleted")
        if job.history[-1][0] != "completed":
            raise gateway.refuse(400, "transcript is not completed")
        return job

    def _chat(self, request: Request) -> Response:
        started = time.monotonic_ns()
        body = _json(request, gateway.refuse)
        model = str(body.get("model")) if isinstance(body, dict) else ""
        with self._lock:
            counter = self._chat_limits.setdefault(model, RateLimit(self._clock))
        labels = {"service": "llm-gateway", "model": model}
        headers = self._take(counter, self.account.chat_requests_per_minute, labels)
        self._require_balance(gateway.refuse)
        asked = gateway.check_request(body, self.account.retired_chat_models, self.account.chat_models)
        if asked.transcript_id is not None:
            text = str(self._finished(asked.transcript_id).transcript.get("text") or "")
            asked = replace(asked, messages=_inject(asked.messages, text))
        with self._lock:
            fault = next(self._coach_faults, None)
        gateway.fail(fault, asked)
        answer = coach_answer(asked.messages, asked.schema, self.account.coach)
        call = read_prompt(asked.messages)
        self._ledger.add_chat(line.text for line in (call.lines if call else ()))
        return Response(200, gateway.completion(asked, answer, time.monotonic_ns() - started, fault), headers)

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
            "prev_url": link(before_id=jobs[-1].id) if jobs else None,
            "next_url": link(after_id=jobs[0].id) if jobs else None,
        },
        "transcripts": [
            {
                "id": job.id,
                "resource_url": f"{PUBLIC_URL}/{job.id}",
                "status": job.transcript.get("status"),
                "created": job.created,
                "completed": job.completed if job.history[-1][0] == "completed" else None,
                "audio_url": job.transcript.get("audio_url"),
                "error": job.transcript.get("error"),
            }
            for job in jobs
        ],
    }


class _Server(Server):
    """HTTP/1.1 with kept-alive connections, which end with the server."""

    def __init__(self, port: int, handle: Callable[[Request], Response | Spoil]) -> None:
        self.handle = handle
        super().__init__(_Handler, port)


class _Handler(Handler):
    server: _Server

    def _answer(self) -> None:
        target = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=target.path.rstrip("/"),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.read_body(),
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

    do_GET = do_POST = do_DELETE = do_PUT = _answer

    def log_message(self, *said: Any) -> None:
        log.debug(*said)


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
