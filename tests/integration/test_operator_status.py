"""python -m callcoach status and watch: what became of each recording, read from what lies in the buckets."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_commands import role_with, run, shell
from tests.integration.stack import DONE, OTHER_SOUND, SOUND, Stack, running_stack

from callcoach.documents import document_key

ROOT = Path(__file__).parents[2]
# Of its document's name nothing can be read but the beginning.
LONG_KEY = f"{'long/' * 200}a.ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with one recording in each state, whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        running.drop("a/scored.ogg", SOUND.read_bytes(), Metadata={"rep": "Dana Reyes", "customer": "Acme"})
        score(running, "a/scored.ogg")
        submit(running, "a/overdue.ogg")
        rewrite(running, "a/overdue.ogg", overdue_after_seconds=-60)
        submit(running, "b/transcribing.ogg")
        running.submit("b/failed.txt")
        running.drop("b/dropped.ogg", b"sound")
        running.drop("folder/", b"")
        submit(running, LONG_KEY)
        running.cloud.wait_until(lambda: all(item.outcome != "pending" for item in running.stand_in.deliveries))
        yield running


def submit(stack: Stack, key: str) -> str:
    stack.submit(key)
    return str(stack.document("submissions", key)["transcript_id"])


def score(stack: Stack, key: str) -> None:
    """Submit and score what lies under a name already."""
    head = stack.cloud.client("s3").head_object(Bucket=bucket(stack), Key=key)
    event = stack.recording_event(key, etag=head["ETag"].strip('"'), size=head["ContentLength"])
    stack.cloud.invoke("SubmitFunction", event)
    transcript_id = stack.document("submissions", key)["transcript_id"]
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)
    assert stack.callback("completed", transcript_id) == DONE


def bucket(stack: Stack) -> str:
    return stack.cloud.outputs["RecordingsBucketName"]


def rewrite(stack: Stack, key: str, **fields: Any) -> None:
    """Change fields of a submission's record."""
    document = stack.document("submissions", key) | fields
    stack.cloud.client("s3").put_object(
        Bucket=stack.cloud.outputs["ScorecardsBucketName"],
        Key=document_key("submissions", key),
        Body=json.dumps(document),
    )


def states(stack: Stack, *options: str) -> dict[str, str]:
    return {
        call["recording"]: call["state"] for call in run(stack.cloud, "status", "--json", *options).document["calls"]
    }


def state(stack: Stack, key: str) -> str:
    return str(run(stack.cloud, "status", "--json", key).document["call"]["state"])


def test_every_recording_is_in_one_state(stack: Stack) -> None:
    """A folder is no recording."""
    found = run(stack.cloud, "status", "--json").document

    assert {call["recording"]: call["state"] for call in found["calls"]} == {
        "a/scored.ogg": "scored",
        "a/overdue.ogg": "overdue",
        "b/transcribing.ogg": "transcribing",
        "b/failed.txt": "failed",
        "b/dropped.ogg": "dropped",
        LONG_KEY: "transcribing",
    }
    assert found["counts"] == {"dropped": 1, "transcribing": 2, "overdue": 1, "scored": 1, "failed": 1}
    assert found["waiting"]["RecordingsQueue"]["visible"] == stack.cloud.queue_depth("RecordingsQueue")


def test_the_table_names_people_transcripts_and_reasons(stack: Stack) -> None:
    transcript_id = stack.document("submissions", "a/scored.ogg")["transcript_id"]

    ran = run(stack.cloud, "status")

    lines = {line.split()[-1]: line for line in ran.out.splitlines() if ".ogg" in line or ".txt" in line}
    assert "Dana Reyes / Acme" in lines["a/scored.ogg"]
    assert transcript_id in lines["a/scored.ogg"]
    assert "failed: not a recording" in lines["b/failed.txt"]
    assert LONG_KEY in lines
    assert "1 dropped, 2 transcribing, 1 overdue, 1 scored, 1 failed" in ran.out


def test_one_recording_is_told_in_full(stack: Stack) -> None:
    failed = run(stack.cloud, "status", "b/failed.txt")
    answer = run(stack.cloud, "status", "--json", "b/failed.txt").document
    document = answer["call"]

    assert "not_a_recording (submit)" in failed.out
    assert stack.document("failures", "b/failed.txt")["next_step"] in failed.out
    assert document["retryable"] is False
    assert answer["recording_hash"] in failed.out
    assert f'"recording_hash":"{answer["recording_hash"]}"' in stack.cloud.logs("SubmitFunction")
    assert [state(stack, key) for key in ("a/scored.ogg", "a/overdue.ogg", "b/dropped.ogg", LONG_KEY)] == [
        "scored",
        "overdue",
        "dropped",
        "transcribing",
    ]


def test_a_name_that_is_none_is_an_error(stack: Stack) -> None:
    ran = run(stack.cloud, "status", "a/scored.og")

    assert (ran.exit_code, ran.out) == (1, "")
    assert "nothing is known of a/scored.og" in ran.err


