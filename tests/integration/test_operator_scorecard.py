"""python -m callcoach show and open: a scorecard in the terminal, and a link to its report."""

import time
from collections.abc import Iterator

import pytest
import requests
from tests.integration.operator_commands import role_with, run
from tests.integration.stack import DONE, SOUND, Stack, running_stack

KEY = "dana reyes/é&1.ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with one scored call, whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        transcript_id = running.transcribed(KEY, SOUND.read_bytes())
        assert running.callback("completed", transcript_id) == DONE
        yield running


def test_show_prints_the_scorecard_as_plain_text(stack: Stack) -> None:
    card = stack.document("scorecards", KEY)

    ran = run(stack.cloud, "show", KEY)

    assert (ran.exit_code, ran.err) == (0, "")
    text = " ".join(ran.out.split())
    assert card["headline"]["talk"] in text
    assert card["headline"]["focus"] in text
    assert all(suggestion["because"] in text for suggestion in card["coaching"]["suggestions"])
    assert "\x1b" not in ran.out


def test_show_prints_the_scorecard_for_machines(stack: Stack) -> None:
    assert run(stack.cloud, "show", KEY, "--json").document == stack.document("scorecards", KEY)


def test_open_prints_a_link_with_which_anybody_reads_the_report(stack: Stack) -> None:
    ran = run(stack.cloud, "open", KEY)

    answer = requests.get(ran.out.strip(), timeout=10)

    assert ran.exit_code == 0
    assert answer.status_code == 200
    assert answer.content == stack.body("reports", KEY)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "X-Amz-Expires=3600" in ran.out
    link = run(stack.cloud, "open", KEY, "--minutes", "5", "--json").document
    assert link["minutes"] == 5
    assert "X-Amz-Expires=300" in link["link"]
    assert run(stack.cloud, "open", KEY, "--minutes", "99999").exit_code == 2


def test_open_opens_a_browser_if_there_is_one(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(link: str) -> int:
        opened.append(link)
        return len(opened) - 1

    monkeypatch.setattr("click.launch", launch)
    ran = run(stack.cloud, "open", KEY, "--browser")
    without = run(stack.cloud, "open", KEY, "--browser")

    assert opened[0] == ran.out.strip()
    assert ran.err == ""
    assert without.exit_code == 0
    assert "No browser was found here" in without.err
    assert "X-Amz-Signature" in without.out


def test_why_there_is_no_scorecard_is_told(stack: Stack) -> None:
    stack.drop("dropped.ogg", b"sound")
    stack.submit("submitted.ogg")
    stack.submit("failed.txt")
    next_step = stack.document("failures", "failed.txt")["next_step"]

    for key, said in (
        ("dropped.ogg", "is not submitted yet"),
        ("submitted.ogg", "is being transcribed or scored"),
        ("failed.txt", "(neither the name"),
        ("failed.txt", next_step),
        ("never.ogg", "nothing is known of never.ogg"),
    ):
        for command in ("show", "open"):
            ran = run(stack.cloud, command, key)
            assert (ran.exit_code, ran.out) == (1, "")
            assert said in ran.err


def test_a_scorecard_that_is_being_replaced_says_so(stack: Stack) -> None:
    """S3 says in whole seconds when an object was written."""
    key = "replaced.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    assert stack.callback("completed", transcript_id) == DONE
    time.sleep(1.1)
    stack.drop(key, b"another")

    ran = run(stack.cloud, "show", key)

    assert ran.exit_code == 0
    assert "TALK SHARE" in ran.out
    assert "what lay there before. Of what does now: it was dropped" in ran.err


def test_they_need_these_rights(stack: Stack) -> None:
    """A link carries the rights of whoever made it."""
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
    }
    credentials, used = role_with(stack.cloud, "reads", needed)

    assert run(stack.cloud, "show", KEY, credentials=credentials).exit_code == 0
    link = run(stack.cloud, "open", KEY, credentials=credentials).out.strip()

    assert requests.get(link, timeout=10).status_code == 200
    assert used() == needed
