"""RepChannel: sides by channel, and no speaker identification is paid for. And a call's details from its name."""

from tests.integration.stack import SOUND, running_stack

KEY = "dana-reyes/acme_discovery_2026-05-06.ogg"


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
