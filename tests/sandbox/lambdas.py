"""Run Lambda functions as child processes under a Runtime API, one process per execution environment."""

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.sandbox import processes
from tests.sandbox.deployment import FunctionSettings
from tests.sandbox.http_server import Handler, Server
from tests.sandbox.processes import Process

_INIT_TIMEOUT_SECONDS = 30
_OWN_RUNTIME = Path(__file__).with_name("runtime.py")


class InvocationError(Exception):
    """The invocation failed: the handler raised, the process ended, or the time was up."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type


class TimedOutError(InvocationError):
    """The function did not answer within its time-out, and was killed."""

    def __init__(self, timeout_seconds: int) -> None:
        super().__init__("Sandbox.Timedout", f"Task timed out after {timeout_seconds:.2f} seconds")


class CrashedError(InvocationError):
    """The process ended before it had answered."""


@dataclass
class Invocations:
    """How often a function ran, and how it ended."""

    count: int = 0
    errors: int = 0
    timeouts: int = 0
    crashes: int = 0


@dataclass(frozen=True)
class _Answer:
    body: bytes
    is_error: bool
    is_final: bool


@dataclass(frozen=True)
class _Exit:
    returncode: int

    def __str__(self) -> str:
        if self.returncode < 0:
            return f"signal: {signal.strsignal(-self.returncode)}".lower()
        return f"exit status {self.returncode}"


class _RuntimeApi(Server):
    """Lambda's Runtime API for one process: hands out events, collects answers."""

    def __init__(self) -> None:
        super().__init__(_RuntimeApiHandler)
        self.events: queue.SimpleQueue[tuple[dict[str, str], bytes] | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[_Answer | _Exit] = queue.SimpleQueue()
        self.ready = threading.Event()


class _RuntimeApiHandler(Handler):
    server: _RuntimeApi

    def do_GET(self) -> None:
        """Answer `invocation/next` as soon as there is an event."""
        self.server.ready.set()
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        headers, body = event
        self.answer(200, body, headers)

    def do_POST(self) -> None:
        """Take the answer to an event, or the reason why the function could not start."""
        body = self.read_body()
        *_, subject, action = self.path.split("/")
        self.answer(202, b'{"status":"OK"}', {})
        self.server.outcomes.put(_Answer(body, is_error=action == "error", is_final=subject == "init"))
        self.server.ready.set()


class ExecutionEnvironment:
    """One process of a function. It handles one event at a time."""

    def __init__(self, settings: FunctionSettings, *, python: str, endpoint_url: str, region: str, log: Path) -> None:
        self.settings = settings
        self._log = log
        self._is_usable = True
        self._is_stopped = False
        self._stop_lock = threading.Lock()
        self._api = _RuntimeApi()
        self._api.start()
        try:
            self._process = _start_process(
                settings, _environment(settings, endpoint_url, region, self._api.address, log.parent), python, log
            )
        except OSError:
            self._api.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        self._api.outcomes.put(_Exit(self._process.wait()))
        self._api.ready.set()

    @property
    def is_usable(self) -> bool:
        return self._is_usable and self._process.poll() is None

    def invoke(self, payload: bytes) -> Any:
        """Return the handler's result. Raises InvocationError; after a time-out or a crash the process is gone."""
        settings = self.settings
        self._api.ready.wait(_INIT_TIMEOUT_SECONDS)
        deadline = time.time() + settings.timeout_seconds
        headers = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": settings.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        }
        self._api.events.put((headers, payload))
        try:
            outcome = self._api.outcomes.get(timeout=settings.timeout_seconds)
        except queue.Empty:
            self._is_usable = False
            timeout = TimedOutError(settings.timeout_seconds)
            self._write_log(str(timeout))
            raise timeout from None
        if isinstance(outcome, _Exit):
            crash = CrashedError("Runtime.ExitError", f"Runtime exited with error: {outcome}")
            self._write_log(str(crash))
            raise crash
        self._is_usable = not outcome.is_final
        if outcome.is_error:
            error = json.loads(outcome.body)
            raise InvocationError(error.get("errorType", "Unknown"), error.get("errorMessage", ""))
        return _json(outcome.body)

    def _write_log(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as output:
            output.write(f"{line}\n")

    def kill(self) -> None:
        """End the process and its children; an event that it works on ends as a crash."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._watcher.join()

    def stop(self) -> None:
        """Kill the process and its children, and close its Runtime API."""
        with self._stop_lock:
            if self._is_stopped:
                return
            self._is_stopped = True
            self.kill()
            self._api.events.put(None)
            self._api.stop()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise InvocationError("Runtime.InvalidResponse", "The response is not JSON") from None


class Function:
    """A function with as many execution environments as there are events at the same time."""

    def __init__(self, settings: FunctionSettings, *, python: str, endpoint_url: str, region: str, log: Path) -> None:
        self.settings = settings
        self.invocations = Invocations()
        self.log = log
        self._start = partial(ExecutionEnvironment, python=python, endpoint_url=endpoint_url, region=region, log=log)
        self._lock = threading.Lock()
        self._idle: list[ExecutionEnvironment] = []
        self._busy: list[ExecutionEnvironment] = []
        self._stopped = False

    def invoke(self, event: Any) -> Any:
        """Run the handler on a JSON event, in a warm process where there is one. Raises InvocationError."""
        environment = self._take()
        try:
            result = environment.invoke(json.dumps(event).encode())
        except InvocationError as error:
            self._count(error)
            raise
        finally:
            self._give_back(environment)
        self._count(None)
        return result

    def _take(self) -> ExecutionEnvironment:
        with self._lock:
            if self._stopped:
                raise InvocationError("Sandbox.Stopped", "The sandbox is stopping")
            environment = self._warm() or self._start(self.settings)
            self._busy.append(environment)
            return environment

    def _warm(self) -> ExecutionEnvironment | None:
        while self._idle:
            environment = self._idle.pop()
            if environment.is_usable:
                return environment
            environment.stop()
        return None

    def _give_back(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            self._busy.remove(environment)
            if environment.is_usable and environment.settings is self.settings and not self._stopped:
                self._idle.append(environment)
                return
        environment.stop()

    def _count(self, error: InvocationError | None) -> None:
        with self._lock:
            self.invocations.count += 1
            self.invocations.errors += error is not None
            self.invocations.timeouts += isinstance(error, TimedOutError)
            self.invocations.crashes += isinstance(error, CrashedError)

    def kill_busy(self) -> None:
        """Kill the processes that work on an event. They have ended when this returns."""
        with self._lock:
            busy = list(self._busy)
        for environment in busy:
            environment.kill()

    def forget_warm(self) -> None:
        """End the processes that have nothing to do, so that the next event finds a cold function."""
        with self._lock:
            idle, self._idle = self._idle, []
        for environment in idle:
            environment.stop()

    def update(self, settings: FunctionSettings) -> None:
        """Run every event that comes from now on with other settings."""
        with self._lock:
            self.settings = settings
        self.forget_warm()

    def stop(self) -> None:
        """Kill every process, in the middle of an event too."""
        with self._lock:
            self._stopped = True
            environments = [*self._idle, *self._busy]
            self._idle.clear()
        for environment in environments:
            environment.stop()


def _start_process(settings: FunctionSettings, environment: Mapping[str, str], python: str, log: Path) -> Process:
    """Start AWS's own runtime client; where it has no wheel, the sandbox's small one.

    A built layer brings what it imports, so only a function with layers from the source tree is forked.
    """
    has_aws_runtime = _has_aws_runtime(python)
    module = "awslambdaric" if has_aws_runtime else ""
    arguments = [settings.handler] if has_aws_runtime else [str(_OWN_RUNTIME), settings.handler]
    if python == sys.executable and not any((layer / "python").is_dir() for layer in settings.layers):
        package = settings.handler.rpartition(".")[0].rpartition(".")[0]
        return processes.fork(
            arguments, module=module, package=package, cwd=settings.code, environment=environment, log=log
        )
    return processes.start(arguments, python=python, module=module, cwd=settings.code, environment=environment, log=log)


def _has_aws_runtime(python: str) -> bool:
    if python == sys.executable:
        return all(importlib.util.find_spec(name) for name in ("awslambdaric", "runtime_client"))
    probe = [python, "-c", "import awslambdaric, runtime_client"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _environment(
    settings: FunctionSettings, endpoint_url: str, region: str, runtime_api: str, home: Path
) -> dict[str, str]:
    """Build the process's whole environment. Of the sandbox's own it gets PATH and no more."""
    credentials = settings.credentials
    own = {
        "_HANDLER": settings.handler,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token or "",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": settings.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "HOME": str(home),
        "LAMBDA_TASK_ROOT": str(settings.code),
        "LANG": "en_US.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(map(str, [settings.code, *map(_layer_root, settings.layers)])),
        "TZ": ":UTC",
    }
    return {**settings.variables, **own}


def _layer_root(layer: Path) -> Path:
    """Return what /opt/python would be: a built layer has the folder `python`, a source tree has not."""
    built = layer / "python"
    return built if built.is_dir() else layer
