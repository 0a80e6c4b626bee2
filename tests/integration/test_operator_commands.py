"""python -m callcoach: pausing and resuming, and what is said when a command cannot be carried out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.operator_commands import role_with, run, shell
from tests.integration.stack import SOUND, Stack, running_stack

from callcoach.commands import callcoach

ROOT = Path(__file__).parents[2]
WITHOUT_JSON = {"deploy", "destroy", "watch"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=3600) as running:
        yield running


@pytest.fixture(autouse=True)
def _not_paused(stack: Stack) -> Iterator[None]:
    yield
    run(stack.cloud, "resume")
    stack.cloud.empty("RecordingsQueue")


def test_while_paused_everything_waits_and_nobody_is_told(stack: Stack) -> None:
    """Recordings are submitted after the pause, whatever time has passed and however the others fare."""
    key = "waits.ogg"
    assert run(stack.cloud, "pause", "--reason", "a new key is on its way").exit_code == 0
    stack.drop(key, b"sound")

    for _ in range(20):
        stack.deliver("RecordingsQueue")
        stack.cloud.pass_time(3600)
    assert stack.submissions(key) == []
    resumed = run(stack.cloud, "resume")
    stack.cloud.pass_time(900)
    stack.deliver("RecordingsQueue")

    assert "paused by operator on" in resumed.out
    assert "a new key is on its way" in resumed.out
    assert len(stack.submissions(key)) == 1
    assert stack.cloud.publications() == []
    assert stack.cloud.queue_depth("RecordingsDlq") == 0
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_where_nobody_answers_it_is_said_how_not_to_be_asked(stack: Stack) -> None:
    """In a pipe or a timer; whoever says no is told nothing more."""
    ran = run(stack.cloud, "smoke", answer="")
    assert ran.exit_code == 1
    assert "nobody is here to answer, so nothing was done. With --yes" in ran.err

    assert run(stack.cloud, "smoke", answer="n\n").err.endswith("Aborted!\n")


def test_a_second_pause_without_a_reason_keeps_the_first_one_s(stack: Stack) -> None:
    run(stack.cloud, "pause", "--reason", "a new key is on its way")

    assert run(stack.cloud, "pause", "--json").document["reason"] == "a new key is on its way"
    assert run(stack.cloud, "pause", "--reason", "the key is late", "--json").document["reason"] == "the key is late"
    assert run(stack.cloud, "resume", "--json").document["lifted"]["reason"] == "the key is late"


def test_a_pause_of_callcoach_becomes_the_operator_s_and_can_be_lifted(stack: Stack) -> None:
    """AssemblyAI refuses the account: the pause of that would end by itself, the operator's does not."""
    key = "refused.ogg"
    account = stack.stand_in.account
    stack.stand_in.account = replace(account, api_key="another")
    try:
        stack.drop(key, b"sound")
        stack.deliver("RecordingsQueue")
    finally:
        stack.stand_in.account = account
    (told,) = stack.cloud.publications()
    assert "callcoach is paused" in told.message
    run(stack.cloud, "pause")
    stack.cloud.pass_time(900)
    stack.deliver("RecordingsQueue")
    assert stack.submissions(key) == []

    lifted = run(stack.cloud, "resume", "--json").document["lifted"]

    assert lifted["by"] == "operator"
    assert lifted["reason"].startswith("POST /v2/transcript: 401")
    assert run(stack.cloud, "resume").out == "It was not paused.\n"


def test_help_says_what_each_command_does(stack: Stack) -> None:
    answer = run(stack.cloud, "--help")
    for command in callcoach.commands:
        assert f"  {command} " in answer.out
        text = run(stack.cloud, command, "--help").out
        for option in ("--environment", "--stack", "--region", "--endpoint-url"):
            assert option in text
        assert ("--json" in text) == (command not in WITHOUT_JSON)


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        (["--stack", "callcouch"], {}, "no stack callcouch in eu-west-1. Name another stack with --stack"),
        (["--region", "us-east-1"], {}, "See that --region and --stack are right."),
        ([], {"AWS_DEFAULT_REGION": None}, "no AWS region is set. Name the stack's with --region"),
        ([], {"AWS_ACCESS_KEY_ID": None}, "there are no AWS credentials"),
        ([], {"AWS_PROFILE": "nobody"}, "there are no AWS credentials: The config profile (nobody)"),
        ([], {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "they have ended (InvalidAccessKeyId). Sign in"),
        ([], {"AWS_SECRET_ACCESS_KEY": "wrong"}, "they have ended (SignatureDoesNotMatch). Sign in"),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    stack: Stack, options: list[str], variables: dict[str, str | None], said: str
) -> None:
    """No error of a command is a stack trace: run() lets none pass."""
    ran = run(stack.cloud, "resume", *options, variables=variables)

    assert ran.exit_code == 1
    assert ran.out == ""
    assert said in ran.err


def test_a_right_that_s3_does_not_name_is_said_to_be_missing(stack: Stack) -> None:
    """The answer to a HEAD request has no words."""
    reader, _ = role_with(stack.cloud, "reader", ["cloudformation:DescribeStack*"])

    ran = run(stack.cloud, "drop", str(SOUND), credentials=reader)

    assert "your credentials lack a right: HeadObject" in ran.err


def test_a_missing_right_is_named(stack: Stack) -> None:
    ran = run(stack.cloud, "resume", credentials=stack.cloud.function_credentials("SubmitFunction"))

    assert ran.exit_code == 1
    assert "your credentials lack a right" in ran.err
    assert "cloudformation:DescribeStacks" in ran.err


def test_pausing_and_resuming_need_these_rights(stack: Stack) -> None:
    needed = {
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
    }
    credentials, used = role_with(stack.cloud, "pauses", needed)

    for command in ("pause", "resume"):
        assert run(stack.cloud, command, credentials=credentials).exit_code == 0
    assert used() == needed


def test_wrong_usage_ends_with_two(stack: Stack) -> None:
    assert run(stack.cloud, "forget").exit_code == 2
    assert run(stack.cloud, "resume", "--now").exit_code == 2


def test_it_runs_as_a_module(stack: Stack) -> None:
    """From the project's folder, with nothing on the path but the layer's source."""
    given = {name: value for name, value in shell(stack.cloud).items() if value is not None}
    ran = subprocess.run(
        [sys.executable, "-m", "callcoach", "resume"],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "layers" / "callcoach"), **given},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (ran.stdout, ran.stderr) == ("It was not paused.\n", "")


@pytest.mark.parametrize("missing", ["click", "rich", "boto3"])
def test_what_is_not_installed_is_named(missing: str) -> None:
    script = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_module('callcoach', run_name='__main__')"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "layers" / "callcoach")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert f"needs {missing}, which is not installed here" in ran.stderr
    assert "Traceback" not in ran.stderr
