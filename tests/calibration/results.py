"""What a calibration comes to: a table, out/calibration.json, and a block for the README."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.calibration.agreement import Agreement, Judged, agreement
from tests.calibration.asking import Answered

from callcoach.pricing import coaching_cost
from scorecard.question import PROMPT_VERSION, instructions
from scorecard.rubric import RUBRIC, RUBRIC_ITEMS, RUBRIC_SHA256


def results_of(answers: Sequence[Answered], *, model: str, runs: int, endpoint: str, day: dt.date) -> dict[str, Any]:
    """Return out/calibration.json. endpoint: what was asked in the place of AssemblyAI, "" for AssemblyAI itself."""
    judged = [answer for answer in answers if answer.scorecard and answer.scorecard.coaching]
    calls = sorted({answer.asked.call.name: answer.asked.call for answer in answers}.items())
    levels: dict[str, dict[str, Judged]] = {
        name: {item: Judged(call.expected[item], _levels(judged, name, item)) for item in RUBRIC_ITEMS}
        for name, call in calls
    }
    quotes = Counter[str]()
    for answer in judged:
        if answer.scorecard and (counts := answer.scorecard.evidence):
            quotes.update(
                claimed=counts.claimed, verified=counts.verified, repaired=counts.repaired, dropped=counts.dropped
            )
    attempts = [attempt for answer in answers for attempt in answer.attempts]
    cost = coaching_cost(attempts)
    return {
        "date": day.isoformat(),
        "model": model,
        "endpoint": endpoint,
        "runs": runs,
        "prompt_version": PROMPT_VERSION,
        "prompt_sha256": instructions().sha256,
        "rubric_version": RUBRIC["version"],
        "rubric_sha256": RUBRIC_SHA256,
        "items": {item: asdict(agreement(of_call[item] for of_call in levels.values())) for item in RUBRIC_ITEMS},
        "calls": {
            name: {item: {"expected": one.expected, "levels": list(one.levels)} for item, one in of_call.items()}
            for name, of_call in levels.items()
        },
        "quotes": {name: quotes[name] for name in ("claimed", "verified", "repaired", "dropped")},
        "questions": {"wanted": len(answers), "judged": len(judged), "paid": len(attempts)},
        "without_coaching": _without_coaching(answers),
        "cost_usd": cost.usd,
        "cost_reason": cost.reason,
    }


def _levels(judged: Sequence[Answered], name: str, item: str) -> list[int | None]:
    of_call = sorted((answer for answer in judged if answer.asked.call.name == name), key=lambda one: one.asked.run)
    return [
        answer.scorecard.coaching.rubric.items[item].level
        for answer in of_call
        if answer.scorecard and answer.scorecard.coaching
    ]


def _without_coaching(answers: Sequence[Answered]) -> list[dict[str, Any]]:
    """Return the questions that no level came of, and why."""
    return [
        {
            "call": answer.asked.call.name,
            "run": answer.asked.run,
            "reason": answer.scorecard.status_reason if answer.scorecard else "no_answer",
        }
        for answer in answers
        if answer.scorecard is None or answer.scorecard.coaching is None
    ]


def table(results: dict[str, Any]) -> list[str]:
    """Return the agreement by behaviour as lines for a terminal."""
    head = f"{'behaviour':<11} {'exact':>6} {'within 1':>8} {'mean diff':>9} {'same in all runs':>16} {'widest':>6}"
    head += f" {'not judged':>11} {'without occasion':>17}"
    lines = [head]
    for item, row in results["items"].items():
        one = Agreement(**row)
        lines.append(
            f"{item:<11} {_percent(one.exact_share):>6} {_percent(one.within_one_share):>8}"
            f" {_signed(one.mean_difference):>9} {_percent(one.same_share):>16}"
            f" {'-' if one.widest_spread is None else one.widest_spread:>6} {f'{one.not_judged} of {one.expected}':>11}"
            f" {f'{one.judged_without_occasion} of {one.no_occasion}':>17}"
        )
    quotes, questions = results["quotes"], results["questions"]
    lines += [
        "",
        f"{questions['judged']} of {questions['wanted']} answers judged, {questions['paid']} questions paid for"
        + (f", {results['cost_usd']:.2f} USD by the list prices" if results["cost_usd"] is not None else ""),
        f"quotes: {quotes['claimed']} offered, {quotes['dropped']} dropped because they do not stand in the transcript",
    ]
    lines += [f"no levels: {one['call']}, run {one['run']}: {one['reason']}" for one in results["without_coaching"]]
    return lines


def markdown(results: dict[str, Any]) -> str:
    """Return a block for the README, with its day, its model and what it rests on."""
    quotes, questions = results["quotes"], results["questions"]
    measured = (
        f"Measured on {results['date']} with `{results['model']}` on {_counted(len(results['calls']), 'written call')},"
        f" {_counted(results['runs'], 'run')} each, prompt {results['prompt_version']}"
        f" (`{results['prompt_sha256'][:8]}`), rubric {results['rubric_version']} (`{results['rubric_sha256'][:8]}`)."
        " Expected levels are one reader's."
    )
    if questions["judged"] < questions["wanted"]:
        measured += f" **Only {questions['judged']} of {questions['wanted']} answers.**"
    if results["endpoint"]:
        measured += f" **Not AssemblyAI: {results['endpoint']} was asked in its place.**"
    lines = [
        measured,
        "",
        "| behaviour | exact | within one | mean difference | same in all runs | judged without occasion |",
        "|---|---|---|---|---|---|",
    ]
    for item, row in results["items"].items():
        one = Agreement(**row)
        lines.append(
            f"| {RUBRIC_ITEMS[item]['name']} | {_percent(one.exact_share)} | {_percent(one.within_one_share)} |"
            f" {_signed(one.mean_difference)} | {_percent(one.same_share)} |"
            f" {one.judged_without_occasion} of {one.no_occasion} |"
        )
    lines += [
        "",
        f"Quotes dropped because they do not stand in the transcript: {quotes['dropped']} of {quotes['claimed']}.",
    ]
    return "\n".join(lines) + "\n"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


def _signed(difference: float | None) -> str:
    return "-" if difference is None else f"{difference:+.2f}"
