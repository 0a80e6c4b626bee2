"""What the coach sends: the schema that asks for it, and how an answer is read."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.unit.examples import long_call, reply

from scorecard.reply import Reply, UnusableReply, read_reply, wire_schema
from scorecard.rubric import RUBRIC_ITEMS

CALL = long_call()


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Return every schema within a schema."""
    found: list[dict[str, Any]] = [schema]
    for child in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]:
        found += nodes(child)
    if "items" in schema:
        found += nodes(schema["items"])
    return found


def test_wire_schema_stays_within_what_every_model_maker_takes() -> None:
    """No keyword outside the subset; an object has all its properties required and no others allowed."""
    schema = wire_schema(Reply)
    assert "$ref" not in schema
    allowed = {"type", "properties", "required", "items", "enum", "$ref", "$defs", "additionalProperties"}
    for node in nodes(schema):
        assert set(node) <= allowed
        if node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
    assert len(json.dumps(schema)) < 6000


def test_wire_schema_drops_what_msgspec_adds() -> None:
    """Bounds, defaults and titles are ours to check: a strict model maker refuses them."""

    class Part(msgspec.Struct):
        """A docstring, which msgspec makes a description."""

        few: list[int]
        text: str

    class Whole(msgspec.Struct):
        part: Part
        parts: list[Part]
        level: int

    assert wire_schema(Whole) == {
        "type": "object",
        "properties": {
            "part": {"$ref": "#/$defs/Part"},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
            "level": {"type": "integer"},
        },
        "required": ["part", "parts", "level"],
        "additionalProperties": False,
        "$defs": {
            "Part": {
                "type": "object",
                "properties": {"few": {"type": "array", "items": {"type": "integer"}}, "text": {"type": "string"}},
                "required": ["few", "text"],
                "additionalProperties": False,
            }
        },
    }


def test_wire_schema_is_valid_and_takes_a_good_reply() -> None:
    """By an independent validator."""
    schema = wire_schema(Reply)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = reply(CALL)
    validator.validate(good)
    del good["rubric"]["opening"]["rationale"]
    assert not validator.is_valid(good)
    assert not validator.is_valid(reply(CALL) | {"more": 1})


def test_rubric_and_reply_name_the_same_items() -> None:
    assert list(RUBRIC_ITEMS) == list(wire_schema(Reply)["$defs"]["RubricReply"]["properties"])
    for item in RUBRIC_ITEMS.values():
        assert all(item[f"level_{level}"] for level in range(4))


@pytest.mark.parametrize(
    ("finish_reason", "fault"),
    [
        ("max_tokens", "truncated"),
        ("length", "truncated"),
        ("MODEL_CONTEXT_WINDOW_EXCEEDED", "truncated"),
        ("refusal", "refused"),
        ("content_filter", "refused"),
        ("tool_use", "empty"),
        ("", "empty"),
    ],
)
def test_reason_for_stopping_comes_before_the_content(finish_reason: str, fault: str) -> None:
    """A truncated or refused answer is never read, even if it happens to parse."""
    with pytest.raises(UnusableReply) as unusable:
        read_reply(json.dumps(reply(CALL)), finish_reason)
    assert unusable.value.fault == fault


@pytest.mark.parametrize("finish_reason", ["end_turn", "stop", "STOP"])
@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "Here it is:\n{}\nI hope it helps."])
def test_good_answer_is_read_in_any_wrapping(frame: str, finish_reason: str) -> None:
    content = frame.replace("{}", json.dumps(reply(CALL), indent=1))
    assert read_reply(content, finish_reason) == msgspec.convert(reply(CALL), Reply)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("rubric", "opening", "level"), 1),
        (("rubric", "objection", "level"), "Not_Observed"),
        (("rubric", "objection", "level"), " not observed"),
        (("next_step", "status"), "AGREED"),
        (("roles_check", "verdict"), "Agree"),
        (("suggestions", "first", "kind"), "Moment"),
        (("keep", "evidence", 0, "utterance"), "0"),
    ],
)
def test_small_differences_of_form_do_not_matter(path: tuple[str | int, ...], written: object) -> None:
    """The case of an enum's value, a number in quotes, a field more."""
    answer = reply(CALL) | {"thoughts": "none"}
    part: Any = answer
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = written
    assert read_reply(json.dumps(answer), "end_turn") == msgspec.convert(reply(CALL), Reply)


@pytest.mark.parametrize("content", ["", " \n"])
def test_nothing_is_empty(content: str) -> None:
    with pytest.raises(UnusableReply) as unusable:
        read_reply(content, "end_turn")
    assert unusable.value.fault == "empty"


@pytest.mark.parametrize(
    "content",
    [
        "I would rather not.",
        "{}",
        "[]",
        "{",
        '{"summary": "\\ud83d"}',
        json.dumps(reply(CALL))[:-1],
        "}{",
        '{"a":' * 5000 + "1" + "}" * 5000,
        json.dumps(reply(CALL, summary=None)),
        json.dumps(reply(CALL, shifts=[3])),
        json.dumps(reply(CALL, rubric=[])),
        json.dumps(reply(CALL)).replace('"level": "0"', '"level": "4"'),
    ],
)
def test_answer_without_the_shape_cannot_be_read(content: str) -> None:
    with pytest.raises(UnusableReply) as unusable:
        read_reply(content, "end_turn")
    assert unusable.value.fault == "unreadable"


def test_what_is_wrong_is_said_with_its_place() -> None:
    """For the model, which has to find it in its own reply."""
    answer = reply(CALL)
    del answer["keep"]["what"]
    with pytest.raises(UnusableReply, match=r"`what` - at `\$\.keep`"):
        read_reply(json.dumps(answer), "end_turn")
