"""What each error comes to: for the message, for the count of attempts, for people."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from callcoach.errors import (
    AccountRefused,
    CallCoachError,
    InProgress,
    JobsFull,
    MalformedMessage,
    NotFinished,
    RateLimited,
    SettingsError,
    SlotAhead,
    UpstreamUnavailable,
)
from callcoach.notifications import Notification, Notifications
from callcoach.pause import PROBE_SECONDS, UNTOLD_SECONDS, Pauses
from callcoach.queue import LAST_RECEIVE, Message, Queue
from callcoach.state import Progress, State
from callcoach.work import MOST_ATTEMPTS, GaveUp, Subject, Worker

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)


class FakeQueue(Queue):
    """Notes what becomes of each message."""

    def __init__(self) -> None:
        self.hidden: dict[str, float] = {}
        self.given_up: dict[str, str] = {}

    def hide(self, message: Message, seconds: float) -> bool:
        self.hidden[message.message_id] = seconds
        return True

    def give_up(self, message: Message, reason: str) -> None:
        self.given_up[message.message_id] = reason


class FakeTopic(Notifications):
    """Keeps the subjects of what was published."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    def publish(self, subject: str, text: str, attributes: Any, notification: Notification | None = None) -> None:
        self.subjects.append(subject)


class FakeWork:
    """Raises, for the messages of a name, what it was given for it; then does it."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.done: list[str] = []
        self.records: list[GaveUp] = []
        self.served = frozenset({"transcription"})

    def subject(self, message: Message) -> Subject:
        if message.body == "malformed":
            raise MalformedMessage("what is this")
        return Subject(f"submit#{message.body}", message.body, "submit")

    def do(self, message: Message, progress: Progress, context: Any) -> frozenset[str]:
        if self.faults:
            raise self.faults.pop(0)
        self.done.append(message.body)
        return self.served

    def give_up(self, message: Message, why: GaveUp) -> None:
        self.records.append(why)


class Bench:
    """A worker with everything that it touches."""

    def __init__(self, state: State, function: str = "submit") -> None:
        self.state = state
        self.queue = FakeQueue()
        self.topic = FakeTopic()
        self.work = FakeWork()
        self.pauses = Pauses(state, self.topic, function)
        self.worker = Worker(self.work, queue=self.queue, state=state, pauses=self.pauses)

    def deliver(
        self, *faults: Exception, body: str = "a", receive_count: int = 1, sent_at: float | None = None
    ) -> list[str]:
        """Deliver one message, and return the ids of those that come back."""
        self.work.faults = list(faults)
        sent_ms = round(1000 * (time.time() if sent_at is None else sent_at))
        record = {
            "messageId": "m",
            "body": body,
            "receiptHandle": "r",
            "messageAttributes": {},
            "attributes": {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": str(sent_ms)},
        }
        answer = self.worker.work_through({"Records": [record]}, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    @property
    def attempts(self) -> int:
        return self.state.look("submit#a").progress.attempts


@pytest.fixture
def bench(state: State) -> Bench:
    return Bench(state)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock forward."""
    started = time.time()

    def wait(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: started + seconds)

    return wait


def aws_fault(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]


def test_work_that_is_done_is_acknowledged(bench: Bench) -> None:
    assert bench.deliver() == []
    assert bench.work.done == ["a"]
    assert bench.queue.hidden == {}


@pytest.mark.parametrize("kind", [NotFinished, SlotAhead, JobsFull, InProgress])
def test_what_is_too_early_waits_as_long_as_it_says_and_costs_nothing(bench: Bench, kind: Any) -> None:
    assert bench.deliver(kind("not yet", retry_after_seconds=77)) == ["m"]
    assert bench.queue.hidden == {"m": 77}
    assert bench.attempts == 0


