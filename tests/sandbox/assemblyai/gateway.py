"""`/v1`: LLM Gateway's models, and what may be asked of a chat completion."""

import json
import math
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.sandbox.assemblyai.wire import RefusedError, Response

Fault = Literal["server_error", "no_schema", "no_temperature", "truncated", "refusal", "empty", "prose", "shape"]
# Since June 2026 flat, with the message at the top; before that inside of an object; and as a refused key's, a text.
ErrorShape = Literal["flat", "nested", "text"]

CHARACTERS_PER_TOKEN = 3.1  # numbered lines of English speech
DEFAULT_MAX_TOKENS = 1000
SCHEMA_KEYWORDS = {
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "$ref",
    "$defs",
    "description",
    "additionalProperties",
}
SCHEMA_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
BASIC = ("max_tokens", "temperature", "tools", "tool_choice")
GATEWAY_FIELDS = {
    "model",
    "messages",
    "prompt",
    "max_tokens",
    "transcript_id",
    "model_region",
    "fallbacks",
    "fallback_config",
    "post_processing_steps",
    "stream",
    "zero_data_retention",
    "fail_fast",
    "max_timeout",
}


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue; prices are USD for a million tokens."""

    id: str
    creator: str
    context_length: int
    prompt_price: float
    completion_price: float
    parameters: Sequence[str] = (*BASIC, "response_format")
    eu: bool = False
    retirement_date: int = 0

    @property
    def end(self) -> str:
        """The finish reason of a whole answer, in its provider's own word."""
        return "end_turn" if self.creator == "anthropic" else "stop"

    @property
    def cut(self) -> str:
        """The finish reason of an answer cut at max_tokens, in its provider's own word."""
        return "max_tokens" if self.creator == "anthropic" else "length"


# The date is the one that its maker names; the gateway's own may differ.
SONNET_4_5_RETIRES = 1_795_996_800  # 2026-11-30

MODELS = {
    model.id: model
    for model in (
        Model(
            "claude-sonnet-4-6",
            "anthropic",
            200_000,
            3,
            15,
            (*BASIC, "response_format", "reasoning"),
            eu=True,
        ),
        Model(
            "claude-sonnet-4-5-20250929",
            "anthropic",
            200_000,
            3,
            15,
            (*BASIC, "response_format", "reasoning"),
            eu=True,
            retirement_date=SONNET_4_5_RETIRES,
        ),
        Model("claude-haiku-4-5-20251001", "anthropic", 200_000, 1, 5, eu=True),
        Model("claude-opus-4-6", "anthropic", 200_000, 5, 25, (*BASIC, "response_format", "reasoning")),
        Model(
            "claude-sonnet-5",
            "anthropic",
            200_000,
            3,
            15,
            ("max_tokens", "tools", "tool_choice", "reasoning"),
        ),
        Model("gpt-5.2", "openai", 400_000, 1.75, 14, (*BASIC, "response_format", "reasoning")),
        Model("gpt-5.1", "openai", 400_000, 1.25, 10, (*BASIC, "response_format", "reasoning")),
        Model("gpt-oss-20b", "openai", 128_000, 0.07, 0.3, BASIC),
        Model("gemini-2.5-flash", "google", 1_000_000, 0.3, 2.5, eu=True),
    )
}


def refuse(status: int, message: str, *, errors: Sequence[str] = ()) -> RefusedError:
    """Return an error in the flat shape of LLM Gateway, without the request id."""
    metadata = {"metadata": {"errors": list(errors)}} if errors else {}
    return RefusedError(Response(status, {"code": status, "message": message, **metadata}))


def sent(response: Response, shape: ErrorShape) -> Response:
    """Return the answer as it leaves: with an id, and an error in the shape of its time."""
    body = response.body
    if response.status >= 400 and "message" in body:
        if shape == "nested":
            body = {"error": body}
        elif shape == "text":
            body = {"error": body["message"], "status": "error"}
    return replace(response, body={**body, "request_id": str(uuid.uuid4())})


def catalogue(retired: Iterable[str]) -> dict[str, Any]:
    """Answer `GET /v1/models`."""
    return {"data": [_entry(model) for model in MODELS.values() if model.id not in set(retired)]}


