"""samconfig.toml: where an environment is deployed and with which parameters, as the SAM CLI saves it."""

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

SAMCONFIG = Path("samconfig.toml")
DEFAULT_ENVIRONMENT = "default"
DEFAULT_STACK = "callcoach"


class Environment(msgspec.Struct, frozen=True):
    """A section of samconfig.toml. region: "" before it was deployed from here; parameters: those that were set."""

    name: str
    stack: str
    region: str
    parameters: dict[str, str]


def command_about(stack_name: str, region: str, words: str) -> str:
    """Return a command about a stack, as somebody may type it in a shell of another region too."""
    named = "" if stack_name == DEFAULT_STACK else f" --stack {stack_name}"
    return f"python -m callcoach {words}{named} --region {region}"


def read_environment(path: Path, name: str) -> Environment:
    """Return a section; one that does not exist is an environment that was never deployed from here.

    Raises ValueError when the file is no TOML.
    """
    document = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    section = document.get(name, {})
    # What deploy says counts for more than what all of SAM's commands share.
    saved = {**_parameters(section, "global"), **_parameters(section, "deploy")}
    return Environment(
        name=name,
        stack=saved.get("stack_name") or (DEFAULT_STACK if name == DEFAULT_ENVIRONMENT else f"{DEFAULT_STACK}-{name}"),
        region=saved.get("region", ""),
        parameters=_overrides(saved.get("parameter_overrides", {})),
    )


def _parameters(section: Mapping[str, Any], command: str) -> Mapping[str, Any]:
    parameters: Mapping[str, Any] = section.get(command, {}).get("parameters", {})
    return parameters


def _overrides(saved: object) -> dict[str, str]:
    """Return parameters in any of the shapes in which SAM takes them: a table, or text, or a list of texts."""
    if isinstance(saved, Mapping):
        return {str(name): str(value) for name, value in saved.items()}
    texts = saved if isinstance(saved, list) else [saved]
    pairs = [pair.partition("=") for text in texts for pair in shlex.split(str(text))]
    return {name: value for name, _, value in pairs}
