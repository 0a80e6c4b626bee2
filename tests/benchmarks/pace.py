"""A thousand recordings at AssemblyAI's own pace, in simulated time: callcoach's turns, places and waits as they are.

State, turns, worker and queue are callcoach's. SQS, Lambda and how long things take are simulated, AssemblyAI's limits
are the stand-in's. Half an hour passes in a minute, and nothing waits for a core. Beside `burst`, where everything is
real but time, this shows what the constants are worth on AWS.
"""

import heapq
import itertools
import multiprocessing
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from unittest import mock

from moto import mock_aws
from tests.benchmarks._table import Row, Table
from tests.benchmarks.burst import ALLOWED_PER_MINUTE, Requests, rate_rows
from tests.sandbox import speed
from tests.sandbox.assemblyai.clock import Clock, RateLimit
from tests.sandbox.session import isolated_session
from tests.sandbox.template import parse

from callcoach.errors import InProgress, JobsFull, RateLimited
from callcoach.observability import metrics
from callcoach.pause import Pauses
from callcoach.queue import Message, Queue
from callcoach.slots import Slots
from callcoach.state import Progress, State
from callcoach.work import GaveUp, Subject, Worker

if TYPE_CHECKING:
    from callcoach.notifications import Notifications

_PARAMETERS = parse((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))["Parameters"]

PER_MINUTE = {"understanding": ALLOWED_PER_MINUTE, "chat": ALLOWED_PER_MINUTE}

Range = tuple[float, float]
Limited = Literal["understanding", "chat"]


@dataclass(frozen=True)
class Conditions:
    """How long things take on AWS and at AssemblyAI, in seconds from and to, and how the stack is set up.

    used_by_others: requests of each minute that something else of the same account uses up.
    """

    id: str
    name: str
    recordings: int
    queue: Range = (0.05, 0.5)
    cold_start: Range = (0.8, 1.6)
    step: Range = (0.1, 0.3)
    transcription: Range = (40.0, 80.0)
    identification: Range = (2.0, 6.0)
    coach: Range = (8.0, 20.0)
    used_by_others: int = 0
    maximum_concurrency: int = _PARAMETERS["MaximumConcurrency"]["Default"]
    max_open_jobs: int = _PARAMETERS["MaxOpenJobs"]["Default"]
    overdue_after: float = _PARAMETERS["OverdueAfterSeconds"]["Default"]


CONDITIONS = (
    Conditions("usual", "as usual", recordings=1000),
    Conditions("slow_coach", "a coach that thinks for long", recordings=500, coach=(40.0, 50.0)),
)


