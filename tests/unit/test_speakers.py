"""Who is the rep."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.examples import ROLES, conversation, utterance, utterance_lists

from callcoach.transcript import RelabelledUtterance, SpeakerIdentification, Utterance
from scorecard.speakers import assign_roles, mapping_by_alignment

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
