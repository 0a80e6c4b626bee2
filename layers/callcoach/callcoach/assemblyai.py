"""AssemblyAI over HTTP: transcription, speaker identification and the LLM Gateway.

GETs are repeated here. POSTs are paid and have no idempotency key, so only a connection that was never made is tried
again; every other repetition is decided by the caller.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from callcoach.errors import AccountRefused, RateLimited, RequestRefused, UpstreamUnavailable
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

_GET_AGAIN = Retry(
    total=2,
    allowed_methods={"GET"},
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.3,
    raise_on_status=False,
    # The wait that upstream names may be a minute: the queue waits, not a running function.
    respect_retry_after_header=False,
)

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


class AssemblyAI:
    """One account. Lives as long as one invocation: a connection kept over a freeze may be dead."""

    def __init__(self, api_key: str, api_url: str, gateway_url: str = "") -> None:
        self._api_url = api_url
        self._gateway_url = gateway_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = api_key
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_GET_AGAIN))

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
        url = f"{self._api_url}/v2/transcript/{quote(transcript_id, safe='')}"
        return decode_transcript(self._send("GET", url, None, READ_SECONDS))

    def recent_transcripts(self, limit: int = 200) -> list[ListedTranscript]:
        """Return the account's latest transcripts, the newest first."""
        url = f"{self._api_url}/v2/transcript?limit={limit}"
        return _decode(self._send("GET", url, None, READ_SECONDS), _TranscriptList).transcripts

    def identify_speakers(self, transcript_id: str, roles: Sequence[str]) -> IdentificationAnswer:
        """Ask which diarized speaker has which of the roles (paid).

        Raises RequestRefused when the transcript cannot be identified, for example because it is not finished.
        """
        task = {"speaker_type": "role", "known_values": list(roles)}
        request = {
            "transcript_id": transcript_id,
            "speech_understanding": {"request": {"speaker_identification": task}},
        }
        return self._post(f"{self._gateway_url}/v1/understanding", request, IdentificationAnswer, READ_SECONDS)

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
        return _decode(self._send("POST", url, msgspec.json.encode(request), read_seconds), answer_type)

    def _send(self, method: str, url: str, body: bytes | None, read_seconds: float) -> bytes:
        where = f"{method} {urlsplit(url).path}"
        try:
            response = self._session.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json"} if body else None,
                timeout=(CONNECT_SECONDS, read_seconds),
                # A redirect would carry the key elsewhere, and repeat a paid POST as a GET.
                allow_redirects=False,
            )
        except requests.RequestException as fault:
            raise UpstreamUnavailable(f"{where}: {type(fault).__name__}") from fault
        if response.status_code == 200:
            return response.content
        raise _refusal(where, response)


def _decode(body: bytes, answer_type: type[AnswerType]) -> AnswerType:
    try:
        return msgspec.json.decode(body, type=answer_type, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise UpstreamUnavailable(f"the answer cannot be read: {fault}") from fault


def _refusal(where: str, response: requests.Response) -> Exception:
    """Map an answer that is not 200 to the error that says who tries again."""
    status = response.status_code
    message = error_message(response.content)
    said = f"{where}: {status} {message}"
    if status == 429:
        return RateLimited(said, retry_after_seconds=_retry_after_seconds(response))
    if status in (401, 403) or "balance is negative" in message:
        return AccountRefused(said)
    if status == 408 or not 400 <= status < 500:
        return UpstreamUnavailable(said, retry_after_seconds=_retry_after_seconds(response))
    return RequestRefused(
        "request_refused", said, status=status, next_step="Read AssemblyAI's message and change the stack's parameters."
    )


def error_message(body: bytes) -> str:
    """Return the message of an error in any of the shapes that AssemblyAI's services use; "" when there is none.

    {"error": "…"}, {"error": {"message": "…"}} and {"message": "…", "metadata": {"errors": ["…"]}}.
    """
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
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


def without_signatures(message: str) -> str:
    """Cut the query off every link: a presigned one carries its signature there."""
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", message)


def _retry_after_seconds(response: requests.Response) -> float | None:
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(seconds, 0.0) if isfinite(seconds) else None
