"""What the parameters RedactPii and DeleteAtAssemblyAI promise."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.stack import CALLS, DONE, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Refuse, SideEffect
from tests.sandbox.places import places, searchable

SAMPLES = [folder for folder in sorted(CALLS.iterdir()) if (folder / "script.toml").is_file()]
# All that the sample calls hold but for the months, which stand in dates of ours too, and numbers of three digits.
POLICIES = ("person_name", "organization", "location_city", "money_amount")
DELETION = "assemblyai DELETE /v2/transcript/{id}"


def planted() -> list[str]:
    """Return the personal data of the sample calls."""
    scripts = (tomllib.loads((folder / "script.toml").read_text("utf-8")) for folder in SAMPLES)
    phrases = {
        phrase for script in scripts for policy in POLICIES for phrase in script["personal_data"].get(policy, [])
    }
    return sorted(phrase for phrase in phrases if not re.fullmatch(r"\d{1,3}", phrase))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """All sample calls, scored without personal data, and deleted at AssemblyAI."""
    parameters = {"RedactPii": ",".join(POLICIES), "DeleteAtAssemblyAI": "true"}
    with running_stack(invoke=False, delay_seconds=0.05, parameters=parameters) as running:
        for folder in SAMPLES:
            transcript_id = running.transcribed(recording(folder), (folder / "recording.ogg").read_bytes())
            assert running.callback("completed", transcript_id) == DONE
        yield running


def recording(sample: Path) -> str:
    """Return a name that says nothing."""
    return f"{SAMPLES.index(sample)}.ogg"


def test_no_personal_data_is_stored_sent_or_logged(stack: Stack) -> None:
    """AssemblyAI leaves it in the rows of the sentiments, so those must be placed without being kept."""
    phrases = planted()
    assert len(phrases) >= 15
    word = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, phrases))})(?!\w)")
    # The sound itself cannot be redacted, and nobody but AssemblyAI gets it.
    kept = [place for place in places(stack.cloud) if place.kind != "s3 recordings"]
    sent = [seen.request.body.decode() for seen in stack.stand_in.exchanges]
    assert any("[PERSON_NAME]" in place.text for place in kept if place.kind == "s3 transcripts")
    assert any("PERSON_NAME" in body for body in sent)

    assert [(place.kind, found[0]) for place in kept if (found := word.search(searchable(place.text)))] == []
    assert [found[0] for body in sent if (found := word.search(searchable(body)))] == []


def test_a_redacted_call_is_scored_in_full(stack: Stack) -> None:
    for sample in SAMPLES:
        card = stack.document("scorecards", recording(sample))
        assert card["status"] == "complete"
        assert card["sentiment"] is not None
        assert stack.document("submissions", recording(sample))["asked"]["redact_pii_policies"] == list(POLICIES)


def test_a_scored_transcript_is_gone_at_assemblyai_and_kept_here(stack: Stack) -> None:
    """So that it can be scored again without AssemblyAI."""
    for sample in SAMPLES:
        transcript_id = stack.document("submissions", recording(sample))["transcript_id"]
        assert stack.stand_in.jobs[transcript_id].transcript["is_deleted"]
    for sample in SAMPLES:
        assert stack.document("transcripts", recording(sample))["utterances"]


def test_a_deletion_that_fails_is_tried_again_without_a_second_mail_or_bill(stack: Stack) -> None:
    key = "deleted in the end.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    stack.cloud.empty("CallbacksQueue")
    mails, paid = len(stack.cloud.publications()), dict(stack.stand_in.paid_calls)
    stack.send_callback("completed", transcript_id, key)

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(503, "Service Unavailable") if effect.what == DELETION and effect.number <= 2 else None

    with Interference(stack.cloud, stack.stand_in, decide) as interference:
        answers = []
        while (answer := stack.deliver("CallbacksQueue")) is not None:
            answers.append(answer)
            stack.cloud.pass_time(900)

    assert [answer == DONE for answer in answers] == [False, False, True]
    assert [effect.what for effect in interference.seen].count(DELETION) == 3
    assert stack.stand_in.jobs[transcript_id].transcript["is_deleted"]
    assert stack.document("scorecards", key)["status"] == "complete"
    assert len(stack.cloud.publications()) == mails + 1
    assert stack.stand_in.paid_calls == {
        "transcript": paid["transcript"],
        "understanding": 1 + paid["understanding"],
        "chat": 1 + paid["chat"],
    }


def test_a_failed_transcript_is_left_to_be_looked_at(stack: Stack) -> None:
    """It holds nothing of a call, and AssemblyAI is asked about it by its id."""
    key = "nothing was heard.ogg"
    transcript_id = stack.transcribed(key, b"a sound that nobody knows")

    assert stack.callback("error", transcript_id) == DONE

    assert not stack.stand_in.jobs[transcript_id].transcript.get("is_deleted")
