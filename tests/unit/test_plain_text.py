"""Text as plain e-mail takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.growth import FOUR_TIMES, times_as_long

from callcoach.plain_text import (
    NAME_CHARACTERS,
    ascii_text,
    base_name,
    clipped,
    columns,
    printable,
    single_spaced,
    unicode_text,
    without_links,
    wrapped,
)


@given(st.text())
def test_any_text_becomes_printable_ascii_on_one_line(text: str) -> None:
    plain = ascii_text(text)
    assert plain.isascii()
    assert plain.isprintable()
    assert ascii_text(plain) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("José Müller", "Jose Muller"),
        ("Straße, Øresund, Łódź", "Strasse, Oresund, Lodz"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("  two\u00a0 spaces\t", "two spaces"),
        ("田中", "??"),
        ("½ ﬁ 18,000\u00a0€", "1/2 fi 18,000 EUR"),
        ("it\u2019s \u201cfine\u201d \u2013 so\u2026", 'it\'s "fine" - so...'),
        ("a\u200bb\x07\u202e", "ab?"),
    ],
)
def test_ascii_keeps_what_it_can(text: str, plain: str) -> None:
    assert ascii_text(text) == plain


@pytest.mark.parametrize("text", ["", "a b", " a", "a ", "a  b", "a\tb", "a\x1cb", "a\u3000b", "a \u200b b", " "])
def test_nothing_but_white_space_changes_where_single_blanks_are_to_be(text: str) -> None:
    assert single_spaced(text) == " ".join(text.split())


@given(st.text())
def test_a_name_is_one_printable_line(text: str) -> None:
    name = printable(text)
    assert len(name) <= NAME_CHARACTERS
    assert name.isprintable()
    assert name == name.strip()


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("four words are here", 19, "four words are here"),
        ("four words are here", 18, "four words are..."),
        ("four words, are here", 15, "four words..."),
        ("x" * 30, 10, "x" * 7 + "..."),
    ],
)
def test_long_text_is_cut_between_words(text: str, limit: int, cut: str) -> None:
    assert clipped(text, limit) == cut


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("go to evil.com now", "go to evil[.]com now"),
        ("https://evil.co.uk/x?y=z.w", "https[:]//evil[.]co[.]uk/x?y=z.w"),
        ("http://localhost/x", "http[:]//localhost/x"),
        ("mail bob@evil.io.", "mail bob@evil[.]io."),
        ("WWW.evil.wav", "WWW[.]evil.wav"),
        ("evil.com_discovery.mp3, call.WAV and notes.txt", "evil.com_discovery.mp3, call.WAV and notes.txt"),
        ("evil.com/x.json", "evil[.]com/x.json"),
        ("It ends.Then it goes on, e.g. at 3.5 or 10.30", "It ends[.]Then it goes on, e.g. at 3.5 or 10.30"),
    ],
)
def test_no_mail_program_finds_a_link(text: str, safe: str) -> None:
    assert without_links(text) == safe
    assert without_links(safe) == safe


@pytest.mark.parametrize("part", ["a-", "a.", "a", ".", "www.", ".com", "a.1."])
def test_links_are_looked_for_in_one_pass(part: str) -> None:
    """A word without an end, as a recogniser makes it of a noise, costs what its length costs."""
    assert times_as_long(without_links, part * 10_000, part * 40_000) < FOUR_TIMES


@pytest.mark.parametrize(
    ("key", "name"), [("a/b.mp3", "b.mp3"), ("b.mp3", "b.mp3"), ("a/b.mp3/", "b.mp3"), ("/", "/"), ("//", "//")]
)
def test_file_has_a_name_whatever_its_key(key: str, name: str) -> None:
    assert base_name(key) == name


@given(st.text(max_size=200))
def test_any_text_keeps_its_letters_on_one_line(text: str) -> None:
    plain = unicode_text(text)
    assert plain.isprintable()
    assert unicode_text(plain) == plain
    assert plain.isascii() or not text.isascii()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("für die Größe", "für die Größe"),
        ("“それは高い”です", '"それは高い"です'),
        ("a\u202eb\u200bc\u2066d", "abcd"),
        ("evil\uff0ecom and evil\u2024com", "evil.com and evil.com"),
        ("a" + "\u0301" * 9, "\u00e1\u0301\u0301\u0301"),
        ("ปีละ\tเท่าไหร่", "ปีละ เท่าไหร่"),
    ],
)
def test_what_turns_hides_or_stacks_is_dropped(text: str, plain: str) -> None:
    assert unicode_text(text) == plain


@given(st.text(max_size=300), st.integers(0, 8))
def test_lines_are_no_wider_than_they_may_be_and_lose_nothing(text: str, indent: int) -> None:
    plain = unicode_text(text)
    lines = wrapped(plain, 40, " " * indent, " " * (indent // 2)).split("\n")
    assert all(columns(line) <= 40 for line in lines)
    assert "".join("".join(lines).split()) == "".join(plain.split())


def test_chinese_and_japanese_are_cut_between_characters_and_korean_at_blanks() -> None:
    assert wrapped("価格の話です。次に進みます。", 12) == "価格の話で\nす。次に進み\nます。"
    assert wrapped("가격 이야기를 합시다", 12) == "가격\n이야기를\n합시다"
    assert wrapped("x" * 25, 10) == "x" * 10 + "\n" + "x" * 10 + "\n" + "x" * 5
