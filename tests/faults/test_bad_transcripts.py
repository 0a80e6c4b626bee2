"""Transcripts and identifications of every kind, through the deployed functions: what lies in the bucket, what is told.

That any value in any field has an outcome is tested without a cloud, in tests/unit/test_any_transcript.py.
"""

import copy
import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest
import requests
from tests.faults.drops import Outcome, dropped
from tests.faults.stage import QUEUES, SOUND, TRANSCRIPT, Decide, Stage, stage
from tests.integration.stack import KEY
from tests.sandbox.assemblyai import understanding
from tests.sandbox.interference import Action, SideEffect, Spoil

from callcoach.names import scoring_id
from scorecard.pipeline import MOST_UNANSWERED

COACHED = {"transcript": 1, "understanding": 1, "chat": 1}
NUMBERS = COACHED | {"chat": 0}


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage(parameters={"MaximumConcurrency": "2"}) as running:
        yield running


def said(*turns: tuple[str | None, str]) -> list[dict[str, Any]]:
    """Return utterances of four seconds each, without words."""
    return [
        {"speaker": speaker, "text": text, "start": 4000 * number, "end": 4000 * number + 3800}
        for number, (speaker, text) in enumerate(turns)
    ]


def changed(**fields: Any) -> dict[str, Any]:
    """Return the sample call with other results."""
    transcript: dict[str, Any] = copy.deepcopy(TRANSCRIPT)
    return transcript | fields


def with_utterance(number: int, **fields: Any) -> dict[str, Any]:
    """Return the sample call with one other utterance."""
    transcript = changed()
    transcript["utterances"][number] |= fields
    return transcript


def transcribed(
    set_up: Stage, name: str, transcript: Mapping[str, Any] = TRANSCRIPT, *, decide: Decide = lambda _: None
) -> Outcome:
    """Drop a recording that is transcribed to this, and return what became of it."""
    sound = SOUND + name.encode()
    set_up.stack.stand_in.teach(sound, transcript)
    return dropped(set_up, f"{name}.ogg", sound, decide=decide)


def require_one_end(set_up: Stage, outcome: Outcome, status: str) -> None:
    """Fail unless a call ended as one document and one e-mail, and nothing is left over."""
    assert bool(outcome.failure) is not bool(outcome.card)
    assert (outcome.card["status"] if outcome.card else "failed") == status
    assert [mail.attributes["outcome"] for mail in outcome.mails] == [status]
    assert [set_up.stack.cloud.queue_depth(queue) for queue in (*QUEUES, "RecordingsDlq", "CallbacksDlq")] == [0] * 4


@pytest.mark.parametrize(
    ("transcript", "reason"),
    [
        pytest.param(changed(utterances=[], text=""), "no_speech", id="no speech"),
        pytest.param(changed(utterances=said(("A", ""), ("B", " \u3000\n"))), "no_speech", id="silent"),
        pytest.param(changed(utterances=None), "no_speakers", id="no speakers"),
        pytest.param(changed(utterances="A: hello"), "transcript_unreadable", id="no list"),
        pytest.param(changed(utterances=[[], 5]), "transcript_unreadable", id="no utterances"),
        pytest.param(with_utterance(3, start=None), "transcript_unreadable", id="no time"),
        pytest.param(with_utterance(3, end=float("inf")), "transcript_unreadable", id="no end"),
        pytest.param(with_utterance(3, end=10**30), "transcript_unreadable", id="no time in a call"),
        pytest.param(with_utterance(3, text={"$": "hello"}), "transcript_unreadable", id="no text"),
        pytest.param(with_utterance(3, speaker=["A", "B"]), "transcript_unreadable", id="no label"),
        pytest.param(changed(status="postponed"), "transcription_failed", id="no status that anybody knows"),
    ],
)
def test_transcript_without_speech_that_can_be_read_fails_for_good(
    set_up: Stage, request: pytest.FixtureRequest, transcript: dict[str, Any], reason: str
) -> None:
    """At the first look: AssemblyAI would answer the same in eleven hours. No model is asked, no word of it told."""
    looks = 0

    def decide(effect: SideEffect) -> Action | None:
        nonlocal looks
        looks += effect.what == "assemblyai GET /v2/transcript/{id}"
        return None

    outcome = transcribed(set_up, request.node.callspec.id, transcript, decide=decide)

    require_one_end(set_up, outcome, "failed")
    assert (outcome.failure["stage"], outcome.failure["reason"]) == ("transcribe", reason)
    assert outcome.failure["next_step"] in " ".join(outcome.mails[0].message.split())
    assert outcome.paid["chat"] == 0
    assert looks == 1


