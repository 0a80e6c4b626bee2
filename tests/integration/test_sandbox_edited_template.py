"""An edited template is another cloud: refused where AWS would refuse it, and different where it differs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_sandbox_gateway import (
    call_back,
    check_callbacks_are_queued_as_they_are,
    check_strangers_are_refused,
    key,
)
from tests.sandbox.cloud import Cloud
from tests.sandbox.deployment import DeploymentError, UnsupportedResourceError
from tests.sandbox.template import UnresolvedReferenceError, UnsupportedTemplateError

BUCKET_THAT_NOTIFIES_A_TOPIC = """{
    Type: 'AWS::S3::Bucket',
    Properties: {
        NotificationConfiguration: {
            EventBridgeConfiguration: {EventBridgeEnabled: true},
            TopicConfigurations: [],
        },
    },
}"""
EMAIL = {"NotificationEmail": "coach@example.com"}

Edit = Callable[[dict[str, Any]], None]


def resource(document: dict[str, Any], name: str) -> dict[str, Any]:
    properties: dict[str, Any] = document["Resources"][name]["Properties"]
    return properties


def break_reference(document: dict[str, Any]) -> None:
    resource(document, "ScorecardsSubscription")["TopicArn"] = {"Ref": "ScorecardTopic"}


def break_environment(document: dict[str, Any]) -> None:
    variables = resource(document, "SubmitFunction")["Environment"]["Variables"]
    variables["RECORDINGS_QUEUE_URL"] = {"Ref": "RecordingQueue"}


def break_substitution(document: dict[str, Any]) -> None:
    document["Outputs"]["DropCommand"]["Value"] = {"Fn::Sub": "to ${RecordingsBucketNam}"}


def break_map(document: dict[str, Any]) -> None:
    del document["Mappings"]["AssemblyAI"]["us"]["GatewayUrl"]


def refer_to_what_the_condition_left_out(document: dict[str, Any]) -> None:
    document["Resources"]["ScorecardsSubscription"]["Condition"] = "HasOperationsEmail"
    document["Outputs"]["ScorecardsTopicArn"]["Value"] = {"Ref": "ScorecardsSubscription"}


@pytest.mark.parametrize(
    "edit",
    [
        break_reference,
        break_environment,
        break_substitution,
        break_map,
        refer_to_what_the_condition_left_out,
    ],
)
def test_a_reference_to_nothing_is_found_before_the_deployment(edit: Edit) -> None:
    """Ref, Sub and FindInMap of something that does not exist raise; nothing is left out in silence."""
    with pytest.raises(UnresolvedReferenceError):
        Cloud(parameters=EMAIL, edit=edit).start()


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("{Type: 'AWS::Kinesis::Stream'}", "AWS::Kinesis::Stream"),
        ("{Type: 'AWS::SQS::Queue', CreationPolicy: {}}", "CreationPolicy"),
        ("{Type: 'AWS::SQS::Queue', Properties: {VisibilityTimeOut: 1}}", r"Thing\.VisibilityTimeOut"),
        (
            BUCKET_THAT_NOTIFIES_A_TOPIC,
            r"Thing\.NotificationConfiguration\.TopicConfigurations",
        ),
        (
            "{Type: 'AWS::SNS::Topic', Properties: {DisplayName: {'Fn::Base64': x}}}",
            "Fn::Base64",
        ),
        (
            "{Type: 'AWS::SNS::Topic', Properties: {DisplayName: '{{resolve:ssm:name}}'}}",
            "resolve:ssm",
        ),
    ],
)
def test_what_the_sandbox_does_not_know_is_refused_by_name(tmp_path: Path, resource: str, name: str) -> None:
    """A resource type, attribute, property or function without an effect here stops the deployment."""
    (tmp_path / "template.yaml").write_text(f"Resources: {{Thing: {resource}}}")
    with pytest.raises((UnsupportedResourceError, UnsupportedTemplateError), match=name):
        Cloud(tmp_path / "template.yaml", secrets={}).start()


def set_short_visibility(document: dict[str, Any]) -> None:
    resource(document, "RecordingsQueue")["VisibilityTimeout"] = 59


def set_role_for_another_service(document: dict[str, Any]) -> None:
    statement = resource(document, "SubmitRole")["AssumeRolePolicyDocument"]["Statement"][0]
    statement["Principal"]["Service"] = "ec2.amazonaws.com"


def forbid_receiving(document: dict[str, Any]) -> None:
    statements = resource(document, "SubmitRole")["Policies"][0]["PolicyDocument"]["Statement"]
    next(item for item in statements if item.get("Sid") == "TakeRecordings")["Action"].remove("sqs:ReceiveMessage")


def fill_environment(document: dict[str, Any]) -> None:
    resource(document, "SubmitFunction")["Environment"]["Variables"]["PADDING"] = "x" * 4096


def shorten_webhook_key(document: dict[str, Any]) -> None:
    resource(document, "WebhookKeyASecret")["GenerateSecretString"]["PasswordLength"] = 19


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (set_short_visibility, "visibility timeout: 59 seconds is less than"),
        (set_role_for_another_service, "may not assume"),
        (forbid_receiving, "permissions to call ReceiveMessage"),
        (fill_environment, "4KB limit"),
        (shorten_webhook_key, "at least 20 characters"),
    ],
)
def test_what_aws_would_refuse_to_create_is_refused(edit: Edit, reason: str) -> None:
    """A stack that CloudFormation would roll back does not come up here, and the reason is AWS's."""
    with pytest.raises(DeploymentError, match=reason):
        Cloud(parameters=EMAIL, edit=edit).start()


