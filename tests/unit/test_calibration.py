"""The calls for calibration, and the arithmetic of agreement."""

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calibration.agreement import Judged, agreement
from tests.calibration.asking import Answered, Asked
from tests.calibration.calls import CalibrationCall, calibration_calls
from tests.calibration.results import markdown, results_of, table
from tests.sandbox.score import default_settings
from tests.sandbox.scripts import read_script
from tests.unit.scorecards import COACHING, example_scorecard

from scorecard.coachable import uncoachable_reason
from scorecard.replies import CoachAttempt
from scorecard.rubric import RUBRIC_ITEMS
from scorecard.scoring import measure_call

CALLS = calibration_calls()
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "data" / "calibration"
# The customer's speech from which on the rubric judges listening.
LISTENING_MS = 120_000


@pytest.mark.parametrize("item", RUBRIC_ITEMS)
def test_calls_show_every_level_of_each_behaviour_and_one_without_an_occasion(item: str) -> None:
    assert {call.expected[item] for call in CALLS} == {0, 1, 2, 3, None}


def test_there_are_few_calls_and_every_expectation_has_its_reason() -> None:
    assert 8 <= len(CALLS) <= 12
    for file in FOLDER.glob("*.toml"):
        script = read_script(file)
        assert script["about"]
        assert script["expected"].keys() == RUBRIC_ITEMS.keys()
        assert all(len(judged["why"].split()) > 3 for judged in script["expected"].values()), file.stem
        assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 60_000


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_is_coached_and_its_numbers_allow_what_is_expected(call: CalibrationCall) -> None:
    """Our own numbers cap levels: an expectation above them could never be met."""
    measured = measure_call(call.transcript, call.roles, call.submission, default_settings("http://127.0.0.1"))
    questions = measured.metrics["questions"].value
    assert uncoachable_reason(call.transcript, call.roles) is None
    assert measured.review().status_reason is None
    assert call.expected["listening"] != 3 or measured.talk.verdict != "above"
    assert (call.expected["discovery"] or 0) < 2 or (questions is not None and questions >= 3)
    assert (call.expected["listening"] is None) == ((measured.talk.customer_ms or 0) < LISTENING_MS)


def test_agreement_is_counted_over_the_runs_of_calls_with_an_expectation() -> None:
    found = agreement(
        [
            Judged(2, (2, 2, 2)),
            Judged(3, (1, 2, 3)),
            Judged(0, (0, None, 2)),
            Judged(None, (None, 1, None)),
        ]
    )
    assert found.expected == 9
    assert found.exact_share == round(5 / 9, 4)
    assert found.within_one_share == round(6 / 9, 4)
    assert found.not_judged == 1
    # 0, 0, 0, -2, -1, 0, 0, +2 over the eight that judged.
    assert found.mean_difference == round(-1 / 8, 2)
    assert (found.repeated, found.same_share, found.widest_spread) == (4, 0.25, 2)
    assert (found.no_occasion, found.judged_without_occasion) == (3, 1)


def test_one_run_has_no_spread_and_nothing_no_share() -> None:
    once = agreement([Judged(1, (1,))])
    assert (once.exact_share, once.repeated, once.same_share, once.widest_spread) == (1.0, 0, None, None)
    nothing = agreement([Judged(1, ()), Judged(None, ())])
    assert (nothing.expected, nothing.exact_share, nothing.mean_difference) == (0, None, None)
    silent = agreement([Judged(1, (None, None))])
    assert (silent.exact_share, silent.mean_difference, silent.same_share, silent.widest_spread) == (0, None, 1, None)


LEVELS = st.none() | st.integers(0, 3)


@given(st.lists(st.builds(Judged, LEVELS, st.lists(LEVELS, max_size=4))))
def test_shares_hold_together_whatever_the_levels(calls: list[Judged]) -> None:
    found = agreement(calls)
    assert found.expected + found.no_occasion == sum(len(judged.levels) for judged in calls)
    if found.exact_share is not None and found.within_one_share is not None:
        assert 0 <= found.exact_share <= found.within_one_share <= 1
        assert found.within_one_share <= round(1 - found.not_judged / found.expected, 4)
    assert found.mean_difference is None or -3 <= found.mean_difference <= 3
    assert 0 <= found.judged_without_occasion <= found.no_occasion


def test_results_say_with_what_they_were_measured_and_what_is_missing() -> None:
    """No figure goes without its day, its model and the texts that it rests on."""
    call = CALLS[0]
    attempt = CoachAttempt("claude-sonnet-4-6", "q", "end_turn", "{}", 10_000, 1_000)
    answers = [
        Answered(Asked(call, 1), example_scorecard(coaching=COACHING), [attempt]),
        Answered(Asked(call, 2), None, [attempt]),
    ]
    results = results_of(
        answers, model="claude-sonnet-4-6", runs=2, endpoint="http://127.0.0.1:1", day=dt.date(2026, 11, 26)
    )
    assert results["questions"] == {"wanted": 2, "judged": 1, "paid": 2}
    assert results["without_coaching"] == [{"call": call.name, "run": 2, "reason": "no_answer"}]
    assert results["quotes"] == {"claimed": 17, "verified": 15, "repaired": 1, "dropped": 1}
    assert results["calls"][call.name]["opening"] == {
        "expected": call.expected["opening"],
        "levels": [COACHING.rubric.items["opening"].level],
    }
    assert any(f"no levels: {call.name}, run 2: no_answer" in line for line in table(results))
    block = markdown(results)
    assert block.startswith("Measured on 2026-11-26 with `claude-sonnet-4-6` on 1 written call, 2 runs each, prompt 1")
    assert "Only 1 of 2 answers." in block
    assert "Not AssemblyAI: http://127.0.0.1:1 was asked in its place" in block
    assert "do not stand in the transcript: 1 of 17." in block


def test_the_documents_say_how_many_calls_there_are() -> None:
    number = ("eight", "nine", "ten", "eleven", "twelve")[len(CALLS) - 8]
    for document in ("README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md"):
        assert re.search(rf"\b{number} (?:written )?calls\b", (ROOT / document).read_text("utf-8")), document
