"""What operators are told before an upload is what SubmitFunction says after it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from callcoach import acceptance
from callcoach.acceptance import refusal
from callcoach.documents import Recording
from callcoach.errors import UnsupportedRecording
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
