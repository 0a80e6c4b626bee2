"""A second stack in the same account and region: neither reads, writes, hears or may touch what is the other's."""

from collections.abc import Iterator

import pytest
from tests.integration.stack import OTHER_SOUND, SOUND, Stack, running_stack
from tests.sandbox.cloud import Cloud

SHARED_BUCKET = "calls-of-everybody"


@pytest.fixture(scope="module")
def stacks() -> Iterator[tuple[Stack, Stack]]:
    """Two stacks, with AssemblyAI's key in one secret, that take their recordings from one bucket, by prefix."""
    shared = {"RecordingsBucketName": SHARED_BUCKET, "NotificationEmail": ""}
    with running_stack(parameters=shared | {"RecordingsPrefix": "one/"}, existing_buckets=[SHARED_BUCKET]) as one:
        parameters = shared | {"RecordingsPrefix": "two/", "AssemblyAIEndpointUrl": one.stand_in.url}
        with Cloud(parameters=parameters, stack_name="callcoach-two", beside=one.cloud) as cloud:
            one.stand_in.hosts.update(cloud.hosts)
            yield one, Stack(cloud, one.stand_in)


def test_each_recording_is_scored_by_the_stack_of_its_prefix_and_once(stacks: tuple[Stack, Stack]) -> None:
    one, two = stacks
    one.drop("one/call.ogg", SOUND.read_bytes())
    two.drop("two/call.ogg", OTHER_SOUND.read_bytes())

    assert one.wait_for("scorecards", "one/call.ogg")["call"]["recording"] == "one/call.ogg"
    assert two.wait_for("scorecards", "two/call.ogg")["call"]["recording"] == "two/call.ogg"

    assert one.document("submissions", "two/call.ogg") is None
    assert two.document("submissions", "one/call.ogg") is None
    assert len(one.submissions("call.ogg")) == 2
    for stack, own in ((one, "one/call.ogg"), (two, "two/call.ogg")):
        (mail,) = stack.cloud.wait_until(stack.cloud.publications)
        assert own in mail.message


def test_nothing_of_one_is_the_other_s(stacks: tuple[Stack, Stack]) -> None:
    """But for the stage, whose name counts within its API."""
    one, two = (set(stack.cloud.resources.values()) for stack in stacks)

    assert one & two == {"live"}
    assert stacks[0].cloud.hosts.keys().isdisjoint(stacks[1].cloud.hosts)


@pytest.mark.parametrize("role", ["SubmitRole", "ScorecardRole"])
def test_no_role_may_touch_the_other_s(stacks: tuple[Stack, Stack], role: str) -> None:
    one, two = (stack.cloud for stack in stacks)
    account = "123456789012"
    for cloud, other in ((one, two), (two, one)):
        table = f"arn:aws:dynamodb:{cloud.region}:{account}:table/{other.resources['StateTable']}"
        queue = f"arn:aws:sqs:{cloud.region}:{account}:{other.resources['CallbacksQueue'].rsplit('/', 1)[-1]}"
        document = f"arn:aws:s3:::{other.resources['ScorecardsBucket']}/submissions/a.json"
        key = other.resources["WebhookKeyASecret"]
        assert not cloud.is_permitted(role, "dynamodb:GetItem", table)
        assert not cloud.is_permitted(role, "sqs:SendMessage", queue)
        assert not cloud.is_permitted(role, "s3:PutObject", document)
        assert not cloud.is_permitted(role, "secretsmanager:GetSecretValue", key)
        assert not cloud.is_permitted(role, "sns:Publish", other.resources["ScorecardsTopic"])
    foreign = f"arn:aws:s3:::{SHARED_BUCKET}/two/call.ogg"
    assert not one.is_permitted("SubmitRole", "s3:GetObject", foreign)
    assert two.is_permitted("SubmitRole", "s3:GetObject", foreign)
