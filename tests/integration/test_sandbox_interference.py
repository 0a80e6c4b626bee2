"""The sandbox breaks a function's work at the point that a test names, and nowhere else."""

import json
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from tests.integration.stack import KEY
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.cloud import Cloud
from tests.sandbox.interference import Action, Interference, Kill, Late, Lose, Refuse, SideEffect, Spoil
from tests.sandbox.lambdas import CrashedError

# Takes the steps that it is given, each once, and returns how each ended.
HANDLER = """
    import json
    import boto3, requests
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    CONFIG = Config(retries={"total_max_attempts": 1})

    def take(target, operation, arguments):
        try:
            if target.startswith("http"):
                response = requests.request(operation, target, timeout=10, **arguments)
                return [response.status_code, response.text]
            answer = getattr(boto3.client(target, config=CONFIG), operation)(**arguments)
        except ClientError as error:
            answer = error.response
            return [answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]]
        except (BotoCoreError, requests.RequestException) as error:
            return type(error).__name__
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    def lambda_handler(event, context):
        if "Records" in event:
            event = json.loads(event["Records"][0]["body"])
        return [take(*step) for step in event["steps"]]
"""

TEMPLATE = """
    AWSTemplateFormatVersion: '2010-09-09'
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function:
        Handler: worker.lambda_handler
        Runtime: python3.13
        CodeUri: code
        Timeout: 20
    Resources:
      RecordingsBucket:
        Type: AWS::S3::Bucket
      ScorecardsBucket:
        Type: AWS::S3::Bucket
      CallbacksQueue:
        Type: AWS::SQS::Queue
        Properties: {VisibilityTimeout: 3600}
      ScorecardsTopic:
        Type: AWS::SNS::Topic
      StateTable:
        Type: AWS::DynamoDB::Table
        Properties:
          BillingMode: PAY_PER_REQUEST
          AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
          KeySchema: [{AttributeName: id, KeyType: HASH}]
      SubmitFunction:
        Type: AWS::Serverless::Function
        Properties: {Role: !GetAtt Role.Arn}
      ScorecardFunction:
        Type: AWS::Serverless::Function
        Properties:
          Role: !GetAtt Role.Arn
          Events:
            Callback:
              Type: SQS
              Properties: {Queue: !GetAtt CallbacksQueue.Arn, BatchSize: 1}
      Role:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument:
            Version: '2012-10-17'
            Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
    Outputs:
      RecordingsBucketName: {Value: !Ref RecordingsBucket}
"""

Step = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "code").mkdir()
    (folder / "code/worker.py").write_text(textwrap.dedent(HANDLER))
    (folder / "template.yaml").write_text(textwrap.dedent(TEMPLATE))
    with Cloud(folder / "template.yaml", secrets={"key": KEY}, enforce_iam=False) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY) as stand_in:
        yield stand_in


def put(cloud: Cloud, key: str = "submissions/a.json") -> Step:
    return "s3", "put_object", {"Bucket": cloud.resources["ScorecardsBucket"], "Key": key, "Body": "{}"}


def forget(cloud: Cloud) -> None:
    for key in keys(cloud):
        cloud.client("s3").delete_object(Bucket=cloud.resources["ScorecardsBucket"], Key=key)


def keys(cloud: Cloud) -> list[str]:
    answer = cloud.client("s3").list_objects_v2(Bucket=cloud.resources["ScorecardsBucket"])
    return [item["Key"] for item in answer.get("Contents", [])]


def ask(stand_in: AssemblyAI, method: str, path: str, body: Any = None) -> Step:
    return stand_in.url + path, method, {"headers": {"Authorization": KEY}, "json": body}


def take(cloud: Cloud, *steps: Step, function: str = "SubmitFunction") -> Any:
    return cloud.invoke(function, {"steps": steps})


