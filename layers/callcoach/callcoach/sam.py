"""The SAM CLI, and make, as they are run in the project's folder."""

import shutil
import subprocess  # nosec B404  # sam and make are what deploys
from collections.abc import Mapping, Sequence


class CommandFailed(Exception):
    """A command that was run has failed, and has said why itself."""


def missing_commands() -> list[str]:
    """Return which of the commands are not on the path."""
    return [command for command in ("make", "sam") if shutil.which(command) is None]


def run(command: Sequence[str], endpoint_url: str | None = None) -> None:
    """Run a command that people see and answer. Raises CommandFailed.

    endpoint_url: where AWS answers, if not at its own addresses.
    """
    elsewhere = ["env", f"AWS_ENDPOINT_URL={endpoint_url}"] if endpoint_url else []
    exit_code = subprocess.run([*elsewhere, *command], check=False).returncode  # nosec B603  # noqa: S603 - no shell, and fixed names
    if exit_code:
        raise CommandFailed(f"{' '.join(command[:2])} has failed (exit code {exit_code})")


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return parameters as `sam deploy --parameter-overrides` takes them."""
    return [f'{name}="{value.replace(chr(34), chr(92) + chr(34))}"' for name, value in parameters.items()]
