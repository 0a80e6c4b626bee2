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
AWKWARD = '{"transcript_id": "x&Action=DeleteQueue&QueueUrl=y 100% é ✓ + $util #set $!{x}\\n", "status": "error"}'


def forget_to_encode_recording(document: dict[str, Any]) -> None:
    """Edit the template: the parameter is put into the SQS request as it came."""
    paths = document["Resources"]["WebhookApi"]["Properties"]["DefinitionBody"]["paths"]
    integration = paths["/callbacks/assemblyai"]["post"]["x-amazon-apigateway-integration"]
    integration["requestTemplates"]["application/json"] = (
        "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        "&MessageAttribute.1.Name=recording&MessageAttribute.1.Value.DataType=String"
        "&MessageAttribute.1.Value.StringValue=$input.params('recording')"
    )


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The template as it is, unless a test asks for an edited one."""
    with Cloud(invoke=False, edit=getattr(request, "param", None)) as cloud:
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


def call_back(
    cloud: Cloud, body: Any = CALLBACK, *, query: str = "?recording=Y2FsbC5tcDM", **headers: str
) -> requests.Response:
    """Post to the webhook with key A; a header given as blank is left out."""
    sent = {"x-api-key": key(cloud), "content-type": "application/json", **_dashed(headers)}
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return requests.post(
        f"{cloud.gateway_url}/live/callbacks/assemblyai{query}",
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


def test_the_gateways_role_sends_and_no_more(cloud: Cloud) -> None:
    """Sending into the one queue is all that the integration uses of its role."""
    call_back(cloud)
    queue = cloud.resources["CallbacksQueue"].rsplit("/", 1)[-1]
    sending = ("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:123456789012:{queue}")
    assert cloud.used_permissions() == {"WebhookRole": {sending}}


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
        '{"transcript_id": "a", "status": "overdue"}',
        '{"transcript_id": "a", "status": "rescore", "request_id": "8f14e45fceea4c7ea4f0b1b1d6e0a9c2"}',
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


def check_nothing_is_added(cloud: Cloud) -> None:
    """What a parameter holds stays in the attribute and cannot become a part of the SQS request."""
    assert call_back(cloud, query="?recording=a%26MessageBody%3Db").status_code == 200
    (message,) = cloud.messages("CallbacksQueue")
    assert (message.body, message.attributes) == (json.dumps(CALLBACK), {"recording": "a&MessageBody=b"})


def test_nothing_is_added(cloud: Cloud) -> None:
    """The mapping template encodes the parameter."""
    check_nothing_is_added(cloud)


@pytest.mark.parametrize("running", [forget_to_encode_recording], indirect=True)
def test_an_unencoded_parameter_fails_its_test(cloud: Cloud) -> None:
    """The check depends on the template."""
    with pytest.raises(AssertionError):
        check_nothing_is_added(cloud)


@pytest.mark.parametrize(
    ("query", "recording"),
    [
        ("?recording=Y2FsbC5tcDM", "Y2FsbC5tcDM"),
        ("?recording=a+b%20c%2B%C3%A9", "a b c+é"),
        ("?recording=a&Action=DeleteQueue", "a"),
        ("?recording=a%26Action%3DDeleteQueue", "a&Action=DeleteQueue"),
        ("?recording=$util.urlEncode($input.body)", "$util.urlEncode($input.body)"),
        ("?other=1&recording=a&recording=b", "b"),
    ],
)
def test_a_parameter_travels_with_the_body(cloud: Cloud, query: str, recording: str) -> None:
    """The parameter becomes an attribute of the message, decoded once, and other parameters are left behind."""
    assert call_back(cloud, query=query).status_code == 200
    (message,) = cloud.messages("CallbacksQueue")
    assert (message.body, message.attributes) == (json.dumps(CALLBACK), {"recording": recording})


@pytest.mark.parametrize("query", ["", "?", "?recording", "?recording=", "?Recording=a"])
def test_a_required_parameter_is_required(cloud: Cloud, query: str) -> None:
    """Without it, or with an empty one, the answer is 400, and nothing is queued."""
    response = call_back(cloud, query=query)
    message = "Missing required request parameters: [recording]"
    assert (response.status_code, response.json()) == (400, {"message": message})
    assert cloud.queue_depth("CallbacksQueue") == 0


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


def test_parameters_beyond_the_gateway_are_refused() -> None:
    """A header as parameter, an unknown validation and the map of all parameters are named, not passed over."""
    definition: dict[str, Any] = {"openapi": "3.0.1", "info": {}, "x-amazon-apigateway-request-validators": {"all": {}}}
    integration: dict[str, Any] = {
        "type": "aws",
        "uri": "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/queue",
        "passthroughBehavior": "never",
        "requestTemplates": {"application/json": "$input.params('a')"},
        "responses": {},
    }
    parameter: dict[str, Any] = {"name": "a", "in": "query", "schema": {"type": "string"}}
    post = {"parameters": [parameter], "responses": {}, "x-amazon-apigateway-integration": integration}
    definition["paths"] = {"/a": {"post": post}}
    check_definition(definition)
    for changed, change, named in (
        (parameter, {"in": "header"}, "parameter a"),
        (parameter, {"schema": {"type": "integer"}}, "parameter a"),
        (parameter, {"allowEmptyValue": True}, "allowEmptyValue"),
        (definition["x-amazon-apigateway-request-validators"]["all"], {"validateHeaders": True}, "validateHeaders"),
        (integration["requestTemplates"], {"application/json": "$input.params().querystring"}, r"input\.params"),
    ):
        before = dict(changed)
        changed.update(change)
        with pytest.raises(UnsupportedTemplateError, match=named):
            check_definition(definition)
        changed.clear()
        changed.update(before)


def test_mapping_templates_are_velocity() -> None:
    """$util.urlEncode encodes as Java does, and a body is text, never a template."""
    assert render("$util.urlEncode($input.body)", "a b&c=*~é$x", {}) == "a+b%26c%3D*%7E%C3%A9%24x"
    assert render("$context.requestId $input.body", "$util.urlEncode(1)", {"requestId": "r"}) == "r $util.urlEncode(1)"
    parameters = {"a": "b&c"}
    template = "$util.urlEncode($input.params('a'))-$input.params('none')-"
    assert render(template, "", {}, lambda name: parameters.get(name, "")) == "b%26c--"
