"""The questions to all scorecards, in SQL that DuckDB and Athena (Trino) both run, but for one difference.

Trino writes a function's argument that is a function as `shift -> …`, DuckDB as `lambda shift: …`. The files are
Trino's; arrays and maps of structs are not unnested, and a median is the middle of a ranking, because there the two
differ more. The table has the same columns on both.
"""

import re
import tomllib
from pathlib import Path

QUESTIONS = ("numbers", "drops", "rubric", "breaks", "uncoached")

# Beside the package, so that the layer does without them.
_FOLDER = Path(__file__).parents[1] / "queries"

_DUCKDB_TYPES = {"string": "VARCHAR", "int": "INTEGER", "double": "DOUBLE", "boolean": "BOOLEAN"}
_LAMBDA = re.compile(r"\b(\w+) -> ")


def columns() -> dict[str, str]:
    """Return the columns of the table scorecards with their types, as Hive writes them."""
    found: dict[str, str] = tomllib.loads((_FOLDER / "scorecards.toml").read_text("utf-8"))["columns"]
    return found


def trino_sql(question: str) -> str:
    """Return a question for Athena."""
    return comparable_calls() + own_sql(question)


def duckdb_sql(question: str) -> str:
    """Return a question for DuckDB."""
    return _LAMBDA.sub(r"lambda \1: ", trino_sql(question))


def comparable_calls() -> str:
    """Return what every question begins with."""
    return (_FOLDER / "comparable_calls.sql").read_text("utf-8")


def own_sql(question: str) -> str:
    """Return what follows that in one question."""
    return (_FOLDER / f"{question}.sql").read_text("utf-8")


def duckdb_type(hive_type: str) -> str:
    """Return DuckDB's name of a Hive type: struct<a:int,b:array<string>> is STRUCT("a" INTEGER, "b" VARCHAR[])."""
    inner = hive_type.partition("<")[2][:-1]
    if hive_type.startswith("array<"):
        return f"{duckdb_type(inner)}[]"
    if hive_type.startswith("struct<"):
        return f"STRUCT({', '.join(_field(field) for field in _split(inner))})"
    return _DUCKDB_TYPES[hive_type]


def _field(field: str) -> str:
    name, _, hive_type = field.partition(":")
    return f'"{name}" {duckdb_type(hive_type)}'


def _split(fields: str) -> list[str]:
    """Split at the commas that stand in no angle brackets."""
    found, depth = [""], 0
    for character in fields:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return found
