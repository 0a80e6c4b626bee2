"""Whatever is posted to the webhook or lies in a queue is refused, repeated or kept apart; no true callback is lost."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from tests.faults.stage import SOUND, TRANSCRIPT, Stage, stage

from callcoach.documents import encode_key

DEAD_LETTERS = {"RecordingsQueue": "RecordingsDlq", "CallbacksQueue": "CallbacksDlq"}
FORGED = "11111111-2222-3333-4444-555555555555"
CALLBACK = {"transcript_id": FORGED, "status": "completed"}
RECORDING = encode_key("calls/nobody dropped this.mp3")
PATH = "/live/callbacks/assemblyai"


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage(parameters={"MaximumConcurrency": "2"}) as running:
        yield running


@dataclass(frozen=True)
class Post:
    """A request to the webhook, and what it is answered. key: the header's value; None for the right one."""

    status: int
    body: Any = field(default_factory=lambda: CALLBACK)
    query: str = f"?recording={RECORDING}"
    key: str | None = None
    content_type: str = "application/json"
    method: str = "POST"
    path: str = PATH


def webhook_key(set_up: Stage) -> str:
    cloud = set_up.stack.cloud
    arn = cloud.environment("SubmitFunction")["WEBHOOK_SECRET_ARN"]
    return str(cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])


def send(set_up: Stage, post: Post) -> int:
    """Send a request as it is, and return what it is answered."""
    body = post.body if isinstance(post.body, bytes) else json.dumps(post.body).encode()
    headers = {"x-api-key": webhook_key(set_up) if post.key is None else post.key, "content-type": post.content_type}
    url = f"{set_up.stack.cloud.gateway_url}{post.path}{post.query}"
    present = {name: value for name, value in headers.items() if value}
    return requests.request(post.method, url, data=body, headers=present, timeout=30).status_code


def raw_body(**fields: str) -> bytes:
    """Return a callback whose values stand in it as they are written here."""
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}").encode()


POSTS = {
    "no key": Post(403, key=""),
    "wrong key": Post(403, key="x" * 40),
    "the key's start": Post(403, key="x"),
    "key and nothing else": Post(400, body=b""),
    "no JSON": Post(400, body=b"transcript_id=a&status=completed"),
    "half a JSON": Post(400, body=b'{"transcript_id": "a", "sta'),
    "two JSONs": Post(400, body=json.dumps(CALLBACK).encode() * 2),
    "not UTF-8": Post(400, body=b'{"transcript_id": "\xff\xfe", "status": "completed"}'),
    "a raw control character": Post(400, body=b'{"transcript_id": "\x01", "status": "completed"}'),
    "null": Post(400, body=None),
    "a list": Post(400, body=[CALLBACK]),
    "a text": Post(400, body="completed"),
    "no id": Post(400, body={"status": "completed"}),
    "no status": Post(400, body={"transcript_id": FORGED}),
    "a number for an id": Post(400, body=CALLBACK | {"transcript_id": 5}),
    "a list for a status": Post(400, body=CALLBACK | {"status": ["completed"]}),
    "another status": Post(400, body=CALLBACK | {"status": "queued"}),
    "a status of our own": Post(400, body=CALLBACK | {"status": "overdue"}),
    "a request of an operator": Post(400, body=CALLBACK | {"status": "rescore", "request_id": "x"}),
    "an empty id": Post(400, body=CALLBACK | {"transcript_id": ""}),
    "an endless id": Post(400, body=CALLBACK | {"transcript_id": "a" * 129}),
    "redacted audio": Post(400, body={"status": "redacted_audio_ready", "redacted_audio_url": "https://x/a"}),
    "no recording": Post(400, query=""),
    "a blank recording": Post(400, query="?recording="),
    "a form": Post(503, content_type="application/x-www-form-urlencoded"),
    "XML": Post(503, content_type="application/xml; charset=utf-8"),
    "ten megabytes": Post(503, body=b'"' + b"x" * (10 * 1024 * 1024) + b'"'),
    "more than a message holds": Post(500, body=CALLBACK | {"more": "x" * 1_100_000}),
    "a body that SQS refuses": Post(500, body=json.dumps(CALLBACK | {"x": "\ufffe"}, ensure_ascii=False).encode()),
    "GET": Post(403, method="GET"),
    "another path": Post(403, path="/live/callbacks/assemblyai/x"),
    "a path above": Post(403, path="/live/callbacks/../callbacks/assemblyai//"),
    "another stage": Post(403, path="/Prod/callbacks/assemblyai"),
}
# What the API takes, because AssemblyAI may one day send it, and the function finds to be nothing.
FOREIGN = {
    "more fields": Post(200, body=CALLBACK | {"webhook_id": 5, "data": {"a": []}}),
    "a megabyte": Post(200, body=CALLBACK | {"more": "x" * 1_000_000}),
    "a charset": Post(200, content_type="application/json; charset=utf-8"),
    "no content type": Post(200, content_type=""),
    "more parameters": Post(200, query=f"?a=1&recording={RECORDING}&recordings=2"),
    "another status of the same call": Post(200, body=CALLBACK | {"status": "error"}),
}
POISON = {
    "an escaped half of a pair": Post(200, body=raw_body(transcript_id='"\\ud83d"', status='"completed"')),
    "a recording in plain words": Post(200, query="?recording=calls/a%20b.mp3"),
    "a padded recording": Post(200, query="?recording=YQ%3D%3D"),
    "no UTF-8 in base64": Post(200, query="?recording=Y2Fm6Q"),
    "a recording longer than a key": Post(200, query=f"?recording={encode_key('x' * 1025)}"),
    "two recordings": Post(200, query=f"?recording={RECORDING}&recording=!"),
    "a second body": Post(200, query=f"?recording={RECORDING}%26MessageBody%3Dx"),
    "a template": Post(200, query="?recording=$util.urlEncode($input.body)"),
}


