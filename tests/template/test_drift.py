"""template.yaml, the code and the documents say the same."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sandbox.template import parse

import scorecard.settings
import submit.settings

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = parse((ROOT / "template.yaml").read_text("utf-8"))
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
INTERFACE: dict[str, Any] = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
GLOBALS: dict[str, Any] = TEMPLATE["Globals"]["Function"]

SETTINGS: dict[str, type[msgspec.Struct]] = {
    "SubmitFunction": submit.settings.Settings,
    "ScorecardFunction": scorecard.settings.Settings,
}
QUEUES = {"SubmitFunction": "RecordingsQueue", "ScorecardFunction": "CallbacksQueue"}


def of_type(kind: str) -> dict[str, Any]:
    """The resources of one type."""
    return {name: resource for name, resource in RESOURCES.items() if resource["Type"] == kind}


def values(node: Any, key: str) -> list[Any]:
    """Everything that stands under a key, anywhere below."""
    if isinstance(node, dict):
        return [value for name, value in node.items() if name == key] + [
            found for value in node.values() for found in values(value, key)
        ]
    if isinstance(node, list):
        return [found for value in node for found in values(value, key)]
    return []


@pytest.mark.parametrize("function", SETTINGS)
def test_a_function_s_variables_are_its_settings(function: str) -> None:
    own = RESOURCES[function]["Properties"]["Environment"]["Variables"]
    variables = {name for name in GLOBALS["Environment"]["Variables"] | own if not name.startswith("POWERTOOLS_")}

    assert variables == {field.name.upper() for field in msgspec.structs.fields(SETTINGS[function])}


@pytest.mark.parametrize("function", SETTINGS)
def test_a_handler_is_where_the_template_says(function: str) -> None:
    module, name = RESOURCES[function]["Properties"]["Handler"].rsplit(".", 1)
    file = ROOT / GLOBALS["CodeUri"] / f"{module.replace('.', '/')}.py"

    assert f"def {name}(" in file.read_text("utf-8")


@pytest.mark.parametrize("function", SETTINGS)
def test_a_message_is_hidden_for_six_time_outs(function: str) -> None:
    queue = RESOURCES[QUEUES[function]]["Properties"]

    assert queue["VisibilityTimeout"] >= 6 * RESOURCES[function]["Properties"]["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 20


@pytest.mark.parametrize("function", SETTINGS)
def test_a_function_takes_one_message_and_says_what_is_not_done(function: str) -> None:
    (event,) = RESOURCES[function]["Properties"]["Events"].values()

    assert event["Properties"]["Queue"] == {"Fn::GetAtt": [QUEUES[function], "Arn"]}
    assert event["Properties"]["BatchSize"] == 1
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["Properties"]["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}


def test_no_policy_says_everything() -> None:
    actions = [action for role in of_type("AWS::IAM::Role").values() for action in values(role, "Action")]
    resources = [arn for role in of_type("AWS::IAM::Role").values() for arn in values(role, "Resource")]

    assert actions
    assert "*" not in json.dumps(actions)
    assert "*" not in resources
    assert not values(RESOURCES, "ManagedPolicyArns")
    assert all("Policies" not in function["Properties"] for function in of_type("AWS::Serverless::Function").values())


@pytest.mark.parametrize("bucket", of_type("AWS::S3::Bucket"))
def test_a_bucket_is_closed_encrypted_and_survives_the_stack(bucket: str) -> None:
    properties = RESOURCES[bucket]["Properties"]

    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    assert properties["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]
    assert RESOURCES[bucket]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[bucket]["UpdateReplacePolicy"] == "Retain"
    assert "BucketName" not in properties


@pytest.mark.parametrize("kind", ["S3::Bucket", "SQS::Queue"])
def test_buckets_and_queues_speak_tls_only(kind: str) -> None:
    """Every one of them has a policy that denies everything else."""
    holder = {"S3::Bucket": "Bucket", "SQS::Queue": "Queues"}[kind]
    guarded = {
        ref
        for policy in of_type(f"AWS::{kind}Policy").values()
        for ref in values(policy["Properties"][holder], "Ref")
        if any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        )
    }

    assert guarded == set(of_type(f"AWS::{kind}"))


def test_every_parameter_is_used_grouped_labelled_and_described() -> None:
    used = json.dumps([TEMPLATE["Conditions"], TEMPLATE["Globals"], RESOURCES, TEMPLATE["Outputs"]])
    grouped = [name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]]

    assert sorted(grouped) == sorted(PARAMETERS)
    assert set(INTERFACE["ParameterLabels"]) == set(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert f'"Ref": "{name}"' in used or f"${{{name}}}" in used, name
        assert parameter["Description"], name
        assert "Default" in parameter, name


def test_every_fault_of_ours_at_the_gateway_is_no_4xx() -> None:
    """AssemblyAI never repeats a callback that was answered 4xx."""
    definition = RESOURCES["WebhookApi"]["Properties"]["DefinitionBody"]
    responses = definition["x-amazon-apigateway-gateway-responses"]
    operation = definition["paths"]["/callbacks/assemblyai"]["post"]

    assert {name: response["statusCode"] for name, response in responses.items()} == dict.fromkeys(
        ("THROTTLED", "QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"), "503"
    )
    assert operation["x-amazon-apigateway-integration"]["responses"]["default"]["statusCode"] == "500"
    assert operation["security"] == [{"webhookKey": []}]


def test_the_shared_values_are_the_parameters_bounds() -> None:
    """A rep's role and a customer's: as many as the pattern of the parameter demands, each within AssemblyAI's 35."""
    assert re.fullmatch(PARAMETERS["Roles"]["AllowedPattern"], PARAMETERS["Roles"]["Default"])
    assert not re.fullmatch(PARAMETERS["Roles"]["AllowedPattern"], "Sales Rep")
    assert not re.fullmatch(PARAMETERS["Roles"]["AllowedPattern"], f"{'x' * 36},Customer")


def test_every_sample_event_is_used_by_a_test() -> None:
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))

    for event in (ROOT / "events").glob("*.json"):
        stem = event.stem.removeprefix("callback_")
        assert f'"{event.stem}' in tests or f'callback("{stem}"' in tests or f"{event.name}" in tests, event.name


def test_the_documents_name_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    documents = [*ROOT.glob("*.md"), *ROOT.glob(".github/*.md")]

    assert documents
    for document in documents:
        named = set(re.findall(r"`make ([a-z]+)", document.read_text("utf-8")))
        named |= set(re.findall(r"^make ([a-z]+)", document.read_text("utf-8"), re.MULTILINE))
        assert named <= targets, document.name


def test_operations_explains_every_reason() -> None:
    """What failures/ and the dead-letter queues may say is what OPERATIONS.md tells people to do about."""
    code = "".join(
        file.read_text("utf-8")
        for folder in ("functions", "layers/callcoach")
        for file in (ROOT / folder).rglob("*.py")
    )
    raised = re.findall(
        r"(?:UnsupportedRecording|TranscriptFailed|RequestRefused|give_up)\((?:message, |\s*)\"([a-z_]+)\"|"
        r"(?:DOWNLOAD_FAILED|NEVER_FINISHED) = \"([a-z_]+)\"|^    reason ?= ?\"([a-z_]+)\"",
        code,
        re.MULTILINE,
    )
    reasons = {name for found in raised for name in found if name} - {"unavailable"}
    document = (ROOT / "OPERATIONS.md").read_text("utf-8")

    assert {"crashed", "never_finished", "download_failed", "malformed_message", "aws_unavailable"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in document} == set()
