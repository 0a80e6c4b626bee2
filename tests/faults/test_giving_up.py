"""Faults that do not pass, runs that are killed each time, accounts that are refused: what people are left with."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from tests.faults.stage import JOURNEYS, SOUND, TRANSCRIPT, Stage, stage
from tests.sandbox.assemblyai.billing import SERVICES
from tests.sandbox.interference import Action, Kill, Lose, Refuse, SideEffect

from callcoach.queue import LAST_RECEIVE
from callcoach.work import MOST_ATTEMPTS

SCORED = JOURNEYS["scored"]
DEAD_LETTERS = {"RecordingsQueue": "RecordingsDlq", "CallbacksQueue": "CallbacksDlq"}


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage() as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(set_up: Stage) -> Iterator[None]:
    """Leave nothing for the next test."""
    yield
    for queue in (*DEAD_LETTERS, *DEAD_LETTERS.values()):
        set_up.stack.cloud.empty(queue)


def redrive(set_up: Stage, queue: str) -> None:
    """Move every message of a queue's dead-letter queue back, as the SQS console does."""
    sqs, stack = set_up.stack.cloud.client("sqs"), set_up.stack
    for message in stack.cloud.messages(DEAD_LETTERS[queue]):
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in message.attributes.items()}
        sqs.send_message(QueueUrl=stack.queue_url(queue), MessageBody=message.body, MessageAttributes=attributes)
    stack.cloud.empty(DEAD_LETTERS[queue])


def attempts(set_up: Stage) -> int:
    """Return how many attempts were counted, for all work together."""
    table = set_up.stack.cloud.environment("SubmitFunction")["STATE_TABLE_NAME"]
    items = set_up.stack.cloud.client("dynamodb").scan(TableName=table)["Items"]
    return sum(int(item.get("attempts", {}).get("N", 0)) for item in items)


def have_tried(set_up: Stage, times: int) -> None:
    """Let all work in progress have been tried at least so often."""
    dynamodb = set_up.stack.cloud.client("dynamodb")
    table = set_up.stack.cloud.environment("SubmitFunction")["STATE_TABLE_NAME"]
    for item in dynamodb.scan(TableName=table)["Items"]:
        if 0 < int(item.get("attempts", {}).get("N", 0)) < times:
            dynamodb.update_item(
                TableName=table,
                Key={"id": item["id"]},
                UpdateExpression="SET attempts = :attempts",
                ExpressionAttributeValues={":attempts": {"N": str(times)}},
            )


@pytest.mark.parametrize(
    ("what", "stage_of_failure", "queue", "paid"),
    [
        ("assemblyai POST /v2/transcript", "submit", "RecordingsQueue", (0, 0, 0)),
        ("assemblyai POST /v1/understanding", "score", "CallbacksQueue", (1, 0, 0)),
        ("assemblyai POST /v1/chat/completions", "score", "CallbacksQueue", (1, 1, 0)),
    ],
)
def test_what_never_passes_is_given_up_and_a_redrive_finishes_it(
    set_up: Stage, what: str, stage_of_failure: str, queue: str, paid: tuple[int, int, int]
) -> None:
    """One failure record, one e-mail, one message kept; then a scorecard in its place that says so, paid for once."""

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(503, "down") if effect.what == what else None

    report = set_up.run(SCORED, decide, meanwhile=lambda _: have_tried(set_up, MOST_ATTEMPTS - 3))

    assert (report.outcome, tuple(report.paid.values())) == ("failed", paid)
    assert report.failure is not None
    assert (report.failure["stage"], report.failure["retryable"]) == (stage_of_failure, True)
    assert report.failure["reason"] == "assemblyai_unavailable"
    assert [mail.attributes["outcome"] for mail in report.mails] == ["failed"]
    assert len(report.dead_letters) == 1
    assert report.left_in_queues == report.open_jobs == 0
    (kept,) = set_up.stack.cloud.messages(DEAD_LETTERS[queue])
    assert kept.attributes["reason"] == "assemblyai_unavailable"

    before, told = dict(set_up.stack.stand_in.paid_calls), len(set_up.stack.cloud.mails())
    redrive(set_up, queue)
    key = str(report.failure["recording"])
    set_up.document("scorecards", key)
    set_up.stack.cloud.wait_until(lambda: len(set_up.stack.cloud.mails()) == told + 1)

    set_up.stack.cloud.wait_until(lambda: set_up.stack.document("failures", key) is None)
    assert "This replaces the e-mail" in set_up.stack.cloud.mails()[-1].message.replace("\n", " ")
    after = set_up.stack.stand_in.paid_calls
    later = tuple(after[service] - before[service] for service in SERVICES)
    assert tuple(map(sum, zip(paid, later, strict=True))) == tuple(SCORED.paid.values())


