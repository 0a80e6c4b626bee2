"""The HTTP front does what the deployed definition says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.sandbox.account import Account
from tests.sandbox.cloud import Cloud
from tests.sandbox.gateway import MAXIMUM_PAYLOAD_BYTES, check_definition, render
from tests.sandbox.template import UnsupportedTemplateError

CALLBACK = {"transcript_id": "5552830b-7d72-47a9-bf28-d4ad23ffa6b9", "status": "completed"}
# What an attacker would send, and letters that no encoding may change.
AWKWARD = '{"transcript_id": "x&Action=DeleteQueue&QueueUrl=y", "status": "100% é ✓ + $util #set $!{x}\\n"}'


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with Cloud(invoke=False) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    """The module's cloud with an empty queue."""
    running.empty("CallbacksQueue")
    return running


def key(cloud: Cloud, letter: str = "A") -> str:
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=cloud.resources[f"WebhookKey{letter}Secret"])
    value: str = secret["SecretString"]
    return value


def call_back(cloud: Cloud, body: Any = CALLBACK, **headers: str) -> requests.Response:
    """Post to the webhook with key A; a header given as blank is left out."""
    sent = {"x-api-key": key(cloud), "content-type": "application/json", **_dashed(headers)}
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return requests.post(
        f"{cloud.gateway_url}/live/callbacks/assemblyai",
        data=data,
        headers={name: value for name, value in sent.items() if value},
        timeout=10,
    )


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def check_callbacks_are_queued_as_they_are(cloud: Cloud) -> None:
    """A callback is answered 200 and lies in the queue letter by letter, whatever is in it."""
    response = call_back(cloud, AWKWARD)
    assert (response.status_code, response.json()) == (200, {"message": "queued"})
    assert [message.body for message in cloud.messages("CallbacksQueue")] == [AWKWARD]


def check_strangers_are_refused(cloud: Cloud) -> None:
    """Without one of the two keys the answer is 403 and the queue stays empty."""
    for wrong in ("", "not the key", key(cloud)[:-1]):
        response = call_back(cloud, x_api_key=wrong)
        assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})
    assert cloud.queue_depth("CallbacksQueue") == 0


def test_callbacks_are_queued_as_they_are(cloud: Cloud) -> None:
    """The mapping template encodes the body: a body cannot add parameters to the SQS request."""
    check_callbacks_are_queued_as_they_are(cloud)


def test_strangers_are_refused(cloud: Cloud) -> None:
    """The operation asks for an API key of the usage plan."""
    check_strangers_are_refused(cloud)


def test_both_keys_are_good(cloud: Cloud) -> None:
    """Keys A and B are accepted side by side, so that one can be rotated."""
    assert call_back(cloud, x_api_key=key(cloud, "B")).status_code == 200
    assert call_back(cloud, x_api_key=key(cloud, "A")).status_code == 200
    assert key(cloud, "A") != key(cloud, "B")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"completed"',
        "{}",
        '{"transcript_id": "a"}',
        '{"transcript_id": 1, "status": "completed"}',
    ],
)
def test_a_body_that_is_no_callback_is_refused(cloud: Cloud, body: str) -> None:
    """The request model is enforced: 400, and nothing is queued."""
    response = call_back(cloud, body)
    assert (response.status_code, response.json()) == (400, {"message": "Invalid request body"})
    assert cloud.queue_depth("CallbacksQueue") == 0


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", ""])
def test_json_is_json_with_a_charset_too(cloud: Cloud, content_type: str) -> None:
    """Parameters of the content type do not matter, and none at all means JSON."""
    assert call_back(cloud, content_type=content_type).status_code == 200
    assert call_back(cloud, "{", content_type=content_type).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/live/callbacks/assemblyai"),
        ("POST", "/live/callbacks"),
        ("POST", "/callbacks/assemblyai"),
        ("POST", "/Stage/callbacks/assemblyai"),
        ("DELETE", "/"),
    ],
)
def test_other_methods_and_paths_do_not_exist(cloud: Cloud, method: str, path: str) -> None:
    """API Gateway's answer to an unknown route is 403, with the key as without."""
    response = requests.request(method, cloud.gateway_url + path, headers={"x-api-key": key(cloud)}, timeout=10)
    assert (response.status_code, response.json()) == (403, {"message": "Missing Authentication Token"})


def test_a_query_string_is_allowed(cloud: Cloud) -> None:
    """The recording's name in the webhook URL does not change the route."""
    url = f"{cloud.gateway_url}/live/callbacks/assemblyai?recording=Y2FsbC5tcDM"
    response = requests.post(url, json=CALLBACK, headers={"x-api-key": key(cloud)}, timeout=10)
    assert response.status_code == 200


def test_answers_of_the_gateway_itself_are_mapped(cloud: Cloud) -> None:
    """Another content type and too large a body would be 415 and 413; the template makes them 503, to be repeated."""
    assert call_back(cloud, content_type="text/plain").status_code == 503
    assert call_back(cloud, b"x" * (MAXIMUM_PAYLOAD_BYTES + 1)).status_code == 503


def test_a_failing_queue_is_our_fault(cloud: Cloud) -> None:
    """When SQS fails or denies, the answer is a 500, so that AssemblyAI tries again; then the callback is queued."""
    for status in (400, 403, 500, 503):
        with cloud.fault("sqs", "SendMessage", status=status):
            assert call_back(cloud).status_code == 500
    assert cloud.queue_depth("CallbacksQueue") == 0
    assert call_back(cloud).status_code == 200


def test_an_unreachable_queue_is_our_fault(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """When SQS cannot be reached at all the answer is a 504."""
    monkeypatch.setattr(Account, "endpoint_url", "http://127.0.0.1:1")
    assert call_back(cloud).status_code == 504


def test_a_definition_beyond_the_gateway_is_refused() -> None:
    """An integration of another type is named, not served wrongly."""
    integration = {"type": "aws_proxy", "uri": "arn:aws:lambda", "requestTemplates": {}, "responses": {}}
    post = {"responses": {}, "x-amazon-apigateway-integration": integration}
    with pytest.raises(UnsupportedTemplateError, match="SQS"):
        check_definition({"openapi": "3.0.1", "info": {}, "paths": {"/a": {"post": post}}})


def test_mapping_templates_are_velocity() -> None:
    """$util.urlEncode encodes as Java does, and a body is text, never a template."""
    assert render("$util.urlEncode($input.body)", "a b&c=*~é$x", {}) == "a+b%26c%3D*%7E%C3%A9%24x"
    assert render("$context.requestId $input.body", "$util.urlEncode(1)", {"requestId": "r"}) == "r $util.urlEncode(1)"
