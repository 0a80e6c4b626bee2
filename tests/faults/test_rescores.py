"""Rescores that are killed, refused or cut off: each ends in one corrected scorecard, and is not paid for twice."""

from collections.abc import Iterator

import pytest
from tests.faults.stage import JOURNEYS, MOST_STEPS, QUEUES, STEP_SECONDS, Stage, stage
from tests.integration.operator_commands import run
from tests.sandbox.interference import Action, Interference, Kill, Lose, Refuse, SideEffect

CHAT = "assemblyai POST /v1/chat/completions"


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage() as running:
        yield running


@pytest.fixture(scope="module")
def key(set_up: Stage) -> str:
    """A call that is scored."""
    assert set_up.run(JOURNEYS["scored"]).outcome == "complete"
    (listed,) = set_up.stack.cloud.client("s3").list_objects_v2(
        Bucket=set_up.stack.cloud.outputs["ScorecardsBucketName"], Prefix="scorecards/"
    )["Contents"]
    return str(listed["Key"]).removeprefix("scorecards/").removesuffix(".json")


@pytest.mark.parametrize(
    ("what", "action", "answers_lost"),
    [
        ("s3 GetObject overrides/", Kill(after=True), 0),
        ("dynamodb UpdateItem", Kill(after=True), 0),
        (CHAT, Kill(after=True), 1),
        (CHAT, Lose(after=True), 1),
        (CHAT, Refuse(503, "down"), 0),
        ("s3 PutObject replies/", Kill(after=True), 0),
        ("s3 PutObject replies/", Refuse(503, "ServiceUnavailable"), 0),
        ("s3 PutObject scorecards/", Kill(after=False), 0),
        ("s3 PutObject scorecards/", Kill(after=True), 0),
        ("sns Publish ScorecardsTopic", Kill(after=True), 0),
    ],
)
def test_whatever_breaks_the_call_is_corrected_and_paid_for_once(
    set_up: Stage, key: str, what: str, action: Action, answers_lost: int
) -> None:
    """An answer that is lost with the run that received it is asked for again, and nothing else is.

    A run that is killed after its e-mail sends it once more.
    """
    stack = set_up.stack
    clear_replies(set_up, key)
    before, told = dict(stack.stand_in.paid_calls), len(stack.cloud.mails())
    happened: list[SideEffect] = []

    def decide(effect: SideEffect) -> Action | None:
        if effect.what != what or happened:
            return None
        happened.append(effect)
        return action

    with Interference(stack.cloud, stack.stand_in, decide):
        assert run(stack.cloud, "rescore", "--yes", "--role", "A=customer", "--call-type", "demo", key).exit_code == 0
        for _ in range(MOST_STEPS):
            set_up.settle()
            if not any(stack.cloud.queue_depth(queue) for queue in QUEUES):
                break
            stack.cloud.pass_time(STEP_SECONDS)

    mails = 2 if what.startswith("sns") else 1
    card = stack.document("scorecards", key)
    paid = {service: count - before[service] for service, count in stack.stand_in.paid_calls.items()}
    assert happened
    assert (card["roles"]["source"], card["call"]["call_type"]) == ("override", "demo")
    assert paid == {"transcript": 0, "understanding": 0, "chat": 1 + answers_lost}
    assert [mail.attributes["outcome"] for mail in stack.cloud.mails()[told:]] == [card["status"]] * mails
    assert all(stack.cloud.queue_depth(queue) == 0 for queue in ("CallbacksQueue", "CallbacksDlq"))
    assert stack.document("failures", key) is None


def clear_replies(set_up: Stage, key: str) -> None:
    """Let the coach's question be one that was never answered."""
    bucket = set_up.stack.cloud.outputs["ScorecardsBucketName"]
    set_up.stack.cloud.client("s3").delete_object(Bucket=bucket, Key=f"replies/{key}.json")
