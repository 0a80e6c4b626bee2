"""The sandbox's account is as hard as AWS where moto is kinder."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.dynamodb.comparisons import get_filter_expression
from moto.sqs.models import sqs_backends
from tests.sandbox.account import Credentials
from tests.sandbox.calls import AwsError
from tests.sandbox.cloud import Cloud
from tests.sandbox.strictness import refuse_bad_environment


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(parameters={"NotificationEmail": "coach@example.com"}, invoke=False) as cloud:
        s3 = cloud.client("s3")
        s3.put_object(Bucket=cloud.resources["RecordingsBucket"], Key="a call.mp3", Body=b"sound")
        s3.put_object(Bucket=cloud.resources["ScorecardsBucket"], Key="scorecards/a.json", Body=b"{}")
        yield cloud


@pytest.fixture
def recordings(cloud: Cloud) -> str:
    cloud.empty("RecordingsQueue")
    cloud.empty("RecordingsDlq")
    return cloud.resources["RecordingsBucket"]


def error_code(call: Callable[[], Any]) -> str:
    """Make a call and return the code of its refusal, `allowed` for none."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def signer(cloud: Cloud, function: str = "SubmitFunction", **settings: Any) -> Any:
    """Return an S3 client of a function's role, made as a function has to make it unless told otherwise."""
    credentials = cloud.function_credentials(function)
    given = {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}, **settings}
    region = given.pop("region", "eu-west-1")
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=given.pop("secret", credentials.secret_access_key),
        aws_session_token=given.pop("token", credentials.session_token),
        config=Config(**given),
    )


def presigned(client: Any, bucket: str, key: str = "a call.mp3", seconds: int = 60) -> str:
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds)
    return url


def fetch(url: str) -> tuple[int, str]:
    response = requests.get(url, timeout=10)
    return response.status_code, response.text


# Presigned URLs.


def test_a_presigned_url_of_a_role_opens_the_object(cloud: Cloud, recordings: str) -> None:
    """The URL carries the signer's permission."""
    assert fetch(presigned(signer(cloud), recordings)) == (200, "sound")


def test_a_presigned_url_opens_no_more_than_its_signer_may(cloud: Cloud, recordings: str) -> None:
    """ScorecardFunction's role reads no recordings, so its URL does not either."""
    status, text = fetch(presigned(signer(cloud, "ScorecardFunction"), recordings))
    assert status == 403
    assert "s3:GetObject" in text


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"signature_version": "s3"}, 400, "Please use AWS4-HMAC-SHA256"),
        ({"region": "us-east-1"}, 400, "expecting &apos;eu-west-1&apos;|expecting 'eu-west-1'"),
        # checkov:skip=CKV_SECRET_6: a word in the place of the secret
        ({"secret": "another"}, 403, "SignatureDoesNotMatch"),
        ({"token": None}, 400, "InvalidToken"),
    ],
)
def test_a_wrongly_signed_url_is_refused(
    cloud: Cloud, recordings: str, settings: dict[str, Any], status: int, code: str
) -> None:
    """Signature Version 2, another region, another secret and a missing token open nothing."""
    answer = fetch(presigned(signer(cloud, **settings), recordings))
    assert answer[0] == status
    assert any(part in answer[1] for part in code.split("|"))


def test_a_presigned_url_is_for_one_object(cloud: Cloud, recordings: str) -> None:
    """A URL changed anywhere, or normalised on the way, has a wrong signature."""
    url = presigned(signer(cloud), recordings)
    for changed in (url.replace("call.mp3", "call.mp4"), url.replace("Expires=60", "Expires=61")):
        assert "SignatureDoesNotMatch" in fetch(changed)[1]
    cloud.client("s3").put_object(Bucket=recordings, Key="x/../a.mp3", Body=b"")
    assert "SignatureDoesNotMatch" in fetch(presigned(signer(cloud), recordings, "x/../a.mp3"))[1]


def test_a_presigned_url_expires(cloud: Cloud, recordings: str) -> None:
    """After its time the URL is refused, and no URL lives for more than a week."""
    url = presigned(signer(cloud), recordings, seconds=1)
    cloud.wait_until(lambda: "Request has expired" in fetch(url)[1], timeout_seconds=5)
    assert fetch(presigned(signer(cloud), recordings, seconds=604_801))[0] == 400