@dataclass(frozen=True)
class Traces:
    """What is seen of everything that the functions do: nothing of it may change for a message of somebody else."""

    documents: frozenset[str]
    mails: int
    asked: int
    errors: int


def traces(set_up: Stage) -> Traces:
    cloud = set_up.stack.cloud
    listed = cloud.client("s3").list_objects_v2(Bucket=cloud.outputs["ScorecardsBucketName"])
    return Traces(
        documents=frozenset(item["Key"] + item["ETag"] for item in listed.get("Contents", [])),
        mails=len(cloud.publications()),
        asked=len(set_up.stack.stand_in.exchanges),
        errors=sum(runs.errors + runs.crashes + runs.timeouts for runs in cloud.invocations.values()),
    )


@pytest.fixture(autouse=True)
def _empty(set_up: Stage) -> Iterator[None]:
    """Leave nothing for the next test."""
    yield
    for queue in (*DEAD_LETTERS, *DEAD_LETTERS.values()):
        set_up.stack.cloud.empty(queue)


@pytest.mark.parametrize("name", POSTS)
def test_post_that_is_no_callback_is_refused_or_to_be_repeated(set_up: Stage, name: str) -> None:
    """4xx only where AssemblyAI cannot have sent it; what is our trouble, or passes, is 5xx. Nothing is queued."""
    assert send(set_up, POSTS[name]) == POSTS[name].status
    assert set_up.stack.cloud.queue_depth("CallbacksQueue") == 0


def test_true_callback_is_scored_between_all_the_others(set_up: Stage) -> None:
    """Every other post that there is comes before it and after it, about the same recording."""
    stack, key, sound = set_up.stack, "calls/nobody dropped this.mp3", SOUND + b"between"
    stack.stand_in.teach(sound, TRANSCRIPT)
    hosts = dict(stack.stand_in.hosts)
    stack.stand_in.hosts.update(dict.fromkeys(hosts, stack.cloud.endpoint_url))
    stack.drop(key, sound)
    set_up.settle()
    stack.stand_in.hosts.update(hosts)
    transcript_id = stack.document("submissions", key)["transcript_id"]
    true = Post(200, body={"transcript_id": transcript_id, "status": "completed"})
    others = [*POSTS.values(), *FOREIGN.values(), *POISON.values()]

    answers = [send(set_up, post) for post in (*others, true, *others)]
    set_up.settle()

    assert answers == [post.status for post in (*others, true, *others)]
    assert stack.document("scorecards", key)["call"]["transcript_id"] == transcript_id
    assert [mail.attributes["outcome"] for mail in stack.cloud.mails()] == ["complete"]
    assert stack.stand_in.paid_for(key) == {"transcript": 1, "understanding": 1, "chat": 1}
    kept = stack.cloud.messages("CallbacksDlq")
    assert [message.attributes["reason"] for message in kept] == ["malformed_message"] * 2 * len(POISON)


