"""What README.md says about costs is what the list of prices says."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from tests.benchmarks.round_trips import REASONS

from callcoach.pricing import aws_usd, price_list, usual_cost

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
PARAMETERS = TEMPLATE["Parameters"]
MEMORY_GB = TEMPLATE["Globals"]["Function"]["MemorySize"] / 1024
# A dozen lines and metrics.
LOGGED_GB = 10e-6

SPEECH_MODELS = PARAMETERS["SpeechModels"]["Default"].split(",")
COACH_MODELS = [PARAMETERS["CoachModel"]["Default"]]

(SECTION,) = re.findall(r"^## What it costs\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
COSTS = " ".join(SECTION.split())


def test_the_default_models_have_prices() -> None:
    prices = price_list()

    assert set(SPEECH_MODELS) <= {price.id for price in prices.speech_model}
    assert {*COACH_MODELS, PARAMETERS["CoachFallbackModel"]["Default"]} <= {price.id for price in prices.coach_model}


def test_an_hour_costs_what_is_said() -> None:
    hours = {price.id: price.usd_per_hour for price in [*price_list().speech_model, *price_list().add_on]}
    added = {hours[name] for name in ("speaker_labels", "sentiment_analysis", "speaker_identification")}

    assert f"transcription {hours[SPEECH_MODELS[0]]:.2f} USD" in COSTS
    assert f"speaker identification {added.pop():.2f} each" in COSTS
    assert not added
    assert f"about {usual_cost(1, COACH_MODELS).usd:.2f} for the coach" in COSTS
    assert f"roughly **{usual_cost(1, COACH_MODELS, SPEECH_MODELS).usd:.2f} USD**" in COSTS
    assert f"set it is about {usual_cost(1, COACH_MODELS, SPEECH_MODELS, channels=2).usd:.2f}," in COSTS
    assert f"`RedactPii` adds {hours['redact_pii']:.2f}." in COSTS


def test_aws_takes_what_is_said_for_a_call() -> None:
    """By the requests that have a reason, for a coach that thinks for a minute."""
    requests = Counter(
        {
            f"{function} {what}": len(reasons)
            for function, reasons_by_request in REASONS.items()
            for what, reasons in reasons_by_request.items()
        }
    )

    def of(pattern: str) -> int:
        return sum(number for what, number in requests.items() if re.search(pattern, what))

    # The recording's event, the callback and the message that looks after it.
    messages = 3
    units = {
        "lambda_request": messages,
        "lambda_gb_second": MEMORY_GB * (2 + 65 + 1),
        "dynamodb_write": of("dynamodb (Put|Update|Delete)Item"),
        "dynamodb_read": 2 * messages,
        "s3_read": of("s3 (Get|Head)Object"),
        "s3_write": of("s3 PutObject"),
        # Sent, received and deleted.
        "sqs_request": 3 * messages,
        "sns_publish": of("sns Publish"),
        "sns_email": of("sns Publish"),
        "api_gateway_request": 1,
        "eventbridge_event": 1,
        "logs_gb": LOGGED_GB,
    }

    assert of("dynamodb|s3|sqs|sns|assemblyai") == requests.total()
    assert f"about {aws_usd(units):.4f} USD for a call" in COSTS


def test_aws_takes_what_is_said_for_what_is_always_there() -> None:
    resources = TEMPLATE["Resources"].values()
    alarms = [item["Properties"] for item in resources if item["Type"] == "AWS::CloudWatch::Alarm"]
    queues = [item for item in resources if item["Type"] == "AWS::Serverless::Function"]
    units = {
        # A formula's metrics are charged one by one.
        "alarm_month": sum(sum("MetricStat" in part for part in alarm.get("Metrics", [])) or 1 for alarm in alarms),
        "dashboard_month": sum(item["Type"] == "AWS::CloudWatch::Dashboard" for item in resources),
        # The webhook's, and the one with AssemblyAI's key.
        "secret_month": 1 + sum(item["Type"] == "AWS::SecretsManager::Secret" for item in resources),
        # Lambda looks into an idle queue with five connections, each for twenty seconds.
        "sqs_request": len(queues) * 5 * 3 * 60 * 24 * 30,
    }

    assert f"about {aws_usd(units):.0f} USD a month" in COSTS
    assert f"{aws_usd({'metric_month': 1}):.2f} for each metric" in COSTS
