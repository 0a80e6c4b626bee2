"""What a month costs is added up once, and a month that has reached its cap stops what would begin to cost."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.test_work import CONTEXT, FakeQueue, FakeTopic, FakeWork

from callcoach.errors import AccountRefused, AwsUnavailable
from callcoach.pause import COST_CAP, UNTOLD_SECONDS, Pauses, is_reached, month_of
from callcoach.pricing import Cost
from callcoach.queue import Message
from callcoach.spending import Spending
from callcoach.state import Pause, Spent, State
from callcoach.work import Subject, Worker

CAP_TOLD = "callcoach is paused: the month has reached its cost cap"
REFUSED_TOLD = "callcoach is paused: AssemblyAI refuses the account"
NOVEMBER = datetime(2026, 11, 30, 23, tzinfo=UTC).timestamp()
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


class Calls(FakeWork):
    """Recordings begin to cost; callbacks, whose bodies begin with score, are about what is paid for."""

    def subject(self, message: Message) -> Subject:
        begins = not message.body.startswith("score")
        return Subject(f"work#{message.body}", message.body, "submit", begins_spending=begins)


class Bench:
    """A worker of a function with a cap."""

    def __init__(self, state: State, cap_usd: float, function: str = "submit") -> None:
        self.state, self.queue, self.topic, self.work = state, FakeQueue(), FakeTopic(), Calls()
        self.worker = Worker(
            self.work, queue=self.queue, state=state, pauses=Pauses(state, self.topic, function, cap_usd)
        )

    def deliver(self, body: str) -> bool:
        """Deliver a message, and return whether it was worked on."""
        record = {
            "messageId": "m",
            "body": body,
            "receiptHandle": "r",
            "messageAttributes": {},
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(round(1000 * time.time()))},
        }
        comes_back = bool(self.worker.work_through({"Records": [record]}, CONTEXT)["batchItemFailures"])
        assert comes_back == (body not in self.work.done)
        return not comes_back


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock."""

    def to(moment: float) -> None:
        monkeypatch.setattr(time, "time", lambda: moment)

    to(NOVEMBER)
    return to


def spent(state: State, month: str = "2026-11") -> float:
    return state.look("any", month).spent.usd


def test_the_month_is_that_of_utc() -> None:
    assert (month_of(DECEMBER - 1), month_of(DECEMBER)) == ("2026-11", "2026-12")


@pytest.mark.parametrize(
    ("cap_usd", "month", "reached"),
    [
        (0, Spent(1000.0), False),
        (50, Spent(49.99), False),
        (50, Spent(50.0), True),
        (50, Spent(50.01), True),
        (50, Spent(50.01, is_waived=True), False),
    ],
)
def test_a_cap_is_reached_when_it_is_spent(cap_usd: float, month: Spent, reached: bool) -> None:  # noqa: FBT001
    assert is_reached(cap_usd, month) is reached