class VirtualTime(Clock):
    """Time that passes when everything waits for it. Processes are threads, of which one runs at a time."""

    def __init__(self) -> None:
        super().__init__(scale=1.0)
        self._now = 1_800_000_000.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._passed_on = threading.Event()
        self._faults: list[BaseException] = []

    def now(self) -> float:
        """Return the simulated seconds since 1970."""
        return self._now

    # What callcoach calls of the module `time`.
    time = now

    def sleep(self, seconds: float) -> None:
        """Let the process that calls this go on after so many seconds."""
        woken = threading.Event()
        self.later(seconds, lambda: self._run_until_passed_on(woken.set))
        self._passed_on.set()
        woken.wait()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something that does not sleep after so many seconds."""
        heapq.heappush(self._due, (self._now + max(seconds, 0.0), next(self._order), action))

    def start(self, process: Callable[[], None]) -> None:
        """Begin a process, which may sleep."""

        def run() -> None:
            try:
                process()
            except BaseException as fault:  # noqa: BLE001 - raised where the time is run
                self._faults.append(fault)
            self._passed_on.set()

        self.later(0.0, lambda: self._run_until_passed_on(threading.Thread(target=run, daemon=True).start))

    def run(self) -> None:
        """Let time pass until nothing is left to do. Raises what a process raises."""
        while self._due:
            self._now, _, action = heapq.heappop(self._due)
            action()
            for fault in self._faults:
                raise fault

    def _run_until_passed_on(self, go_on: Callable[[], None]) -> None:
        self._passed_on.clear()
        go_on()
        self._passed_on.wait()


@dataclass
class Sent:
    """A message in a simulated queue."""

    id: str
    body: str
    sent_at: float
    receives: int = 0


class SimulatedQueue:
    """A queue of SQS, as its client, and Lambda, which feeds it to a function."""

    def __init__(self, time: VirtualTime, chance: random.Random, conditions: Conditions) -> None:
        self._time = time
        self._chance = chance
        self._conditions = conditions
        self._visible: deque[Sent] = deque()
        self._in_hand: dict[str, Sent] = {}
        self._ids = itertools.count()
        self._environments = 0
        self.worker: Worker | None = None
        # Of the messages that were done, by how often they were received.
        self.receives: Counter[int] = Counter()

    def send_message(self, *, MessageBody: str, DelaySeconds: int = 0, **_: Any) -> None:  # noqa: N803 - AWS's names
        """Do what SQS does."""
        self._come(Sent(str(next(self._ids)), MessageBody, self._time.now()), DelaySeconds)

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        """Do what SQS does."""
        self._come(self._in_hand[ReceiptHandle], VisibilityTimeout)

    def _come(self, sent: Sent, seconds: float) -> None:
        def appear() -> None:
            self._visible.append(sent)
            self._feed()

        self._time.later(seconds + self._chance.uniform(*self._conditions.queue), appear)

    def _feed(self) -> None:
        while self._visible and len(self._in_hand) < self._conditions.maximum_concurrency:
            sent = self._visible.popleft()
            self._in_hand[sent.id] = sent
            self._time.start(partial(self._invoke, sent))

    def _invoke(self, sent: Sent) -> None:
        sent.receives += 1
        if self._environments < len(self._in_hand):
            self._environments += 1
            self._time.sleep(self._chance.uniform(*self._conditions.cold_start))
        assert self.worker
        if not self.worker.work_through({"Records": [_record(sent)]}, mock.sentinel.context)["batchItemFailures"]:
            self.receives[sent.receives] += 1
        del self._in_hand[sent.id]
        self._feed()


def _record(sent: Sent) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(sent.receives), "SentTimestamp": str(int(1000 * sent.sent_at))}
    return {
        "messageId": sent.id,
        "receiptHandle": sent.id,
        "body": sent.body,
        "attributes": attributes,
        "messageAttributes": {},
    }


@dataclass
class Service:
    """AssemblyAI's limits, and what was asked of it."""

    time: VirtualTime
    per_minute: int
    taken_at: dict[Limited, list[float]] = field(default_factory=lambda: {"understanding": [], "chat": []})
    rejected: Counter[Limited] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._limits = {limited: RateLimit(self.time) for limited in self.taken_at}

    def ask(self, limited: Limited) -> None:
        """Take a request, or raise RateLimited."""
        remaining, rest_seconds = self._limits[limited].take(self.per_minute)
        if remaining < 0:
            self.rejected[limited] += 1
            raise RateLimited("429", retry_after_seconds=rest_seconds)
        self.taken_at[limited].append(self.time.now())

    def requests(self) -> dict[Limited, Requests]:
        """Return what was asked so far."""
        return {limited: Requests(sorted(times), self.rejected[limited]) for limited, times in self.taken_at.items()}


class Stack:
    """What the parts of a simulation share."""

    def __init__(self, state: State, time: VirtualTime, chance: random.Random, conditions: Conditions) -> None:
        self.state = state
        self.time = time
        self.conditions = conditions
        self.chance = chance
        self.service = Service(time, ALLOWED_PER_MINUTE - conditions.used_by_others)
        self.recordings, self.callbacks = (SimulatedQueue(time, chance, conditions) for _ in range(2))
        pauses = Pauses(state, cast("Notifications", None), "simulation")
        for queue, work in ((self.recordings, Submission(self)), (self.callbacks, Scoring(self))):
            client: Any = queue
            queue.worker = Worker(work, queue=Queue(client, ""), state=state, pauses=pauses)

    def spend(self, seconds: Range) -> None:
        """Let a running function take some time."""
        self.time.sleep(self.chance.uniform(*seconds))


