"""Recordings with each side on a channel of its own: words put into turns, and who is who. Pure.

AssemblyAI cuts each channel for itself, so that one of its utterances can run over many of the other side's. The words
have true times, and from these the conversation is put together again.
"""

from collections.abc import Iterable, Sequence

import msgspec

from callcoach.transcript import Transcript, Utterance, Word
from scorecard.speakers import RoleAssignment
from scorecard.tokens import has_spaces

# A turn ends at a pause of this length, or when so many words of others begin before its next word.
TURN_PAUSE_MS = 1_000
TURN_WORDS_OF_OTHERS = 3

# The label of the customer's channel by that of the rep's.
_OTHER_CHANNEL = {"1": "2", "2": "1"}


class _OpenTurn(msgspec.Struct):
    """A turn while its words come in. heard: how many words anybody had begun when its last word began."""

    label: str
    words: list[Word]
    end_ms: int
    heard: int


def with_turns(transcript: Transcript) -> Transcript:
    """Return a transcript of several channels with turns as its utterances; any other, and such a one, as it is."""
    utterances = transcript.utterances or []
    labelled_by_channel = all(said.speaker.isdecimal() for said in utterances)
    if (transcript.audio_channels or 1) < 2 or not utterances or not labelled_by_channel:
        return transcript
    turns = channel_turns(utterances, spaced=has_spaces(transcript.language_code))
    return msgspec.structs.replace(transcript, utterances=turns)


def channel_turns(utterances: Iterable[Utterance], *, spaced: bool = True) -> list[Utterance]:
    """Return the turns of a call with channels, by time. An utterance without times of its words stays as it is.

    A listener's word or two split no turn, so turns of different channels may overlap as the speech did.
    spaced: whether words are written apart.
    """
    whole: list[Utterance] = []
    spoken: list[tuple[str, Word]] = []
    for utterance in utterances:
        words = [word for word in utterance.words if word.text.strip()]
        spoken.extend((utterance.speaker, word) for word in words)
        if not words:
            whole.append(utterance)
    spoken.sort(key=lambda said: (said[1].start_ms, said[1].end_ms, said[0], said[1].text))
    opened: dict[str, _OpenTurn] = {}
    turns: list[_OpenTurn] = []
    for heard, (label, word) in enumerate(spoken):
        turn = opened.get(label)
        others = heard - turn.heard - 1 if turn else 0
        if turn and word.start_ms - turn.end_ms <= TURN_PAUSE_MS and others < TURN_WORDS_OF_OTHERS:
            turn.words.append(word)
            turn.end_ms = max(turn.end_ms, word.end_ms)
            turn.heard = heard
        else:
            opened[label] = _OpenTurn(label, [word], max(word.end_ms, word.start_ms), heard)
            turns.append(opened[label])
    made = [
        Utterance(
            speaker=turn.label,
            text=(" " if spaced else "").join(word.text.strip() for word in turn.words),
            start_ms=turn.words[0].start_ms,
            end_ms=turn.end_ms,
            timed_words=turn.words,
        )
        for turn in turns
    ]
    return sorted([*made, *whole], key=lambda turn: (turn.start_ms, turn.end_ms, turn.speaker, turn.text))


def roles_by_channel(utterances: Sequence[Utterance], rep_channel: int) -> RoleAssignment:
    """Return the sides where the rep has channel 1 or 2 and the customer the other; a third channel has no side."""
    rep = str(rep_channel)
    customer = _OTHER_CHANNEL.get(rep)
    labels = dict.fromkeys(said.speaker for said in utterances)
    return RoleAssignment(
        sides={label: "rep" if label == rep else "customer" if label == customer else "unassigned" for label in labels},
        source="channel",
        identification="none",
        reasons=[] if {rep, customer} <= labels.keys() else ["role_missing"],
    )
