"""What stands between the network and moto: who asks, may they, and would AWS have accepted it?"""

import io
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from tests.sandbox import strictness
from tests.sandbox.calls import AwsError, Call, HttpRequest, render_error
from tests.sandbox.interference import Answers, LostError, Refuse, Spoil
from tests.sandbox.permissions import Permission, circumstances, needed_permissions
from tests.sandbox.signatures import Signature, check_signature, read_signature
from werkzeug.wrappers import Response

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# Answers a call; the text is the access key of whoever makes it.
Intercept = Callable[[Call, str, Answers[Response]], Response]

_TOLD_TO_FAIL = "The sandbox was told to fail this call"
# In moto a call of these may come between two steps of another one: a condition and its write, an object and its etag.
_ONE_CALL_AT_A_TIME = ("dynamodb", "s3")


@dataclass(frozen=True)
class Caller:
    """The owner of an access key."""

    arn: str
    secret_access_key: str
    session_token: str | None


class Authority(Protocol):
    """What the guard asks the account."""

    account_id: str
    region: str

    def caller(self, access_key_id: str) -> Caller:
        """Raise AwsError for a key that does not exist or has expired."""

    def complete(self, call: Call) -> Call:
        """Put full names in the place of short ones."""

    def is_permitted(
        self, caller_arn: str, permission: Permission, circumstances: Mapping[str, str] = MappingProxyType({})
    ) -> bool: ...

    def after_call(self) -> None:
        """Do what the call has set off."""


@dataclass(frozen=True)
class Fault:
    """A trouble of one service: calls are late, and fail unless `status` is None."""

    service: str
    operation: str
    status: int | None
    code: str
    delay_seconds: float


