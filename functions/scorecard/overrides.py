"""What an operator has put right about a call, and whether a rescore was asked for."""

from collections.abc import Sequence

import msgspec

from callcoach.documents import Override, Submission
from callcoach.storage import Documents


def override_of(documents: Documents, submission: Submission) -> Override | None:
    """Return what was put right about a submission's transcript; None for nothing, and for another transcript."""
    body = documents.read("overrides", submission.recording)
    override = msgspec.json.decode(body, type=Override) if body else None
    return override if override and override.transcript_id == submission.transcript_id else None


def role_names(override: Override | None, roles: Sequence[str]) -> dict[str, str]:
    """Return each label's role as somebody has said it. roles: what the sides are called, the rep's first."""
    names = {"rep": roles[0], "customer": roles[1]}
    return {label: names[side] for label, side in override.roles.items()} if override else {}


def overridden(submission: Submission, override: Override | None) -> Submission:
    """Return a submission with the right type of call."""
    if override is None or override.call_type is None:
        return submission
    call = msgspec.structs.replace(submission.call, call_type=override.call_type, call_type_source="override")
    return msgspec.structs.replace(submission, call=call)
