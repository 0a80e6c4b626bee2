"""Turns in shared rate limits: when a function waits, and when a message hides."""

import time

import pytest

from callcoach.errors import RateLimited, SlotAhead
from callcoach.slots import LATE_SECONDS, LEAD_SECONDS, LONGEST_WAIT_SECONDS, Slots
from callcoach.state import Progress, State


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of this test, none of which is slept, at a clock that stands."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    return waits


def slots(state: State, progress: Progress | None = None, per_minute: int = 30) -> Slots:
    return Slots(state, "score#t1", progress or Progress(), {"chat": per_minute, "understanding": per_minute})


def test_idle_limit_costs_no_wait(state: State, slept: list[float]) -> None:
    slots(state).wait("chat", "chat 0", "m")
    assert slept == [0.0]
    assert state.look("score#t1").progress == Progress()


def test_turn_within_seconds_is_waited_for(state: State, slept: list[float]) -> None:
    for _ in range(3):
        slots(state).wait("chat", "chat 0", "m")
    assert slept == pytest.approx([0.0, 2.06, 4.12], abs=0.01)
    assert slept[-1] <= LONGEST_WAIT_SECONDS


def test_turn_further_ahead_is_kept_and_hidden_for(state: State, slept: list[float]) -> None:
    state.hold_limit("chat#m", 60.0)
    with pytest.raises(SlotAhead) as ahead:
        slots(state).wait("chat", "chat 0", "m")
    assert ahead.value.retry_after_seconds == pytest.approx(60.0 - LEAD_SECONDS)
    progress = state.look("score#t1").progress
    assert (progress.slot, progress.slot_at) == ("chat 0", 1060.0)
    assert slept == []


def test_kept_turn_is_taken_and_no_other_is_booked(state: State, slept: list[float]) -> None:
    slots(state, Progress(slot="chat 0", slot_at=1002.5)).wait("chat", "chat 0", "m")
    assert slept == [2.5]
    # Nobody has booked: the limit is idle.
    assert state.book_slot("chat#m", 30) == 1000.0


def test_kept_turn_is_for_its_own_step_and_for_once(state: State, slept: list[float]) -> None:
    turns = slots(state, Progress(slot="understanding", slot_at=1002.5))
    turns.wait("chat", "chat 0", "m")
    turns.wait("understanding", "understanding")
    assert slept == [0.0, 0.0]


def test_turn_that_was_missed_is_booked_anew(state: State, slept: list[float]) -> None:
    """Those who come late would meet those whose turn it is."""
    state.book_slot("chat#m", 30)
    slots(state, Progress(slot="chat 0", slot_at=1000.0 - LATE_SECONDS)).wait("chat", "chat 0", "m")
    slots(state, Progress(slot="chat 0", slot_at=1001.0 - LATE_SECONDS)).wait("chat", "chat 0", "m")
    assert slept == pytest.approx([2.06, 0.0], abs=0.01)


def test_kept_turn_before_the_end_of_a_hold_is_booked_anew(state: State, slept: list[float]) -> None:
    """It would be rejected like the one before it, and count."""
    state.hold_limit("chat#m", 50.0)
    with pytest.raises(SlotAhead) as ahead:
        slots(state, Progress(slot="chat 0", slot_at=1002.5)).wait("chat", "chat 0", "m")
    assert ahead.value.retry_after_seconds == pytest.approx(50.0 - LEAD_SECONDS)
    assert state.look("score#t1").progress.slot_at == 1050.0


def test_kept_turn_after_a_hold_is_taken(state: State, slept: list[float]) -> None:
    state.hold_limit("chat#m", 2.5)
    slots(state, Progress(slot="chat 0", slot_at=1002.5)).wait("chat", "chat 0", "m")
    assert slept == [2.5]
    assert state.book_slot("chat#m", 30) == 1002.5


def test_turn_whose_limit_is_held_while_it_is_waited_for_is_booked_anew(
    state: State, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rejected_meanwhile(seconds: float) -> None:
        slept.append(seconds)
        if seconds:
            state.hold_limit("chat#m", 60.0)

    monkeypatch.setattr(time, "sleep", rejected_meanwhile)
    slots(state).wait("chat", "chat 0", "m")
    with pytest.raises(SlotAhead):
        slots(state).wait("chat", "chat 0", "m")
    assert slept == pytest.approx([0.0, 2.06], abs=0.01)
    assert state.look("score#t1").progress.slot_at == pytest.approx(1060.0)


@pytest.mark.parametrize(("named", "held"), [(56.0, 56.0), (None, 60.0)])
def test_rejected_request_holds_the_limit(state: State, slept: list[float], named: float | None, held: float) -> None:
    slots(state).rejected("chat", RateLimited("429", retry_after_seconds=named), "m")
    assert state.book_slot("chat#m", 30) == pytest.approx(1000.0 + held)
    assert state.book_slot("understanding", 30) == 1000.0