def test_an_upload_that_ends_in_the_middle_leaves_nothing(cloud: Cloud, recordings: str) -> None:
    key = "half a call.mp3"
    client = cloud.client("s3")
    url = urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": recordings, "Key": key}))
    with socket.create_connection((url.hostname, url.port)) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode() + b"half")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert client.list_objects_v2(Bucket=recordings, Prefix=key)["KeyCount"] == 0


def test_nobody_is_anonymous(cloud: Cloud, recordings: str) -> None:
    """A request without a signature is refused, whatever it asks for."""
    assert fetch(f"{cloud.endpoint_url}/{recordings}/a%20call.mp3")[0] == 403
    assert fetch(f"{cloud.endpoint_url}/moto-api/data.json")[0] == 403


# Missing or forbidden.


def test_a_missing_object_is_forbidden_without_list_permission(cloud: Cloud, recordings: str) -> None:
    """404 is for callers with s3:ListBucket; the others cannot tell missing from forbidden."""
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{recordings}/*"}
    may_list = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{recordings}"}
    blind, seeing = as_role(cloud, read)("s3"), as_role(cloud, read, may_list)("s3")
    assert error_code(lambda: blind.get_object(Bucket=recordings, Key="none")) == "AccessDenied"
    assert error_code(lambda: blind.head_object(Bucket=recordings, Key="none")) == "403"
    assert error_code(lambda: seeing.get_object(Bucket=recordings, Key="none")) == "NoSuchKey"
    assert error_code(lambda: seeing.head_object(Bucket=recordings, Key="none")) == "404"
    assert blind.get_object(Bucket=recordings, Key="a call.mp3")["Body"].read() == b"sound"


@pytest.mark.parametrize("function", ["SubmitFunction", "ScorecardFunction"])
def test_the_functions_can_tell_missing_from_forbidden(cloud: Cloud, function: str) -> None:
    """Both functions may list the scorecards bucket, so what they probe for is 404 when it is missing."""
    s3, bucket = signer(cloud, function), cloud.resources["ScorecardsBucket"]
    assert error_code(lambda: s3.head_object(Bucket=bucket, Key="submissions/none.json")) == "404"


# Permissions.


def as_role(cloud: Cloud, *statements: dict[str, Any]) -> Callable[[str], Any]:
    """Make a role with these statements; return a function that makes its clients."""
    iam, name = cloud.client("iam"), f"role-{len(cloud.client('iam').list_roles()['Roles'])}"
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document)
    keys = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    return lambda service: cloud.client(service, credentials)


def test_the_submit_role_does_its_work_and_no_more(cloud: Cloud, recordings: str) -> None:
    """SubmitFunction's role on each service: its own resources, its own actions."""
    credentials = cloud.function_credentials("SubmitFunction")
    s3, sqs, sns, secrets, dynamodb = (
        cloud.client(service, credentials) for service in ("s3", "sqs", "sns", "secretsmanager", "dynamodb")
    )
    scorecards, item = cloud.resources["ScorecardsBucket"], {"id": {"S": "1"}}
    outcomes = {
        "read recording": lambda: s3.head_object(Bucket=recordings, Key="a call.mp3"),
        "record submission": lambda: s3.put_object(Bucket=scorecards, Key="submissions/a.json", Body=b"{}"),
        "set watchdog": lambda: sqs.send_message(QueueUrl=cloud.resources["CallbacksQueue"], MessageBody="x"),
        "tell": lambda: sns.publish(TopicArn=cloud.resources["ScorecardsTopic"], Message="x"),
        "tell operators": lambda: sns.publish(TopicArn=cloud.resources["OperationsTopic"], Message="x"),
        # checkov:skip=CKV_SECRET_6: no secret but the name of one
        "secret by name": lambda: secrets.get_secret_value(SecretId="callcoach/assemblyai"),
        "secret by ARN": lambda: secrets.get_secret_value(SecretId=cloud.resources["WebhookKeyASecret"]),
        "remember": lambda: dynamodb.put_item(TableName=cloud.resources["StateTable"], Item=item),
    }
    assert {name: error_code(call) for name, call in outcomes.items()} == dict.fromkeys(outcomes, "allowed")
    refusals = {
        "delete recording": lambda: s3.delete_object(Bucket=recordings, Key="a call.mp3"),
        "write scorecard": lambda: s3.put_object(Bucket=scorecards, Key="scorecards/a.json", Body=b"{}"),
        "copy recording": lambda: s3.copy_object(
            Bucket=scorecards, Key="failures/a", CopySource={"Bucket": scorecards, "Key": "scorecards/a.json"}
        ),
        "take callback": lambda: sqs.receive_message(QueueUrl=cloud.resources["CallbacksQueue"]),
        "purge": lambda: sqs.purge_queue(QueueUrl=cloud.resources["RecordingsQueue"]),
        "take dead letter": lambda: sqs.receive_message(QueueUrl=cloud.resources["RecordingsDlq"]),
        "idle key": lambda: secrets.get_secret_value(SecretId=cloud.resources["WebhookKeyBSecret"]),
        "scan": lambda: dynamodb.scan(TableName=cloud.resources["StateTable"]),
    }
    assert "allowed" not in {name: error_code(call) for name, call in refusals.items()}.values()


def test_used_permissions_are_what_was_needed_and_granted(cloud: Cloud, recordings: str) -> None:
    """A call, a link's use and a look at what is missing leave a trace; what was refused does not."""
    role, missing = signer(cloud, "ScorecardFunction"), cloud.resources["ScorecardsBucket"]
    error_code(lambda: role.head_object(Bucket=missing, Key="transcripts/none.json"))
    error_code(lambda: role.put_object(Bucket=missing, Key="submissions/none.json"))
    used = cloud.used_permissions()["ScorecardRole"]
    assert ("s3:GetObject", f"arn:aws:s3:::{missing}/transcripts/none.json") in used
    assert ("s3:ListBucket", f"arn:aws:s3:::{missing}") in used
    assert ("s3:PutObject", f"arn:aws:s3:::{missing}/submissions/none.json") not in used
    cloud.client("s3").put_object(Bucket=recordings, Key="linked.mp3", Body=b"sound")
    fetch(presigned(signer(cloud), recordings, "linked.mp3"))
    assert ("s3:GetObject", f"arn:aws:s3:::{recordings}/linked.mp3") in cloud.used_permissions()["SubmitRole"]
    assert cloud.used_permissions().keys() <= {"SubmitRole", "ScorecardRole", "WebhookRole"}


def test_a_role_is_known_by_its_secret(cloud: Cloud) -> None:
    """A wrong secret key signs nothing."""
    stranger = signer(cloud, secret="another")
    bucket = cloud.resources["ScorecardsBucket"]
    assert error_code(lambda: stranger.list_objects_v2(Bucket=bucket)) == "SignatureDoesNotMatch"


def test_transactions_and_batches_are_asked_table_by_table(cloud: Cloud) -> None:
    """A transaction needs the permission of each of its parts."""
    table = cloud.resources["StateTable"]
    arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}"
    client = as_role(cloud, {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": arn})("dynamodb")
    put = {"Put": {"TableName": table, "Item": {"id": {"S": "p"}}}}
    delete = {"Delete": {"TableName": table, "Key": {"id": {"S": "d"}}}}
    assert error_code(lambda: client.transact_write_items(TransactItems=[put])) == "allowed"
    assert error_code(lambda: client.transact_write_items(TransactItems=[put, delete])) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("statements", "outcome"),
    [
        ([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], "allowed"),
        (
            [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::*/scorecards/?.json"}],
            "allowed",
        ),
        (
            [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/Scorecards/*"}],
            "AccessDenied",
        ),
        ([{"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"}], "AccessDenied"),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::*/scorecards/*"}], "AccessDenied"),
        (
            [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:getobject", "Resource": "*"},
            ],
            "AccessDenied",
        ),
        (
            [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {
                    "Effect": "Deny",
                    "Action": "*",
                    "Resource": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
            "allowed",
        ),
        (
            [
                {
                    "Effect": "Allow",
                    "Action": "*",
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceArn": "x"}},
                }
            ],
            "AccessDenied",
        ),
    ],
)
def test_policies_decide_as_iam_does(cloud: Cloud, statements: list[dict[str, Any]], outcome: str) -> None:
    """Wildcards, NotAction, NotResource, Deny and conditions."""
    s3, bucket = as_role(cloud, *statements)("s3"), cloud.resources["ScorecardsBucket"]
    assert error_code(lambda: s3.get_object(Bucket=bucket, Key="scorecards/a.json")) == outcome


# What S3 tells EventBridge.


def objects_told(cloud: Cloud) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in cloud.messages("RecordingsQueue")]


def test_an_object_created_event_is_as_aws_sends_it(cloud: Cloud, recordings: str) -> None:
    """One event per object, with the object's own etag and size, and no version in a bucket without versions."""
    s3 = cloud.client("s3")
    stored = s3.put_object(Bucket=recordings, Key="né w.mp3", Body=b"12345", Tagging="a=b", Metadata={"rep": "x"})
    (event,) = objects_told(cloud)
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    detail = event["detail"]
    assert detail["bucket"] == {"name": recordings}
    assert detail["reason"] == "PutObject"
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {"key": "né w.mp3", "size": 5, "etag": stored["ETag"].strip('"')}


def test_events_are_unique_and_in_order(cloud: Cloud, recordings: str) -> None:
    """The same key again is another event with another id and a later sequencer."""
    for body in (b"1", b"1", b"2"):
        cloud.client("s3").put_object(Bucket=recordings, Key="a.mp3", Body=body)
    events = objects_told(cloud)
    sequencers = [event["detail"]["object"]["sequencer"] for event in events]
    assert len({event["id"] for event in events}) == 3
    assert sequencers == sorted(set(sequencers))


def test_copies_and_uploads_in_parts_are_one_event_each(cloud: Cloud, recordings: str) -> None:
    """The reason says how an object came, and an upload in parts tells of itself once, with the whole's etag."""
    s3 = cloud.client("s3")
    s3.copy_object(Bucket=recordings, Key="b.mp3", CopySource={"Bucket": recordings, "Key": "a call.mp3"})
    upload = s3.create_multipart_upload(Bucket=recordings, Key="c.mp3")["UploadId"]
    part = s3.upload_part(Bucket=recordings, Key="c.mp3", UploadId=upload, PartNumber=1, Body=b"123")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    whole = s3.complete_multipart_upload(
        Bucket=recordings, Key="c.mp3", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_object_tagging(Bucket=recordings, Key="c.mp3", Tagging=tags)
    details = [event["detail"] for event in objects_told(cloud)]
    assert [detail["reason"] for detail in details] == ["CopyObject", "CompleteMultipartUpload"]
    assert details[1]["object"]["etag"] == whole["ETag"].strip('"')


def test_versions_are_named_where_the_bucket_has_them(cloud: Cloud, recordings: str) -> None:
    """version-id appears once versioning is on."""
    s3 = cloud.client("s3")
    versioning = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=recordings, VersioningConfiguration=versioning)
    stored = s3.put_object(Bucket=recordings, Key="v.mp3", Body=b"1")
    s3.put_bucket_versioning(Bucket=recordings, VersioningConfiguration={"Status": "Suspended"})
    (event,) = objects_told(cloud)
    assert event["detail"]["object"]["version-id"] == stored["VersionId"]


def test_a_rule_needs_the_queues_permission(cloud: Cloud, recordings: str) -> None:
    """Without the queue's policy the event goes to the rule's dead-letter queue; without that one's it is lost."""
    sqs, s3 = cloud.client("sqs"), cloud.client("s3")
    urls = [cloud.resources[name] for name in ("RecordingsQueue", "RecordingsDlq")]
    policies = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"] for url in urls
    ]
    try:
        for number, url in enumerate(urls):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
            s3.put_object(Bucket=recordings, Key=f"{number}.mp3", Body=b"1")
    finally:
        for url, policy in zip(urls, policies, strict=True):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    assert cloud.queue_depth("RecordingsQueue") == 0
    assert ["0.mp3" in message.body for message in cloud.messages("RecordingsDlq")] == [True]
    assert ["1.mp3" in event for event in cloud.lost_events] == [True]


# Limits.


def test_object_keys_are_measured_in_bytes(cloud: Cloud, recordings: str) -> None:
    """1,024 bytes of UTF-8 are the limit."""
    s3 = cloud.client("s3")
    assert error_code(lambda: s3.put_object(Bucket=recordings, Key="é" * 512, Body=b"")) == "allowed"
    assert error_code(lambda: s3.put_object(Bucket=recordings, Key="é" * 512 + "a", Body=b"")) == "KeyTooLongError"


@pytest.mark.parametrize("subject", ["two\nlines", "a\tb", "x" * 101, "Gespräch", " leading", ""])
def test_bad_subjects_are_refused(cloud: Cloud, subject: str) -> None:
    """A subject is one line of at most 100 printable ASCII characters that begins with none of the blanks."""
    sns, topic = cloud.client("sns"), cloud.resources["OperationsTopic"]
    refused = error_code(lambda: sns.publish(TopicArn=topic, Subject=subject, Message="x"))
    assert refused in ("InvalidParameter", "InvalidParameterException")


def test_notifications_are_measured_in_bytes(cloud: Cloud) -> None:
    """256 KiB are the limit."""
    sns, topic = cloud.client("sns"), cloud.resources["OperationsTopic"]
    assert error_code(lambda: sns.publish(TopicArn=topic, Subject="x" * 100, Message="é" * 131_072)) == "allowed"
    assert "InvalidParameter" in error_code(lambda: sns.publish(TopicArn=topic, Message="é" * 131_073))


def test_messages_have_limits(cloud: Cloud) -> None:
    """A delay over 15 minutes, a hiding over 12 hours, control characters and an eleventh attribute are refused."""
    sqs, queue = cloud.client("sqs"), cloud.resources["CallbacksDlq"]
    attributes = {f"n{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)}
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    hide = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    assert error_code(lambda: sqs.change_message_visibility(**hide, VisibilityTimeout=39_600)) == "allowed"
    for refused in (
        lambda: sqs.change_message_visibility(**hide, VisibilityTimeout=43_201),
        lambda: sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=901),
        lambda: sqs.send_message(QueueUrl=queue, MessageBody="a\x00b"),
        lambda: sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes),
    ):
        assert "Invalid" in error_code(refused)


def test_a_message_is_hidden_for_twelve_hours_of_its_receipt(cloud: Cloud) -> None:
    """However long it has waited before, and whatever part of the twelve hours is over."""
    sqs, queue = cloud.client("sqs"), cloud.resources["CallbacksDlq"]
    cloud.empty("CallbacksDlq")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    cloud.pass_time(86_400)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    hide = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 39_600}
    assert error_code(lambda: sqs.change_message_visibility(**hide)) == "allowed"
    cloud.pass_time(7_200)
    assert "Invalid" in error_code(lambda: sqs.change_message_visibility(**hide))


def test_deleting_waits_for_sending(cloud: Cloud) -> None:
    """A queue is changed by one call at a time; in moto a deletion could forget what was sent meanwhile."""
    sqs, url = cloud.client("sqs"), cloud.resources["CallbacksDlq"]
    cloud.empty("CallbacksDlq")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    queue = sqs_backends["123456789012"]["eu-west-1"].queues[url.rsplit("/", 1)[-1]]
    with ThreadPoolExecutor() as threads:
        with queue._messages_lock:  # noqa: SLF001 - the lock that moto takes to send
            deletion = threads.submit(sqs.delete_message, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            with pytest.raises(TimeoutError):
                deletion.result(timeout=0.2)
        deletion.result(timeout=5)
    assert cloud.queue_depth("CallbacksDlq") == 0


@pytest.mark.parametrize(
    "variables",
    [{"A1": "x" * 4_096}, {"AWS_REGION": "x"}, {"9LIVES": "x"}, {"A1": 1}],
)
def test_bad_environments_are_refused(variables: dict[str, Any]) -> None:
    """Variables are strings with good names and 4 KB together."""
    with pytest.raises(AwsError):
        refuse_bad_environment("Function", variables)
    refuse_bad_environment("Function", {"A1": "x" * 4_000})


# Time.


def test_time_passes_for_messages(cloud: Cloud) -> None:
    """Delays and hidings end when their time is over and not before, and a message is as old as it has become."""
    sqs, queue = cloud.client("sqs"), cloud.resources["CallbacksDlq"]
    cloud.empty("CallbacksDlq")
    sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)
    for seconds, state in ((880, "delayed"), (40, "visible")):
        cloud.pass_time(seconds)
        assert [message.state for message in cloud.messages("CallbacksDlq")] == [state]
    receive = {"QueueUrl": queue, "VisibilityTimeout": 600, "AttributeNames": ["SentTimestamp"]}
    (message,) = sqs.receive_message(**receive)["Messages"]
    assert 920 <= time.time() - int(message["Attributes"]["SentTimestamp"]) / 1000 < 940
    for seconds, state in ((580, "in flight"), (40, "visible")):
        cloud.pass_time(seconds)
        assert [message.state for message in cloud.messages("CallbacksDlq")] == [state]


def test_time_passes_for_items(cloud: Cloud) -> None:
    """Numbers named as times go back, at any depth, and nothing else does."""
    dynamodb, table = cloud.client("dynamodb"), cloud.resources["StateTable"]
    item = {
        "id": {"S": "expiration"},
        "expiration": {"N": "1000"},
        "in_progress_expiration": {"N": "1000000"},
        "next_at": {"N": "1000.25"},
        "held_until": {"N": "1000"},
        "asked_at": {"S": "1000"},
        "attempts": {"N": "1000"},
        "until": {"N": "1000"},
        "places": {"M": {"a_at": {"M": {"since_at": {"N": "1000"}, "count": {"N": "1000"}}}}},
    }
    dynamodb.put_item(TableName=table, Item=item)
    cloud.pass_time(90)
    assert dynamodb.get_item(TableName=table, Key={"id": item["id"]})["Item"] == {
        **item,
        "expiration": {"N": "910"},
        "in_progress_expiration": {"N": "910000"},
        "next_at": {"N": "910.25"},
        "held_until": {"N": "910"},
        "places": {"M": {"a_at": {"M": {"since_at": {"N": "910"}, "count": {"N": "1000"}}}}},
    }


def test_one_of_two_writers_at_once_finds_the_condition_true(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conditional write is one step, however slow the table is; in moto both writers could succeed."""

    def read_slowly(*arguments: Any) -> Any:
        condition = get_filter_expression(*arguments)
        time.sleep(0.1)
        return condition

    monkeypatch.setattr("moto.dynamodb.models.table.get_filter_expression", read_slowly)
    dynamodb, table = cloud.client("dynamodb"), cloud.resources["StateTable"]

    def claim(_: int) -> str:
        item, free = {"id": {"S": "claimed"}}, "attribute_not_exists(id)"
        return error_code(lambda: dynamodb.put_item(TableName=table, Item=item, ConditionExpression=free))

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(claim, range(2))) == ["ConditionalCheckFailedException", "allowed"]


def test_an_object_can_be_written_by_many_at_once(cloud: Cloud) -> None:
    """The last one stays; in moto each could take the object away from the one that is being answered."""
    s3, bucket = cloud.client("s3"), cloud.resources["ScorecardsBucket"]
    write = {"Bucket": bucket, "Key": "replies/a.json"}
    with ThreadPoolExecutor(8) as threads:
        bodies = [str(number).encode() * 100_000 for number in range(80)]
        outcomes = list(threads.map(lambda body: error_code(lambda: s3.put_object(**write, Body=body)), bodies))
    assert set(outcomes) == {"allowed"}
    assert s3.get_object(**write)["Body"].read() in bodies


# Mail.


def test_mails_are_what_the_topic_sent(cloud: Cloud) -> None:
    """A publication to a topic with an e-mail subscriber is a mail; another is not."""
    sns = cloud.client("sns")
    attributes = {"kind": {"DataType": "String", "StringValue": "scorecard"}}
    sns.publish(
        TopicArn=cloud.resources["ScorecardsTopic"],
        Subject="Hi",
        Message="Body",
        MessageAttributes=attributes,
    )
    mail = cloud.mails()[-1]
    assert (mail.topic, mail.subject, mail.message) == ("ScorecardsTopic", "Hi", "Body")
    assert mail.attributes == {"kind": "scorecard"}
    assert mail.recipients == ("coach@example.com",)
    sns.publish(TopicArn=cloud.resources["OperationsTopic"], Message="unheard")
    assert cloud.mails()[-1] == mail
    assert "unheard" in [publication.message for publication in cloud.publications()]
