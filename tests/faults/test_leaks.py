"""Nothing leaks, whatever happens; and the search finds what is planted, in every kind of place."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.faults.leak_search import Leak, Needles, needles, search, searched_stage
from tests.faults.stage import TRANSCRIPT, Stage
from tests.integration.log_lines import log_lines
from tests.integration.stack import KEY
from tests.sandbox.cloud import Cloud
from tests.sandbox.places import Place, places

WORDS = TRANSCRIPT["utterances"][1]["text"]


@pytest.fixture(scope="module")
def searched() -> Iterator[tuple[Stage, list[Place]]]:
    """A stage on which everything has happened, and what the commands have printed."""
    with searched_stage() as found:
        yield found


@pytest.fixture(scope="module")
def cloud(searched: tuple[Stage, list[Place]]) -> Cloud:
    return searched[0].stack.cloud


@pytest.fixture(scope="module")
def wanted(searched: tuple[Stage, list[Place]]) -> Needles:
    return needles(searched[0])


def test_nothing_leaks(searched: tuple[Stage, list[Place]], cloud: Cloud, wanted: Needles) -> None:
    """No key, link or credential anywhere, and no word of a call but where its documents and its e-mail are."""
    counts, leaks = search([*places(cloud), *searched[1]], wanted)

    assert [str(leak) for leak in leaks] == []
    # Every kind of place was there to be searched, and every kind of secret to be found.
    assert {kind for kind, count in counts.items() if count} >= {
        "command",
        "log",
        "mail OperationsTopic",
        "mail ScorecardsTopic complete",
        "mail report",
        "mail ScorecardsTopic failed",
        "mail ScorecardsTopic numbers_only",
        "message ScorecardsTopic complete",
        "message ScorecardsTopic failed",
        "queue CallbacksDlq",
        "queue RecordingsDlq",
        "s3 failures",
        "s3 recordings, metadata",
        "s3 replies",
        "s3 submissions",
        "s3 transcripts",
        "table",
    }
    assert all(len(values) >= 1 for values in wanted.secrets.values())
    assert len(wanted.secrets["the signature of a link"]) >= 10
    assert len(wanted.runs) >= 500


def test_everything_has_happened(searched: tuple[Stage, list[Place]], cloud: Cloud) -> None:
    """A search of a stack that was only idle would find nothing either."""
    reasons = {json.loads(place.text)["reason"] for place in places(cloud) if place.kind == "s3 failures"}
    logs = cloud.logs("SubmitFunction") + cloud.logs("ScorecardFunction")
    operator_mails = {mail.subject for mail in cloud.publications() if mail.topic == "OperationsTopic"}

    assert reasons >= {
        "audio_too_short",
        "download_failed",
        "language_not_recognized",
        "not_a_recording",
        "recording_gone",
        "request_refused",
    }
    for line in ("malformed message", "paused", "resumed", "submitting again", "Runtime exited", "Traceback"):
        assert line in logs
    assert "callcoach is paused: AssemblyAI refuses the account" in operator_mails
    assert {place.name for place in searched[1]} == {"--help", "forget", "pause", "resume"}


def test_every_line_says_what_it_is_about(cloud: Cloud) -> None:
    """Whatever has happened, but where a message named nothing."""
    lines = log_lines(cloud)
    named = [line for line in lines if line["message"] != "malformed message"]

    assert len(named) < len(lines)
    assert [line for line in named if not line.get("recording_hash") or not line.get("stage")] == []
    assert [line for line in named if line["service"] == "scorecard" and not line.get("transcript_id")] == []


def put_object(cloud: Cloud, text: str) -> None:
    put(cloud, f"failures/{uuid4()}.json", Body=text.encode())


def put_metadata(cloud: Cloud, text: str) -> None:
    put(cloud, "submissions/planted.json", Body=b"{}", Metadata={"planted": text})


def put_in_report(cloud: Cloud, text: str) -> None:
    put(cloud, "reports/planted.html", Body=f"<p>{text}</p>".encode())


def put(cloud: Cloud, key: str, **arguments: Any) -> None:
    cloud.client("s3").put_object(Bucket=cloud.resources["ScorecardsBucket"], Key=key, **arguments)


def put_item(cloud: Cloud, text: str) -> None:
    item = {"id": {"S": f"progress#{uuid4()}"}, "replies": {"S": json.dumps({"attempts": [{"content": text}]})}}
    cloud.client("dynamodb").put_item(TableName=cloud.resources["StateTable"], Item=item)


def send_body(cloud: Cloud, text: str) -> None:
    cloud.client("sqs").send_message(QueueUrl=cloud.resources["RecordingsDlq"], MessageBody=text)


def send_attribute(cloud: Cloud, text: str) -> None:
    attributes = {"reason": {"DataType": "String", "StringValue": text}}
    url = cloud.resources["CallbacksDlq"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=attributes)


def publish(cloud: Cloud, text: str) -> None:
    wrapped = text.replace(" ", "\n")
    cloud.client("sns").publish(TopicArn=cloud.resources["OperationsTopic"], Subject="planted", Message=wrapped)


def publish_attribute(cloud: Cloud, text: str) -> None:
    attributes = {"outcome": {"DataType": "String", "StringValue": "complete"}}
    attributes["customer"] = {"DataType": "String", "StringValue": text}
    topic = cloud.resources["ScorecardsTopic"]
    cloud.client("sns").publish(TopicArn=topic, Message="planted", MessageAttributes=attributes)


def publish_to_machines(cloud: Cloud, text: str) -> None:
    """By e-mail the words of a call may go, and nowhere else."""
    message = json.dumps({"default": json.dumps({"headline": text}), "email": WORDS})
    attributes = {"outcome": {"DataType": "String", "StringValue": "complete"}}
    topic = cloud.resources["ScorecardsTopic"]
    cloud.client("sns").publish(TopicArn=topic, Message=message, MessageStructure="json", MessageAttributes=attributes)


def log(cloud: Cloud, text: str) -> None:
    file = cloud._functions["ScorecardFunction"].log  # noqa: SLF001 - nothing makes a function log what it must not
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"message": "planted", "reason": json.dumps([text])}) + "\n")


PLANTED: list[tuple[Callable[[Cloud, str], None], str, str]] = [
    (put_object, "the key of AssemblyAI", "s3 failures"),
    (put_object, "words of a call", "s3 failures"),
    (put_metadata, "the webhook's key A", "s3 submissions, metadata"),
    (put_in_report, "a signed link", "s3 reports"),
    (put_item, "words of a call", "table"),
    (put_item, "the webhook's key B", "table"),
    (send_body, "the signature of a link", "queue RecordingsDlq"),
    (send_attribute, "words of a call", "queue CallbacksDlq"),
    (publish, "credentials of a function", "mail OperationsTopic"),
    (publish, "words of a call", "mail OperationsTopic"),
    (publish_attribute, "the key of AssemblyAI", "message ScorecardsTopic complete"),
    (publish_attribute, "words of a call", "message ScorecardsTopic complete"),
    (publish_to_machines, "words of a call", "message ScorecardsTopic complete"),
    (log, "the key of AssemblyAI", "log"),
    (log, "words of a call", "log"),
]


@pytest.fixture(scope="module")
def planted(cloud: Cloud, wanted: Needles) -> list[Leak]:
    """What is found in the places that were not there before all was planted."""
    before = set(places(cloud))
    for plant, what, _ in PLANTED:
        plant(cloud, WORDS if what == "words of a call" else wanted.secrets[what][0])
    return search([place for place in places(cloud) if place not in before], wanted)[1]


@pytest.mark.parametrize(("what", "kind"), [(what, kind) for _, what, kind in PLANTED])
def test_what_is_planted_is_found(planted: list[Leak], what: str, kind: str) -> None:
    assert (what, kind) in {(leak.what, leak.place.kind) for leak in planted}
    assert KEY not in "".join(map(str, planted))


def test_a_command_that_prints_a_key_is_found(wanted: Needles) -> None:
    place = Place("command", "pause", f"Error: the key {KEY} is refused")
    assert search([place], wanted)[1] == [Leak("the key of AssemblyAI", place)]
