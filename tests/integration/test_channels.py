"""RepChannel: sides by channel, and no speaker identification is paid for. And a call's details from its name."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.integration.stack import CALLS, SOUND, running_stack

KEY = "dana-reyes/acme_discovery_2026-05-06.ogg"
STEREO_SOUND = b"a recording with each side on a channel of its own"
CHANNELS = {"customer": "1", "rep": "2"}


def test_a_mono_recording_has_one_side_where_sides_have_channels() -> None:
    with running_stack(parameters={"RepChannel": "1"}) as stack:
        stack.drop(KEY, SOUND.read_bytes())
        card = stack.wait_for("scorecards", KEY)

        (asked,) = stack.submissions(KEY)
        assert asked["multichannel"] is True
        assert "speaker_labels" not in asked
        assert card["roles"]["source"] == "channel"
        assert card["roles"]["mapping"] == {"1": "rep"}
        assert (card["status"], card["status_reason"]) == ("numbers_only", "one_side_only")
        assert stack.stand_in.paid_calls == {"transcript": 1, "understanding": 0, "chat": 0}
        call = card["call"]
        assert (call["rep"], call["customer"], call["call_type"]) == ("Dana Reyes", "Acme", "discovery")
        assert (call["recorded_at"], call["recorded_at_source"]) == ("2026-05-06T00:00:00Z", "path")
        assert call["call_type_source"] == "path"


def test_a_stereo_recording_is_put_into_turns_and_scored_by_channel(tmp_path: Path) -> None:
    """AssemblyAI cuts each channel for itself, so an utterance runs over the other side's: the words put it right."""
    folder = CALLS / "discovery_well_led"
    speakers = tomllib.loads((folder / "script.toml").read_text("utf-8"))["speakers"]
    sample = json.loads((folder / "transcript.json").read_text("utf-8"))
    utterances = [said | {"speaker": CHANNELS[speakers[said["speaker"]]["side"]]} for said in sample["utterances"]]
    stereo = tmp_path / "stereo"
    stereo.mkdir()
    (stereo / "recording.ogg").write_bytes(STEREO_SOUND)
    cut = [whole for channel in "12" for whole in cut_for_itself(utterances, channel)]
    (stereo / "transcript.json").write_text(json.dumps(sample | {"utterances": cut, "audio_channels": 2}))

    with running_stack(parameters={"RepChannel": "2"}, calls=tmp_path) as stack:
        stack.drop(KEY, STEREO_SOUND)
        card = stack.wait_for("scorecards", KEY)

        assert card["status"] == "complete"
        assert card["roles"]["source"] == "channel"
        assert card["roles"]["mapping"] == {"1": "customer", "2": "rep"}
        assert card["talk_listen"]["rep_share"] == pytest.approx(share(utterances, CHANNELS["rep"]), abs=0.02)
        assert card["metrics"]["interruptions"]["value"] == 0
        assert stack.stand_in.paid_calls == {"transcript": 1, "understanding": 0, "chat": 1}
        turns = stack.document("transcripts", KEY)["utterances"]
        assert len(turns) > len(cut)
        assert turns == sorted(turns, key=lambda turn: turn["start"])


def cut_for_itself(utterances: list[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    """Join each three utterances of a channel into one, whatever was said between them on the other."""
    said = [utterance for utterance in utterances if utterance["speaker"] == channel]
    groups = [said[at : at + 3] for at in range(0, len(said), 3)]
    return [
        group[0]
        | {
            "end": group[-1]["end"],
            "text": " ".join(part["text"] for part in group),
            "words": [word for part in group for word in part["words"]],
        }
        for group in groups
    ]


def share(utterances: list[dict[str, Any]], channel: str) -> float:
    """Return a channel's part of all talk, of utterances that do not overlap."""
    talk = {label: sum(u["end"] - u["start"] for u in utterances if u["speaker"] == label) for label in ("1", "2")}
    return float(talk[channel] / (talk["1"] + talk["2"]))
