"""AssemblyAI over HTTP: transcription, speaker identification and the LLM Gateway; and what its refusals mean.

GETs are repeated here. POSTs are paid and have no idempotency key, so only a connection that was never made, and a key
that was refused and has been rotated since, is tried again; every other repetition is decided by the caller.

    no connection                          UpstreamUnavailable
    no answer to a POST, a cut-off one,    UpstreamUnavailable, maybe_paid
      502, 504, 200 that cannot be read
    408, 409, 425, other 5xx, 3xx          UpstreamUnavailable
    429, 403 about too many requests       RateLimited
    401, 403, negative balance             AccountRefused
    other 4xx                              RequestRefused
    status error of a transcript           TranscriptFailed (transcript_failure)
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.util import Retry

from callcoach.errors import AccountRefused, RateLimited, RequestRefused, TranscriptFailed, UpstreamUnavailable
from callcoach.transcript import (
    RelabelledUtterance,
    SpeakerIdentification,
    Transcript,
    Understanding,
    decode_transcript,
)

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# A long prompt and a model that thinks: a minute is usual. Cutting it off would pay for an answer and lose it.
COACH_READ_SECONDS = 240.0

# The one failure of a transcript that a new link may mend.
DOWNLOAD_FAILED = "download_failed"

_GET_AGAIN = Retry(
    total=2,
    allowed_methods={"GET"},
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.3,
    raise_on_status=False,
    # The wait that upstream names may be a minute: the queue waits, not a running function.
    respect_retry_after_header=False,
)

# The list of transcripts is read in pages; so many are the last ten thousand jobs.
_PAGE_ROWS = 200
_MOST_PAGES = 50

# What a service says about a fault may be long.
_MESSAGE_CHARACTERS = 3000

# What requests are called; reading transcripts is the rest.
_ENDPOINTS = {
    ("POST", "/v2/transcript"): "Submit",
    ("POST", "/v1/understanding"): "Understanding",
    ("POST", "/v1/chat/completions"): "Chat",
}
_SERVICES = {"/v1/understanding": "understanding", "/v1/chat/completions": "chat"}

# So many characters that were sent are no words of AssemblyAI's own; an id or a model's name is shorter than a secret.
ECHO_CHARACTERS = 20
_SECRET_CHARACTERS = 38

AnswerType = TypeVar("AnswerType")


class ListedTranscript(msgspec.Struct, frozen=True):
    """One row of the list of transcripts."""

    id: str
    status: str
    created: datetime
    audio_url: str | None = None

    @property
    def created_at(self) -> datetime:
        """When the job was made; AssemblyAI writes UTC without saying so."""
        return self.created if self.created.tzinfo else self.created.replace(tzinfo=UTC)


class _Submitted(msgspec.Struct):
    id: str


class _TranscriptList(msgspec.Struct):
    transcripts: list[ListedTranscript]


class IdentificationAnswer(msgspec.Struct):
    """What /v1/understanding answers: the mapping, if it gives one, and the utterances under their new names."""

    speech_understanding: Understanding | None = None
    utterances: list[RelabelledUtterance] | None = None

    @property
    def identification(self) -> SpeakerIdentification:
        """The identification, empty when the answer has none."""
        response = self.speech_understanding and self.speech_understanding.response
        return (response.speaker_identification if response else None) or SpeakerIdentification()


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None


class Completion(msgspec.Struct, frozen=True):
    """A model's answer. finish_reason is the provider's own word; tokens are None when nobody counted them."""

    content: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None


class Key(Protocol):
    """Where the account's key comes from."""

    def __call__(self, *, fresh: bool = False) -> str: ...


# What a request was (Submit, Transcript, Understanding, Chat), the seconds that it took, and whether 200 came.
Observe = Callable[[str, float, bool], None]


def _unobserved(*_: object) -> None:
    """Tell nobody of a request."""


