"""The pins: exact, for every machine, and the same in the layer as under test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "callcoach" / "requirements.txt"
DEVELOPMENT = ROOT / "requirements-dev.txt"
SAM = ROOT / "requirements-sam.txt"
AUDIT = ROOT / "requirements-audit.txt"
BENCHMARKS = ROOT / "requirements-bench.txt"


def pinned(path: Path) -> dict[str, set[str]]:
    """Return the lines of each requirement, `name==version` with its marker and hashes, by name."""
    requirements: dict[str, set[str]] = {}
    lines = [line.rstrip("\\ ") for line in path.read_text().splitlines()]
    name = ""
    for line in lines:
        if not line.lstrip().startswith("#"):
            name = re.split(r"[= ]", line)[0] or name
            requirements.setdefault(name, set()).add(line.strip())
    return requirements


@pytest.mark.parametrize("path", [LAYER, DEVELOPMENT, SAM, AUDIT, BENCHMARKS], ids=lambda path: path.name)
def test_requirements_are_exact(path: Path):
    """Each requirement is one version for each Python, with hashes, and nothing says where to get it."""
    for name, lines in pinned(path).items():
        versions = {line for line in lines if re.fullmatch(rf"{re.escape(name)}==[\w.]+( ; .+)?", line)}
        hashes = lines - versions
        assert versions, name
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), name


def test_layer_is_tested_as_it_ships():
    """The versions in the layer are those that the tests import."""
    development = pinned(DEVELOPMENT)
    shipped = pinned(LAYER)
    assert shipped
    assert {name: development.get(name) for name in shipped} == shipped


def test_lambda_brings_its_own_boto3():
    """No dependency pulls a second botocore into the layer."""
    assert not pinned(LAYER).keys() & {"boto3", "botocore", "s3transfer", "aws-xray-sdk"}


@pytest.mark.parametrize("path", [LAYER, DEVELOPMENT, SAM, AUDIT, BENCHMARKS], ids=lambda path: path.name)
def test_pins_follow_what_is_wanted(path: Path):
    """What a .in file names is pinned in the .txt beside it: `make lock` was run."""
    wanted = re.findall(r"^[a-z][a-z0-9-]*", path.with_suffix(".in").read_text(), flags=re.MULTILINE)
    assert wanted
    assert set(wanted) <= pinned(path).keys()
