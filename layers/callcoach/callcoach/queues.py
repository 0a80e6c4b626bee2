"""The queues of a stack, for its operators: how many messages wait in each, and sending many at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from callcoach.queue import typed
from callcoach.side_by_side import side_by_side
from callcoach.traces import Progress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


_BATCH = 10


class Waiting(msgspec.Struct, frozen=True):
    """Messages of a queue, as SQS estimates them. hidden: in a function's hands, or waiting for their time."""

    visible: int
    hidden: int


def waiting(client: "SQSClient", queue_urls: Mapping[str, str]) -> dict[str, Waiting]:
    """Return what waits in queues, by their names."""
    with ThreadPoolExecutor(max(len(queue_urls), 1)) as pool:
        return dict(zip(queue_urls, pool.map(lambda url: waiting_in(client, url), queue_urls.values()), strict=True))


def waiting_in(client: "SQSClient", queue_url: str) -> Waiting:
    """Return what waits in a queue."""
    answer = client.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )
    counts = {name: int(count) for name, count in answer["Attributes"].items()}
    visible = counts.pop("ApproximateNumberOfMessages")
    return Waiting(visible=visible, hidden=sum(counts.values()))


def send(
    client: "SQSClient",
    queue_url: str,
    bodies: Mapping[str, str],
    progress: Progress,
    *,
    attributes: Callable[[str], Mapping[str, str]] = lambda _: {},
) -> list[str]:
    """Send a message for each recording, and return those whose message the queue did not take."""
    keys = list(bodies)
    batches = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
    left: list[str] = []

    def send_batch(batch: Sequence[str]) -> Iterable[str]:
        entries = [
            {"Id": str(number), "MessageBody": bodies[key], "MessageAttributes": typed(attributes(key))}
            for number, key in enumerate(batch)
        ]
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]
        return [batch[int(failed["Id"])] for failed in answer.get("Failed", [])]

    for number, failed in enumerate(side_by_side(send_batch, batches), start=1):
        left.extend(failed)
        progress("recordings sent", min(number * _BATCH, len(keys)), len(keys))
    return left
