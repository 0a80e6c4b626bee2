"""A coach whose every quote is a lie, of each kind that quote checking has to catch."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.sandbox.assemblyai.coach.conversation import Conversation


def _quotes(reply: Any) -> list[dict[str, Any]]:
    """Return every quote within a reply, to be changed in place."""
    if isinstance(reply, dict) and set(reply) == {"utterance", "quote"}:
        return [reply]
    parts: Iterable[Any] = reply.values() if isinstance(reply, dict) else reply if isinstance(reply, list) else ()
    return [quote for part in parts for quote in _quotes(part)]


def _invented(_: dict[str, Any], __: Conversation) -> dict[str, Any]:
    return {"quote": "we are going to sign the contract for every site before the summer"}


def _stitched(quote: dict[str, Any], call: Conversation) -> dict[str, Any]:
    others = [line for line in call.lines if line.number != quote["utterance"] and line.words > 6]
    half = quote["quote"].split()[: max(3, len(quote["quote"].split()) // 2)]
    return {"quote": " ".join([*half, *others[len(half) % len(others)].text.split()[-5:]])}


def _of_another(quote: dict[str, Any], call: Conversation) -> dict[str, Any]:
    said_by = call.find(quote["utterance"])
    others = [line for line in call.lines if said_by and line.side != said_by.side and line.words > 6]
    return {"quote": others[0].quote()["quote"]} if others else _invented(quote, call)


def _with_another_number(quote: dict[str, Any], _: Conversation) -> dict[str, Any]:
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + 7), quote["quote"])
    return {"quote": changed if changed != quote["quote"] else f"{quote['quote']} for 77 days"}


def _without_negation(quote: dict[str, Any], _: Conversation) -> dict[str, Any]:
    plain = re.sub(r"\b(not|never|no|nobody)\b ?|n't\b", "", quote["quote"], flags=re.IGNORECASE)
    return {"quote": plain if plain != quote["quote"] else f"we do not {quote['quote']}"}


LIES: Sequence[Callable[[dict[str, Any], Conversation], dict[str, Any]]] = (
    _invented,
    _stitched,
    _of_another,
    _with_another_number,
    _without_negation,
)


def lie(reply: dict[str, Any], call: Conversation) -> dict[str, Any]:
    """Return the reply with every quote falsified, in five ways by turns."""
    for place, quote in enumerate(_quotes(reply)):
        quote.update(LIES[place % len(LIES)](quote, call))
    return reply
