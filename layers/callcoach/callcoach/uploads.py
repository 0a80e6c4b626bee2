"""Putting files into the recordings bucket with what is known about the calls."""

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from email.header import Header
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from callcoach.acceptance import refusal
from callcoach.documents import KEY_LIMIT_BYTES
from callcoach.storage import Recordings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3's limit for an object's metadata: names and texts together.
METADATA_LIMIT_BYTES = 2048


class Upload(msgspec.Struct, frozen=True):
    """A file that is to be dropped."""

    path: Path
    key: str
    size_bytes: int
    content_type: str

    @property
    def refusal(self) -> str:
        """Why SubmitFunction would refuse it; "" where it would not."""
        if len(self.key.encode()) > KEY_LIMIT_BYTES:
            return "unsupported_key"
        return refusal(self.key, self.size_bytes, self.content_type)


def planned(files: Sequence[Path], prefix: str) -> list[Upload]:
    """Return what dropping files under a prefix comes to. Raises ValueError when two have one name."""
    uploads = [
        Upload(
            path=path,
            key=f"{prefix}{path.name}",
            size_bytes=path.stat().st_size,
            content_type=mimetypes.guess_type(path.name)[0] or "",
        )
        for path in files
    ]
    keys = [upload.key for upload in uploads]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"two files would be called {key}: drop them one after the other, under other prefixes")
    return uploads


def metadata(details: Mapping[str, str | None]) -> dict[str, str]:
    """Return what is known of a call as an object's metadata, which is ASCII. Raises ValueError for what cannot be.

    Other characters are encoded as RFC 2047 says; SubmitFunction decodes them.
    """
    said = {name: _encoded(text.strip()) for name, text in details.items() if text and text.strip()}
    if sum(len(name) + len(text) for name, text in said.items()) > METADATA_LIMIT_BYTES:
        raise ValueError("what is said about the call is longer than the 2 KB that S3 stores with a recording")
    return said


def already_there(recordings: Recordings, bucket: str, upload: Upload) -> bool:
    """Return whether a recording of that name and size was dropped before. Raises FileExistsError for another size."""
    there = recordings.describe(bucket, upload.key)
    if there and there.size_bytes != upload.size_bytes:
        raise FileExistsError(upload.key)
    return there is not None


def put(
    client: "S3Client", bucket: str, upload: Upload, said: Mapping[str, str], progress: Callable[[int], None]
) -> None:
    """Upload a file, in parts that are sent side by side where it is large. progress: told of each part's bytes."""
    described: dict[str, object] = {"Metadata": dict(said)}
    if upload.content_type:
        described["ContentType"] = upload.content_type
    client.upload_file(str(upload.path), bucket, upload.key, ExtraArgs=described, Callback=progress)


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10_000).encode()