class Guard:
    """Answers requests, the permitted ones with moto's WSGI application."""

    def __init__(self, authority: Authority, moto: WsgiApplication) -> None:
        self._authority = authority
        self._moto = moto
        self._faults: list[Fault] = []
        self._intercept: Intercept = _let_be
        self._used: dict[str, set[Permission]] = {}
        self._used_lock = threading.Lock()
        self._turns = {service: threading.Lock() for service in _ONE_CALL_AT_A_TIME}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Release the calls that a fault delays."""
        self._stopped.set()

    def turn(self, service: str) -> AbstractContextManager[Any]:
        """Keep moto's other calls of the service waiting while the context is open, where they would do harm."""
        return self._turns.get(service, nullcontext())

    def used_permissions(self) -> dict[str, set[Permission]]:
        """Return what was permitted to each caller so far, by the caller's ARN."""
        with self._used_lock:
            return {arn: set(permissions) for arn, permissions in self._used.items()}

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let matching calls suffer while the context is open. The operation `*` matches all of the service."""
        self._faults.append(fault)
        try:
            yield
        finally:
            self._faults.remove(fault)

    @contextmanager
    def intercept(self, intercept: Intercept) -> Iterator[None]:
        """Let another one answer the permitted calls while the context is open; the last that came is asked."""
        before, self._intercept = self._intercept, intercept
        try:
            yield
        finally:
            self._intercept = before

    def answer(self, environ: dict[str, Any]) -> Response:
        """Read the whole request, and answer it. Raises LostError where nobody answers."""
        request = _read(environ)
        try:
            signature = read_signature(request)
            call, caller = self._admit(request, signature)
            self._suffer(call)
            answers = Answers(
                carry_out=partial(self._carry_out, environ, request, call, caller),
                refuse=partial(_refused, request),
                spoil=_spoiled,
                wait=self._stopped.wait,
            )
            if signature.is_presigned:
                # Whoever holds the link asks, not the one who signed it.
                _sign_by_header(environ, request, signature)
                return answers.carry_out()
            return self._intercept(call, signature.scope.access_key_id, answers)
        except AwsError as error:
            return _error_response(error, request)
        finally:
            self._authority.after_call()

    def _admit(self, request: HttpRequest, signature: Signature) -> tuple[Call, Caller]:
        caller = self._authority.caller(signature.scope.access_key_id)
        if signature.session_token != caller.session_token:
            raise AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.")
        check_signature(request, signature, caller.secret_access_key, self._authority.region)
        call = self._authority.complete(Call.parse(request, signature.scope))
        for permission in needed_permissions(call, self._authority.account_id):
            if not self._may(caller, permission, circumstances(call)):
                raise _access_denied(call, caller, permission)
        for refuse in strictness.REFUSALS:
            refuse(call)
        return call, caller

    def _carry_out(self, environ: dict[str, Any], request: HttpRequest, call: Call, caller: Caller) -> Response:
        with self.turn(call.service):
            response = Response.from_app(self._moto, environ, buffered=True)
        try:
            strictness.refuse_to_tell_missing_from_forbidden(
                call, response.status_code, may_list=partial(self._may_list, call, caller)
            )
        except AwsError as error:
            return _error_response(error, request)
        return response

    def _may_list(self, call: Call, caller: Caller) -> bool:
        return self._may(caller, ("s3:ListBucket", f"arn:aws:s3:::{call.parameters['Bucket']}"))

    def _may(
        self, caller: Caller, permission: Permission, circumstances: Mapping[str, str] = MappingProxyType({})
    ) -> bool:
        if not self._authority.is_permitted(caller.arn, permission, circumstances):
            return False
        with self._used_lock:
            self._used.setdefault(caller.arn, set()).add(permission)
        return True

    def _suffer(self, call: Call) -> None:
        for fault in list(self._faults):
            if fault.service == call.service and fault.operation in ("*", call.operation):
                self._stopped.wait(fault.delay_seconds)
                if fault.status is not None:
                    raise AwsError(fault.code, _TOLD_TO_FAIL, fault.status)


def _let_be(call: Call, access_key_id: str, answers: Answers[Response]) -> Response:
    return answers.carry_out()


def _access_denied(call: Call, caller: Caller, permission: Permission) -> AwsError:
    action, resource = permission
    message = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
    if call.protocol == "json" and call.service != "sqs":
        return AwsError("AccessDeniedException", message)
    return AwsError("AuthorizationError" if call.service == "sns" else "AccessDenied", message, 403)


def _read(environ: dict[str, Any]) -> HttpRequest:
    """Read the request and put the body back for moto. Raises LostError where the sender ends in the middle of it."""
    stream = environ["wsgi.input"]
    length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    try:
        body = stream.read(length)
    except ConnectionError as fault:
        raise LostError from fault
    if length and len(body) < length:
        raise LostError
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return HttpRequest(environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, body)


def _sign_by_header(environ: dict[str, Any], request: HttpRequest, signature: Signature) -> None:
    """Tell moto in a header who has asked: it treats a presigned request as an anonymous one."""
    scope = signature.scope
    credential = f"{scope.access_key_id}/{scope.date}/{scope.region}/{scope.service}/aws4_request"
    environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=verified"
    kept = [part for part in request.query_string.split("&") if not part.lower().startswith("x-amz-")]
    environ["QUERY_STRING"] = "&".join(kept)
    environ["REQUEST_URI"] = environ["RAW_URI"] = request.path + ("?" + "&".join(kept) if kept else "")


def _error_response(error: AwsError, request: HttpRequest) -> Response:
    request_id = str(uuid.uuid4())
    content_type, body = render_error(error, request.protocol, request_id)
    return Response(
        b"" if request.method == "HEAD" else body,
        status=error.status,
        content_type=content_type,
        headers={"x-amzn-requestid": request_id, "x-amz-request-id": request_id},
    )


def _refused(request: HttpRequest, refusal: Refuse) -> Response:
    response = _error_response(AwsError(refusal.code, _TOLD_TO_FAIL, refusal.status), request)
    response.headers.update(refusal.headers)
    return response


def _spoiled(spoiled: Spoil) -> Response:
    return Response(spoiled.body, status=spoiled.status, headers=spoiled.sent_headers)