OBJECT = {"key": "a.mp3", "etag": "e", "size": 5, "sequencer": "1"}


def event(bucket: str = "b", **changes: object) -> str:
    """Return an event about an object with other values; what is None is missing."""
    said = {name: value for name, value in (OBJECT | changes).items() if value is not None}
    resubmissions = said.pop("resubmissions", 0)
    detail = {"bucket": {"name": bucket}, "object": said, "resubmissions": resubmissions}
    return json.dumps({"detail-type": "Object Created", "detail": detail})


TEXTS = {name: {"DataType": "String", "StringValue": "x"} for name in "abcdefghij"}
MESSAGES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "no event": ("RecordingsQueue", '{"hello": 1}', {}),
    "null": ("RecordingsQueue", "null", {}),
    "a text": ("RecordingsQueue", "calls/a.mp3", {}),
    "a notification of S3": ("RecordingsQueue", json.dumps({"Records": [{"s3": {"object": {"key": "a"}}}]}), {}),
    "a test of S3": ("RecordingsQueue", json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}), {}),
    "an object deleted": ("RecordingsQueue", event(etag=None, size=None), {}),
    "an empty key": ("RecordingsQueue", event(key=""), {}),
    "a key that is too long": ("RecordingsQueue", event(key="x" * 1025), {}),
    "half of a pair in a key": ("RecordingsQueue", event(key="\ud83d.mp3"), {}),
    "no bucket's name": ("RecordingsQueue", event("../b"), {}),
    "a thousand resubmissions": ("RecordingsQueue", event(resubmissions=1000), {}),
    "depth": ("RecordingsQueue", '{"detail": ' + "[" * 200_000, {}),
    "ten attributes": ("RecordingsQueue", "{}", TEXTS),
    "no attribute": ("CallbacksQueue", json.dumps(CALLBACK), {}),
    "an attribute of another kind": (
        "CallbacksQueue",
        json.dumps(CALLBACK),
        {"recording": {"DataType": "Number", "StringValue": "5"}},
    ),
    "an id of a kilobyte": (
        "CallbacksQueue",
        json.dumps(CALLBACK | {"transcript_id": "a" * 3000}),
        {"recording": {"DataType": "String", "StringValue": RECORDING}},
    ),
    "depth beside a callback": (
        "CallbacksQueue",
        json.dumps(CALLBACK)[:-1] + ', "x": ' + "[" * 200_000,
        {"recording": {"DataType": "String", "StringValue": RECORDING}},
    ),
    "a mebibyte": ("CallbacksQueue", "x" * 1_048_576, {}),
    "ten attributes of a callback": ("CallbacksQueue", json.dumps(CALLBACK), TEXTS),
}


def test_message_of_nobody_is_kept_apart_at_once_and_touches_nothing(set_up: Stage) -> None:
    """At its first receive, with its reason; no function fails of it."""
    stack = set_up.stack
    before = traces(set_up)
    sqs = stack.cloud.client("sqs")
    for queue, body, attributes in MESSAGES.values():
        sqs.send_message(QueueUrl=stack.queue_url(queue), MessageBody=body, MessageAttributes=attributes)

    set_up.settle()

    for queue, dead_letters in DEAD_LETTERS.items():
        kept = stack.cloud.messages(dead_letters)
        sent = [body for sent_to, body, _ in MESSAGES.values() if sent_to == queue]
        assert sorted(message.body[:1000] for message in kept) == sorted(body[:1000] for body in sent)
        assert {message.attributes["reason"] for message in kept} == {"malformed_message"}
        assert stack.cloud.queue_depth(queue) == 0
    assert traces(set_up) == before
    logs = "".join(map(stack.cloud.logs, ("SubmitFunction", "ScorecardFunction")))
    assert "Traceback" not in logs
    assert max(map(len, logs.splitlines())) < 5000
