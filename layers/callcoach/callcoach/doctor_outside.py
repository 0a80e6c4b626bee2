"""What only somebody outside can see of a deployed stack: whether its links can be fetched, and its webhook called."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from callcoach.doctor import Check, Look
from callcoach.documents import encode_key
from callcoach.stack import Stack

if TYPE_CHECKING:
    import requests
    from mypy_boto3_s3 import S3Client

_TIMEOUT_SECONDS = (5.0, 15.0)
_LINK_SECONDS = 60
# As many objects as may be folders, or empty, before one that can be fetched.
_LOOKED_THROUGH = 50


class OutsideDoctor:
    """Asks without credentials of AWS. read_webhook_key: returns the value of the webhook key in use."""

    def __init__(
        self, stack: Stack, s3: "S3Client", http: "requests.Session", read_webhook_key: Callable[[], str]
    ) -> None:
        self._stack = stack
        self._s3 = s3
        self._http = http
        self._read_webhook_key = read_webhook_key

    def looks(self) -> Mapping[str, Look]:
        """Return all there is to look at, by what it is called."""
        return {"presigned link": self._link, "webhook": self._webhook}

    def _link(self) -> Iterator[Check]:
        name, bucket = "presigned link", self._stack.recordings_bucket
        page = self._s3.list_objects_v2(Bucket=bucket, Prefix=self._stack.recordings_prefix, MaxKeys=_LOOKED_THROUGH)
        key = next((row["Key"] for row in page.get("Contents", []) if row["Size"]), None)
        if key is None:
            yield Check(name, "not_checked", f"there is no recording in {bucket} yet")
            return
        link = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=_LINK_SECONDS
        )
        try:
            # A link to get an object cannot be asked for its head.
            with_signature = self._http.get(
                link, headers={"Range": "bytes=0-0"}, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ).status_code
            without = self._http.get(
                link.partition("?")[0], timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ).status_code
        except OSError as fault:
            yield Check(name, "not_checked", f"S3 cannot be reached from here: {type(fault).__name__}")
            return
        if with_signature != 206:
            told = f"S3 answers {with_signature} to a link that you have signed"
            yield Check(name, "problem", told, "Look at the bucket's policy: AssemblyAI fetches recordings like that.")
        elif without < 400:
            told = f"S3 answers {without} without a signature too"
            yield Check(name, "problem", told, "Anybody can read the recordings. Block public access to the bucket.")
        else:
            yield Check(name, "ok", f"fetched with your signature, and refused without it ({without})")

    def _webhook(self) -> Iterator[Check]:
        key = self._read_webhook_key()
        tried = uuid.uuid4().hex
        body = {"transcript_id": f"doctor-{tried}", "status": "completed"}
        wanted: tuple[tuple[str, dict[str, str], dict[str, str], int], ...] = (
            ("webhook, no key", {}, body, 403),
            ("webhook, bad body", {"x-api-key": key}, {"status": "completed"}, 400),
            ("webhook", {"x-api-key": key}, body, 200),
        )
        address = self._stack.outputs["WebhookUrl"]
        recording = encode_key(f"callcoach-doctor/{tried}")
        for name, headers, sent, expected in wanted:
            try:
                status = self._http.post(
                    address,
                    params={"recording": recording},
                    headers=headers,
                    json=sent,
                    timeout=_TIMEOUT_SECONDS,
                    allow_redirects=False,
                ).status_code
            except OSError as fault:
                yield Check(name, "not_checked", f"{address} cannot be reached from here: {type(fault).__name__}")
                continue
            if status != expected:
                advice = "Deploy again; if a webhook key was rotated, with the version of its secret."
                yield Check(name, "problem", f"answers {status} instead of {expected}", advice)
            elif expected == 200:
                told = (
                    "answers 200. The callback names no transcript: within an hour it is counted as foreign,"
                    " and nothing is paid for"
                )
                yield Check(name, "ok", told)
            else:
                yield Check(name, "ok", f"answers {status}")
