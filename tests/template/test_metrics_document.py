"""METRICS.md defines what the code publishes, and no more."""

import re
from pathlib import Path
from typing import get_args

from scorecard.metrics import NullReason, UnjudgedReason, call_metrics
from scorecard.speakers import RoleAssignment

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "METRICS.md").read_text("utf-8")
SOURCES = sorted((ROOT / "functions").rglob("*.py"))

DEFINITION = re.compile(r"[\"'`]([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.v\d+)[\"'`]")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its own headings."""
    section = DOCUMENT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]
    return cells[1:]


def test_every_definition_in_the_code_has_one_row_and_every_row_a_definition() -> None:
    in_code = {found for file in SOURCES for found in DEFINITION.findall(file.read_text("utf-8"))}
    defined = [cells[0].strip("`") for cells in rows("Definitions") if DEFINITION.fullmatch(cells[0])]
    assert in_code
    assert sorted(defined) == sorted(in_code)


def test_every_row_says_how_in_what_unit_from_where_and_what_it_is_not() -> None:
    for cells in rows("Definitions"):
        if DEFINITION.fullmatch(cells[0]):
            assert len(cells) == 5, cells[0]
            assert all(cells), cells[0]


def test_definitions_of_the_metrics_are_among_them() -> None:
    metrics = call_metrics(
        [],
        RoleAssignment({}, "none", "none", []),
        duration_ms=0,
        audio_channels=None,
        language_code=None,
        language_confidence=None,
        call_type=None,
        disfluencies=False,
    )
    assert {f"`{metric.definition}`" for metric in metrics.values()} <= {cells[0] for cells in rows("Definitions")}


def test_every_reason_for_a_null_is_explained_and_no_other() -> None:
    explained = [reason.strip("`") for reason, _ in rows("Why a value is null")]
    assert sorted(explained) == sorted(get_args(NullReason))


def test_every_reason_not_to_judge_is_explained() -> None:
    assert all(f"`{reason}`" in DOCUMENT for reason in get_args(UnjudgedReason))


def test_the_document_names_files_that_exist() -> None:
    for path in re.findall(r"`(functions/[\w/.]+)`", DOCUMENT):
        assert (ROOT / path).is_file(), path
