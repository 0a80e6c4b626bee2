"""What arrives in CallbacksQueue, and whose recording it is about. Pure."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from callcoach.documents import KEY_LIMIT_BYTES, decode_key
from callcoach.errors import MalformedMessage
from callcoach.names import scoring_id, scoring_identity

# The message attribute, and the field of the webhook's address that it is copied from, with the encoded key.
RECORDING = "recording"


class Callback(msgspec.Struct, frozen=True):
    """AssemblyAI's notice that a transcript ended, our own that it is overdue, or an operator's wish to rescore it.

    status and recording are hints and nothing more: the transcript itself is read with our own key, and has to be the
    one that the recording's submission names. request_id: of a rescore, has to be the one in overrides/; else "".
    """

    transcript_id: str
    status: str
    recording: str
    request_id: str = ""

    @property
    def work_id(self) -> str:
        """The name of the work."""
        return scoring_id(self.transcript_id, self.request_id)

    @property
    def identity(self) -> dict[str, str]:
        """What makes two callbacks the same piece of work."""
        return scoring_identity(self.transcript_id, self.request_id)

    @property
    def says_completed(self) -> bool:
        """Whether the transcript is worth working on before it was looked at."""
        return self.status == "completed"


class _Body(msgspec.Struct):
    # As long as the webhook's own model lets it be.
    transcript_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    status: Literal["completed", "error", "overdue", "rescore"]


class _Rescore(msgspec.Struct):
    request_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]


def read_callback(body: str, attributes: Mapping[str, str]) -> Callback:
    """Read a message of CallbacksQueue. Raises MalformedMessage when it is no callback."""
    try:
        said = msgspec.json.decode(body, type=_Body)
        # Of what AssemblyAI sends, a field of that name would mean nothing.
        request_id = msgspec.json.decode(body, type=_Rescore).request_id if said.status == "rescore" else ""
    except (msgspec.DecodeError, RecursionError):
        # What the sender wrote stays out of the log.
        raise MalformedMessage("not a callback") from None
    recording = decode_key(attributes.get(RECORDING, ""))
    if not recording or len(recording.encode()) > KEY_LIMIT_BYTES:
        raise MalformedMessage("the callback names no recording")
    return Callback(transcript_id=said.transcript_id, status=said.status, recording=recording, request_id=request_id)
