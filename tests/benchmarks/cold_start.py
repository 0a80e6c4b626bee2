"""How long a new process of each function takes to be ready, under Lambda's own emulator and runtime client.

Beside a handler that imports boto3 and makes the same clients, which no function of this kind can do without. Needs
what `make build` makes: what is deployed, the layer for this machine, and the emulator that comes with SAM CLI.
"""

import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from tests.benchmarks._table import Row, Table
from tests.sandbox.cloud import Cloud

ROOT = Path(__file__).parents[2]
BUILT = ROOT / ".aws-sam" / "build"
LAYER = ROOT / ".aws-sam" / "layer-for-this-machine" / "python"
EMULATORS = ROOT / ".venv-sam" / "lib" / "python3.13" / "site-packages" / "samcli" / "local" / "rapid"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

SAMPLES = 15
MOST = 1.25
FUNCTIONS = ("SubmitFunction", "ScorecardFunction")
NO_MESSAGES = b'{"Records": []}'
# The clients of both functions.
BARE = """import boto3

session = boto3.session.Session()
clients = [session.client(name) for name in ("s3", "sqs", "sns", "dynamodb", "secretsmanager")]


def lambda_handler(event, context):
    return {}
"""


def run() -> Table:
    """Return the table. Raises FileNotFoundError when nothing was built."""
    emulator = EMULATORS / f"aws-lambda-rie-{ARCHITECTURES[platform.machine()]}"
    for needed in (BUILT, LAYER, emulator):
        if not needed.exists():
            raise FileNotFoundError(f"{needed} is missing: run make build first")
    with (
        tempfile.TemporaryDirectory() as folder,
        Cloud(
            parameters={"NotificationEmail": "manager@example.com"},
            secrets={"callcoach/assemblyai": "an-assemblyai-key-of-the-benchmark"},
            invoke=False,
        ) as cloud,
    ):
        (Path(folder) / "bare.py").write_text(BARE)
        samples: dict[str, list[float]] = defaultdict(list)
        # By turns. The first of each compiles, and is not counted.
        for _ in range(SAMPLES + 1):
            samples["bare"].append(_init_ms(emulator, Path(folder), "bare.lambda_handler", {}))
            for function in FUNCTIONS:
                settings = cloud.function_settings(function)
                found = _init_ms(emulator, BUILT / function, settings.handler, settings.variables)
                samples[function].append(found)
    bare, *own = (statistics.median(samples[name][1:]) for name in ("bare", *FUNCTIONS))
    return Table(
        [],
        [
            Row.beside(
                f"cold_start_{function}",
                f"{function}: start of a process ({SAMPLES} each)",
                found,
                "ms",
                other=bare,
                against=f"boto3 and clients alone, {bare:.0f} ms",
                most=MOST,
            )
            for function, found in zip(FUNCTIONS, own, strict=True)
        ],
    )


def _init_ms(emulator: Path, code: Path, handler: str, variables: Mapping[str, str]) -> float:
    """Start a process, invoke it once, and return what the emulator reports as the length of its start."""
    with _free_ports(2) as (port, runtime_port):
        pass
    environment = {
        **variables,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "LAMBDA_TASK_ROOT": str(code),
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join((str(code), str(LAYER))),
    }
    command = [
        str(emulator),
        *("--log-level", "info"),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
        *(sys.executable, "-m", "awslambdaric", handler),
    ]
    with subprocess.Popen(
        command, cwd=code, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            answer = _invoke(port)
        finally:
            os.killpg(process.pid, 9)
        assert process.stdout
        said = process.stdout.read().decode(errors="replace")
    if isinstance(answer, dict) and "errorMessage" in answer:
        raise RuntimeError(f"{handler}: {answer}\n{said}")
    return float(re.findall(r"INIT REPORT\(durationMs: ([\d.]+)", said)[0])


def _invoke(port: int) -> object:
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = requests.post(url, NO_MESSAGES, timeout=60)
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return answer.json() if answer.ok else {"errorMessage": answer.text}


@contextmanager
def _free_ports(count: int) -> Iterator[Sequence[int]]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
