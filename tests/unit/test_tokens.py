"""Which wordings count as the same words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.numerals import may_hold_number
from scorecard.tokens import folded, has_spaces, is_literal, language_rules, tokens_of

ENGLISH = language_rules("en_us")


def keys(text: str, language: str | None = "en_us") -> list[str]:
    return [token.key for token in tokens_of(text, language_rules(language))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("We can't pay", "we CANNOT pay"),
        ("we won't, we don't", "we will not we do not"),
        ("it isn't here", "It is not here!"),
        ("I'm sure they've said you'll go", "I am sure they have said you will go"),
        ("it's what that's about", "it is what that is about"),
        ("let\u2019s see", "let us see"),
        ("I'm gonna, I gotta, I wanna", "I am going to I got to I want to"),
        ("okay, yeah, 'cause it works", "OK yes because it works"),
        ("so, um, we uh lost it", "so we lost it"),
        ("we we were we were going", "we were going"),
        ("well-known follow-up", "well known follow up"),
        ("R&D", "r and d"),
        ("caf\u00e9 M\u00fcller", "cafe\u0301 Muller"),
        ("\uff37\uff45 said \uff11\uff18", "we said 18"),
        ("ninety\u00a0days", "90 days"),
        ("so\u200bft\u00adware", "software"),
        ("[Speaker:A] it works <b>now</b>", "it works now"),
        ("at 3 p.m.", "at 3pm"),
        ("ten o'clock", "10:00"),
    ],
)
def test_wordings_of_the_same(one: str, other: str) -> None:
    assert keys(one) == keys(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$1,500", "fifteen hundred dollars"),
        ("1500", "one thousand five hundred"),
        ("15k", "15,000"),
        ("15 grand", "fifteen thousand"),
        ("1.5 million", "one point five million"),
        ("1.5m", "1,500,000"),
        ("4.5 thousand", "4,500"),
        ("$15.00", "fifteen dollars"),
        ("0.5 percent", ".5%"),
        ("1.5%", "one point five per cent"),
        ("10:30", "ten thirty"),
        ("ten oh five", "10:05"),
        ("1990", "nineteen ninety"),
        ("twenty twenty four", "2024"),
        ("two thousand and twenty four", "2024"),
        ("twenty-five", "25"),
        ("a hundred", "100"),
        ("two hundred and ten thousand", "210k"),
        ("one hundred and two", "102"),
        ("the 14th", "the fourteenth"),
        ("1st, 2nd and 3rd", "first, second and third"),
        ("the twenty-first", "the 21st"),
        ("four four seven one two", "44712"),
        ("minus five percent", "-5%"),
    ],
)
def test_numbers_in_words_and_digits(one: str, other: str) -> None:
    assert keys(one) == keys(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"),
        (".5", "5"),
        ("-5", "5"),
        ("15", "50"),
        ("five, six", "56"),
        ("five six", "56"),
        ("twenty, twenty", "twenty"),
        ("10-15 people", "1015 people"),
        ("ten, thirty", "10:30"),
        ("first", "one"),
        ("14th", "14"),
        ("15 k", "15"),
        ("18,000", "18"),
        ("10%", "10"),
        ("3.10", "3.1"),
        ("can't", "can"),
        ("the cause", "the because"),
        ("Sam's", "Sam is"),
    ],
)
def test_other_meanings_stay_apart(one: str, other: str) -> None:
    assert keys(one) != keys(other)


def test_tokens_know_where_they_stand() -> None:
    text = "So, we can\u2019t pay \u201c$18,000\u201d \u2013 um, twenty-five percent, \u00c4rger!"
    found = [(token.key, text[token.start : token.end]) for token in tokens_of(text, ENGLISH)]
    assert found == [
        ("so", "So"),
        ("we", "we"),
        ("can", "can\u2019t"),
        ("not", "can\u2019t"),
        ("pay", "pay"),
        ("#18000", "18,000"),
        ("#25", "twenty-five"),
        ("percent", "percent"),
        ("arger", "\u00c4rger"),
    ]


def test_other_languages_have_no_english_rules() -> None:
    """Number words stay words there."""
    assert keys("Um ten can't 1.500 \u20ac", "de") == ["um", "ten", "can't", "#1500"]
    assert keys("Um ten can't", None) == ["um", "ten", "can't"]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("1.500", "#1500"),
        ("18,000", "#18000"),
        ("1.234.567,50", "#1234567p50"),
        ("1,234.5", "#1234p5"),
        ("1,5", "#1p5"),
        ("1.5", "#1p5"),
        ("10:30", "#1030"),
        ("3,00", "#3"),
        ("\u0661\u0668", "#18"),
        ("\u0967\u096e", "#18"),
        ("\u0e51\u0e58", "#18"),
        ("\uff11\uff18", "#18"),
    ],
)
def test_a_number_is_the_same_however_a_language_writes_its_digits(written: str, key: str) -> None:
    for language in ("de", "ar", "th", None):
        assert keys(f"a {written} b", language) == ["a", key, "b"]


@pytest.mark.parametrize(
    ("code", "expected"), [("ja", False), ("zh_cn", False), ("th", False), ("de", True), ("mul", True), (None, True)]
)
def test_some_languages_write_no_spaces(code: str | None, *, expected: bool) -> None:
    assert has_spaces(code) is expected


def test_scripts_without_spaces_are_read_by_character() -> None:
    assert keys("\u9ad8\u3044\u3067\u3059\u306d\u3002", "ja") == list("\u9ad8\u3044\u3067\u3059\u306d")
    assert language_rules("ja").characters_per_word == 2


def test_marks_of_other_scripts_belong_to_their_words() -> None:
    assert keys("\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "hi") == [
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u0926\u0941\u0928\u093f\u092f\u093e",
    ]


def test_long_digit_strings_are_names() -> None:
    """They are compared, not computed with."""
    assert keys("9" * 5000) == ["#" + "9" * 5000]


@given(st.text(max_size=60), st.sampled_from(["en_us", "de", "ja", None]))
def test_any_text_has_tokens_in_order(text: str, language: str | None) -> None:
    tokens = tokens_of(text, language_rules(language))
    assert all(token.key and 0 <= token.start < token.end <= len(text) for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)


# What is short for something, glued, numbered, folded or in brackets.
wordings = st.lists(
    st.sampled_from(
        """
        we lost it's they'll can't ain't 'cause 'em okay dunno % & 5% 10:30 -3 5k $1,500 a.m. p. m. per cent o'clock
        twenty five hundred first a minus oh one-two caf\u00e9 \uff57 so\u200bft [x] <b> \u65e5\u672c \u0130 \u017fo
        """.split()  # noqa: SIM905 - a list would take a page
    )
    | st.text(max_size=4),
    max_size=8,
).map(" ".join)


@given(wordings, st.sampled_from(["en_us", "de", "ja", None]))
def test_literal_tokens_stand_in_the_folded_text(text: str, language: str | None) -> None:
    assert all(
        token.key in folded(text) for token in tokens_of(text, language_rules(language)) if is_literal(token.key)
    )


@given(wordings, st.sampled_from(["en_us", "de"]))
def test_text_that_may_hold_no_number_holds_none(text: str, language: str) -> None:
    assert may_hold_number(text) or not any(token.is_number for token in tokens_of(text, language_rules(language)))
