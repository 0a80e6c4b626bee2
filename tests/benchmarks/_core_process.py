"""A process of its own that scores one call: how much memory that takes, or how often it does so in some seconds.

python -m tests.benchmarks._core_process {peak|rate} FOLDER SECONDS; FOLDER holds what AssemblyAI answers.
"""

import gc
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class StoredCall:
    """A call whose answers are read from files, each time anew, as they come from the network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def transcript(self) -> bytes:
        return (self._folder / "transcript.json").read_bytes()

    @property
    def identification(self) -> bytes:
        return (self._folder / "identification.json").read_bytes()

    def coach_reply(self, _: Iterable[Mapping[str, str]]) -> bytes:
        return (self._folder / "reply.json").read_bytes()


def peak(score: Callable[[], object]) -> dict[str, int]:
    """Return the bytes that the process held before, and at most while it scored."""
    gc.collect()
    # The peak from now on.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    score()
    return {"idle_bytes": before, "peak_bytes": _status("VmHWM")}


def rate(score: Callable[[], object], seconds: float) -> dict[str, float]:
    """Return how many calls were scored in about that time, and the processor time that it took."""
    score()
    calls, started, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        score()
        calls += 1
    return {
        "calls": calls,
        "seconds": time.monotonic() - started,
        "processor_seconds": time.process_time() - used,
    }


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return 1024 * int(found[1])


def main(what: str, folder: str, seconds: str) -> None:
    """Measure, and print what came out."""
    from tests.benchmarks._scoring_run import answers_about, score

    # What a function has in memory before it is called.
    importlib.import_module("scorecard.handler")
    with answers_about(StoredCall(Path(folder))) as client:
        found = peak(lambda: score(client)) if what == "peak" else rate(lambda: score(client), float(seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    main(*sys.argv[1:])