def _entry(model: Model) -> dict[str, Any]:
    price = {
        "prompt": model.prompt_price / 1e6,
        "completions": model.completion_price / 1e6,
        "input_cache_read": model.prompt_price / 1e7,
        "input_cache_write": model.prompt_price * 1.25 / 1e6,
        "input_cache_write_1h": model.prompt_price * 2 / 1e6,
    }
    regional = {name: amount * 1.1 for name, amount in price.items()}
    regions = ["global", "us", *(["eu"] if model.eu else [])]
    return {
        "id": model.id,
        "name": model.id,
        "description": "",
        "creator": model.creator,
        "context_length": model.context_length,
        "supported_parameters": list(model.parameters),
        "default_parameters": {"max_tokens": DEFAULT_MAX_TOKENS},
        "top_provider": {
            "is_moderated": False,
            "context_length": model.context_length,
            "max_completion_tokens": 64_000,
        },
        "pricing": {
            "global": price,
            **dict.fromkeys(regions[1:], regional),
            "regional_increase_percent": 10,
        },
        "retirement_date": model.retirement_date,
        "available_regions": regions,
        "providers": ["bedrock" if model.creator == "anthropic" else model.creator],
        "default_provider": "bedrock" if model.creator == "anthropic" else model.creator,
    }


@dataclass(frozen=True)
class Completion:
    """A checked request: the model, the conversation as (role, text), and the form of the answer."""

    model: Model
    messages: Sequence[tuple[str, str]]
    max_tokens: int
    schema: Mapping[str, Any] | None
    transcript_id: str | None


def check_request(asked: Any, retired: Collection[str], allowed: Collection[str] | None) -> Completion:
    """Return what was asked. Raises RefusedError: 400, and the live service's 500 for content in parts.

    retired: models that there are no more; allowed: those that the account may ask, None for all.
    """
    if not isinstance(asked, dict):
        raise refuse(400, "invalid request body")
    if not isinstance(asked.get("model"), str):
        raise refuse(400, "model is required")
    model = _model(asked["model"], retired, allowed)
    messages = _messages(asked)
    max_tokens = asked.get("max_tokens", DEFAULT_MAX_TOKENS)
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        raise refuse(400, "max_tokens must be an integer of at least 1")
    temperature = asked.get("temperature", 0)
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 <= temperature <= 2:
        raise refuse(400, "temperature must be a number from 0 to 2")
    for name in asked:
        if name not in GATEWAY_FIELDS and name not in model.parameters:
            raise refuse(400, f"model {model.id} does not support {name}")
    if asked.get("stream"):
        raise refuse(400, f"model {model.id} does not support stream")
    if asked.get("model_region", "global") != "global":
        raise refuse(400, "model_region can only be set to global")
    _check_fallbacks(asked, retired, allowed)
    schema = _schema(asked["response_format"]) if asked.get("response_format") is not None else None
    if sum(tokens(text) for _, text in messages) + max_tokens > model.context_length:
        raise refuse(400, "model context limit exceeded")
    return Completion(model, messages, max_tokens, schema, asked.get("transcript_id"))


def _model(name: Any, retired: Collection[str], allowed: Collection[str] | None) -> Model:
    if name not in MODELS or name in retired:
        raise refuse(400, f"model {name} is not supported")
    if allowed is not None and name not in allowed:
        raise refuse(400, "Your account does not have access to this LLM Gateway model")
    return MODELS[name]


