"""A process of its own that is a warm function: what its invocations take of a processor, and where that goes.

python -m tests.benchmarks._warm_process FUNCTION EVENTS RESULT; its environment is the function's. A signal that comes
with the processor time looks at all threads, as a sampling profiler does, and counts those that do not wait.
"""

import importlib
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]

# These invocations find something cold, or fill a pool of connections.
WARM_UP = 3
SAMPLE_SECONDS = 0.001

# The innermost of these that a thread is in has the time; what they call below themselves is theirs.
PARTS = {
    "botocore": "requests to AWS",
    "boto3": "requests to AWS",
    "requests": "requests to AssemblyAI",
    "aws_lambda_powertools": "Powertools",
    "jinja2": "report and e-mail",
    "jinja2 template": "report and e-mail",
    "scorecard": "scoring",
    "callcoach": "adapters",
    "submit": "submission",
}
REST = "rest"
# What a thread is in when it waits for another, or for the network.
WAITING = frozenset(("wait", "_worker", "_wait_for_tstate_lock", "join", "readinto", "select", "create_connection"))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back


def part_of(frame: FrameType) -> str:
    """Return whose time a thread spends."""
    for inner in _frames(frame):
        package = str(inner.f_globals.get("__name__") or "").partition(".")[0]
        if "template" in inner.f_code.co_filename:
            package = "jinja2 template"
        if package in PARTS:
            return PARTS[package]
    return REST


def _context() -> Any:
    deadline = time.monotonic() + 600
    return SimpleNamespace(
        function_name="warm",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:warm",
        aws_request_id="00000000-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: int(1000 * (deadline - time.monotonic())),
    )


def main(function: str, events: str, result: str) -> None:
    """Run the handler on each event, and write what that took."""
    handler = importlib.import_module(f"{function}.handler").lambda_handler
    samples: dict[str, float] = defaultdict(float)

    def look(_: int, frame: FrameType | None) -> None:
        threads = sys._current_frames()  # noqa: SLF001 - the documented way to look at all threads
        if frame:
            threads[main_thread] = frame
        busy = [inner for inner in threads.values() if inner.f_code.co_name not in WAITING]
        for inner in busy:
            samples[part_of(inner)] += 1 / len(busy)

    main_thread = threading.get_ident()
    signal.signal(signal.SIGPROF, look)
    used = []
    for number, event in enumerate(json.loads(Path(events).read_bytes())):
        if number == WARM_UP:
            signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
        started = time.process_time()
        answer = handler(event, _context())
        used.append(time.process_time() - started)
        if answer != {"batchItemFailures": []}:
            raise RuntimeError(f"not done: {answer}")
    signal.setitimer(signal.ITIMER_PROF, 0)
    Path(result).write_text(json.dumps({"seconds": used[WARM_UP:], "samples": samples}))


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    os.environ.pop("AWS_LAMBDA_RUNTIME_API", None)
    main(*sys.argv[1:])
