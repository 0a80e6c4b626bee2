"""Recordings with a channel for each side: words put into turns, roles by channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import made_transcript, utterance

from callcoach.transcript import Transcript, Utterance, Word
from scorecard.turns import channel_turns, roles_by_channel, with_turns


def channel(label: str, *said: tuple[int, str], word_ms: int = 300) -> Utterance:
    """Return one utterance that runs over everything that is said on a channel, each part at its time."""
    words = [word for start_ms, text in said for word in utterance(label, text, start_ms, word_ms=word_ms).words]
    return Utterance(label, " ".join(word.text for word in words), words[0].start_ms, words[-1].end_ms, words)


@st.composite
def channels(draw: st.DrawFn) -> list[Utterance]:
    """Utterances of two or three channels with words at any time: overlapping, empty, reversed, out of order, blank."""
    texts = st.sampled_from(["yes", "Ärger", "it's", "日本", "", " "])
    words = st.lists(st.builds(Word, texts, st.integers(-2000, 8000), st.integers(-2000, 8000)), max_size=8)
    return draw(
        st.lists(
            st.builds(Utterance, st.sampled_from("123"), texts, st.integers(0, 8000), st.integers(0, 8000), words),
            max_size=8,
        )
    )


def said(turns: list[Utterance]) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in turns]


def test_an_utterance_that_runs_over_the_other_side_is_cut_into_turns() -> None:
    """Channel 1 comes as one utterance of nine seconds over the answer in its middle."""
    turns = channel_turns(
        [
            channel("1", (0, "How do you plan that?"), (8000, "And who does it?")),
            channel("2", (2000, "We plan all of that by hand on Fridays.")),
        ]
    )
    assert said(turns) == [
        ("1", "How do you plan that?"),
        ("2", "We plan all of that by hand on Fridays."),
        ("1", "And who does it?"),
    ]
    assert (turns[0].start_ms, turns[0].end_ms, len(turns[0].words)) == (0, 1500, 5)


def test_an_answer_in_a_short_pause_ends_the_turn() -> None:
    """Three words of the other side are an answer, however quick."""
    turns = channel_turns(
        [channel("1", (0, "is that so"), (1800, "I see that")), channel("2", (950, "yes it is"), word_ms=250)]
    )
    assert said(turns) == [("1", "is that so"), ("2", "yes it is"), ("1", "I see that")]


@pytest.mark.parametrize(("pause_ms", "count"), [(1000, 1), (1001, 2)])
def test_a_pause_of_more_than_a_second_ends_the_turn(pause_ms: int, count: int) -> None:
    """From the latest end of a word, which need not be the last word's."""
    words = [Word("we", 0, 900), Word("lost", 100, 200), Word("two", 900 + pause_ms, 1100 + pause_ms)]
    turns = channel_turns([Utterance("1", "we lost two", 0, 5000, words)])
    assert len(turns) == count
    assert turns[0].end_ms == (1100 + pause_ms if count == 1 else 900)


def test_a_listeners_word_splits_no_turn() -> None:
    turns = channel_turns([channel("1", (0, "we lost two of them"), (2200, "in March")), channel("2", (1550, "oh no"))])
    assert said(turns) == [("1", "we lost two of them in March"), ("2", "oh no")]
    assert turns[0].end_ms > turns[1].end_ms


def test_speech_at_the_same_time_stays_so() -> None:
    """Both go on: neither side's words make the other's turn end."""
    both = [channel("1", (0, "so what I would do is this")), channel("2", (100, "no wait that is not it"))]
    assert said(channel_turns(both)) == said(both)


@given(channels())
def test_no_word_is_lost_moved_or_made_up(utterances: list[Utterance]) -> None:
    def words(parts: list[Utterance]) -> list[tuple[str, int, int, str]]:
        return sorted(
            (part.speaker, word.start_ms, word.end_ms, word.text)
            for part in parts
            for word in part.words
            if word.text.strip()
        )

    turns = channel_turns(utterances)
    assert words(turns) == words(utterances)
    assert [turn.start_ms for turn in turns] == sorted(turn.start_ms for turn in turns)


@given(channels(), st.randoms(use_true_random=False))
def test_turns_depend_on_nothing_but_time(utterances, random) -> None:
    """Nor on how the service had cut the words, so that doing it again changes nothing."""
    turns = channel_turns(utterances)
    assert channel_turns(random.sample(utterances, len(utterances))) == turns
    assert channel_turns(turns) == turns


def test_an_utterance_without_words_stays_as_it_is() -> None:
    whole = Utterance("2", "we plan by hand", 2000, 3000)
    assert channel_turns([channel("1", (0, "hello there")), whole])[1] == whole


def test_words_that_are_not_written_apart_are_joined_so() -> None:
    turns = channel_turns([channel("1", (0, "今日 は"))], spaced=False)
    assert said(turns) == [("1", "今日は")]


def test_only_a_transcript_with_channels_is_put_together() -> None:
    utterances = [channel("1", (0, "hello"), (5000, "hello again")), channel("2", (2000, "yes hello"))]
    apart = made_transcript(utterances, audio_channels=2)
    assert said(with_turns(apart).utterances or []) == [("1", "hello"), ("2", "yes hello"), ("1", "hello again")]
    for other in (
        made_transcript(utterances, audio_channels=None),
        made_transcript(utterances, audio_channels=1),
        made_transcript([utterance("A", "hello"), utterance("B", "hello", 900)], audio_channels=2),
        Transcript(id="t1", status="completed", audio_channels=2),
    ):
        assert with_turns(other) is other


@pytest.mark.parametrize(
    ("rep_channel", "sides"),
    [(1, {"1": "rep", "2": "customer", "3": "unassigned"}), (2, {"1": "customer", "2": "rep", "3": "unassigned"})],
)
def test_the_channel_says_who_is_the_rep(rep_channel: int, sides: dict[str, str]) -> None:
    roles = roles_by_channel([utterance(label, "hello") for label in "123"], rep_channel)
    assert (roles.sides, roles.source, roles.reasons) == (sides, "channel", [])
    assert roles.both_sides_known


@pytest.mark.parametrize(("labels", "rep_channel"), [("1", 1), ("2", 1), ("12", 0), ("AB", 1), ("", 1)])
def test_sides_that_no_channel_tells_are_unknown(labels: str, rep_channel: int) -> None:
    """A mono recording, a parameter that was taken back, speakers told apart by voice."""
    roles = roles_by_channel([utterance(label, "hello") for label in labels], rep_channel)
    assert roles.reasons == ["role_missing"]
    assert not roles.both_sides_known
