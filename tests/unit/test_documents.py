"""What lies in the scorecards bucket."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import submission

from callcoach.documents import (
    KEY_LIMIT_BYTES,
    Failure,
    Kind,
    Submission,
    decode_key,
    document_key,
    encode,
    encode_key,
)

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
# Keys near S3's own limit: that is where names must be cut.
long_keys = st.builds(
    lambda key, times: (key * times).encode()[:KEY_LIMIT_BYTES].decode(errors="ignore"), keys, st.integers(1, 1024)
)
kinds = st.sampled_from(get_args(Kind))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_document_lies_under_its_kind_and_the_recordings_name(kind: Kind) -> None:
    suffix = "html" if kind == "reports" else "json"
    assert document_key(kind, "dana reyes/acme+1.mp3") == f"{kind}/dana reyes/acme+1.mp3.{suffix}"


@given(kinds, keys | long_keys)
def test_name_is_never_too_long_for_s3(kind: Kind, key: str) -> None:
    name = document_key(kind, key)
    assert len(name.encode()) <= KEY_LIMIT_BYTES
    assert name.startswith(f"{kind}/")
    assert name.endswith((".json", ".html"))


@given(kinds, keys | long_keys, keys | long_keys)
def test_two_recordings_never_share_a_name(kind: Kind, one: str, other: str) -> None:
    assert (document_key(kind, one) == document_key(kind, other)) is (one == other)


@pytest.mark.parametrize("length", range(1000, 1025))
def test_long_names_that_differ_at_their_end_stay_apart(length: int) -> None:
    start = "ü" * ((length - 1) // 2)
    names = {document_key("scorecards", f"{start}{end}") for end in "abc"}
    assert len(names) == 3
    assert all(len(name.encode()) <= KEY_LIMIT_BYTES for name in names)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_name_that_looks_like_a_cut_one_is_no_other_recordings(kind: Kind) -> None:
    """Otherwise whoever names a recording could write over the scorecard of one with a long name."""
    long = "x" * KEY_LIMIT_BYTES
    cut = document_key(kind, long)
    forged = cut.removeprefix(f"{kind}/").removesuffix(".html" if kind == "reports" else ".json")
    assert len(forged.encode()) <= KEY_LIMIT_BYTES
    assert document_key(kind, forged) != cut


@given(keys | long_keys)
def test_key_in_an_address_comes_back(key: str) -> None:
    assert decode_key(encode_key(key)) == key


@pytest.mark.parametrize(
    "text",
    ["YQ==", "YQ=", "YR", "Y Q", "YQ\n", "!YQ", "YWI+", "YWI/", "_w", "abcde", "\u00e4", "YQ&recording=Yg", "%59%51"],
)
def test_text_that_encodes_no_key_names_none(text: str) -> None:
    """Padding, signs that base64url has not, what is no UTF-8, and a second writing of the same bytes."""
    assert decode_key(text) is None


def test_record_is_one_line_with_sorted_keys() -> None:
    record = encode(submission(rep="José\nReyes"))
    assert b"\n" not in record
    said = json.loads(record)
    assert list(said) == sorted(said)
    assert list(said["call"]) == sorted(said["call"])


@pytest.mark.parametrize(
    "record",
    [
        submission(rep="Dana"),
        Failure(
            recording="a.mp3",
            stage="submit",
            reason="empty_recording",
            detail="no bytes",
            next_step="Upload it again.",
            retryable=False,
        ),
    ],
)
def test_record_can_be_read_again(record: Submission | Failure) -> None:
    assert msgspec.json.decode(encode(record), type=type(record)) == record
