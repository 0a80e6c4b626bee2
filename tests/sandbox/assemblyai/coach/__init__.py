"""The model behind the stand-in's LLM Gateway: a coach by rules, which knows only the prompt it is sent.

It reads the call in the prompt, quotes real lines of it, and fills whatever JSON shape was asked for,
property by property in the schema's order. Without a shape it answers in prose; without a call it says so.
Of its characters, one does what anybody on the call asks for and one lies about what was said.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from tests.sandbox.assemblyai.coach.advice import Advice
from tests.sandbox.assemblyai.coach.conversation import CUSTOMER, REP, Conversation, Line, read_prompt
from tests.sandbox.assemblyai.coach.gullible import obey
from tests.sandbox.assemblyai.coach.lying import lie
from tests.sandbox.assemblyai.coach.observations import LIKES, PRICE, Observations
from tests.sandbox.assemblyai.coach.prepared import prepared_reply
from tests.sandbox.assemblyai.coach.retelling import listing
from tests.sandbox.assemblyai.coach.rubric import Rubric
from tests.sandbox.assemblyai.coach.telling import Telling
from tests.sandbox.assemblyai.roles import seller_points

Character = Literal["normal", "gullible", "lying"]

NO_CALL = "There is no transcript of a sales call in this prompt, so there is nothing to assess."
EMPTY: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "null": None}
RANKS = ("first", "second", "third", "spare")


def answer(
    messages: Sequence[tuple[str, str]], schema: Mapping[str, Any] | None, character: Character = "normal"
) -> str:
    """Return the answer to a conversation with the model, as text or as JSON in the schema's shape."""
    schema = schema or _schema_in_text(messages)
    conversation = read_prompt(messages)
    if schema is None:
        return NO_CALL if conversation is None else prose(conversation)
    reply: dict[str, Any] = {"summary": NO_CALL}
    if conversation is not None:
        prepared = prepared_reply(conversation, messages)
        reply = dict(prepared) if prepared else compose(conversation, items=_enum(schema, "item"))
        # Quotes and lists are shared between the parts of an assessment; a character changes each by itself.
        reply = fill(schema, reply, schema.get("$defs", {}))
        if character == "gullible":
            reply = obey(reply, conversation, messages[0][1])
        elif character == "lying":
            reply = lie(reply, conversation)
    return json.dumps(fill(schema, reply, schema.get("$defs", {})), ensure_ascii=False)


