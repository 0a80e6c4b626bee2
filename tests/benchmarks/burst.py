"""Many recordings dropped at once into the whole stack: how much of AssemblyAI's rates the drain uses.

The stand-in's limits are AssemblyAI's own, on a clock that runs faster; the stack's parameters name them by the real
minute. What callcoach counts in seconds, such as for how long a message hides, stays as it is, so its functions have
fewer seconds to spare than they would have on AWS. One process plays all of AWS here, which bounds how many recordings
and how fast a clock it can stand; `pace` drains a thousand in simulated time.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.benchmarks._table import Row, Table
from tests.integration.stack import CALLS, KEY, Stack
from tests.sandbox.assemblyai.billing import Service
from tests.sandbox.assemblyai.server import AssemblyAI, Exchange
from tests.sandbox.cloud import Cloud

RECORDINGS = 240
# Real seconds that one of the service's lasts: as many as two cores need for the work of one.
CLOCK_SCALE = 0.2

# Of the service's seconds.
TRANSCRIPTION_SECONDS = 60.0
COACH_SECONDS = 14.0
OVERDUE_AFTER_SECONDS = 900

ALLOWED_PER_MINUTE = 30
MAXIMUM_CONCURRENCY = 32
MAX_OPEN_JOBS = 60

QUEUES = {"SubmitFunction": "RecordingsQueue", "ScorecardFunction": "CallbacksQueue"}
DEAD_LETTERS = ("RecordingsDlq", "CallbacksDlq")
LIMITED: Mapping[Service, str] = {"understanding": "/v1/understanding", "chat": "/v1/chat/completions"}

NO_MESSAGES: Mapping[str, Any] = {"Records": []}

FOLDER = "calls"

LEAST_USED = 0.95
MOST_REJECTED = 0.01

# The steady part of a drain leaves out so much at either end.
STEADY_FROM, STEADY_UNTIL = 0.1, 0.9


@dataclass(frozen=True)
class Requests:
    """The requests to one service. taken_at: when those came that were taken, in the service's seconds, in order."""

    taken_at: Sequence[float]
    rejected: int

    @property
    def rejected_share(self) -> float:
        """The part of all requests that was answered with 429."""
        return self.rejected / max(1, len(self.taken_at) + self.rejected)

    def used_share(self, first: float = 0.0, last: float = 1.0) -> float:
        """Return the part of the allowed rate that was reached from one part of the requests to another."""
        end = len(self.taken_at) - 1
        chosen = self.taken_at[round(first * end) : round(last * end) + 1]
        return 60 * (len(chosen) - 1) / (chosen[-1] - chosen[0]) / ALLOWED_PER_MINUTE


@dataclass(frozen=True)
class Drain:
    """What became of the recordings.

    seconds: the service's, from the first drop to the last e-mail; paid: for each recording; waits: how often messages
    were put off, by function and reason; most_receives: of a message that was put off, by function.
    """

    recordings: int
    scorecards: int
    failures: int
    mails: int
    dead_letters: int
    left_in_queues: int
    seconds: float
    requests: Mapping[Service, Requests]
    paid: Sequence[Mapping[Service, int]]
    invocations: Mapping[str, int]
    waits: Mapping[tuple[str, str], int]
    most_receives: Mapping[str, int]

    def require_all_scored(self) -> None:
        """Raise RuntimeError unless each recording came to one scorecard and one e-mail, and nothing is left over."""
        seen = (self.scorecards, self.failures, self.mails, self.dead_letters, self.left_in_queues)
        if seen != (self.recordings, 0, self.recordings, 0, 0):
            raise RuntimeError(
                f"{self.recordings} recordings came to {self.scorecards} scorecards, {self.failures} failures and "
                f"{self.mails} e-mails, with {self.dead_letters} dead letters and {self.left_in_queues} messages left"
            )


@dataclass(frozen=True)
class _Before:
    """How much there was before the recordings were dropped. logs: in characters, by function."""

    exchanges: int
    mails: int
    invocations: Mapping[str, int]
    logs: Mapping[str, int]


