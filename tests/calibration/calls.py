"""The calls of `tests/data/calibration`, and the level that each behaviour shows in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.score import submission_of
from tests.sandbox.scripts import read_script, sample_of

from callcoach.documents import CallDetails, Submission
from callcoach.transcript import Transcript, decode_transcript
from scorecard.rubric import RUBRIC_ITEMS
from scorecard.speakers import RoleAssignment

CALLS = Path(__file__).parents[1] / "data" / "calibration"
NOT_OBSERVED = "not_observed"
# Unhurried speech: listening is judged from two minutes of the customer on.
MS_PER_CHARACTER = 100


@dataclass(frozen=True)
class CalibrationCall:
    """A call as ScorecardFunction has it before the coach is asked. expected: None where there is no occasion."""

    name: str
    transcript: Transcript
    roles: RoleAssignment
    submission: Submission
    expected: Mapping[str, int | None]


def calibration_calls(folder: Path = CALLS) -> Sequence[CalibrationCall]:
    """Return all calls, by name."""
    return [_call(file) for file in sorted(folder.glob("*.toml"))]


def _call(file: Path) -> CalibrationCall:
    script = read_script(file)
    heard = {"id": file.stem, "status": "completed", "speech_model_used": "none", **sample_of(script, MS_PER_CHARACTER)}
    transcript = decode_transcript(json.dumps(heard).encode())
    expected = {item: script["expected"][item]["level"] for item in RUBRIC_ITEMS}
    return CalibrationCall(
        name=file.stem,
        transcript=transcript,
        # Who is who is not what is calibrated.
        roles=RoleAssignment(script["speakers"], "override", "none", []),
        submission=submission_of(file.stem, transcript, CallDetails(call_type=script["call_type"])),
        expected={item: None if level == NOT_OBSERVED else level for item, level in expected.items()},
    )
