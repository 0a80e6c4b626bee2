"""`python -m tests.sandbox up` ends when it is told to, and leaves no process behind."""

import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]
# Only what is stuck takes so long.
PATIENCE_SECONDS = 30.0
FORK_SERVER_AND_FUNCTION = 2


def processes() -> dict[int, tuple[str, int]]:
    """Return the state of each process of this machine, and which one has started it."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            found[int(file.parent.name)] = (state, int(parent))
    return found


def descendants(pid: int) -> set[int]:
    """Return the processes that a process has started, and those that they have."""
    children = {child for child, (_, parent) in processes().items() if parent == pid}
    return children.union(*map(descendants, children))


def is_running(pid: int) -> bool:
    """Whether a process has not ended. One that has waits as a zombie until it is asked for."""
    return processes().get(pid, ("Z", 0))[0] != "Z"


def drop_something(said: str) -> None:
    """Let a function begin to work. said: what up has printed."""
    variables = dict(re.findall(r"(AWS_\w+)=(\S+)", said))
    s3 = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    (bucket,) = re.findall(r"RecordingsBucketName +(\S+)", said)
    s3.put_object(Bucket=bucket, Key="calls/a.mp3", Body=b"sound")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_in_the_background_it_ends_with_all_that_it_has_started(ending: int, tmp_path: Path) -> None:
    # As a shell starts what goes into the background.
    ignoring_interrupts = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    command = [*ignoring_interrupts, sys.executable, "-m", "tests.sandbox", "up", "--out", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        drop_something("".join(takewhile(lambda line: line != "Ctrl-C ends it.\n", running.stdout)))
        started: set[int] = set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(started) < FORK_SERVER_AND_FUNCTION and time.monotonic() < deadline:
            started = descendants(running.pid)
        running.send_signal(ending)
        try:
            exit_code = running.wait(PATIENCE_SECONDS)
        finally:
            running.kill()

    assert exit_code == 0
    assert len(started) >= FORK_SERVER_AND_FUNCTION
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(filter(is_running, started)) == []
