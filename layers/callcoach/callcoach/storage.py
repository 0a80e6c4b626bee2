"""S3: the recordings that arrive, and the documents that callcoach keeps about them."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from callcoach.documents import Kind, Recording, document_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTENT_TYPES = {".json": "application/json", ".html": "text/html; charset=utf-8"}


def _is_missing(fault: ClientError) -> bool:
    return fault.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")


class Recordings:
    """Dropped recordings. They are described and linked to, never read."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def describe(self, bucket: str, key: str) -> Recording | None:
        """Return what lies there now; None when nothing does."""
        try:
            head = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as fault:
            if _is_missing(fault):
                return None
            raise
        return Recording(
            etag=head["ETag"].strip('"'),
            size_bytes=head["ContentLength"],
            content_type=head.get("ContentType", ""),
            last_modified=head["LastModified"],
            metadata=head["Metadata"],
        )

    def link(self, bucket: str, key: str, seconds: int) -> str:
        """Return a link with which anybody may fetch the recording: never log or store it."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
        )

    def remove(self, bucket: str, key: str) -> int:
        """Remove a recording with all its versions, and return how many there were."""
        return _remove_versions(self._client, bucket, key)


class Documents:
    """The scorecards bucket, by kind of document and recording."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def read(self, kind: Kind, recording_key: str) -> bytes | None:
        """Return a document; None when there is none."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=document_key(kind, recording_key))
        except ClientError as fault:
            if _is_missing(fault):
                return None
            raise
        return answer["Body"].read()

    def write(self, kind: Kind, recording_key: str, body: bytes) -> str:
        """Write a document over an older one of its name, and return that name."""
        key = document_key(kind, recording_key)
        self._client.put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=_CONTENT_TYPES[key[key.rindex(".") :]]
        )
        return key

    def delete(self, kind: Kind, recording_key: str) -> None:
        """Delete a document. Nothing happens when there is none."""
        self._client.delete_object(Bucket=self.bucket, Key=document_key(kind, recording_key))

    def remove(self, kind: Kind, recording_key: str) -> int:
        """Remove a document with all its versions, and return how many there were."""
        return _remove_versions(self._client, self.bucket, document_key(kind, recording_key))


def _remove_versions(client: "S3Client", bucket: str, key: str) -> int:
    """Remove every version of an object, and what marks it as deleted; without versioning there is one, named null."""
    removed = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        own = [entry for entry in entries if entry["Key"] == key]
        for entry in own:
            client.delete_object(Bucket=bucket, Key=key, VersionId=entry["VersionId"])
        removed += len(own)
        # A listing is in the order of keys, and no other key comes before its own beginning.
        if len(own) < len(entries):
            break
    return removed
