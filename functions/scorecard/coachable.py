"""Whether there is enough of a call to coach. Pure.

A dialler's export is full of voicemails and hand-overs; advice about those helps nobody and costs a model call.
"""

from callcoach.transcript import Transcript
from scorecard.metrics import union_ms, word_count
from scorecard.speakers import RoleAssignment
from scorecard.tokens import has_spaces

SIDE_MS, BOTH_SIDES_MS = 60_000, 180_000
SIDE_UTTERANCES, UTTERANCE_WORDS = 8, 3
CONFIDENCE = 0.70


def uncoachable_reason(transcript: Transcript, roles: RoleAssignment, *, max_minutes: int = 180) -> str | None:
    """Return why a call gets numbers only, or None when there is enough of it to coach and not too much."""
    utterances = transcript.utterances or []
    spaced = has_spaces(transcript.language_code)
    talk_ms, long_enough = {}, True
    for side in ("rep", "customer"):
        said = [utterance for utterance in utterances if roles.sides[utterance.speaker] == side]
        talk_ms[side] = union_ms((utterance.start_ms, utterance.end_ms) for utterance in said)
        sentences = sum(word_count(utterance, spaced=spaced) >= UTTERANCE_WORDS for utterance in said)
        long_enough = long_enough and talk_ms[side] >= SIDE_MS and sentences >= SIDE_UTTERANCES
    if 0 in talk_ms.values():
        return "one_side_only"
    if not long_enough or sum(talk_ms.values()) < BOTH_SIDES_MS:
        return "too_short"
    if transcript.confidence is not None and transcript.confidence < CONFIDENCE:
        return "poor_transcript"
    if transcript.duration_ms > max_minutes * 60_000:
        return "too_long_for_coach"
    return None
