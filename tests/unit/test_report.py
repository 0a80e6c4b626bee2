"""What people read: the headline, the e-mail and the page."""

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.examples import (
    HOSTILE_TEXTS,
    SAMPLE_CALLS,
    conversation,
    long_call,
    made_transcript,
    reply,
    sample_transcript,
    scored_call,
    utterance_lists,
)

from callcoach.notifications import ascii_subject
from callcoach.transcript import SpeakerIdentification, Transcript, identified
from scorecard.report import (
    MAIL_COLUMNS,
    clock,
    cue_and_action,
    percent,
    recorded_on,
    render_mail,
    render_report,
    shift_sentence,
    status_text,
    timeline,
)
from scorecard.scorecard import Scorecard, Shift, Tally

CALL = long_call()
DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Page(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def with_prose(hostile: str) -> dict[str, Any]:
    """Return a reply that says the same thing in each of its texts."""
    answer = reply(CALL)

    def replaced(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: replaced(child, key) for key, child in value.items()}
        if isinstance(value, list):
            return [replaced(child) for child in value]
        fixed = ("quote", "level", "status", "owner", "verdict", "item", "kind", "about")
        return f"words {hostile} words" if isinstance(value, str) and name not in fixed else value

    changed: dict[str, Any] = replaced(answer)
    return changed


def hostile_call(hostile: str) -> tuple[Scorecard, Transcript]:
    """Return a call in which everybody says, types and writes the same hostile thing."""
    spoken = [(said.speaker, f"{said.text} {hostile} and so on") for said in CALL]
    transcript = made_transcript(conversation(*spoken), language_code=hostile, sentiment_rows=None)
    answer = with_prose(hostile)
    details = dict.fromkeys(("rep", "customer", "team", "call_type"), hostile)
    return scored_call(transcript, answer, key=f"calls/{hostile}.mp3", **details).scorecard, transcript


def mail_of(card: Scorecard) -> tuple[str, str]:
    return render_mail(card, "scorecards-bucket")


def require_plain(text: str) -> None:
    """Fail unless text is printable ASCII in lines of the mail's width; one line, the report's link, may be longer."""
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    wide = [line for line in text.split("\n") if len(line) > MAIL_COLUMNS]
    assert [line for line in wide if not line.startswith("  https://console.aws.amazon.com/")] == []
    assert len(wide) <= 1


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_mail_of_a_sample_is_plain_and_complete(name: str) -> None:
    """ASCII in 72 columns; the three things to know come first, and the link is not needed to act."""
    subject, text = mail_of(scored_call(sample_transcript(name), call_type="discovery").scorecard)
    require_plain(text)
    lines = text.split("\n")
    assert lines[0].startswith("PRACTISE NEXT")
    assert [line.split(":")[0] for line in lines if re.match("NEXT STEP|TALK", line)] == ["NEXT STEP", "TALK"]
    assert re.search(r"rep talked \d+% \(usual 35-50%\)$", subject)
    assert "not meant for decisions about employment" in text


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_stays_text_in_the_mail(hostile: str) -> None:
    """No line of its own, no wider line, no control character; the subject keeps its number."""
    card, _ = hostile_call(hostile)
    assert card.status == "complete"
    subject, text = mail_of(card)
    require_plain(text)
    assert not any(line.startswith(("Bcc:", "Subject:")) for line in text.split("\n"))
    sent = ascii_subject(subject)
    assert len(sent) <= 99
    assert re.search(r"rep talked \d+% \(usual 35-60%\)$", sent)


@given(
    st.fixed_dictionaries({name: st.none() | st.text(max_size=80) for name in ("rep", "customer", "call_type")}),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80),
)
@example({"rep": "R" * 80, "customer": "C" * 80, "call_type": "T" * 80}, "k" * 80)
@example({"rep": "\ufdfa" * 20, "customer": None, "call_type": "\ufdfa" * 20}, "k")
def test_any_name_gives_a_subject_that_can_be_sent(details: dict[str, Any], key: str) -> None:
    subject, text = mail_of(scored_call(made_transcript(CALL), key=key, **details).scorecard)
    sent = ascii_subject(subject)
    assert 0 < len(sent) <= 99
    assert sent.isascii()
    assert sent.isprintable()
    assert re.search(r": rep talked \d+% \(usual (\d+-|up to )\d+%\)$", sent)
    require_plain(text)


@pytest.mark.parametrize(
    ("details", "who"),
    [
        ({"rep": "Dana Reyes", "customer": "Acme", "call_type": "demo"}, "Dana Reyes / Acme, demo"),
        ({"rep": "José Müller"}, "Jose Muller"),
        ({"rep": "田中", "customer": "Acme"}, "acme.mp3"),
        ({"rep": "田中", "key": "calls/電話.mp3"}, "t1"),
        ({}, "acme.mp3"),
    ],
)
def test_subject_names_the_call_in_ascii(details: dict[str, str], who: str) -> None:
    """What cannot be written in ASCII gives way to the file's name, and that to the transcript's id."""
    subject, _ = mail_of(scored_call(made_transcript(CALL), **details).scorecard)
    assert subject.startswith(f"Call review: {who}: rep talked")


@pytest.mark.parametrize(
    ("mapping", "answer", "first", "subject"),
    [
        ({"A": "Sales Rep"}, "", "CHECK WHO IS WHO FIRST", "Check who is who: acme.mp3"),
        (
            {"A": "Sales Rep", "B": "Customer"},
            "no JSON",
            "NO COACHING THIS TIME",
            "Call review: acme.mp3: coach invalid",
        ),
    ],
)
def test_mail_without_coaching_says_why_first(mapping: dict[str, str], answer: str, first: str, subject: str) -> None:
    transcript = identified(made_transcript(CALL), SpeakerIdentification("success", mapping))
    card = scored_call(transcript, answer).scorecard
    found_subject, text = mail_of(card)
    assert found_subject == subject
    assert text.startswith(first)
    assert "Speaker A (rep)" in text
    require_plain(text)
    page = Page(render_report(card, transcript))
    assert status_text(card) in page.text


