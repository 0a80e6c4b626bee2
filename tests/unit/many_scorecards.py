"""Scorecards of a year of a sales floor, made up from one seed: what trends are tried with."""

import random
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from tests.unit.scorecards import example_scorecard, with_doubtful_roles, without_coaching

from callcoach.documents import encode

FIRST = datetime(2025, 11, 1, 9, tzinfo=UTC)
ITEMS = ("opening", "discovery", "listening", "value_link", "objection", "next_step")
BANDS: dict[str, tuple[float | None, float | None]] = {
    "discovery": (0.35, 0.5),
    "demo": (None, 0.65),
    "cold": (None, 0.6),
    "follow-up": (0.35, 0.6),
    "other": (0.35, 0.6),
}
TEAMS = ("North", "South", "East")


def many_scorecards(count: int, *, reps: int = 40, days: int = 365, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield scorecards as JSON, in no order of time: with other models, rubrics and prompts as time goes on."""
    choose = random.Random(seed)
    complete = encode(example_scorecard())
    others = [
        encode(card)
        for card in (without_coaching("too_short"), without_coaching("coach_unavailable"), with_doubtful_roles())
    ]
    for number in range(count):
        day = choose.uniform(0, days)
        card = msgspec.json.decode(complete if choose.random() < 0.9 else choose.choice(others))
        rep = choose.randrange(reps)
        card["call"] |= {
            "recording": f"calls/{number}.mp3",
            "recorded_at": f"{FIRST + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}",
            "rep": f"Rep {rep:02}" if rep else None,
            "team": TEAMS[rep % len(TEAMS)] if choose.random() < 0.95 else None,
        }
        _set_type(card, choose)
        if card["status"] == "complete":
            _measure(card, choose, day / days)
        yield card


def _set_type(card: dict[str, Any], choose: random.Random) -> None:
    call_type = choose.choice(list(BANDS))
    low, high = BANDS[call_type]
    card["call"]["call_type"] = call_type
    card["talk_listen"]["band"] |= {"low": low, "high": high, "for": call_type}


def _measure(card: dict[str, Any], choose: random.Random, year: float) -> None:
    card["roles"]["needs_review"] = choose.random() < 0.03
    share = round(min(max(choose.gauss(0.62 - 0.15 * year, 0.08), 0.05), 0.95), 4)
    card["talk_listen"]["rep_share"] = share
    card["talk_listen"]["customer_share"] = round(1 - share, 4)
    card["metrics"]["questions"]["value"] = choose.randint(2, 20) if choose.random() < 0.95 else None
    card["metrics"]["longest_monologue"]["value"] = 1000 * choose.randint(40, 320)
    shifts = [_shift(card, choose) for _ in range(choose.choice((0, 0, 1, 2)))]
    card["sentiment"] |= {"shifts": shifts, "shifts_reason": None}
    if choose.random() < 0.05:
        card["sentiment"] = None
    for item in ITEMS:
        card["coaching"]["rubric"]["items"][item]["level"] = choose.choice((None, 0, 1, 1, 2, 2, 3))
    card["run"] |= {
        "coach_model": "claude-sonnet-4-6" if year < 0.5 else "claude-sonnet-5-5",
        "rubric_sha256": ("1" if year < 0.75 else "2") * 64,
        "prompt_version": "1",
    }


def _shift(card: dict[str, Any], choose: random.Random) -> dict[str, Any]:
    return {
        **deepcopy(card["sentiment"]["shifts"][0]),
        "strength": choose.choice(("clear", "possible")),
        "to": choose.choice(("negative", "positive")),
        "about": choose.choice(("our_offer_or_rep", "their_own_situation")),
    }
