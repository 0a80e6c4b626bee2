"""Who is the rep: the side of each diarized label. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from callcoach.transcript import RelabelledUtterance, SpeakerIdentification, Utterance
from scorecard.scorecard import Side

# AssemblyAI's documents say one, its service answers the other.
_SUCCESS = ("success", "completed")


class RoleAssignment(msgspec.Struct, frozen=True):
    """The side of each label that speaks, and what speaks against believing it.

    reasons: codes; none of them means that both sides are known.
    """

    sides: dict[str, Side]
    source: Literal["identification", "override", "none"]
    identification: str
    reasons: list[str]

    @property
    def both_sides_known(self) -> bool:
        """Whether numbers per side mean anything."""
        return {"rep", "customer"} <= set(self.sides.values())


def mapping_by_alignment(utterances: Sequence[Utterance], relabelled: Sequence[RelabelledUtterance]) -> dict[str, str]:
    """Return label -> role from an answer that renames the speakers but leaves its mapping out.

    Utterances are the same when they begin at the same time; each label takes the name it got most often.
    """
    label_at = {utterance.start_ms: utterance.speaker for utterance in utterances}
    votes: dict[str, Counter[str]] = {}
    for utterance in relabelled:
        label = label_at.get(utterance.start_ms)
        if label is not None and label != utterance.speaker:
            votes.setdefault(label, Counter())[utterance.speaker] += 1
    return {label: names.most_common(1)[0][0] for label, names in votes.items()}


def assign_roles(
    utterances: Sequence[Utterance],
    identification: SpeakerIdentification | None,
    roles: Sequence[str],
    *,
    override: Mapping[str, str] | None = None,
) -> RoleAssignment:
    """Return each label's side. roles: the names asked for, the rep's first.

    A label that the identification leaves out, or gives another name, belongs to neither side. A label that already is
    one of the names, as AssemblyAI writes it when the identification was part of the transcription, keeps it.
    """
    sides_by_role: dict[str, Side] = {roles[0].casefold(): "rep", roles[1].casefold(): "customer"}
    named: Mapping[str, str | None] = override or (identification.mapping if identification else None) or {}
    labels = dict.fromkeys(utterance.speaker for utterance in utterances)
    sides: dict[str, Side] = {
        label: sides_by_role.get((named.get(label, label) or "").strip().casefold(), "unassigned") for label in labels
    }
    found = set(sides.values())
    reasons = []
    if found in ({"rep"}, {"customer"}):
        reasons.append("one_role_for_all")
    elif not {"rep", "customer"} <= found:
        reasons.append("role_missing")
    status = identification.status if identification else "none"
    if not override and identification and identification.status.casefold() not in _SUCCESS:
        reasons.append("status_unknown")
    source: Literal["identification", "override", "none"] = "none"
    if override:
        source = "override"
    elif found & {"rep", "customer"}:
        source = "identification"
    return RoleAssignment(sides=sides, source=source, identification=status or "unknown", reasons=reasons)
