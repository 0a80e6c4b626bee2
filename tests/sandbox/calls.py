"""The AWS calls that reach the sandbox's account: read from HTTP, refused as AWS refuses them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

Protocol = Literal["json", "query", "s3", "rest"]

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
        if scope.service == "s3":
            operation, parameters = _s3_call(request)
            return cls("s3", operation, scope.region, "s3", parameters)
        if target := request.headers.get("x-amz-target"):
            return cls(scope.service, target.split(".")[-1], scope.region, "json", _json_object(request.body))
        if "/operation/" in request.path:
            return cls(scope.service, request.path.rsplit("/", 1)[-1], scope.region, "rest")
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
            if scope.service == "sqs":
                form.setdefault("QueueUrl", request.path)
            return cls(scope.service, form.get("Action", ""), scope.region, "query", form)
        return cls(scope.service, f"{request.method} {request.path}", scope.region, "rest")


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
    parameters = {"Bucket": bucket, "Key": key, "CopySource": request.headers.get("x-amz-copy-source", "")}
    if not bucket:
        return "ListBuckets", {}
    known = _OBJECT_OPERATIONS if key else _BUCKET_OPERATIONS
    for (method, argument), operation in known.items():
        if method == request.method and argument in arguments:
            return operation, parameters
    if (request.method, None) in known and not subresources:
        return known[request.method, None], parameters
    return f"{request.method} {'&'.join(subresources)}", parameters


def render_error(error: AwsError, protocol: Protocol, request_id: str) -> tuple[str, bytes]:
    """Return content type and body of an error answer in the service's own protocol."""
    match protocol:
        case "json":
            body = json.dumps({"__type": error.code, "message": error.message})
            return "application/x-amz-json-1.0", body.encode()
        case "s3":
            fields = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message><RequestId>{request_id}</RequestId>"
            return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{fields}</Error>'.encode()
        case _:
            fields = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            body = f"<ErrorResponse><Error>{fields}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            return "text/xml", body.encode()
