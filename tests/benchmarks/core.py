"""How much processor time and memory the scoring of a call takes, beside reading its JSON with Python's own module.

What is measured is all that ScorecardFunction computes for one call; AssemblyAI and AWS answer at once.
"""

import gc
import importlib
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks._long_calls import LongCall, long_call
from tests.benchmarks._scoring_run import answers_about, score, seconds_by_part
from tests.benchmarks._table import Row, Table, aligned
from tests.unit.examples import REP_AND_CUSTOMER

from callcoach.transcript import Utterance, decode_transcript
from scorecard.metrics import call_metrics, speaker_table, talk_listen

ROOT = Path(__file__).parents[2]
MINUTES = (5, 30, 60, 180, 600)
HOUR, COACHED_LONGEST, LONGEST = 60, 180, 600

RUNS = 15
MOST_TIMES_LOADS = 1.0
MOST_EXPONENT = 1.05
MOST_SECONDS_LONGEST = 2.0
MOST_TIMES_BYTES = 3.0
# Half of what the function has.
MOST_PEAK_MB = 256.0
LEAST_SCALING = 0.8
RATE_SECONDS = 4.0

MB = 1_000_000

# It measures the same numbers from the same segments: PyPI's, and pinned in requirements-bench.txt.
PEER = "call_ai_metrics"


def least_seconds(work: Mapping[str, Callable[[], object]], runs: int = RUNS) -> dict[str, float]:
    """Return the least processor time of each, measured in turn: what else the machine does slows all of them."""
    least = dict.fromkeys(work, math.inf)
    for function in work.values():
        function()
    for _ in range(runs):
        for name, function in work.items():
            gc.collect()
            started = time.process_time()
            function()
            least[name] = min(least[name], time.process_time() - started)
    return least


def runs_for(minutes: int) -> int:
    """Return how often a call of that length is measured: long ones are steadier, and take longer."""
    return RUNS if minutes <= HOUR else 5


def exponent(seconds: Mapping[int, float]) -> float:
    """Return the power of a call's length with which the time grows, by least squares of the logarithms."""
    return statistics.linear_regression(
        [math.log(minutes) for minutes in seconds], [math.log(spent) for spent in seconds.values()]
    ).slope


def times_of(call: LongCall) -> dict[str, float]:
    """Return the processor time of scoring a call with a coach and without, and of json.loads."""
    with answers_about(call) as client:
        work: dict[str, Callable[[], object]] = {
            "loads": lambda: json.loads(call.transcript),
            "numbers": lambda: score(client, coached_minutes=0),
        }
        if call.minutes <= COACHED_LONGEST:
            work["coached"] = lambda: score(client)
        return least_seconds(work, runs_for(call.minutes))


def parts_of(call: LongCall) -> dict[str, float]:
    """Return the least processor time of each part of scoring a call."""
    with answers_about(call) as client:
        runs = [seconds_by_part(client) for _ in range(RUNS)]
    return {part: min(run[part] for run in runs) for part in runs[0]}


def peer_times(calls: Sequence[LongCall]) -> dict[int, dict[str, float]]:
    """Return the processor time of the metrics of each call: ours that the peer has too, all of ours, the peer's."""
    analyze = importlib.import_module(PEER).analyze
    times = {}
    for call in calls:
        transcript = decode_transcript(call.transcript)
        utterances = transcript.utterances or []
        segments = [(said.start_ms / 1000, said.end_ms / 1000, said.speaker, said.text) for said in utterances]
        work = {
            # Without the lists of words, which the peer does not have, and with them.
            "ours": partial(_metrics, utterances, transcript.duration_ms, "de"),
            "all": partial(_metrics, utterances, transcript.duration_ms, "en"),
            "peer": partial(analyze, segments),
        }
        times[call.minutes] = least_seconds(work, runs_for(call.minutes))
    return times


