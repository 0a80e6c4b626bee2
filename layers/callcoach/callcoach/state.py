"""DynamoDB: what must be atomic between invocations. One table, one item per thing, none larger than a few kilobytes.

    progress#<work>   what earlier deliveries left behind about one piece of work
    lease#<name>      who works on a name at the moment
    limit#<name>      when the next request under a shared rate limit may be sent
    open_jobs         what AssemblyAI has in hand for us
    pause             that nothing is to be asked of AssemblyAI, and why
    spent#<month>     what the month has cost so far, where there is a cost cap
    paid#<transcript> which of a transcript's steps are counted in it
    notice#<name>     that operators were told of something
    forgotten#<name>  that a recording was forgotten, by a hash of its name

Names of attributes that hold a moment end in _at: seconds since 1970. Powertools keeps its idempotency records beside
them (callcoach.idempotency).
"""

import random
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import msgspec
from botocore.exceptions import ClientError

from callcoach.errors import AwsUnavailable, InProgress
from callcoach.idempotency import REMEMBER_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RecordType = TypeVar("RecordType", bound=msgspec.Struct)

# How soon to look again at a name that another invocation holds.
LEASE_LOOK_SECONDS = 30.0

# Runs that count at the same moment get into each other's way.
_TRANSACTION_ATTEMPTS = 6

_PAUSE_ID = "pause"
_OPEN_JOBS_ID = "open_jobs"

# The allowed rate is used to this part: requests that leave in good order may arrive closer together.
USED_SHARE = 0.97


class Progress(msgspec.Struct, frozen=True):
    """What earlier deliveries left behind about one piece of work.

    attempts: transient faults so far; identifications: requests for one that may have been paid for; slot: the step for
    which a turn at slot_at is booked; given_up_at: messages sent before that are done with; identification and replies:
    answers that were paid for, as JSON, until they stand in the scorecards bucket; told: people were told of the
    scorecard, and its report is still to be mailed.
    """

    attempts: int = 0
    identifications: int = 0
    slot: str = ""
    slot_at: float = 0.0
    given_up_at: float = 0.0
    identification: str = ""
    replies: str = ""
    told: bool = False


class Pause(msgspec.Struct, frozen=True):
    """Why nothing is asked of AssemblyAI.

    by: the function that was refused, or operator, cost_cap; service: the service that refused; probe_at: when one
    message may try again; told: whether operators know.
    """

    by: str
    reason: str
    service: str = ""
    since_at: float = 0.0
    probe_at: float = 0.0
    told: bool = False


class Spent(msgspec.Struct, frozen=True):
    """What a month has cost so far. is_waived: an operator lets it cost more than the cap."""

    usd: float = 0.0
    is_waived: bool = False


class Known(NamedTuple):
    """What is known when a message comes: of its work, of the pause, and of the month."""

    progress: Progress
    pause: Pause | None
    spent: Spent


