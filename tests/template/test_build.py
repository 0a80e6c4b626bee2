"""What `make build` leaves in .aws-sam is what Lambda needs. Skipped until something is built."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse
from tests.benchmarks import layer
from tests.benchmarks._table import in_words

ROOT = Path(__file__).parents[2]
BUILT = ROOT / ".aws-sam" / "build"
LAYER = BUILT / "CallcoachLayer" / "python"
LAYER_FOR_THIS_MACHINE = ROOT / ".aws-sam" / "layer-for-this-machine" / "python"
LAMBDA_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
INSTALLED = ROOT / ".venv-sam" / "lib" / "python3.13" / "site-packages"

# e_machine of an ELF header.
ELF_MACHINES = {"arm64": 183, "x86_64": 62}
# importlib.util.MAGIC_NUMBER, then the flags of an unchecked hash.
BYTE_CODE_HEADERS = {"python3.13": struct.pack("<H2sI", 3571, b"\r\n", 0b01)}

HANDLERS = {"SubmitFunction": "submit.handler", "ScorecardFunction": "scorecard.handler"}
# Lambda's own copy of boto3 and what it stands on.
LAMBDA_PACKAGES = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3"]

pytestmark = pytest.mark.skipif(
    not (BUILT / "template.yaml").exists() or not LAYER_FOR_THIS_MACHINE.exists(),
    reason="nothing is built: run make build",
)


@pytest.fixture(scope="module")
def every_function() -> dict[str, Any]:
    """Globals.Function of the built template."""
    function: dict[str, Any] = yaml_parse((BUILT / "template.yaml").read_text())["Globals"]["Function"]
    return function


def run_lambda_python(*arguments: str | Path, path: list[Path]) -> str:
    """Run Lambda's Python version with `path` and the standard library alone; return what it prints."""
    script, *rest = map(str, arguments)
    prelude = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\n"
    finished = subprocess.run(
        [LAMBDA_PYTHON, "-I", "-S", "-B", "-c", prelude + script, *rest],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_shared_objects_are_for_the_functions_processor(every_function):
    """Every shared object of the layer is 64-bit ELF for the architecture that the functions ask for."""
    [architecture] = every_function["Architectures"]
    shared_objects = sorted(LAYER.rglob("*.so*"))
    assert shared_objects
    for shared_object in shared_objects:
        header = shared_object.read_bytes()[:20]
        assert header[:6] == b"\x7fELF\x02\x01", shared_object
        assert struct.unpack_from("<H", header, 18) == (ELF_MACHINES[architecture],), shared_object


# What is built, and where it lies on Lambda.
PLACES = {LAYER: "/opt/python", **{BUILT / function: "/var/task" for function in HANDLERS}}


@pytest.mark.parametrize("folder", PLACES, ids=lambda folder: folder.relative_to(BUILT).parts[0])
def test_every_module_has_byte_code_that_stays_valid(every_function, folder: Path):
    """Each module has byte code of the functions' runtime that no file time can make stale."""
    runtime = every_function["Runtime"]
    tag = runtime.replace("python", "cpython-").replace(".", "")
    modules = list(folder.rglob("*.py"))
    assert modules
    for module in modules:
        byte_code = module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        assert byte_code.read_bytes()[:8] == BYTE_CODE_HEADERS[runtime], module


@pytest.mark.parametrize(("folder", "place"), PLACES.items(), ids=lambda value: Path(value).name)
def test_byte_code_names_the_files_of_lambda(folder: Path, place: str):
    """A traceback names the file on Lambda, not the machine that built it."""
    script = """
import json, marshal, pathlib
for byte_code in pathlib.Path(sys.argv[1]).rglob("*.pyc"):
    print(json.dumps([str(byte_code), marshal.loads(byte_code.read_bytes()[16:]).co_filename]))
"""
    lines = run_lambda_python(script, folder, path=[]).splitlines()
    assert lines
    for line in lines:
        byte_code, file_name = map(Path, json.loads(line))
        module = byte_code.parents[1] / f"{byte_code.name.removesuffix('.cpython-313.pyc')}.py"
        assert file_name == Path(place) / module.relative_to(folder)


def test_only_what_runs_is_shipped():
    """No second botocore shadows Lambda's, and neither tests nor another version's byte code go along."""
    assert not [package for package in ("boto3", "botocore", "s3transfer") if (LAYER / package).exists()]
    assert (LAYER / "callcoach" / "__init__.py").exists()
    for folder in (LAYER, *(BUILT / function for function in HANDLERS)):
        assert not [path for path in folder.rglob("*") if path.name in {"tests", "bin", "conftest.py"}]
    assert not [path for path in LAYER.rglob("*.pyc") if not path.name.endswith(".cpython-313.pyc")]


def test_layer_is_small(capsys: pytest.CaptureFixture[str]):
    """A cold start pays for each byte."""
    rows = layer.run().rows
    with capsys.disabled():
        print("\n" + "\n".join(in_words(rows)))
    assert all(row.met for row in rows)


@pytest.mark.skipif(sys.platform != "linux", reason="the layer's shared objects are for Linux")
@pytest.mark.parametrize("function", HANDLERS)
def test_handler_imports_from_what_is_built(function: str, tmp_path: Path):
    """A handler needs its folder, the layer, Lambda's own packages and no environment to be imported."""
    for name in LAMBDA_PACKAGES:
        (tmp_path / name).symlink_to(INSTALLED / name)
    script = f"import {HANDLERS[function]} as handler; print(callable(handler.lambda_handler))"
    printed = run_lambda_python(script, path=[BUILT / function, LAYER_FOR_THIS_MACHINE, tmp_path])
    assert printed == "True\n"
