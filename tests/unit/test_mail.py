"""The e-mail about a call."""

import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS
from tests.unit.scorecards import (
    COACHING,
    METRICS,
    evidence,
    example_scorecard,
    spoken_by,
    with_doubtful_roles,
    without_coaching,
)

from callcoach.notifications import StoredAt, ascii_subject, encode_notification
from scorecard.mail import MAIL_COLUMNS, MAIL_LIMIT_CHARACTERS, message_attributes, render_mail, scorecard_notification
from scorecard.phrases import cue_and_action
from scorecard.scorecard import Coaching, Keep, Scorecard

CARD = example_scorecard()
DOUBTED = example_scorecard(
    roles=msgspec.structs.replace(CARD.roles, needs_review=True, reasons=["text_contradicts"] * 5)
)
LINK = "  https://console.aws.amazon.com/"
replace = msgspec.structs.replace


def mail_of(card: Scorecard) -> tuple[str, str]:
    subject, text = render_mail(card, "scorecards-bucket")
    return ascii_subject(subject), text


def flowing(text: str) -> str:
    """Return a mail with its line breaks undone."""
    return " ".join(text.split())


def columns(line: str) -> int:
    """Return the width of a line as a terminal shows it."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line
    )


def require_plain(text: str) -> None:
    """Fail unless text is printable, in lines of the mail's width; one line, the report's link, may be longer."""
    assert text.replace("\n", "").isprintable()
    wide = [line for line in text.split("\n") if columns(line) > MAIL_COLUMNS]
    assert [line for line in wide if not line.startswith(LINK)] == []
    assert len(wide) <= 1
    assert len(text) <= MAIL_LIMIT_CHARACTERS


def test_a_scorecard_that_corrects_another_says_so_before_all_details() -> None:
    _, text = render_mail(CARD, "scorecards-bucket", corrects=True)
    require_plain(text)
    assert "This corrects the scorecard that was sent before." in text.split("---")[0]
    assert "corrects" not in mail_of(CARD)[1]


def test_first_three_lines_are_labelled() -> None:
    _, text = mail_of(CARD)
    opening = flowing(text.split("\n\n")[0])
    assert re.findall(r"PRACTISE NEXT \(7:36\): |NEXT STEP: |TALK: ", opening) == [
        "PRACTISE NEXT (7:36): ",
        "NEXT STEP: ",
        "TALK: ",
    ]
    assert 'NEXT STEP: agreed (11:50): test at the north gate; the rep sends the checklist before, "well at' in opening
    assert "TALK: rep side (2 people) 63%, customer 37%. Above the usual 35-50% of discovery calls;" in opening
    assert "was 3 min 34 s, from 6:52 (speaker A)." in opening


def test_parts_stand_in_their_order() -> None:
    """Praise stands above advice; the manager's focus above both."""
    _, text = mail_of(CARD)
    labels = re.findall(r"^([A-Z][A-Z' -]+[A-Z])(?=$|:| \()", text, re.MULTILINE)
    assert labels == [
        "PRACTISE NEXT",
        "NEXT STEP",
        "TALK",
        "KEEP",
        "PRACTISE NEXT",
        "ALSO",
        "THE CUSTOMER'S WORDS",
        "MENTIONED",
        "BEHAVIOURS",
        "QUESTION FOR YOUR ONE-TO-ONE",
    ]


def test_mail_stands_on_its_own() -> None:
    """Everything a manager acts on is in it, and one link for those who can sign in to AWS."""
    _, text = mail_of(CARD)
    said = flowing(text)
    require_plain(text)
    assert "Nora Lind / Birch Freight / discovery / 6 May 2026 / 12 min" in text
    assert COACHING.summary in said
    for suggestion in COACHING.suggestions:
        assert suggestion.when in said
    assert '(2:10 customer: "well at gate 3 we still wait for the")' in said
    assert "(6:52, longest monologue: 3 min 34 s)" in said
    assert "Mostly neutral: 108 of 129 sentences; 12 positive, 9 negative." in said
    assert "price by the rep 4 times, first at 18:16; Gatewise by the customer once, at 22:00" in said
    assert "Next step 3 / Opening 2 / Discovery 2 / Listening 1 / Objections 1 / Value linked -" in said
    assert "16 of 17 that the model offered; 1 was not found and is left out" in said
    assert "not meant for decisions about employment or pay" in said
    assert text.count("://") == 1
    assert "s3://" not in text


