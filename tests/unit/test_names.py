"""The names under which a recording's work is kept."""

import re
from types import SimpleNamespace
from typing import Any

import boto3
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcoach.errors import MalformedMessage
from callcoach.idempotency import Once
from callcoach.names import Drop, names_object, once_id, scoring_identity
from callcoach.state import State

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)

texts = st.text(max_size=20)


@given(texts, texts, texts, texts, st.integers(0, 5))
def test_no_name_tells_the_recording_s(bucket: str, key: str, etag: str, sequencer: str, resubmissions: int) -> None:
    """They stand in logs and in the table."""
    drop = Drop(bucket, f"dana reyes/{key}", etag, sequencer, resubmissions)
    assert all(re.fullmatch(r"(submit#)?[0-9a-f]{32}", name) for name in (drop.work_id, drop.lease, drop.open_job))


def test_what_is_new_under_a_name_has_names_of_its_own() -> None:
    """Another sequencer is other work; another content has another place; a recording has one lease."""
    drop = Drop("b", "a.ogg", "e", "0A", 0, 5)
    again, changed = (msgspec.structs.replace(drop, **new) for new in ({"sequencer": "0B"}, {"etag": "f"}))
    assert (drop.work_id == again.work_id, drop.open_job == again.open_job, drop.lease == again.lease) == (
        False,
        True,
        True,
    )
    assert (drop.open_job == changed.open_job, drop.lease == changed.lease) == (False, True)


@pytest.mark.parametrize(
    "identity",
    [scoring_identity("t1"), scoring_identity("t1", "a-request"), Drop("b", "é/ü 1.ogg", "e", "0A", 2).identity],
)
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


def test_a_drop_is_read_as_it_was_written() -> None:
    drop = Drop("bucket", "dana/é & 1.mp3", "etag", "0055", resubmissions=2, size_bytes=7, quiet=True)
    assert Drop.from_event(drop.event) == drop


def test_whoever_looks_for_a_recording_finds_it_in_an_event_that_says_no_more() -> None:
    """SubmitFunction asks for more; forget has to find every message that names the recording."""
    assert Drop.from_event('{"detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}}') == Drop("b", "k")


@pytest.mark.parametrize(
    "body", ["", "[]", "[" * 10_000, '{"detail": {"bucket": {"name": "b"}, "object": {"key": ""}}}']
)
def test_what_names_no_object_is_no_event(body: str) -> None:
    with pytest.raises(MalformedMessage):
        Drop.from_event(body)
