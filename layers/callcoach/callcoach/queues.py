"""How many messages wait in each queue."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Waiting(msgspec.Struct, frozen=True):
    """Messages of a queue, as SQS estimates them. hidden: in a function's hands, or waiting for their time."""

    visible: int
    hidden: int


def waiting(client: "SQSClient", queue_urls: Mapping[str, str]) -> dict[str, Waiting]:
    """Return what waits in queues, by their names."""
    with ThreadPoolExecutor(max(len(queue_urls), 1)) as pool:
        return dict(zip(queue_urls, pool.map(lambda url: _waiting(client, url), queue_urls.values()), strict=True))


def _waiting(client: "SQSClient", url: str) -> Waiting:
    answer = client.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )
    counts = {name: int(count) for name, count in answer["Attributes"].items()}
    visible = counts.pop("ApproximateNumberOfMessages")
    return Waiting(visible=visible, hidden=sum(counts.values()))