def operation(document: dict[str, Any]) -> dict[str, Any]:
    paths = document["Resources"]["WebhookApi"]["Properties"]["DefinitionBody"]["paths"]
    found: dict[str, Any] = paths["/callbacks/assemblyai"]["post"]
    return found


def integration(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation(document)["x-amazon-apigateway-integration"]
    return found


def shorten_timeout(document: dict[str, Any]) -> None:
    integration(document)["timeoutInMillis"] = 50


def test_a_slow_queue_is_given_up() -> None:
    """An SQS call longer than the integration's time-out is answered 504 in good time."""
    with Cloud(invoke=False, edit=shorten_timeout) as cloud:
        with cloud.fault("sqs", "SendMessage", status=None, delay_seconds=30):
            response = call_back(cloud)
        assert response.status_code == 504
        assert response.elapsed.total_seconds() < 5


def allow_two_a_second(document: dict[str, Any]) -> None:
    document["Resources"]["WebhookUsagePlan"]["Properties"]["Throttle"] = {"RateLimit": 0.01, "BurstLimit": 2}


def test_the_usage_plan_throttles() -> None:
    """Calls beyond the plan's burst get the mapped answer of THROTTLED; each key has its own allowance."""
    with Cloud(invoke=False, edit=allow_two_a_second) as cloud:
        assert [call_back(cloud).status_code for _ in range(3)] == [200, 200, 503]
        assert call_back(cloud, x_api_key=key(cloud, "B")).status_code == 200


def drop_the_key_requirement(document: dict[str, Any]) -> None:
    del operation(document)["security"]


def forget_to_encode(document: dict[str, Any]) -> None:
    integration(document)["requestTemplates"]["application/json"] = "Action=SendMessage&MessageBody=$input.body"


def misname_the_action(document: dict[str, Any]) -> None:
    templates = integration(document)["requestTemplates"]
    templates["application/json"] = templates["application/json"].replace("MessageBody", "Message")


def take_another_role(document: dict[str, Any]) -> None:
    statements = document["Resources"]["WebhookRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements[0]["Resource"] = {"Fn::GetAtt": ["RecordingsQueue", "Arn"]}


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (drop_the_key_requirement, check_strangers_are_refused),
        (forget_to_encode, check_callbacks_are_queued_as_they_are),
        (misname_the_action, check_callbacks_are_queued_as_they_are),
        (take_another_role, check_callbacks_are_queued_as_they_are),
    ],
)
def test_a_broken_webhook_fails_its_tests(edit: Edit, check: Callable[[Cloud], None]) -> None:
    """The checks of the gateway really depend on the template: with the line broken they fail."""
    with Cloud(invoke=False, edit=edit) as cloud, pytest.raises(AssertionError):
        check(cloud)


def test_variables_that_are_not_provided_are_refused() -> None:
    """A mapping template with an unknown variable is refused at deployment, not sent as text."""

    def use_unknown_variable(document: dict[str, Any]) -> None:
        integration(document)["requestTemplates"]["application/json"] += "&Id=$context.nothing"

    with pytest.raises(UnsupportedTemplateError, match=r"context\.nothing"):
        Cloud(edit=use_unknown_variable).start()


def test_an_existing_bucket_is_used_as_it_is() -> None:
    """With RecordingsBucketName no bucket is made, and objects in the named one reach the queue."""
    with Cloud(
        parameters={"RecordingsBucketName": "owned-by-us", "RecordingsPrefix": "calls/"},
        existing_buckets=["owned-by-us"],
        invoke=False,
    ) as cloud:
        s3 = cloud.client("s3")
        s3.put_object(Bucket="owned-by-us", Key="calls/a.mp3", Body=b"x")
        s3.put_object(Bucket="owned-by-us", Key="other/a.mp3", Body=b"x")
        (message,) = cloud.messages("RecordingsQueue")
        assert '"key":"calls/a.mp3"' in message.body
        assert cloud.is_permitted("SubmitRole", "s3:GetObject", "arn:aws:s3:::owned-by-us/calls/a.mp3")
        assert not cloud.is_permitted("SubmitRole", "s3:GetObject", "arn:aws:s3:::owned-by-us/other/a.mp3")


def test_a_stopped_cloud_leaves_nothing(tmp_path: Path) -> None:
    """A new cloud begins with an empty account, whatever the one before held; logs outlive it where asked."""
    (tmp_path / "template.yaml").write_text("Resources: {Queue: {Type: 'AWS::SQS::Queue'}}")
    for _ in range(2):
        with Cloud(tmp_path / "template.yaml") as cloud:
            assert len(cloud.client("sqs").list_queues()["QueueUrls"]) == 1
            cloud.client("sqs").create_queue(QueueName="left-over")
