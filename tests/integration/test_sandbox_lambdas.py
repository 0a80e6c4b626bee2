"""The sandbox runs functions and feeds them from queues as Lambda does."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.sandbox.cloud import Cloud
from tests.sandbox.event_sources import failed_item_identifiers
from tests.sandbox.lambdas import InvocationError, Invocations, TimedOutError

HANDLER = """
    import json, os, sys
    import time, boto3, layered

    warm = []

    def lambda_handler(event, context):
        records = event["Records"]
        warm.append(context.aws_request_id)
        commands = [json.loads(record["body"]) for record in records]
        sqs = boto3.client("sqs")
        for command in commands:
            print("got", command["do"])
            match command["do"]:
                case "raise":
                    raise ValueError("as told")
                case "crash":
                    os._exit(7)
                case "meet":
                    (open(command["folder"] + "/" + str(os.getpid()), "w")).close()
                    while len(os.listdir(command["folder"])) < command["count"]:
                        time.sleep(0.02)
                case "tell":
                    report = {
                        "event": event,
                        "environment": dict(os.environ),
                        "warm": len(warm),
                        "folder": os.getcwd(),
                        "path": sys.path,
                        "layer": layered.NAME,
                        "remaining_ms": context.get_remaining_time_in_millis(),
                        "arn": context.invoked_function_arn,
                    }
                    sqs.send_message(QueueUrl=os.environ["REPORTS_QUEUE_URL"], MessageBody=json.dumps(report))
        failed = [
            {"itemIdentifier": record["messageId"]}
            for record, command in zip(records, commands)
            if command["do"] == "fail"
        ]
        return {"batchItemFailures": failed}
"""

TEMPLATE = """
    AWSTemplateFormatVersion: '2010-09-09'
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Work:
        Type: AWS::SQS::Queue
        Properties:
          VisibilityTimeout: 60
          RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
      Dead:
        Type: AWS::SQS::Queue
      Reports:
        Type: AWS::SQS::Queue
      Layer:
        Type: AWS::Serverless::LayerVersion
        Properties: {LayerName: layer, ContentUri: layer}
      Worker:
        Type: AWS::Serverless::Function
        Properties:
          Handler: worker.lambda_handler
          Runtime: python3.13
          CodeUri: code
          Layers: [!Ref Layer]
          Timeout: 20
          Role: !GetAtt WorkerRole.Arn
          Environment: {Variables: {REPORTS_QUEUE_URL: !Ref Reports}}
          Events:
            Work:
              Type: SQS
              Properties:
                Queue: !GetAtt Work.Arn
                BatchSize: 2
                FunctionResponseTypes: [ReportBatchItemFailures]
                ScalingConfig: {MaximumConcurrency: 2}
      Sleeper:
        Type: AWS::Serverless::Function
        Properties: &sleeper
          Handler: sleeper.lambda_handler
          Runtime: python3.13
          CodeUri: code
          Timeout: 1
          Role: !GetAtt WorkerRole.Arn
      Unborn:
        Type: AWS::Serverless::Function
        Properties: {<<: *sleeper, Handler: missing.lambda_handler}
      WorkerRole:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument:
            Version: '2012-10-17'
            Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
          Policies:
            - PolicyName: work
              PolicyDocument:
                Version: '2012-10-17'
                Statement:
                  - Effect: Allow
                    Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
                    Resource: !GetAtt Work.Arn
                  - Effect: Allow
                    Action: sqs:SendMessage
                    Resource: !GetAtt Reports.Arn
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "code").mkdir()
    (folder / "layer").mkdir()
    (folder / "code/worker.py").write_text(textwrap.dedent(HANDLER))
    (folder / "code/sleeper.py").write_text("import time\ndef lambda_handler(event, _): time.sleep(event)")
    (folder / "layer/layered.py").write_text("NAME = 'the layer'")
    (folder / "template.yaml").write_text(textwrap.dedent(TEMPLATE))
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Cloud]:
    with Cloud(folder / "template.yaml") as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    """The module's cloud with empty queues."""
    for queue in ("Work", "Dead", "Reports"):
        running.empty(queue)
    return running


