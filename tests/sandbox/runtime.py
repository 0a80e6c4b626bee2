"""A small Lambda runtime, for machines that have no wheel of AWS's own (awslambdaric).

`python runtime.py module.function` runs in the function's process, so it imports nothing of the sandbox.
"""

import http.client
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_API = "/2018-06-01/runtime"

Handler = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Context:
    """What Lambda tells a handler about its invocation."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    function_name: str = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    function_version: str = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
    memory_limit_in_mb: str = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    log_group_name: str = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
    log_stream_name: str = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self.deadline_ms - int(time.time() * 1000))


def serve(handler_path: str) -> None:
    """Fetch events, run the handler, send answers; return when the Runtime API is gone."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = _import_handler(handler_path)
    except Exception as error:
        _post(api, "/init/error", _describe(error))
        raise
    while True:
        api.request("GET", f"{_API}/invocation/next")
        response = api.getresponse()
        event = response.read()
        _post(api, *_invoke(handler, event, response.headers))


def _import_handler(path: str) -> Handler:
    module, _, name = path.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler


def _invoke(handler: Handler, event: bytes, headers: http.client.HTTPMessage) -> tuple[str, Any]:
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
    context = Context(
        aws_request_id=request_id,
        invoked_function_arn=headers["Lambda-Runtime-Invoked-Function-Arn"],
        deadline_ms=int(headers["Lambda-Runtime-Deadline-Ms"]),
    )
    try:
        return f"/invocation/{request_id}/response", json.dumps(handler(json.loads(event), context))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the answer
        traceback.print_exc()
        return f"/invocation/{request_id}/error", _describe(error)


def _describe(error: Exception) -> str:
    trace = traceback.format_exception(error)
    return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace})


def _post(api: http.client.HTTPConnection, path: str, body: str) -> None:
    api.request("POST", _API + path, body.encode(), {"Content-Type": "application/json"})
    api.getresponse().read()


if __name__ == "__main__":
    # The folder of this file came first on the path; in Lambda it is the function's.
    sys.path[0] = str(Path.cwd())
    serve(sys.argv[1])
