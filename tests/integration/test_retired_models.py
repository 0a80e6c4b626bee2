"""Models are retired under our feet: the calls go on with others, and say so."""

from tests.integration.stack import DONE, KEY, SOUND, running_stack
from tests.sandbox.assemblyai.transcripts import Account


def test_retired_speech_models_are_replaced_by_those_that_the_refusal_names() -> None:
    account = Account(KEY, retired_speech_models=("universal-3-pro",))
    with running_stack(invoke=False, delay_seconds=3600, account=account) as stack:
        assert stack.submit("retired.ogg") == DONE

        record = stack.document("submissions", "retired.ogg")
        assert len(stack.stand_in.jobs) == 1
        assert record["asked"]["speech_models"] == ["universal-3-5-pro", "universal-2"]
        assert record["warnings"][0]["code"] == "speech_models_replaced"
        assert "universal-3-pro" in record["warnings"][0]["text"]


def test_a_retired_coach_model_is_replaced_by_the_fallback() -> None:
    account = Account(KEY, retired_chat_models=("claude-sonnet-4-6",))
    with running_stack(invoke=False, delay_seconds=0.05, account=account) as stack:
        transcript_id = stack.transcribed("fallback.ogg", SOUND.read_bytes())

        assert stack.callback("completed", transcript_id) == DONE

        run = stack.document("scorecards", "fallback.ogg")["run"]
        assert run["coach_model"] == "claude-haiku-4-5-20251001"
        assert run["coach_attempts"] == 1


def test_without_any_coach_the_numbers_stand() -> None:
    account = Account(KEY, retired_chat_models=("claude-sonnet-4-6", "claude-haiku-4-5-20251001"))
    with running_stack(invoke=False, delay_seconds=0.05, account=account) as stack:
        transcript_id = stack.transcribed("alone.ogg", SOUND.read_bytes())

        assert stack.callback("completed", transcript_id) == DONE

        card = stack.document("scorecards", "alone.ogg")
        assert card["status"] == "numbers_only"
        assert card["status_reason"] == "coach_unavailable"
        assert card["coaching"] is None
        assert card["talk_listen"]["rep_share"] > 0.5
        (mail,) = stack.mails_about("alone.ogg")
        assert mail.message.startswith("NO COACHING THIS TIME")