def test_example_wording_is_no_quote() -> None:
    _, text = mail_of(CARD)
    (line,) = re.findall(r"Could sound like: .*", text)
    assert '"' not in line


def test_no_total_no_rep_sentiment_no_command() -> None:
    """Points invite ranking, the rep's own wording is nobody's business, and no command is named."""
    _, text = mail_of(CARD)
    assert not re.search(r"\b9 of 15\b|\b60%|\bpoints\b|\b77\b|\bpython\b|--", text.replace("-" * 72, ""))


def test_number_and_unit_stay_on_one_line() -> None:
    for minutes in range(1, 40):
        metrics = METRICS | {"longest_monologue": replace(METRICS["longest_monologue"], value=60_000 * minutes + 7000)}
        _, text = mail_of(example_scorecard(metrics=metrics))
        assert not re.search(r"\d\n *(s|min|ms|h)\b", text)


def test_doubt_about_the_sides_comes_first() -> None:
    _, text = mail_of(DOUBTED)
    first, second = text.split("\n\n")[0].split("\nPRACTISE NEXT (7:36): ")
    assert first.startswith("CHECK WHO IS WHO FIRST: the speaker taken for the rep talks like a\ncustomer;")
    assert second.startswith("When a customer says")


def test_needs_roles_judges_nobody() -> None:
    subject, text = mail_of(with_doubtful_roles())
    assert subject == "Check who is who: recording birch_discovery_2026-05-06.mp3 (12 min)"
    said = flowing(text)
    assert text.startswith("CHECK WHO IS WHO FIRST: the speaker taken for the rep talks like a")
    assert "No coaching was written, because it would be about the wrong person." in said
    assert "Speaker A: 15:01, 54% of the speech" in said
    assert not re.search(r"\(rep\)|\(customer\)|TALK|usual|BEHAVIOURS|PRACTISE", text)
    require_plain(text)


@pytest.mark.parametrize(
    ("reason", "first", "subject"),
    [
        ("too_short", "TOO SHORT TO COACH: 12 min; the rep speaks for 17 min 21 s", "12 min, too short to coach"),
        ("one_side_only", "ONLY ONE SIDE SPEAKS: ", "12 min, only one side speaks"),
        ("poor_transcript", "TRANSCRIPT TOO UNCERTAIN TO COACH: ", "transcript too uncertain to coach"),
        ("not_a_sales_call", "NO SALES CALL: ", "no sales call, not coached"),
        ("too_long_for_coach", "TOO LONG TO COACH: 12 min is more", "12 min, too long to coach"),
        (
            "coach_truncated",
            "NO COACHING THIS TIME: the writing model's answer was cut off",
            "rep talked 63%, coaching missing",
        ),
        ("coach_refused", "NO COACHING THIS TIME: the writing model refused", "rep talked 63%, coaching missing"),
        (
            "coach_invalid",
            "NO COACHING THIS TIME: the writing model's answer was unusable",
            "rep talked 63%, coaching missing",
        ),
        ("coach_unavailable", "NO COACHING THIS TIME: no writing model took", "rep talked 63%, coaching missing"),
        ("something_new", "NO COACHING THIS TIME: something new.", "something new"),
    ],
)
def test_numbers_only_says_why_what_to_do_and_what_is_saved(reason: str, first: str, subject: str) -> None:
    card = without_coaching(reason)
    found, text = mail_of(card)
    assert found == f"Call review: Nora Lind / Birch Freight, discovery: {subject}"
    assert flowing(text).startswith(first)
    opening = flowing(text.split("\n\n")[0])
    assert re.findall(r"WHAT TO DO: |SAVED: |TALK: ", opening) == ["WHAT TO DO: ", "SAVED: ", "TALK: "]
    assert "Longest monologue: 3 min 34 s (usual up to 2 min 30 s)" in text
    require_plain(text)


@pytest.mark.parametrize("hostile", [*HOSTILE_TEXTS, "https://evil.com/pay www.evil.com bob@evil.com", "evil.com"])
def test_hostile_text_stays_text(hostile: str) -> None:
    """No line of its own, no wider line, no control character, no link; the subject keeps its number."""
    card = spoken_by(CARD, f"words {hostile} words")
    subject, text = mail_of(card)
    require_plain(text)
    assert not any(line.startswith(("Bcc:", "Subject:")) for line in text.split("\n"))
    own = "\n".join(line for line in text.split("\n") if not line.startswith(LINK))
    assert not re.search(r"://|\bwww\.|evil\.com", own + subject, re.IGNORECASE)
    assert re.search(r"rep talked 63% \(usual 35-50%\)$", subject)