@contextmanager
def _stack(clock_scale: float, coach_seconds: float, parameters: Mapping[str, str]) -> Iterator[Stack]:
    with AssemblyAI(
        KEY,
        delay_seconds=TRANSCRIPTION_SECONDS,
        answer_seconds={"POST /v1/chat": coach_seconds},
        clock_scale=clock_scale,
    ) as stand_in:
        deployed = {"AssemblyAIEndpointUrl": stand_in.url, "NotificationEmail": "manager@example.com"}
        with Cloud(parameters={**deployed, **parameters}, secrets={"callcoach/assemblyai": KEY}) as cloud:
            stand_in.hosts.update(cloud.hosts)
            yield Stack(cloud, stand_in)


def drain(
    recordings: int = RECORDINGS,
    *,
    clock_scale: float = CLOCK_SCALE,
    maximum_concurrency: int = MAXIMUM_CONCURRENCY,
    max_open_jobs: int = MAX_OPEN_JOBS,
) -> Drain:
    """Drop so many recordings at once, and return what was seen when all was quiet, or patience was at its end."""
    per_minute = str(int(ALLOWED_PER_MINUTE / clock_scale))
    parameters = {
        "IdentificationsPerMinute": per_minute,
        "CoachRequestsPerMinute": per_minute,
        "MaximumConcurrency": str(maximum_concurrency),
        "MaxOpenJobs": str(max_open_jobs),
        "OverdueAfterSeconds": str(max(1, round(OVERDUE_AFTER_SECONDS * clock_scale))),
    }
    with _stack(clock_scale, COACH_SECONDS, parameters) as stack:
        before = _warm_up(stack, maximum_concurrency)
        started = time.monotonic()
        keys = _drop(stack, FOLDER, recordings)
        _wait(
            lambda: len(stack.cloud.mails()) >= before.mails + recordings,
            120 + 2 * recordings * 60 * clock_scale / ALLOWED_PER_MINUTE,
        )
        seconds = (time.monotonic() - started) / clock_scale
        # Those that look after overdue calls find them done.
        stack.cloud.make_visible("CallbacksQueue")
        _wait(lambda: not any(map(stack.cloud.queue_depth, QUEUES.values())), 60)
        return _seen(stack, keys, seconds, before)


def _warm_up(stack: Stack, environments: int) -> _Before:
    """Start the functions' processes, and let each score a call, at which it imports what it left for then.

    On AWS they do not do that on the cores that everything else runs on.
    """
    cloud = stack.cloud
    with ThreadPoolExecutor(environments) as pool:
        for function in QUEUES:
            list(pool.map(lambda _, name=function: cloud.invoke(name, NO_MESSAGES), range(environments)))
    _drop(stack, "warm", environments)
    _wait(lambda: len(cloud.mails()) >= environments, 120)
    return _Before(
        exchanges=len(stack.stand_in.exchanges),
        mails=len(cloud.mails()),
        invocations={function: count.count for function, count in cloud.invocations.items()},
        logs={function: len(cloud.logs(function)) for function in QUEUES},
    )


def _drop(stack: Stack, folder: str, recordings: int) -> list[str]:
    """Drop recordings at once, and return their keys."""
    keys = [f"{folder}/{number}.ogg" for number in range(recordings)]
    for number, key in enumerate(keys):
        stack.stand_in.teach(key.encode(), _transcript(number))
    for key in keys:
        stack.drop(key, key.encode())
    return keys


def _wait(condition: Callable[[], bool], patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.5)


def _transcript(number: int) -> dict[str, Any]:
    """Return a short call that is worth coaching, and has a word of its own."""
    whole = json.loads((CALLS / "discovery_well_led" / "transcript.json").read_bytes())
    said = [
        {**{name: utterance[name] for name in ("speaker", "text", "confidence")}, "words": []}
        for utterance in whole["utterances"][:24]
    ]
    said[3]["text"] += f" Our account is number{number}."
    for at, utterance in enumerate(said):
        utterance |= {"start": 9000 * at, "end": 9000 * at + 8500}
    return {"utterances": said, "text": " ".join(utterance["text"] for utterance in said), "audio_duration": 216}


