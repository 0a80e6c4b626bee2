"""A month that has reached its cost cap: what begins to cost waits, what is paid for ends, all goes on in the end."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.integration.operator_commands import run
from tests.integration.stack import DONE, OTHER_SOUND, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Kill, Lose, Refuse, SideEffect
from tests.sandbox.lambdas import InvocationError

FIRST, SECOND, THIRD, FOURTH = "first.ogg", "second.ogg", "third.ogg", "fourth.ogg"
COUNTING = "dynamodb TransactWriteItems"
# More than the first call costs, and less than two do.
CAP_USD = "0.1"
PARAMETERS = {
    "MonthlyCostCapUsd": CAP_USD,
    "IdentificationsPerMinute": "100000",
    "CoachRequestsPerMinute": "100000",
    "OperationsEmail": "operators@example.com",
}
# Until a message that a pause has hidden is looked at again.
PAUSE_SECONDS = 601


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with a cap, whose messages wait until a test delivers them."""
    with running_stack(invoke=False, delay_seconds=0.05, parameters=PARAMETERS) as running:
        yield running


def cost_usd(stack: Stack, key: str) -> float:
    cost = stack.document("scorecards", key)["run"]["cost_usd"]
    return float(cost["transcription"] + cost["coaching"])


def score(stack: Stack, key: str, sound: bytes) -> None:
    assert stack.callback("completed", stack.transcribed(key, sound)) == DONE


def spending(stack: Stack) -> dict[str, float]:
    found: dict[str, float] = run(stack.cloud, "status", "--json").document["spending"]
    return found


def told(stack: Stack) -> list[str | None]:
    return [mail.subject for mail in stack.cloud.publications() if mail.topic == "OperationsTopic"]


def drop_alone(stack: Stack, key: str, sound: bytes) -> None:
    """Drop a recording whose event is the only message in its queue."""
    stack.cloud.empty("RecordingsQueue")
    stack.drop(key, sound)
    stack.cloud.wait_until(lambda: stack.cloud.queue_depth("RecordingsQueue") == 1)


def deliver(stack: Stack, queue: str) -> None:
    with suppress(InvocationError):
        stack.deliver(queue)


def test_the_cap_is_reached_by_the_second_of_three_calls_and_all_drains_when_it_is_raised(stack: Stack) -> None:
    score(stack, FIRST, SOUND.read_bytes())
    assert spending(stack)["spent_usd"] == pytest.approx(cost_usd(stack, FIRST), abs=0.0002)
    assert spending(stack)["spent_usd"] < float(CAP_USD)
    in_hand = stack.transcribed("in-hand.ogg", OTHER_SOUND.read_bytes())
    score(stack, SECOND, OTHER_SOUND.read_bytes())
    assert spending(stack)["spent_usd"] >= float(CAP_USD)

    drop_alone(stack, THIRD, SOUND.read_bytes())
    for _ in range(2):
        deliver(stack, "RecordingsQueue")
        assert stack.cloud.queue_depth("RecordingsQueue") == 1
        stack.cloud.pass_time(PAUSE_SECONDS)
    assert stack.submissions(THIRD) == []
    assert told(stack) == ["callcoach is paused: the month has reached its cost cap"]
    # What AssemblyAI had in hand is scored.
    assert stack.callback("completed", in_hand) == DONE
    assert stack.document("scorecards", "in-hand.ogg")["status"] == "complete"
    shown = run(stack.cloud, "status")
    assert "of 0.10 USD" in shown.out
    assert "Paused by cost_cap: 0." in shown.out
    checks = {check["name"]: check["verdict"] for check in run(stack.cloud, "doctor", "--json").document["checks"]}
    assert (checks["pause"], checks["cost cap"]) == ("problem", "warning")

    stack.cloud.update({"MonthlyCostCapUsd": "100"})
    stack.cloud.pass_time(PAUSE_SECONDS)
    deliver(stack, "RecordingsQueue")
    assert stack.cloud.queue_depth("RecordingsQueue") == 0
    assert len(stack.submissions(THIRD)) == 1
    assert run(stack.cloud, "status", "--json").document["paused"] is None
    assert len(told(stack)) == 1
    transcript_id = stack.document("submissions", THIRD)["transcript_id"]
    stack.cloud.wait_until(lambda: (job := stack.stand_in.jobs[transcript_id]).delivery and job.delivery.attempts)
    assert stack.callback("completed", transcript_id) == DONE
    assert spending(stack)["spent_usd"] == pytest.approx(
        sum(cost_usd(stack, key) for key in (FIRST, SECOND, THIRD, "in-hand.ogg")), abs=0.0005
    )


