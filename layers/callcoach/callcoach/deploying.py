"""What a deployment would come to, before anything is built."""

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from callcoach.doctor import Check
from callcoach.sam import overrides
from callcoach.samconfig import DEFAULT_ENVIRONMENT, DEFAULT_STACK, Environment
from callcoach.stack import Stack, StackNotFound, Standing, find_stack
from callcoach.template import Parameter

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# Nobody can update a stack like that.
_NEVER_MADE = ("CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


class Plan(msgspec.Struct, frozen=True):
    """What is deployed where. parameters: those that are set; is_first: nothing was deployed from here before."""

    environment: str
    stack: str
    region: str
    parameters: dict[str, str]
    is_first: bool

    def sam_deploy(self, *, asks: bool, saves: bool) -> list[str]:
        """Return the command that deploys it. asks: before anything is changed; saves: into samconfig.toml."""
        command = ["sam", "deploy", "--config-env", self.environment, "--region", self.region]
        command += ["--stack-name", self.stack]
        if self.is_first:
            command += ["--capabilities", "CAPABILITY_IAM", "--resolve-s3", "--no-fail-on-empty-changeset"]
        if not asks:
            command.append("--no-confirm-changeset")
        elif self.is_first:
            command.append("--confirm-changeset")
        if saves:
            command.append("--save-params")
        if self.parameters:
            command += ["--parameter-overrides", *overrides(self.parameters)]
        return command


def make_plan(environment: Environment, stack: str, region: str, wanted: Mapping[str, str]) -> Plan:
    """Return what is deployed. wanted: parameters beside those that were saved, or in the place of them."""
    return Plan(
        environment=environment.name,
        stack=stack,
        region=region,
        parameters={**environment.parameters, **wanted},
        is_first=not environment.region,
    )


def as_deployed(plan: Plan, parameters: Mapping[str, Parameter], before: Standing) -> Stack:
    """Return the stack as it will be, without what only AWS can name. What is not set stays as it is deployed."""
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    given = {**defaults, **before.parameters, **plan.parameters}
    return Stack(plan.stack, given, {"RecordingsBucketName": given["RecordingsBucketName"]}, {})


def stack_check(client: "CloudFormationClient", plan: Plan, before: Standing) -> Iterator[Check]:
    """Yield whether that name can be deployed to."""
    there = f"{plan.stack}: {before.status}"
    if not before.status:
        yield Check("stack", "ok", f"{plan.stack} is new in {plan.region}")
    elif before.status in _NEVER_MADE:
        remove = f"aws cloudformation delete-stack --region {plan.region} --stack-name {plan.stack}"
        yield Check("stack", "problem", there, f"Such a stack can only be deleted: {remove}")
    elif before.status.endswith("_IN_PROGRESS"):
        yield Check("stack", "problem", there, "Another deployment is under way. Deploy again when it has ended.")
    elif before.status == "UPDATE_ROLLBACK_FAILED":
        undo = f"aws cloudformation continue-update-rollback --region {plan.region} --stack-name {plan.stack}"
        yield Check("stack", "problem", there, f"The last deployment could not be undone. Try once more: {undo}")
    else:
        try:
            find_stack(client, plan.stack)
        except StackNotFound as fault:
            yield Check("stack", "problem", str(fault), "Deploy under another name with --stack.")
        else:
            yield Check("stack", "ok", f"{there}, will be updated")


def create_secret_command(name: str, region: str) -> str:
    """Return what puts AssemblyAI's key where the functions look for it; a shell has the key in a variable."""
    return (
        f"aws secretsmanager create-secret --region {region} --name {shlex.quote(name)}"
        ' --secret-string "$ASSEMBLYAI_API_KEY"'
    )


def make_options(plan: Plan, *, is_saved: bool, usual_region: str | None) -> str:
    """Return what names the stack to make's other targets; "" where they find it by themselves."""
    if is_saved and plan.environment != DEFAULT_ENVIRONMENT:
        return f" ENVIRONMENT={plan.environment}"
    by_name = f" STACK={plan.stack}" if plan.stack != DEFAULT_STACK else ""
    return f"{by_name} REGION={plan.region}" if plan.region != usual_region else by_name


def next_steps(stack: Stack, region: str, options: str) -> str:
    """Return what is left to do after a first deployment. options: as make_options says."""
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/"
    addresses = {"NotificationEmail": "scorecards", "OperationsEmail": "alarms"}
    written = [f"{stack.parameters[name]} ({what})" for name, what in addresses.items() if stack.parameters[name]]
    steps = []
    if written:
        steps.append(
            f"AWS has written to {' and '.join(written)}.\n"
            "Follow the link in each message: before that, nothing arrives. Or copy it, so that nobody can\n"
            f"unsubscribe them by a forwarded e-mail:  make subscribe{options} OPTIONS=\"--confirm 'LINK'\""
        )
    steps += [
        f'Nobody gets {what} yet:  make deploy{options} OPTIONS="--set {name}=you@example.com"'
        for name, what in addresses.items()
        if not stack.parameters[name]
    ]
    steps += [
        f"See that all is as it should be:  make doctor{options}",
        f"Send a sample call through it:  make smoke{options}",
        f"Drop a call:  {stack.outputs['DropCommand']}",
        f"See what becomes of it:  make watch{options}",
        f"Open the dashboard:  {console}{stack.outputs['OperationsDashboardName']}",
    ]
    if stack.owns_recordings_bucket:
        steps.append("Be patient at first: EventBridge takes about five minutes to know a new bucket.")
    return "\n".join(f"{number}. {step}".replace("\n", "\n   ") for number, step in enumerate(steps, start=1))
