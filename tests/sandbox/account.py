"""One AWS account in one region: moto behind a guard, on a loopback port."""

import os
import re
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from unittest import mock

from botocore.config import Config
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import unix_time_millis
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.iam.access_control import PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket, s3_backends
from moto.s3.responses import S3Response
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import Topic, sns_backends
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends
from moto.sts.models import sts_backends
from tests.sandbox import speed, subscriptions
from tests.sandbox.calls import AwsError, Call
from tests.sandbox.cloudformation import CloudFormation
from tests.sandbox.eventbridge import EventBridge
from tests.sandbox.guard import Caller, Fault, Guard, Intercept
from tests.sandbox.http_server import InThread
from tests.sandbox.interference import LostError
from tests.sandbox.permissions import Permission
from tests.sandbox.policies import Policy, Principal, Question, is_permitted
from tests.sandbox.ses import Ses
from tests.sandbox.session import isolated_session
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.wrappers import Response

_one_account = threading.Lock()
# How to answer for a service: its routes take long to make, and what it knows is not kept with them.
_backend_app = cache(create_backend_app)

# Where a message says when, in milliseconds. `received_at` is not moto's own.
_MESSAGE_TIMES = ("sent_timestamp", "approximate_first_receive_timestamp", "received_at", "delayed_until", "visible_at")
_ITEM_TIME = re.compile(r".+_(at|until)|expiration|in_progress_expiration")
_ITEM_TIME_IN_MILLISECONDS = "in_progress_expiration"


