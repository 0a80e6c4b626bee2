"""python -m callcoach deploy, in an account of the sandbox; sam is one that deploys there, and make builds nothing."""

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.commands_on_path import Called, commands_on_path
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import KEY
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.cloud import Cloud

ROOT = Path(__file__).parents[2]
KEY_IS_IN = "callcoach/assemblyai"
# Region of AssemblyAI, channel, bucket, both addresses: Enter for what stands in brackets.
ENTERS = "\n" * 5


@pytest.fixture(scope="module")
def stand_in() -> Iterator[AssemblyAI]:
    with AssemblyAI(KEY, delay_seconds=0.05) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Cloud]:
    """A stack of callcoach that is in the account already, under another name, and no secret."""
    with Cloud(stack_name="neighbour", secrets={}, existing_buckets=["mine"], invoke=False) as cloud:
        yield cloud


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a clone has it, as far as deploy looks."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def called(tmp_path: Path, neighbour: Cloud, project: Path) -> Iterator[Called]:
    """What was run; sam deploys into the account, beside the neighbour."""
    folder = tmp_path / "bin"
    folder.mkdir()
    there = {"neighbour": neighbour}
    with ExitStack() as deployed, commands_on_path(folder) as called:
        called.carry_out = lambda command: sam(command, project, there, deployed)
        yield called
    secrets = neighbour.client("secretsmanager")
    for secret in secrets.list_secrets()["SecretList"]:
        if secret["Name"].startswith("callcoach/"):
            secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


def sam(command: Sequence[str], project: Path, there: dict[str, Cloud], deployed: ExitStack) -> int:
    """Do what sam deploy does, as far as it concerns who has called it. there: the stacks of the account."""
    if command[:2] != ["sam", "deploy"]:
        return 0
    stack, parameters = option(command, "--stack-name"), overrides(command)
    if "--save-params" in command:
        save(project / "samconfig.toml", command, parameters)
    if stack not in there:
        cloud = Cloud(stack_name=stack, parameters=parameters, beside=there["neighbour"], invoke=False)
        there[stack] = deployed.enter_context(cloud)
    return 0


def option(command: Sequence[str], name: str) -> str:
    return command[command.index(name) + 1]