def _messages(asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    messages = asked.get("messages")
    if isinstance(asked.get("prompt"), str) and messages is None:
        return [("user", asked["prompt"])]
    if not isinstance(messages, list) or not messages:
        raise refuse(400, "one of messages or prompt required")
    checked = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system", "tool"):
            raise refuse(400, "messages: role must be one of user, assistant, system, tool")
        content = message.get("content")
        if isinstance(content, list):
            # Documented, and yet the live service falls over it.
            raise refuse(500, "internal server error")
        if not isinstance(content, str) or not content:
            raise refuse(400, "messages: content is required")
        checked.append((role, content))
    return checked


def _check_fallbacks(asked: Mapping[str, Any], retired: Collection[str], allowed: Collection[str] | None) -> None:
    for fallback in asked.get("fallbacks") or []:
        _model(fallback.get("model") if isinstance(fallback, dict) else None, retired, allowed)
    depth = (asked.get("fallback_config") or {}).get("depth", 1)
    if depth > 2:
        raise refuse(400, "fallback_config depth cannot be greater than 2")
    for step in asked.get("post_processing_steps") or []:
        if step != {"type": "json-repair"}:
            raise refuse(400, "post_processing_steps: type must be json-repair")


def _schema(response_format: Any) -> Mapping[str, Any]:
    def invalid(problem: str) -> RefusedError:
        return refuse(400, f"response_format is invalid: {problem}")

    if not isinstance(response_format, dict) or response_format.get("type") != "json_schema":
        raise invalid("type must be json_schema")
    form = response_format.get("json_schema")
    if not isinstance(form, dict) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(form.get("name", ""))):
        raise invalid("json_schema.name must be 1 to 64 letters, digits, hyphens or underscores")
    schema = form.get("schema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid("json_schema.schema must be of type object at its root")
    if problem := next(_schema_problems(schema, schema.get("$defs", {}), "schema", ()), None):
        raise invalid(problem)
    return schema


def _schema_problems(schema: Any, definitions: Any, path: str, open_refs: tuple[str, ...]) -> Iterator[str]:
    """Find what a strict model maker refuses, who compiles the schema into a grammar."""
    if not isinstance(schema, dict):
        yield f"{path} must be an object"
        return
    for keyword in schema.keys() - SCHEMA_KEYWORDS:
        yield f"keyword {keyword} at {path} is not supported"
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in open_refs:
            yield f"{path} is recursive"
        elif name not in definitions:
            yield f"$ref at {path} does not resolve"
        else:
            yield from _schema_problems(definitions[name], definitions, path, (*open_refs, name))
        return
    if schema.get("type") not in SCHEMA_TYPES and "enum" not in schema:
        yield f"type at {path} must be one of {', '.join(sorted(SCHEMA_TYPES))}"
    if "enum" in schema and (not isinstance(schema["enum"], list) or not schema["enum"]):
        yield f"enum at {path} must be a non-empty list"
    if schema.get("type") == "array":
        yield from _schema_problems(schema.get("items"), definitions, f"{path}[]", open_refs)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            yield f"additionalProperties at {path} must be false"
        if sorted(schema.get("required", [])) != sorted(properties):
            yield f"required at {path} must name every property"
        for name, item in properties.items():
            yield from _schema_problems(item, definitions, f"{path}.{name}", open_refs)


def tokens(text: str) -> int:
    """Estimate the tokens of `text`."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def fail(fault: Fault | None, asked: Completion) -> None:
    """Raise RefusedError if the fault keeps a model from answering."""
    if fault == "server_error":
        raise refuse(500, "internal server error")
    if fault == "no_schema" and asked.schema is not None:
        raise refuse(400, "provider error", errors=["output_format.schema: the compiled grammar is too complex"])
    if fault == "no_temperature":
        raise refuse(400, "provider error", errors=["temperature: Extra inputs are not permitted"])


def _spoilt(fault: Fault | None, asked: Completion, answer: str) -> tuple[str, str | None]:
    """Return the answer with the fault in it, and the finish reason where that tells of it."""
    if fault == "truncated":
        return answer[: len(answer) // 2], asked.model.cut
    if fault == "refusal":
        return "", "refusal" if asked.model.creator == "anthropic" else "content_filter"
    if fault == "empty":
        return "", None
    if fault == "prose":
        return "I would rather talk about the weather.", None
    if fault == "shape":
        reply = json.loads(answer)
        del reply["summary"]
        return json.dumps(reply), None
    return answer, None


def completion(asked: Completion, answer: str, response_ns: int, fault: Fault | None = None) -> dict[str, Any]:
    """Return the live shape of an answer, cut at `max_tokens`."""
    room = int(asked.max_tokens * CHARACTERS_PER_TOKEN)
    answer, reason = _spoilt(fault, asked, answer)
    content = answer[:room]
    schema_tokens = tokens(json.dumps(asked.schema)) if asked.schema else 0
    sent = sum(tokens(text) for _, text in asked.messages) + schema_tokens
    written = min(tokens(content), asked.max_tokens)
    return {
        "model": asked.model.id,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": reason or (asked.model.end if content == answer else asked.model.cut),
            }
        ],
        "request": {"model": asked.model.id, "max_tokens": asked.max_tokens},
        "usage": {
            "input_tokens": sent,
            "output_tokens": written,
            "total_tokens": sent + written,
            "prompt_tokens": sent,
            "completion_tokens": written,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "audio_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            },
            "completion_tokens_details": {},
        },
        "http_status_code": 200,
        "response_time": response_ns,
        "llm_status_code": 200,
    }
