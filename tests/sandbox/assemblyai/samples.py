"""The calls that the stand-in can transcribe."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CALLS = Path(__file__).parents[2] / "data" / "calls"


def load_samples(directory: Path) -> Mapping[str, dict[str, Any]]:
    """Read each folder's `recording.*` and `transcript.json`: SHA-256 of the sound -> transcript."""
    return {
        hashlib.sha256(recording.read_bytes()).hexdigest(): json.loads(
            recording.with_name("transcript.json").read_bytes()
        )
        for recording in sorted(directory.glob("*/recording.*"))
    }
