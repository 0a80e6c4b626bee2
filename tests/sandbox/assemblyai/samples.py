"""The calls that the stand-in can transcribe untaught."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from tests.sandbox.assemblyai.outcomes import Outcome, sample_call
from tests.sandbox.scripts import read_script, sample_of

CALLS = Path(__file__).parents[2] / "data" / "calls"
LANGUAGES = Path(__file__).parents[2] / "data" / "languages"


def load_samples(directory: Path) -> Mapping[str, Outcome]:
    """Read each folder's `recording.*` and `transcript.json`: SHA-256 of the sound -> what it is transcribed to.

    What a `script.toml` beside them names as personal data is what can be redacted. Of a call in another language the
    script itself is the recording.
    """
    heard = {sha256(recording.read_bytes()): _heard(recording.parent) for recording in directory.glob("*/recording.*")}
    return _spoken() | heard


# Many stand-ins of a test run know the same calls.
@cache
def _spoken() -> dict[str, Outcome]:
    files = LANGUAGES.glob("*.toml")
    return {sha256(file.read_bytes()): sample_call(sample_of(read_script(file)), {}) for file in files}


def _heard(folder: Path) -> Outcome:
    script = folder / "script.toml"
    return _sample((folder / "transcript.json").read_bytes(), script.read_text("utf-8") if script.is_file() else "")


@lru_cache(maxsize=64)
def _sample(transcript: bytes, script: str) -> Outcome:
    call: dict[str, Any] = tomllib.loads(script)
    return sample_call(json.loads(transcript), call.get("personal_data", {}))


def sha256(sound: bytes) -> str:
    """Return what the stand-in knows a recording by."""
    return hashlib.sha256(sound).hexdigest()
