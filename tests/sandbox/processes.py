"""The processes of functions, and how they start."""

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

_FORK_SERVER = Path(__file__).with_name("fork_server.py")

# Of what the layer and Lambda bring, the modules that take longest to import. None reads the environment on import, but
# for the name that Powertools gives itself in requests.
_IMPORTED_BEFORE = (
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.idempotency",
    "boto3.session",
    "jinja2",
    "msgspec",
    "requests",
)


class Process(Protocol):
    """A process that leads its own group."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int:
        """Wait for its end and return its exit status, negative for a signal."""

    def poll(self) -> int | None:
        """Return its exit status if it has ended."""


def start(
    arguments: Sequence[str], *, python: str, module: str, cwd: Path, environment: Mapping[str, str], log: Path
) -> Process:
    """Start `python -m MODULE ARGUMENTS`, or `python ARGUMENTS` where module is "", with all it writes in a log."""
    command = [python, "-m", module, *arguments] if module else [python, *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def fork(
    arguments: Sequence[str], *, module: str, package: str, cwd: Path, environment: Mapping[str, str], log: Path
) -> Process:
    """Do the same with this interpreter, without importing again what functions, and those of the package, import."""
    return _fork_server(cwd, environment["PYTHONPATH"]).start(
        {
            "arguments": [module, *arguments] if module else list(arguments),
            "module": module,
            "package": package,
            "cwd": str(cwd),
            "environment": dict(environment),
            "log": str(log),
        }
    )


class _Forked:
    """A process of the fork server."""

    def __init__(self, said: "queue.SimpleQueue[dict[str, int]]") -> None:
        self._said = said
        self._lock = threading.Lock()
        self._returncode: int | None = None
        self.pid = said.get()["pid"]

    def wait(self) -> int:
        with self._lock:
            if self._returncode is None:
                self._returncode = self._said.get()["returncode"]
            return self._returncode

    def poll(self) -> int | None:
        return self._returncode


class _ForkServer:
    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, str(_FORK_SERVER), *_IMPORTED_BEFORE],
            env=environment | {"LANG": "en_US.UTF-8", "TZ": ":UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._ids = itertools.count()
        self._said: dict[int, queue.SimpleQueue[dict[str, int]]] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, order: dict[str, Any]) -> _Forked:
        said: queue.SimpleQueue[dict[str, int]] = queue.SimpleQueue()
        with self._lock:
            order["id"] = next(self._ids)
            self._said[order["id"]] = said
            assert self._process.stdin
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        return _Forked(said)

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            self._said[message["id"]].put(message)
            if "returncode" in message:
                del self._said[message["id"]]
        for said in list(self._said.values()):
            said.put({"pid": -1, "returncode": -signal.SIGKILL})


@cache
def _fork_server(_code: Path, _path: str) -> _ForkServer:
    """Return the one for a function's code and what it may import."""
    return _ForkServer()
