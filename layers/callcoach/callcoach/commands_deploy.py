"""python -m callcoach deploy: from a template and a few answers to a deployed stack, or to why that would fail."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callcoach.aws_clients import AWS_CONFIG, S3_CONFIG
from callcoach.commands_doctor import http_session
from callcoach.deployed import Address, dry_run_option, err, out, tell, telling_progress
from callcoach.deploying import (
    Plan,
    as_deployed,
    create_secret_command,
    make_options,
    make_plan,
    next_steps,
    stack_check,
)
from callcoach.doctor import Check, Look, checked, checks_view, counted
from callcoach.doctor_assemblyai import AssemblyAIDoctor
from callcoach.doctor_aws import AwsDoctor
from callcoach.errors import SettingsError
from callcoach.plain_text import how_many
from callcoach.sam import CommandFailed, missing_commands, run
from callcoach.samconfig import DEFAULT_ENVIRONMENT, SAMCONFIG, Environment, read_environment
from callcoach.secrets import Secrets
from callcoach.stack import Stack, Standing, find_stack, standing
from callcoach.state import State
from callcoach.template import Parameter, faults, read_parameters

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What a first deployment asks for; all other parameters have defaults that work, and --set.
_ASKED = ("AssemblyAIRegion", "RepChannel", "RecordingsBucketName", "NotificationEmail", "OperationsEmail")
_CHECKED_IN_AWS = ("AWS account", "concurrency")


class _Assignment(click.ParamType[tuple[str, str]]):
    """PARAMETER=VALUE."""

    name = "assignment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401 - as click has it
        """Return both sides of the equals sign."""
        name, equals, given = str(value).partition("=")
        return (name, given) if equals else self.fail(f"{value!r} is no PARAMETER=VALUE", param, ctx)


@click.command()
@click.option(
    "--environment",
    "environment_name",
    default=DEFAULT_ENVIRONMENT,
    show_default=True,
    help="The section of samconfig.toml.",
)
@click.option("--stack", "stack_name", help="The stack's name. [default: callcoach, or callcoach-ENVIRONMENT]")
@click.option("--region", help="The AWS region, if it is not that of your shell.")
@click.option("--endpoint-url", type=Address(), help="Where AWS answers, if not at its own addresses.")
@click.option(
    "--set",
    "assignments",
    type=_Assignment(),
    multiple=True,
    metavar="PARAMETER=VALUE",
    help="Set a parameter of the template, and keep it in samconfig.toml. May be repeated.",
)
@dry_run_option
@click.option("--yes", is_flag=True, help="Ask nothing, and save nothing.")
def deploy(
    *,
    environment_name: str,
    stack_name: str | None,
    region: str | None,
    endpoint_url: str | None,
    assignments: Sequence[tuple[str, str]],
    dry_run: bool,
    yes: bool,
) -> None:
    """Deploy callcoach, from the project's folder.

    The first time a few questions are asked, and the answers are saved in samconfig.toml, a section for each
    environment. What would fail late is looked at first: credentials, the stack's name, AssemblyAI's key and models, a
    bucket of your own. Then it is built, and you see what will change before anything does. Without a secret for
    AssemblyAI's key it asks for the key, without showing it, and makes the secret.
    """
    environment, parameters = _read_project(environment_name)
    wanted = dict(assignments)
    _require(not (found := faults(parameters, wanted)), "; ".join(found))
    _require_the_saved_place(environment, stack_name, region)
    session = click.get_current_context().obj(region_name=region or environment.region or None)
    client: Callable[..., Any] = partial(session.client, endpoint_url=endpoint_url)
    cloudformation = client("cloudformation", config=AWS_CONFIG)
    account: str = client("sts", config=AWS_CONFIG).get_caller_identity()["Account"]
    stack, region = stack_name or environment.stack, cloudformation.meta.region_name
    before = standing(cloudformation, stack)
    asks = not (dry_run or yes)
    if asks and not environment.region:
        err.print(f"The stack {stack} in {region} of the account {account}. Enter takes what stands in brackets.")
        wanted = {**_answers(parameters, {**before.parameters, **environment.parameters, **wanted}), **wanted}
    plan = make_plan(environment, stack, region, wanted)
    planned = as_deployed(plan, parameters, before)
    secrets = Secrets(client("secretsmanager", config=AWS_CONFIG))
    new_key = _ask_for_key(secrets, planned, region) if asks else ""
    looks: dict[str, Look] = {
        "stack": partial(stack_check, cloudformation, plan, before),
        **_aws_looks(planned, client),
        **_assemblyai_looks(planned, secrets, new_key, region),
    }
    _show(looks)
    if dry_run:
        return
    if new_key:
        question = f"Make the secret {planned.assemblyai_secret} with that key, in {region} of the account {account}?"
        click.confirm(question, default=True, abort=True, err=True)
        client("secretsmanager", config=AWS_CONFIG).create_secret(
            Name=planned.assemblyai_secret, Description="AssemblyAI's key, for callcoach", SecretString=new_key
        )
    saves = asks and (plan.is_first or bool(assignments))
    try:
        run(["make", "--no-print-directory", "build"])
        run(plan.sam_deploy(asks=asks, saves=saves), endpoint_url)
    except CommandFailed as fault:
        raise click.ClickException(f"{fault}, for the reason above. Mend that, and deploy again.") from None
    usual_region = click.get_current_context().obj().region_name
    _tell(plan, before, cloudformation, make_options(plan, is_saved=asks, usual_region=usual_region))


def _read_project(environment_name: str) -> tuple[Environment, dict[str, Parameter]]:
    """Return what is known here about an environment, and the template's parameters."""
    template = Path("template.yaml")
    if not template.exists():
        raise click.ClickException("there is no template.yaml here. Deploy from the project's folder: make deploy")
    if missing := missing_commands():
        raise click.ClickException(f"{' and '.join(missing)} cannot be found. Deploy with: make deploy")
    try:
        return read_environment(SAMCONFIG, environment_name), read_parameters(template)
    except ValueError as fault:
        raise click.ClickException(f"{SAMCONFIG} cannot be read: {fault}") from None
    except ModuleNotFoundError:
        raise click.ClickException("deploy needs pyyaml: make setup, or pip install pyyaml.") from None


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - the condition is what it is about
    if not holds:
        raise click.UsageError(otherwise)