class Submission:
    """What SubmitFunction does with a recording."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def subject(self, message: Message) -> Subject:
        return Subject(f"submit#{message.body}", message.body, "submit")

    def do(self, message: Message, progress: Progress, context: object) -> frozenset[str]:
        stack = self._stack
        stack.spend(stack.conditions.step)
        try:
            stack.state.open_job(message.body, limit=stack.conditions.max_open_jobs, lives_seconds=25 * 3600)
        except LookupError:
            turn_at = stack.state.book_slot("places", ALLOWED_PER_MINUTE)
            raise JobsFull("", retry_after_seconds=max(turn_at - stack.time.now(), 15.0)) from None
        stack.spend(stack.conditions.step)
        transcribed = stack.chance.uniform(*stack.conditions.transcription)
        for seconds in (transcribed, stack.conditions.overdue_after):
            stack.time.later(seconds, lambda: stack.callbacks.send_message(MessageBody=message.body))
        return frozenset()

    def give_up(self, message: Message, why: GaveUp) -> None:
        raise AssertionError(f"{message.body} was given up: {why.reason}")


class Scoring:
    """What ScorecardFunction does with a callback: it asks who speaks, then the coach."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._at_work: set[str] = set()
        self._identified: set[str] = set()
        self._scored: set[str] = set()

    def subject(self, message: Message) -> Subject:
        return Subject(f"score#{message.body}", message.body, "transcribe", message.body)

    def do(self, message: Message, progress: Progress, context: object) -> frozenset[str]:
        stack, call = self._stack, message.body
        stack.spend(stack.conditions.step)
        if call in self._at_work:
            raise InProgress("", retry_after_seconds=60.0)
        if call not in self._scored:
            self._at_work.add(call)
            try:
                self._score(call, Slots(stack.state, self.subject(message).work_id, progress, PER_MINUTE))
            finally:
                self._at_work.discard(call)
        return frozenset()

    def _score(self, call: str, slots: Slots) -> None:
        stack = self._stack
        if call not in self._identified:
            self._ask(slots, "understanding", "understanding")
            stack.spend(stack.conditions.identification)
            self._identified.add(call)
        stack.state.close_job(call)
        stack.spend(stack.conditions.step)
        self._ask(slots, "chat", "chat 0")
        stack.spend(stack.conditions.coach)
        self._scored.add(call)

    def _ask(self, slots: Slots, limited: Limited, step: str) -> None:
        slots.wait(limited, step)
        self._stack.spend(self._stack.conditions.step)
        try:
            self._stack.service.ask(limited)
        except RateLimited as fault:
            slots.rejected(limited, fault)
            raise

    def give_up(self, message: Message, why: GaveUp) -> None:
        raise AssertionError(f"{message.body} was given up: {why.reason}")


@contextmanager
def stack_in(conditions: Conditions, time: VirtualTime) -> Iterator[Stack]:
    """Simulate a stack; callcoach reads the simulated time."""
    with ExitStack() as patches:
        for patch in (mock_aws(), *speed.patches()):
            patches.enter_context(patch)
        for module in ("slots", "state", "work"):
            patches.enter_context(mock.patch(f"callcoach.{module}.time", time))
        # They would be printed.
        patches.enter_context(mock.patch.object(metrics, "add_metric"))
        client = isolated_session("eu-west-1").client(
            "dynamodb", aws_access_key_id="nobody", aws_secret_access_key="nothing"
        )
        client.create_table(
            TableName="state",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Stack(State(client, "state"), time, random.Random(conditions.name), conditions)


@dataclass(frozen=True)
class Pace:
    """How recordings drained. receives: of the messages, by how often each was received until it was done."""

    minutes: float
    requests: Mapping[Limited, Requests]
    submit_receives: Counter[int]
    score_receives: Counter[int]


def simulate(conditions: Conditions) -> Pace:
    """Drop the recordings at once, and return how they drained. Raises AssertionError when one is given up."""
    time = VirtualTime()
    with stack_in(conditions, time) as stack:
        began = time.now()
        for number in range(conditions.recordings):
            stack.recordings.send_message(MessageBody=f"call {number}")
        time.run()
        last = max(stack.service.taken_at["chat"])
    return Pace(
        minutes=(last - began) / 60,
        requests=stack.service.requests(),
        submit_receives=stack.recordings.receives,
        score_receives=stack.callbacks.receives,
    )


def run() -> Table:
    """Return the table."""
    lines: list[str] = []
    rows: list[Row] = []
    # A time, and what reads it, belongs to a process.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        paces = list(pool.map(simulate, CONDITIONS))
    for conditions, pace in zip(CONDITIONS, paces, strict=True):
        receives = (
            f"{max(pace.submit_receives)} receives of a recording at most, {max(pace.score_receives)} of a callback"
        )
        recordings = conditions.recordings
        lines.append(f"{conditions.name}: {recordings} recordings in {pace.minutes:.1f} simulated minutes, {receives}")
        for service, requests in pace.requests.items():
            rows += rate_rows(f"pace_{conditions.id}", f"{recordings}, {conditions.name}", service, requests)
    return Table(lines, rows)