def _metrics(utterances: Sequence[Utterance], duration_ms: int, language: str) -> object:
    """Measure talk time, turns, pace, silence, replies and interruptions; in English, questions and fillers too."""
    return (
        talk_listen(utterances, REP_AND_CUSTOMER, duration_ms=duration_ms, target_rep_share=0.4, call_type=None),
        speaker_table(utterances, REP_AND_CUSTOMER),
        call_metrics(
            utterances,
            REP_AND_CUSTOMER,
            duration_ms=duration_ms,
            audio_channels=2,
            language_code=language,
            language_confidence=None,
            call_type=None,
            disfluencies=True,
        ),
    )


@contextmanager
def stored(call: LongCall) -> Iterator[Path]:
    """Provide a folder with what AssemblyAI answers about a call."""
    with tempfile.TemporaryDirectory() as folder, answers_about(call) as client:
        replies: list[bytes] = []
        answer = client.complete

        def remembered(request: Mapping[str, Any]) -> Any:
            replies.append(call.coach_reply(request["messages"]))
            return answer(request)

        client.complete = remembered  # type: ignore[method-assign]
        score(client)
        (Path(folder) / "transcript.json").write_bytes(call.transcript)
        (Path(folder) / "identification.json").write_bytes(call.identification)
        (Path(folder) / "reply.json").write_bytes(replies[-1] if replies else b"")
        yield Path(folder)


def in_processes(number: int, what: str, folder: Path) -> list[dict[str, float]]:
    """Measure in that many processes at the same time."""
    command = [sys.executable, "-m", "tests.benchmarks._core_process", what, str(folder), str(RATE_SECONDS)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(number)]
    return [json.loads(process.communicate()[0]) for process in started]


def time_rows(calls: Sequence[LongCall], times: Mapping[int, Mapping[str, float]]) -> Iterator[Row]:
    """Yield what the time of one call comes to, and how it grows."""
    hour = times[HOUR]
    megabytes = next(len(call.transcript) for call in calls if call.minutes == HOUR) / MB
    loads = f"json.loads of its {megabytes:.1f} MB: {1000 * hour['loads']:.1f} ms"
    for name, what in (("coached", "a call of an hour, coached"), ("numbers", "the same, numbers only")):
        yield Row.beside(
            f"core.hour.{name}",
            f"processor time, {what}",
            1000 * hour[name],
            "ms",
            other=1000 * hour["loads"],
            against=loads,
            most=MOST_TIMES_LOADS,
        )
    for name, lengths in (("coached", "5 min to 3 h"), ("numbers", "5 min to 10 h")):
        value = exponent({minutes: spent[name] for minutes, spent in times.items() if name in spent})
        yield Row(
            f"core.exponent.{name}",
            f"growth with the length, {lengths}, {'coached' if name == 'coached' else 'numbers only'}",
            value,
            "exponent",
            goal=f"<= {MOST_EXPONENT}",
            met=value <= MOST_EXPONENT,
        )
    # Where fixed costs weigh nothing any more; json.loads itself grows a little faster than its text.
    last = {minutes: times[minutes] for minutes in (COACHED_LONGEST, LONGEST)}
    value, loads_value = (exponent({minutes: last[minutes][name] for minutes in last}) for name in ("numbers", "loads"))
    yield Row(
        "core.exponent.last",
        "growth from 3 h to 10 h, numbers only",
        value,
        "exponent",
        against=f"json.loads: {loads_value:.2f}",
    )
    yield Row(
        "core.longest",
        "processor time, a call of 10 h (not coached by default)",
        times[LONGEST]["numbers"],
        "s",
        goal=f"<= {MOST_SECONDS_LONGEST}",
        met=times[LONGEST]["numbers"] <= MOST_SECONDS_LONGEST,
    )


def memory_rows(call: LongCall) -> Iterator[Row]:
    """Yield what the memory of a process that scores a call comes to."""
    with stored(call) as folder:
        (found,) = in_processes(1, "peak", folder)
    above, megabytes = (found["peak_bytes"] - found["idle_bytes"]) / MB, len(call.transcript) / MB
    length = f"{call.minutes // 60} h"
    yield Row.beside(
        f"core.memory.{call.minutes}",
        f"memory above the idle process, {length}",
        above,
        "MB",
        other=megabytes,
        against=f"{megabytes:.1f} MB of transcript",
        most=MOST_TIMES_BYTES,
    )
    yield Row(
        f"core.peak.{call.minutes}",
        f"peak of the process with the handler, {length}",
        found["peak_bytes"] / MB,
        "MB",
        against=f"{found['idle_bytes'] / MB:.0f} MB idle",
        goal=f"<= {MOST_PEAK_MB:.0f} MB",
        met=found["peak_bytes"] / MB <= MOST_PEAK_MB,
    )


