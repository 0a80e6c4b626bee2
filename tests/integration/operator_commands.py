"""python -m callcoach, run on a deployed stack with the AWS variables of somebody's shell."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner
from tests.sandbox.account import Credentials
from tests.sandbox.cloud import Cloud

from callcoach.commands import callcoach

# Of the machine's own AWS configuration nothing counts.
NOBODY = {
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_SESSION_TOKEN": None,
    "AWS_PROFILE": None,
    "AWS_DEFAULT_PROFILE": None,
    "AWS_REGION": None,
    "AWS_DEFAULT_REGION": None,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Ran:
    """What a command has come to."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What --json has printed."""
        return json.loads(self.out)


def shell(cloud: Cloud, credentials: Credentials | None = None) -> dict[str, str | None]:
    """Return the environment in which the stack is reached; None takes a variable away."""
    credentials = credentials or cloud.administrator
    return {
        **NOBODY,
        "AWS_ENDPOINT_URL": cloud.endpoint_url,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def run(
    cloud: Cloud,
    *arguments: str,
    answer: str = "",
    credentials: Credentials | None = None,
    variables: Mapping[str, str | None] | None = None,
) -> Ran:
    """Run a command to its end. Nothing but click's own way out may end it: no other error passes.

    answer: what is typed; variables: of the shell, in the place of those that fit.
    """
    environment = {**shell(cloud, credentials), **(variables or {})}
    result = CliRunner().invoke(callcoach, arguments, input=answer, env=environment, catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


def role_with(cloud: Cloud, name: str, actions: Iterable[str]) -> tuple[Credentials, Callable[[], set[str]]]:
    """Return credentials of a new role that has these rights, and what tells which of them were used."""
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    rights = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=_policy(rights))
    given = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return credentials, lambda: {action for action, _ in cloud.permissions_used_by(name)}


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
