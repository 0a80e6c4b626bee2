"""What is atomic between invocations, on a DynamoDB table."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from callcoach.errors import InProgress
from callcoach.state import USED_SHARE, Known, Pause, Progress, Spent, State

PAUSE = Pause(by="submit", reason="401", service="transcription", since_at=1.5, probe_at=600.5)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock."""

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: seconds)

    set_clock(1000.0)
    return set_clock


def test_nothing_is_known_of_new_work(state: State) -> None:
    assert state.look("submit#1") == Known(Progress(), None, Spent())


def test_faults_are_counted_by_work(state: State) -> None:
    assert state.count_fault("submit#1") == 1
    assert state.count_fault("submit#1") == 2
    assert state.count_fault("submit#2") == 1
    assert state.look("submit#1").progress.attempts == 2


def test_paid_requests_are_bounded_before_they_are_sent(state: State) -> None:
    assert [state.may_identify("score#t1", 2) for _ in range(3)] == [True, True, False]
    state.not_identified("score#t1")
    assert [state.may_identify("score#t1", 2) for _ in range(2)] == [True, False]
    assert state.may_identify("score#t2", 2)
    assert state.look("score#t1").progress.identifications == 2


def test_giving_up_begins_the_count_anew(state: State, at: Callable[[float], None]) -> None:
    state.count_fault("score#t1")
    state.may_identify("score#t1", 2)
    state.keep_slot("score#t1", "chat 0", 1234.25)
    state.keep_answer("score#t1", "identification", b'{"mapping":{}}')
    state.give_up("score#t1")
    progress = state.look("score#t1").progress
    # What was paid for stays.
    assert progress == Progress(given_up_at=1000.0, identification='{"mapping":{}}')


def test_booked_turn_is_remembered(state: State) -> None:
    state.keep_slot("score#t1", "chat 0", 1234.25)
    progress = state.look("score#t1").progress
    assert (progress.slot, progress.slot_at) == ("chat 0", 1234.25)


def test_name_is_held_by_one(state: State) -> None:
    def take_again() -> None:
        with pytest.raises(InProgress), state.lease("submit#a", 60):
            pass

    with state.lease("submit#a", 60), state.lease("submit#b", 60):
        take_again()
    with state.lease("submit#a", 60):
        take_again()


def test_name_is_free_when_its_holder_must_be_dead(state: State, at: Callable[[float], None]) -> None:
    """And a holder that lives on after all does not take it away from the next."""
    with state.lease("submit#a", 60):
        at(1060.0)
        with state.lease("submit#a", 60), pytest.raises(InProgress), state.lease("submit#a", 60):
            pass
    with state.lease("submit#a", 60):
        pass


@pytest.mark.parametrize("per_minute", [2, 30, 3000])
def test_turns_are_spaced(state: State, at: Callable[[float], None], per_minute: int) -> None:
    """Never more than the limit in any minute, and nearly as many."""
    turns = [state.book_slot("understanding", per_minute) for _ in range(10)]
    interval = 60 / (per_minute * USED_SHARE)
    assert turns == pytest.approx([1000.0 + number * interval for number in range(10)])


def test_idle_limit_gives_a_turn_at_once(state: State, at: Callable[[float], None]) -> None:
    state.book_slot("understanding", 30)
    at(1010.0)
    assert state.book_slot("understanding", 30) == 1010.0
    assert state.book_slot("chat#m", 30) == 1010.0


def test_rejected_limit_is_held(state: State, at: Callable[[float], None]) -> None:
    state.hold_limit("chat#m", 56.0)
    assert state.book_slot("chat#m", 30) == pytest.approx(1056.0)
    state.hold_limit("chat#m", 1.0)
    assert state.book_slot("chat#m", 30) > 1056.0


def test_limit_is_held_before_turns_that_are_booked_already(state: State, at: Callable[[float], None]) -> None:
    assert state.limit_held_until("chat#m") == 0.0
    turns = [state.book_slot("chat#m", 30) for _ in range(10)]
    state.hold_limit("chat#m", 8.0)
    assert state.limit_held_until("chat#m") == 1008.0
    assert state.book_slot("chat#m", 30) > turns[-1]
    state.hold_limit("chat#m", 2.0)
    assert state.limit_held_until("chat#m") == 1008.0
    assert state.limit_held_until("understanding") == 0.0


def test_turns_are_different_for_all_who_ask_at_once(state: State) -> None:
    lock = threading.Lock()
    turns = []

    def book() -> None:
        with lock:  # moto answers one at a time
            turns.append(state.book_slot("chat#m", 600))

    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(book)
    assert len({round(turn, 3) for turn in turns}) == 40


def test_no_more_jobs_are_open_than_may_be(state: State) -> None:
    assert state.open_job("a", limit=2, lives_seconds=60) is None
    assert state.open_job("b", limit=2, lives_seconds=60) is None
    with pytest.raises(LookupError):
        state.open_job("c", limit=2, lives_seconds=60)
    state.close_job("a")
    state.close_job("a")
    assert state.open_job("c", limit=2, lives_seconds=60) is None


def test_place_that_is_held_says_since_when(state: State, at: Callable[[float], None]) -> None:
    """A run before this one may have made the job."""
    state.open_job("a", limit=1, lives_seconds=60)
    at(1030.0)
    assert state.open_job("a", limit=1, lives_seconds=60) == 1000.0


def test_place_that_nobody_gives_back_is_free_in_the_end(state: State, at: Callable[[float], None]) -> None:
    state.open_job("a", limit=1, lives_seconds=60)
    at(1060.0)
    assert state.open_job("b", limit=1, lives_seconds=60) is None
    assert state.open_job("b", limit=1, lives_seconds=60) == 1060.0


def test_closing_before_any_job_was_open_is_nothing(state: State) -> None:
    state.close_job("a")


def test_first_pause_stays(state: State) -> None:
    assert state.pause(PAUSE)
    assert not state.pause(Pause(by="scorecard", reason="403"))
    assert state.look("any").pause == PAUSE
    state.pause_told()
    assert state.look("any").pause == Pause(
        by="submit", reason="401", service="transcription", since_at=1.5, probe_at=600.5, told=True
    )
    state.lift_pause()
    state.pause_told()
    assert state.look("any").pause is None


def test_one_message_probes_at_a_time(state: State) -> None:
    state.pause(PAUSE)
    assert state.take_probe(PAUSE, 1200.5)
    assert not state.take_probe(PAUSE, 1200.5)
    pause = state.look("any").pause
    assert pause is not None
    assert state.take_probe(pause, 1800.5)


def test_notice_is_given_once_a_day(state: State, at: Callable[[float], None]) -> None:
    assert state.first_notice("coach_model_refused#m", 86_400)
    assert not state.first_notice("coach_model_refused#m", 86_400)
    assert state.first_notice("speech_models_replaced", 86_400)
    at(1000.0 + 86_400)
    assert state.first_notice("coach_model_refused#m", 86_400)