class AssemblyAI:
    """One account. Lives as long as one invocation: a connection kept over a freeze may be dead.

    key: returns the account's key, from a cache unless a fresh one is asked for. observe: is told of each request.
    served: which services have taken a request so far: transcription, understanding, chat.
    """

    def __init__(self, key: Key, api_url: str, gateway_url: str = "", *, observe: Observe = _unobserved) -> None:
        self._key = key
        self._api_url = api_url
        self._gateway_url = gateway_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = key()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_GET_AGAIN))
        self._observe = observe
        self.served: set[str] = set()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def submit(self, request: Mapping[str, object]) -> str:
        """Start a transcription (paid) and return the transcript's id.

        Raises RequestRefused for a 4xx; UpstreamUnavailable when a job may have been made.
        """
        return self._post(f"{self._api_url}/v2/transcript", request, _Submitted, READ_SECONDS).id

    def transcript(self, transcript_id: str) -> Transcript:
        """Read a transcript in whatever state it is. Raises RequestRefused where there is none of that id."""
        return decode_transcript(self._send("GET", self._transcript_url(transcript_id), None, READ_SECONDS))

    def delete_transcript(self, transcript_id: str) -> None:
        """Let AssemblyAI forget a transcript. Nothing happens when it has done so."""
        try:
            self._send("DELETE", self._transcript_url(transcript_id), None, READ_SECONDS)
        except RequestRefused as refusal:
            if refusal.status != 404:
                raise

    def transcripts_since(self, oldest: datetime) -> Iterator[ListedTranscript]:
        """Yield the account's transcripts that were asked for since then, the newest first."""
        before = ""
        for _ in range(_MOST_PAGES):
            url = f"{self._api_url}/v2/transcript?limit={_PAGE_ROWS}{before}"
            rows = _decode(self._send("GET", url, None, READ_SECONDS), _TranscriptList).transcripts
            for row in rows:
                if row.created_at < oldest:
                    return
                yield row
            if len(rows) < _PAGE_ROWS:
                return
            before = f"&before_id={quote(rows[-1].id, safe='')}"

    def _transcript_url(self, transcript_id: str) -> str:
        return f"{self._api_url}/v2/transcript/{quote(transcript_id, safe='')}"

    def identify_speakers(self, transcript_id: str, roles: Sequence[str]) -> IdentificationAnswer:
        """Ask which diarized speaker has which of the roles (paid).

        Raises RequestRefused when the transcript cannot be identified, for example because it is not finished.
        """
        task = {"speaker_type": "role", "known_values": list(roles)}
        request = {
            "transcript_id": transcript_id,
            "speech_understanding": {"request": {"speaker_identification": task}},
        }
        url = f"{self._gateway_url}/v1/understanding"
        body = self._send("POST", url, msgspec.json.encode(request), READ_SECONDS)
        try:
            return msgspec.json.decode(body, type=IdentificationAnswer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Asked again, what is JSON but no answer would be paid for, and answered the same.
            _decode(body, Any, maybe_paid=True)
            return IdentificationAnswer()

    def complete(self, request: Mapping[str, object]) -> Completion:
        """Let a model answer (paid by the token).

        Raises RequestRefused when the model, or a parameter of the request, is not supported.
        """
        url = f"{self._gateway_url}/v1/chat/completions"
        answer = self._post(url, request, _Completion, COACH_READ_SECONDS)
        usage = answer.usage or _Usage()
        # Text may be split over several choices; the reason of the last one ends the answer.
        return Completion(
            content="".join(choice.message.content or "" for choice in answer.choices),
            finish_reason=(answer.choices[-1].finish_reason or "") if answer.choices else "",
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
        )

    def _post(
        self, url: str, request: Mapping[str, object], answer_type: type[AnswerType], read_seconds: float
    ) -> AnswerType:
        body = self._send("POST", url, msgspec.json.encode(request), read_seconds)
        return _decode(body, answer_type, maybe_paid=True)

    def _send(self, method: str, url: str, body: bytes | None, read_seconds: float) -> bytes:
        path = urlsplit(url).path
        service = _SERVICES.get(path, "transcription")
        endpoint = _ENDPOINTS.get((method, path), "Transcript")
        began, is_answered = time.monotonic(), False
        try:
            response = self._request(method, url, body, read_seconds)
            if response.status_code == 401 and self._has_other_key(response.request):
                response = self._request(method, url, body, read_seconds)
            is_answered = response.status_code == 200
        finally:
            self._observe(endpoint, time.monotonic() - began, is_answered)
        if is_answered:
            self.served.add(service)
            return response.content
        raise _refusal(f"{method} {path}", service, response, sent=_sent(response.request))

    def _has_other_key(self, refused: requests.PreparedRequest) -> bool:
        """Read the key anew, and return whether it is another one than a request had that was refused."""
        self._session.headers["Authorization"] = self._key(fresh=True)
        return self._session.headers["Authorization"] != refused.headers["Authorization"]

    def _request(self, method: str, url: str, body: bytes | None, read_seconds: float) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json"} if body else None,
                timeout=(CONNECT_SECONDS, read_seconds),
                # A redirect would carry the key elsewhere, and repeat a paid POST as a GET.
                allow_redirects=False,
            )
        except requests.RequestException as fault:
            raise UpstreamUnavailable(
                f"{method} {urlsplit(url).path}: {type(fault).__name__}",
                maybe_paid=method == "POST" and not _never_connected(fault),
            ) from fault


