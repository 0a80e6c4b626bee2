"""The behaviours that a call can show, as rubric.toml describes them. Pure."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

_BYTES = Path(__file__).with_name("rubric.toml").read_bytes()

RUBRIC: dict[str, Any] = tomllib.loads(_BYTES.decode())
RUBRIC_SHA256 = hashlib.sha256(_BYTES).hexdigest()
RUBRIC_ITEMS: dict[str, dict[str, str]] = {item["id"]: item for item in RUBRIC["item"]}
