"""One call: measured, coached, and written down as a scorecard."""

import hashlib
import json
from typing import Any

import msgspec
import pytest
from tests.unit.examples import (
    CALLS,
    ROLES,
    SAMPLE_CALLS,
    Models,
    conversation,
    long_call,
    made_transcript,
    reply,
    rows_of,
    sample_transcript,
    scored_call,
    settings,
    submission,
)

from callcoach.assemblyai import Completion
from callcoach.documents import encode
from callcoach.errors import RequestRefused, UpstreamUnavailable
from callcoach.transcript import SpeakerIdentification, Utterance, decode_transcript, identified
from scorecard.mail import render_mail
from scorecard.report import render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import ScoredCall, score_call
from scorecard.speakers import assign_roles

CALL = long_call()


def good(**changes: Any) -> Completion:
    return Completion(json.dumps(reply(CALL, **changes)), "end_turn", 1000, 200)


def refused(message: str = "model first-model is not supported") -> RequestRefused:
    return RequestRefused("request_refused", message, next_step="Change the parameter.", status=400)


def score(coach: Models, **changes: Any) -> ScoredCall:
    transcript = made_transcript(CALL)
    roles = assign_roles(CALL, transcript.identification, ROLES)
    return score_call(transcript, roles, submission(), settings(**changes), coach)


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_the_same_inputs_give_the_same_bytes(name: str) -> None:
    """Scorecard, page and mail, from the transcript as it came and as it is stored."""
    transcript = sample_transcript(name)
    documents = []
    for read in (transcript, transcript, decode_transcript(encode(transcript))):
        scorecard = scored_call(read).scorecard
        documents.append((encode(scorecard), render_report(scorecard, read), render_mail(scorecard, "scorecards")))
    assert documents[0] == documents[1] == documents[2]
    assert scored_call(transcript).scorecard.status == "complete"


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_scorecard_can_be_read_again(name: str) -> None:
    """One line of JSON with sorted keys, which gives back the very scorecard."""
    scorecard = scored_call(sample_transcript(name)).scorecard
    line = encode(scorecard)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Scorecard) == scorecard
    assert json.dumps(json.loads(line), sort_keys=True) == json.dumps(json.loads(line))


def test_text_of_sentiment_rows_is_published_nowhere() -> None:
    """It may carry raw tags, and what the transcript has redacted."""
    raw = json.loads((CALLS / "discovery_price_shock" / "transcript.json").read_text())
    for row in raw["sentiment_analysis_results"]:
        row["text"] = f"[Speaker:7] MARKER {row['text']}"
        row["speaker"] = None
    transcript = identified(
        decode_transcript(json.dumps(raw).encode()),
        SpeakerIdentification("success", {"A": "Sales Rep", "B": "Customer"}),
    )
    coached = scored_call(transcript)
    expected = scored_call(sample_transcript("discovery_price_shock"))
    assert encode(coached.scorecard) == encode(expected.scorecard)
    page = render_report(coached.scorecard, transcript)
    assert "MARKER" not in page + encode(coached.scorecard).decode() + encode(transcript).decode()


def test_good_reply_completes_the_scorecard() -> None:
    coach = Models(good())
    coached = score(coach)
    card = coached.scorecard
    assert (card.status, card.status_reason) == ("complete", None)
    assert (coach.asked, coach.sent_schema) == (["first-model"], [True])
    assert (card.run.coach_model, card.run.coach_attempts, card.run.finish_reason) == ("first-model", 1, "end_turn")
    assert (card.run.input_tokens, card.run.output_tokens) == (1000, 200)
    assert card.evidence is not None
    assert (card.evidence.claimed, card.evidence.dropped) == (19, 0)
    assert not card.roles.needs_review
    assert [attempt.content for attempt in coached.attempts] == [good().content]


def test_model_without_response_format_gets_the_schema_as_text() -> None:
    coach = Models(refused("400 model first-model does not support response_format"), good())
    coached = score(coach)
    assert (coach.asked, coach.sent_schema) == (["first-model", "first-model"], [True, False])
    assert coached.scorecard.status == "complete"
    assert len(coached.attempts) == 1


def test_second_model_is_asked_where_the_first_refuses() -> None:
    coach = Models(Completion("I cannot do that.", "refusal", 1000, 5), good())
    coached = score(coach)
    assert coach.asked == ["first-model", "second-model"]
    assert (coached.scorecard.status, coached.scorecard.run.coach_model) == ("complete", "second-model")
    assert coached.scorecard.run.coach_attempts == len(coached.attempts) == 2
    assert (coached.scorecard.run.input_tokens, coached.scorecard.run.output_tokens) == (2000, 205)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([refused(), refused()], "coach_unavailable"),
        ([Completion("", "refusal", 1, 1), Completion("{", "length", 1, 1), refused()], "coach_truncated"),
        ([refused(), Completion("", "refusal", 1, 1)], "coach_refused"),
        ([Completion("no", "stop", None, None)] * 3, "coach_invalid"),
    ],
)
def test_without_a_reply_the_numbers_stand(answers: list[Completion | Exception], reason: str) -> None:
    card = score(Models(*answers)).scorecard
    assert (card.status, card.status_reason) == ("numbers_only", reason)
    assert card.coaching is None
    assert card.evidence is None
    assert card.run.prose_removed == {}
    assert card.talk_listen.rep_share is not None
    assert card.sentiment is not None


