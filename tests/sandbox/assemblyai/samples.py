"""The calls that the stand-in can transcribe untaught."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tests.sandbox.assemblyai.outcomes import Outcome, sample_call

CALLS = Path(__file__).parents[2] / "data" / "calls"


def load_samples(directory: Path) -> Mapping[str, Outcome]:
    """Read each folder's `recording.*` and `transcript.json`: SHA-256 of the sound -> what it is transcribed to."""
    return {
        sha256(recording.read_bytes()): sample_call(json.loads(recording.with_name("transcript.json").read_bytes()))
        for recording in sorted(directory.glob("*/recording.*"))
    }


def sha256(sound: bytes) -> str:
    """Return what the stand-in knows a recording by."""
    return hashlib.sha256(sound).hexdigest()
