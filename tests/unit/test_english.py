"""What is asked, filled in and mentioned: sentences, and what they are counted as."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.growth import FOUR_TIMES, times_as_long

import scorecard.english
from callcoach.errors import SettingsError
from scorecard.english import (
    TRACKERS,
    Tracker,
    filler_count,
    is_backchannel,
    is_open,
    is_reliably_english,
    mentions_in,
    plain,
    questions,
    read_trackers,
)

OPEN = [
    "What happens then?",
    "So, how do you plan the shifts today?",
    "Okay, and why is that?",
    "Ruth, what does your timeline look like?",
    "Just so I know, how are you handling schedules right now?",
    "Could you walk me through last Friday?",
    "Walk me through what happens on a Monday.",
    "Tell me about the renewals that you lost.",
    "Help me understand, more than you expected compared with what?",
    "What’s behind that?",
]
CLOSED = [
    "How many clinics are there?",
    "And how long does that take?",
    "Who else is involved?",
    "Do you use a spreadsheet?",
    "Would Thursday work?",
    "What time on Thursday?",
    "Is that the point?",
    "How about Thursday?",
    "You do?",
]
NO_QUESTIONS = [
    "Right?",
    "Okay?",
    "Does that make sense?",
    "Does that make sense, Ruth?",
    "So, does that make sense so far, right?",
    "How are you today?",
    "Can you see my screen?",
    "You use a spreadsheet, right?",
    "It's late, isn't it?",
    "You do that by hand, don’t you?",
    "So?",
    "?",
    "What you see here is the calendar.",
    "Tell them that I called.",
    "",
]


@pytest.mark.parametrize("text", [*OPEN, *CLOSED])
def test_questions_are_counted(text: str) -> None:
    assert [count for _, count in questions(text)] == [0]


@pytest.mark.parametrize("text", NO_QUESTIONS)
def test_what_asks_nothing_is_no_question(text: str) -> None:
    assert list(questions(text)) == []


@pytest.mark.parametrize("text", OPEN)
def test_open_questions_leave_the_answer_open(text: str) -> None:
    assert [is_open(question) for question, _ in questions(text)] == [True]


@pytest.mark.parametrize("text", CLOSED)
def test_other_questions_ask_for_a_yes_or_a_fact(text: str) -> None:
    assert [is_open(question) for question, _ in questions(text)] == [False]


def test_each_question_of_a_turn_counts_and_says_what_follows_it() -> None:
    text = "Good. How is that done? And who does it? I'm asking because others struggle."
    assert list(questions(text)) == [("how is that done?", 2), ("and who does it?", 1)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Um, so we, uh, we basically plan by hand.", 3),
        ("It's kind of slow, you know, and sort of manual.", 3),
        ("What kind of system do you know? This sort of thing.", 0),
        ("The umbrella is literal. Uh-huh, ermine.", 0),
        ("UM Um\u00a0um", 3),
        ("", 0),
    ],
)
def test_fillers_are_whole_words_that_mean_nothing_else(text: str, count: int) -> None:
    assert filler_count(text) == count


@pytest.mark.parametrize(
    ("text", "expected"), [("Yeah, got it. Right.", True), ("Mhm.", True), ("Wait, no way.", False)]
)
def test_backchannels_are_made_of_a_listeners_words(text: str, *, expected: bool) -> None:
    assert is_backchannel(text) is expected


def test_mentions_are_whole_words_with_their_place() -> None:
    trackers = [Tracker("price", ["price", "price point"]), Tracker("competitor:Renewly", ["Renewly", "renew lee"])]
    texts = ["The price", "Renewly’s price point, RENEW  LEE said; the priceless prices", "renew", "lee"]
    assert list(mentions_in(texts, trackers)) == [
        ("price", 0, 1, 2),
        ("price", 1, 1, 9),
        ("competitor:Renewly", 1, 0, 9),
        ("competitor:Renewly", 1, 3, 9),
    ]


@pytest.mark.parametrize(
    "text", ["What is the price?", "How much does it cost?", "a 10% discount", "eighteen per seat"]
)
def test_default_tracker_hears_prices(text: str) -> None:
    assert [heard.tracker for heard in mentions_in([text], TRACKERS)] == ["price"]


def test_no_competitor_is_looked_for_by_default_and_the_example_is_one() -> None:
    """The commented example works once its marks are taken away."""
    text = Path(scorecard.english.__file__).with_name("trackers.toml").read_text("utf-8")
    assert [tracker.name for tracker in TRACKERS] == ["price"]
    _, example = text.split("# [[tracker]]")
    shown = tomllib.loads("[[tracker]]\n" + "\n".join(line.removeprefix("# ") for line in example.splitlines()))
    assert [tracker.name for tracker in read_trackers(shown)] == ["competitor:Renewly"]


@pytest.mark.parametrize(
    "document",
    [
        {"tracker": [{"name": "price"}]},
        {"tracker": [{"name": "price", "phrases": []}]},
        {"tracker": [{"name": "price", "phrases": ["price", " "]}]},
        {"tracker": [{"name": " ", "phrases": ["price"]}]},
        {"tracker": [{"name": "a", "phrases": ["b"]}, {"name": "a", "phrases": ["c"]}]},
        {"tracker": "price"},
    ],
)
def test_trackers_that_could_count_nothing_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"trackers\.toml"):
        read_trackers(document)


def test_no_trackers_are_none() -> None:
    assert read_trackers({}) == ()


@pytest.mark.parametrize(
    ("code", "confidence", "expected"),
    [
        ("en", None, True),
        ("en_us", 0.6, True),
        ("EN-GB", 0.99, True),
        ("en_us", 0.59, False),
        ("de", 0.99, False),
        ("eng", 0.99, False),
        (None, None, False),
    ],
)
def test_word_lists_fit_english_that_is_certain(code: str | None, confidence: float | None, *, expected: bool) -> None:
    assert is_reliably_english(code, confidence) is expected


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Places lie within the text, and no white space but single spaces is left."""
    assert plain(text).split(" ") == (plain(text).split() or [""])
    for question, following in questions(text):
        assert following >= 0
        assert is_open(question) in {True, False}
    assert filler_count(text) >= 0
    assert is_backchannel(text) in {True, False}
    for heard in mentions_in(["", text], [Tracker("a", ["a"])]):
        assert heard.text == 1
        assert 0 <= heard.word < heard.of


@pytest.mark.parametrize(
    "piece", ["so, ", "price ", "um ", "what, ", "a, right ", "?", "how? ", "i mean ", "x", "\u0130 "]
)
def test_work_grows_with_the_text(piece: str) -> None:
    def look(letters: int) -> None:
        text = piece * (letters // len(piece)) + "?"
        for question, _ in questions(text):
            is_open(question)
        filler_count(text)
        list(mentions_in([text], TRACKERS))
        list(mentions_in([piece] * (letters // len(piece)), TRACKERS))

    assert times_as_long(look, 20_000, 80_000) < FOUR_TIMES
