"""Whole batches of recordings while a plan drawn from a seed breaks, doubles and reorders what it meets."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.faults.scenarios import ASSEMBLYAI_FAULTS, AWS_FAULTS, PAID, Fault
from tests.faults.stage import QUEUES, SOUND, TRANSCRIPT, Stage
from tests.sandbox.assemblyai.billing import SERVICES, Service
from tests.sandbox.interference import Action, Interference, Kill, SideEffect

# This part of all requests meets a fault while the storm lasts.
BROKEN_SHARE = 0.08
STORM_STEPS = 3
MOST_STEPS = 60
STEP_SECONDS = 3700.0


@dataclass
class Plan:
    """What happens to which request, as a seed has it; printed when something is wrong."""

    seed: int
    is_over: bool = False
    happened: list[tuple[SideEffect, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def decide(self, effect: SideEffect) -> Action | None:
        """Break some requests, each in a way that passes."""
        with self._lock:
            if self.is_over or self._random.random() > BROKEN_SHARE:
                return None
            faults = ASSEMBLYAI_FAULTS if effect.what.startswith("assemblyai") else AWS_FAULTS
            fault = self._random.choice([fault for fault in faults if not fault.is_refusal])
            self.happened.append((effect, fault))
            return fault.action


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch. troubles: what may not be, in words."""

    seed: int
    recordings: int
    faults: int
    lost: int
    double_billed: int
    troubles: Sequence[str]
    repaid: int
    extra_mails: int

    @property
    def text(self) -> str:
        """One line of the table."""
        mark = "BAD" if self.troubles else "ok "
        ends = f"  {'; '.join(self.troubles)}" if self.troubles else ""
        return (
            f"{mark} batch of {self.recordings}, {self.faults} faults, {self.repaid} paid again, "
            f"{self.extra_mails} more e-mails  seed {self.seed}{ends}"
        )


def play_batch(stage: Stage, seed: int, recordings: int = 12) -> BatchReport:
    """Drop a batch into a storm, wait until it is over and everything is done, and look at what there is."""
    stack, stand_in = stage.stack, stage.stack.stand_in
    stand_in.account = replace(stand_in.account, coach_faults=())
    plan, tag = Plan(seed), f"batch-{seed}-{time.time_ns() % 10**9}"
    keys = [f"{tag}/{number}.ogg" for number in range(recordings)]
    paid, mails = dict(stand_in.paid_calls), len(stack.cloud.mails())
    with Interference(stack.cloud, stand_in, plan.decide):
        for key in keys:
            stand_in.teach(SOUND + key.encode(), TRANSCRIPT)
            stack.drop(key, SOUND + key.encode())
        for step in range(MOST_STEPS):
            stage.settle()
            if step == 1:
                stand_in.restart(0.2)
            plan.is_over = step >= STORM_STEPS
            if plan.is_over and not any(stack.cloud.queue_depth(queue) for queue in QUEUES):
                break
            if not plan.is_over:
                _double(stage, plan)
            stack.cloud.pass_time(STEP_SECONDS)
    spent = {service: stand_in.paid_calls[service] - paid[service] for service in SERVICES}
    return _report(stage, plan, keys, spent, [mail.message for mail in stack.cloud.mails()[mails:]])


def _double(stage: Stage, plan: Plan) -> None:
    """Deliver every message a second time, in another order, as SQS may."""
    sqs, chance = stage.stack.cloud.client("sqs"), random.Random(plan.seed)
    for queue in QUEUES:
        messages = stage.stack.cloud.messages(queue)
        chance.shuffle(messages)
        for message in messages:
            sqs.send_message(
                QueueUrl=stage.stack.queue_url(queue),
                MessageBody=message.body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": text} for name, text in message.attributes.items()
                },
            )


def _report(
    stage: Stage, plan: Plan, keys: Sequence[str], paid: Mapping[Service, int], mails: Sequence[str]
) -> BatchReport:
    stack, troubles, lost = stage.stack, [], 0
    for key in keys:
        card, failure = stack.document("scorecards", key), stack.document("failures", key)
        if card is None:
            lost += 1
            troubles.append(f"no scorecard of {key} ({json.dumps(failure)})")
        elif failure:
            troubles.append(f"scorecard and failure of {key}")
    # A kill takes every process of its function that works, whatever each of them is waiting for.
    kills = sum(isinstance(fault.action, Kill) for _, fault in plan.happened)
    spoilt = Counter(
        PAID[effect.what] for effect, fault in plan.happened if fault.spoils_answer and effect.what in PAID
    )
    over = {service: paid[service] - len(keys) for service in SERVICES}
    double_billed = [
        service
        for service, count in over.items()
        if count > (0 if service == "transcript" else spoilt[service] + kills * len(keys))
    ]
    troubles += [f"{service} paid {paid[service]} times" for service in double_billed]
    if len(mails) < len(keys):
        troubles.append(f"{len(mails)} e-mails")
    for queue in ("RecordingsDlq", "CallbacksDlq", *QUEUES):
        if depth := stack.cloud.queue_depth(queue):
            troubles.append(f"{depth} messages in {queue}")
    return BatchReport(
        seed=plan.seed,
        recordings=len(keys),
        faults=len(plan.happened),
        lost=lost,
        double_billed=len(double_billed),
        troubles=troubles,
        repaid=sum(count for count in over.values() if count > 0),
        extra_mails=max(len(mails) - len(keys), 0),
    )