def test_resume_waives_the_cap_for_the_rest_of_the_month(stack: Stack) -> None:
    stack.cloud.update({"MonthlyCostCapUsd": CAP_USD})
    before = len(told(stack))
    drop_alone(stack, FOURTH, OTHER_SOUND.read_bytes())
    deliver(stack, "RecordingsQueue")
    assert stack.submissions(FOURTH) == []
    assert len(told(stack)) == before + 1

    resumed = run(stack.cloud, "resume")
    assert "no longer holds" in resumed.out
    stack.cloud.pass_time(PAUSE_SECONDS)
    deliver(stack, "RecordingsQueue")

    assert len(stack.submissions(FOURTH)) == 1
    assert spending(stack)["is_waived"]
    assert "which is waived" in run(stack.cloud, "status").out
    assert len(told(stack)) == before + 1


@pytest.mark.parametrize(
    "action",
    [Kill(after=False), Kill(after=True), Lose(after=True), Refuse(503, "ServiceUnavailable")],
    ids=["killed before", "killed after", "answer lost", "refused"],
)
@pytest.mark.parametrize("number", [1, 2], ids=["transcription", "coaching"])
def test_whatever_happens_to_the_count_a_call_is_counted_once(stack: Stack, action: Action, number: int) -> None:
    stack.cloud.update({"MonthlyCostCapUsd": "1000"})
    key = f"{type(action).__name__}-{getattr(action, 'after', '')}-{number}.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    before = spending(stack)["spent_usd"]
    stack.cloud.empty("CallbacksQueue")
    stack.send_callback("completed", transcript_id, key)

    def decide(effect: SideEffect) -> Action | None:
        return action if effect.what == COUNTING and effect.number == number else None

    with Interference(stack.cloud, stack.stand_in, decide) as interference:
        for _ in range(6):
            deliver(stack, "CallbacksQueue")
            stack.cloud.pass_time(3600)
    assert any(effect.what == COUNTING and effect.number == number for effect in interference.seen)

    assert stack.document("scorecards", key)["status"] == "complete"
    assert spending(stack)["spent_usd"] - before == pytest.approx(cost_usd(stack, key), abs=0.0003)
    # And its callback once more.
    stack.callback("completed", transcript_id)
    assert spending(stack)["spent_usd"] - before == pytest.approx(cost_usd(stack, key), abs=0.0003)


def test_with_a_cap_a_call_sends_two_requests_more(stack: Stack) -> None:
    with Interference(stack.cloud, stack.stand_in, lambda _: None) as interference:
        score(stack, "counted.ogg", OTHER_SOUND.read_bytes())

    sent = [effect.what for effect in interference.seen if effect.function == "ScorecardFunction"]
    assert sent.count(COUNTING) == 2
    assert sent.count("dynamodb BatchGetItem") == 1
    assert COUNTING not in [effect.what for effect in interference.seen if effect.function == "SubmitFunction"]


def test_a_recording_without_speech_costs_its_transcription(stack: Stack) -> None:
    before = spending(stack)["spent_usd"]
    stack.stand_in.teach(b"silence", {"utterances": [], "audio_duration": 3600, "sentiment_analysis_results": []})
    assert stack.callback("completed", stack.transcribed("silence.ogg", b"silence")) == DONE

    assert stack.document("failures", "silence.ogg")["reason"] == "no_speech"
    assert spending(stack)["spent_usd"] - before >= 0.15