def test_side_effects_are_named_alike_in_every_run(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """No generated name and no id of a recording or transcript is in them; each kind is counted for each function."""
    steps: list[Step] = [
        ("s3", "head_object", {"Bucket": cloud.resources["RecordingsBucket"], "Key": "dana/a call.mp3"}),
        put(cloud, "submissions/dana/a call.json"),
        put(cloud, "failures/dana/a call.json"),
        put(cloud, "submissions/another.json"),
        ("s3", "list_objects_v2", {"Bucket": cloud.resources["ScorecardsBucket"]}),
        ("sqs", "receive_message", {"QueueUrl": cloud.resources["CallbacksQueue"]}),
        ("sns", "publish", {"TopicArn": cloud.resources["ScorecardsTopic"], "Message": "x"}),
        ("secretsmanager", "get_secret_value", {"SecretId": "key"}),
        ("dynamodb", "put_item", {"TableName": cloud.resources["StateTable"], "Item": {"id": {"S": "a"}}}),
        ask(stand_in, "POST", "/v2/transcript", {}),
        ask(stand_in, "GET", "/v2/transcript?limit=1"),
        ask(stand_in, "GET", "/v2/transcript/5552830b-7d72-47a9-bf28-d4ad23ffa6b9"),
        ask(stand_in, "POST", "/v1/understanding", {}),
        ask(stand_in, "POST", "/v1/chat/completions", {}),
    ]
    with Interference(cloud, stand_in) as interference:
        take(cloud, *steps)
        take(cloud, put(cloud), function="ScorecardFunction")
    assert [(effect.function, effect.what, effect.number) for effect in interference.seen] == [
        ("SubmitFunction", "s3 HeadObject recordings", 1),
        ("SubmitFunction", "s3 PutObject submissions/", 1),
        ("SubmitFunction", "s3 PutObject failures/", 1),
        ("SubmitFunction", "s3 PutObject submissions/", 2),
        ("SubmitFunction", "s3 ListObjectsV2 ScorecardsBucket", 1),
        ("SubmitFunction", "sqs ReceiveMessage CallbacksQueue", 1),
        ("SubmitFunction", "sns Publish ScorecardsTopic", 1),
        ("SubmitFunction", "secretsmanager GetSecretValue", 1),
        ("SubmitFunction", "dynamodb PutItem", 1),
        ("SubmitFunction", "assemblyai POST /v2/transcript", 1),
        ("SubmitFunction", "assemblyai GET /v2/transcript", 1),
        ("ScorecardFunction", "assemblyai GET /v2/transcript/{id}", 1),
        ("ScorecardFunction", "assemblyai POST /v1/understanding", 1),
        ("ScorecardFunction", "assemblyai POST /v1/chat/completions", 1),
        ("ScorecardFunction", "s3 PutObject submissions/", 1),
    ]


def test_only_the_functions_have_side_effects(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """What Lambda does with a queue, the administrator's calls and a link's user are left alone."""
    link_of_a_function = cloud.client("s3", cloud.function_credentials("SubmitFunction")).generate_presigned_url(
        "list_objects_v2", Params={"Bucket": cloud.resources["ScorecardsBucket"]}
    )
    with Interference(cloud, stand_in, lambda _: Lose(after=False)) as interference:
        assert requests.get(link_of_a_function, timeout=10).status_code == 200
        cloud.client("sqs").send_message(QueueUrl=cloud.resources["CallbacksQueue"], MessageBody='{"steps": []}')
        cloud.wait_until(lambda: cloud.queue_depth("CallbacksQueue") == 0)
    assert interference.seen == []


def test_what_is_not_decided_against_goes_on(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """Only the named request suffers, and only while the block is open."""
    decide = only(SideEffect("SubmitFunction", "s3 PutObject submissions/", 2), Refuse(503, "SlowDown"))
    with Interference(cloud, stand_in, decide):
        assert take(cloud, put(cloud), put(cloud), put(cloud)) == [200, [503, "SlowDown"], 200]
    with cloud.interfere(lambda _: Refuse(503, "SlowDown")) as effects:
        assert take(cloud, put(cloud)) == [[503, "SlowDown"]]
    assert effects.seen == [SideEffect("SubmitFunction", "s3 PutObject submissions/", 1)]
    assert take(cloud, put(cloud)) == [200]


def only(named: SideEffect, action: Action) -> Any:
    return lambda effect: action if effect == named else None


@pytest.mark.parametrize("after", [False, True])
def test_a_killed_function_ends_before_or_after_its_deed(cloud: Cloud, stand_in: AssemblyAI, *, after: bool) -> None:
    """The process is gone at the named point, Lambda reports a crash, and the next event finds a new process."""
    forget(cloud)
    crashes = cloud.invocations["SubmitFunction"].crashes
    decide = only(SideEffect("SubmitFunction", "s3 PutObject submissions/", 1), Kill(after))
    with Interference(cloud, stand_in, decide) as interference:
        with pytest.raises(CrashedError, match=r"Runtime\.ExitError: Runtime exited with error: signal: killed"):
            take(cloud, put(cloud), put(cloud, "submissions/never.json"))
        assert keys(cloud) == (["submissions/a.json"] if after else [])
        assert len(interference.seen) == 1
    assert cloud.invocations["SubmitFunction"].crashes == crashes + 1
    assert take(cloud, put(cloud)) == [200]


def test_a_function_dies_at_assemblyai_too(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """A request to AssemblyAI is a point like any other."""
    decide = only(SideEffect("SubmitFunction", "assemblyai GET /v2/transcript", 1), Kill(after=True))
    with Interference(cloud, stand_in, decide), pytest.raises(CrashedError):
        take(cloud, ask(stand_in, "GET", "/v2/transcript"))
    assert stand_in.exchanges[-1].status == 200


def test_the_message_of_a_killed_run_comes_again_after_its_time(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """It stays hidden, as long as the queue's visibility time-out says, and is delivered a second time."""
    decide = only(SideEffect("ScorecardFunction", "s3 PutObject submissions/", 1), Kill(after=True))
    crashes = cloud.invocations["ScorecardFunction"].crashes
    with Interference(cloud, stand_in, decide) as interference:
        body = json.dumps({"steps": [put(cloud)]})
        cloud.client("sqs").send_message(QueueUrl=cloud.resources["CallbacksQueue"], MessageBody=body)
        cloud.wait_until(lambda: cloud.invocations["ScorecardFunction"].crashes > crashes)
        (message,) = cloud.messages("CallbacksQueue")
        assert (message.state, message.receive_count) == ("in flight", 1)
        cloud.pass_time(3600)
        cloud.wait_until(lambda: cloud.queue_depth("CallbacksQueue") == 0)
        assert len(interference.seen) == 2


def test_a_refusal_has_the_services_own_shape(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """An SDK reads status and code in each protocol, AssemblyAI's services answer in theirs, and nothing is done."""
    forget(cloud)
    bucket, table = cloud.resources["ScorecardsBucket"], cloud.resources["StateTable"]
    send = {"QueueUrl": cloud.resources["CallbacksQueue"], "MessageBody": "x"}
    jobs = len(stand_in.jobs)
    with Interference(cloud, stand_in, lambda _: Refuse(500, "Unwell", {"Retry-After": "7"})):
        outcomes = take(
            cloud,
            put(cloud),
            ("s3", "head_object", {"Bucket": bucket, "Key": "a"}),
            ("sqs", "send_message", send),
            ("sns", "publish", {"TopicArn": cloud.resources["ScorecardsTopic"], "Message": "x"}),
            ("dynamodb", "get_item", {"TableName": table, "Key": {"id": {"S": "a"}}}),
            ask(stand_in, "POST", "/v2/transcript", {"audio_url": "https://example.com/a.mp3"}),
            ask(stand_in, "POST", "/v1/chat/completions"),
        )
        answer = requests.get(f"{stand_in.url}/v2/transcript", timeout=10)
    # The answer to a HEAD has no body, so its code is its status.
    assert outcomes[:5] == [[500, "Unwell"], [500, "500"], [500, "Unwell"], [500, "Unwell"], [500, "Unwell"]]
    assert outcomes[5] == [500, '{"error": "Unwell"}']
    assert json.loads(outcomes[6][1]).items() >= {"code": 500, "message": "Unwell"}.items()
    assert answer.headers["Retry-After"] == "7"
    assert keys(cloud) == []
    assert cloud.queue_depth("CallbacksQueue") == 0
    assert len(stand_in.jobs) == jobs


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_leaves_the_deed_done_or_not(cloud: Cloud, stand_in: AssemblyAI, *, after: bool) -> None:
    """The caller sees its connection end, whichever it was."""
    forget(cloud)
    requested = {"audio_url": "https://example.com/a.mp3", "speech_models": ["universal-2"]}
    jobs = len(stand_in.jobs)
    with Interference(cloud, stand_in, lambda _: Lose(after)):
        outcomes = take(cloud, put(cloud), ask(stand_in, "POST", "/v2/transcript", requested))
    assert outcomes == ["ConnectionClosedError", "ConnectionError"]
    assert keys(cloud) == (["submissions/a.json"] if after else [])
    assert len(stand_in.jobs) == jobs + after


def test_a_late_answer_is_the_right_one(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """It comes after the given time, and the deed is done at once."""
    forget(cloud)
    started = time.monotonic()
    with Interference(cloud, stand_in, lambda _: Late(0.3)), ThreadPoolExecutor() as threads:
        taken = threads.submit(take, cloud, put(cloud), ask(stand_in, "GET", "/v2/transcript"))
        cloud.wait_until(lambda: keys(cloud))
        assert not taken.done()
        assert [taken.result()[0], taken.result()[1][0]] == [200, 200]
    assert time.monotonic() - started >= 0.6


PAGE = b"<html><body>Bad gateway</body></html>"


@pytest.mark.parametrize(
    ("spoil", "outcomes"),
    [
        (Spoil(502, PAGE, {"content-type": "text/html"}), [[502, "502"], [502, PAGE.decode()]]),
        (Spoil(200, b"", after=True), [200, [200, ""]]),
        # botocore takes an answer of S3 that is no XML for an error.
        (Spoil(200, b'{"id": "55', {"content-length": "4096"}), [[500, "500"], "ChunkedEncodingError"]),
    ],
)
def test_a_spoiled_answer_is_sent_as_it_is(
    cloud: Cloud, stand_in: AssemblyAI, spoil: Spoil, outcomes: list[Any]
) -> None:
    """A proxy's page, an empty body and one that ends too early reach the function; the deed is done if told so."""
    forget(cloud)
    with Interference(cloud, stand_in, lambda _: spoil):
        assert take(cloud, put(cloud), ask(stand_in, "GET", "/v2/transcript")) == outcomes
    assert (keys(cloud) == ["submissions/a.json"]) is spoil.after


def test_side_effects_of_many_threads_are_counted_one_by_one(cloud: Cloud, stand_in: AssemblyAI) -> None:
    """Functions at work side by side never share a number."""
    with Interference(cloud, stand_in) as interference, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: take(cloud, *[put(cloud)] * 5), range(4)))
    assert [effect.number for effect in interference.seen] == list(range(1, 21))
