"""The names under which a recording's work is kept: those that the functions use, and that Powertools makes."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcoach.idempotency import Once
from callcoach.names import Drop, names_object, once_id, scoring_id
from callcoach.state import State
from scorecard.callback import Callback
from scorecard.pipeline import _work_id as scoring_work_id
from submit.recording import DroppedObject, lease_name, work_id
from submit.recording import names_object as submission_names_object

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)

texts = st.text(max_size=20)


@given(texts, texts, texts, texts, st.integers(0, 5))
def test_names_are_those_of_the_functions(bucket: str, key: str, etag: str, sequencer: str, resubmissions: int) -> None:
    dropped = DroppedObject(
        bucket=bucket, key=key, etag=etag, size_bytes=1, sequencer=sequencer, resubmissions=resubmissions
    )
    drop = Drop(bucket, key, etag, sequencer, resubmissions)

    assert drop.identity == dropped.identity
    assert drop.work_id == work_id(dropped)
    assert drop.lease == lease_name(dropped)
    assert drop.open_job == dropped.open_job
    assert scoring_id(key) == scoring_work_id(Callback(transcript_id=key, status="completed", recording="a.ogg"))


@pytest.mark.parametrize("identity", [{"transcript_id": "t1"}, Drop("b", "é/ü 1.ogg", "e", "0A", 2).identity])
def test_record_is_the_one_that_powertools_writes(state: State, identity: dict[str, str]) -> None:
    client = boto3.client("dynamodb")

    Once(lambda *, identity: {"outcome": "done"}, name="submit", client=client, table_name="state")(
        context=CONTEXT, identity=identity
    )

    (item,) = client.scan(TableName="state")["Items"]
    assert item["id"]["S"] == once_id("submit", identity)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://b.s3.eu-west-1.amazonaws.com/dana%20reyes/a.ogg?X-Amz-Signature=1", True),
        ("http://127.0.0.1:1/b/dana%20reyes/a.ogg", True),
        ("https://b.s3.eu-west-1.amazonaws.com/dana%20reyes/a.ogg.ogg", False),
        ("https://other.s3.eu-west-1.amazonaws.com/dana%20reyes/a.ogg", False),
        ("http://deleted_by_user", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_link_to_a_recording_is_known_by_its_path(link: str | None, *, expected: bool) -> None:
    assert names_object(link, "b", "dana reyes/a.ogg") is expected
    assert submission_names_object(link, "b", "dana reyes/a.ogg") is expected