def overrides(command: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a command, which come last."""
    if "--parameter-overrides" not in command:
        return {}
    pairs = [re.fullmatch(r'(\w+)="(.*)"', text) for text in command[command.index("--parameter-overrides") + 1 :]]
    return {pair[1]: pair[2].replace('\\"', '"') for pair in pairs if pair}


def save(path: Path, command: Sequence[str], parameters: dict[str, str]) -> None:
    """Save what the SAM CLI 1.170 saves: the region for all of its commands, the rest for this one."""
    document = tomllib.loads(path.read_text("utf-8"))
    section = document.setdefault(option(command, "--config-env"), {})
    section.setdefault("global", {}).setdefault("parameters", {})["region"] = option(command, "--region")
    deploy = section.setdefault("deploy", {}).setdefault("parameters", {})
    deploy |= {"stack_name": option(command, "--stack-name"), "parameter_overrides": parameters}
    path.write_text("\n".join(toml(document)), "utf-8")


def toml(table: dict[str, Any], name: str = "") -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{key} = {json.dumps(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield f"[{name}{key}]"
            yield from toml(value, f"{name}{key}.")


def deploy(neighbour: Cloud, stand_in: AssemblyAI, *options: str, answer: str = "", **more: Any) -> Ran:
    """Deploy a stack that asks the stand-in in the place of AssemblyAI."""
    endpoint = f"AssemblyAIEndpointUrl={stand_in.url}"
    return run(neighbour, "deploy", "--set", endpoint, *options, answer=answer, **more)


def saved(project: Path, environment: str = "default") -> dict[str, str]:
    document = tomllib.loads((project / "samconfig.toml").read_text("utf-8"))
    parameters: dict[str, str] = document[environment]["deploy"]["parameters"]["parameter_overrides"]
    return parameters


def secret(cloud: Cloud) -> str | None:
    client = cloud.client("secretsmanager")
    try:
        return str(client.get_secret_value(SecretId=KEY_IS_IN)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        return None


def make_secret(cloud: Cloud, key: str = KEY) -> None:
    cloud.client("secretsmanager").create_secret(Name=KEY_IS_IN, SecretString=key)


def test_the_first_deployment_asks_little_makes_the_secret_and_says_what_comes_next(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, project: Path
) -> None:
    typed = f"\n\n\nmanager@example.com\n\n{KEY}\ny\n"

    ran = deploy(neighbour, stand_in, "--stack", "callcoach", answer=typed)

    assert ran.exit_code == 0, ran.err
    assert secret(neighbour) == KEY
    assert called.commands[0] == ["make", "--no-print-directory", "build"]
    (command,) = called.commands[1:]
    assert command[:8] == "sam deploy --config-env default --region eu-west-1 --stack-name callcoach".split()  # noqa: SIM905
    assert {"--confirm-changeset", "--save-params", "--resolve-s3", "CAPABILITY_IAM"} <= set(command)
    assert saved(project)["NotificationEmail"] == "manager@example.com"
    assert saved(project)["OperationsEmail"] == ""
    assert saved(project)["AssemblyAIEndpointUrl"] == stand_in.url
    assert "callcoach is deployed in eu-west-1." in ran.out
    assert "AWS has written to manager@example.com (scorecards)" in ran.out
    assert 'make deploy OPTIONS="--set OperationsEmail=you@example.com"' in ran.out
    assert "make doctor\n" in ran.out
    assert "make smoke\n" in ran.out
    assert "aws s3 cp call.mp3 s3://callcoach-recordingsbucket-" in ran.out
    assert KEY not in ran.out + ran.err + str(called.commands)


def test_later_it_asks_nothing_of_what_was_answered(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, project: Path
) -> None:
    make_secret(neighbour)
    deploy(neighbour, stand_in, "--environment", "staging", answer=ENTERS)
    called.commands.clear()

    again = run(neighbour, "deploy", "--environment", "staging")
    changed = run(neighbour, "deploy", "--environment", "staging", "--set", "Roles=Sales Rep,Buyer")

    assert (again.exit_code, again.err) == (0, "")
    assert "Nothing was changed in callcoach-staging." in again.out
    assert again.out.count("ok ") >= 5
    first, second = (command for command in called.commands if command[0] == "sam")
    assert "--save-params" not in first
    assert "--no-confirm-changeset" not in first + second
    assert "Roles" not in overrides(first)
    assert "--save-params" in second
    assert saved(project, "staging") == overrides(second) == {**overrides(first), "Roles": "Sales Rep,Buyer"}
    assert changed.exit_code == 0


def test_other_commands_find_an_environment_by_its_name(neighbour: Cloud, stand_in: AssemblyAI, called: Called) -> None:
    """Without a region of the shell, too."""
    make_secret(neighbour)
    ran = deploy(neighbour, stand_in, "--environment", "production", answer=ENTERS)
    elsewhere: dict[str, str | None] = {"AWS_DEFAULT_REGION": "us-east-1"}

    assert "make doctor ENVIRONMENT=production" in ran.out
    found = run(neighbour, "status", "--json", "--environment", "production", variables=elsewhere)
    assert found.document["stack"] == "callcoach-production"
    checks = run(neighbour, "doctor", "--json", "--environment", "production", variables=elsewhere).document["checks"]
    assert any(check["name"] == "recordings bucket" and check["verdict"] == "ok" for check in checks)
    unknown = run(neighbour, "status", "--environment", "produktion")
    assert unknown.exit_code == 2
    assert "samconfig.toml knows no produktion" in unknown.err
    other = deploy(neighbour, stand_in, "--environment", "production", "--stack", "another")
    assert other.exit_code == 2
    assert "production is callcoach-production" in other.err


def test_with_yes_nothing_is_asked_and_nothing_saved(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, project: Path
) -> None:
    make_secret(neighbour)
    before = (project / "samconfig.toml").read_bytes()

    ran = deploy(neighbour, stand_in, "--yes", "--stack", "unattended")

    assert (ran.exit_code, ran.err) == (0, "")
    (command,) = called.commands[1:]
    assert "--no-confirm-changeset" in command
    assert "--save-params" not in command
    assert (project / "samconfig.toml").read_bytes() == before
    assert "make doctor STACK=unattended" in ran.out
    assert "Nobody gets scorecards yet" in ran.out


@pytest.mark.parametrize(
    "case",
    [
        (["--yes"], "", f"aws secretsmanager create-secret --region eu-west-1 --name {KEY_IS_IN}"),
        ([], f"{ENTERS}\n", f"aws secretsmanager create-secret --region eu-west-1 --name {KEY_IS_IN}"),
        ([], f"{ENTERS}another-key\n", "Put a valid key into the secret"),
        ([], f"{ENTERS}two words\n", "holds something else than a key"),
        (["--dry-run"], "", f"there is no {KEY_IS_IN} in eu-west-1"),
        (["--yes", "--set", "CoachModel=claude-1"], "", "claude-1 is not in AssemblyAI's list"),
        (["--yes", "--set", "RecordingsBucketName=nobodys"], "", "there is no nobodys"),
    ],
)
def test_what_would_fail_late_is_said_before_anything_is_built(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, case: tuple[list[str], str, str]
) -> None:
    options, typed, said = case
    ran = deploy(neighbour, stand_in, *options, answer=typed)

    assert said in ran.out
    assert called.commands == []
    assert secret(neighbour) is None
    if "--dry-run" not in options:
        assert ran.exit_code == 1
        assert "Nothing was deployed." in ran.err


def test_a_secret_that_nobody_wants_is_not_made(neighbour: Cloud, stand_in: AssemblyAI, called: Called) -> None:
    ran = deploy(neighbour, stand_in, answer=f"{ENTERS}{KEY}\nn\n")

    assert ran.exit_code == 1
    assert "in eu-west-1 of the account 123456789012?" in ran.err
    assert secret(neighbour) is None
    assert called.commands == []


def test_answers_that_the_template_refuses_are_asked_for_again(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, project: Path
) -> None:
    make_secret(neighbour)
    typed = "mars\neu\n3\n2\nNot_A_Bucket\n\nnobody\nmanager@example.com\n\n"

    ran = deploy(neighbour, stand_in, "--environment", "careful", "--dry-run", answer=typed)
    assert ran.exit_code == 0
    assert called.commands == []
    ran = deploy(neighbour, stand_in, "--environment", "careful", answer=typed)

    assert "AssemblyAIRegion is one of us, eu" in ran.err
    assert "RepChannel is one of 0, 1, 2" in ran.err
    assert "RecordingsBucketName cannot be 'Not_A_Bucket'" in ran.err
    answers = saved(project, "careful")
    assert (answers["AssemblyAIRegion"], answers["RepChannel"]) == ("eu", "2")
    assert answers["NotificationEmail"] == "manager@example.com"


def test_a_bucket_of_one_s_own_is_looked_at_and_used(
    neighbour: Cloud, stand_in: AssemblyAI, called: Called, project: Path
) -> None:
    """Its prefix is asked for too, because it may hold other things."""
    make_secret(neighbour)
    s3 = neighbour.client("s3")
    answers = "\n\nmine\ncalls/\n\n\n"
    ran = deploy(neighbour, stand_in, "--environment", "own-bucket", answer=answers)
    s3.put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration={})
    again = run(neighbour, "deploy", "--environment", "own-bucket")

    assert ran.exit_code == 0, ran.err
    assert saved(project, "own-bucket")["RecordingsPrefix"] == "calls/"
    assert "aws s3 cp call.mp3 s3://mine/calls/" in ran.out
    assert "Be patient" not in ran.out
    assert again.exit_code == 1
    assert "mine tells EventBridge of nothing" in again.out


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("TargetRepShare=0.99", "TargetRepShare is a number from 0.05 to 0.95"),
        ("AssemblyAiRegion=eu", "there is no parameter AssemblyAiRegion; did you mean AssemblyAIRegion?"),
        ("Roles", "'Roles' is no PARAMETER=VALUE"),
    ],
)
def test_parameters_are_held_to_the_template(neighbour: Cloud, called: Called, assignment: str, said: str) -> None:
    ran = run(neighbour, "deploy", "--yes", "--set", assignment)

    assert ran.exit_code == 2
    assert said in ran.err
    assert called.commands == []


def test_what_sam_says_is_not_said_again(neighbour: Cloud, stand_in: AssemblyAI, called: Called) -> None:
    """Its exit code alone counts; that nothing came of it is seen in the account."""
    make_secret(neighbour)
    called.carry_out = lambda command: int(command[0] == "sam")
    failed = deploy(neighbour, stand_in, "--yes")
    called.carry_out = lambda _: 0
    declined = deploy(neighbour, stand_in, "--yes")

    assert failed.exit_code == declined.exit_code == 1
    assert "sam deploy has failed (exit code 1), for the reason above." in failed.err
    assert declined.err.endswith("Nothing was deployed.\n")


def test_it_works_in_the_project_s_folder_and_with_its_tools_alone(
    neighbour: Cloud, called: Called, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_tools = run(neighbour, "deploy", variables={"PATH": "/nonexistent"})
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "yaml", None)
        no_yaml = run(neighbour, "deploy")
    Path("samconfig.toml").write_text("no = toml = at all", "utf-8")
    no_toml = run(neighbour, "deploy")
    monkeypatch.chdir(tmp_path)
    elsewhere = run(neighbour, "deploy")

    assert "make and sam cannot be found. Deploy with: make deploy" in no_tools.err
    assert "deploy needs pyyaml" in no_yaml.err
    assert "samconfig.toml cannot be read" in no_toml.err
    assert "there is no template.yaml here" in elsewhere.err
    assert called.commands == []


def test_without_credentials_nothing_else_is_looked_at(neighbour: Cloud, called: Called) -> None:
    ran = run(neighbour, "deploy", variables={"AWS_ACCESS_KEY_ID": "AKIANOBODY"})

    assert ran.exit_code == 1
    assert "AWS does not know your credentials" in ran.err
    assert called.commands == []


def test_it_needs_these_rights_beside_sam_s(neighbour: Cloud, stand_in: AssemblyAI, called: Called) -> None:
    """And lambda:GetAccountSettings, which the sandbox does not know."""
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "secretsmanager:CreateSecret",
        "secretsmanager:GetSecretValue",
        "sts:GetCallerIdentity",
    }
    credentials, used = role_with(neighbour, "deploys", needed)

    ran = deploy(neighbour, stand_in, "--stack", "by-a-role", answer=f"{ENTERS}{KEY}\ny\n", credentials=credentials)

    assert ran.exit_code == 0, ran.err
    assert used() == needed