def test_everything_beside_the_speech_may_be_wrong(set_up: Stage) -> None:
    """The call is coached all the same, and what is not known is null."""
    transcript = with_utterance(0, words=[{"text": 5, "start": "soon"}], confidence="high", channel=[])
    transcript["utterances"][1] |= {"start": transcript["utterances"][1]["start"] + 0.4, "words": None}
    transcript |= {
        "audio_duration": "NaN",
        "audio_channels": -1,
        "confidence": float("nan"),
        "language_confidence": 98,
        "speech_model_used": {"id": "universal-2"},
        "metadata": [[[["nonsense"]]]],
        "text": "half of \ud83d a pair",
        "words": {"a": 1},
        "sentiment_analysis_results": [5, {"sentiment": None}, *transcript["sentiment_analysis_results"]],
    }

    outcome = transcribed(set_up, "odd", transcript)

    require_one_end(set_up, outcome, "complete")
    call = outcome.card["call"]
    assert (call["transcript_confidence"], call["language_confidence"], call["speech_model"]) == (None, None, None)
    assert (call["channels"], call["duration_seconds"]) == (1, round(TRANSCRIPT["utterances"][-1]["end"] / 1000))
    assert outcome.card["sentiment"]["rows"]["total"] == len(TRANSCRIPT["sentiment_analysis_results"])


PITCH = "Our platform shows every shift of every location on one page, and what would that mean for you?"
NEED = "We write all of that by hand and it takes the whole Friday."


@pytest.mark.parametrize(
    ("utterances", "status_reason", "speakers"),
    [
        pytest.param(said(("A", PITCH), ("A", PITCH)), "one_side_only", 1, id="one speaker"),
        pytest.param(said((None, PITCH), (None, NEED)), "one_side_only", 1, id="of nobody"),
        pytest.param(said(("A", PITCH), ("B", NEED), (None, "Hm.")), "too_short", 3, id="partly of nobody"),
        pytest.param(
            said(*zip([*string.ascii_uppercase, "AA", "AB"], [PITCH, NEED] * 14, strict=True)),
            "too_short",
            28,
            id="28 speakers",
        ),
        pytest.param(said(("B", NEED), ("A", PITCH))[::-1], "too_short", 2, id="last things first"),
        pytest.param(
            [u | {"start": u["end"], "end": u["start"]} for u in said(("A", PITCH), ("B", NEED))],
            "one_side_only",
            2,
            id="backwards",
        ),
        pytest.param(
            [u | {"start": 0, "end": 36_000_000} for u in said(("A", PITCH), ("B", NEED))],
            "too_short",
            2,
            id="all at once",
        ),
    ],
)
def test_unusual_call_has_its_numbers(
    set_up: Stage, request: pytest.FixtureRequest, utterances: list[dict[str, Any]], status_reason: str, speakers: int
) -> None:
    transcript = changed(utterances=utterances, sentiment_analysis_results=[], audio_duration=len(utterances) * 4)

    outcome = transcribed(set_up, request.node.callspec.id, transcript)

    require_one_end(set_up, outcome, "numbers_only")
    assert outcome.card["status_reason"] == status_reason
    assert len(outcome.card["speakers"]) == speakers
    assert outcome.paid == NUMBERS


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (
            "Server error about https://b/too%20short/language.mp3?X-Amz-Signature=5ecre7",
            "transcription_failed",
            "AssemblyAI answered: Server error about",
        ),
        ("language_detection: confidence 0.2 is below the threshold", "language_not_recognized", "confidence 0.2"),
        ("<b>https://evil.com</b>\r\nBcc: all@example.com\x00" * 2_000, "transcription_failed", "AssemblyAI answered"),
    ],
    ids=["link", "language", "endless"],
)
def test_words_of_an_error_are_told_without_a_link_or_a_key(
    set_up: Stage, error: str, reason: str, detail: str
) -> None:
    sound = SOUND + error.encode()
    set_up.stack.stand_in.fail(sound, error)

    outcome = dropped(set_up, f"error-{len(error)}.ogg", sound)

    require_one_end(set_up, outcome, "failed")
    assert outcome.failure["reason"] == reason
    assert detail in outcome.failure["detail"]
    assert len(outcome.failure["detail"]) < 400
    (mail,) = outcome.mails
    assert "5ecre7" not in json.dumps(outcome.failure) + mail.message
    assert "evil.com" not in mail.message
    assert not any(line.startswith("Bcc") for line in mail.message.split("\n"))


