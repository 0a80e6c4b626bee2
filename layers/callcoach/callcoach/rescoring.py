"""Which calls can be scored again from their stored transcripts, what that may cost, and what is put right. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from callcoach.documents import Override, Submission
from callcoach.plain_text import how_many
from callcoach.pricing import about_usd, usual_cost
from callcoach.published import ScoredCall

Side = Literal["rep", "customer"]


class Corrections(msgspec.Struct, frozen=True):
    """What somebody says about a call; {} and None leave what was said before."""

    roles: dict[str, Side] = {}
    call_type: str | None = None


def sides_of(labels: Sequence[str], said: Mapping[str, Side]) -> dict[str, Side]:
    """Return the side of each label that has one. Of two speakers one says who the other is.

    labels: those that speak. Raises ValueError unless both sides are known then.
    """
    unknown = sorted(said.keys() - set(labels))
    if unknown:
        raise ValueError(f"nobody is labelled {', '.join(unknown)}; the labels are {', '.join(sorted(labels))}")
    sides = dict(said)
    others = [label for label in labels if label not in said]
    if len(labels) == 2 and len(others) == 1:
        sides[others[0]] = "rep" if set(said.values()) == {"customer"} else "customer"
    if set(sides.values()) != {"rep", "customer"}:
        raise ValueError(
            f"say which label is the rep and which the customer; the labels are {', '.join(sorted(labels))}"
        )
    return sides


def override(submission: Submission, before: Override | None, corrections: Corrections, request_id: str) -> Override:
    """Return what is put right about a submission's transcript from now on. before: what was until now."""
    kept = before if before and before.transcript_id == submission.transcript_id else None
    return Override(
        recording=submission.recording,
        transcript_id=submission.transcript_id,
        request_id=request_id,
        roles=corrections.roles or (kept.roles if kept else {}),
        call_type=corrections.call_type or (kept.call_type if kept else None),
    )


def request(wanted: Override) -> str:
    """Return the message that asks ScorecardFunction for it."""
    return json.dumps({"transcript_id": wanted.transcript_id, "status": "rescore", "request_id": wanted.request_id})


def cost(cards: Iterable[ScoredCall], calls: int, *, coach_models: Sequence[str]) -> str:
    """Return in words about what the coach takes. cards: of those of the calls that have one."""
    cards = list(cards)
    hours = sum(card.call.duration_seconds for card in cards) / 3600
    tokens = sum((card.run.input_tokens or 0) + (card.run.output_tokens or 0) for card in cards)
    unknown = f", and {calls - len(cards)} of unknown length" if calls > len(cards) else ""
    about = about_usd(usual_cost(len(cards), hours, coach_models))
    return (
        f"{how_many(calls, 'call')}, {hours:,.1f} hours{unknown}, for which the coach took {tokens:,}"
        f" tokens before.\nAsked about all of them anew, it takes {about}. Where its question is the same as before,"
        "\nits stored answer is used. Nothing is transcribed."
    )
