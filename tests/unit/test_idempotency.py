"""Doing a piece of work once, however often its message is delivered."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from callcoach.errors import InProgress
from callcoach.idempotency import Once, Outcome

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
IDENTITY = {"transcript_id": "t1"}


@pytest.fixture
def table(aws: None) -> Any:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="state",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


class Work:
    """Counts its runs, and does in each what it was given for it."""

    def __init__(self, *faults: Exception | None) -> None:
        self.runs = 0
        self._faults = list(faults)

    def do(self, *, identity: dict[str, str], **_: object) -> Outcome:
        self.runs += 1
        fault = self._faults.pop(0) if self._faults else None
        if fault:
            raise fault
        return {"outcome": "complete", **identity}


def once(work: Any, table: Any, name: str = "scorecard") -> Once:
    return Once(work, name=name, client=table, table_name="state")


def test_second_delivery_gets_the_first_ones_outcome(table: Any) -> None:
    """Also in another process, which knows nothing but the table; other arguments do not matter."""
    work = Work()
    first = once(work.do, table)(context=CONTEXT, identity=IDENTITY, redelivered=False)
    assert once(work.do, table)(context=CONTEXT, identity=IDENTITY, redelivered=True) == first
    assert first == {"outcome": "complete", "transcript_id": "t1"}
    assert work.runs == 1


def test_other_work_and_other_identities_are_other_pieces(table: Any) -> None:
    work = Work()
    once(work.do, table)(context=CONTEXT, identity=IDENTITY)
    once(work.do, table)(context=CONTEXT, identity={"transcript_id": "t2"})
    once(work.do, table, "submit")(context=CONTEXT, identity=IDENTITY)
    assert work.runs == 3


def test_work_that_raised_is_forgotten(table: Any) -> None:
    work = Work(RuntimeError("503"))
    run = once(work.do, table)
    with pytest.raises(RuntimeError, match="503"):
        run(context=CONTEXT, identity=IDENTITY)
    assert table.scan(TableName="state")["Items"] == []
    assert run(context=CONTEXT, identity=IDENTITY)["outcome"] == "complete"
    assert work.runs == 2


def test_running_work_is_not_started_twice(table: Any) -> None:
    """The second delivery of a message that is in hand is told so."""
    seen: list[type[Exception]] = []

    def work(*, identity: dict[str, str]) -> Outcome:
        with pytest.raises(InProgress) as raised:
            once(Work().do, table)(context=CONTEXT, identity=identity)
        seen.append(raised.type)
        return {}

    once(work, table)(context=CONTEXT, identity=IDENTITY)
    assert seen == [InProgress]


def test_record_holds_ids_and_outlives_a_redrive(table: Any) -> None:
    """Fourteen days in a dead-letter queue, and a callback that is a week late."""
    before = _now(table)
    once(Work().do, table)(context=CONTEXT, identity=IDENTITY)
    (item,) = table.scan(TableName="state")["Items"]
    assert int(item["expiration"]["N"]) - before >= 30 * 24 * 3600
    assert set(item) <= {"id", "expiration", "in_progress_expiration", "status", "data", "validation"}
    assert item["data"]["S"] == '{"outcome": "complete", "transcript_id": "t1"}'


def _now(table: Any) -> float:
    created: float = table.describe_table(TableName="state")["Table"]["CreationDateTime"].timestamp()
    return created
