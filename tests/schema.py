"""The JSON Schema of a scorecard, from the types that write it: python -m tests.schema writes scorecard.schema.json."""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
FILE = ROOT / "scorecard.schema.json"


def scorecard_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). Fields may be added in the same version, so others than these are allowed."""
    from scorecard.scorecard import SCHEMA_VERSION, Scorecard

    schema = msgspec.json.schema(Scorecard)
    definitions = schema["$defs"]
    scorecard = definitions.pop("Scorecard")
    scorecard["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    for definition in (scorecard, *definitions.values()):
        # Python 3.13 takes the indentation off docstrings, older ones leave it.
        definition["description"] = cleandoc(definition["description"])
        for name, field in definition["properties"].items():
            if name.endswith(("_share", "_share_of_call", "_share_of_words")):
                _limit_numbers(field, 0, 1)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **scorecard,
        "$defs": dict(sorted(definitions.items())),
    }


def _limit_numbers(field: dict[str, Any], minimum: int, maximum: int) -> None:
    for node in (field, field.get("items", {}), *field.get("anyOf", ())):
        if node.get("type") == "number":
            node.update(minimum=minimum, maximum=maximum)
        if node.get("type") == "array":
            _limit_numbers(node["items"], minimum, maximum)


def schema_text() -> str:
    """Return the file as it is committed."""
    return json.dumps(scorecard_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    FILE.write_text(schema_text(), "utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")
