"""What README.md says about costs is what the list of prices says."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.benchmarks.bill import units_of_a_month, units_of_requests, units_of_sound
from tests.benchmarks.round_trips import REASONS
from tests.sandbox.template import parse, read

from callcoach.pricing import aws_usd, price_list, usual_cost

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TEMPLATE: dict[str, Any] = parse((ROOT / "template.yaml").read_text("utf-8"))
PARAMETERS = TEMPLATE["Parameters"]
MEMORY_GB = TEMPLATE["Globals"]["Function"]["MemorySize"] / 1024

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
    assert f"about {usual_cost(1, 1, COACH_MODELS).usd:.2f} for the coach" in COSTS
    assert f"roughly **{usual_cost(1, 1, COACH_MODELS, SPEECH_MODELS).usd:.2f} USD**" in COSTS
    assert f"set it is about {usual_cost(1, 1, COACH_MODELS, SPEECH_MODELS, channels=2).usd:.2f}," in COSTS
    assert f"`RedactPii` adds {hours['redact_pii']:.2f}." in COSTS


def test_aws_takes_what_is_said_for_a_call() -> None:
    """By the requests that have a reason, for a coach that thinks for a minute."""
    requests = [
        Counter({what: len(reasons) for what, reasons in by_request.items()}) for by_request in REASONS.values()
    ]
    seconds = 2 + 65 + 1
    usd = aws_usd({**units_of_requests(requests), "lambda_gb_second": MEMORY_GB * seconds})

    assert f"about {usd:.4f} USD for a call" in COSTS
    assert f"{aws_usd(units_of_sound(1)):.4f} for an hour of sound" in COSTS


def test_aws_takes_what_is_said_for_what_is_always_there() -> None:
    document, _ = read(ROOT / "template.yaml", region="us-east-1")

    assert f"about {aws_usd(units_of_a_month(document['Resources'].values())):.0f} USD a month" in COSTS
    assert f"{aws_usd({'metric_month': 1}):.2f} for each metric" in COSTS
