"""What S3 tells EventBridge, and what EventBridge carries to queues.

moto sends such events too, but each with the same id and sequencer, `eTag` for `etag`, before the object's metadata
is in place, and twice for an upload in parts; and it asks no queue's policy.
"""

import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from moto.events.models import events_backends
from moto.s3.models import FakeBucket, FakeKey
from moto.s3.notifications import S3NotificationEvent
from tests.sandbox.calls import AwsError

if TYPE_CHECKING:
    from moto.events.utils import EventMessageType

_REASONS = {
    S3NotificationEvent.OBJECT_CREATED_PUT_EVENT: "PutObject",
    S3NotificationEvent.OBJECT_CREATED_POST_EVENT: "POST Object",
    S3NotificationEvent.OBJECT_CREATED_COPY_EVENT: "CopyObject",
    S3NotificationEvent.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT: "CompleteMultipartUpload",
}

Send = Callable[[str, str, str], None]


class EventBridge:
    """The default event bus of the account, as far as Object Created events go; no other event is sent.

    `lost_events` tells of events that neither the target nor its dead-letter queue would take: AWS only counts them.
    """

    def __init__(self, account_id: str, region: str, send: Send) -> None:
        """`send(rule_arn, queue_arn, body)` puts a message into a queue; it raises AwsError when the queue refuses."""
        self._account_id = account_id
        self._region = region
        self._send = send
        self._sequence = itertools.count(time.time_ns() // 1_000)
        self._pending = threading.local()
        self.lost_events: list[str] = []

    def object_event(self, account_id: str, bucket: FakeBucket, event_name: S3NotificationEvent, key: FakeKey) -> None:
        """Take note of an event inside the S3 call that causes it; stands in for moto's own sender."""
        del account_id
        is_half_an_upload = event_name == S3NotificationEvent.OBJECT_CREATED_PUT_EVENT and key.multipart is not None
        if event_name in _REASONS and not is_half_an_upload:
            self._noted().append(self._object_created(bucket, key, _REASONS[event_name]))

    def deliver(self) -> None:
        """Carry the events that this thread's call has caused, once the call is done."""
        events = self._noted()
        while events:
            self._carry(events.pop(0))

    def _noted(self) -> list[dict[str, Any]]:
        if not hasattr(self._pending, "events"):
            self._pending.events = []
        events: list[dict[str, Any]] = self._pending.events
        return events

    def _object_created(self, bucket: FakeBucket, key: FakeKey, reason: str) -> dict[str, Any]:
        version = {"version-id": key.version_id} if bucket.is_versioned else {}
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": self._account_id,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._region,
            "resources": [bucket.arn],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": {
                    "key": key.name,
                    "size": key.size,
                    "etag": key.etag.strip('"'),
                    **version,
                    "sequencer": f"{next(self._sequence):018X}",
                },
                "request-id": uuid.uuid4().hex[:16].upper(),
                "requester": self._account_id,
                "source-ip-address": "127.0.0.1",
                "reason": reason,
            },
        }

    def _carry(self, event: dict[str, Any]) -> None:
        body = json.dumps(event, separators=(",", ":"))
        rules = events_backends[self._account_id][self._region].event_buses["default"].rules
        for rule in list(rules.values()):
            if rule.state == "ENABLED" and rule.event_pattern.matches_event(cast("EventMessageType", event)):
                for target in rule.targets:
                    self._send_to_target(rule.arn, target, body)

    def _send_to_target(self, rule_arn: str, target: dict[str, Any], body: str) -> None:
        try:
            self._send(rule_arn, target["Arn"], body)
        except AwsError as refusal:
            # A refused permission is not tried again, whatever the target's RetryPolicy says.
            dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
            try:
                if dead_letters is None:
                    raise
                self._send(rule_arn, dead_letters, body)
            except AwsError:
                self.lost_events.append(f"{rule_arn}: {refusal}: {body}")