def _never_connected(fault: requests.RequestException) -> bool:
    """Return whether a request failed before it could be sent."""
    if isinstance(fault, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return True
    reason = getattr(fault.args[0] if fault.args else None, "reason", None)
    return isinstance(fault, requests.ConnectionError) and isinstance(reason, NewConnectionError)


def _decode(body: bytes, answer_type: type[AnswerType], *, maybe_paid: bool = False) -> AnswerType:
    try:
        return msgspec.json.decode(body, type=answer_type, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise UpstreamUnavailable(f"the answer cannot be read: {fault}", maybe_paid=maybe_paid) from fault


def _sent(request: requests.PreparedRequest) -> str:
    """Return what of a request must not come back in the words of a refusal: the key, and every longer text."""
    texts = _texts(msgspec.json.decode(request.body)) if request.body else ()
    return "\n".join((request.headers["Authorization"], *(text for text in texts if len(text) >= _SECRET_CHARACTERS)))


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _refusal(where: str, service: str, response: requests.Response, *, sent: str) -> Exception:
    """Return the error that says who tries again after an answer that is not 200."""
    status = response.status_code
    message = without_echo(error_message(response.content), sent)
    said = f"{where}: {status} {message}"
    if status == 429 or (status == 403 and "too many" in message.casefold()):
        return RateLimited(said, retry_after_seconds=_retry_after_seconds(response))
    if status in (401, 403) or "balance is negative" in message:
        return AccountRefused(said, service=service)
    if status in (408, 409, 425) or not 400 <= status < 500:
        return UpstreamUnavailable(
            said,
            retry_after_seconds=_retry_after_seconds(response),
            maybe_paid=where.startswith("POST") and (status < 300 or status in (502, 504)),
        )
    return RequestRefused(
        "request_refused",
        said,
        status=status,
        next_step="For whoever runs callcoach: read AssemblyAI's message and change the stack's parameters.",
    )


def transcript_failure(error: str) -> TranscriptFailed:
    """Return the failure that the text of a transcript with status error stands for; AssemblyAI gives no code."""
    # A link holds the recording's name, which may be any words.
    text = re.sub(r"https?://\S+", "", error).casefold()
    if "download error" in text:
        # The text holds the recording's link and its signature.
        return TranscriptFailed(
            DOWNLOAD_FAILED,
            "AssemblyAI could not download the recording",
            next_step="For whoever runs callcoach: check the bucket's policy and encryption key, and drop the"
            " recording again.",
            retryable=True,
        )
    if "too short" in text:
        return TranscriptFailed(
            "audio_too_short", "the recording is too short to transcribe", next_step="Nothing: there is no call in it."
        )
    if "does not appear to contain audio" in text or "transcoding failed" in text:
        return TranscriptFailed(
            "no_audio",
            "AssemblyAI finds no sound in the file",
            next_step="Check that the file plays, and drop it again.",
        )
    if "no spoken audio" in text or ("speech" in text and "threshold" in text):
        return TranscriptFailed(
            "no_speech", "nobody speaks in the recording", next_step="Check the recording: it may be silent."
        )
    if "language" in text:
        return TranscriptFailed(
            "language_not_recognized",
            f"AssemblyAI answered: {without_signatures(error)[:300]}",
            next_step="For whoever runs callcoach: name the language in the recording's metadata (language), or add"
            " universal-2, which knows most languages, to the stack's SpeechModels; then drop it again.",
        )
    return TranscriptFailed(
        "transcription_failed",
        f"AssemblyAI answered: {without_signatures(error)[:300]}",
        next_step="Drop the recording again; if it happens again, ask AssemblyAI about the transcript.",
        retryable=True,
    )


def error_message(body: bytes) -> str:
    """Return the message of an error in any of the shapes that AssemblyAI's services use; "" when there is none.

    {"error": "…"}, {"error": {"message": "…"}} and {"message": "…", "metadata": {"errors": ["…"]}}.
    """
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    if isinstance(error, dict):
        answer, error = error, error.get("message")
    metadata = answer.get("metadata")
    details = metadata.get("errors") if isinstance(metadata, dict) else None
    said = [error if isinstance(error, str) else answer.get("message"), *(details if isinstance(details, list) else [])]
    return without_signatures("; ".join(text for text in said if isinstance(text, str)))[:500]


def without_echo(message: str, sent: str) -> str:
    """Cut out what repeats the request, which holds keys and a link, or in a prompt what was said on a call."""
    kept, at = [], 0
    while at < len(message):
        length = ECHO_CHARACTERS
        if message[at : at + length] not in sent or at + length > len(message):
            kept.append(message[at])
            at += 1
            continue
        while at + length < len(message) and message[at : at + length + 1] in sent:
            length += 1
        kept.append("[...]")
        at += length
    return "".join(kept)


def without_signatures(message: str) -> str:
    """Cut the query off every link: a presigned one carries its signature there. A long message is cut too."""
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", message[:_MESSAGE_CHARACTERS])


def _retry_after_seconds(response: requests.Response) -> float | None:
    """Return the wait that an answer names: seconds, or an HTTP date seen from the answer's own."""
    named = response.headers.get("Retry-After", "")
    try:
        seconds = float(named)
    except ValueError:
        try:
            until, now = (parsedate_to_datetime(text) for text in (named, response.headers.get("Date", "")))
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if isfinite(seconds) else None
