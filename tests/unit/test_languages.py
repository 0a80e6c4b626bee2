"""Calls in other languages than English: what is still right, what is null and why, and what a reader is shown."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.assemblyai.coach import answer
from tests.sandbox.assemblyai.transcripts import FEATURE_LANGUAGES, LANGUAGES
from tests.sandbox.scripts import read_script, sample_of
from tests.unit.examples import made_transcript, settings, submission
from tests.unit.scorecards import COACHING, example_scorecard, spoken_by

from callcoach.assemblyai import Completion
from callcoach.languages import NAMES, SEVERAL_LANGUAGES, language_code, language_name, redacts
from callcoach.transcript import Transcript, decode_transcript
from scorecard.coachable import uncoachable_reason
from scorecard.mail import render_mail
from scorecard.report import first_words, render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import score_call
from scorecard.speakers import RoleAssignment

SCRIPTS = {file.stem: file for file in sorted((Path(__file__).parents[1] / "data" / "languages").glob("*.toml"))}


def heard(name: str, **changes: Any) -> Transcript:
    """Return what AssemblyAI makes of a call whose language it detected."""
    sample = sample_of(read_script(SCRIPTS[name])) | {"sentiment_analysis_results": None}
    return decode_transcript(json.dumps({"id": "t1", "status": "completed", **sample, **changes}).encode())


def roles_of(name: str) -> RoleAssignment:
    return RoleAssignment(read_script(SCRIPTS[name])["speakers"], "identification", "success", [])


def ask(request: Any) -> Completion:
    """Let the stand-in's coach answer."""
    messages = [(message["role"], message["content"]) for message in request["messages"]]
    schema = request["response_format"]["json_schema"]["schema"]
    return Completion(answer(messages, schema), "end_turn", 1000, 200)


def scored(name: str, *, coach_language: str = "call", **changes: Any) -> tuple[Scorecard, Transcript]:
    transcript = heard(name, **changes)
    wanted = settings(coach_language=coach_language)
    return score_call(transcript, roles_of(name), submission(), wanted, ask).scorecard, transcript


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_call_is_coached_in_its_language(name: str) -> None:
    card, transcript = scored(name)
    replied = read_script(SCRIPTS[name])["reply"][card.call.language]

    assert card.status == "complete"
    assert card.coaching is not None
    assert card.coaching.language == card.call.language
    assert card.coaching.summary == replied["summary"]
    assert card.coaching.question_for_one_to_one
    assert [suggestion.item for suggestion in card.coaching.suggestions] == [
        replied["suggestions"][rank]["item"] for rank in ("first", "second", "third")
    ]
    assert card.coaching.next_step.status == "agreed"
    assert card.coaching.next_step.when_words == replied["next_step"]["when_words"]
    assert card.coaching.rubric.items["next_step"].level == 3
    assert card.evidence is not None
    assert card.evidence.dropped == 0
    assert sum(card.run.prose_removed.values()) == 0
    said = [utterance.text for utterance in transcript.utterances or []]
    for suggestion in card.coaching.suggestions:
        assert all(quote.text in said[quote.utterance] for quote in suggestion.evidence)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_rests_on_english_is_null_and_says_why(name: str) -> None:
    card, _ = scored(name)
    reasons = {metric: value.reason for metric, value in card.metrics.items() if value.value is None}
    unspaced = {"rep_words_per_minute", "customer_words_per_minute"} if card.call.language == "ja" else set()

    assert {metric for metric, reason in reasons.items() if reason == "language"} == {
        "questions",
        "questions_per_hour",
        "open_questions",
        "engaging_questions",
        "fillers_per_100_words",
        "interruptions",
    }
    assert {metric for metric, reason in reasons.items() if reason == "unspaced"} == unspaced
    assert card.mentions is None
    assert card.sentiment is None
    assert card.roles.signals.text_margin is None
    assert [warning.code for warning in card.warnings] == [
        "language_not_counted",
        "no_sentiment",
        "wording_not_checked",
    ]
    assert all(language_name(card.call.language) in warning.text for warning in card.warnings)


def test_words_of_a_script_without_spaces_are_counted_nowhere() -> None:
    """What the recogniser lists as words there is its own affair; rules that need a number take the time."""
    card, transcript = scored("japanese")
    assert [speaker.words for speaker in card.speakers] == [None, None]
    assert card.talk_listen.rep_share_of_words is None
    assert card.metrics["longest_monologue"].value
    assert card.metrics["switches_per_5min"].value
    assert "and of the words" not in render_report(card, transcript)

    without_words = msgspec.structs.replace(
        transcript,
        utterances=[msgspec.structs.replace(said, timed_words=None) for said in transcript.utterances or []],
    )
    assert uncoachable_reason(without_words, roles_of("japanese")) is None
    assert list(first_words(card, without_words.utterances or [])) == ["A", "B"]


