"""What GitHub runs, and what runs before a commit, is what .ci/run runs: nothing passes here and fails there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
# YAML takes the word `on` for true.
ON: Any = True


def steps(workflow: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[workflow]["jobs"].values():
        yield from job["steps"]


def made(commands: Iterator[str]) -> set[str]:
    """Return the targets of commands, each of which has to be one of make."""
    targets = set()
    for command in commands:
        program, target, *_ = shlex.split(command)
        assert program == "make", command
        targets.add(target)
    return targets


def test_github_makes_what_the_build_machine_makes() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    there = made(iter(re.findall(r"^step (make .+)$", script, re.MULTILINE)))
    here = made(step["run"] for step in steps("check") if "run" in step)

    assert here == there
    assert there <= TARGETS


def test_each_job_sets_up_first_with_the_python_that_it_is_about() -> None:
    """A Makefile left alone takes the newest Python that it finds, which need not be the one that was set up."""
    for workflow in WORKFLOWS.values():
        for name, job in workflow["jobs"].items():
            (set_up,) = (step for step in job["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
            assert job["env"]["PYTHON"] == f"python{set_up['with']['python-version']}", name
    for job in WORKFLOWS["check"]["jobs"].values():
        assert next(step["run"] for step in job["steps"] if "run" in step) == "make setup"


def test_tests_run_on_the_oldest_and_on_the_runtime_s_python() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    versions = WORKFLOWS["check"]["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert [f"python{version}" for version in versions][-1] in re.findall(r"Runtime: (python3\.\d+)", template)
    assert f'python_version = "{versions[0]}"' in pyproject


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actions_are_pinned_and_nothing_may_more_than_it_has_to(workflow: str) -> None:
    text = (ROOT / f".github/workflows/{workflow}.yml").read_text("utf-8")
    used = re.findall(r"uses: (.+)", text)

    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert WORKFLOWS[workflow]["permissions"] in ({}, {"contents": "read"})
    # No key that lives long, and no token in the folder for what is built.
    assert "secrets." not in text
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_only_a_deployment_may_ask_for_aws_credentials() -> None:
    by_job = {
        (name, job): settings.get("permissions", {})
        for name, workflow in WORKFLOWS.items()
        for job, settings in workflow["jobs"].items()
    }

    asking = {job for job, permissions in by_job.items() if "id-token" in permissions}
    assert asking == {("deploy", "deploy")}
    assert set(WORKFLOWS["deploy"][ON]) == {"workflow_dispatch"}
    assert WORKFLOWS["deploy"]["jobs"]["deploy"]["environment"] == "${{ inputs.environment }}"


def test_a_deployment_asks_nothing() -> None:
    """Its steps are targets of make, in an environment of samconfig.toml, and nobody is there to answer."""
    commands = [step["run"] for step in steps("deploy") if "run" in step]

    assert made(iter(commands)) == {"deploy", "doctor"}
    assert made(iter(commands)) <= TARGETS
    assert commands[0] == "make deploy OPTIONS=--yes"
    assert WORKFLOWS["deploy"]["jobs"]["deploy"]["env"]["ENVIRONMENT"] == "${{ inputs.environment }}"
    # What would run in a shell is no text of GitHub's.
    assert not any("${{" in command for command in commands)


def test_every_file_of_pins_is_kept_new() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    by_ecosystem = {update["package-ecosystem"]: update for update in updates}
    wanted = {f"/{path.parent.relative_to(ROOT)}".removesuffix(".") for path in sources_of_pins()}

    assert set(by_ecosystem) == {"pip", "github-actions"}
    assert set(by_ecosystem["pip"]["directories"]) == wanted


def sources_of_pins() -> list[Path]:
    return [path for folder in (ROOT, ROOT / "layers/callcoach") for path in folder.glob("requirements*.in")]


def test_hooks_run_the_tools_of_make_lint() -> None:
    """With the pinned versions: nothing is fetched from elsewhere."""
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    linted = {line.strip().removesuffix(" .").removesuffix(" template.yaml") for line in recipe.splitlines()}
    # A hook may change what it finds.
    linted = {command.replace(" --check", "") for command in linted}

    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    assert {hook["entry"].removesuffix(" --force-exclude") for hook in repo["hooks"]} == linted
