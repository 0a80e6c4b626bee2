"""Who is the rep."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.examples import REP_AND_CUSTOMER, ROLES, conversation, utterance, utterance_lists

from callcoach.transcript import RelabelledUtterance, SpeakerIdentification, Utterance
from scorecard.scorecard import Side
from scorecard.speakers import RoleAssignment, assign_roles, coach_doubts, mapping_by_alignment, review_roles

TWO = conversation(("A", "hello there"), ("B", "hello to you"))
THREE = [*TWO, utterance("C", "and me", 9000)]


def identification(mapping: dict[str, str] | None, status: str = "success") -> SpeakerIdentification:
    return SpeakerIdentification(status=status, mapping=mapping)


@pytest.mark.parametrize("status", ["success", "completed", "Success"])
def test_labels_get_the_sides_of_their_roles(status: str) -> None:
    """Both words that AssemblyAI uses for success are believed; letter case and spaces do not matter."""
    roles = assign_roles(TWO, identification({"A": " sales REP", "B": "Customer"}, status), ROLES)
    assert roles.sides == {"A": "rep", "B": "customer"}
    assert roles.both_sides_known
    assert roles.source == "identification"
    assert roles.reasons == []


def test_mirrored_mapping_mirrors_the_sides() -> None:
    roles = assign_roles(TWO, identification({"A": "Customer", "B": "Sales Rep"}), ROLES)
    assert roles.sides == {"A": "customer", "B": "rep"}


def test_third_speaker_without_a_role_is_on_neither_side() -> None:
    roles = assign_roles(THREE, identification({"A": "Sales Rep", "B": "Customer"}), ROLES)
    assert roles.sides["C"] == "unassigned"
    assert roles.both_sides_known
    assert roles.reasons == []


def test_two_labels_may_share_a_side() -> None:
    roles = assign_roles(THREE, identification({"A": "Sales Rep", "B": "Customer", "C": "Sales Rep"}), ROLES)
    assert roles.sides == {"A": "rep", "B": "customer", "C": "rep"}


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"A": "Customer", "B": "Customer"}, "one_role_for_all"),
        ({"A": "Sales Rep", "B": "Sales Rep"}, "one_role_for_all"),
        ({"A": "Sales Rep"}, "role_missing"),
        ({"A": "Sales Rep", "B": "Narrator"}, "role_missing"),
        ({}, "role_missing"),
        (None, "role_missing"),
    ],
)
def test_incomplete_identification_is_said(mapping: dict[str, str] | None, reason: str) -> None:
    roles = assign_roles(TWO, identification(mapping), ROLES)
    assert roles.reasons == [reason]
    assert not roles.both_sides_known


@pytest.mark.parametrize("status", ["failed", ""])
def test_status_without_success_is_said(status: str) -> None:
    roles = assign_roles(TWO, identification({"A": "Sales Rep", "B": "Customer"}, status), ROLES)
    assert roles.reasons == ["status_unknown"]
    assert roles.identification == (status or "unknown")


def test_no_identification_leaves_everybody_unassigned() -> None:
    roles = assign_roles(TWO, None, ROLES)
    assert set(roles.sides.values()) == {"unassigned"}
    assert roles.source == "none"


def test_labels_that_are_roles_already_are_kept() -> None:
    """An identification inside the transcription renames the speakers themselves."""
    renamed = conversation(("Sales Rep", "hello there"), ("Customer", "hello to you"))
    assert assign_roles(renamed, None, ROLES).sides == {"Sales Rep": "rep", "Customer": "customer"}


def test_a_person_overrules_the_identification() -> None:
    roles = assign_roles(
        TWO,
        identification({"A": "Sales Rep", "B": "Sales Rep"}, "failed"),
        ROLES,
        override={"A": "Customer", "B": "Sales Rep"},
    )
    assert roles.sides == {"A": "customer", "B": "rep"}
    assert roles.source == "override"
    assert roles.reasons == []


def test_alignment_finds_the_mapping_that_the_answer_leaves_out() -> None:
    relabelled = [
        RelabelledUtterance("Sales Rep", TWO[0].start_ms),
        RelabelledUtterance("Customer", TWO[1].start_ms),
        RelabelledUtterance("Customer", 123_456),
        RelabelledUtterance(None, TWO[0].start_ms),
        RelabelledUtterance("Observer", None),
        RelabelledUtterance("Customer", TWO[1].start_ms + 0.4),
    ]
    assert mapping_by_alignment(TWO, relabelled) == {"A": "Sales Rep", "B": "Customer"}


@given(utterance_lists(min_size=1), st.permutations(["Sales Rep", "Customer", "Observer"]))
def test_alignment_recovers_any_renaming(utterances: list[Utterance], names: list[str]) -> None:
    """Where no two utterances begin together, the renamed ones give back the whole mapping."""
    assume(len({said.start_ms for said in utterances}) == len(utterances))
    mapping = dict(zip("ABC", names, strict=True))
    relabelled = [RelabelledUtterance(mapping[said.speaker], said.start_ms) for said in utterances]
    expected = {said.speaker: mapping[said.speaker] for said in utterances}
    assert mapping_by_alignment(utterances, relabelled) == expected


def test_alignment_goes_by_the_majority() -> None:
    said = conversation(*[("A", "one two three")] * 3)
    relabelled = [
        RelabelledUtterance(name, one.start_ms)
        for name, one in zip(["Customer", "Sales Rep", "Customer"], said, strict=True)
    ]
    assert mapping_by_alignment(said, relabelled) == {"A": "Customer"}


def test_alignment_with_unchanged_labels_says_nothing() -> None:
    unchanged = [RelabelledUtterance(said.speaker, said.start_ms) for said in TWO]
    assert mapping_by_alignment(TWO, unchanged) == {}


def assignment(sides: dict[str, Side], **changes: Any) -> RoleAssignment:
    values: dict[str, Any] = {"source": "identification", "identification": "success", "reasons": []}
    return RoleAssignment(sides, **values | changes)


def test_roles_that_nothing_contradicts_are_believed() -> None:
    review = review_roles(
        REP_AND_CUSTOMER, text_margin=11, text_reasons=[], rep_share=0.5, unassigned_share=0.1, coach_doubts=False
    )
    assert (review.reasons, review.needs_review, review.needs_roles) == ([], False, False)


@pytest.mark.parametrize(
    ("margin", "doubts", "reasons", "status_reason"),
    [
        (None, False, [], None),
        (None, True, ["coach_contradicts"], None),
        (4, True, ["coach_contradicts"], None),
        (-3, False, [], None),
        (-3, True, ["coach_contradicts"], None),
        (-4, False, ["text_contradicts"], None),
        (-7, False, ["text_contradicts"], None),
        (-4, True, ["text_contradicts", "coach_contradicts"], "roles_contradict"),
        (-8, False, ["text_contradicts"], "roles_contradict"),
        (-8, True, ["text_contradicts", "coach_contradicts"], "roles_contradict"),
    ],
)
def test_two_contradictions_or_a_strong_one_need_a_person(margin, doubts, reasons, status_reason) -> None:
    """One contradiction is shown; the words and the coach together, or very clear words, stop the coaching."""
    review = review_roles(REP_AND_CUSTOMER, text_margin=margin, coach_doubts=doubts)
    assert (review.reasons, review.status_reason) == (reasons, status_reason)
    assert review.needs_review == bool(reasons)
    assert review.needs_roles == (status_reason is not None)


@pytest.mark.parametrize(
    ("measured", "reasons"),
    [
        ({"rep_share": 0.1499}, ["share_extreme"]),
        ({"rep_share": 0.15}, []),
        ({"rep_share": 0.85}, []),
        ({"rep_share": 0.8501}, ["share_extreme"]),
        ({"rep_share": None}, []),
        ({"unassigned_share": 0.1}, []),
        ({"unassigned_share": 0.1001}, ["unassigned_high"]),
        ({"text_reasons": ["labels_may_switch", "merged_speakers"]}, ["labels_may_switch", "merged_speakers"]),
    ],
)
def test_what_looks_wrong_is_said_and_stops_nothing(measured, reasons) -> None:
    review = review_roles(REP_AND_CUSTOMER, **measured)
    assert (review.reasons, review.needs_roles) == (reasons, False)


def test_several_speakers_without_both_sides_need_a_person() -> None:
    review = review_roles(assignment({"A": "customer", "B": "customer"}, reasons=["one_role_for_all"]))
    assert (review.reasons, review.status_reason) == (["one_role_for_all"], "roles_unknown")


def test_one_voice_alone_is_no_question_of_roles() -> None:
    """A voicemail: there is nobody to mistake it for."""
    review = review_roles(assignment({"A": "rep"}, reasons=["one_role_for_all"]))
    assert (review.needs_review, review.needs_roles) == (True, False)


def test_what_a_person_said_is_not_weighed_again() -> None:
    said = assignment({"A": "rep", "B": "customer", "C": "unassigned"}, source="override")
    doubts: dict[str, Any] = {"text_margin": -20, "text_reasons": ["labels_may_switch"], "coach_doubts": True}
    review = review_roles(said, **doubts, rep_share=0.99, unassigned_share=0.2)
    assert (review.reasons, review.needs_roles) == (["unassigned_high"], False)


def test_contradicted_roles_say_nothing_per_side() -> None:
    doubted = msgspec.structs.replace(REP_AND_CUSTOMER, contradicted=True)
    assert not doubted.both_sides_known
    assert review_roles(doubted).status_reason == "roles_contradict"
    assert doubted.sides == REP_AND_CUSTOMER.sides


@pytest.mark.parametrize(
    ("verdict", "named", "doubts"),
    [
        ("swapped", [0, 3], True),
        ("unclear", [3, 4], True),
        ("swapped", [3], False),
        ("swapped", [3, 3], False),
        ("swapped", [-1, 3, 5], False),
        ("swapped", [], False),
        ("agree", [0, 1, 2], False),
        ("not_a_sales_call", [0, 1], False),
        (None, [], False),
    ],
)
def test_coach_doubts_with_two_utterances_that_there_are(verdict, named, doubts) -> None:
    assert coach_doubts(verdict, named, 5) == doubts
