"""python -m callcoach destroy: what is said before a stack goes, and what holds it back. sam deletes nothing here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.commands_on_path import Called, commands_on_path
from tests.integration.operator_commands import role_with, run
from tests.integration.stack import Stack, running_stack

DELETE = "sam delete --stack-name callcoach --region eu-west-1 --no-prompts".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Called]:
    with commands_on_path(tmp_path) as called:
        yield called


def test_what_stays_is_named_before_and_how_to_remove_it_afterwards(stack: Stack, called: Called) -> None:
    buckets = [stack.cloud.resources[name] for name in ("RecordingsBucket", "ScorecardsBucket")]
    stack.cloud.client("sqs").send_message(QueueUrl=stack.queue_url("CallbacksDlq"), MessageBody="given up")

    ran = run(stack.cloud, "destroy", answer="callcoach\n")
    stack.cloud.empty("CallbacksDlq")

    assert ran.exit_code == 0, ran.err
    assert called.commands == [DELETE]
    before, after = ran.out.split("callcoach is deleted.")
    assert "The stack callcoach in eu-west-1 of the account 123456789012" in before
    assert "what was given up and waits to be redriven: 1 message\n" in before
    assert "stays:  the secret callcoach/assemblyai" in before
    for bucket, days in zip(buckets, (90, 730), strict=True):
        assert f"stays:  s3://{bucket}, where all is deleted after {days} days" in before
        assert f"aws s3 rb --region eu-west-1 --force s3://{bucket}" in after
    assert "aws secretsmanager delete-secret --region eu-west-1 --secret-id callcoach/assemblyai" in after


@pytest.mark.parametrize("typed", ["", "y\n", "Callcoach\n", "callcoach-two\n"])
def test_only_the_stack_s_name_deletes_it(stack: Stack, called: Called, typed: str) -> None:
    ran = run(stack.cloud, "destroy", answer=typed)

    assert ran.exit_code == 1
    assert called.commands == []


def test_while_calls_are_on_their_way_nothing_is_deleted(stack: Stack, called: Called) -> None:
    stack.submit("transcribed.ogg", b"sound")
    stack.cloud.empty("RecordingsQueue")
    refused = run(stack.cloud, "destroy", answer="callcoach\n")
    asked = list(called.commands)

    abandoned = run(stack.cloud, "destroy", "--abandon-calls", answer="callcoach\n")
    run(stack.cloud, "forget", "--yes", "--keep-at-assemblyai", "transcribed.ogg")

    assert refused.exit_code == 1
    assert "1 recording on the way to a scorecard. Nothing was deleted." in refused.err
    assert asked == []
    assert abandoned.exit_code == 0
    assert called.commands == [DELETE]


def test_messages_in_the_first_queue_count_as_on_their_way(stack: Stack, called: Called) -> None:
    """However old the recordings are: they may wait for the end of a pause."""
    stack.drop("waits.ogg", b"sound")
    stack.cloud.client("s3").delete_object(Bucket=stack.cloud.outputs["RecordingsBucketName"], Key="waits.ogg")

    ran = run(stack.cloud, "destroy", answer="callcoach\n")
    stack.cloud.empty("RecordingsQueue")

    assert ran.exit_code == 1
    assert "1 message in RecordingsQueue. Nothing was deleted." in ran.err
    assert called.commands == []


def test_what_sam_cannot_delete_is_not_called_deleted(stack: Stack, called: Called) -> None:
    called.carry_out = lambda _: 1

    ran = run(stack.cloud, "destroy", answer="callcoach\n")

    assert ran.exit_code == 1
    assert "sam delete has failed (exit code 1)" in ran.err
    assert "aws s3 rb" not in ran.out


def test_sam_asks_the_same_aws(stack: Stack, called: Called) -> None:
    """Else the stack of the same name in the real account would go."""
    url = stack.cloud.endpoint_url
    ran = run(stack.cloud, "destroy", "--endpoint-url", url, answer="callcoach\n", variables={"AWS_ENDPOINT_URL": None})

    assert ran.exit_code == 0, ran.err
    assert called.endpoint_urls == [url]


def test_it_needs_these_rights_beside_sam_s(stack: Stack, called: Called) -> None:
    needed = {
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "s3:ListBucket",
        "sqs:GetQueueAttributes",
        "sts:GetCallerIdentity",
    }
    credentials, used = role_with(stack.cloud, "destroys", needed)

    ran = run(stack.cloud, "destroy", answer="callcoach\n", credentials=credentials)

    assert ran.exit_code == 0, ran.err
    assert used() == needed
    assert called.commands == [DELETE]