def peer_rows(times: Mapping[int, Mapping[str, float]]) -> Iterator[Row]:
    """Yield the metrics beside the peer's."""
    for minutes, spent in times.items():
        ratio = spent["ours"] / spent["peer"]
        yield Row(
            f"core.metrics.{minutes}",
            f"metrics that {PEER.replace('_', '-')} has too, {minutes} min",
            1000 * spent["ours"],
            "ms",
            against=f"{1000 * spent['peer']:.2f} ms",
            ratio=ratio,
            goal="< 1",
            met=ratio < 1,
        )


def rate_rows(call: LongCall) -> Iterator[Row]:
    """Yield how many calls are scored in a second by one process, and by one on each core."""
    cores = os.cpu_count() or 1
    with stored(call) as folder:
        (alone,) = in_processes(1, "rate", folder)
        together = in_processes(cores, "rate", folder)
    single = alone["calls"] / alone["seconds"]
    yield Row("core.rate.1", f"calls of {call.minutes} min scored by one process", single, "calls/s")
    total = sum(found["calls"] / found["seconds"] for found in together)
    yield Row(
        "core.rate.cores",
        f"by {cores} processes at once",
        total,
        "calls/s",
        against=f"{single:.1f} by one",
        ratio=total / single,
    )
    # Of the processor time that the processes get, whatever else the machine does.
    per_second = sum(found["calls"] for found in together) / sum(found["processor_seconds"] for found in together)
    scaling = per_second / (alone["calls"] / alone["processor_seconds"])
    yield Row(
        "core.scaling",
        f"calls for a second of processor time, {cores} processes",
        per_second,
        "calls/s",
        against=f"{alone['calls'] / alone['processor_seconds']:.1f} by one",
        ratio=scaling,
        goal=f">= {LEAST_SCALING}",
        met=scaling >= LEAST_SCALING,
    )


def run() -> Table:
    """Return the tables."""
    calls = [long_call(minutes) for minutes in MINUTES]
    by_minutes = {call.minutes: call for call in calls}
    times = {call.minutes: times_of(call) for call in calls}
    lines = ["Processor time of one call in ms, least of several runs in turn; transcripts as long as AssemblyAI's", ""]
    lines += aligned([("", "MB", "json.loads", "numbers only", "coached"), *(_sizes(call, times) for call in calls)])
    parts = parts_of(by_minutes[HOUR])
    lines += ["", "Where the time of an hour goes, in ms", ""]
    lines += aligned((part, f"{1000 * spent:.2f}") for part, spent in parts.items())
    rows = [*time_rows(calls, times), *memory_rows(by_minutes[LONGEST]), *rate_rows(by_minutes[HOUR])]
    if importlib.util.find_spec(PEER):
        against = peer_times(calls)
        rows += peer_rows(against)
        lines += [
            "",
            f"Metrics alone in ms; the same: without questions, fillers; {PEER.replace('_', '-')} has neither",
            "",
        ]
        lines += aligned([("", "the same", "all of ours", PEER.replace("_", "-")), *map(_peer_line, against.items())])
    else:
        lines += ["", f"{PEER.replace('_', '-')} is not installed: requirements-bench.txt"]
    return Table(lines, rows)


def _sizes(call: LongCall, times: Mapping[int, Mapping[str, float]]) -> Sequence[str]:
    spent = times[call.minutes]
    cells = (f"{1000 * spent[name]:.1f}" if name in spent else "-" for name in ("loads", "numbers", "coached"))
    return f"{call.minutes} min", f"{len(call.transcript) / MB:.1f}", *cells


def _peer_line(measured: tuple[int, Mapping[str, float]]) -> Sequence[str]:
    minutes, spent = measured
    return f"{minutes} min", *(f"{1000 * spent[name]:.2f}" for name in ("ours", "all", "peer"))
