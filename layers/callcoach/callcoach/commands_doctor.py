"""python -m callcoach doctor: whether a deployed stack works as it should."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click
import msgspec

from callcoach.deployed import Answer, Deployed, about_a_stack, printing, telling_progress
from callcoach.doctor import Look, checked, checks_view, counted
from callcoach.doctor_assemblyai import AssemblyAIDoctor
from callcoach.doctor_aws import AwsDoctor
from callcoach.doctor_outside import OutsideDoctor
from callcoach.plain_text import how_many
from callcoach.secrets import Secrets

if TYPE_CHECKING:
    import requests
    from mypy_boto3_secretsmanager import SecretsManagerClient

# Under this name the group of commands keeps what makes an HTTP session.
HTTP = "callcoach.http"


@click.command()
@click.option("--deployed", "from_outside", is_flag=True, help="Ask from outside too: a link, and the webhook.")
@about_a_stack
@printing
def doctor(deployed: Deployed, *, from_outside: bool) -> Answer:
    """Say whether the stack works as it should, and what to do where it does not.

    Nothing is changed and nothing is paid for. --deployed fetches a recording's first byte over a signed link, and
    calls the webhook as AssemblyAI does, with a transcript that does not exist: that message is looked at for an hour
    and then counted as foreign. Exit code 1 when there is a problem.
    """
    secretsmanager = deployed.client("secretsmanager")
    secrets = Secrets(secretsmanager)
    http = http_session()
    stack = deployed.stack
    aws = AwsDoctor(stack, deployed.state, deployed.client)
    assemblyai = AssemblyAIDoctor(stack, partial(secrets.key, stack.assemblyai_secret), http, now=datetime.now(UTC))
    outside = OutsideDoctor(stack, deployed.s3, http, partial(_webhook_key, deployed, secretsmanager))
    looks: dict[str, Look] = {**aws.looks(), **assemblyai.looks(), **(outside.looks() if from_outside else {})}
    with http, telling_progress() as progress:
        checks = checked(looks, progress)
    counts = counted(checks)
    problems = counts["problem"]
    return Answer(
        {"stack": stack.name, "checks": msgspec.to_builtins(checks), "counts": counts},
        checks_view(checks),
        f"{how_many(problems, 'problem')}." if problems else "",
    )


def http_session() -> "requests.Session":
    """Return what asks AssemblyAI and the webhook."""
    session: requests.Session = click.get_current_context().meta[HTTP]()
    # Without it a .netrc of this machine would put its own words in the place of a key, or of nothing.
    session.auth = _as_it_is
    return session


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request


def _webhook_key(deployed: Deployed, secretsmanager: "SecretsManagerClient") -> str:
    """Return the webhook key that new submissions carry, in the version with which it was deployed."""
    stack = deployed.stack
    active = stack.parameters["ActiveWebhookKey"]
    version = stack.parameters[f"WebhookKey{active}Version"]
    secret = stack.resources[f"WebhookKey{active}Secret"]
    if version:
        return secretsmanager.get_secret_value(SecretId=secret, VersionId=version)["SecretString"]
    return secretsmanager.get_secret_value(SecretId=secret)["SecretString"]
