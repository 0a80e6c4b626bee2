"""S3: recordings, and the documents about them."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from callcoach.aws_clients import S3_CONFIG
from callcoach.documents import KEY_LIMIT_BYTES
from callcoach.storage import Documents, Recordings


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3", config=S3_CONFIG)
    for bucket in ("recordings", "scorecards"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


@pytest.mark.parametrize("region", ["eu-central-1", "ap-southeast-2"])
def test_link_leads_to_the_buckets_own_region(region: str) -> None:
    """Signed by version 4 for the regional host: a new bucket outside us-east-1 refuses the default's links."""
    # checkov:skip=CKV_SECRET_2: the key of AWS's own documents
    session = boto3.session.Session("AKIAIOSFODNN7EXAMPLE", "not-a-secret", "the-token", region)
    link = Recordings(session.client("s3", config=S3_CONFIG)).link("recordings", "dana reyes/acme+1.mp3", 21600)
    parts, query = urlsplit(link), parse_qs(urlsplit(link).query)
    assert (parts.scheme, parts.hostname) == ("https", f"recordings.s3.{region}.amazonaws.com")
    assert parts.path == "/dana%20reyes/acme%2B1.mp3"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["21600"]
    assert f"/{region}/s3/aws4_request" in query["X-Amz-Credential"][0]
    assert query["X-Amz-Security-Token"] == ["the-token"]


def test_description_is_what_lies_there(s3: Any) -> None:
    s3.put_object(Bucket="recordings", Key="a b.mp3", Body=b"sound", ContentType="audio/mpeg", Metadata={"rep": "Dana"})
    recording = Recordings(s3).describe("recordings", "a b.mp3")
    assert recording is not None
    assert recording.etag == hashlib.md5(b"sound", usedforsecurity=False).hexdigest()
    assert (recording.size_bytes, recording.content_type, recording.metadata) == (5, "audio/mpeg", {"rep": "Dana"})
    assert datetime.now(UTC) - recording.last_modified < timedelta(minutes=1)


def test_what_is_gone_is_none(s3: Any) -> None:
    assert Recordings(s3).describe("recordings", "gone.mp3") is None
    assert Documents(s3, "scorecards").read("scorecards", "gone.mp3") is None


def test_other_faults_of_s3_are_not_taken_for_an_absence(s3: Any) -> None:
    """A missing bucket or right is a broken deployment, not a deleted recording."""
    with pytest.raises(ClientError):
        Documents(s3, "no-such-bucket").write("scorecards", "a.mp3", b"{}")


@pytest.mark.parametrize(
    ("kind", "content_type"), [("scorecards", "application/json"), ("reports", "text/html; charset=utf-8")]
)
def test_document_is_written_under_its_name_and_type(s3: Any, kind: Any, content_type: str) -> None:
    documents = Documents(s3, "scorecards")
    key = documents.write(kind, "dana/a.mp3", b"first")
    assert documents.write(kind, "dana/a.mp3", b"second") == key
    assert documents.read(kind, "dana/a.mp3") == b"second"
    assert s3.head_object(Bucket="scorecards", Key=key)["ContentType"] == content_type


def test_document_of_the_longest_name_can_be_written(s3: Any) -> None:
    documents = Documents(s3, "scorecards")
    longest = "ü" * (KEY_LIMIT_BYTES // 2)
    documents.write("submissions", longest, b"{}")
    assert documents.read("submissions", longest) == b"{}"