def test_prose_in_another_language_keeps_the_quotes_and_what_is_to_be_said() -> None:
    card, transcript = scored("german", coach_language="en")
    assert card.coaching is not None
    assert card.coaching.language == "en"
    assert card.coaching.summary.startswith("The bakery plans its tours by hand")
    assert card.coaching.suggestions[0].say == "Mehr als erwartet, verglichen womit?"
    assert card.coaching.suggestions[0].evidence[0].text == "Puh, das ist deutlich mehr, als ich erwartet hatte."
    assert card.coaching.next_step.when_words == "Donnerstag um zehn"
    page = render_report(card, transcript)
    assert '<em lang="de" dir="auto">Mehr als erwartet' in page
    assert '<p class="summary" dir="auto">The bakery' in page
    assert "German, coached in English" in page
    assert "German, coached in English" in render_mail(card, "scorecards")[1].replace("\n", " ")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"language_code": "en_us", "language_codes": ["en", "de"]}, "this call is in several languages"),
        ({"language_code": "en_us", "language_confidence": 0.5}, "this call is in English, confidence 0.50"),
    ],
)
def test_a_language_that_is_mixed_or_uncertain_counts_no_words(changes: dict[str, Any], why: str) -> None:
    card, _ = scored("german", **changes)
    assert card.metrics["questions"].reason == "language"
    assert card.mentions is None
    assert why in card.warnings[0].text
    assert card.coaching is not None
    assert card.coaching.language == "en"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt_BR", "pt"),
        ("zh-Hans-CN", "zh"),
        ("en-GB", "en_uk"),
        ("en-US", "en_us"),
        ("en-ZA", "en"),
        ("nb-NO", "no"),
        (" ES ", "es"),
        ("German", ""),
        ("x", ""),
        ("", ""),
    ],
)
def test_codes_are_written_as_assemblyai_writes_them(text: str, code: str) -> None:
    """Its only regions are those of English; others would be refused."""
    assert language_code(text) == code


def test_every_language_of_assemblyai_has_a_name() -> None:
    assert NAMES.keys() - {SEVERAL_LANGUAGES} == LANGUAGES
    assert language_name("en_uk") == "English"
    assert language_name("xx") == "xx"
    assert {code for code in LANGUAGES if redacts(code)} == set(FEATURE_LANGUAGES["redact_pii"])


@given(st.text(max_size=40))
def test_any_code_is_one_that_assemblyai_takes_or_none(text: str) -> None:
    code = language_code(text)
    assert not code or (code == language_code(code) and code.replace("_", "").isalnum() and code.isascii())


SCRIPT_TEXTS = {
    "Arabic": "ما هي التكلفة السنوية؟ قلت إنها 18000 ريال",
    "Hebrew": "כמה זה עולה בשנה? אמרתם 18,000",
    "Hindi": "यह साल में कितने का है? आपने १८००० कहा",
    "Thai": "ปีละเท่าไหร่ครับ คุณบอกว่า ๑๘๐๐๐",
    "Korean": "일 년에 얼마예요? 만 팔천이라고 하셨죠",
    "Russian": "Сколько это стоит в год? Вы сказали 18 000",
    "Chinese": "一年要多少钱?你说是18000。",
}


@pytest.mark.parametrize("text", SCRIPT_TEXTS.values(), ids=SCRIPT_TEXTS)
def test_any_script_is_shown_as_it_is_said(text: str) -> None:
    """In the page each text finds its own direction; in the mail no letter becomes a question mark."""
    card = spoken_by(example_scorecard(), text)
    transcript = made_transcript([])
    page = render_report(card, transcript)
    assert f'dir="auto">“{text}”</p>' in page
    assert f'<h1 dir="auto">{text}' in page
    assert text.split(maxsplit=1)[0].strip("?؟") in render_mail(card, "scorecards")[1].replace("\n", "")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "Zs"]), min_size=1, max_size=300))
def test_text_of_any_script_gives_a_page_and_a_mail(text: str) -> None:
    card = spoken_by(example_scorecard(coaching=msgspec.structs.replace(COACHING, language="ar")), text)
    assert render_report(card, made_transcript([]))
    _, mail = render_mail(card, "scorecards")
    assert mail.replace("\n", "").isprintable()
