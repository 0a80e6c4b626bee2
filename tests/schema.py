"""The JSON Schemas of what is published, from the types that write it: python -m tests.schema writes the files."""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]


def scorecard_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). Fields may be added in the same version, so others than these are allowed."""
    from scorecard.scorecard import SCHEMA_VERSION, Scorecard

    return _schema(Scorecard, SCHEMA_VERSION)


def notification_schema() -> dict[str, Any]:
    """Return the schema of what machines are told through ScorecardsTopic, likewise."""
    from callcoach.notifications import NOTIFICATION_VERSION, Notification

    return _schema(Notification, NOTIFICATION_VERSION)


SCHEMAS = {"notification.schema.json": notification_schema, "scorecard.schema.json": scorecard_schema}


def _schema(published: type[msgspec.Struct], version: int) -> dict[str, Any]:
    schema = msgspec.json.schema(published)
    definitions = schema["$defs"]
    root = definitions.pop(published.__name__)
    root["properties"]["schema_version"] = {"const": version}
    for definition in (root, *definitions.values()):
        # Python 3.13 takes the indentation off docstrings, older ones leave it.
        definition["description"] = cleandoc(definition["description"])
        for name, field in definition["properties"].items():
            if name.endswith(("_share", "_share_of_call", "_share_of_words")):
                _limit_numbers(field, 0, 1)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _limit_numbers(field: dict[str, Any], minimum: int, maximum: int) -> None:
    for node in (field, field.get("items", {}), *field.get("anyOf", ())):
        if node.get("type") == "number":
            node.update(minimum=minimum, maximum=maximum)
        if node.get("type") == "array":
            _limit_numbers(node["items"], minimum, maximum)


def schema_text(name: str) -> str:
    """Return a file as it is committed."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    for name in SCHEMAS:
        (ROOT / name).write_text(schema_text(name), "utf-8")
        print(f"written: {name}")
