"""How long each stage of a sample call took, and where it stands when it does not arrive."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.unit.examples import submission

from callcoach.calls import Call, CallState
from callcoach.queues import Waiting
from callcoach.smoke import Stages, stages, stages_view, stuck

DROPPED_AT = datetime(2026, 5, 6, 14, 0, tzinfo=UTC)
NOTHING, SOMETHING = Waiting(0, 0), Waiting(0, 1)


def after(seconds: float) -> datetime:
    return DROPPED_AT + timedelta(seconds=seconds)


def test_stages_follow_one_another_and_those_to_come_have_no_length() -> None:
    submitted = msgspec.structs.replace(submission(), submitted_at=after(7).isoformat())

    assert stages(DROPPED_AT, submitted, after(60), after(90)) == Stages(7, 53, 30)
    assert stages(DROPPED_AT, submitted, None, None) == Stages(7)
    assert stages_view(Stages(7)) == "submitted        7 s  EventBridge, RecordingsQueue, SubmitFunction"
    assert stages_view(Stages()) == ""


def test_clocks_that_differ_make_no_stage_shorter_than_nothing() -> None:
    submitted = msgspec.structs.replace(submission(), submitted_at=after(-1).isoformat())

    assert stages(DROPPED_AT, submitted, None, None).submitted_seconds == 0


@pytest.mark.parametrize(
    ("state", "queue", "given_up", "said"),
    [
        ("dropped", NOTHING, NOTHING, "no event came"),
        ("dropped", SOMETHING, NOTHING, "its message is in RecordingsQueue"),
        ("dropped", SOMETHING, SOMETHING, "callcoach redrive --dry-run"),
        ("transcribing", NOTHING, NOTHING, "callcoach doctor --deployed"),
        ("overdue", NOTHING, NOTHING, "it may still be scored"),
    ],
)
def test_where_it_stands_is_told_with_what_to_do(
    state: CallState, queue: Waiting, given_up: Waiting, said: str
) -> None:
    call = Call("smoke test/a.ogg", state, DROPPED_AT, DROPPED_AT)

    told = stuck(call, {"RecordingsQueue": queue, "RecordingsDlq": given_up}, lambda words: f"callcoach {words}")

    assert said in told
    assert "callcoach status 'smoke test/a.ogg'" in told
