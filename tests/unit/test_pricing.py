"""What a call costs: by the list alone, and never guessed."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.benchmarks._long_calls import long_call
from tests.unit.examples import ROLES, SAMPLE_CALLS, sample_transcript, scored_call, settings, submission
from tests.unit.scorecards import example_scorecard

from callcoach import pricing
from callcoach.documents import encode
from callcoach.pricing import (
    INPUT_TOKENS_PER_CALL,
    INPUT_TOKENS_PER_HOUR,
    Cost,
    Transcribed,
    coaching_cost,
    cost_sentence,
    price_list,
    transcription_cost,
)
from callcoach.transcript import SpeakerIdentification, Transcript, decode_transcript, identified
from scorecard.question import question_about
from scorecard.replies import CoachAttempt
from scorecard.scorecard import CostUsd
from scorecard.scoring import cost_usd, measure_call
from scorecard.speakers import assign_roles

USUAL = frozenset(("speaker_labels", "sentiment_analysis", "speaker_identification"))
PRICES = Path(pricing.__file__).with_name("prices.toml")


def attempt(model: str = "claude-sonnet-4-6", taken: int | None = 24_310, given: int | None = 1480) -> CoachAttempt:
    return CoachAttempt(model, "0" * 64, "end_turn", "{}", taken, given)


def figures(node: Any) -> Iterable[dict[str, Any]]:
    """Every table of the list that holds a figure."""
    if isinstance(node, dict) and any(isinstance(value, float) for value in node.values()):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from figures(child)


def test_each_figure_has_a_page_and_a_day_that_is_no_later_than_the_list() -> None:
    document = tomllib.loads(PRICES.read_text("utf-8"))
    tables = list(figures(document))

    assert len(tables) > 30
    assert all(table["source"].startswith("https://") for table in tables)
    assert all(table["read_on"] <= document["date"] for table in tables)
    assert len({(table.get("id"), table["source"]) for table in tables}) == len(tables)


@pytest.mark.parametrize(
    ("transcribed", "cost"),
    [
        (Transcribed(1935, "universal-3-pro", 1, USUAL), Cost(0.145125)),
        (Transcribed(3600, "universal-2", 1, USUAL), Cost(0.21)),
        (Transcribed(3600, "universal-3-pro", 2, frozenset(("sentiment_analysis",))), Cost(0.44)),
        (Transcribed(3600, "universal-3-pro", 1, USUAL | {"redact_pii"}), Cost(0.35)),
        (Transcribed(None, "universal-3-pro", 1, USUAL), Cost(None, "no_duration")),
        (Transcribed(3600, None, 1, USUAL), Cost(None, "model_not_named")),
        (Transcribed(3600, "assemblyai-stt-3-7", 1, USUAL), Cost(None, "no_price_for_model")),
        (Transcribed(3600, "universal-3-pro", None, USUAL), Cost(None, "no_channels")),
    ],
)
def test_a_transcription_costs_its_seconds(transcribed: Transcribed, cost: Cost) -> None:
    """Each channel of a recording is charged, what is added to it once."""
    assert transcription_cost(transcribed) == cost


@pytest.mark.parametrize(
    ("attempts", "cost"),
    [
        ([], Cost(0.0)),
        ([attempt()], Cost(0.104643)),
        ([attempt(), attempt("claude-haiku-4-5-20251001", 10_000, 1000)], Cost(0.121143)),
        ([attempt(), attempt("claude-9")], Cost(None, "no_price_for_model")),
        ([attempt(), attempt(taken=None, given=None)], Cost(None, "tokens_not_counted")),
    ],
)
def test_coaching_costs_the_tokens_of_every_paid_answer(attempts: list[CoachAttempt], cost: Cost) -> None:
    """An answer that was lost may have been paid for, and nobody knows how long it was."""
    assert coaching_cost(attempts) == cost


def changed(transcript: Transcript, **changes: Any) -> Transcript:
    return msgspec.structs.replace(transcript, **changes)


@pytest.mark.parametrize(
    ("asked", "rep_channel", "changes", "hour_usd"),
    [
        ({"speaker_labels": True, "sentiment_analysis": True}, 0, {}, 0.21 + 3 * 0.02),
        ({"speaker_labels": True, "sentiment_analysis": True}, 0, {"sentiment_rows": None}, 0.21 + 2 * 0.02),
        ({"speaker_labels": True}, 0, {"speech_understanding": None}, 0.21 + 0.02),
        ({"multichannel": True}, 1, {"audio_channels": 2, "speech_understanding": None}, 2 * 0.21),
        ({"speaker_labels": True, "redact_pii": True}, 0, {"speech_model_used": "universal-2"}, 0.15 + 0.04 + 0.08),
    ],
)
def test_only_what_was_delivered_is_charged(
    asked: dict[str, object], rep_channel: int, changes: dict[str, Any], hour_usd: float
) -> None:
    """Sentiment that the call's language lacks, and an identification that was refused, are free."""
    transcript = changed(sample_transcript("discovery_price_shock"), **changes)
    about = msgspec.structs.replace(submission(), asked=asked, rep_channel=rep_channel)

    found = cost_usd(transcript, about, [])

    assert transcript.audio_duration_seconds
    assert found.transcription == round(hour_usd * transcript.audio_duration_seconds / 3600, 4)
    assert found.price_list == price_list().date.isoformat()


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_a_scorecard_says_what_its_call_cost_the_same_each_time(name: str) -> None:
    one, other = (scored_call(sample_transcript(name)).scorecard for _ in range(2))
    run = json.loads(encode(one))["run"]

    assert encode(one) == encode(other)
    assert run["cost_usd"]["transcription"] > 0
    # The coach of these tests is in no list.
    assert run["cost_usd"]["coaching"] is None
    assert run["cost_usd"]["coaching_reason"] == "no_price_for_model"


def test_a_cost_is_told_in_cents_or_with_the_reason_why_not() -> None:
    known = example_scorecard().run.cost_usd

    assert cost_sentence(known) == ("Cost by the list prices of 2026-11-26: transcription 0.15 USD, coaching 0.10 USD.")
    assert "coaching not known (the writing model did not say how much it read and wrote)" in cost_sentence(
        CostUsd(0.1, None, None, "tokens_not_counted", "2026-11-26")
    )
    assert not cost_sentence(None)


@pytest.mark.parametrize("minutes", [10, 60, 120])
def test_a_call_takes_the_coach_as_many_tokens_as_is_said(minutes: int) -> None:
    """Without the shape of the answer, which the gateway reads too: about 600 tokens."""
    heard = identified(
        decode_transcript(long_call(minutes).transcript),
        SpeakerIdentification("success", dict(zip("AB", ROLES, strict=True))),
    )
    roles = assign_roles(heard.utterances or [], heard.identification, ROLES)
    question = question_about(measure_call(heard, roles, submission(), settings()).for_coach)
    usual = INPUT_TOKENS_PER_CALL + INPUT_TOKENS_PER_HOUR * heard.duration_ms / 3_600_000

    assert question.estimated_tokens("claude-sonnet-4-6") == pytest.approx(usual, rel=0.1)
