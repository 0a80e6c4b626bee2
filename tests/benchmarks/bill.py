"""What calls of half an hour cost at AWS and at AssemblyAI, by the list of prices and what is measured here.

AWS's free tiers are left out. A function's time is its waits for AssemblyAI, as long as those of the other benchmarks,
and its own processor time, which is longer where memory buys it less than a whole processor.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import warm
from tests.benchmarks._table import Row, Table, aligned
from tests.benchmarks.completion import COACH_SECONDS, IDENTIFICATION_SECONDS
from tests.benchmarks.round_trips import requests_of_a_call
from tests.sandbox.template import read

from callcoach.pricing import aws_usd, usual_cost

CALLS = 1000
HOURS = warm.MINUTES / 60
MODELS = ("universal-3-pro",), ("claude-sonnet-4-6",)
# Speech at 64 kbit/s, kept for as long as the stack does by default; what is written about a call is small beside it.
SOUND_GB_PER_HOUR = 64_000 / 8 * 3600 / 1e9
RECORDING_MONTHS = 90 / 30

# With so much memory a function has one processor (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
PROCESSOR_MB = 1769
MEMORY_MB = (256, 512, 1024, 1769)
DEPLOYED_MB = 512
# An answer of AWS's inside a region, and AssemblyAI's to a submission. Neither can be measured here.
AWS_REQUEST_SECONDS = 0.01
SUBMISSION_SECONDS = 0.5

# What Lambda does about a message beside the function; and how often it asks an empty queue, with five connections that
# wait 20 seconds each (docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
RECEIVED_AND_DELETED = 2
POLLS_PER_MONTH = 5 * 3 * 60 * 24 * 30
# A dozen lines and metrics.
LOGGED_GB = 10e-6

# USD; each by its page on 2026-11-26: aws.amazon.com/transcribe/pricing (batch, the first 250,000 minutes a month) and
# aws.amazon.com/ec2/pricing/on-demand (t4g.small, which the script would keep running).
TRANSCRIBE_MINUTE_USD = 0.024
SERVER_MONTH_USD = 0.0168 * 24 * 30

MOST_SHARE = 0.05

UNITS = {
    "dynamodb BatchGetItem": "dynamodb_read",
    "dynamodb": "dynamodb_write",
    "s3 GetObject": "s3_read",
    "s3 HeadObject": "s3_read",
    "s3 PutObject": "s3_write",
    "sns Publish": "sns_publish",
    "sqs SendMessage": "sqs_request",
}
# Each message's item, and that of the pause.
ITEMS_READ = 2


def units_of_requests(requests: Iterable[Counter[str]]) -> Mapping[str, float]:
    """Return what AWS counts for a call beside its sound and the functions' time, with one reader of its e-mail."""
    units: Counter[str] = Counter()
    for what, count in (pair for counted in requests for pair in counted.items()):
        if unit := next((unit for start, unit in UNITS.items() if what.startswith(start)), None):
            units[unit] += count * (ITEMS_READ if unit == "dynamodb_read" else 1)
    # The drop, its event, and AssemblyAI's own request. EventBridge and the API send a message each; with the
    # watchdog's there are three to receive and to delete.
    units.update(s3_write=1, eventbridge_event=1, s3_read=1, api_gateway_request=1, sns_email=1, lambda_request=3)
    units.update(sqs_request=2 + 3 * RECEIVED_AND_DELETED)
    return {**units, "logs_gb": LOGGED_GB}


def units_of_sound(hours: float) -> Mapping[str, float]:
    """Return what AWS counts for a recording: AssemblyAI fetches it, and it is kept."""
    gigabytes = SOUND_GB_PER_HOUR * hours
    return {"transfer_out_gb": gigabytes, "s3_gb_month": gigabytes * RECORDING_MONTHS}


def units_of_a_month(resources: Iterable[Mapping[str, Any]]) -> Mapping[str, float]:
    """Return what AWS counts in a month without a call, for the resources of the transformed template."""
    listed = list(resources)
    alarms = [resource["Properties"] for resource in listed if resource["Type"] == "AWS::CloudWatch::Alarm"]
    types = Counter(resource["Type"] for resource in listed)
    return {
        # A formula's metrics are charged one by one.
        "alarm_month": sum(sum("MetricStat" in part for part in alarm.get("Metrics", [])) or 1 for alarm in alarms),
        "dashboard_month": types["AWS::CloudWatch::Dashboard"],
        # AssemblyAI's key is not the stack's.
        "secret_month": 1 + types["AWS::SecretsManager::Secret"],
        "sqs_request": types["AWS::Lambda::EventSourceMapping"] * POLLS_PER_MONTH,
    }