def send(cloud: Cloud, *commands: dict[str, Any], **arguments: Any) -> None:
    entries = [
        {"Id": str(number), "MessageBody": json.dumps(command), **arguments} for number, command in enumerate(commands)
    ]
    cloud.client("sqs").send_message_batch(QueueUrl=cloud.resources["Work"], Entries=entries)


def report(cloud: Cloud) -> dict[str, Any]:
    (message,) = cloud.wait_until(lambda: cloud.messages("Reports"))
    told: dict[str, Any] = json.loads(message.body)
    return told


def test_a_handled_message_is_deleted(cloud: Cloud) -> None:
    """A message whose handler returns is gone from the queue."""
    send(cloud, {"do": "nothing"})
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 0)
    assert "got nothing" in cloud.logs("Worker")


def test_the_event_has_lambdas_shape(cloud: Cloud) -> None:
    """A record carries what Lambda's event source puts into it, attributes included."""
    attribute = {"colour": {"DataType": "String", "StringValue": "red"}}
    send(cloud, {"do": "tell"}, MessageAttributes=attribute)
    (record,) = report(cloud)["event"]["Records"]
    assert record.keys() == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"].keys() >= {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
    assert record["messageAttributes"] == {
        "colour": {"dataType": "String", "stringValue": "red", "stringListValues": [], "binaryListValues": []}
    }
    assert record["eventSourceARN"].endswith(cloud.resources["Work"].rsplit("/", 1)[-1])


def test_an_attribute_of_a_form_is_one_too(cloud: Cloud) -> None:
    """A message sent as API Gateway sends it, as a form, reaches the function with its attribute."""
    form = {
        "Action": "SendMessage",
        "MessageBody": json.dumps({"do": "tell"}),
        "MessageAttribute.1.Name": "colour",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "red & blue",
    }
    url, body = cloud.resources["Work"], urlencode(form)
    request = AWSRequest("POST", url, data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    administrator = cloud.administrator
    keys = Credentials(administrator.access_key_id, administrator.secret_access_key)
    SigV4Auth(keys, "sqs", cloud.region).add_auth(request)
    requests.post(url, data=body, headers=dict(request.headers), timeout=10).raise_for_status()
    (record,) = report(cloud)["event"]["Records"]
    assert record["messageAttributes"] == {
        "colour": {"dataType": "String", "stringValue": "red & blue", "stringListValues": [], "binaryListValues": []}
    }


def test_the_environment_is_lambdas_own(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process gets the template's variables and Lambda's, its role's keys, and nothing of its parent's."""
    monkeypatch.setenv("LEAKED", "from the parent")
    send(cloud, {"do": "raise"}, {"do": "crash"})
    cloud.wait_until(lambda: cloud.invocations["Worker"].errors)
    send(cloud, {"do": "tell"})
    told = report(cloud)
    environment = told["environment"]
    assert "LEAKED" not in environment
    assert environment["REPORTS_QUEUE_URL"] == cloud.resources["Reports"]
    assert environment["AWS_ACCESS_KEY_ID"] == cloud.function_credentials("Worker").access_key_id
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["LAMBDA_TASK_ROOT"] == told["folder"]
    assert str(Path.cwd()) not in told["path"]
    assert told["layer"] == "the layer"
    assert told["arn"].endswith(environment["AWS_LAMBDA_FUNCTION_NAME"])
    assert 0 < told["remaining_ms"] <= 20_000


def test_a_process_is_used_again(cloud: Cloud) -> None:
    """The second event in a row meets a warm process."""
    send(cloud, {"do": "nothing"})
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 0)
    send(cloud, {"do": "tell"})
    assert report(cloud)["warm"] > 1


def test_the_role_serves_lambda_too(cloud: Cloud) -> None:
    """Lambda receives and deletes with the function's role, beside what the function does with it."""
    send(cloud, {"do": "tell"})
    report(cloud)
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 0)
    used = {(action, arn.split(":")[5].split("-")[1]) for action, arn in cloud.used_permissions()["WorkerRole"]}
    assert used == {("sqs:ReceiveMessage", "Work"), ("sqs:DeleteMessage", "Work"), ("sqs:SendMessage", "Reports")}


def test_only_the_failed_message_of_a_batch_comes_again(cloud: Cloud) -> None:
    """A message named in batchItemFailures stays hidden, comes again, and ends in the dead-letter queue."""
    send(cloud, {"do": "fail"}, {"do": "nothing"})
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 1)
    (message,) = cloud.messages("Work")
    assert (json.loads(message.body), message.receive_count) == ({"do": "fail"}, 1)
    assert message.state == "in flight"
    cloud.make_visible("Work")
    cloud.wait_until(lambda: cloud.messages("Work")[0].receive_count == 2)
    cloud.make_visible("Work")
    cloud.wait_until(lambda: cloud.queue_depth("Dead") == 1)
    assert cloud.queue_depth("Work") == 0


