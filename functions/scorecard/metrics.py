"""Who talked how much. Pure; milliseconds are summed as integers and divided once."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from callcoach.transcript import Utterance
from scorecard.scorecard import Band, Speaker, TalkListen, Verdict
from scorecard.speakers import RoleAssignment

TALK_SHARE_DEFINITION = "talk_share.turn_union.v1"

_BANDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("bands.toml").read_text("utf-8"))
_TOLERANCE: float = _BANDS.pop("tolerance")


def band_for(call_type: str | None) -> Band:
    """Return the band of a type of call by its name or one of its other names; that of "other" for all else."""
    wanted = (call_type or "").strip().casefold()
    name = next((name for name, band in _BANDS.items() if wanted == name or wanted in band.get("also", ())), "other")
    share = _BANDS[name]["rep_share"]
    return Band(low=share.get("low"), high=share.get("high"), kind=name, source=f"bands.toml#{name}")


def has_target_mark(band: Band) -> bool:
    """Whether the configured target is drawn for this band's type of call."""
    return bool(_BANDS[band.kind].get("target_mark"))


def union_ms(intervals: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of the intervals (start_ms, end_ms) runs; empty and reversed ones do not."""
    total = 0
    covered_until = None
    for start_ms, end_ms in sorted(intervals):
        if covered_until is None or start_ms > covered_until:
            total += max(end_ms - start_ms, 0)
            covered_until = max(end_ms, start_ms)
        elif end_ms > covered_until:
            total += end_ms - covered_until
            covered_until = end_ms
    return total


def share(part: int, whole: int) -> float | None:
    """Return part / whole with four decimals; None where there is no whole."""
    return round(part / whole, 4) if whole else None


def whole_percent(share: float) -> int:
    """Return a share of four decimals as whole percent; those of two shares that make 1 make 100.

    Halves go to the even neighbour, and are found in integers: 100 * 0.545 is more than 54.5.
    """
    return round(round(share * 10_000) / 100)


def speaker_table(utterances: Sequence[Utterance], roles: RoleAssignment) -> list[Speaker]:
    """Return one row per diarized label, in order of first speech."""
    by_label: dict[str, list[Utterance]] = {label: [] for label in roles.sides}
    for utterance in utterances:
        by_label[utterance.speaker].append(utterance)
    speech_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in utterances)
    rows = []
    for label, said in by_label.items():
        talk_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in said)
        rows.append(
            Speaker(
                label=label,
                role=roles.sides[label],
                talk_ms=talk_ms,
                talk_share=share(talk_ms, speech_ms),
                words=sum(word_count(utterance) for utterance in said),
                utterances=len(said),
            )
        )
    return rows


def unassigned_share(utterances: Sequence[Utterance], roles: RoleAssignment) -> float | None:
    """Return the part of all speech that belongs to neither side."""
    neither = _side_intervals(utterances, roles, "unassigned")
    speech_ms = union_ms((utterance.start_ms, utterance.end_ms) for utterance in utterances)
    return share(union_ms(neither), speech_ms)


def word_count(utterance: Utterance) -> int:
    """Return the words that the recogniser counted, or those between spaces where it gives none."""
    return len(utterance.words) or len(utterance.text.split())


def talk_listen(
    utterances: Sequence[Utterance],
    roles: RoleAssignment,
    *,
    duration_ms: int,
    target_rep_share: float,
    call_type: str | None,
) -> TalkListen:
    """Return the talk share of both sides, judged by the band of the call's type.

    Everything is null, with the reason, when one of the sides is not known.
    """
    band = band_for(call_type)
    if not roles.both_sides_known:
        return TalkListen(
            rep_ms=None,
            customer_ms=None,
            rep_share=None,
            customer_share=None,
            rep_share_of_call=None,
            rep_share_of_words=None,
            target_rep_share=target_rep_share,
            band=band,
            verdict="not_judged",
            not_judged_reason="roles_unknown",
            definition=TALK_SHARE_DEFINITION,
            by_quarter_rep_share=None,
        )
    rep = _side_intervals(utterances, roles, "rep")
    customer = _side_intervals(utterances, roles, "customer")
    rep_ms, customer_ms = union_ms(rep), union_ms(customer)
    rep_share = share(rep_ms, rep_ms + customer_ms)
    words = {
        side: sum(word_count(said) for said in utterances if roles.sides[said.speaker] == side)
        for side in ("rep", "customer")
    }
    return TalkListen(
        rep_ms=rep_ms,
        customer_ms=customer_ms,
        rep_share=rep_share,
        customer_share=None if rep_share is None else round(1 - rep_share, 4),
        rep_share_of_call=share(rep_ms, duration_ms),
        rep_share_of_words=share(words["rep"], words["rep"] + words["customer"]),
        target_rep_share=target_rep_share,
        band=band,
        verdict=_verdict(rep_share, band),
        not_judged_reason="no_speech" if rep_share is None else None,
        definition=TALK_SHARE_DEFINITION,
        by_quarter_rep_share=[
            _share_between(rep, customer, quarter * duration_ms // 4, (quarter + 1) * duration_ms // 4)
            for quarter in range(4)
        ],
    )


def _side_intervals(utterances: Sequence[Utterance], roles: RoleAssignment, side: str) -> list[tuple[int, int]]:
    return [(said.start_ms, said.end_ms) for said in utterances if roles.sides[said.speaker] == side]


def _share_between(
    rep: Sequence[tuple[int, int]], customer: Sequence[tuple[int, int]], from_ms: int, to_ms: int
) -> float | None:
    """Return the rep's share of what both sides say between two moments."""
    rep_ms, customer_ms = (
        union_ms(
            (max(start_ms, from_ms), min(end_ms, to_ms))
            for start_ms, end_ms in side
            if end_ms > from_ms and start_ms < to_ms
        )
        for side in (rep, customer)
    )
    return share(rep_ms, rep_ms + customer_ms)


def _verdict(rep_share: float | None, band: Band) -> Verdict:
    if rep_share is None:
        return "not_judged"
    if band.low is not None and rep_share < band.low - _TOLERANCE:
        return "below"
    if band.high is not None and rep_share > band.high + _TOLERANCE:
        return "above"
    return "in_band"