def lambda_seconds(
    function: str, used_ms: float, requests: Counter[str], coach_seconds: float, memory_mb: int
) -> float:
    """Return how long an invocation takes."""
    waits = SUBMISSION_SECONDS if function == "SubmitFunction" else IDENTIFICATION_SECONDS + coach_seconds
    return waits + own_seconds(used_ms, requests, memory_mb)


def own_seconds(used_ms: float, requests: Counter[str], memory_mb: int) -> float:
    """Return how long an invocation works and waits for AWS."""
    aws = sum(count for what, count in requests.items() if not what.startswith("assemblyai"))
    return used_ms / 1000 * max(1, PROCESSOR_MB / memory_mb) + aws * AWS_REQUEST_SECONDS


def month_usd() -> float:
    """Return what the stack costs in a month without a call."""
    document, _ = read(Path(__file__).parents[2] / "template.yaml", region="us-east-1")
    return aws_usd(units_of_a_month(document["Resources"].values()))


def run() -> Table:
    """Return the table."""
    used, requests = warm.measure(), requests_of_a_call(("completed", "overdue"))
    units = {**units_of_requests(requests.values()), **units_of_sound(HOURS)}
    scorecard = used["ScorecardFunction"].milliseconds, requests["ScorecardFunction"]

    def lambda_usd(coach_seconds: float, memory_mb: int) -> float:
        seconds = sum(
            lambda_seconds(function, used[function].milliseconds, requests[function], coach_seconds, memory_mb)
            for function in used
        )
        return CALLS * aws_usd({"lambda_gb_second": seconds * memory_mb / 1024})

    lines = [f"The functions' time for {CALLS:,} calls, by their memory, and what their own work adds to a call", ""]
    lines += aligned(
        [
            ("memory", *(f"coach of {seconds:g} s" for seconds in COACH_SECONDS), "added"),
            *(
                (
                    f"{memory} MB",
                    *(f"{lambda_usd(seconds, memory):.2f} USD" for seconds in COACH_SECONDS),
                    f"{own_seconds(*scorecard, memory):.2f} s",
                )
                for memory in MEMORY_MB
            ),
        ]
    )
    aws = CALLS * aws_usd(units) + lambda_usd(COACH_SECONDS[-1], DEPLOYED_MB)
    transcription, coaching = _assemblyai_usd()
    lines += [
        "",
        f"{CALLS:,} calls of {warm.MINUTES} minutes, in USD (functions: {DEPLOYED_MB} MB, the slower coach)",
        "",
    ]
    lines += aligned((what, f"{usd:.2f}") for what, usd in _bill(units, aws, transcription, coaching))
    return Table(
        lines,
        [
            Row.beside(
                "bill.aws",
                f"AWS for {CALLS:,} calls",
                aws,
                "USD",
                other=transcription + coaching,
                against=f"AssemblyAI, {transcription + coaching:.0f} USD",
                most=MOST_SHARE,
            ),
            Row("bill.month", "AWS for a month without calls", month_usd(), "USD"),
        ],
    )


def _assemblyai_usd() -> tuple[float, float]:
    speech_models, coach_models = MODELS
    coaching = usual_cost(CALLS, CALLS * HOURS, coach_models).usd
    both = usual_cost(CALLS, CALLS * HOURS, coach_models, speech_models).usd
    if coaching is None or both is None:
        raise RuntimeError(f"the list of prices knows no cost of {MODELS}")
    return both - coaching, coaching


def _bill(units: Mapping[str, float], aws: float, transcription: float, coaching: float) -> Iterator[tuple[str, float]]:
    yield "AWS", aws
    yield "  functions' time", aws - CALLS * aws_usd(units)
    for unit, count in sorted(units.items(), key=lambda counted: -aws_usd(dict([counted]))):
        yield f"  {unit.replace('_', ' ')}", CALLS * aws_usd({unit: count})
    yield "AssemblyAI: transcription", transcription
    yield "AssemblyAI: coach", coaching
    yield "beside: a small server that polls, a month", SERVER_MONTH_USD
    yield "beside: Amazon Transcribe for the same sound", CALLS * warm.MINUTES * TRANSCRIBE_MINUTE_USD