def _schema_in_text(messages: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
    """Find a JSON Schema at the end of the prompt, where it stands for a model without response_format."""
    content = next((text for role, text in messages if role == "user"), "")
    at = content.find("{", content.rfind("JSON Schema"))
    if "JSON Schema" not in content or at < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(content, at)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "properties" in found else None


def _enum(schema: Any, name: str) -> Sequence[str] | None:
    """Return the values that a property of that name may have, wherever it is in the schema."""
    if isinstance(schema, dict):
        enum = schema.get("properties", {}).get(name, {}).get("enum")
        if enum:
            found: Sequence[str] = enum
            return found
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return next((enum for child in children if (enum := _enum(child, name))), None)


def fill(schema: Mapping[str, Any], value: Any, definitions: Mapping[str, Any]) -> Any:
    """Return `value` in the shape of `schema`: its properties in its order, nothing missing, nothing more.

    What the coach has no word for is empty: the empty string or list, 0, false, an enum's first value.
    """
    if "$ref" in schema:
        return fill(definitions[schema["$ref"].rpartition("/")[2]], value, definitions)
    if "enum" in schema:
        return value if value in schema["enum"] else schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        known = value if isinstance(value, Mapping) else {}
        return {name: fill(child, known.get(name), definitions) for name, child in schema.get("properties", {}).items()}
    if kind == "array":
        items = value if isinstance(value, list) else []
        return [fill(schema["items"], item, definitions) for item in items]
    empty = EMPTY[str(kind)]
    return value if isinstance(value, type(empty)) else empty


def compose(call: Conversation, items: Sequence[str] | None) -> dict[str, Any]:
    """Assess the call; `items` are the ones that a suggestion may belong to."""
    seen = Observations(call)
    telling, advice = Telling(call, seen), Advice(call, seen)
    next_step = telling.next_step()
    rubric = Rubric(call, seen).items(next_step["evidence"])
    suggestions = [item for item in advice.suggestions(rubric) if items is None or item["item"] in items]
    return {
        "roles_check": roles_check(call),
        "summary": telling.summary(),
        "talk_listen": telling.talk_listen(),
        "shifts": [telling.change(candidate) for candidate in call.facts.get("shift_candidates") or []],
        "next_step": next_step,
        "rubric": rubric,
        "keep": advice.keep(),
        "suggestions": dict(zip(RANKS, suggestions, strict=False)),
        "question_for_one_to_one": advice.question(suggestions),
    }


def roles_check(call: Conversation) -> dict[str, Any]:
    """Say whether the lines called REP and CUST sound like it, with the lines that say so."""
    spoken = {side: call.side(side) for side in (REP, CUSTOMER)}
    points = {side: seller_points(line.text for line in lines) for side, lines in spoken.items()}
    telling = {side: _telling(lines) for side, lines in spoken.items()}
    if not spoken[REP] or not spoken[CUSTOMER] or points[REP] == points[CUSTOMER]:
        return {"verdict": "unclear", "utterances": []}
    if all(seller_points([line.text]) == 0 for lines in spoken.values() for line in lines):
        return {"verdict": "not_a_sales_call", "utterances": []}
    margin = points[REP] - points[CUSTOMER]
    verdict = "agree" if margin > 0 else "swapped" if margin <= -4 else "unclear"
    return {
        "verdict": verdict,
        "utterances": [number for side in (REP, CUSTOMER) for number in telling[side]],
    }


def _telling(lines: Iterable[Line]) -> list[int]:
    strongest = max(lines, key=lambda line: abs(seller_points([line.text])), default=None)
    return [strongest.number] if strongest else []


def prose(call: Conversation) -> str:
    """Answer in the four parts that a free prompt asks for."""
    seen = Observations(call)
    telling = Telling(call, seen)
    rubric = Rubric(call, seen).items(telling.next_step()["evidence"])
    suggestions = Advice(call, seen).suggestions(rubric)[:3]
    advice = [
        f"{rank}. {_imperative(item)}\n" + "".join(f'   - "{quote["quote"]}"\n' for quote in item["evidence"])
        for rank, item in enumerate(suggestions, start=1)
    ]
    return "\n".join(
        [
            "## 1. Call summary",
            telling.summary(),
            "",
            "## 2. Talk/listen ratio",
            f"{_ratios(call)}, against a target of 40/60. {telling.talk_listen()}",
            "",
            "## 3. Customer sentiment shifts",
            *[f"- {moment}" for moment in _wording(telling, seen)],
            "",
            "## 4. Top three coaching suggestions",
            *advice,
        ]
    )


def _imperative(item: Mapping[str, Any]) -> str:
    when, do = item["when"], item["do"]
    return f"{when}, {do[:1].lower()}{do[1:]}. {item['because']}" + (f' Try: "{item["say"]}"' if item["say"] else "")


def _ratios(call: Conversation) -> str:
    """Say the ratios that the prompt gives, else the shares of the words."""
    given = call.facts.get("ratios") or {}
    if given:
        return listing(f"{speaker} {percent}%" for speaker, percent in given.items())
    return f"Of the words, the rep has {call.share(REP):.0%} and the customer {call.share(CUSTOMER):.0%}"


def _wording(telling: Telling, seen: Observations) -> list[str]:
    """Name the moments at which the customer's wording turns, from the words alone."""
    moments = []
    if seen.problems:
        line, part = seen.problems[0]
        moments.append(f'Describing their own situation: "{line.quote(part)["quote"]}"')
    for doubt in seen.doubts[:2]:
        trigger = next((line for line in seen.call.before(doubt.lines[0], 3) if line.side == REP), None)
        after = f', after the rep says "{_last_words(trigger)}"' if trigger else ""
        moments.append(f'A doubt about {doubt.kind}: "{doubt.lines[0].quote(telling.voice(doubt))["quote"]}"{after}')
    if seen.liked:
        line = seen.liked[-1]
        moments.append(f'Warmer: "{line.quote(line.sentence_with(LIKES))["quote"]}"')
    return moments or ["No change in the customer's wording stands out."]


def _last_words(line: Line) -> str:
    """Return the price that a line names, else its last sentence."""
    part = line.sentence_with(PRICE) if line.says(PRICE) else line.sentences[-1]
    words: str = line.quote(part)["quote"]
    return words
