"""What a warm invocation of each function takes of a processor around its waits, and what that goes to.

Of a call of half an hour. The sandbox's services are asked over plain HTTP: TLS, whose connections are kept for AWS and
made anew for AssemblyAI, comes on top.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks._long_calls import long_call
from tests.benchmarks._table import Row, Table, aligned
from tests.benchmarks._warm_process import WARM_UP
from tests.integration.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]
MINUTES = 30
RUNS = 20


@dataclass(frozen=True)
class Warm:
    """Processor time of an invocation: the median of several, and by what it goes to."""

    milliseconds: float
    parts_ms: Mapping[str, float]


def measure() -> Mapping[str, Warm]:
    """Return it by function."""
    call = long_call(MINUTES)
    with running_stack(invoke=False, delay_seconds=0.05) as stack:
        keys = [f"calls/{number}.ogg" for number in range(WARM_UP + RUNS)]
        drops = []
        for key in keys:
            sound = f"recording {key}".encode()
            stack.stand_in.teach(sound, json.loads(call.transcript))
            drops.append(stack.recording_event(key, etag=stack.drop(key, sound), size=len(sound)))
        submit = _run(stack, "SubmitFunction", drops)
        jobs = [stack.document("submissions", key)["transcript_id"] for key in keys]
        stack.cloud.wait_until(lambda: all(stack.stand_in.jobs[job].completed for job in jobs))
        scorecard = _run(stack, "ScorecardFunction", [stack.callback_event("completed", job) for job in jobs])
    return {"SubmitFunction": submit, "ScorecardFunction": scorecard}


def _run(stack: Stack, function: str, events: Sequence[Any]) -> Warm:
    settings = stack.cloud.function_settings(function)
    credentials = settings.credentials
    environment = {
        **settings.variables,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token or "",
        "AWS_DEFAULT_REGION": stack.cloud.region,
        "AWS_REGION": stack.cloud.region,
        "AWS_ENDPOINT_URL": stack.cloud.endpoint_url,
        "PATH": os.environ.get("PATH", os.defpath),
    }
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder) / "events.json", Path(folder) / "result.json"
        given.write_text(json.dumps(events))
        package = settings.handler.partition(".")[0]
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks._warm_process", package, str(given), str(result)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        found = json.loads(result.read_bytes())
    milliseconds = 1000 * statistics.median(found["seconds"])
    total = sum(found["samples"].values())
    parts = {part: milliseconds * count / total for part, count in found["samples"].items()}
    return Warm(milliseconds, dict(sorted(parts.items(), key=lambda part: -part[1])))


def run() -> Table:
    """Return the table."""
    found = measure()
    lines = ["Processor time of a warm invocation by what it goes to, in ms", ""]
    lines += aligned(line for function, warm in found.items() for line in _lines(function, warm))
    return Table(
        lines,
        [
            Row(f"warm.{function}", f"{function}: processor time of a warm invocation", warm.milliseconds, "ms")
            for function, warm in found.items()
        ],
    )


def _lines(function: str, warm: Warm) -> Iterator[tuple[str, str]]:
    yield function, f"{warm.milliseconds:.1f}"
    for part, milliseconds in warm.parts_ms.items():
        yield f"  {part}", f"{milliseconds:.1f}"