@pytest.mark.parametrize("text", ["wide " * 400, "x" * 3000, "田" * 3000, "\u00bd" * 3000, "a.bb " * 600, ""])
@pytest.mark.parametrize("card", [DOUBTED, with_doubtful_roles(), without_coaching("coach_invalid")])
def test_no_content_makes_the_mail_long(card: Scorecard, text: str) -> None:
    """Eight kilobytes are enough for every text at its longest and thirty times the entries of every list."""
    long = spoken_by(card, text, times=30)
    subject, mail = mail_of(replace(long, call=replace(long.call, recording="k" * 350)))
    require_plain(mail)
    assert LINK in mail
    assert 0 < len(subject) <= 99


@given(
    st.fixed_dictionaries({name: st.none() | st.text(max_size=80) for name in ("rep", "customer", "call_type")}),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80),
)
def test_any_name_gives_a_subject_that_can_be_sent(details: dict[str, Any], key: str) -> None:
    subject, text = mail_of(example_scorecard(call=replace(CARD.call, recording=key, **details)))
    assert 0 < len(subject) <= 99
    assert subject.isascii()
    assert subject.isprintable()
    assert subject.endswith(": rep talked 63% (usual 35-50%)")
    require_plain(text)


@pytest.mark.parametrize(
    ("details", "who"),
    [
        ({}, "Nora Lind / Birch Freight, discovery"),
        ({"rep": "José Müller", "customer": None, "call_type": None}, "Jose Muller"),
        ({"rep": "田中"}, "birch_discovery_2026-05-06.mp3, discovery"),
        ({"rep": "田中", "recording": "電話.mp3", "call_type": None}, "call of 6 May 2026"),
        (
            {"rep": "田中", "recording": "電話.mp3", "call_type": None, "recorded_at": None},
            "4d0c9a54-11f2-4e0b-9f38-0a0f6f3a5b9c",
        ),
        ({"rep": None, "customer": None, "call_type": None}, "birch_discovery_2026-05-06.mp3"),
    ],
)
def test_subject_names_the_call_in_ascii(details: dict[str, Any], who: str) -> None:
    """What ASCII cannot write gives way to the file's name, that to the day, and that to the transcript's id."""
    subject, _ = mail_of(example_scorecard(call=replace(CARD.call, **details)))
    assert subject == f"Call review: {who}: rep talked 63% (usual 35-50%)"


def test_unjudged_share_has_no_range_beside_it() -> None:
    talk = replace(CARD.talk_listen, verdict="not_judged", not_judged_reason="unassigned_high")
    subject, text = mail_of(example_scorecard(talk_listen=talk))
    assert subject.endswith(": rep talked 63%")
    assert "Not judged: more than a tenth of the speech belongs to neither side" in flowing(text)


@pytest.mark.parametrize(
    "said", ["それは高いです", "ما هي التكلفة السنوية؟", "это дороже, чем мы ожидали", "für die Größe"]
)
def test_words_in_other_letters_keep_them(said: str) -> None:
    """SNS takes UTF-8; only the subject has to be in ASCII."""
    keep = Keep(said, [replace(evidence(14), text=said)])
    subject, text = mail_of(example_scorecard(coaching=replace(COACHING, keep=keep)))
    assert f'"{said}"' in flowing(text)
    assert "??" not in text
    assert subject.isascii()
    require_plain(text)


def test_text_without_spaces_is_cut_into_lines_and_marks_begin_none() -> None:
    summary = "お客様は更新の管理に表計算を使っています。先月は二件の更新を見落としました、誰も気づきませんでした。" * 4
    _, text = mail_of(example_scorecard(coaching=replace(COACHING, language="ja", summary=summary)))
    require_plain(text)
    assert summary in text.replace("\n", "")
    assert not [line for line in text.split("\n") if line.startswith(("。", "、"))]


