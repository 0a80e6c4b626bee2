"""The stage of the fault suite: one deployed stack beside the stand-in, and one call at a time on it.

A journey is a way that a call goes, without any fault: scored, scored after a repair, failed, refused. A scenario is a
journey during which something happens to one request that a function sends out.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.integration.stack import CALLS, REPORTS, Stack, running_stack
from tests.sandbox.assemblyai.billing import Service
from tests.sandbox.cloud import Mail
from tests.sandbox.interference import Action, Interference, SideEffect

from callcoach.documents import Kind

SOUND = (CALLS / "discovery_price_shock" / "recording.ogg").read_bytes()
TRANSCRIPT = json.loads((CALLS / "discovery_price_shock" / "transcript.json").read_text("utf-8"))
QUEUES = ("RecordingsQueue", "CallbacksQueue")
DEAD_LETTERS = ("RecordingsDlq", "CallbacksDlq")

# Longer than any message hides after one fault, and shorter than what ends a call.
STEP_SECONDS = 3700.0
MOST_STEPS = 80
# A stack that is quiet for so long has nothing in hand.
QUIET_SECONDS = 0.06
PATIENCE_SECONDS = 120.0

Decide = Callable[[SideEffect], Action | None]
Outcome = Literal["complete", "numbers_only", "needs_roles", "failed", "both", "nothing"]


@dataclass(frozen=True)
class Journey:
    """A way that a call goes when nothing is wrong.

    paid: what AssemblyAI bills for it; coach_faults: what the models answer, as the stand-in's account has them;
    transcript_error: the job ends so; settings: parameters of the stack.
    """

    name: str
    outcome: Outcome = "complete"
    paid: Mapping[Service, int] = field(default_factory=lambda: {"transcript": 1, "understanding": 1, "chat": 1})
    sound: bytes = SOUND
    coach_faults: Sequence[Any] = ()
    transcript_error: str | None = None
    lost_callback: bool = False
    suffix: str = ".ogg"


NOTHING_PAID: Mapping[Service, int] = {"transcript": 0, "understanding": 0, "chat": 0}
JOURNEYS = {
    journey.name: journey
    for journey in (
        Journey("scored"),
        Journey(
            "repaired",
            coach_faults=("prose", "truncated"),
            paid={"transcript": 1, "understanding": 1, "chat": 3},
        ),
        Journey("overdue", lost_callback=True),
        Journey("failed", outcome="failed", transcript_error="Audio duration is too short.", paid=NOTHING_PAID),
        Journey("unsupported", outcome="failed", sound=b"not a call", suffix=".txt", paid=NOTHING_PAID),
    )
}


@dataclass(frozen=True)
class Report:
    """What is seen of a call from outside, when nothing moves any more."""

    outcome: Outcome
    failure: Mapping[str, Any] | None
    mails: Sequence[Mail]
    operator_mails: Sequence[Mail]
    reports: int
    paid: Mapping[Service, int]
    dead_letters: Sequence[str]
    left_in_queues: int
    open_jobs: int
    is_paused: bool
    effects: Sequence[SideEffect]
    lasted_steps: int


class Stage:
    """Runs journeys on a stack, one after the other."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        # Ids of jobs that nobody waits for.
        self.endless: set[str] = set()
        self._number = 0

    def run(
        self,
        journey: Journey,
        decide: Decide = lambda _: None,
        *,
        cold: bool = False,
        meanwhile: Callable[[str], None] = lambda _: None,
        most_steps: int = MOST_STEPS,
    ) -> Report:
        """Drop a recording, let happen to it what decide says, and report when all is quiet and the queues are empty.

        cold: the functions start anew; meanwhile: is called with the recording's key each time before time passes.
        """
        self._number += 1
        stack, stand_in = self.stack, self.stack.stand_in
        key = f"{journey.name}/{self._number}-{time.time_ns() % 10**9}{journey.suffix}"
        sound = journey.sound + key.encode()
        stand_in.account = replace(stand_in.account, coach_faults=list(journey.coach_faults))
        if journey.transcript_error:
            stand_in.fail(sound, journey.transcript_error)
        else:
            stand_in.teach(sound, TRANSCRIPT)
        if cold:
            stack.cloud.forget_warm()
        paid, mails = dict(stand_in.paid_calls), {topic: len(sent) for topic, sent in self._mails().items()}
        reports = len(stack.cloud.ses.sent)
        with self._callbacks(lost=journey.lost_callback), Interference(stack.cloud, stand_in, decide) as interference:
            stack.drop(key, sound)
            steps = self._until_quiet(key, meanwhile, most_steps)
        return self._report(
            key, paid=paid, mails_before=mails, reports_before=reports, effects=interference.seen, steps=steps
        )

    def document(self, kind: Kind, key: str) -> Any:
        """Return a document about a recording as soon as it is there, letting time pass where messages hide."""
        return self.until_done(lambda: self.stack.document(kind, key))

    def until_done(self, look: Callable[[], Any], step_seconds: float = 60) -> Any:
        """Return what a look finds as soon as that is something, letting time pass where messages hide."""
        for _ in range(10):
            self.settle()
            if found := look():
                return found
            self.stack.cloud.pass_time(step_seconds)
        raise AssertionError("nothing has come of it")

    @contextmanager
    def _callbacks(self, *, lost: bool) -> Iterator[None]:
        """Let AssemblyAI's callbacks go nowhere."""
        hosts = self.stack.stand_in.hosts
        known = dict(hosts)
        if lost:
            # Refused, they are not tried again, and come into no later journey.
            hosts.update(dict.fromkeys(known, self.stack.cloud.endpoint_url))
        try:
            yield
        finally:
            hosts.update(known)

    def _until_quiet(self, key: str, meanwhile: Callable[[str], None], most_steps: int) -> int:
        cloud = self.stack.cloud
        for step in range(most_steps):
            self.settle()
            if not any(cloud.queue_depth(queue) for queue in QUEUES):
                return step
            meanwhile(key)
            cloud.pass_time(STEP_SECONDS)
        return most_steps

    def settle(self) -> None:
        """Wait until no function works, no message is visible, and AssemblyAI has nothing in hand."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < QUIET_SECONDS:
            if time.monotonic() > deadline:
                raise TimeoutError("the stack does not come to rest")
            time.sleep(0.01)
            # AssemblyAI first: what it sends is then seen in the queue.
            if self._assemblyai_is_busy() or self.stack.cloud.is_busy:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()

    def _assemblyai_is_busy(self) -> bool:
        stand_in = self.stack.stand_in
        waiting = any(delivery.outcome == "pending" and not delivery.attempts for delivery in stand_in.deliveries[-20:])
        jobs = list(stand_in.jobs.items())[-20:]
        return waiting or any(job.completed is None and name not in self.endless for name, job in jobs)

    def _report(
        self,
        key: str,
        *,
        paid: Mapping[Service, int],
        mails_before: Mapping[str, int],
        reports_before: int,
        effects: Sequence[SideEffect],
        steps: int,
    ) -> Report:
        stack = self.stack
        scorecard, failure = stack.document("scorecards", key), stack.document("failures", key)
        outcome: Outcome = "nothing"
        if scorecard and failure:
            outcome = "both"
        elif scorecard:
            outcome = scorecard["status"]
        elif failure:
            outcome = "failed"
        mails = self._mails()
        new = {topic: mails[topic][mails_before.get(topic, 0) :] for topic in mails}
        dead = [message.body for queue in DEAD_LETTERS for message in stack.cloud.messages(queue)]
        return Report(
            outcome=outcome,
            failure=failure,
            mails=new.get("ScorecardsTopic", []),
            operator_mails=new.get("OperationsTopic", []),
            reports=len(stack.cloud.ses.sent) - reports_before,
            paid={service: count - paid[service] for service, count in stack.stand_in.paid_calls.items()},
            dead_letters=dead,
            left_in_queues=sum(stack.cloud.queue_depth(queue) for queue in QUEUES),
            open_jobs=len(self._item("open_jobs").get("jobs", {}).get("M", {})),
            is_paused=bool(self._item("pause")),
            effects=effects,
            lasted_steps=steps,
        )

    def _mails(self) -> dict[str, list[Mail]]:
        """Return everything that was published, by topic."""
        found: dict[str, list[Mail]] = {}
        for mail in self.stack.cloud.publications():
            found.setdefault(mail.topic, []).append(mail)
        return found

    def _item(self, name: str) -> Any:
        """Return an item of the state table, empty where there is none."""
        table = self.stack.cloud.environment("SubmitFunction")["STATE_TABLE_NAME"]
        answer = self.stack.cloud.client("dynamodb").get_item(TableName=table, Key={"id": {"S": name}})
        return answer.get("Item", {})


@contextmanager
def stage(**arguments: Any) -> Iterator[Stage]:
    """Deploy a stack for the fault suite, which mails reports too; arguments as of running_stack."""
    parameters = REPORTS | dict(arguments.pop("parameters", {}))
    with running_stack(delay_seconds=0.15, parameters=parameters, **arguments) as stack:
        yield Stage(stack)