@pytest.mark.parametrize(
    "reason",
    [
        "too_short",
        "one_side_only",
        "poor_transcript",
        "roles_unknown",
        "not_a_sales_call",
        "coach_truncated",
        "coach_refused",
        "coach_invalid",
        "coach_unavailable",
    ],
)
def test_every_reason_has_its_words(reason: str) -> None:
    card = msgspec.structs.replace(scored_call(made_transcript(CALL)).scorecard, status_reason=reason)
    assert status_text(card).endswith(".")


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_stays_text_on_the_page(hostile: str) -> None:
    """The same elements and attributes as on a harmless page, nothing that turns the direction of what follows."""
    harmless, page = (Page(render_report(*hostile_call(text))) for text in ("harmless", hostile))
    assert page.tags == harmless.tags
    assert page.attributes == harmless.attributes
    assert not set(DIRECTION) & set(page.text)
    if hostile.isprintable():
        assert hostile in page.text


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_page_needs_no_script_and_no_network(name: str) -> None:
    transcript = sample_transcript(name)
    html = render_report(scored_call(transcript).scorecard, transcript)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert not {"src", "href", "action"} & page.attributes
    assert not any(attribute.startswith("on") for attribute in page.attributes)
    assert "url(" not in html
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html


@given(utterance_lists(min_size=1))
def test_page_and_mail_of_any_transcript_can_be_written(utterances: list[Any]) -> None:
    """Whatever the times are: empty, reversed, overlapping, out of order."""
    transcript = made_transcript(utterances, audio_duration_seconds=None)
    card = scored_call(transcript, "not asked").scorecard
    assert Page(render_report(card, transcript)).text
    require_plain(mail_of(card)[1])


@pytest.mark.parametrize("basis_points", [4550, 5450, 5050, 6250, 3333])
def test_percents_of_both_sides_add_up(basis_points: int) -> None:
    rep_share = basis_points / 10_000
    shown = [int(percent(part).removesuffix("%")) for part in (rep_share, round(1 - rep_share, 4))]
    assert sum(shown) == 100


def test_unknown_percent_is_a_dash() -> None:
    assert percent(None) == "-"


@pytest.mark.parametrize(
    ("moment_ms", "text"),
    [(0, "0:00"), (999, "0:00"), (61_000, "1:01"), (3_599_999, "59:59"), (3_600_000, "1:00:00"), (-5, "0:00")],
)
def test_clock_counts_hours_only_when_there_are_any(moment_ms: int, text: str) -> None:
    assert clock(moment_ms) == text


def test_cue_and_action_make_one_sentence() -> None:
    assert cue_and_action("When a price is named,", "Ask why.") == "When a price is named: ask why."


def test_day_of_the_call() -> None:
    assert recorded_on(scored_call(made_transcript(CALL)).scorecard) == "6 May 2026"


def test_headline_is_that_of_the_first_suggestion() -> None:
    card = scored_call(made_transcript(CALL)).scorecard
    assert card.headline.focus == "When a customer names a loss: ask what it cost and who noticed."
    assert card.headline.focus_at_ms == CALL[1].start_ms
    assert card.headline.next_step == "agreed: send the plan (next week)"
    assert card.headline.talk is not None
    assert card.headline.talk.endswith("the usual 35-60% of calls (no type given).")


@pytest.mark.parametrize(
    ("from_", "to", "recovered", "text"),
    [
        (
            "neutral",
            "negative",
            True,
            "turned negative about the offer or the rep (5 of 6 sentences; 4 of 74 elsewhere).",
        ),
        ("neutral", "negative", False, "Not back to usual before the end."),
        ("negative", "positive", True, "recovered from a low"),
        ("neutral", "positive", True, "turned positive"),
    ],
)
def test_shift_is_told_in_counts(from_: str, to: Any, *, recovered: bool, text: str) -> None:
    shift = Shift(
        id="s1",
        strength="clear",
        from_=from_,
        to=to,
        at_ms=1_100_240,
        until_ms=1_183_900,
        recovered=recovered,
        rows=6,
        polar_rows=5,
        elsewhere=Tally(74, 4),
        expected_by_chance=0.01,
        about="our_offer_or_rep",
        quote=None,
        cause=None,
        evidence=[],
        definition="d",
    )
    sentence = shift_sentence(shift)
    assert sentence.startswith("18:20 to 19:43 ")
    assert text in sentence


@given(utterance_lists())
def test_timeline_draws_every_side_within_the_call(utterances: list[Any]) -> None:
    mapping = {"A": "rep", "B": "customer", "C": "unassigned"}
    duration_ms = max((max(said.start_ms, said.end_ms) for said in utterances), default=0)
    bars = timeline(utterances, mapping, duration_ms)
    assert {bar.side for bar in bars} == {mapping[said.speaker] for said in utterances}
    assert all(0 <= bar.x <= 1000 and 0 < bar.width <= 1000 for bar in bars)


def test_timeline_joins_what_a_breath_divides() -> None:
    said = conversation(("A", "one two"), ("A", "three"), pause_ms=999)
    assert [(bar.x, bar.width) for bar in timeline(said, {"A": "rep"}, 2199)] == [(0, 1000)]
    assert len(timeline(conversation(("A", "one"), ("A", "two"), pause_ms=1000), {"A": "rep"}, 1800)) == 2