@pytest.mark.parametrize(
    "fault",
    [
        UpstreamUnavailable("503"),
        RateLimited("429"),
        aws_fault("SlowDown", 503),
        aws_fault("ThrottlingException"),
        aws_fault("InternalError", 500),
        ReadTimeoutError(endpoint_url="https://sqs"),
    ],
)
def test_what_passes_is_counted_and_tried_again(bench: Bench, fault: Exception) -> None:
    assert bench.deliver(fault) == ["m"]
    assert 7.5 <= bench.queue.hidden["m"] <= 15
    assert bench.attempts == 1
    assert bench.deliver(fault) == ["m"]
    assert 15 <= bench.queue.hidden["m"] <= 30
    assert bench.work.records == []


def test_wait_that_upstream_names_is_kept(bench: Bench) -> None:
    bench.deliver(RateLimited("429", retry_after_seconds=56))
    assert bench.queue.hidden["m"] == 56


def test_error_that_wraps_one_of_aws_is_one_of_aws(bench: Bench) -> None:
    """Powertools raises its own in place of boto3's."""
    wrapped = RuntimeError("Failed to save in progress record")
    wrapped.__cause__ = aws_fault("ProvisionedThroughputExceededException")
    assert bench.deliver(wrapped) == ["m"]
    assert bench.attempts == 1


@pytest.mark.parametrize("fault", [ZeroDivisionError(), SettingsError("?")])
def test_what_nobody_foresaw_fails_the_invocation(bench: Bench, fault: Exception) -> None:
    with pytest.raises(type(fault)):
        bench.deliver(fault)
    assert bench.attempts == 0


@pytest.mark.parametrize("fault", [aws_fault("AccessDenied", 403), aws_fault("NoSuchBucket", 404)])
def test_refusal_of_aws_fails_the_invocation_without_its_words(bench: Bench, fault: ClientError) -> None:
    """They name the object, which is the recording."""
    with pytest.raises(SettingsError) as raised:
        bench.deliver(fault)
    assert str(raised.value) == f"AWS refuses PutObject: {fault.response['Error']['Code']}"
    assert raised.value.__suppress_context__
    assert bench.attempts == 0


def test_in_the_end_it_is_recorded_told_and_kept(bench: Bench) -> None:
    for number in range(1, MOST_ATTEMPTS):
        assert bench.deliver(UpstreamUnavailable("503"), receive_count=1) == ["m"], number
    assert bench.work.records == []
    assert bench.deliver(UpstreamUnavailable("POST /v2/transcript: 503")) == []
    (record,) = bench.work.records
    assert (record.reason, record.detail) == ("assemblyai_unavailable", "POST /v2/transcript: 503")
    assert "redrive" in record.next_step
    assert bench.queue.given_up == {"m": "assemblyai_unavailable"}
    assert bench.attempts == 0


def test_waits_until_then_stay_within_two_days() -> None:
    """The queues keep a message for four."""
    longest = sum(min(15 * 2 ** (attempt - 1), 900) for attempt in range(1, MOST_ATTEMPTS))
    assert 8 * 3600 < longest < 2 * 24 * 3600


def test_twin_of_a_message_that_was_given_up_is_done_and_a_redriven_one_is_not(
    bench: Bench, at: Callable[[float], None]
) -> None:
    twin_sent_at = time.time()
    bench.state.give_up("submit#a")
    assert bench.deliver(sent_at=twin_sent_at - 1) == []
    assert bench.work.done == []
    at(5)
    assert bench.deliver() == []
    assert bench.work.done == ["a"]


def test_malformed_message_goes_to_the_dead_letter_queue_at_once(bench: Bench) -> None:
    assert bench.deliver(body="malformed") == []
    assert bench.queue.given_up == {"m": "malformed_message"}
    assert bench.work.records == []


def test_last_receive_is_recorded_before_the_work(bench: Bench) -> None:
    """If the run is killed again, SQS moves the message away and nobody would hear of it."""
    with pytest.raises(SystemExit):
        bench.deliver(SystemExit(), receive_count=LAST_RECEIVE)  # type: ignore[arg-type]
    (record,) = bench.work.records
    assert record.reason == "crashed"
    bench.work.records.clear()
    bench.deliver(receive_count=LAST_RECEIVE - 1)
    assert bench.work.records == []


