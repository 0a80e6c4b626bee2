"""What the coach answered, as replies/<recording key>.json keeps it."""

import msgspec


class CoachAttempt(msgspec.Struct, frozen=True):
    """One question to a model that was paid for, or may have been.

    question_sha256: of the model and all messages; finish_reason: the provider's own word; "" when no answer came.
    """

    model: str
    question_sha256: str
    finish_reason: str
    content: str
    input_tokens: int | None
    output_tokens: int | None


class Replies(msgspec.Struct, frozen=True):
    """All of a call, verbatim. request_id: of the rescore that asked last."""

    transcript_id: str
    attempts: list[CoachAttempt]
    request_id: str = ""
