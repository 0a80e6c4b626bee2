"""The AWS calls that reach the sandbox's account: read from HTTP, refused as AWS refuses them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

Protocol = Literal["json", "query", "rest"]

_OBJECT_OPERATIONS = {
    ("GET", None): "GetObject",
    ("HEAD", None): "HeadObject",
    ("PUT", None): "PutObject",
    ("DELETE", None): "DeleteObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
}
_BUCKET_OPERATIONS = {
    ("GET", None): "ListObjects",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("HEAD", None): "HeadBucket",
    ("PUT", None): "CreateBucket",
    ("DELETE", None): "DeleteBucket",
    ("POST", "delete"): "DeleteObjects",
}


_SES_PATH = "/v2/email/"


class AwsError(Exception):
    """An error answer of an AWS service."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class CredentialScope:
    """Where a SigV4 signature is valid."""

    access_key_id: str
    date: str
    region: str
    service: str

    @classmethod
    def parse(cls, credential: str) -> "CredentialScope":
        try:
            access_key_id, date, region, service, terminator = credential.split("/")
        except ValueError:
            raise AwsError("AuthorizationHeaderMalformed", f"Credential {credential!r} is malformed") from None
        if terminator != "aws4_request":
            raise AwsError("AuthorizationHeaderMalformed", f"Credential {credential!r} is malformed")
        return cls(access_key_id, date, region, service)


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request as it came over the wire: path and query undecoded, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        return self.target.partition("?")[2]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def protocol(self) -> Protocol:
        """The protocol in which the service wants its answer."""
        if "x-amz-target" in self.headers or self.path.startswith(_SES_PATH):
            return "json"
        is_form = self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return "query" if is_form else "rest"


@dataclass(frozen=True)
class Call:
    """One call of one operation of one service."""

    service: str
    operation: str
    region: str
    protocol: Protocol
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, request: HttpRequest, scope: CredentialScope) -> "Call":
        """Find out what is asked. Raises AwsError for a body that cannot be read."""
        service, protocol = scope.service, request.protocol
        if service == "s3":
            operation, parameters = _s3_call(request)
        elif service == "ses":
            operation, parameters = _ses_call(request)
        elif protocol == "json":
            operation = request.headers["x-amz-target"].split(".")[-1]
            parameters = _json_object(request.body)
        elif protocol == "query":
            form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
            # A queue may be named by the path alone.
            operation, parameters = form.get("Action", ""), {"QueueUrl": request.path, **form}
        elif "/operation/" in request.path:
            operation, parameters = request.path.rsplit("/", 1)[-1], {}
        else:
            operation, parameters = f"{request.method} {request.path}", {}
        return cls(service, operation, scope.region, protocol, parameters)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        raise AwsError("SerializationException", "The body is not JSON") from None
    if not isinstance(content, dict):
        raise AwsError("SerializationException", "The body is not a JSON object")
    return content


def _s3_call(request: HttpRequest) -> tuple[str, Mapping[str, Any]]:
    bucket, _, key = unquote(request.path.removeprefix("/")).partition("/")
    # An argument without a value (?versioning) chooses another operation on the same bucket or object.
    subresources = [part for part in request.query_string.split("&") if part and "=" not in part]
    arguments = request.query.keys() | set(subresources)
    parameters = {
        "Bucket": bucket,
        "Key": key,
        "VersionId": request.query.get("versionId", ""),
        "CopySource": request.headers.get("x-amz-copy-source", ""),
        "Tagging": request.headers.get("x-amz-tagging", ""),
    }
    if not bucket:
        return "ListBuckets", {}
    known = _OBJECT_OPERATIONS if key else _BUCKET_OPERATIONS
    for (method, argument), operation in known.items():
        if method == request.method and argument in arguments:
            return operation, parameters
    if (request.method, None) in known and not subresources:
        return known[request.method, None], parameters
    return f"{request.method} {'&'.join(subresources)}", parameters


def _ses_call(request: HttpRequest) -> tuple[str, Mapping[str, Any]]:
    match request.method, unquote(request.path).removeprefix(_SES_PATH).split("/"):
        case "POST", ["outbound-emails"]:
            return "SendEmail", _json_object(request.body)
        case "POST", ["identities"]:
            return "CreateEmailIdentity", _json_object(request.body)
        case "GET", ["identities", identity]:
            return "GetEmailIdentity", {"EmailIdentity": identity}
        case "GET", ["account"]:
            return "GetAccount", {}
    return f"{request.method} {request.path}", {}


def render_error(error: AwsError, protocol: Protocol, request_id: str) -> tuple[str, bytes]:
    """Return content type and body of an error answer in the service's own protocol."""
    fields = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    request = f"<RequestId>{request_id}</RequestId>"
    match protocol:
        case "json":
            body = json.dumps({"__type": error.code, "message": error.message})
            return "application/x-amz-json-1.0", body.encode()
        case "query":
            body = f"<ErrorResponse><Error><Type>Sender</Type>{fields}</Error>{request}</ErrorResponse>"
            return "text/xml", body.encode()
        case "rest":
            return "application/xml", f"<Error>{fields}{request}</Error>".encode()
