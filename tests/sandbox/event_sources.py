"""What Lambda does between a queue and a function: receive, invoke, delete what succeeded, leave what failed."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.sqs.models import Queue
from tests.sandbox.deployment import QueueSource
from tests.sandbox.lambdas import Function, InvocationError

_LOOK_INTERVAL_SECONDS = 0.02
_RETRY_INTERVAL_SECONDS = 0.5

Message = Mapping[str, Any]


class QueuePoller:
    """Feeds one queue to one function, with the credentials of the function's role."""

    def __init__(
        self, source: QueueSource, function: Function, *, queue: Queue, url: str, sqs: Any, region: str
    ) -> None:
        self._source = source
        self._queue = queue
        self._url = url
        self._function = function
        self._sqs = sqs
        self._region = region
        self._stopped = threading.Event()
        self._slots = threading.BoundedSemaphore(source.maximum_concurrency)
        self._lock = threading.Lock()
        self._in_hand = 0
        self._is_held = False
        self._workers = ThreadPoolExecutor(source.maximum_concurrency, thread_name_prefix="poller")
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages. Ends at once only when the function has been stopped."""
        self._stopped.set()
        self._thread.join()
        self._workers.shutdown()

    @property
    def is_busy(self) -> bool:
        """Whether a message is visible, on its way to the function, or worked on."""
        # A message is in hand before it is invisible, so looking at the queue first misses none.
        return bool(self._queue.messages) or self._in_hand > 0

    def _poll(self) -> None:
        while not self._stopped.is_set():
            # Looking into the queue from inside costs nothing; long polling would hold up the end of the sandbox.
            if not self._queue.messages:
                self._stopped.wait(_LOOK_INTERVAL_SECONDS)
                continue
            if not self._slots.acquire(timeout=_LOOK_INTERVAL_SECONDS):
                continue
            if not self._begin():
                self._slots.release()
                self._stopped.wait(_LOOK_INTERVAL_SECONDS)
                continue
            batch = self._receive()
            if batch:
                self._workers.submit(self._handle, batch).add_done_callback(self._report)
            else:
                self._release()

    def _receive(self) -> list[Message]:
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=self._source.batch_size,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError) as error:
            self._complain(f"could not receive: {error}")
            self._stopped.wait(_RETRY_INTERVAL_SECONDS)
            return []
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def _handle(self, batch: Sequence[Message]) -> None:
        try:
            try:
                result = self._function.invoke(
                    {"Records": [lambda_record(message, self._source.queue_arn, self._region) for message in batch]}
                )
            except InvocationError:
                return
            failed = self._failed_ids(result, {message["MessageId"] for message in batch})
            for message in batch:
                if message["MessageId"] not in failed:
                    self._delete(message)
        finally:
            self._release()

    def hold(self) -> None:
        """Take no message until go_on, and wait until what was taken is done with."""
        with self._lock:
            self._is_held = True
        while self._in_hand and not self._stopped.is_set():
            self._stopped.wait(_LOOK_INTERVAL_SECONDS / 4)

    def go_on(self) -> None:
        """Take messages again."""
        with self._lock:
            self._is_held = False

    def _begin(self) -> bool:
        with self._lock:
            self._in_hand += not self._is_held
            return not self._is_held

    def _release(self) -> None:
        with self._lock:
            self._in_hand -= 1
        self._slots.release()

    def _report(self, handling: Future[None]) -> None:
        if error := handling.exception():
            self._complain(f"broke: {error!r}")

    def _failed_ids(self, result: Any, message_ids: set[str]) -> set[str]:
        if not self._source.reports_batch_item_failures:
            return set()
        failed = failed_item_identifiers(result)
        # An unknown identifier, or an answer of another shape, fails the whole batch.
        return failed if failed is not None and failed <= message_ids else message_ids

    def _delete(self, message: Message) -> None:
        try:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        except (BotoCoreError, ClientError) as error:
            self._complain(f"could not delete {message['MessageId']}: {error}")

    def _complain(self, trouble: str) -> None:
        if not self._stopped.is_set():
            with self._function.log.open("a", encoding="utf-8") as log:
                log.write(f"event source {self._source.queue_arn} {trouble}\n")


def lambda_record(message: Message, queue_arn: str, region: str) -> dict[str, Any]:
    """Return a received message as a function gets it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    given = {name[0].lower() + name[1:]: item for name, item in value.items()}
    return {"stringListValues": [], "binaryListValues": [], **given}


def failed_item_identifiers(result: Any) -> set[str] | None:
    """Read a batch response: the failed messages' ids, none for an empty answer, None for one of another shape."""
    if result is None or result == {}:
        return set()
    if not isinstance(result, Mapping) or "batchItemFailures" not in result:
        return None
    failures = result["batchItemFailures"]
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return None
    identifiers = [failure.get("itemIdentifier") if isinstance(failure, Mapping) else None for failure in failures]
    if not all(isinstance(identifier, str) and identifier for identifier in identifiers):
        return None
    return {str(identifier) for identifier in identifiers}
