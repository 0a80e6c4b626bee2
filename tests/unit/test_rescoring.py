"""What is put right about a call, and what it costs to score it again."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.examples import ROLES, submission

from callcoach.documents import Override
from callcoach.published import Call, Run, ScoredCall
from callcoach.rescoring import Corrections, cost, override, request, sides_of
from scorecard.overrides import overridden, role_names
from scorecard.scorecard import SCHEMA_VERSION, Scorecard

REQUEST = "0f" * 16


@pytest.mark.parametrize(
    ("labels", "said", "sides"),
    [
        ("AB", {"A": "customer"}, {"A": "customer", "B": "rep"}),
        ("AB", {"B": "customer"}, {"A": "rep", "B": "customer"}),
        ("AB", {"A": "rep", "B": "customer"}, {"A": "rep", "B": "customer"}),
        ("ABC", {"A": "rep", "C": "customer"}, {"A": "rep", "C": "customer"}),
    ],
)
def test_of_two_speakers_one_says_who_the_other_is(labels: str, said: Any, sides: Any) -> None:
    """Of three, who is not named has no side."""
    assert sides_of(list(labels), said) == sides


@pytest.mark.parametrize(
    ("labels", "said", "fault"),
    [
        ("AB", {"C": "rep"}, "nobody is labelled C; the labels are A, B"),
        ("ABC", {"A": "rep"}, "say which label is the rep and which the customer; the labels are A, B, C"),
        ("AB", {"A": "rep", "B": "rep"}, "say which"),
        ("A", {"A": "rep"}, "say which"),
        ("", {"A": "rep"}, "nobody is labelled A"),
    ],
)
def test_both_sides_have_to_be_known(labels: str, said: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        sides_of(list(labels), said)


def test_what_was_put_right_before_stays_for_the_same_transcript() -> None:
    before = override(submission(), None, Corrections({"A": "customer", "B": "rep"}), REQUEST)

    again = override(submission(), before, Corrections(call_type="demo"), "1f" * 16)
    other = override(submission(transcript_id="t2"), again, Corrections(), REQUEST)

    assert before == Override("dana-reyes/acme.mp3", "t1", REQUEST, {"A": "customer", "B": "rep"})
    assert again == Override("dana-reyes/acme.mp3", "t1", "1f" * 16, {"A": "customer", "B": "rep"}, "demo")
    assert (other.roles, other.call_type) == ({}, None)
    assert json.loads(request(again)) == {"transcript_id": "t1", "status": "rescore", "request_id": "1f" * 16}


def test_scoring_takes_it_over_what_was_known() -> None:
    asked = submission(call_type="cold")
    put_right = override(asked, None, Corrections({"A": "customer", "B": "rep"}, "demo"), REQUEST)

    call = overridden(asked, put_right).call

    assert (call.call_type, call.call_type_source) == ("demo", "override")
    assert overridden(asked, msgspec.structs.replace(put_right, call_type=None)) == asked == overridden(asked, None)
    assert role_names(put_right, ROLES) == {"A": "Customer", "B": "Sales Rep"}
    assert role_names(None, ROLES) == {}


@pytest.mark.parametrize(
    ("tokens", "calls", "said"),
    [
        ([(9000, 1000), (None, None)], 2, "2 calls, 2.0 hours, for which the coach took 10,000 tokens"),
        ([(1, 1)], 3, "3 calls, 1.0 hours, and 2 of unknown length, for which"),
    ],
)
def test_cost_is_of_the_coach_alone(tokens: Sequence[tuple[int | None, int | None]], calls: int, said: str) -> None:
    cards = [ScoredCall("complete", Call("a", 3600), Run(taken, given)) for taken, given in tokens]

    told = cost(cards, calls, coach_models=["claude-sonnet-4-6"])

    assert told.startswith(said)
    assert f"about {len(cards) * 0.1155:.2f} USD" in told


def test_short_calls_cost_more_than_a_long_one_of_their_length() -> None:
    """Each is asked about with the same instructions, and answered at much the same length."""
    cards = [ScoredCall("complete", Call(str(number), 300), Run(None, None)) for number in range(12)]

    assert "12 calls, 1.0 hours" in (told := cost(cards, 12, coach_models=["claude-sonnet-4-6"]))
    assert f"about {(12 * (4_000 * 3.00 + 2_000 * 15.00) + 21_000 * 3.00) * 1.1 / 1e6:.2f} USD" in told


def test_what_is_read_of_a_scorecard_is_there() -> None:
    assert {"status", "call", "run"} <= {field.name for field in msgspec.structs.fields(Scorecard)}
    assert SCHEMA_VERSION == 1