class State:
    """The state table."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def look(self, work_id: str, month: str = "") -> Known:
        """Return what is known about a piece of work, the pause if there is one, and a month's cost, in one request."""
        names = [f"progress#{work_id}", _PAUSE_ID, *([_spent_id(month)] if month else [])]
        found = self._items(names)
        return Known(
            progress=_read(found.get(names[0]), Progress) or Progress(),
            pause=_read(found.get(_PAUSE_ID), Pause),
            spent=_read(found.get(_spent_id(month)), Spent) or Spent(),
        )

    # One piece of work.

    def count_fault(self, work_id: str) -> int:
        """Note a transient fault and return how many there were."""
        answer = self._update(
            f"progress#{work_id}",
            "ADD attempts :one SET expiration = :expiration",
            {":one": _number(1), ":expiration": _expiration()},
            returns="UPDATED_NEW",
        )
        return int(answer["attempts"]["N"])

    def may_identify(self, work_id: str, most: int) -> bool:
        """Note that an identification is about to be asked for, unless so many may have been paid for; return which."""
        return self._change(
            f"progress#{work_id}",
            "ADD identifications :one SET expiration = :expiration",
            {":one": _number(1), ":most": _number(most), ":expiration": _expiration()},
            condition="attribute_not_exists(identifications) OR identifications < :most",
        )

    def not_identified(self, work_id: str) -> None:
        """Take back what may_identify noted: the request was not paid for."""
        self._update(
            f"progress#{work_id}",
            "ADD identifications :less SET expiration = :expiration",
            {":less": _number(-1), ":expiration": _expiration()},
        )

    def keep_slot(self, work_id: str, step: str, slot_at: float) -> None:
        """Remember the turn that was booked for a step, so that a later delivery takes it."""
        self._update(
            f"progress#{work_id}",
            "SET slot = :slot, slot_at = :at, expiration = :expiration",
            {":slot": {"S": step}, ":at": _number(slot_at), ":expiration": _expiration()},
        )

    def keep_answer(self, work_id: str, name: Literal["identification", "replies"], answer: bytes) -> None:
        """Remember an answer that was paid for."""
        self._update(
            f"progress#{work_id}",
            f"SET {name} = :answer, expiration = :expiration",
            {":answer": {"S": answer.decode()}, ":expiration": _expiration()},
        )

    def note_told(self, work_id: str) -> None:
        """Remember that people were told, so that a later delivery does not tell them again."""
        self._update(
            f"progress#{work_id}",
            "SET told = :yes, expiration = :expiration",
            {":yes": {"BOOL": True}, ":expiration": _expiration()},
        )

    def give_up(self, work_id: str) -> None:
        """Note that every message sent until now is done with, and let later ones begin anew."""
        self._update(
            f"progress#{work_id}",
            "SET given_up_at = :now, expiration = :expiration REMOVE attempts, identifications, slot, slot_at",
            {":now": _number(time.time()), ":expiration": _expiration()},
        )

    @contextmanager
    def lease(self, name: str, seconds: float) -> Iterator[None]:
        """Hold a name, for at most so many seconds if this process is killed.

        Raises InProgress while another invocation holds it.
        """
        item_id, owner, now = f"lease#{name}", uuid.uuid4().hex, time.time()
        held = not self._change(
            item_id,
            "SET held_by = :owner, held_until_at = :until, expiration = :expiration",
            {
                ":owner": {"S": owner},
                ":until": _number(now + seconds),
                ":now": _number(now),
                ":expiration": _expiration(seconds),
            },
            condition="attribute_not_exists(id) OR held_until_at <= :now",
        )
        if held:
            raise InProgress("another invocation works on this recording", retry_after_seconds=LEASE_LOOK_SECONDS)
        try:
            yield
        finally:
            self._delete(item_id, "held_by = :owner", {":owner": {"S": owner}})

    # Forgetting a recording.

    @contextmanager
    def idle(self, record_id: str, seconds: float) -> Iterator[None]:
        """Let no run begin the work of one of Powertools' records, for at most so many seconds if this is killed.

        Work that is done stays done. Raises InProgress while a run is at work.
        """
        owner, now = uuid.uuid4().hex, time.time()
        held = self._change(
            record_id,
            "SET #status = :running, in_progress_expiration = :until, expiration = :expiration, held_by = :owner",
            {
                ":running": {"S": "INPROGRESS"},
                ":until": _number(int(1000 * (now + seconds))),
                ":expiration": _expiration(seconds),
                ":owner": {"S": owner},
                ":now": _number(int(now)),
                ":now_ms": _number(int(1000 * now)),
            },
            names={"#status": "status"},
            condition="attribute_not_exists(id) OR expiration < :now"
            " OR (#status = :running AND in_progress_expiration < :now_ms)",
        )
        if not held and self._item(record_id).get("status", {}).get("S") != "COMPLETED":
            raise InProgress("another invocation works on this call", retry_after_seconds=LEASE_LOOK_SECONDS)
        try:
            yield
        finally:
            self._delete(record_id, "held_by = :owner", {":owner": {"S": owner}})

    def remove(self, item_id: str) -> bool:
        """Remove an item and return whether it was there; one that is only held does not count."""
        answer = self._client.delete_item(
            TableName=self._table_name, Key={"id": {"S": item_id}}, ReturnValues="ALL_OLD"
        )
        return "held_by" not in answer.get("Attributes", {"held_by": {}})

    def naming(self, transcript_ids: Collection[str]) -> list[str]:
        """Return the ids of items that name one of the transcripts, in the id itself or in an outcome that is kept.

        Reads the whole table.
        """
        if not transcript_ids:
            return []
        values = {f":id{number}": {"S": transcript_id} for number, transcript_id in enumerate(transcript_ids)}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            FilterExpression=" OR ".join(f"contains(#data, {name}) OR contains(id, {name})" for name in values),
            ProjectionExpression="id",
            ExpressionAttributeNames={"#data": "data"},
            ExpressionAttributeValues=values,
        )
        return [str(item["id"]["S"]) for page in pages for item in page["Items"]]

    def note_forgotten(self, name: str, left_to_do: bytes = b"") -> None:
        """Remember that a recording is forgotten, and what is still to be done about it."""
        self._update(
            f"forgotten#{name}",
            "SET forgotten_at = :now, left_to_do = :left, expiration = :expiration",
            {
                ":now": _number(time.time()),
                ":left": {"S": left_to_do.decode()},
                ":expiration": _expiration(),
            },
        )

    def forgotten(self, name: str) -> tuple[float, bytes]:
        """Return when a recording was forgotten, 0 if never or too long ago to know, and what was left to do."""
        item = self._item(f"forgotten#{name}")
        return float(item.get("forgotten_at", {}).get("N", "0")), item.get("left_to_do", {}).get("S", "").encode()

    # Rate limits.

    def book_slot(self, limit: str, per_minute: int) -> float:
        """Take the next turn under a rate limit and return its time: now, or 60/per_minute seconds after the last.

        One request where the limit is idle, two where there is a queue.
        """
        now, interval = time.time(), 60.0 / (per_minute * USED_SHARE)
        values = {":next": _number(now + interval), ":now": _number(now), ":expiration": _expiration()}
        idle = self._change(
            f"limit#{limit}",
            "SET next_at = :next, expiration = :expiration",
            values,
            condition="attribute_not_exists(next_at) OR next_at <= :now",
        )
        if idle:
            return now
        answer = self._update(
            f"limit#{limit}",
            "SET next_at = next_at + :interval, expiration = :expiration",
            {":interval": _number(interval), ":expiration": _expiration()},
            returns="UPDATED_NEW",
        )
        return float(answer["next_at"]["N"]) - interval

    def hold_limit(self, limit: str, seconds: float) -> None:
        """Let no turn come for so long: AssemblyAI said that its own count is exhausted.

        The next turn to be booked comes after it, and limit_held_until tells those who have booked one before.
        """
        values = {":until": _number(time.time() + seconds), ":expiration": _expiration()}
        later = self._change(
            f"limit#{limit}",
            "SET next_at = :until, held_until_at = :until, expiration = :expiration",
            values,
            condition="attribute_not_exists(next_at) OR next_at < :until",
        )
        if not later:
            self._change(
                f"limit#{limit}",
                "SET held_until_at = :until, expiration = :expiration",
                values,
                condition="attribute_not_exists(held_until_at) OR held_until_at < :until",
            )

    def limit_held_until(self, limit: str) -> float:
        """Return until when no turn comes under a rate limit, 0 if it was never held."""
        limit_id = f"limit#{limit}"
        # ScorecardFunction, which asks, may read in batches only, as it does at each message (look).
        item = self._items([limit_id]).get(limit_id, {})
        return float(item.get("held_until_at", {}).get("N", "0"))

    # Jobs that AssemblyAI has in hand.

    def open_job(self, name: str, *, limit: int, lives_seconds: float) -> float | None:
        """Take one of the places for open jobs; return since when an earlier run has held it, None for a new one.

        A place that nobody gives back is free again after lives_seconds. Raises LookupError when all are taken.
        """
        now = time.time()
        if self._take_place(name, limit, now, lives_seconds):
            return None
        places = self._places()
        if name in places:
            return float(places[name]["M"]["since_at"]["N"])
        over = [other for other, place in places.items() if float(place["M"]["ends_at"]["N"]) <= now]
        for other in over:
            self.close_job(other)
        if len(places) - len(over) < limit:
            # The map of places is made once.
            self._change(
                _OPEN_JOBS_ID, "SET jobs = :none", {":none": {"M": {}}}, condition="attribute_not_exists(jobs)"
            )
            if self._take_place(name, limit, now, lives_seconds):
                return None
        raise LookupError(name)

    def close_job(self, name: str) -> None:
        """Give a place back. Nothing happens when it is free."""
        self._change(_OPEN_JOBS_ID, "REMOVE jobs.#name", {}, names={"#name": name}, condition="attribute_exists(jobs)")

    def _places(self) -> Mapping[str, Any]:
        places: Mapping[str, Any] = self._item(_OPEN_JOBS_ID).get("jobs", {}).get("M", {})
        return places

    def _take_place(self, name: str, limit: int, now: float, lives_seconds: float) -> bool:
        place = {"M": {"since_at": _number(now), "ends_at": _number(now + lives_seconds)}}
        return self._change(
            _OPEN_JOBS_ID,
            "SET jobs.#name = :place",
            {":place": place, ":limit": _number(limit)},
            names={"#name": name},
            condition="attribute_exists(jobs) AND attribute_not_exists(jobs.#name) AND size(jobs) < :limit",
        )

    # The pause.

    def pause(self, pause: Pause) -> bool:
        """Set the pause and return True, unless there is one already."""
        item: dict[str, Any] = {
            "id": {"S": _PAUSE_ID},
            "by": {"S": pause.by},
            "reason": {"S": pause.reason},
            "service": {"S": pause.service},
            "since_at": _number(pause.since_at),
            "probe_at": _number(pause.probe_at),
            "told": {"BOOL": pause.told},
        }
        try:
            self._client.put_item(TableName=self._table_name, Item=item, ConditionExpression="attribute_not_exists(id)")
        except ClientError as fault:
            if not _is_condition(fault):
                raise
            return False
        return True

    def pause_told(self) -> None:
        """Note that operators know of the pause."""
        self._change(_PAUSE_ID, "SET told = :yes", {":yes": {"BOOL": True}}, condition="attribute_exists(id)")

    def take_probe(self, pause: Pause, next_at: float) -> bool:
        """Return whether this invocation may try whether AssemblyAI takes the account again; only one may."""
        return self._change(
            _PAUSE_ID,
            "SET probe_at = :next",
            {":next": _number(next_at), ":seen": _number(pause.probe_at)},
            condition="probe_at = :seen",
        )

    def lift_pause(self) -> None:
        """End the pause."""
        self._client.delete_item(TableName=self._table_name, Key={"id": {"S": _PAUSE_ID}})

    def lift_pause_by(self, by: str) -> bool:
        """End the pause if it is of that kind, and return whether it was."""
        return self._delete(_PAUSE_ID, "#by = :by", {":by": {"S": by}}, names={"#by": "by"})

    # What a month costs.

    def count_spending(self, month: str, transcript_id: str, step: str, usd: float) -> bool:
        """Add what a step of a transcript cost to the month; return False if it was counted before.

        Both or nothing. Raises AwsUnavailable when others count at the same time, time and again.
        """
        paid = {
            "Key": {"id": {"S": f"paid#{transcript_id}"}},
            "UpdateExpression": "SET #step = :usd, expiration = :expiration",
            "ConditionExpression": "attribute_not_exists(#step)",
            "ExpressionAttributeNames": {"#step": step},
        }
        spent = {
            "Key": {"id": {"S": _spent_id(month)}},
            "UpdateExpression": "ADD usd :usd SET expiration = :expiration",
        }
        values = {":usd": _number(usd), ":expiration": _expiration()}
        common = {"TableName": self._table_name, "ExpressionAttributeValues": values}
        items: Any = [{"Update": update | common} for update in (paid, spent)]
        for attempt in range(_TRANSACTION_ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=items)
            except self._client.exceptions.TransactionCanceledException as fault:
                reasons = [str(reason.get("Code")) for reason in fault.response.get("CancellationReasons", [])]
                if reasons[:1] == ["ConditionalCheckFailed"]:
                    return False
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter, not a secret
            else:
                return True
        raise AwsUnavailable("TransactWriteItems: TransactionConflict")

    def waive_cap(self, month: str) -> None:
        """Let a month cost more than the cap."""
        self._update(
            _spent_id(month),
            "SET is_waived = :yes, expiration = :expiration",
            {":yes": {"BOOL": True}, ":expiration": _expiration()},
        )

    # Notices.

    def first_notice(self, name: str, seconds: float) -> bool:
        """Return True for the first who asks in so many seconds."""
        now = time.time()
        return self._change(
            f"notice#{name}",
            "SET noticed_at = :now, expiration = :expiration",
            {":now": _number(now), ":before": _number(now - seconds), ":expiration": _expiration(seconds)},
            condition="attribute_not_exists(noticed_at) OR noticed_at <= :before",
        )

    def _item(self, item_id: str) -> Mapping[str, Any]:
        answer = self._client.get_item(TableName=self._table_name, Key={"id": {"S": item_id}}, ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        return item

    def _items(self, item_ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        requests: Any = {self._table_name: {"Keys": [{"id": {"S": name}} for name in item_ids], "ConsistentRead": True}}
        found: dict[str, Mapping[str, Any]] = {}
        while requests:
            answer = self._client.batch_get_item(RequestItems=requests)
            found |= {str(item["id"]["S"]): item for item in answer["Responses"].get(self._table_name, [])}
            requests = answer.get("UnprocessedKeys", {})
        return found

    def _update(
        self,
        item_id: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        names: Mapping[str, str] | None = None,
        condition: str | None = None,
        returns: str = "NONE",
    ) -> Mapping[str, Any]:
        arguments: dict[str, Any] = {
            "TableName": self._table_name,
            "Key": {"id": {"S": item_id}},
            "UpdateExpression": expression,
            "ReturnValues": returns,
        }
        if values:
            arguments["ExpressionAttributeValues"] = values
        if names:
            arguments["ExpressionAttributeNames"] = names
        if condition:
            arguments["ConditionExpression"] = condition
        attributes: Mapping[str, Any] = self._client.update_item(**arguments).get("Attributes", {})
        return attributes

    def _change(
        self,
        item_id: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Update an item if the condition holds; return whether it did."""
        try:
            self._update(item_id, expression, values, names=names, condition=condition)
        except ClientError as fault:
            if not _is_condition(fault):
                raise
            return False
        return True

    def _delete(
        self, item_id: str, condition: str, values: Mapping[str, Any], *, names: Mapping[str, str] | None = None
    ) -> bool:
        """Delete an item if the condition holds; return whether it did."""
        arguments: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        try:
            self._client.delete_item(
                TableName=self._table_name,
                Key={"id": {"S": item_id}},
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **arguments,
            )
        except ClientError as fault:
            if not _is_condition(fault):
                raise
            return False
        return True


def _read(item: Mapping[str, Any] | None, record_type: type[RecordType]) -> RecordType | None:
    """Return an item as a record: texts, numbers and booleans; what the record does not know is left out."""
    if item is None:
        return None
    plain = {name: next(iter(value.values())) for name, value in item.items()}
    return msgspec.convert(plain, record_type, strict=False)


def _spent_id(month: str) -> str:
    return f"spent#{month}"


def _number(value: float) -> dict[str, str]:
    return {"N": repr(value)}


def _expiration(seconds: float = REMEMBER_SECONDS) -> dict[str, str]:
    """Return when DynamoDB may drop an item."""
    return _number(int(time.time() + max(seconds, 3600.0)))


def _is_condition(fault: ClientError) -> bool:
    return fault.response["Error"]["Code"] == "ConditionalCheckFailedException"