def test_transcript_that_was_deleted_is_made_anew_when_its_recording_is_dropped_again(set_up: Stage) -> None:
    """Somebody cleaned up at AssemblyAI before the call was scored; it is still `completed` there, and empty."""
    stack, key, sound = set_up.stack, "deleted.ogg", SOUND + b"deleted"
    stack.stand_in.teach(sound, TRANSCRIPT)

    def delete(effect: SideEffect) -> Action | None:
        if effect.what == "assemblyai GET /v2/transcript/{id}":
            transcript_id = list(stack.stand_in.jobs)[-1]
            url = f"{stack.stand_in.url}/v2/transcript/{transcript_id}"
            requests.delete(url, headers={"Authorization": KEY}, timeout=10)
        return None

    outcome = dropped(set_up, key, sound, decide=delete)
    require_one_end(set_up, outcome, "failed")
    assert (outcome.failure["reason"], outcome.failure["retryable"]) == ("transcript_deleted", True)

    again = dropped(set_up, key, sound)
    require_one_end(set_up, again, "complete")
    assert again.paid == COACHED
    assert "This replaces the e-mail" in " ".join(again.mails[0].message.split())


IDENTIFIED = {
    "completed": "complete",
    "no_mapping": "complete",
    "no_utterances": "complete",
    "failed": "needs_roles",
    "null_roles": "needs_roles",
    "missing_labels": "needs_roles",
}


@pytest.mark.parametrize("fault", get_args(understanding.Fault))
def test_identification_is_believed_as_far_as_it_goes(set_up: Stage, fault: understanding.Fault) -> None:
    """Without a mapping the renamed speakers say it; without a role for each side a person has to."""
    stand_in = set_up.stack.stand_in
    stand_in.account = replace(stand_in.account, identification_faults=[fault])

    outcome = transcribed(set_up, fault)

    require_one_end(set_up, outcome, IDENTIFIED[fault])
    assert outcome.paid == (COACHED if IDENTIFIED[fault] == "complete" else NUMBERS)


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (b'{"speech_understanding": {"response": {"speaker_identification": {"mapping": {"A": 5}}}}}', 1),
        (b'{"speech_understanding": {"response": "later"}, "utterances": "none"}', 1),
        (b'{"speech_understanding": ' + b"[" * 100_000, 2),
    ],
    ids=["no role", "no response", "no end"],
)
def test_identification_that_cannot_be_read_is_done_without(set_up: Stage, answer: bytes, times: int) -> None:
    """One that was cut off is asked for again; one that is whole would be the same again."""
    asked = 0

    def decide(effect: SideEffect) -> Action | None:
        nonlocal asked
        if effect.what != "assemblyai POST /v1/understanding":
            return None
        asked += 1
        return Spoil(200, answer)

    outcome = transcribed(set_up, f"unread-{len(answer)}", decide=decide)

    require_one_end(set_up, outcome, "needs_roles")
    assert asked == times


@pytest.mark.parametrize("known", [0, 1])
def test_runs_at_the_same_time_ask_no_more_often_than_one_after_the_other(set_up: Stage, known: int) -> None:
    """What a run has read of others before it took the lock may be old when it asks."""
    asked = 0

    def decide(effect: SideEffect) -> Action | None:
        nonlocal asked
        if effect.what == "assemblyai POST /v1/understanding":
            asked += 1
            return Spoil(200, b'{"speech_understanding": ')
        if effect.what == "dynamodb PutItem" and effect.function == "ScorecardFunction" and asked == known:
            # Another run has asked since this one has read how often.
            stack = set_up.stack
            stack.cloud.client("dynamodb").update_item(
                TableName=stack.cloud.environment("SubmitFunction")["STATE_TABLE_NAME"],
                Key={"id": {"S": f"progress#{scoring_id([*stack.stand_in.jobs][-1])}"}},
                UpdateExpression="SET identifications = :most",
                ExpressionAttributeValues={":most": {"N": str(MOST_UNANSWERED)}},
            )
        return None

    outcome = transcribed(set_up, f"at-once-{known}", decide=decide)

    require_one_end(set_up, outcome, "needs_roles")
    assert asked == known
