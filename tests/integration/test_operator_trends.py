"""python -m callcoach trends, on a bucket with scorecards of functions and others."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.integration.operator_commands import role_with, run
from tests.integration.stack import DONE, SOUND, Stack, running_stack
from tests.unit.many_scorecards import many_scorecards

from callcoach.documents import document_key

COUNT = 80
KEY = "dana-reyes/acme_discovery_2026-05-06.ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with one call that it has scored itself, many others, and objects that are none."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        transcript_id = running.transcribed(KEY, SOUND.read_bytes())
        assert running.callback("completed", transcript_id) == DONE
        s3, bucket = running.cloud.client("s3"), running.cloud.outputs["ScorecardsBucketName"]
        for card in many_scorecards(COUNT, reps=6):
            name = document_key("scorecards", card["call"]["recording"])
            s3.put_object(Bucket=bucket, Key=name, Body=msgspec.json.encode(card))
        for name, body in (("spoilt", b'{"schema_version": 1, "status'), ("other", b"[]"), ("bytes", b"\xff")):
            s3.put_object(Bucket=bucket, Key=f"scorecards/{name}.json", Body=body)
        yield running


def test_every_rep_and_team_has_a_page(stack: Stack, tmp_path: Path) -> None:
    ran = run(stack.cloud, "trends", "--out", str(tmp_path / "out"))
    document = run(stack.cloud, "trends", "--out", str(tmp_path / "out"), "--json").document

    assert (ran.exit_code, ran.err) == (0, "")
    assert f"{COUNT + 1} scorecards, 9 pages: {tmp_path / 'out' / 'index.html'}" in ran.out
    assert "No scorecards: 3 objects." in ran.out
    assert (document["scorecards"], document["unreadable"]) == (COUNT + 1, 3)
    assert all(Path(name).is_file() for name in document["files"])
    assert {path.name for path in (tmp_path / "out" / "reps").iterdir()} == {
        "dana-reyes.html",
        *(f"rep-0{number}.html" for number in range(1, 6)),
    }
    assert {path.name for path in (tmp_path / "out" / "teams").iterdir()} == {"north.html", "south.html", "east.html"}


def test_a_call_that_the_functions_scored_is_in_it(stack: Stack, tmp_path: Path) -> None:
    """Its numbers are those of its scorecard."""
    card = stack.document("scorecards", KEY)

    ran = run(stack.cloud, "trends", "--rep", "Dana Reyes", "--out", str(tmp_path))

    assert ran.exit_code == 0
    with (tmp_path / "csv" / "numbers.csv").open(newline="", encoding="utf-8") as file:
        found = {row["measure"]: float(row["value"]) for row in csv.DictReader(file)}
    assert found["talk_share"] == card["talk_listen"]["rep_share"]
    assert found["questions"] == card["metrics"]["questions"]["value"]
    assert found["longest_monologue"] == card["metrics"]["longest_monologue"]["value"]


def test_calls_are_chosen(stack: Stack, tmp_path: Path) -> None:
    def count(*options: str) -> int:
        found = run(stack.cloud, "trends", "--json", "--out", str(tmp_path), *options).document["scorecards"]
        return int(found)

    assert 0 < count("--team", "North", "--since", "2026-05-01") < count("--team", "North") < COUNT
    assert count("--rep", "Rep 01", "--team", "South") > 0


def test_nothing_to_show_is_an_error_and_leaves_nothing(stack: Stack, tmp_path: Path) -> None:
    ran = run(stack.cloud, "trends", "--rep", "Nobody", "--out", str(tmp_path / "out"))

    assert (ran.exit_code, ran.out) == (1, "")
    assert "there are no scorecards of such calls" in ran.err
    assert not (tmp_path / "out").exists()


def test_without_duckdb_it_says_what_to_install(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    ran = run(stack.cloud, "trends", "--out", str(tmp_path))

    assert ran.exit_code == 1
    assert "trends need duckdb: make setup, or pip install duckdb" in ran.err


def test_it_needs_these_rights(stack: Stack, tmp_path: Path) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
    }
    credentials, used = role_with(stack.cloud, "compares", needed)

    ran = run(stack.cloud, "trends", "--out", str(tmp_path), credentials=credentials)

    assert ran.exit_code == 0
    assert used() == needed


def test_wrong_usage_is_told(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert run(stack.cloud, "trends", "--since", "yesterday").exit_code == 2
    assert run(stack.cloud, "trends", "--out", str(tmp_path / "file")).exit_code == 2
    assert "--rep" in run(stack.cloud, "trends", "--help").out


def test_what_was_forgotten_meanwhile_is_left_out(stack: Stack, tmp_path: Path) -> None:
    with stack.cloud.fault("s3", "GetObject", status=404, code="NoSuchKey"):
        ran = run(stack.cloud, "trends", "--out", str(tmp_path))

    assert ran.exit_code == 1
    assert "there are no scorecards" in ran.err
