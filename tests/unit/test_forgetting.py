"""The parts of forgetting a call: what is held and removed in the table, in S3 and in the queues."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from callcoach.errors import InProgress
from callcoach.idempotency import Once
from callcoach.names import once_id, scoring_id
from callcoach.polling import remove_messages
from callcoach.state import State
from callcoach.storage import Documents, Recordings

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
IDENTITY = {"transcript_id": "t1"}
RECORD = once_id("scorecard", IDENTITY)


def once(work: Any) -> Once:
    return Once(work, name="scorecard", client=boto3.client("dynamodb"), table_name="state")


# The table.


def test_no_run_begins_while_its_record_is_held(state: State) -> None:
    with state.idle(RECORD, 60), pytest.raises(InProgress):
        once(lambda *, identity: pytest.fail("it ran"))(context=CONTEXT, identity=IDENTITY)
    assert not state.remove(RECORD)
    assert once(lambda *, identity: {"outcome": "done"})(context=CONTEXT, identity=IDENTITY)


def test_record_cannot_be_held_while_its_run_is_at_work(state: State) -> None:
    def work(*, identity: dict[str, str]) -> dict[str, str]:
        with pytest.raises(InProgress), state.idle(RECORD, 60):
            pass
        return {"outcome": "done"}

    assert once(work)(context=CONTEXT, identity=IDENTITY) == {"outcome": "done"}


def test_work_that_is_done_stays_done(state: State) -> None:
    """So the message that comes meanwhile is done too, and not postponed."""
    once(lambda *, identity: {"outcome": "done"})(context=CONTEXT, identity=IDENTITY)

    with state.idle(RECORD, 60):
        again = once(lambda *, identity: pytest.fail("it ran"))(context=CONTEXT, identity=IDENTITY)

    assert again == {"outcome": "done"}
    assert state.remove(RECORD)


def test_run_that_was_killed_holds_its_record_no_longer_than_its_time(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = {
        "id": {"S": RECORD},
        "status": {"S": "INPROGRESS"},
        "expiration": {"N": "4000"},
        "in_progress_expiration": {"N": "1600000"},
    }
    boto3.client("dynamodb").put_item(TableName="state", Item=item)
    monkeypatch.setattr("callcoach.state.time.time", lambda: 1599.0)
    with pytest.raises(InProgress), state.idle(RECORD, 60):
        pass
    monkeypatch.setattr("callcoach.state.time.time", lambda: 1601.0)
    with state.idle(RECORD, 60):
        pass


def test_what_is_removed_counts_if_it_was_there(state: State) -> None:
    state.count_fault("score#t1")

    assert state.remove("progress#score#t1")
    assert not state.remove("progress#score#t1")


def test_items_are_found_by_the_transcript_that_they_name(state: State) -> None:
    """In the outcome, or in their own name."""
    for number in range(3):
        once(lambda *, identity: {"outcome": "submitted", "transcript_id": f"t{identity['n']}"})(
            context=CONTEXT, identity={"n": str(number)}
        )
    state.count_fault(scoring_id("t2", "a-request"))
    state.count_fault(scoring_id("t3", "a-request"))

    found = state.naming({"t0", "t2", "t9"})

    assert set(found) == {
        once_id("scorecard", {"n": "0"}),
        once_id("scorecard", {"n": "2"}),
        "progress#score#t2#a-request",
    }
    assert state.naming([]) == []


def test_forgotten_recording_is_remembered_with_what_is_left_to_do(state: State) -> None:
    assert state.forgotten("submit#a") == (0.0, b"")
    state.note_forgotten("submit#a", b'{"drops": []}')
    assert state.forgotten("submit#a")[1] == b'{"drops": []}'
    state.note_forgotten("submit#a")
    at, left_to_do = state.forgotten("submit#a")
    assert at > 0
    assert left_to_do == b""


# S3.


@pytest.fixture(params=["versioned", "versioned no longer", "never versioned"])
def s3(request: pytest.FixtureRequest, aws: None) -> Any:
    """A bucket with an object of three versions and a delete marker, or of one version, and its neighbours."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="recordings", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    if request.param != "never versioned":
        client.put_bucket_versioning(Bucket="recordings", VersioningConfiguration={"Status": "Enabled"})
    for key in ("calls/a.ogg", "calls/a.ogg.ogg", "calls/a.og", "failures/calls/a.ogg.json"):
        for body in (b"1", b"2", b"3"):
            client.put_object(Bucket="recordings", Key=key, Body=body)
    if request.param != "never versioned":
        client.delete_object(Bucket="recordings", Key="calls/a.ogg")
    if request.param == "versioned no longer":
        client.put_bucket_versioning(Bucket="recordings", VersioningConfiguration={"Status": "Suspended"})
        client.put_object(Bucket="recordings", Key="calls/a.ogg", Body=b"4")
    return client


def versions(s3: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    page = s3.list_object_versions(Bucket="recordings")
    for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
        counts[entry["Key"]] = counts.get(entry["Key"], 0) + 1
    return counts


def test_recording_goes_with_all_its_versions_and_alone(s3: Any) -> None:
    before = versions(s3)

    removed = Recordings(s3).remove("recordings", "calls/a.ogg")

    assert removed == before.pop("calls/a.ogg")
    assert versions(s3) == before
    assert Recordings(s3).remove("recordings", "calls/a.ogg") == 0


def test_document_goes_with_all_its_versions_and_alone(s3: Any) -> None:
    before = versions(s3)

    removed = Documents(s3, "recordings").remove("failures", "calls/a.ogg")

    assert removed == before.pop("failures/calls/a.ogg.json")
    assert versions(s3) == before


# The queues.


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs")


def bodies(sqs: Any, url: str) -> list[str]:
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return sorted(message["Body"] for message in received)


def test_messages_that_concern_it_are_removed_and_the_others_are_back_at_once(sqs: Any) -> None:
    """However many there are, and by body or attribute."""
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for number in range(25):
        attributes = {"recording": {"DataType": "String", "StringValue": "cQ"}} if number % 5 == 0 else {}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"number": number}), MessageAttributes=attributes)

    polled = remove_messages(
        sqs, url, lambda body, attributes: attributes.get("recording") == "cQ" or json.loads(body)["number"] % 2 == 0
    )

    gone = {number for number in range(25) if number % 5 == 0 or number % 2 == 0}
    assert {json.loads(body)["number"] for body in polled.removed} == gone
    assert polled.out_of_sight == 0
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == str(25 - len(gone))
    assert left["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_messages_that_cannot_be_looked_at_are_counted(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="in hand")
    sqs.receive_message(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=600)
    sqs.send_message(QueueUrl=url, MessageBody="visible")

    polled = remove_messages(sqs, url, lambda body, _: body == "delayed")

    assert (polled.removed, polled.out_of_sight) == ([], 2)
    assert bodies(sqs, url) == ["visible"]


def test_others_are_back_although_a_message_cannot_be_deleted(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for body in ("another", "one"):
        sqs.send_message(QueueUrl=url, MessageBody=body)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessage")

    monkeypatch.setattr(sqs, "delete_message", refuse)

    with pytest.raises(ClientError):
        remove_messages(sqs, url, lambda body, _: body == "one")

    assert bodies(sqs, url) == ["another"]
