"""Whoever switches a security check off says why, beside it."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.sandbox.template import parse

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
SOURCES = [path for folder in ("functions", "layers", "tests") for path in (ROOT / folder).rglob("*.py")]

SUPPRESSION = re.compile(r"#\s*(checkov:skip|nosec|noqa(?!:)|noqa:[A-Z\d, ]*\bS\d)", re.IGNORECASE)
# One check of checkov at a time, so that each has its own reason. To bandit all words up to the next # are checks.
EXPLAINED = re.compile(
    r"# checkov:skip=CKV\w+: \w\S* .+"
    r"|# nosec B\d{3}  # (?!noqa)\w\S* .+"
    r"|(# nosec B\d{3}  )?# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \w\S* .+"
)


def suppressions(path: Path) -> list[str]:
    """The comments of a file that switch a security check off, to the end of their lines."""
    lines = path.read_text("utf-8").splitlines()
    return [line[found.start() :] for line in lines if (found := SUPPRESSION.search(line))]


@pytest.mark.parametrize(
    "comment",
    [
        "# checkov:skip=CKV_AWS_18",
        "# checkov:skip=CKV_AWS_18: ",
        "# checkov:skip=CKV_AWS_18,CKV_AWS_21: older versions would stay",
        "#checkov:skip=CKV_AWS_18:",
        "# nosec",
        "# nosec B307",
        "# nosec B307 - our own words",
        "# nosec B307  # noqa: S307",
        "# noqa",
        "# noqa: S307",
        "# noqa: PGH001,S307",
    ],
)
def test_silence_is_no_reason(tmp_path: Path, comment: str) -> None:
    """The pattern of a reason would not let these pass, and each is seen as a suppression."""
    file = tmp_path / "file"
    file.write_text(f"    eval(text)  {comment}\n    eval(text)\n", "utf-8")

    assert suppressions(file) == [comment]
    assert not EXPLAINED.fullmatch(comment)


def test_every_suppression_in_the_template_has_a_reason() -> None:
    found = suppressions(ROOT / "template.yaml")

    assert found
    assert [comment for comment in found if not EXPLAINED.fullmatch(comment)] == []


def test_every_suppression_in_the_code_has_a_reason() -> None:
    found = [comment for path in SOURCES if path != Path(__file__) for comment in suppressions(path)]

    assert found
    assert [comment for comment in found if not EXPLAINED.fullmatch(comment)] == []


def test_what_bandit_skips_everywhere_ruff_holds() -> None:
    """Each such check has a reason on its line, and is the same check under ruff's name."""
    settings = tomllib.loads(PYPROJECT)["tool"]
    skipped = settings["bandit"]["skips"]
    lint = settings["ruff"]["lint"]

    assert lint["select"] == ["ALL"]
    for check in skipped:
        rule = check.replace("B", "S")
        assert re.search(rf'^  "{check}",\s+# \w+ .+', PYPROJECT, re.MULTILINE), check
        assert not any(rule.startswith(ignored) for ignored in lint["ignore"]), check


def test_checkov_can_read_every_role() -> None:
    """It passes over all policies of a role when one of their statements is conditional; a policy may be."""
    resources = parse((ROOT / "template.yaml").read_text("utf-8"))["Resources"]
    roles = {name: resource for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}

    assert roles
    for name, role in roles.items():
        policies = [policy.get("Fn::If", [None, policy])[1] for policy in role["Properties"]["Policies"]]
        statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
        assert all("Sid" in statement for statement in statements), name


def test_checkov_skips_no_check_everywhere() -> None:
    """A check is switched off where it is wrong, so that it holds for what is added."""
    assert "skip-check" not in (ROOT / ".checkov.yaml").read_text("utf-8")
