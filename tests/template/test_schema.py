"""scorecard.schema.json says what scorecards are, and notification.schema.json what machines are told of them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.schema import ROOT, SCHEMAS, notification_schema, schema_text, scorecard_schema
from tests.unit.examples import SAMPLE_CALLS, sample_transcript, scored_call
from tests.unit.scorecards import example_scorecard, with_doubtful_roles, without_coaching

from callcoach.calls import Call
from callcoach.documents import CallDetails, Failure, encode
from callcoach.failures import failure_notification
from callcoach.notifications import Notification, StoredAt, encode_notification
from callcoach.summary import summarised, summary_notification
from scorecard.mail import scorecard_notification
from scorecard.scorecard import Scorecard

EXAMPLES = {
    "complete": example_scorecard(),
    "numbers_only": without_coaching("too_short"),
    "needs_roles": with_doubtful_roles(),
    "no sentiment, no mentions": example_scorecard(sentiment=None, mentions=None),
}


NOW = datetime(2026, 5, 6, tzinfo=UTC)
FAILURE = Failure("a.mp3", "transcribe", "no_speech", "no speech was found", "Check the recording.", retryable=False)
NOTIFICATIONS = {
    **{name: scorecard_notification(card, "scorecards") for name, card in EXAMPLES.items()},
    "failed": failure_notification(FAILURE, CallDetails(rep="Dana"), StoredAt("scorecards", "failures/a.mp3.json")),
    "summary": summary_notification(
        summarised([Call("a.mp3", "failed", NOW, NOW, reason="no_speech"), Call("b.mp3", "scored", NOW, NOW)], {}, [])
    ),
}


def closed(node: Any) -> Any:
    """Return a schema that allows none but the properties that it names."""
    if isinstance(node, dict):
        children = {name: closed(child) for name, child in node.items()}
        return children | {"additionalProperties": False} if "properties" in node else children
    return [closed(child) for child in node] if isinstance(node, list) else node


def faults(card: Scorecard) -> list[str]:
    validator = Draft202012Validator(closed(scorecard_schema()))
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(json.loads(encode(card)))]


def notification_faults(notification: Notification) -> list[str]:
    validator = Draft202012Validator(closed(notification_schema()))
    return [fault.message for fault in validator.iter_errors(json.loads(encode_notification(notification)))]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


@pytest.mark.parametrize("name", SCHEMAS)
def test_committed_schema_is_that_of_the_code(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == schema_text(name), "run: python -m tests.schema"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name]())


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_every_notification_fits(name: str) -> None:
    assert notification_faults(NOTIFICATIONS[name]) == []


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"status": "done"}, {"headline": None}, {"report": "s3://a/b"}]
)
def test_what_is_no_notification_does_not_fit(change: dict[str, Any]) -> None:
    assert notification_faults(msgspec.structs.replace(NOTIFICATIONS["complete"], **change)) != []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_status_fits(name: str) -> None:
    assert faults(EXAMPLES[name]) == []


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_sample_calls_fit(name: str) -> None:
    assert faults(scored_call(sample_transcript(name)).scorecard) == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"status": "failed"},
        {"headline": None},
        {"metrics": [{"id": "questions", "value": 9}]},
        {"talk_listen": msgspec.structs.replace(EXAMPLES["complete"].talk_listen, rep_share=63)},
        {"coaching": {"summary": "only this"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_scorecard_does_not_fit(change: dict[str, Any]) -> None:
    assert faults(msgspec.structs.replace(EXAMPLES["complete"], **change)) != []


def test_names_say_the_units() -> None:
    """A number that is a time or a part of a whole says so in its name."""
    names = {name for node in nodes(scorecard_schema()) for name in node.get("properties", {})}
    assert not {name for name in names if re.search(r"(_percent|_pct|_time|_sec|_millis)$", name)}
    assert {"duration_seconds", "rep_ms", "rep_share"} <= names


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_part_is_described(name: str) -> None:
    schema = SCHEMAS[name]()
    assert all(definition.get("description") for definition in (schema, *schema["$defs"].values()))
