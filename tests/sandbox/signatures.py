"""Verify AWS Signature Version 4, in the Authorization header and in presigned URLs.

Written from the published algorithm, so that a URL which botocore signs wrongly for AWS is refused here too.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from tests.sandbox.calls import AwsError, CredentialScope, HttpRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
_SEVEN_DAYS_SECONDS = 604_800
_PRESIGNED_PARAMETERS = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")


@dataclass(frozen=True)
class Signature:
    """A request's claim about who sent it."""

    scope: CredentialScope
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    session_token: str | None
    expires_seconds: int | None = None

    @property
    def is_presigned(self) -> bool:
        return self.expires_seconds is not None


def read_signature(request: HttpRequest) -> Signature:
    """Find the signature in header or query.

    Raises AwsError for an anonymous request and for Signature Version 2, which S3 accepts in no region opened
    since 2014.
    """
    authorization = request.headers.get("authorization", "")
    query = request.query
    if authorization.startswith(_ALGORITHM):
        return _from_header(request, authorization)
    if query.get("X-Amz-Algorithm") == _ALGORITHM:
        return _from_query(query)
    if authorization.startswith("AWS ") or "AWSAccessKeyId" in query:
        raise AwsError(
            "InvalidRequest",
            f"The authorization mechanism you have provided is not supported. Please use {_ALGORITHM}.",
        )
    raise AwsError("AccessDenied", "Access Denied", 403)


def _from_header(request: HttpRequest, authorization: str) -> Signature:
    fields = dict(re.findall(r"(\w+)=([^,\s]+)", authorization))
    if not {"Credential", "SignedHeaders", "Signature"} <= fields.keys() or "x-amz-date" not in request.headers:
        raise AwsError("AuthorizationHeaderMalformed", "The authorization header is malformed")
    return Signature(
        scope=CredentialScope.parse(fields["Credential"]),
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        value=fields["Signature"],
        timestamp=request.headers["x-amz-date"],
        session_token=request.headers.get("x-amz-security-token"),
    )


def _from_query(query: dict[str, str]) -> Signature:
    missing = [name for name in _PRESIGNED_PARAMETERS if name not in query]
    if missing or not query["X-Amz-Expires"].isdecimal() or not _TIMESTAMP.fullmatch(query["X-Amz-Date"]):
        raise AwsError("AuthorizationQueryParametersError", f"Query parameters missing or malformed: {missing}")
    if int(query["X-Amz-Expires"]) > _SEVEN_DAYS_SECONDS:
        raise AwsError("AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds)")
    return Signature(
        scope=CredentialScope.parse(query["X-Amz-Credential"]),
        signed_headers=tuple(query["X-Amz-SignedHeaders"].split(";")),
        value=query["X-Amz-Signature"],
        timestamp=query["X-Amz-Date"],
        session_token=query.get("X-Amz-Security-Token"),
        expires_seconds=int(query["X-Amz-Expires"]),
    )


def check_signature(request: HttpRequest, signature: Signature, secret_access_key: str, region: str) -> None:
    """Raise AwsError unless the signature is the right one for this request, for this region, and not expired."""
    # IAM is one for all regions.
    if signature.scope.region != region and signature.scope.service != "iam":
        raise AwsError(
            "AuthorizationQueryParametersError" if signature.is_presigned else "AuthorizationHeaderMalformed",
            f"the region '{signature.scope.region}' is wrong; expecting '{region}'",
        )
    if signature.expires_seconds is not None:
        signed_at = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if datetime.now(UTC) > signed_at + timedelta(seconds=signature.expires_seconds):
            raise AwsError("AccessDenied", "Request has expired", 403)
    expected = _signature(request, signature, secret_access_key)
    if not hmac.compare_digest(expected, signature.value):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            403,
        )


def _signature(request: HttpRequest, signature: Signature, secret_access_key: str) -> str:
    scope = signature.scope
    canonical = hashlib.sha256(_canonical_request(request, signature).encode()).hexdigest()
    scope_text = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{signature.timestamp}\n{scope_text}\n{canonical}"
    key = f"AWS4{secret_access_key}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _canonical_request(request: HttpRequest, signature: Signature) -> str:
    path = request.path or "/"
    if signature.scope.service != "s3":
        path = quote(path, safe="/-_.~")  # Every service but S3 encodes the path a second time.
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signature.signed_headers
    )
    signed_names = ";".join(signature.signed_headers)
    return (
        f"{request.method}\n{path}\n{_canonical_query(request)}\n{headers}\n{signed_names}\n"
        f"{_payload_hash(request, signature)}"
    )


def _canonical_query(request: HttpRequest) -> str:
    pairs = (part.partition("=")[::2] for part in request.query_string.split("&") if part)
    return "&".join(sorted(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature"))


def _payload_hash(request: HttpRequest, signature: Signature) -> str:
    if signature.is_presigned:
        return "UNSIGNED-PAYLOAD"
    actual = hashlib.sha256(request.body).hexdigest()
    declared = request.headers.get("x-amz-content-sha256", actual)
    if re.fullmatch("[0-9a-f]{64}", declared) and declared != actual:
        raise AwsError("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match")
    return declared
