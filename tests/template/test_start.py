"""What a new process of each function imports before it takes its first message: all else waits until it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BOTH = {
    f"callcoach.{name}"
    for name in (
        *("assemblyai", "aws_clients", "aws_faults", "documents", "environment", "errors", "failures", "idempotency"),
        *(
            "languages",
            "meanings",
            "names",
            "notifications",
            "observability",
            "operators",
            "pause",
            "plain_text",
            "queue",
        ),
        *("resubmission", "secrets", "slots", "state", "storage", "transcript", "work"),
    )
}
STARTS = {
    "submit": BOTH
    | {"callcoach.acceptance"}
    | {f"submit.{name}" for name in ("handler", "recording", "settings", "submission")},
    # Neither the metrics, sentiment, evidence and rubric nor the report and the e-mail, which take longest.
    "scorecard": BOTH
    | {"callcoach.pricing", "callcoach.spending"}
    | {
        f"scorecard.{name}"
        for name in (
            *(
                "callback",
                "counting",
                "earlier",
                "handler",
                "overrides",
                "pipeline",
                "readiness",
                "replies",
                "scorecard",
            ),
            *("settings", "speakers"),
        )
    },
}
# With what they bring; boto3, botocore and theirs are Lambda's.
LIBRARIES = {
    *("aws_lambda_powertools", "msgspec", "requests", "urllib3", "certifi", "charset_normalizer", "idna"),
    *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six"),
    # If they are there, for msgspec and jmespath.
    *("typing_extensions", "simplejson"),
}

PROGRAM = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("function", STARTS)
def test_a_function_starts_with_what_it_needs_at_once(function: str) -> None:
    path = f"{ROOT / 'functions'}:{ROOT / 'layers' / 'callcoach'}"
    command = [sys.executable, "-c", PROGRAM, f"{function}.handler"]
    ran = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=True, text=True)
    imported = set(json.loads(ran.stdout))
    ours = {name for name in imported if name.split(".")[0] in ("callcoach", function)}
    others = {name.split(".")[0] for name in imported - ours} - sys.stdlib_module_names
    assert ours - {"callcoach", function} == STARTS[function]
    assert {name for name in others if not name.startswith("_")} - LIBRARIES <= {"cython_runtime"}
