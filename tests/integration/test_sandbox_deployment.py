"""The sandbox deploys template.yaml itself: all of it, or it says what it cannot."""

from collections.abc import Iterator

import pytest
from tests.sandbox.cloud import ROOT, Cloud
from tests.sandbox.template import Template, TemplateError, read

EMAIL = {"NotificationEmail": "coach@example.com"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(parameters=EMAIL, invoke=False) as cloud:
        yield cloud


def transformed(**parameters: str) -> Template:
    document, _ = read(ROOT / "template.yaml", region="eu-west-1")
    names = ("AccountId", "Partition", "Region", "StackName", "URLSuffix")
    return Template(
        document,
        parameters=parameters,
        pseudo_parameters={f"AWS::{name}": name.lower() for name in names},
        read_secret=lambda reference: reference.secret,
    )


def test_every_resource_of_the_template_exists(cloud: Cloud) -> None:
    """Each resource whose condition holds has a physical id, and AWS's own lists show the physical ones."""
    assert cloud.resources.keys() == transformed(**EMAIL).resources.keys()
    queues = cloud.client("sqs").list_queues()["QueueUrls"]
    assert {cloud.resources[name] for name in ("RecordingsQueue", "CallbacksQueue", "CallbacksDlq")} <= set(queues)
    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in alarms} == {
        physical_id for name, physical_id in cloud.resources.items() if name.endswith("Alarm")
    }


def test_settings_of_the_template_are_applied(cloud: Cloud) -> None:
    """Properties reach the services: lifecycle, redrive, time to live, subscription, retention."""
    rules = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=cloud.resources["RecordingsBucket"])
    assert rules["Rules"][0]["Expiration"] == {"Days": 90}
    attributes = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.resources["CallbacksQueue"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "3600"
    assert cloud.resources["CallbacksDlq"].rsplit("/", 1)[-1] in attributes["RedrivePolicy"]
    table = cloud.client("dynamodb").describe_time_to_live(TableName=cloud.resources["StateTable"])
    assert table["TimeToLiveDescription"]["AttributeName"] == "expiration"
    (subscription,) = cloud.client("sns").list_subscriptions_by_topic(TopicArn=cloud.resources["ScorecardsTopic"])[
        "Subscriptions"
    ]
    assert subscription["Endpoint"] == EMAIL["NotificationEmail"]


def test_a_functions_environment_is_resolved(cloud: Cloud) -> None:
    """The variables are strings with physical names in them, and nothing of a template's language is left."""
    variables = cloud.environment("SubmitFunction")
    assert variables["SCORECARDS_BUCKET_NAME"] == cloud.outputs["ScorecardsBucketName"]
    assert variables["WEBHOOK_URL"] == cloud.outputs["WebhookUrl"]
    assert variables["WEBHOOK_URL"].split("/")[2] in cloud.hosts
    assert variables["ASSEMBLYAI_API_URL"] == "https://api.assemblyai.com"
    for value in variables.values():
        assert "${" not in value
        assert "{{" not in value


@pytest.mark.parametrize("name", ["Submit", "Scorecard"])
def test_a_function_may_write_its_own_log(cloud: Cloud, name: str) -> None:
    """Each role writes streams of its function's log group, and makes no group."""
    group = f"arn:aws:logs:eu-west-1:123456789012:log-group:{cloud.resources[f'{name}LogGroup']}"
    stream = f"{group}:log-stream:2026/01/01/[$LATEST]0123456789abcdef"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert cloud.is_permitted(f"{name}Role", action, stream)
    assert not cloud.is_permitted(f"{name}Role", "logs:CreateLogGroup", group)
    assert not cloud.is_permitted(f"{name}Role", "logs:PutLogEvents", stream.replace(name, "Other"))


def test_parameters_and_conditions_choose() -> None:
    """A condition that does not hold leaves its resources out and takes the other branch."""
    template = transformed(RecordingsBucketName="mine", AssemblyAIRegion="eu")
    assert not {"RecordingsBucket", "RecordingsBucketPolicy", "ScorecardsSubscription"} & template.resources.keys()


@pytest.mark.parametrize(
    "parameters",
    [
        {"TargetRepShare": "0.99"},
        {"AssemblyAIRegion": "mars"},
        {"Roles": "one"},
        {"MaximumConcurrency": "many"},
        {"NoSuchParameter": "x"},
    ],
)
def test_parameters_outside_their_bounds_are_refused(parameters: dict[str, str]) -> None:
    """Allowed values, patterns and bounds of the template hold."""
    with pytest.raises(TemplateError, match=next(iter(parameters))):
        transformed(**parameters)


def test_a_second_cloud_in_one_process_is_refused(cloud: Cloud) -> None:
    """The state of moto belongs to the process, so two clouds would meet; the first one stays as it was."""
    with pytest.raises(RuntimeError, match="already"):
        Cloud().start()
    assert cloud.client("s3").list_buckets()["Buckets"]