@dataclass(frozen=True)
class Credentials:
    """Keys of somebody who may call the account."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class Account:
    """The services, their state, and who may do what.

    moto's state belongs to the process, so a process has one running account at a time.
    """

    account_id = DEFAULT_ACCOUNT_ID
    partition = "aws"

    def __init__(self, region: str, *, enforce_iam: bool = True) -> None:
        self.region = region
        self.administrator = Credentials("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
        self._administrator_arn = f"arn:{self.partition}:iam::{self.account_id}:root"
        self._enforce_iam = enforce_iam
        self.eventbridge = EventBridge(self.account_id, region, self._send_as_eventbridge)
        self.ses = Ses(DomainDispatcherApplication(_backend_app), self.account_id, region)
        self.cloudformation = CloudFormation(self.ses)
        self._guard = Guard(self, self.cloudformation)
        self._resources = ExitStack()
        self._server: _Server | None = None

    def start(self) -> None:
        """Serve. Raises RuntimeError while another account of this process runs."""
        if not _one_account.acquire(blocking=False):
            raise RuntimeError("This process runs a sandbox already; stop that one first")
        self._resources.callback(_one_account.release)
        try:
            self._serve()
        except BaseException:
            self.stop()
            raise

    def _serve(self) -> None:
        moto_api_backend.reset()
        self._resources.callback(moto_api_backend.reset)
        for patch in self._moto_patches():
            self._resources.enter_context(patch)
        server = _Server(self._guard)
        server.start()
        self._resources.callback(server.stop)
        self._resources.callback(self._guard.stop)
        self._server = server

    def stop(self) -> None:
        """Stop serving and forget everything."""
        self._resources.close()

    def _moto_patches(self) -> list[AbstractContextManager[Any]]:
        get_bucket_notification = _with_eventbridge(S3Response.get_bucket_notification)
        receive_message = _with_named_queue_locked(SQSBackend.receive_message)
        change_visibility = _counting_from_receipt(SQSBackend.change_message_visibility)
        return [
            *speed.patches(),
            *subscriptions.patches(self._may_notify),
            _without_aws_profile(),
            mock.patch("moto.s3.notifications._send_event_bridge_message", self.eventbridge.object_event),
            # moto takes a Deny with a condition, such as "TLS only", for a Deny; the guard decides instead.
            mock.patch.object(FakeBucket, "get_permission", return_value=PermissionResult.NEUTRAL),
            # moto knows whether a bucket tells EventBridge of its objects, and does not say so.
            mock.patch.object(S3Response, "get_bucket_notification", get_bucket_notification),
            # moto rewrites a queue's list to delete from it, and forgets what was sent meanwhile.
            mock.patch.object(Queue, "delete_message", _with_queue_locked(Queue.delete_message)),
            mock.patch.object(SQSBackend, "receive_message", receive_message),
            # moto counts the twelve hours for which a message may be hidden from its sending, AWS from its receipt.
            mock.patch.object(Message, "mark_received", _noting_the_receipt(Message.mark_received)),
            mock.patch.object(SQSBackend, "change_message_visibility", change_visibility),
        ]

    @property
    def endpoint_url(self) -> str:
        if self._server is None:
            raise RuntimeError("The account is not running")
        return f"http://{self._server.address}"

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """Make a boto3 client; of the administrator unless credentials are given.

        The user's own AWS configuration and proxies are left out of it.
        """
        credentials = credentials or self.administrator
        signature_version = "s3v4" if service == "s3" else "v4"
        return isolated_session(self.region).client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(proxies={}, retries={"total_max_attempts": 1}, signature_version=signature_version),
        )

    def fault(self, fault: Fault) -> AbstractContextManager[None]:
        """Let matching calls be late or fail while the context is open."""
        return self._guard.fault(fault)

    def intercept(self, intercept: Intercept) -> AbstractContextManager[None]:
        """Let another one answer the permitted calls while the context is open."""
        return self._guard.intercept(intercept)

    # Who asks.

    def caller(self, access_key_id: str) -> Caller:
        if access_key_id == self.administrator.access_key_id:
            return Caller(self._administrator_arn, self.administrator.secret_access_key, None)
        session = sts_backends[self.account_id][self.partition].get_assumed_role_from_access_key(access_key_id)
        if session is None:
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise AwsError("InvalidAccessKeyId", message, 403)
        if session.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
            raise AwsError("ExpiredToken", "The provided token has expired.")
        return Caller(session.arn, session.secret_access_key, session.session_token)

    def assume_role(self, role_arn: str, service: str, session_name: str) -> Credentials:
        """Give an AWS service the role's credentials. Raises AwsError if the role's trust policy does not."""
        role = self._role(role_arn)
        question = Question(Principal("Service", service), "sts:AssumeRole", role_arn, self._context())
        if not is_permitted(question, identity=[Policy(role.assume_role_policy_document)]):
            raise AwsError("AccessDenied", f"{service} may not assume {role_arn}", 403)
        session = sts_backends[self.account_id][self.partition].assume_role(
            region_name=self.region,
            role_session_name=session_name,
            role_arn=role_arn,
            policy="",
            duration=43_200,
            external_id="",
        )
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)

    # May they.

    def is_permitted(
        self, caller_arn: str, permission: Permission, circumstances: Mapping[str, str] = MappingProxyType({})
    ) -> bool:
        """Ask the policies of the caller (a role's session, or the role itself) and of the resource."""
        if not self._enforce_iam:
            return True
        action, resource = permission
        if action == "sts:GetCallerIdentity":
            return True
        context = {**self._context(), **circumstances}
        question = Question(Principal("AWS", caller_arn), action, resource, context)
        identity, boundaries = self._identity_policies(caller_arn)
        return is_permitted(
            question, identity=identity, resource=self._resource_policies(resource), boundaries=boundaries
        )

    def used_permissions(self) -> Mapping[str, set[Permission]]:
        """Return what each role was asked for and had, over all its sessions, by the role's name."""
        used: dict[str, set[Permission]] = {}
        for caller_arn, permissions in self._guard.used_permissions().items():
            if caller_arn != self._administrator_arn:
                used.setdefault(_role_name(caller_arn), set()).update(permissions)
        return used

    def _identity_policies(self, caller_arn: str) -> tuple[list[Policy], list[Policy]]:
        if caller_arn == self._administrator_arn:
            return [_everything()], []
        role = self._role(f"arn:{self.partition}:iam::{self.account_id}:role/{_role_name(caller_arn)}")
        documents = [*role.policies.values(), *(_default_version(policy) for policy in role.managed_policies.values())]
        boundaries = []
        if role.permissions_boundary_arn:
            managed = iam_backends[self.account_id][self.partition].get_policy(role.permissions_boundary_arn)
            boundaries.append(_policy(_default_version(managed)))
        return [_policy(document) for document in documents], boundaries

    def _resource_policies(self, resource: str) -> list[Policy]:
        service, _, _, name = resource.split(":", 5)[2:] if resource.count(":") >= 5 else ("", "", "", "")
        document: Any = None
        if service == "s3":
            bucket = s3_backends[self.account_id][self.partition].buckets.get(name.split("/")[0])
            document = bucket.policy.decode() if bucket and bucket.policy else None
        elif service == "sqs":
            queue = self._queues.get(name)
            document = queue.policy if queue else None
        elif service == "sns":
            topic = self.topics.get(resource)
            document = topic.policy if topic else None
        return [_policy(document)] if document else []

    def _context(self) -> dict[str, str]:
        # The loopback port stands for AWS's TLS endpoints.
        return {"aws:securetransport": "true", "aws:sourceaccount": self.account_id}

    def _role(self, role_arn: str) -> Role:
        try:
            return iam_backends[self.account_id][self.partition].get_role_by_arn(role_arn)
        except NotFoundException:
            raise AwsError("AccessDenied", f"{role_arn} does not exist", 403) from None

    # State that moto holds in this process.

    @property
    def _queues(self) -> Mapping[str, Queue]:
        queues: Mapping[str, Queue] = sqs_backends[self.account_id][self.region].queues
        return queues

    @property
    def topics(self) -> Mapping[str, Topic]:
        topics: Mapping[str, Topic] = sns_backends[self.account_id][self.region].topics
        return topics

    def queue(self, name: str) -> Queue:
        return self._queues[name]

    def pass_time(self, seconds: float) -> None:
        """Move every time in the tables' items and the queues' messages into the past.

        An item's times are the numbers, at any depth, whose name ends in _at or _until, and those of Powertools.
        """
        # Tables first: a message that comes again at once finds what it depends on.
        with self._guard.turn("dynamodb"):
            for table in dynamodb_backends[self.account_id][self.region].tables.values():
                for item in table.all_items():
                    _move_times(item.attrs, Decimal(str(seconds)))
        for queue in self._queues.values():
            with queue._messages_lock:
                for message in queue._messages:
                    _move_message(message, int(seconds * 1000))

    def complete(self, call: Call) -> Call:
        """Replace a secret's name by its ARN, which is what IAM compares."""
        if call.service != "secretsmanager" or "SecretId" not in call.parameters:
            return call
        stored = secretsmanager_backends[self.account_id][self.region].secrets.get(call.parameters["SecretId"])
        if stored is None:
            return call
        return replace(call, parameters={**call.parameters, "SecretId": stored.arn})

    def after_call(self) -> None:
        self.eventbridge.deliver()

    def link_to_confirm(self, topic_arn: str, endpoint: str) -> str:
        """Return the link in the message that AWS sends to an address that has not confirmed its subscription."""
        return subscriptions.link_to_confirm(self.account_id, self.region, topic_arn, endpoint)

    def _may_notify(self, topic_arn: str, queue_arn: str) -> bool:
        context = {**self._context(), "aws:sourcearn": topic_arn}
        question = Question(Principal("Service", "sns.amazonaws.com"), "sqs:SendMessage", queue_arn, context)
        return is_permitted(question, identity=(), resource=self._resource_policies(queue_arn))

    def _send_as_eventbridge(self, rule_arn: str, queue_arn: str, body: str) -> None:
        question = Question(
            Principal("Service", "events.amazonaws.com"),
            "sqs:SendMessage",
            queue_arn,
            {**self._context(), "aws:sourcearn": rule_arn},
        )
        if not is_permitted(question, identity=(), resource=self._resource_policies(queue_arn)):
            raise AwsError("AccessDenied", f"{queue_arn} does not let the rule send", 403)
        sqs_backends[self.account_id][self.region].send_message(queue_arn.rsplit(":", 1)[-1], body)


@contextmanager
def _without_aws_profile() -> Iterator[None]:
    """Hide the user's profile: moto makes boto3 sessions, and they fail where the profile does not exist."""
    hidden = {name: os.environ.pop(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _with_eventbridge(get_bucket_notification: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
    def call(response: S3Response) -> Any:
        status, headers, body = get_bucket_notification(response)
        configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
        if configuration and configuration.event_bridge is not None:
            # Buckets of the sandbox have no other notifications.
            body = body.replace("/>", "><EventBridgeConfiguration/></NotificationConfiguration>")
        return status, headers, body

    return call


def _with_queue_locked(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(queue: Queue, *args: Any, **kwargs: Any) -> Any:
        with queue._messages_lock:
            return method(queue, *args, **kwargs)

    return call


def _noting_the_receipt(mark_received: Callable[..., None]) -> Callable[..., None]:
    def call(message: Any, visibility_timeout: int | None = None) -> None:
        mark_received(message, visibility_timeout)
        message.received_at = int(unix_time_millis())

    return call


def _counting_from_receipt(change_visibility: Callable[..., None]) -> Callable[..., None]:
    def call(backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
        queue = backend.get_queue(queue_name)
        messages: list[Any] = queue._messages
        with queue._messages_lock, ExitStack() as as_if_sent_when_received:
            for message in messages:
                if message.had_receipt_handle(receipt_handle):
                    sent = mock.patch.object(message, "sent_timestamp", message.received_at)
                    as_if_sent_when_received.enter_context(sent)
            change_visibility(backend, queue_name, receipt_handle, visibility_timeout)

    return call


def _move_times(attributes: Mapping[str, DynamoType], seconds: Decimal) -> None:
    for name, attribute in attributes.items():
        if attribute.is_map():
            _move_times(attribute.value, seconds)
        elif attribute.is_number() and _ITEM_TIME.fullmatch(name):
            moved = seconds * 1000 if name == _ITEM_TIME_IN_MILLISECONDS else seconds
            attribute.value = f"{Decimal(attribute.value) - moved:f}"


def _move_message(message: Message, milliseconds: int) -> None:
    for name in _MESSAGE_TIMES:
        # A message without a delay, or never received, has no such time.
        if moment := getattr(message, name, None):
            setattr(message, name, moment - milliseconds)


def _with_named_queue_locked(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(backend: SQSBackend, queue_name: str, *args: Any, **kwargs: Any) -> Any:
        with backend.get_queue(queue_name)._messages_lock:
            return method(backend, queue_name, *args, **kwargs)

    return call


class _Server(InThread, ThreadedWSGIServer):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        super().__init__("127.0.0.1", 0, guard.answer, _RequestHandler)


class _RequestHandler(MotoRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one packet
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer and keep the connection, as AWS does. werkzeug would end it, and look first whether more comes."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        try:
            response = self.server.guard.answer(self.make_environ())
        except LostError:
            self.close_connection = True
            return
        except Exception:  # noqa: BLE001 - a fault of the sandbox
            traceback.print_exc()
            response = Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        body = response.get_data()
        response.headers.setdefault("Content-Length", str(len(body)))
        self.send_response(response.status_code, response.status.partition(" ")[2])
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Write no line per request."""


def _role_name(caller_arn: str) -> str:
    """Read it from the ARN of the role itself, or of a session of it."""
    return caller_arn.split(":", 5)[5].split("/")[1]


def _default_version(policy: ManagedPolicy) -> str:
    return next(str(version.document) for version in policy.versions if version.is_default)


@lru_cache(maxsize=256)
def _policy(document: str) -> Policy:
    return Policy(document)


@lru_cache(maxsize=1)
def _everything() -> Policy:
    return Policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
