"""What is said about a call when its recording is uploaded, and read from it afterwards."""

from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcoach.commands_drop import LanguageCode
from callcoach.documents import Recording
from callcoach.languages import language_code
from callcoach.uploads import METADATA_LIMIT_BYTES, Upload, metadata, planned
from submit.recording import call_details, transcript_options

WORDS = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=40)


def stored(said: dict[str, str]) -> Recording:
    return Recording("0", 1, "audio/mpeg", datetime(2026, 5, 6, tzinfo=UTC), said)


@given(rep=WORDS, customer=WORDS)
def test_what_is_said_is_what_the_function_reads(rep: str, customer: str) -> None:
    said = metadata({"rep": rep, "customer": customer, "team": "", "call-type": "demo", "language": None})

    assert all(text.isascii() and text.isprintable() for text in said.values())
    read = call_details(stored(said))
    assert (read.rep, read.customer, read.team, read.call_type) == (rep, customer, None, "demo")


def test_a_long_name_stays_on_one_line() -> None:
    said = metadata({"rep": "é" * 100})

    assert said["rep"].isprintable()
    assert call_details(stored(said)).rep == "é" * 100


def test_more_than_s3_stores_is_refused() -> None:
    assert metadata({"rep": "a" * (METADATA_LIMIT_BYTES - 3)})
    with pytest.raises(ValueError, match="longer than the 2 KB"):
        metadata({"rep": "a" * (METADATA_LIMIT_BYTES - 2)})


@pytest.mark.parametrize(("text", "code"), [("en", "en"), ("EN-us", "en_us"), ("de", "de")])
def test_a_language_is_the_one_that_is_asked_for(text: str, code: str) -> None:
    assert language_code(text) == code
    options = transcript_options(stored({"language": code}), speech_models=(), language="detect", disfluencies=False)
    assert options["language_code"] == code


@pytest.mark.parametrize("text", ["", "english", "e", "en_", "detect"])
def test_what_is_no_language_is_refused(text: str) -> None:
    assert language_code(text) == ""
    with pytest.raises(click.BadParameter, match="no language code: say en, en_uk or de"):
        LanguageCode().convert(text, None, None)


def test_files_are_called_as_they_are_behind_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "é 1.mp3").write_bytes(b"sound")
    (upload,) = planned([tmp_path / "é 1.mp3"], "dana/")

    assert (upload.key, upload.size_bytes, upload.content_type, upload.refusal) == ("dana/é 1.mp3", 5, "audio/mpeg", "")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / folder / "a.mp3" for folder in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(b"sound")

    with pytest.raises(ValueError, match=r"two files would be called a\.mp3"):
        planned(files, "")


def test_a_name_that_s3_would_refuse_is_refused() -> None:
    assert Upload(Path("a.mp3"), f"{'é' * 510}.mp3", 1, "").refusal == ""
    assert Upload(Path("a.mp3"), f"{'é' * 511}.mp3", 1, "").refusal == "unsupported_key"
