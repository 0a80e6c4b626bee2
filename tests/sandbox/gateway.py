"""The HTTP front of a deployed REST API: everything it does is read from the API's definition.

Knows what the definition may use and refuses the rest by name: API keys, validation of the body and of parameters of
the query string, gateway responses, and integrations of type `aws` with SQS.
"""

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote_plus

import airspeed
import jsonschema
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from tests.sandbox.account import Account, Credentials
from tests.sandbox.calls import AwsError
from tests.sandbox.deployment import RestApi, UsagePlan
from tests.sandbox.http_server import Handler, Server
from tests.sandbox.template import UnsupportedTemplateError

MAXIMUM_PAYLOAD_BYTES = 10 * 1024 * 1024

_EXTENSION = "x-amazon-apigateway-"
_DEFINITION_KEYS = {
    "openapi",
    "info",
    "paths",
    "components",
    f"{_EXTENSION}api-key-source",
    f"{_EXTENSION}request-validators",
    f"{_EXTENSION}gateway-responses",
}
_COMPONENT_KEYS = {"securitySchemes", "schemas"}
_OPERATION_KEYS = {
    "description",
    "summary",
    "operationId",
    "security",
    "parameters",
    "requestBody",
    "responses",
    f"{_EXTENSION}request-validator",
    f"{_EXTENSION}integration",
}
_PARAMETER_KEYS = {"description", "name", "in", "required", "schema"}
_VALIDATOR_KEYS = {"validateRequestBody", "validateRequestParameters"}
_INTEGRATION_KEYS = {
    "type",
    "httpMethod",
    "uri",
    "credentials",
    "passthroughBehavior",
    "timeoutInMillis",
    "requestParameters",
    "requestTemplates",
    "responses",
}
_RESPONSE_KEYS = {"statusCode", "responseTemplates"}
_QUEUE_URI = re.compile(r"arn:[^:]+:apigateway:[^:]+:sqs:path/(?P<path>\d+/[\w-]+)")
_HEADER_PARAMETER = "integration.request.header."

_VARIABLES = {
    "input.body",
    "input.params",
    "util.urlEncode",
    "util.urlDecode",
    "util.base64Encode",
    "context.apiId",
    "context.httpMethod",
    "context.path",
    "context.requestId",
    "context.stage",
}

