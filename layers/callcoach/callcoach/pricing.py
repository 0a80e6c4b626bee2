"""What a call costs by the list prices of prices.toml. Pure.

Nothing is guessed: what is not in the list, or was not counted, has no cost and the reason why.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec

from callcoach.meanings import meaning

Reason = Literal["no_duration", "no_price_for_model", "model_not_named", "no_channels", "tokens_not_counted"]

SECONDS_PER_HOUR = 3600
# What is usually asked for where speakers are told apart by voice, and where each has a channel.
USUAL_ADD_ONS = frozenset(("speaker_labels", "sentiment_analysis", "speaker_identification"))
USUAL_ADD_ONS_OF_CHANNELS = frozenset(("sentiment_analysis",))
# The coach reads the instructions and the shape of its answer however short a call is, and answers every call at much
# the same length. An hour of sound has 9,000 words.
INPUT_TOKENS_PER_CALL, INPUT_TOKENS_PER_HOUR = 4_000, 21_000
OUTPUT_TOKENS_PER_CALL = 2_000


class _Sourced(msgspec.Struct, frozen=True, kw_only=True):
    """A figure's page, and the day on which that showed it."""

    source: str
    read_on: dt.date


class HourPrice(_Sourced, frozen=True, kw_only=True):
    """Of an hour of sound."""

    id: str
    usd_per_hour: float


class TokenPrice(_Sourced, frozen=True, kw_only=True):
    """Of a million tokens, in any region."""

    id: str
    input_usd_per_million: float
    output_usd_per_million: float


class Factor(_Sourced, frozen=True, kw_only=True):
    """What a price is multiplied by."""

    factor: float


class UnitPrice(_Sourced, frozen=True, kw_only=True):
    """Of one unit that AWS charges for."""

    id: str
    usd: float


Price = TypeVar("Price", HourPrice, TokenPrice, UnitPrice)


class PriceList(msgspec.Struct, frozen=True):
    """prices.toml."""

    date: dt.date
    speech_model: list[HourPrice]
    add_on: list[HourPrice]
    in_region: Factor
    coach_model: list[TokenPrice]
    aws: list[UnitPrice]


class Cost(msgspec.Struct, frozen=True):
    """An amount in USD, or None and the reason why it is not known."""

    usd: float | None
    reason: Reason | None = None


class Transcribed(msgspec.Struct, frozen=True):
    """What was transcribed, as AssemblyAI says. channels: those that were transcribed each on its own."""

    audio_seconds: float | None
    speech_model: str | None
    channels: int | None
    add_ons: frozenset[str]


class KnownCosts(Protocol):
    """What a scorecard says of its costs; None with a reason."""

    @property
    def transcription(self) -> float | None: ...
    @property
    def transcription_reason(self) -> str | None: ...
    @property
    def coaching(self) -> float | None: ...
    @property
    def coaching_reason(self) -> str | None: ...
    @property
    def price_list(self) -> str: ...


class Answer(Protocol):
    """A coach model's answer that was paid for; tokens are None where nobody counted them."""

    @property
    def model(self) -> str: ...
    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...


class _UsualAnswer(msgspec.Struct, frozen=True):
    model: str
    input_tokens: int | None
    output_tokens: int | None


@cache
def price_list() -> PriceList:
    """Return the list. Read when it is first needed: a function that starts does without."""
    import tomllib  # noqa: PLC0415 - see above

    text = Path(__file__).with_name("prices.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), PriceList)


def transcription_cost(transcribed: Transcribed) -> Cost:
    """Return what AssemblyAI takes for a transcription and what was added to it. One that failed is free."""
    prices = price_list()
    hour_usd = _by_id(prices.speech_model)
    if transcribed.audio_seconds is None:
        return Cost(None, "no_duration")
    if transcribed.speech_model is None:
        return Cost(None, "model_not_named")
    if transcribed.speech_model not in hour_usd:
        return Cost(None, "no_price_for_model")
    if transcribed.channels is None:
        return Cost(None, "no_channels")
    added_usd = sum(price.usd_per_hour for price in prices.add_on if price.id in transcribed.add_ons)
    usd = hour_usd[transcribed.speech_model].usd_per_hour * transcribed.channels + added_usd
    return Cost(round(usd * transcribed.audio_seconds / SECONDS_PER_HOUR, 6))


def coaching_cost(answers: Iterable[Answer]) -> Cost:
    """Return what LLM Gateway takes for answers; 0 for none."""
    prices = price_list()
    models, usd = _by_id(prices.coach_model), 0.0
    for answer in answers:
        if answer.input_tokens is None or answer.output_tokens is None:
            return Cost(None, "tokens_not_counted")
        price = models.get(answer.model)
        if price is None:
            return Cost(None, "no_price_for_model")
        usd += answer.input_tokens * price.input_usd_per_million
        usd += answer.output_tokens * price.output_usd_per_million
    return Cost(round(usd * prices.in_region.factor / 1e6, 6))


def usual_cost(
    calls: int, hours: float, coach_models: Sequence[str], speech_models: Sequence[str] = (), *, channels: int = 1
) -> Cost:
    """Return about what so many calls take, by the models that are asked first. hours: all of them together.

    speech_models: none where nothing is transcribed.
    """
    read = calls * INPUT_TOKENS_PER_CALL + round(hours * INPUT_TOKENS_PER_HOUR)
    coaching = coaching_cost([_UsualAnswer(coach_models[0], read, calls * OUTPUT_TOKENS_PER_CALL)])
    if not speech_models or coaching.usd is None:
        return coaching
    add_ons = USUAL_ADD_ONS if channels == 1 else USUAL_ADD_ONS_OF_CHANNELS
    transcription = transcription_cost(Transcribed(hours * SECONDS_PER_HOUR, speech_models[0], channels, add_ons))
    return transcription if transcription.usd is None else Cost(transcription.usd + coaching.usd)


def about_usd(cost: Cost) -> str:
    """Return an estimate in words."""
    if cost.usd is None:
        return "what its models cost, which this list of prices does not know"
    return f"about {cost.usd:,.2f} USD"


def cost_sentence(costs: KnownCosts | None) -> str:
    """Return what a call cost in words; "" where its scorecard was written without."""
    if costs is None:
        return ""
    transcription = _told_usd(costs.transcription, costs.transcription_reason)
    coaching = _told_usd(costs.coaching, costs.coaching_reason)
    return f"Cost by the list prices of {costs.price_list}: transcription {transcription}, coaching {coaching}."


def _told_usd(usd: float | None, reason: str | None) -> str:
    return f"not known ({meaning('cost', reason)})" if usd is None else f"{usd:.2f} USD"


def aws_usd(units: Mapping[str, float]) -> float:
    """Return what AWS takes for so many units. Raises KeyError for a unit without a price."""
    prices = _by_id(price_list().aws)
    return sum(prices[unit].usd * number for unit, number in units.items())


def _by_id(prices: Iterable[Price]) -> dict[str, Price]:
    return {price.id: price for price in prices}
