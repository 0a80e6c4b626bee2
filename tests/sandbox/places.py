"""Every place where the stack keeps, sends or writes something, as text that can be searched."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from tests.sandbox.cloud import Cloud

_PERCENT_SIGNS = re.compile("(?:%[0-9a-fA-F]{2})+")


@dataclass(frozen=True)
class Place:
    """One object, item, message, e-mail or line, or a part of one.

    kind: `s3 transcripts`, `s3 transcripts, metadata`, `table`, `queue CallbacksDlq`, `log`, or, by the attribute
    outcome, `mail ScorecardsTopic complete`, and `message ScorecardsTopic complete` for what machines get of it;
    `mail report` is what SES has sent.
    """

    kind: str
    name: str
    text: str


def places(cloud: Cloud) -> Iterator[Place]:
    """Yield all of them, the older versions of objects too."""
    yield from _objects(cloud)
    yield from _items(cloud)
    yield from _messages(cloud)
    yield from _mails(cloud)
    yield from _mailed_reports(cloud)
    yield from _log_lines(cloud)


@lru_cache(maxsize=1024)
def searchable(text: str) -> str:
    """Return text with what it holds in JSON, percent signs or several lines written out beside it."""
    # unquote() takes long over a text with few percent signs and letters beyond ASCII.
    unquoted = _PERCENT_SIGNS.sub(lambda signs: unquote(signs[0]), text)
    written_out = [text, unquoted, *_strings(text)]
    return "\n".join(dict.fromkeys(" ".join(part.split()) for part in written_out))


def _strings(text: str) -> Iterator[str]:
    """Yield the strings of a JSON document, and of those that such strings hold."""
    try:
        yield from _leaves(json.loads(text))
    except ValueError:
        return


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from _leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value)
    elif isinstance(node, str):
        yield node
        if node[:1] in ("{", "["):
            yield from _strings(node)


def _objects(cloud: Cloud) -> Iterator[Place]:
    s3 = cloud.client("s3")
    recordings, scorecards = cloud.outputs["RecordingsBucketName"], cloud.outputs["ScorecardsBucketName"]
    for bucket in (recordings, scorecards):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                key, version_id = version["Key"], version["VersionId"]
                kind = "recordings" if bucket == recordings else key.partition("/")[0]
                # What has an id of its own never changes.
                read = _version.__wrapped__ if version_id == "null" else _version
                text, metadata = read(s3, bucket, key, version_id)
                yield Place(f"s3 {kind}", key, text)
                yield Place(f"s3 {kind}, metadata", key, metadata)
            for marker in page.get("DeleteMarkers", []):
                yield Place("s3 delete marker", marker["Key"], marker["Key"])


@lru_cache(maxsize=1024)
def _version(s3: Any, bucket: str, key: str, version_id: str) -> tuple[str, str]:
    """Return a version of an object and what S3 tells beside it."""
    answer = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)
    told = {name: answer.get(name) for name in ("ContentType", "ContentDisposition", "Metadata")}
    return answer["Body"].read().decode("utf-8", "replace"), json.dumps({"key": key, **told})


def _items(cloud: Cloud) -> Iterator[Place]:
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.resources["StateTable"])
    for item in (item for page in pages for item in page["Items"]):
        yield Place("table", item["id"]["S"], json.dumps(item))


def _messages(cloud: Cloud) -> Iterator[Place]:
    for queue in ("RecordingsQueue", "RecordingsDlq", "CallbacksQueue", "CallbacksDlq"):
        for message in cloud.messages(queue):
            yield Place(f"queue {queue}", "body", message.body)
            yield Place(f"queue {queue}", "attributes", json.dumps(dict(message.attributes)))


def _mails(cloud: Cloud) -> Iterator[Place]:
    for mail in cloud.publications():
        kind = f"mail {mail.topic} {mail.attributes.get('outcome', '')}".rstrip()
        yield Place(kind, "subject", mail.subject or "")
        yield Place(kind, "text", mail.message)
        yield Place(kind.replace("mail", "message", 1), "text", mail.for_machines)
        yield Place(kind.replace("mail", "message", 1), "attributes", json.dumps(dict(mail.attributes)))


def _mailed_reports(cloud: Cloud) -> Iterator[Place]:
    for mail in cloud.ses.sent:
        yield Place("mail report", "subject", mail.subject)
        yield Place("mail report", "text", mail.text)
        for name, page in mail.attachments.items():
            yield Place("mail report, name", name, name)
            yield Place("mail report", name, page)


def _log_lines(cloud: Cloud) -> Iterator[Place]:
    for function in cloud.invocations:
        for number, line in enumerate(cloud.logs(function).splitlines(), 1):
            yield Place("log", f"{function}:{number}", line)