_GATEWAY_RESPONSES = {
    "INVALID_API_KEY": (403, "Forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "BAD_REQUEST_BODY": (400, "Invalid request body"),
    "BAD_REQUEST_PARAMETERS": (400, "Missing required request parameters"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type"),
    "THROTTLED": (429, "Too Many Requests"),
    "INTEGRATION_FAILURE": (504, "Network error communicating with endpoint"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error"),
}


class _RefusedError(Exception):
    """The gateway answers by itself, with one of its gateway responses."""

    def __init__(self, kind: str, details: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.details = details


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def parameter(self, name: str) -> str:
        """Look in the query string and then in the headers; no path of ours has parameters."""
        return self.query.get(name, self.headers.get(name.lower(), ""))

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "application/json").split(";")[0].strip().lower()


@dataclass(frozen=True)
class _Response:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Gateway:
    """Serves one REST API on a loopback port."""

    def __init__(
        self, api: RestApi, *, account: Account, usage_plans: list[UsagePlan], api_keys: Mapping[str, str]
    ) -> None:
        """Read the API's definition. Raises UnsupportedTemplateError for what this gateway does not know."""
        check_definition(api.definition)
        self._api = api
        self._account = account
        self.take_keys(usage_plans, api_keys)
        self._session = requests.Session()
        self._session.trust_env = False
        self._server: _Front | None = None

    def take_keys(self, usage_plans: list[UsagePlan], api_keys: Mapping[str, str]) -> None:
        """Accept these keys from now on, and no others."""
        self._keys = _KeyRing(self._api.api_id, usage_plans, api_keys)

    @property
    def host(self) -> str:
        return f"{self._api.api_id}.execute-api.{self._account.region}.amazonaws.com"

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("The gateway is not running")
        return f"http://{self._server.address}"

    def start(self) -> None:
        self._server = _Front(self._answer)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        self._session.close()

    def _answer(self, request: _Request) -> _Response:
        try:
            stage, operation = self._route(request)
            self._check_key(request, stage, operation)
            if len(request.body) > MAXIMUM_PAYLOAD_BYTES:
                return self._gateway_response("REQUEST_TOO_LARGE")
            self._validate(request, operation)
            return self._integrate(request, stage, operation[f"{_EXTENSION}integration"])
        except _RefusedError as refusal:
            return self._gateway_response(refusal.kind, refusal.details)

    def _route(self, request: _Request) -> tuple[str, Mapping[str, Any]]:
        stage, _, path = request.path.removeprefix("/").partition("/")
        operation = self._api.definition["paths"].get(f"/{path}", {}).get(request.method.lower())
        if stage not in self._api.stages or operation is None:
            raise _RefusedError("MISSING_AUTHENTICATION_TOKEN")
        return stage, operation

    def _check_key(self, request: _Request, stage: str, operation: Mapping[str, Any]) -> None:
        if operation.get("security"):
            self._keys.use(request.headers.get("x-api-key"), stage)

    def _validate(self, request: _Request, operation: Mapping[str, Any]) -> None:
        name = operation.get(f"{_EXTENSION}request-validator")
        validator = self._api.definition[f"{_EXTENSION}request-validators"][name] if name is not None else {}
        if validator.get("validateRequestParameters"):
            self._validate_parameters(request, operation)
        if validator.get("validateRequestBody"):
            self._validate_body(request, operation)

    def _validate_parameters(self, request: _Request, operation: Mapping[str, Any]) -> None:
        required = [item["name"] for item in operation.get("parameters", []) if item.get("required")]
        missing = [name for name in required if not request.query.get(name)]
        if missing:
            raise _RefusedError("BAD_REQUEST_PARAMETERS", f": [{', '.join(missing)}]")

    def _validate_body(self, request: _Request, operation: Mapping[str, Any]) -> None:
        content = operation.get("requestBody", {}).get("content", {})
        if request.media_type not in content:
            return
        schema = {**content[request.media_type]["schema"], "components": self._api.definition.get("components", {})}
        try:
            jsonschema.Draft4Validator(schema).validate(json.loads(request.body))
        except (ValueError, jsonschema.ValidationError):
            raise _RefusedError("BAD_REQUEST_BODY") from None

    def _integrate(self, request: _Request, stage: str, integration: Mapping[str, Any]) -> _Response:
        template = integration["requestTemplates"].get(request.media_type)
        if template is None:
            # passthroughBehavior `never`, the only one that check_definition lets by.
            raise _RefusedError("UNSUPPORTED_MEDIA_TYPE")
        request_id = str(uuid.uuid4())
        context = self._context(request, stage, request_id)
        body = render(template, request.body.decode("utf-8", "replace"), context, request.parameter)
        status, answer = self._call_queue(integration, body)
        for pattern, mapping in sorted(integration["responses"].items(), key=lambda item: item[0] == "default"):
            if pattern == "default" or re.fullmatch(pattern, str(status)):
                templates = mapping.get("responseTemplates", {})
                text = render(templates["application/json"], answer, {}) if templates else answer
                return _Response(int(mapping["statusCode"]), text, {"x-amzn-RequestId": request_id})
        raise _RefusedError("API_CONFIGURATION_ERROR")

    def _context(self, request: _Request, stage: str, request_id: str) -> dict[str, str]:
        return {
            "apiId": self._api.api_id,
            "httpMethod": request.method,
            "path": request.path,
            "requestId": request_id,
            "stage": stage,
        }

    def _call_queue(self, integration: Mapping[str, Any], body: str) -> tuple[int, str]:
        """Send the rendered body to SQS exactly as it is, signed with the integration's role."""
        match = _QUEUE_URI.fullmatch(integration["uri"])
        if match is None:
            raise _RefusedError("API_CONFIGURATION_ERROR")
        try:
            credentials = self._account.assume_role(
                integration["credentials"], "apigateway.amazonaws.com", "BackplaneAssumeRoleSession"
            )
        except AwsError:
            raise _RefusedError("API_CONFIGURATION_ERROR") from None
        headers = {
            name.removeprefix(_HEADER_PARAMETER): value.strip("'")
            for name, value in integration.get("requestParameters", {}).items()
        }
        method, url = integration["httpMethod"], f"{self._account.endpoint_url}/{match['path']}"
        signed = AWSRequest(method=method, url=url, data=body.encode(), headers=headers)
        _sign(signed, credentials, self._account.region)
        timeout_seconds = integration.get("timeoutInMillis", 29_000) / 1000
        try:
            response = self._session.request(
                method, url, headers=dict(signed.headers), data=body.encode(), timeout=timeout_seconds
            )
        except requests.Timeout:
            raise _RefusedError("INTEGRATION_TIMEOUT") from None
        except requests.ConnectionError:
            raise _RefusedError("INTEGRATION_FAILURE") from None
        return response.status_code, response.text

    def _gateway_response(self, kind: str, details: str = "") -> _Response:
        status, message = _GATEWAY_RESPONSES[kind]
        responses = self._api.definition.get(f"{_EXTENSION}gateway-responses", {})
        custom = responses.get(kind) or responses.get("DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX") or {}
        body = custom.get("responseTemplates", {}).get("application/json", json.dumps({"message": message + details}))
        return _Response(int(custom.get("statusCode", status)), body, {"x-amzn-ErrorType": kind})


class _KeyRing:
    """The API keys of the usage plans of one API, each with its own allowance."""

    def __init__(self, api_id: str, plans: list[UsagePlan], api_keys: Mapping[str, str]) -> None:
        self._buckets = {
            (api_keys[key_id], stage): _TokenBucket(plan.rate_per_second, plan.burst)
            for plan in plans
            for plan_api_id, stage in plan.stages
            if plan_api_id == api_id
            for key_id in plan.key_ids
            if key_id in api_keys
        }

    def use(self, key: str | None, stage: str) -> None:
        bucket = self._buckets.get((key or "", stage))
        if bucket is None:
            raise _RefusedError("INVALID_API_KEY")
        if not bucket.take():
            raise _RefusedError("THROTTLED")


class _TokenBucket:
    def __init__(self, rate_per_second: float | None, burst: int | None) -> None:
        self._rate_per_second = rate_per_second
        self._burst = burst or 0
        self._tokens = float(self._burst)
        self._filled_at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        if self._rate_per_second is None:
            return True
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_second)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def check_definition(definition: Mapping[str, Any]) -> None:
    """Raise UnsupportedTemplateError for anything in an API's definition that the gateway would not honour."""
    _refuse_unknown("API definition", definition, _DEFINITION_KEYS)
    _refuse_unknown("components", definition.get("components", {}), _COMPONENT_KEYS)
    if definition.get(f"{_EXTENSION}api-key-source", "HEADER") != "HEADER":
        raise UnsupportedTemplateError("API key source other than HEADER")
    for name, scheme in definition.get("components", {}).get("securitySchemes", {}).items():
        if scheme != {"type": "apiKey", "name": "x-api-key", "in": "header"}:
            raise UnsupportedTemplateError(f"security scheme {name}")
    gateway_responses = definition.get(f"{_EXTENSION}gateway-responses", {})
    _refuse_unknown(
        "gateway responses", gateway_responses, {*_GATEWAY_RESPONSES, "DEFAULT_4XX", "DEFAULT_5XX", "QUOTA_EXCEEDED"}
    )
    for name, response in gateway_responses.items():
        _refuse_unknown(f"gateway response {name}", response, _RESPONSE_KEYS)
    for name, validator in definition.get(f"{_EXTENSION}request-validators", {}).items():
        _refuse_unknown(f"request validator {name}", validator, _VALIDATOR_KEYS)
    for path, methods in definition["paths"].items():
        for method, operation in methods.items():
            _check_operation(f"{method} {path}", operation, definition)


def _check_operation(name: str, operation: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    _refuse_unknown(name, operation, _OPERATION_KEYS)
    schemes = definition.get("components", {}).get("securitySchemes", {})
    for requirement in operation.get("security", []):
        _refuse_unknown(f"{name} security", requirement, set(schemes))
    validator = operation.get(f"{_EXTENSION}request-validator")
    if validator is not None and validator not in definition.get(f"{_EXTENSION}request-validators", {}):
        raise UnsupportedTemplateError(f"{name}: request validator {validator} is not defined")
    for parameter in operation.get("parameters", []):
        _refuse_unknown(f"{name} parameter", parameter, _PARAMETER_KEYS)
        if (parameter["in"], parameter["schema"]) != ("query", {"type": "string"}):
            raise UnsupportedTemplateError(f"{name}: parameter {parameter['name']} is no text of the query string")
    integration = operation[f"{_EXTENSION}integration"]
    _refuse_unknown(f"{name} integration", integration, _INTEGRATION_KEYS)
    if integration["type"].lower() != "aws" or not _QUEUE_URI.fullmatch(integration["uri"]):
        raise UnsupportedTemplateError(f"{name}: only integrations of type aws with an SQS queue")
    if integration["passthroughBehavior"].lower() != "never":
        raise UnsupportedTemplateError(f"{name}: passthroughBehavior {integration['passthroughBehavior']}")
    for parameter, value in integration.get("requestParameters", {}).items():
        if not parameter.startswith(_HEADER_PARAMETER) or not re.fullmatch("'[^']*'", value):
            raise UnsupportedTemplateError(f"{name}: request parameter {parameter} = {value}")
    for template in integration["requestTemplates"].values():
        _check_mapping_template(name, template)
    for pattern, response in integration["responses"].items():
        _refuse_unknown(f"{name} integration response {pattern}", response, _RESPONSE_KEYS)
        if response["statusCode"] not in operation["responses"]:
            raise UnsupportedTemplateError(f"{name}: no method response for {response['statusCode']}")


def _refuse_unknown(what: str, names: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(names.keys() - known)
    if unknown:
        raise UnsupportedTemplateError(f"{what}: {', '.join(unknown)}")


def _check_mapping_template(name: str, template: str) -> None:
    """Refuse variables that are not provided: in the request their names would stand as text."""
    for variable in re.findall(r"\$!?\{?([\w-]+(?:\.[\w-]+)?)", template):
        if variable not in _VARIABLES:
            raise UnsupportedTemplateError(f"{name}: ${variable} in a mapping template")
    if re.search(r"input\.params(?!\('[^']+'\))", template):
        raise UnsupportedTemplateError(f"{name}: $input.params without a name in a mapping template")


def render(template: str, body: str, context: Mapping[str, str], parameter: Callable[[str], str] = lambda _: "") -> str:
    """Execute a mapping template (Velocity) with `$input.body`, `$input.params`, `$util` and `$context`."""
    rendered: str = airspeed.Template(template).merge(
        {"input": _Input(body, parameter), "util": _Util(), "context": dict(context)}
    )
    return rendered


@dataclass(frozen=True)
class _Input:
    """$input: the request's body, as text, and its parameters, empty where they are missing."""

    body: str
    params: Callable[[str], str]


def _java_url_encode(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


class _Util:
    """$util, with the encodings of Java, in which API Gateway is written."""

    urlEncode = staticmethod(_java_url_encode)
    urlDecode = staticmethod(unquote_plus)

    @staticmethod
    def base64Encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode()


def _sign(request: AWSRequest, credentials: Credentials, region: str) -> None:
    keys = BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    SigV4Auth(keys, "sqs", region).add_auth(request)


class _Front(Server):
    def __init__(self, respond: Callable[[_Request], _Response]) -> None:
        super().__init__(_FrontHandler)
        self.respond = respond


class _FrontHandler(Handler):
    server: _Front

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        request = _Request(
            self.command, path, dict(parse_qsl(query, keep_blank_values=True)), headers, self.read_body()
        )
        response = self.server.respond(request)
        self.answer(response.status, response.body.encode(), response.headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle
