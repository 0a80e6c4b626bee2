"""What a deployment would come to: the saved sections, the command that sam gets, the stacks that cannot be updated."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from callcoach.deploying import Plan, make_options, make_plan, next_steps, stack_check
from callcoach.sam import overrides
from callcoach.samconfig import Environment, read_environment
from callcoach.stack import Stack, Standing

SAM = Path(__file__).parents[2] / ".venv-sam" / "bin" / "python"
VALUES = {
    "Roles": "Sales Rep,Customer",
    "OperationsEmail": "",
    "KeyPattern": r'^(?P<rep>[^/]+)/(?P<customer>"[^"]+)_\d{4}-\d\d',
}


def plan(**changes: Any) -> Plan:
    """A plan of the default environment that was deployed before."""
    given: dict[str, Any] = {
        "environment": "default",
        "stack": "callcoach",
        "region": "eu-west-1",
        "parameters": {},
        "is_first": False,
    }
    return Plan(**(given | changes))


TABLE = """[p.deploy.parameters.parameter_overrides]
Roles = "Sales Rep,Customer"
MaxOpenJobs = 5
"""
TEXT = r"""[p.deploy.parameters]
parameter_overrides = "Roles=\"Sales Rep,Customer\" MaxOpenJobs=\"5\""
"""
LIST = """[p.deploy.parameters]
parameter_overrides = ['Roles="Sales Rep,Customer"', "MaxOpenJobs=5"]
"""


@pytest.mark.parametrize(
    "text", [TABLE, TEXT, LIST], ids=["a table", "text, as sam deploy --guided writes it", "a list"]
)
def test_a_section_is_read_in_each_shape_that_sam_takes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text(f'[p.global.parameters]\nregion = "eu-west-1"\nstack_name = "calls"\n{text}', "utf-8")

    saved = read_environment(path, "p")

    assert (saved.stack, saved.region) == ("calls", "eu-west-1")
    assert saved.parameters == {"Roles": "Sales Rep,Customer", "MaxOpenJobs": "5"}


def test_what_is_not_saved_has_a_name_of_its_own(tmp_path: Path) -> None:
    nowhere = tmp_path / "samconfig.toml"

    assert read_environment(nowhere, "default") == Environment("default", "callcoach", "", {})
    assert read_environment(nowhere, "production") == Environment("production", "callcoach-production", "", {})


def test_what_is_wanted_now_replaces_what_was_saved() -> None:
    saved = Environment("default", "callcoach", "eu-west-1", {"Roles": "A,B", "LogLevel": "DEBUG"})

    made = make_plan(saved, "callcoach", "eu-west-1", {"Roles": "C,D"})

    assert made.parameters == {"Roles": "C,D", "LogLevel": "DEBUG"}
    assert not made.is_first


@pytest.mark.skipif(not SAM.exists(), reason="sam is not installed: run make build")
def test_sam_reads_parameters_as_they_are_meant() -> None:
    """Blanks, spaces, quotes and backslashes included."""
    code = (
        "import json, sys\nfrom samcli.cli.types import CfnParameterOverridesType\n"
        "print(json.dumps(CfnParameterOverridesType().convert(tuple(sys.argv[1:]), None, None)))"
    )
    read = subprocess.run(
        [SAM, "-c", code, *overrides(VALUES)],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": os.defpath, "SAM_CLI_TELEMETRY": "0"},
    )

    assert json.loads(read.stdout) == VALUES


class _CloudFormation:
    """CloudFormation that knows no resources of any stack."""

    def describe_stacks(self, **_: str) -> Any:
        raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")

    @property
    def meta(self) -> Any:
        return type("Meta", (), {"region_name": "eu-west-1"})


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --region eu-west-1 --stack-name callcoach"),
        ("DELETE_FAILED", "can only be deleted"),
        ("UPDATE_IN_PROGRESS", "Deploy again when it has ended."),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback"),
        ("CREATE_COMPLETE", "Deploy under another name with --stack."),
    ],
)
def test_a_stack_that_cannot_be_updated_is_told_with_what_to_do(status: str, advice: str) -> None:
    """The last one belongs to something else."""
    before = Standing(status, {}, datetime(2026, 11, 26, tzinfo=UTC))

    (check,) = stack_check(cast("Any", _CloudFormation()), plan(), before)

    assert check.verdict == "problem"
    assert advice in check.advice


def test_where_nothing_is_deployed_a_stack_can_be_made() -> None:
    (check,) = stack_check(cast("Any", _CloudFormation()), plan(), Standing())

    assert (check.verdict, check.found) == ("ok", "callcoach is new in eu-west-1")


@pytest.mark.parametrize(
    ("changes", "is_saved", "options"),
    [
        ({}, True, ""),
        ({"region": "us-east-1"}, True, " REGION=us-east-1"),
        ({"stack": "calls"}, True, " STACK=calls"),
        ({"environment": "production", "stack": "calls", "region": "us-east-1"}, True, " ENVIRONMENT=production"),
        ({"environment": "production", "stack": "calls"}, False, " STACK=calls"),
    ],
)
def test_make_is_told_what_it_would_not_find(changes: dict[str, str], options: str, *, is_saved: bool) -> None:
    assert make_options(plan(**changes), is_saved=is_saved, usual_region="eu-west-1") == options


def test_a_bucket_of_one_s_own_needs_no_patience_and_the_dashboard_has_an_address() -> None:
    outputs = {"DropCommand": "aws s3 cp call.mp3 s3://calls/", "OperationsDashboardName": "callcoach-operations"}
    addresses = {"NotificationEmail": "a@example.com", "OperationsEmail": "b@example.com"}
    parameters = {**addresses, "RecordingsBucketName": "calls"}

    told = next_steps(Stack("callcoach", parameters, outputs, {}), "eu-west-1", "")

    assert "1. AWS has written to a@example.com (scorecards) and b@example.com (alarms)." in told
    assert (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/callcoach-op"
        in told
    )
    assert "Be patient" not in told
