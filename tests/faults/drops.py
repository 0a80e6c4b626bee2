"""One object dropped onto the stage of the fault suite, and what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.stage import QUEUES, Decide, Stage
from tests.sandbox.assemblyai.billing import SERVICES
from tests.sandbox.cloud import Mail
from tests.sandbox.interference import Interference

# Longer than any message hides after one fault.
STEP_SECONDS = 3700.0
MOST_STEPS = 8


@dataclass(frozen=True)
class Outcome:
    """What lies in the bucket about a recording, what was told of it, and what it cost."""

    failure: Any
    card: Any
    mails: list[Mail]
    paid: Mapping[str, int]


def dropped(
    stage: Stage,
    key: str,
    body: bytes,
    *,
    decide: Decide = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
    **arguments: Any,
) -> Outcome:
    """Drop an object and return what became of it when the queues are empty.

    decide: what happens to the functions' requests; meanwhile: called each time before time passes; arguments: as of
    put_object.
    """
    stack = stage.stack
    paid, mails = dict(stack.stand_in.paid_calls), len(stack.cloud.mails())
    with Interference(stack.cloud, stack.stand_in, decide):
        stack.drop(key, body, **arguments)
        for _ in range(MOST_STEPS):
            stage.settle()
            if not any(stack.cloud.queue_depth(queue) for queue in QUEUES):
                break
            meanwhile()
            stack.cloud.pass_time(STEP_SECONDS)
    return Outcome(
        failure=stack.document("failures", key),
        card=stack.document("scorecards", key),
        mails=stack.cloud.mails()[mails:],
        paid={service: stack.stand_in.paid_calls[service] - paid[service] for service in SERVICES},
    )
