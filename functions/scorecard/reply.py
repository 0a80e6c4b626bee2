"""What the coach sends: its types, the schema that asks for them, and how an answer is read. Pure.

A reply is no scorecard. It holds no number and no time, and nothing of it is published before it was checked.
"""

import re
from typing import Any, Literal

import msgspec

Item = Literal[
    "opening",
    "discovery",
    "listening",
    "value_link",
    "objection",
    "next_step",
    "talk_share",
    "monologue",
    "questions",
]


class Quote(msgspec.Struct):
    """Words of the transcript, and the number of the utterance that they stand in."""

    utterance: int
    quote: str


class RolesCheck(msgspec.Struct):
    """Whether the model agrees on who is who, before it is committed to a story."""

    verdict: Literal["agree", "swapped", "unclear", "not_a_sales_call"]
    utterances: list[int]


class ShiftReply(msgspec.Struct):
    """What a shift is about and what set it off."""

    candidate: int
    about: Literal["our_offer_or_rep", "their_own_situation", "third_party", "small_talk", "unclear", "no_real_shift"]
    cause: str
    evidence: list[Quote]


class NextStepReply(msgspec.Struct):
    """What was agreed at the end."""

    status: Literal["agreed", "proposed", "none", "customer_declined", "not_in_recording"]
    action: str
    owner: Literal["rep", "customer", "both", "nobody"]
    when_words: str
    evidence: list[Quote]


class ItemReply(msgspec.Struct):
    """One behaviour. The rationale stands before the level, because a model writes in the schema's order."""

    occasion: str
    evidence: list[Quote]
    rationale: str
    level: Literal["0", "1", "2", "3", "not_observed"]


class RubricReply(msgspec.Struct):
    """All behaviours of rubric.toml."""

    opening: ItemReply
    discovery: ItemReply
    listening: ItemReply
    value_link: ItemReply
    objection: ItemReply
    next_step: ItemReply


class KeepReply(msgspec.Struct):
    """One thing to repeat."""

    what: str
    evidence: list[Quote]


class SuggestionReply(msgspec.Struct):
    """One thing to practise. Its evidence comes first, because what follows has to rest on it."""

    item: Item
    kind: Literal["moment", "absence", "metric"]
    evidence: list[Quote]
    when: str
    do: str
    say: str
    because: str


class SuggestionsReply(msgspec.Struct):
    """Four by shape: a strict model maker refuses a list with a minimum length."""

    first: SuggestionReply
    second: SuggestionReply
    third: SuggestionReply
    spare: SuggestionReply


class Reply(msgspec.Struct):
    """What the coach sends. Its fields' order is the order in which a model writes them."""

    roles_check: RolesCheck
    summary: str
    talk_listen: str
    shifts: list[ShiftReply]
    next_step: NextStepReply
    rubric: RubricReply
    keep: KeepReply
    suggestions: SuggestionsReply
    question_for_one_to_one: str


Fault = Literal["truncated", "refused", "empty", "unreadable"]

_TRUNCATED = ("max_tokens", "length", "model_context_window_exceeded")
_REFUSED = ("refusal", "content_filter")
_WHOLE = ("end_turn", "stop")


class UnusableReply(Exception):
    """An answer that holds no reply. detail: for the model, where it can mend it."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


def wire_schema(reply_type: type) -> dict[str, Any]:
    """Return the JSON Schema of a reply within the subset that the strictest model maker takes.

    Every property is required, no other is allowed, nothing but types, enums and references is said, the root is no
    reference, and properties stand in the order of declaration. Limits are checked on the reply instead.
    """
    schema = msgspec.json.schema(reply_type)
    definitions = schema["$defs"]
    root = definitions.pop(schema["$ref"].rsplit("/", 1)[-1])
    return {**_strict(root), "$defs": {name: _strict(definition) for name, definition in definitions.items()}}


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    if "enum" in node:
        return {"type": "string", "enum": node["enum"]}
    if "items" in node:
        return {"type": "array", "items": _strict(node["items"])}
    if "properties" in node:
        properties = {name: _strict(child) for name, child in node["properties"].items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    return {"type": node["type"]}


WIRE_SCHEMA = wire_schema(Reply)


def read_reply(content: str, finish_reason: str) -> Reply:
    """Read the model's answer. Raises UnusableReply.

    The reason for stopping comes first: a truncated answer is never read, even if it happens to parse. A code fence
    and words around the object, fields that were not asked for, and the case of an enum's value do not matter.
    """
    reason = finish_reason.strip().casefold()
    if reason in _TRUNCATED:
        raise UnusableReply("truncated", finish_reason)
    if reason in _REFUSED:
        raise UnusableReply("refused", finish_reason)
    if reason not in _WHOLE or not content.strip():
        raise UnusableReply("empty", f"finish reason {finish_reason!r}")
    start, end = content.find("{"), content.rfind("}")
    if not 0 <= start < end:
        raise UnusableReply("unreadable", "there is no JSON object in it")
    try:
        answer = msgspec.json.decode(content[start : end + 1])
        return msgspec.convert(_with_known_enums(answer, WIRE_SCHEMA), Reply, strict=False)
    except RecursionError as fault:
        raise UnusableReply("unreadable", "it is nested too deeply") from fault
    except msgspec.DecodeError as fault:
        raise UnusableReply("unreadable", str(fault)) from fault


def _with_known_enums(value: Any, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - what a model wrote
    """Return what a schema asks for of a value, its enums written as the schema writes them."""
    if "$ref" in schema:
        schema = WIRE_SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if "enum" in schema and isinstance(value, str | int):
        written = re.sub(r"[\s-]+", "_", str(value).strip()).casefold()
        return written if written in schema["enum"] else value
    if "items" in schema and isinstance(value, list):
        return [_with_known_enums(item, schema["items"]) for item in value]
    if "properties" in schema and isinstance(value, dict):
        properties = schema["properties"]
        return {name: _with_known_enums(value[name], properties[name]) for name in properties if name in value}
    return value
