"""S3: the recordings that arrive, and the documents that callcoach keeps about them."""

from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError

from callcoach.documents import Kind, Recording, document_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The default client signs links the old way and on the global host: a bucket outside us-east-1 refuses those.
S3_CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "virtual"},
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 4},
)

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
