"""What README.md says about costs is what the list of prices says."""

import re
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from callcoach.pricing import price_list, usual_cost

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PARAMETERS: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Parameters"]

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