def _seen(stack: Stack, keys: Sequence[str], seconds: float, before: _Before) -> Drain:
    cloud, stand_in = stack.cloud, stack.stand_in
    put_off = {function: list(_put_off(cloud.logs(function)[before.logs[function] :])) for function in QUEUES}
    exchanges = stand_in.exchanges[before.exchanges :]
    return Drain(
        recordings=len(keys),
        scorecards=_documents(stack, "scorecards"),
        failures=_documents(stack, "failures"),
        mails=len(cloud.mails()) - before.mails,
        dead_letters=sum(map(cloud.queue_depth, DEAD_LETTERS)),
        left_in_queues=sum(map(cloud.queue_depth, QUEUES.values())),
        seconds=seconds,
        requests={service: _requests(exchanges, path) for service, path in LIMITED.items()},
        paid=[stand_in.paid_for(key) for key in keys],
        invocations={
            function: count.count - before.invocations[function] for function, count in cloud.invocations.items()
        },
        waits=Counter((function, kind) for function, found in put_off.items() for kind, _ in found),
        most_receives={
            function: 1 + max((count for _, count in found), default=0) for function, found in put_off.items()
        },
    )


def _documents(stack: Stack, kind: str) -> int:
    pages = (
        stack.cloud.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=stack.cloud.outputs["ScorecardsBucketName"], Prefix=f"{kind}/{FOLDER}/")
    )
    return sum(page["KeyCount"] for page in pages)


def _requests(exchanges: Sequence[Exchange], path: str) -> Requests:
    seen = [exchange for exchange in exchanges if exchange.request.path == path]
    return Requests(
        taken_at=sorted(exchange.at for exchange in seen if exchange.status == 200),
        rejected=sum(exchange.status == 429 for exchange in seen),
    )


def _put_off(logs: str) -> Iterator[tuple[str, int]]:
    """Yield why a function put off a message, and how often that one had been received. Processes share the log."""
    for kind, receive_count in re.findall(r'"message":"not yet"[^{}]*"kind":"(\w+)"[^{}]*"receive_count":(\d+)', logs):
        yield kind, int(receive_count)


def run() -> Table:
    """Return the table. Raises RuntimeError when a recording was lost."""
    seen = drain()
    seen.require_all_scored()
    per_recording = {function: count / seen.recordings for function, count in seen.invocations.items()}
    lines = [
        f"{seen.recordings} recordings, all scored after {seen.seconds / 60:.1f} minutes of the service",
        *(f"{function:20}{count:.2f} runs a recording" for function, count in per_recording.items()),
        *(f"{function:20}{count / seen.recordings:.2f} {kind}" for (function, kind), count in seen.waits.items()),
        *(f"{function:20}{most} receives at most" for function, most in seen.most_receives.items()),
    ]
    return Table(lines, [row for service, requests in seen.requests.items() for row in _rows(service, requests, seen)])


def _rows(service: Service, requests: Requests, seen: Drain) -> Iterator[Row]:
    yield from rate_rows("burst", f"{seen.recordings} recordings", service, requests)
    most = max(paid[service] for paid in seen.paid)
    yield Row(
        f"burst_paid_{service}", f"{service}: paid for a call, at most", most, "times", goal="<= 1", met=most <= 1
    )


def rate_rows(benchmark: str, what: str, service: str, requests: Requests) -> Iterator[Row]:
    """Yield how far the allowed rate was used while the drain was steady, and what was rejected."""
    used, rejected = requests.used_share(STEADY_FROM, STEADY_UNTIL), requests.rejected_share
    yield Row(
        id=f"{benchmark}_rate_{service}",
        what=f"{service}: requests of {what}",
        value=used * ALLOWED_PER_MINUTE,
        unit="/min",
        against=f"{ALLOWED_PER_MINUTE} allowed",
        ratio=used,
        goal=f">= {LEAST_USED}",
        met=used >= LEAST_USED,
    )
    yield Row(
        id=f"{benchmark}_rejected_{service}",
        what=f"{service}: rejected of them",
        value=100 * rejected,
        unit="%",
        goal=f"<= {100 * MOST_REJECTED:g} %",
        met=rejected <= MOST_REJECTED,
    )
