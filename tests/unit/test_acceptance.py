"""What operators are told before an upload is what SubmitFunction says after it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcoach import acceptance
from callcoach.acceptance import refusal
from callcoach.documents import Recording
from callcoach.errors import UnsupportedRecording
from callcoach.names import Drop
from submit import recording as submitting

SUFFIXES = [*sorted(acceptance.AUDIO_SUFFIXES), ".MP3", ".txt", ".json", "", ".", ".mp3.txt"]
TYPES = ["", "audio/mpeg", "video/mp4; codecs=avc1", "AUDIO/ogg", "application/octet-stream", "text/plain", "audio"]


def said_by_the_function(key: str, size_bytes: int, content_type: str) -> str:
    found = Recording("0", size_bytes, content_type, datetime(2026, 5, 6, tzinfo=UTC), {})
    try:
        submitting.require_recording(key, found)
    except UnsupportedRecording as refused:
        return refused.reason
    return ""


@given(
    folders=st.lists(st.sampled_from(["a", ".", "..", "a.b", " "]), max_size=2),
    suffix=st.sampled_from(SUFFIXES),
    size_bytes=st.sampled_from([0, 1, 5 * 1000**3, 5 * 1000**3 + 1]),
    content_type=st.sampled_from(TYPES),
)
def test_both_refuse_for_the_same_reason(folders: list[str], suffix: str, size_bytes: int, content_type: str) -> None:
    key = "/".join([*folders, f"call{suffix}"])

    assert refusal(key, size_bytes, content_type) == said_by_the_function(key, size_bytes, content_type)


@pytest.mark.parametrize("key", ["folder/", "a/b_$folder$", "a/b.mp3", "$folder$"])
@pytest.mark.parametrize("size_bytes", [0, 1])
def test_both_take_the_same_for_folders(key: str, size_bytes: int) -> None:
    assert acceptance.is_folder(key, size_bytes) == submitting.is_folder(Drop("b", key, size_bytes=size_bytes))
