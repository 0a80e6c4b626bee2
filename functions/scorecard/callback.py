"""What arrives in CallbacksQueue, and whose recording a transcript belongs to. Pure."""

import base64
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from callcoach.errors import MalformedMessage


class Callback(msgspec.Struct, frozen=True):
    """AssemblyAI's notice that a transcript ended, or our own that it is overdue.

    status is a hint and nothing more: the transcript itself is read with our own key.
    """

    transcript_id: str
    status: str

    @property
    def says_completed(self) -> bool:
        """Whether the transcript is worth working on before it was looked at."""
        return self.status == "completed"


class _Body(msgspec.Struct):
    transcript_id: str
    status: Literal["completed", "error", "overdue"]


def read_callback(body: str) -> Callback:
    """Read a message of CallbacksQueue. Raises MalformedMessage when it is no callback."""
    try:
        said = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as fault:
        raise MalformedMessage(f"not a callback: {fault}") from fault
    return Callback(transcript_id=said.transcript_id, status=said.status)


def recording_key(webhook_url: str | None) -> str | None:
    """Return the recording's key from the address that the transcript echoes; None when the address is not ours."""
    try:
        named = parse_qs(urlsplit(webhook_url or "").query).get("recording", [])
        if len(named) != 1:
            return None
        text = named[0].encode("ascii")
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        # No URL, no base64 or no UTF-8.
        return None