def test_the_language_is_said_unless_all_is_english() -> None:
    def facts(spoken: str | None, coaching: Coaching | None) -> str:
        _, text = mail_of(example_scorecard(call=replace(CARD.call, language=spoken), coaching=coaching))
        return flowing(text.split("-" * 72)[1]).split(" min")[1][:40]

    german = replace(COACHING, language="de")
    assert facts("en_us", COACHING).startswith(COACHING.summary[:10], 1)
    assert facts("de", german).startswith(" / German ")
    assert facts("ja", COACHING).startswith(" / Japanese, coached in English ")
    assert facts("en_us", german).startswith(" / English, coached in German ")
    assert facts("de", None).startswith(" / German ")


@pytest.mark.parametrize(
    ("language", "when", "do", "sentence"),
    [
        ("en", "When a price is asked for", "Ask what it is for", "When a price is asked for: ask what it is for."),
        ("de", "Wenn der Preis fällt", "Preise erst einordnen.", "Wenn der Preis fällt: Preise erst einordnen."),
        ("ja", "価格の話が出たら、", "比較の対象を聞く", "価格の話が出たら: 比較の対象を聞く。"),
        ("ja", "価格の話が出たら", "比較の対象を聞く。", "価格の話が出たら: 比較の対象を聞く。"),
        ("th", "เมื่อลูกค้าถามราคา", "ถามก่อนว่าเทียบกับอะไร", "เมื่อลูกค้าถามราคา: ถามก่อนว่าเทียบกับอะไร"),
    ],
)
def test_cue_and_action_are_one_sentence_of_their_language(language: str, when: str, do: str, sentence: str) -> None:
    """German nouns keep their capital, and a sentence ends as its script ends one."""
    assert cue_and_action(replace(COACHING.suggestions[0], when=when, do=do), language) == sentence


def test_long_key_gives_a_link_to_the_bucket() -> None:
    _, text = mail_of(example_scorecard(call=replace(CARD.call, recording="é" * 500)))
    assert "  https://console.aws.amazon.com/s3/buckets/scorecards-bucket?prefix=reports/\n" in text


def test_attributes_are_what_subscribers_filter_by() -> None:
    assert message_attributes(CARD) == {
        "outcome": "complete",
        "rep": "Nora Lind",
        "team": "North",
        "customer": "Birch Freight",
        "call_type": "discovery",
        "needs_review": False,
        "coachable": True,
    }


@pytest.mark.parametrize(
    ("card", "coachable"),
    [
        (without_coaching("too_short"), False),
        (without_coaching("not_a_sales_call"), False),
        (without_coaching("coach_refused"), True),
        (with_doubtful_roles(), None),
    ],
    ids=lambda value: getattr(value, "status_reason", value),
)
def test_coachable_is_what_the_call_is_not_what_the_model_did(card: Scorecard, coachable: bool | None) -> None:  # noqa: FBT001 - a row of the table
    assert message_attributes(card)["coachable"] is coachable


def test_machines_are_told_the_first_thing_to_know_and_where_the_rest_lies() -> None:
    told = scorecard_notification(CARD, "scorecards-bucket")
    assert (told.status, told.reason, told.needs_review) == ("complete", None, False)
    assert told.headline == CARD.headline.focus
    assert told.call is not None
    assert (told.call.rep, told.call.recorded_at) == (CARD.call.rep, CARD.call.recorded_at)
    assert told.scorecard == StoredAt("scorecards-bucket", f"scorecards/{CARD.call.recording}.json")
    assert told.report == StoredAt("scorecards-bucket", f"reports/{CARD.call.recording}.html")
    assert told.failure is None


@pytest.mark.parametrize(
    ("card", "headline"),
    [
        (without_coaching("too_short"), "Too short to coach: "),
        (without_coaching("coach_refused"), "No coaching this time: the writing model refused to answer"),
        (with_doubtful_roles(), "Check who is who first: "),
        (DOUBTED, "Check who is who first: the speaker taken for the rep talks like a customer"),
        (replace(CARD, headline=replace(CARD.headline, focus=None)), "Rep side (2 people) 63%, above the usual"),
    ],
)
def test_a_doubt_or_the_lack_of_coaching_is_the_headline(card: Scorecard, headline: str) -> None:
    assert scorecard_notification(card, "scorecards-bucket").headline.startswith(headline)


def test_machines_are_told_no_word_of_the_customer() -> None:
    """The next step may hold some, and is left to the e-mail."""
    told = scorecard_notification(CARD, "scorecards-bucket")
    assert CARD.coaching is not None
    assert CARD.coaching.next_step.when_words
    assert CARD.coaching.next_step.when_words not in encode_notification(told)