def test_run_names_the_attempt_that_the_scorecard_rests_on() -> None:
    """The first reply was better than none, and its repair failed; both were paid for."""
    answer = reply(CALL)
    invented = [{"utterance": 1, "quote": "I will buy everything you have today"}]
    answer["keep"]["evidence"] = answer["suggestions"]["first"]["evidence"] = invented
    doubtful = Completion(json.dumps(answer), "end_turn", 1000, 200)
    run = score(Models(doubtful, Completion("{", "max_tokens", 1100, 6000))).scorecard.run
    assert (run.finish_reason, run.coach_attempts, run.output_tokens) == ("end_turn", 2, 6200)
    assert run.reply_sha256 == hashlib.sha256(doubtful.content.encode()).hexdigest()


def test_a_service_that_is_down_ends_the_run() -> None:
    """The queue tries again; a scorecard without coaching would be final."""
    with pytest.raises(UpstreamUnavailable):
        score(Models(UpstreamUnavailable("503")))


def test_what_is_no_sales_call_is_not_coached() -> None:
    card = score(Models(good(roles_check={"verdict": "not_a_sales_call", "utterances": []}))).scorecard
    assert (card.status, card.status_reason, card.coaching) == ("numbers_only", "not_a_sales_call", None)
    assert card.run.coach_attempts == 1


@pytest.mark.parametrize("verdict", ["swapped", "unclear"])
def test_doubt_of_the_coach_is_shown(verdict: str) -> None:
    card = score(Models(good(roles_check={"verdict": verdict, "utterances": [0, 1]}))).scorecard
    assert card.roles.needs_review
    assert card.roles.reasons == ["coach_contradicts"]
    assert card.roles.signals.coach == verdict


@pytest.mark.parametrize("mapping", [None, {"A": "Customer", "B": "Customer"}])
def test_unknown_roles_are_not_coached_nor_judged(mapping: dict[str, str] | None) -> None:
    transcript = identified(made_transcript(CALL), SpeakerIdentification("success", mapping))
    card = scored_call(transcript, "never asked").scorecard
    assert (card.status, card.status_reason) == ("needs_roles", "roles_unknown")
    assert card.run.coach_attempts == 0
    assert card.talk_listen.rep_share is None
    assert card.sentiment is not None
    assert (card.sentiment.by_role, card.sentiment.shifts, card.sentiment.shifts_reason) == (
        None,
        None,
        "roles_doubtful",
    )
    assert card.roles.needs_review
    assert sum(speaker.talk_share or 0 for speaker in card.speakers) == pytest.approx(1)


def test_one_voice_alone_gets_numbers_only() -> None:
    said = conversation(*[("A", "nobody is here so please leave a message after the tone")] * 3)
    transcript = made_transcript(said, sentiment_rows=rows_of(said, ["NEUTRAL"] * 3))
    card = scored_call(transcript, "never asked").scorecard
    assert card.status == "numbers_only"
    assert card.run.coach_attempts == 0
    assert render_report(card, transcript)
    assert render_mail(card, "scorecards")


def test_language_without_sentiment_is_said() -> None:
    """Null with a warning; the page and the mail are written all the same."""
    transcript = made_transcript(CALL, sentiment_rows=None, language_code="de")
    card = scored_call(transcript).scorecard
    assert card.sentiment is None
    assert [warning.code for warning in card.warnings] == [
        "language_not_counted",
        "no_sentiment",
        "wording_not_checked",
    ]
    assert "in German: it labels English only" in card.warnings[1].text
    assert "no sentiment in this call" in render_report(card, transcript)
    assert "no sentiment in this call" in render_mail(card, "scorecards")[1].replace("\n", " ")


def test_third_speaker_and_replaced_models_are_warned_of() -> None:
    said = [*CALL, Utterance("C", "may I come in", CALL[-1].end_ms, CALL[-1].end_ms + 1000)]
    card = scored_call(made_transcript(said)).scorecard
    assert [warning.code for warning in card.warnings] == ["third_speaker"]
    assert card.roles.mapping["C"] == "unassigned"
    assert card.roles.unassigned_share is not None
    assert 0 < card.roles.unassigned_share < 0.05


def test_few_suggestions_are_said_to_be_few() -> None:
    answer = reply(CALL)
    for which in ("second", "third", "spare"):
        answer["suggestions"][which]["evidence"] = []
    card = scored_call(made_transcript(CALL), answer).scorecard
    assert card.coaching is not None
    assert len(card.coaching.suggestions) == 1
    assert [warning.code for warning in card.warnings] == ["suggestions_short"]