def test_turn_that_is_not_yet_is_waited_for_without_work(bench: Bench) -> None:
    bench.state.keep_slot("submit#a", "chat 0", time.time() + 100)
    assert bench.deliver() == ["m"]
    assert bench.work.done == []
    assert bench.queue.hidden["m"] == pytest.approx(97, abs=1)


REFUSED = AccountRefused("POST /v2/transcript: 401 Authentication error", service="transcription")


class TestPause:
    """A fault of the account."""

    def test_everything_waits_and_one_mail_is_sent(self, bench: Bench) -> None:
        assert bench.deliver(REFUSED) == ["m"]
        for body in ("a", "b", "c"):
            assert bench.deliver(body=body, receive_count=2) == ["m"]
        assert 300 <= bench.queue.hidden["m"] <= 600
        assert bench.work.done == []
        assert bench.attempts == 0
        assert bench.topic.subjects == ["callcoach is paused: AssemblyAI refuses the account"]

    def test_the_other_function_waits_too_and_tells_nobody(self, bench: Bench, state: State) -> None:
        bench.deliver(REFUSED)
        other = Bench(state, "scorecard")
        assert other.deliver() == ["m"]
        assert other.work.done == []
        assert other.topic.subjects == []

    def test_two_refusals_at_once_are_one_pause(self, bench: Bench, state: State) -> None:
        other = Bench(state, "scorecard")
        bench.deliver(REFUSED)
        other.pauses.begin(REFUSED)
        assert other.topic.subjects == []

    def test_one_message_tries_again_later_and_lifts_it(self, bench: Bench, at: Callable[[float], None]) -> None:
        bench.deliver(REFUSED)
        at(PROBE_SECONDS + 1)
        assert bench.deliver() == []
        assert bench.work.done == ["a"]
        assert bench.deliver(body="b") == []
        assert bench.work.done == ["a", "b"]

    def test_while_it_is_tried_the_others_wait(self, bench: Bench, at: Callable[[float], None]) -> None:
        bench.deliver(REFUSED)
        at(PROBE_SECONDS + 1)
        assert bench.deliver(REFUSED) == ["m"]
        assert bench.deliver(body="b") == ["m"]
        assert bench.work.done == []
        assert bench.topic.subjects == ["callcoach is paused: AssemblyAI refuses the account"]

    def test_it_is_not_lifted_by_what_another_service_took(self, bench: Bench, at: Callable[[float], None]) -> None:
        """A plan without the gateway still transcribes."""
        bench.deliver(AccountRefused("401", service="chat"))
        at(PROBE_SECONDS + 1)
        bench.deliver()
        assert bench.work.done == ["a"]
        assert bench.deliver(body="b") == ["m"]

    def test_only_the_function_that_was_refused_tries(
        self, bench: Bench, state: State, at: Callable[[float], None]
    ) -> None:
        bench.deliver(REFUSED)
        at(PROBE_SECONDS + 1)
        assert Bench(state, "scorecard").deliver() == ["m"]

    def test_if_the_run_that_set_it_was_killed_somebody_else_tells(
        self, bench: Bench, state: State, at: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as killed:
            killed.setattr(bench.topic, "publish", _killed)
            with pytest.raises(SystemExit):
                bench.deliver(REFUSED)
        other = Bench(state, "scorecard")
        other.deliver()
        assert other.topic.subjects == []
        at(UNTOLD_SECONDS + 1)
        other.deliver()
        other.deliver()
        assert len(other.topic.subjects) == 1


def _killed(*_: object) -> None:
    raise SystemExit


def test_every_error_of_the_tree_has_an_answer() -> None:
    """A new branch wants a decision here."""
    branches = {kind.__name__ for kind in CallCoachError.__subclasses__()}
    assert branches == {
        "SettingsError",
        "MalformedMessage",
        "Postponed",
        "AccountRefused",
        "TransientError",
        "PermanentError",
    }
