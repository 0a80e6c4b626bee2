"""What codes mean: every one that a scorecard or a failure can hold, in words that are no code."""

import re
import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import scorecard.phrases
from callcoach import meanings, pricing
from callcoach.meanings import meaning
from scorecard import metrics
from scorecard.reply import ShiftReply
from scorecard.speakers import RoleAssignment, RoleReview

ROOT = Path(__file__).parents[2]
TABLES = tomllib.loads(Path(meanings.__file__).with_suffix(".toml").read_text("utf-8"))
PHRASES = tomllib.loads(Path(scorecard.phrases.__file__).with_suffix(".toml").read_text("utf-8"))


def documented_failures() -> set[str]:
    """Return the reasons that OPERATIONS.md lists."""
    section = (ROOT / "OPERATIONS.md").read_text("utf-8").partition("## What the reasons mean")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def unknown_numbers() -> set[str]:
    """Return the reasons for which a metric is not known."""
    return set(re.findall(r'reason="(\w+)"', Path(metrics.__file__).read_text("utf-8")))


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("failure", documented_failures()),
        ("status_reason", set(PHRASES["status"])),
        ("status", {"complete", "numbers_only", "needs_roles"}),
        ("about", set(get_args(get_type_hints(ShiftReply)["about"])) - {"no_real_shift"}),
        ("cost", set(get_args(pricing.Reason))),
        ("reason", unknown_numbers() | {*get_args(get_args(get_type_hints(RoleReview)["status_reason"])[0])}),
    ],
)
def test_every_code_has_a_meaning(kind: str, codes: set[str]) -> None:
    assert codes
    assert codes - TABLES[kind].keys() == set()


def test_sources_of_the_sides_have_words() -> None:
    assert PHRASES["roles_source"].keys() == set(get_args(get_type_hints(RoleAssignment)["source"]))


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, table in TABLES.items() for code in table])
def test_no_meaning_is_a_code(kind: str, code: str) -> None:
    """Nor one with an underscore, or with a stop: more may follow it."""
    said = meaning(kind, code)
    assert said not in ("", code, code.replace("_", " ")) or code == "small_talk"
    assert "_" not in said
    assert kind == "reason" or not said.endswith(".")


def test_a_code_without_a_meaning_is_shown_with_blanks() -> None:
    assert meaning("failure", "something_new") == "something new"
    assert meaning("failure", None) == ""