@pytest.mark.parametrize(
    ("command", "kind", "line"),
    [
        ("raise", "errors", "as told"),
        ("crash", "crashes", "Runtime exited with error: exit status 7"),
    ],
)
def test_a_failed_invocation_leaves_the_message(cloud: Cloud, command: str, kind: str, line: str) -> None:
    """An exception and a crash each count, are logged, keep the message, and the next event runs."""
    before = getattr(cloud.invocations["Worker"], kind)
    send(cloud, {"do": command})
    cloud.wait_until(lambda: getattr(cloud.invocations["Worker"], kind) == before + 1)
    assert line in cloud.logs("Worker")
    assert cloud.queue_depth("Work") == 1
    cloud.empty("Work")
    send(cloud, {"do": "nothing"})
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 0)


def test_events_run_side_by_side_up_to_the_maximum(cloud: Cloud, tmp_path: Path) -> None:
    """Two batches meet in two processes; a third waits for one of them."""
    meeting = {"do": "meet", "folder": str(tmp_path), "count": 2}
    before = cloud.invocations["Worker"].count
    for _ in range(3):
        cloud.client("sqs").send_message(QueueUrl=cloud.resources["Work"], MessageBody=json.dumps(meeting))
    cloud.wait_until(lambda: cloud.queue_depth("Work") == 0)
    assert len(list(tmp_path.iterdir())) == 2
    assert cloud.invocations["Worker"].count - before <= 3


def test_a_late_process_is_killed(cloud: Cloud) -> None:
    """Past its time-out an invocation is over, the process with it, and the next one begins in a new process."""
    with pytest.raises(TimedOutError, match=r"Task timed out after 1\.00 seconds"):
        cloud.invoke("Sleeper", 60)
    assert cloud.invoke("Sleeper", 0) is None
    assert cloud.invocations["Sleeper"] == Invocations(count=2, errors=1, timeouts=1)
    assert "Task timed out" in cloud.logs("Sleeper")


def test_a_handler_that_cannot_be_imported_fails_each_time(cloud: Cloud) -> None:
    """A function that cannot start is an error of each invocation, with the reason."""
    for _ in range(2):
        with pytest.raises(InvocationError, match="No module named 'missing'"):
            cloud.invoke("Unborn", {})


def test_a_function_can_be_invoked_by_hand(cloud: Cloud) -> None:
    """invoke() returns the handler's result and raises with the handler's error."""
    record = {"messageId": "1", "body": json.dumps({"do": "fail"})}
    assert cloud.invoke("Worker", {"Records": [record]}) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    with pytest.raises(InvocationError, match="KeyError"):
        cloud.invoke("Worker", {})


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, None),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, None),
        ({"batchItemFailures": [{"id": "a"}]}, None),
        ({"batchItemFailures": "a"}, None),
        ({"failures": []}, None),
        ("done", None),
        ([], None),
    ],
)
def test_batch_responses_are_read_as_lambda_reads_them(result: Any, failed: set[str] | None) -> None:
    """Null and empty answers are success; an answer of another shape fails the whole batch."""
    assert failed_item_identifiers(result) == failed
