"""The small runtime does for a handler what AWS's own runtime client does."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sandbox import lambdas
from tests.sandbox.account import Credentials
from tests.sandbox.deployment import FunctionSettings
from tests.sandbox.lambdas import Function, InvocationError

HANDLER = """
import os, sys

def lambda_handler(event, context):
    if event == "raise":
        raise LookupError("as told")
    return {
        "event": event,
        "pid": os.getpid(),
        "path": sys.path[0],
        "remaining_ms": context.get_remaining_time_in_millis(),
        "context": [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb],
        "trace": os.environ["_X_AMZN_TRACE_ID"],
    }
"""


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Function]:
    (tmp_path / "app.py").write_text(HANDLER)
    monkeypatch.setattr(lambdas, "_has_aws_runtime", lambda _: False)
    settings = FunctionSettings(
        logical_id="App",
        name="app",
        arn="arn:aws:lambda:eu-west-1:123456789012:function:app",
        handler=getattr(request, "param", "app.lambda_handler"),
        runtime="python3.13",
        code=tmp_path,
        layers=(),
        variables={},
        role_arn="",
        credentials=Credentials("key", "secret"),
        timeout_seconds=20,
        memory_mb=256,
        log_group="log",
    )
    function = Function(
        settings,
        python=sys.executable,
        endpoint_url="http://127.0.0.1:1",
        region="eu-west-1",
        log=tmp_path / "log",
    )
    yield function
    function.stop()


def test_a_handler_runs_with_its_context(function: Function, tmp_path: Path) -> None:
    """Event, result and context pass; the process is kept; the path begins with the function's folder."""
    first, second = function.invoke({"é": [1, None]}), function.invoke("again")
    assert first["event"] == {"é": [1, None]}
    assert first["pid"] == second["pid"]
    assert first["path"] == str(tmp_path)
    assert 0 < first["remaining_ms"] <= 20_000
    assert first["context"] == ["app", function.settings.arn, "256"]
    assert first["trace"].startswith("Root=1-")


def test_an_exception_is_an_error_with_its_name(function: Function) -> None:
    """The handler's exception reaches the caller, its trace the log, and the process goes on."""
    with pytest.raises(InvocationError, match="LookupError: as told"):
        function.invoke("raise")
    assert "Traceback" in function.log.read_text()
    assert function.invoke("again")["event"] == "again"


@pytest.mark.parametrize("function", ["missing.lambda_handler"], indirect=True)
def test_a_missing_handler_is_an_error(function: Function) -> None:
    """A module that cannot be imported fails the invocation with its name."""
    with pytest.raises(InvocationError, match="No module named 'missing'"):
        function.invoke({})
