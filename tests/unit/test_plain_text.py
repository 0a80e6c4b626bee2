"""Text as plain e-mail takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.growth import FOUR_TIMES, times_as_long

from callcoach.plain_text import NAME_CHARACTERS, ascii_text, base_name, clipped, printable, without_links


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
