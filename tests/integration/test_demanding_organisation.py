"""A deployment as a large organisation wants it: in the EU, in a bucket with a key of its own, within a boundary."""

import json
from collections.abc import Iterator

import pytest
from tests.sandbox.cloud import Cloud

BUCKET = "calls-of-everybody"
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLES = ("SubmitRole", "ScorecardRole", "WebhookRole")


@pytest.fixture(scope="module")
def clouds() -> Iterator[tuple[Cloud, Cloud]]:
    """A stack as it is by default, and beside it one as it is demanded; what it needs is in the account before it."""
    with Cloud(stack_name="neighbour", existing_buckets=[BUCKET], invoke=False) as neighbour:
        nothing_deleted = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": ["s3:DeleteObject", "sqs:SendMessage"], "Resource": "*"},
            ],
        }
        boundary = neighbour.client("iam").create_policy(
            PolicyName="boundary", PolicyDocument=json.dumps(nothing_deleted)
        )
        parameters = {
            "AssemblyAIRegion": "eu",
            "RecordingsBucketName": BUCKET,
            "RecordingsKmsKeyArn": KEY_ARN,
            "PermissionsBoundaryArn": boundary["Policy"]["Arn"],
        }
        with Cloud(parameters=parameters, beside=neighbour, invoke=False) as demanded:
            yield neighbour, demanded


def test_both_functions_ask_assemblyai_in_the_eu(clouds: tuple[Cloud, Cloud]) -> None:
    _, demanded = clouds
    urls = [demanded.environment(name)["ASSEMBLYAI_API_URL"] for name in ("SubmitFunction", "ScorecardFunction")]

    assert urls == ["https://api.eu.assemblyai.com"] * 2
    assert demanded.environment("ScorecardFunction")["LLM_GATEWAY_URL"] == "https://llm-gateway.eu.assemblyai.com"


def test_no_role_may_more_than_the_boundary_lets_it(clouds: tuple[Cloud, Cloud]) -> None:
    neighbour, demanded = clouds
    for cloud, is_bounded in ((neighbour, False), (demanded, True)):
        queue = cloud.resources["CallbacksQueue"].rsplit("/", 1)[-1]
        arn = f"arn:aws:sqs:{cloud.region}:123456789012:{queue}"
        for role in ROLES:
            name = cloud.resources[role]
            assert ("PermissionsBoundary" in cloud.client("iam").get_role(RoleName=name)["Role"]) is is_bounded
            assert cloud.is_permitted(role, "sqs:SendMessage", arn) is not is_bounded
    assert demanded.is_permitted("SubmitRole", "s3:GetObject", f"arn:aws:s3:::{BUCKET}/a.ogg")


def test_the_bucket_stays_as_it_was_and_its_key_may_be_used_to_read(clouds: tuple[Cloud, Cloud]) -> None:
    """No policy, no lifecycle and no encryption of the owner's is replaced."""
    _, demanded = clouds
    s3 = demanded.client("s3")

    assert "RecordingsBucket" not in demanded.resources
    assert demanded.outputs["RecordingsBucketName"] == BUCKET
    for settings in (s3.get_bucket_policy, s3.get_bucket_lifecycle_configuration):
        with pytest.raises(s3.exceptions.ClientError, match="NoSuch"):
            settings(Bucket=BUCKET)
    assert demanded.is_permitted("SubmitRole", "kms:Decrypt", KEY_ARN)
    assert not demanded.is_permitted("ScorecardRole", "kms:Decrypt", KEY_ARN)
    assert not demanded.is_permitted("SubmitRole", "kms:GenerateDataKey", KEY_ARN)


def test_without_addresses_nobody_is_subscribed(clouds: tuple[Cloud, Cloud]) -> None:
    sns = clouds[1].client("sns")
    for topic in ("ScorecardsTopic", "OperationsTopic"):
        assert sns.list_subscriptions_by_topic(TopicArn=clouds[1].resources[topic])["Subscriptions"] == []