class TestCounting:
    """Each step of a transcript, once."""

    def test_steps_and_transcripts_add_up(self, state: State, now: Callable[[float], None]) -> None:
        spending = Spending(state, 50)
        spending.add("t1", "transcription", [Cost(0.1451)])
        spending.add("t1", "coaching", [Cost(0.1046), Cost(0.0165)])
        spending.add("t2", "transcription", [Cost(0.0199)])

        assert spent(state) == pytest.approx(0.2861)

    def test_a_repeated_run_counts_nothing_twice(self, state: State, now: Callable[[float], None]) -> None:
        """Not even with another amount, nor in the next month."""
        spending = Spending(state, 50)
        spending.add("t1", "transcription", [Cost(0.2)])
        spending.add("t1", "transcription", [Cost(0.3)])
        now(DECEMBER)
        spending.add("t1", "transcription", [Cost(0.2)])

        assert spent(state) == pytest.approx(0.2)
        assert spent(state, "2026-12") == 0

    def test_what_is_not_known_is_not_counted_and_the_rest_is(
        self, state: State, now: Callable[[float], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        Spending(state, 50).add("t1", "coaching", [Cost(0.1), Cost(None, "no_price_for_model")])

        assert spent(state) == pytest.approx(0.1)

    def test_without_a_cap_nothing_is_asked_of_the_table(self) -> None:
        Spending(NO_TABLE, 0).add("t1", "transcription", [Cost(0.2)])

    def test_runs_that_are_in_each_other_s_way_try_again(
        self, state: State, now: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        counting = conflicting(state, monkeypatch, times=3)
        Spending(state, 50).add("t1", "transcription", [Cost(0.2)])
        assert spent(state) == pytest.approx(0.2)
        assert counting == [1, 2, 3]

        conflicting(state, monkeypatch, times=100)
        with pytest.raises(AwsUnavailable):
            Spending(state, 50).add("t2", "transcription", [Cost(0.2)])


NO_TABLE: Any = None


def conflicting(state: State, monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[int]:
    """Let so many transactions meet others; return their numbers."""
    client, met = state._client, list[int]()  # noqa: SLF001
    write = client.transact_write_items

    def transact(**arguments: Any) -> Any:
        if len(met) < times:
            met.append(len(met) + 1)
            answer: Any = {"Error": {"Code": "TransactionCanceledException"}}
            answer["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict"}]
            raise client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
        return write(**arguments)

    monkeypatch.setattr(client, "transact_write_items", transact)
    return met


class TestPause:
    """A month that has reached its cap."""

    @pytest.fixture
    def bench(self, state: State, now: Callable[[float], None]) -> Bench:
        state.count_spending("2026-11", "t1", "transcription", 50.0)
        return Bench(state, 50)

    def test_recordings_wait_what_is_paid_for_goes_on_and_one_mail_is_sent(self, bench: Bench) -> None:
        assert not bench.deliver("a")
        assert bench.deliver("score a")
        assert not bench.deliver("b")
        assert bench.topic.subjects == [CAP_TOLD]
        assert bench.state.look("work#a").progress.attempts == 0
        assert 300 <= bench.queue.hidden["m"] <= 600

    def test_callbacks_alone_set_it_too(self, bench: Bench, state: State) -> None:
        """So people are told at once, though nothing is dropped."""
        other = Bench(state, 50, "scorecard")
        assert other.deliver("score a")
        assert other.topic.subjects == [CAP_TOLD]
        assert not bench.deliver("a")
        assert bench.topic.subjects == []

    def test_before_the_cap_nothing_waits(self, state: State, now: Callable[[float], None]) -> None:
        state.count_spending("2026-11", "t1", "transcription", 49.99)
        bench = Bench(state, 50)

        assert bench.deliver("a")
        assert state.look("any").pause is None

    def test_it_ends_with_the_month(self, bench: Bench, now: Callable[[float], None]) -> None:
        bench.deliver("a")
        now(DECEMBER)

        assert bench.deliver("a")
        assert bench.state.look("any").pause is None

    @pytest.mark.parametrize("cap_usd", [50.01, 0])
    def test_it_ends_when_the_cap_is_raised_or_taken_away(self, bench: Bench, state: State, cap_usd: float) -> None:
        bench.deliver("a")
        deployed = Bench(state, cap_usd)

        assert deployed.deliver("a")
        assert deployed.topic.subjects == []

    def test_a_waived_cap_does_not_come_back_this_month(self, bench: Bench, now: Callable[[float], None]) -> None:
        bench.deliver("a")
        bench.state.waive_cap("2026-11")
        assert bench.deliver("a")
        bench.state.count_spending("2026-11", "t2", "transcription", 50.0)
        assert bench.deliver("b")
        assert bench.topic.subjects == [CAP_TOLD]

        now(DECEMBER)
        bench.state.count_spending("2026-12", "t3", "transcription", 50.0)
        assert not bench.deliver("c")
        assert bench.topic.subjects == [CAP_TOLD, CAP_TOLD]

    def test_another_pause_stays_what_it_is(self, bench: Bench, state: State) -> None:
        """One of an operator's, who may not know of the cap, stops what is paid for as well."""
        state.pause(Pause(by="operator", reason="", told=True))

        assert not bench.deliver("score a")
        assert not bench.deliver("a")
        assert bench.topic.subjects == []

        state.lift_pause()
        assert not bench.deliver("a")
        assert bench.topic.subjects == [CAP_TOLD]

    def test_a_refused_account_stops_what_is_paid_for_as_well(self, bench: Bench, state: State) -> None:
        """And is told, though there is a pause already; when it is accepted, the cap still holds."""
        bench.deliver("a")
        bench.work.faults = [AccountRefused("401", service="chat")]

        assert not bench.deliver("score a")
        assert not bench.deliver("score b")
        assert bench.topic.subjects == [CAP_TOLD, REFUSED_TOLD]

        state.lift_pause()
        assert bench.deliver("score a")
        assert not bench.deliver("b")

    def test_if_the_run_that_set_it_was_killed_somebody_else_tells(
        self, bench: Bench, state: State, now: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as killed:
            killed.setattr(bench.topic, "publish", _killed)
            with pytest.raises(SystemExit):
                bench.deliver("a")
        other = Bench(state, 50)
        other.deliver("a")
        assert other.topic.subjects == []
        now(NOVEMBER + UNTOLD_SECONDS + 1)
        other.deliver("a")
        other.deliver("b")
        assert other.topic.subjects == [CAP_TOLD]

    def test_two_who_lift_it_lift_no_pause_of_an_operator(self, bench: Bench, state: State) -> None:
        bench.deliver("a")
        state.lift_pause()
        state.pause(Pause(by="operator", reason="", told=True))

        assert not state.lift_pause_by(COST_CAP)
        assert state.look("any").pause


def _killed(*_: object) -> None:
    raise SystemExit


def test_a_fault_of_the_table_is_none_of_the_transaction_s(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "TransactWriteItems")

    monkeypatch.setattr(state._client, "transact_write_items", fail)  # noqa: SLF001
    with pytest.raises(ClientError):
        Spending(state, 50).add("t1", "transcription", [Cost(0.2)])