@pytest.mark.parametrize(
    ("function", "what"),
    [("SubmitFunction", "s3 HeadObject recordings"), ("ScorecardFunction", "s3 PutObject transcripts/")],
)
def test_run_that_is_killed_each_time_is_reported(set_up: Stage, function: str, what: str) -> None:
    """SQS moves the message away after its last receive; nobody else would say a word."""
    kills = 0

    def decide(effect: SideEffect) -> Action | None:
        nonlocal kills
        if (effect.function, effect.what) == (function, what):
            kills += 1
            return Kill(after=False)
        return None

    hurried: list[str] = []

    def hurry(key: str) -> None:
        if kills and not hurried:
            hurried.append(key)
            for queue in DEAD_LETTERS:
                set_up.stack.cloud.set_receive_count(queue, LAST_RECEIVE - 2)

    report = set_up.run(SCORED, decide, meanwhile=hurry)

    # A callback that was sent again has receives of its own.
    assert 3 <= kills < 2 * LAST_RECEIVE
    assert report.outcome == "failed"
    assert report.failure is not None
    assert (report.failure["reason"], report.failure["retryable"]) == ("crashed", True)
    assert {mail.attributes["reason"] for mail in report.mails} == {"crashed"}
    assert len(report.dead_letters) >= 1
    assert report.paid["understanding"] <= 1


def test_run_that_is_killed_until_the_last_receive_replaces_its_report(set_up: Stage) -> None:
    kills = 0

    def decide(effect: SideEffect) -> Action | None:
        nonlocal kills
        if effect.what == "s3 HeadObject recordings" and kills < 3:
            kills += 1
            return Kill(after=False)
        return None

    def hurry(_: str) -> None:
        if kills == 1:
            set_up.stack.cloud.set_receive_count("RecordingsQueue", LAST_RECEIVE - 3)

    report = set_up.run(SCORED, decide, meanwhile=hurry)

    assert (report.outcome, report.paid) == ("complete", SCORED.paid)
    assert [mail.attributes["outcome"] for mail in report.mails] == ["failed", "complete"]
    assert report.dead_letters == []


def test_account_that_is_refused_pauses_everything_once_and_goes_on_by_itself(set_up: Stage) -> None:
    """Several recordings wait; one operator e-mail; no attempt is counted; all are scored when the balance is back."""
    stack = set_up.stack
    stack.stand_in.account = replace(stack.stand_in.account, balance_is_negative=True)
    attempts_before = attempts(set_up)
    keys = [f"paused/{number}.ogg" for number in range(4)]
    for key in keys:
        stack.stand_in.teach(SOUND + key.encode(), TRANSCRIPT)
        stack.drop(key, SOUND + key.encode())
    stack.cloud.wait_until(lambda: stack.cloud.logs("SubmitFunction").count('"paused"') >= 1)
    for _ in range(4):
        stack.cloud.pass_time(900)
        set_up.settle()
    assert attempts(set_up) == attempts_before
    operator_mails = [mail for mail in stack.cloud.publications() if mail.topic == "OperationsTopic"]
    assert [mail.subject for mail in operator_mails] == ["callcoach is paused: AssemblyAI refuses the account"]
    assert all(stack.document("failures", key) is None for key in keys)
    assert stack.cloud.queue_depth("RecordingsQueue") == len(keys)

    stack.stand_in.account = replace(stack.stand_in.account, balance_is_negative=False)
    for _ in range(4):
        stack.cloud.pass_time(900)
        set_up.settle()

    assert all(stack.document("scorecards", key) for key in keys)
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_lost_answers_of_speaker_identification_are_paid_for_twice_at_the_most(set_up: Stage) -> None:
    """Nobody can tell whether an answer that never came was paid for; in the end the call goes without."""

    def decide(effect: SideEffect) -> Action | None:
        return Lose(after=True) if effect.what == "assemblyai POST /v1/understanding" else None

    report = set_up.run(SCORED, decide)

    assert report.outcome == "needs_roles"
    assert report.paid == {"transcript": 1, "understanding": 2, "chat": 0}


def test_lost_answers_of_the_coach_are_three_at_the_most(set_up: Stage) -> None:
    def decide(effect: SideEffect) -> Action | None:
        return Lose(after=True) if effect.what == "assemblyai POST /v1/chat/completions" else None

    report = set_up.run(SCORED, decide)

    assert report.outcome == "numbers_only"
    assert report.paid == {"transcript": 1, "understanding": 1, "chat": 3}


def test_state_that_is_away_stops_nothing_for_good(set_up: Stage) -> None:
    """Without the table nothing can be counted: the invocation fails, and the message comes back by itself."""
    over = False

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(400, "ThrottlingException") if effect.what.startswith("dynamodb") and not over else None

    def end(_: str) -> None:
        nonlocal over
        over = True

    report = set_up.run(SCORED, decide, meanwhile=end)

    assert (report.outcome, report.paid, len(report.mails)) == ("complete", SCORED.paid, 1)


def test_message_of_somebody_else_is_kept_apart(set_up: Stage) -> None:
    stack = set_up.stack
    sqs = stack.cloud.client("sqs")
    for queue in DEAD_LETTERS:
        sqs.send_message(QueueUrl=stack.queue_url(queue), MessageBody='{"hello": 1}')
    for dead_letters in DEAD_LETTERS.values():
        stack.cloud.wait_until(partial(stack.cloud.messages, dead_letters))
        assert stack.cloud.messages(dead_letters)[0].attributes["reason"] == "malformed_message"