def test_what_is_dropped_again_waits_again_only_if_it_is_another_content(stack: Stack) -> None:
    """S3 says in whole seconds when an object was written."""
    key = "again.ogg"
    stack.drop(key, SOUND.read_bytes())
    score(stack, key)
    time.sleep(1.1)
    stack.drop(key, SOUND.read_bytes())
    assert state(stack, key) == "scored"

    stack.drop(key, OTHER_SOUND.read_bytes())

    assert state(stack, key) == "dropped"
    assert run(stack.cloud, "status", "--json", key).document["call"]["transcript_id"] is None
    stack.cloud.client("s3").delete_object(Bucket=bucket(stack), Key=key)
    assert state(stack, key) == "scored"


def test_older_recordings_are_left_out(stack: Stack) -> None:
    assert states(stack, "--since", "2100-01-01") == {}
    assert "a/scored.ogg" in states(stack, "--since", "1h")


def test_the_pause_is_told(stack: Stack) -> None:
    run(stack.cloud, "pause", "--reason", "a new key")
    try:
        ran, document = run(stack.cloud, "status"), run(stack.cloud, "status", "--json").document
    finally:
        run(stack.cloud, "resume")

    assert "Paused by operator: a new key" in ran.out
    assert document["paused"]["by"] == "operator"


def test_reconciling_finds_what_has_one_end_only(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever lies in the bucket longer than events take, and what is known of a recording that somebody deleted."""
    stack.submit("deleted.txt")
    stack.cloud.client("s3").delete_object(Bucket=bucket(stack), Key="deleted.txt")
    early = run(stack.cloud, "status", "--reconcile", "--json").document
    monkeypatch.setattr("callcoach.status.ON_ITS_WAY", timedelta(0))

    late = run(stack.cloud, "status", "--reconcile", "--json").document
    told = run(stack.cloud, "status", "--reconcile")

    assert early["not_submitted"] == []
    assert late["not_submitted"] == ["b/dropped.ogg"]
    assert "deleted.txt" in late["without_recording"]
    assert not {"a/scored.ogg", "b/failed.txt", LONG_KEY} & set(late["without_recording"])
    assert "  b/dropped.ogg\n" in told.out
    assert told.exit_code == 0


def test_wrong_usage_is_told(stack: Stack) -> None:
    for arguments in (
        ["a", "--reconcile"],
        ["a", "--since", "1h"],
        ["--since", "yesterday"],
        ["--endpoint-url", "here"],
    ):
        assert run(stack.cloud, "status", *arguments).exit_code == 2


def test_the_address_of_aws_may_be_an_option(stack: Stack) -> None:
    ran = run(
        stack.cloud,
        "status",
        "--endpoint-url",
        stack.cloud.endpoint_url,
        variables={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    )

    assert ran.exit_code == 0


def test_it_needs_these_rights(stack: Stack) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
        "sqs:GetQueueAttributes",
        "dynamodb:BatchGetItem",
    }
    credentials, used = role_with(stack.cloud, "looks", needed)

    ran = run(stack.cloud, "status", credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert used() == needed


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let the processes that a test starts be interrupted, which those of a shell's background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_watch_shows_news_until_it_is_interrupted(stack: Stack) -> None:
    """On a terminal, in a process of its own."""
    given = {name: value for name, value in shell(stack.cloud).items() if value is not None}
    leader, follower = pty.openpty()
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT / "layers" / "callcoach"),
        "TERM": "xterm",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "callcoach", "watch", "--every", "0.5"]
    with subprocess.Popen(
        command, env=environment | {"LINES": "60"} | given, stdout=follower, stderr=subprocess.PIPE
    ) as watching:
        os.close(follower)
        try:
            read_until(leader, "b/dropped.ogg")
            stack.drop("b/news.ogg", b"sound")
            read_until(leader, "b/news.ogg")
            watching.send_signal(signal.SIGINT)
            # A terminal that nobody reads holds up who writes to it.
            read_to_end(leader)
            _, errors = watching.communicate(timeout=20)
        finally:
            watching.kill()
            os.close(leader)

    assert (watching.returncode, errors) == (0, b"")


def read_until(terminal: int, wanted: str, timeout_seconds: float = 20.0) -> None:
    """Read what is shown until it says something."""
    shown, deadline = b"", time.monotonic() + timeout_seconds
    while wanted.encode() not in shown:
        readable, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
        assert readable, shown.decode()
        shown += os.read(terminal, 65536)


def read_to_end(terminal: int, timeout_seconds: float = 20.0) -> None:
    """Read what is shown until nobody can write any more."""
    deadline = time.monotonic() + timeout_seconds
    with suppress(OSError):
        while select.select([terminal], [], [], max(deadline - time.monotonic(), 0))[0] and os.read(terminal, 65536):
            pass