def _require_the_saved_place(environment: Environment, stack_name: str | None, region: str | None) -> None:
    """End if an environment that is deployed would be deployed somewhere else."""
    for option, given, saved in (("--stack", stack_name, environment.stack), ("--region", region, environment.region)):
        is_elsewhere = bool(environment.region and given and given != saved)
        told = f"the environment {environment.name} is {saved}: for {option} {given} name another one."
        _require(not is_elsewhere, told)


def _answers(parameters: Mapping[str, Parameter], known: Mapping[str, str]) -> dict[str, str]:
    """Ask for what most people set, and return it. known: what is offered in the place of defaults."""
    answers: dict[str, str] = {}
    for name in _ASKED:
        answers[name] = _answer(parameters[name], known.get(name, parameters[name].default))
        if name == "RecordingsBucketName" and answers[name]:
            prefix = parameters["RecordingsPrefix"]
            answers[prefix.name] = _answer(prefix, known.get(prefix.name, prefix.default))
    return answers


def _answer(parameter: Parameter, default: str) -> str:
    def accepted(answer: str) -> str:
        if fault := parameter.fault(answer):
            raise click.BadParameter(fault)
        return answer

    click.echo(f"\n{parameter.description}", err=True)
    answer: str = click.prompt(
        f"{parameter.name} [{default}]", default=default, show_default=False, value_proc=accepted, err=True
    )
    return answer


def _ask_for_key(secrets: Secrets, planned: Stack, region: str) -> str:
    """Return the key that somebody typed because there is no secret yet; "" when there is, or nothing was typed."""
    if _has_secret(secrets, planned):
        return ""
    click.echo(f"\nThere is no secret {planned.assemblyai_secret} in {region} yet.", err=True)
    typed: str = click.prompt(
        "AssemblyAI's key (it is not shown; Enter to make the secret yourself)",
        default="",
        hide_input=True,
        show_default=False,
        err=True,
    )
    return typed.strip()


def _has_secret(secrets: Secrets, planned: Stack) -> bool:
    try:
        secrets.key(planned.assemblyai_secret)
    except SettingsError as fault:
        return "ResourceNotFoundException" not in str(fault)
    return True


def _aws_looks(planned: Stack, client: Callable[..., Any]) -> dict[str, Look]:
    def made(service: str) -> Any:  # noqa: ANN401 - a client of any service
        return client(service, config=S3_CONFIG if service == "s3" else AWS_CONFIG)

    looks = AwsDoctor(planned, State(made("dynamodb"), ""), made).looks()
    wanted = _CHECKED_IN_AWS if planned.owns_recordings_bucket else ("recordings bucket", *_CHECKED_IN_AWS)
    return {name: looks[name] for name in wanted}


def _assemblyai_looks(planned: Stack, secrets: Secrets, new_key: str, region: str) -> dict[str, Look]:
    """Return the doctor's looks; the key that was typed counts as the secret's."""
    read_key = (lambda: new_key) if new_key else partial(secrets.key, planned.assemblyai_secret)
    looks = dict(AssemblyAIDoctor(planned, read_key, http_session(), now=datetime.now(UTC)).looks())
    if not new_key and not _has_secret(secrets, planned):
        there_is_none = Check(
            "secret",
            "problem",
            f"there is no {planned.assemblyai_secret} in {region}",
            f"Make it: {create_secret_command(planned.assemblyai_secret, region)}",
        )
        looks["AssemblyAI key"] = lambda: [there_is_none]
    return looks


def _show(looks: Mapping[str, Look]) -> None:
    """Print what is found, and end if a deployment would come to nothing."""
    with telling_progress() as progress:
        checks = checked(looks, progress)
    tell(checks_view(checks))
    if problems := counted(checks)["problem"]:
        raise click.ClickException(f"{how_many(problems, 'problem')}. Nothing was deployed.")


def _tell(plan: Plan, before: Standing, cloudformation: "CloudFormationClient", options: str) -> None:
    after = standing(cloudformation, plan.stack)
    if not after.status:
        raise click.ClickException("Nothing was deployed.")
    if before.changed_at == after.changed_at:
        out.print(f"\nNothing was changed in {plan.stack}.")
        return
    out.print(f"\n{plan.stack} is deployed in {plan.region}.")
    if not before.status:
        out.print(next_steps(find_stack(cloudformation, plan.stack), plan.region, options), soft_wrap=True)
