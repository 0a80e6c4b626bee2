"""Who is the rep: the side of each diarized label, and whether to believe it. Pure.

Roles are never swapped here: what contradicts them is said, and a person decides.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from callcoach.transcript import RelabelledUtterance, SpeakerIdentification, Utterance
from scorecard.scorecard import Side

# AssemblyAI's documents say one, its service answers the other.
_SUCCESS = ("success", "completed")

# Points by which the words of the labels speak against their sides: one contradiction, and one that needs no second.
TEXT_CONTRADICTS, TEXT_CONTRADICTS_ALONE = -4, -8
# Outside these the question is who is who, not how much the rep talks.
MINIMUM_REP_SHARE, MAXIMUM_REP_SHARE = 0.15, 0.85
MAXIMUM_UNASSIGNED_SHARE = 0.10
# A doubt that points at fewer utterances of the call is none.
MINIMUM_DOUBTED_UTTERANCES = 2


class RoleAssignment(msgspec.Struct, frozen=True):
    """The side of each label that speaks, and what speaks against believing it.

    reasons: codes; none of them means that both sides are known. contradicted: what was said speaks so much against
    the sides that nothing may be published per side.
    """

    sides: dict[str, Side]
    source: Literal["identification", "channel", "override", "none"]
    identification: str
    reasons: list[str]
    contradicted: bool = False

    @property
    def both_sides_known(self) -> bool:
        """Whether numbers per side mean anything."""
        return not self.contradicted and {"rep", "customer"} <= set(self.sides.values())


class RoleReview(msgspec.Struct, frozen=True):
    """Whether the sides may be believed.

    reasons: codes. status_reason: why a person must say who is who first, or None.
    """

    reasons: list[str]
    status_reason: Literal["roles_unknown", "roles_contradict"] | None

    @property
    def needs_review(self) -> bool:
        """Whether a reader is told to check who is who."""
        return bool(self.reasons)

    @property
    def needs_roles(self) -> bool:
        """Whether nothing may be said per side before a person has said who is who."""
        return self.status_reason is not None


def mapping_by_alignment(utterances: Sequence[Utterance], relabelled: Sequence[RelabelledUtterance]) -> dict[str, str]:
    """Return label -> role from an answer that renames the speakers but leaves its mapping out.

    Utterances are the same when they begin at the same time; each label takes the name it got most often.
    """
    label_at = {utterance.start_ms: utterance.speaker for utterance in utterances}
    votes: dict[str, Counter[str]] = {}
    for utterance in relabelled:
        if utterance.speaker is None or utterance.start_ms is None:
            continue
        label = label_at.get(max(round(utterance.start_ms), 0))
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


def review_roles(
    roles: RoleAssignment,
    *,
    text_margin: int | None = None,
    text_reasons: Sequence[str] = (),
    rep_share: float | None = None,
    unassigned_share: float | None = None,
    coach_doubts: bool = False,
) -> RoleReview:
    """Weigh everything that speaks against the sides.

    text_margin and text_reasons: what scorecard.role_signals reads from the words. coach_doubts: as of coach_doubts().
    One contradiction is shown to the reader; two independent ones, or very clear words alone, stop everything that is
    said per side. What a person has said is not weighed again.
    """
    reasons = list(roles.reasons)
    if unassigned_share is not None and unassigned_share > MAXIMUM_UNASSIGNED_SHARE:
        reasons.append("unassigned_high")
    contradicted = roles.contradicted
    if roles.source != "override":
        if is_role_question(rep_share):
            reasons.append("share_extreme")
        reasons += text_reasons
        text_contradicts = text_margin is not None and text_margin <= TEXT_CONTRADICTS
        if text_contradicts:
            reasons.append("text_contradicts")
        if coach_doubts:
            reasons.append("coach_contradicts")
        contradicts_alone = text_margin is not None and text_margin <= TEXT_CONTRADICTS_ALONE
        contradicted |= contradicts_alone or (text_contradicts and coach_doubts)
    if contradicted:
        return RoleReview(reasons, "roles_contradict")
    several_unknown = len(roles.sides) > 1 and not roles.both_sides_known
    return RoleReview(reasons, "roles_unknown" if several_unknown else None)


def is_role_question(rep_share: float | None) -> bool:
    """Whether a talk share is so far out that the sides are doubted before the rep is."""
    return rep_share is not None and not MINIMUM_REP_SHARE <= rep_share <= MAXIMUM_REP_SHARE


def coach_doubts(verdict: str | None, doubted_utterances: Sequence[int], utterance_count: int) -> bool:
    """Whether the coach's reading contradicts the sides: a doubt that names utterances which there are."""
    named = {number for number in doubted_utterances if 0 <= number < utterance_count}
    return verdict in ("swapped", "unclear") and len(named) >= MINIMUM_DOUBTED_UTTERANCES
