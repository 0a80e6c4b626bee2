"""The page about a call, and the words that it shares with the e-mail."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS, utterance, utterance_lists
from tests.unit.scorecards import (
    COACHING,
    FIXED,
    METRICS,
    SIDES,
    UTTERANCES,
    evidence,
    example_scorecard,
    example_transcript,
    metric,
    spoken_by,
    with_doubtful_roles,
    without_coaching,
)

from callcoach.moments import clock
from callcoach.transcript import Utterance
from scorecard.phrases import (
    duration,
    headline,
    mention_line,
    metric_band,
    metric_value,
    metric_where,
    next_step_text,
    no_shift_sentence,
    percent,
    recorded_on,
    shift_quotes,
    shift_sentence,
    talk_sentence,
    unknowns,
    wording_sentence,
    words_for,
)
from scorecard.report import number_tiles, render_report, timeline
from scorecard.scorecard import Band, Keep, Mention, MetricBand, Scorecard, SentimentCounts, Span, Speaker

ROOT = Path(__file__).parents[2]
CARD = example_scorecard()
TRANSCRIPT = example_transcript()
CARDS = {"complete": CARD, "needs_roles": with_doubtful_roles(), "numbers_only": without_coaching("too_short")}
DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
VOID = ("meta", "br", "hr", "img", "link", "input")
replace = msgspec.structs.replace


class Page(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.elements.append((tag, dict(attrs)))
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(card: Scorecard, **changes: Any) -> Page:
    return Page(render_report(card, example_transcript(**changes)))


def flowing(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_page_needs_no_script_and_no_network(card: Scorecard) -> None:
    page = page_of(card)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "form", "object", "a"} & set(page.tags)
    assert not {"src", "href", "action", "style"} & page.attributes
    assert not any(attribute.startswith("on") for attribute in page.attributes)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"} in (
        page.of("meta")
    )


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_page_works_in_a_screen_reader(card: Scorecard) -> None:
    """Headings in order, regions that are named, drawings with words for them, tables with headers."""
    page = page_of(card)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for attributes in [*page.of("section"), *page.of("svg")]:
        named = (attributes.get("aria-labelledby") or "").split()
        assert named or attributes.get("aria-label")
        assert set(named) <= set(identifiers)
    assert all(attributes.get("role") == "img" for attributes in page.of("svg"))
    assert page.tags.count("title") == 1 + page.tags.count("svg")
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.of("th"))
    assert page.tags.count("caption") == page.tags.count("table") > 0
    assert page.tags.count("summary") == page.tags.count("details") > 0
    assert page.of("html") == [{"lang": "en"}]


def test_page_has_everything_in_its_order() -> None:
    said = flowing(page_of(CARD).text)
    parts = [
        "In short",
        COACHING.summary,
        "The call",
        "discovery (from the recording's name)",
        "Who talked",
        "usual 35-50%",
        "your target 40/60",
        "The call from left to right, 12 min.",
        "The numbers that matter",
        "3 min 34 s",
        "usual up to 2 min 30 s; above the usual range",
        "usual 11-14; below the usual range",
        "All numbers",
        "The customer's wording",
        "7:36 to 9:01: a drop, about the offer or the rep (5 of 6 sentences negative; 4 of 74 elsewhere).",
        "The yearly price comes before it is known what it is compared with.",
        "Keep",
        "Tie a screen to the case",
        "Practise",
        "1. When a customer says that the price is more than expected: ask what they compare it with",
        "7:36, customer",
        "Behaviours on this call",
        "This level: At least one question builds on the customer's answer",
        "The next one: As 2 on two different topics",
        "The model read level 3; what could be checked allows level 2.",
        "The call gave no occasion for it.",
        "For your one-to-one",
        "Mentions",
        "Price by the rep 4 times, first at 18:16; Gatewise by the customer once, at 22:00.",
        "What is not known, and why",
        "Interruptions: the recording has one channel",
        "How this was made",
        "16 of 17 that the model offered",
        "not meant for decisions about employment or pay",
    ]
    place = 0
    for part in parts:
        found = said.find(part, place)
        assert found >= 0, part
        place = found


def test_rep_s_own_wording_is_shown_nowhere() -> None:
    """Neither its counts nor its shares, score or ticks."""
    said = flowing(page_of(CARD).text)
    assert not re.search(r"\b77\b|\b133\b|\b66\b|\b28%|\b24%|\b1\.3\b|\b1\.7\b", said)
    assert "-1.6" in said
    ticks = timeline(CARD, TRANSCRIPT).ticks
    assert [tick.polarity for tick in ticks].count("negative") == 5
    assert [tick.polarity for tick in ticks].count("positive") == 3


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_page_ranks_nobody_and_reads_no_mood(card: Scorecard) -> None:
    """No total, no percentage of points, no ideal, and no "should"; wording is not what somebody feels."""
    said = page_of(card).text.casefold()
    assert not re.search(r"\bpoints\b|9 of 15|\b60%|\btotal\b|\bideal\b|\bshould\b", said)
    assert not re.search(r"\bscore\b(?! of the customer's)|\bmood|\bemotion|\bhapp(y|ier)", said)


@pytest.mark.parametrize(("kind", "drawn"), [("discovery", True), ("other", True), ("demo", False), ("cold", False)])
def test_target_is_drawn_where_it_is_meant(kind: str, drawn: bool) -> None:  # noqa: FBT001 - a row of the table
    band = Band(low=None, high=0.65, kind=kind, source=f"bands.toml#{kind}")
    said = page_of(example_scorecard(talk_listen=replace(CARD.talk_listen, band=band))).text
    assert ("your target" in said) is drawn
    assert "usual up to 65%" in said


def test_needs_roles_has_no_sides() -> None:
    page = page_of(CARDS["needs_roles"])
    said = flowing(page.text)
    assert "Check who is who first" in said
    assert [lane.name for lane in timeline(CARDS["needs_roles"], TRANSCRIPT).lanes] == [
        "Speaker A",
        "Speaker B",
        "Speaker C",
        "Speaker D",
    ]
    assert "What each speaker says first" in said
    assert "0:00, speaker A" in said
    assert not re.search(r"usual \d|Keep|Behaviours on this call|Mostly", said)
    assert not {attributes.get("class") for attributes in page.of("rect")} - {"other"}


def test_every_speaker_of_a_crowd_has_a_lane_or_is_among_others() -> None:
    card = CARDS["needs_roles"]
    labels = [f"S{number:02}" for number in range(28)]
    crowd = replace(
        card,
        speakers=[Speaker(label, "unassigned", 1000 * number, 0.01, 5, 1) for number, label in enumerate(labels)],
        roles=replace(card.roles, mapping=dict.fromkeys(labels, "unassigned")),
    )
    said = [utterance(label, "one two three four five six", 5000 * number) for number, label in enumerate(labels)]
    lanes = timeline(crowd, example_transcript(utterances=said)).lanes
    assert [lane.name for lane in lanes] == [*(f"Speaker S{number}" for number in range(22, 28)), "Others"]


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_hostile_text_stays_text(card: Scorecard, hostile: str) -> None:
    """The same elements and attributes as on a harmless page, nothing that turns the direction of what follows."""
    fixed = FIXED | {"label"}
    harmless, page = (page_of(spoken_by(card, text, fixed=fixed)) for text in ("harmless", f"a {hostile}"))
    assert page.tags == harmless.tags
    assert page.attributes == harmless.attributes
    assert not set(DIRECTION) & set(page.text)
    if hostile.isprintable() and card.coaching:
        assert hostile in page.text


@given(utterance_lists(min_size=1))
def test_page_of_any_transcript_can_be_written(utterances: list[Any]) -> None:
    """Whatever the times are: empty, reversed, overlapping, out of order."""
    for card in CARDS.values():
        assert page_of(card, utterances=utterances, audio_duration_seconds=None, sentiment_rows=[]).text


def test_same_scorecard_gives_the_same_page_in_every_process() -> None:
    program = (
        "import hashlib, sys; sys.path[:0] = ['.', 'functions', 'layers/callcoach'];"
        "from tests.unit.scorecards import example_scorecard, example_transcript;"
        "from scorecard.report import render_report; from scorecard.mail import render_mail;"
        "card = example_scorecard();"
        "told = render_report(card, example_transcript()) + str(render_mail(card, 'b'));"
        "print(hashlib.sha256(told.encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone, locale in (("1", "UTC", "C"), ("2", "Asia/Tokyo", "C.UTF-8"))
    }
    assert len(found) == 1


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


TEXT_PAIRS = [("ink", "card"), ("ink", "page"), ("soft", "card"), ("soft", "page"), ("card", "ink")]
DRAWN_ON_CARD = ["rep", "customer", "other", "usual", "negative", "positive", "ink", "soft"]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(scheme: int) -> None:
    """WCAG 2 AA: 4.5 for text, 3 for what is drawn. Lines between rows carry no meaning."""
    blocks = re.findall(r":root \{(.*?)\}", page_of(CARD).html, re.DOTALL)
    assert len(blocks) == 2
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", blocks[scheme]))
    assert {name for pair in TEXT_PAIRS for name in pair} | {*DRAWN_ON_CARD, "line"} == set(colours)
    for text, ground in TEXT_PAIRS:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for drawn in DRAWN_ON_CARD:
        assert contrast(colours[drawn], colours["card"]) >= 3, drawn


def test_every_colour_comes_from_the_palette() -> None:
    styles = re.sub(r":root \{.*?\}", "", page_of(CARD).html, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl", styles)


@given(utterance_lists())
def test_timeline_draws_every_side_within_the_call(utterances: list[Utterance]) -> None:
    drawn = timeline(CARD, example_transcript(utterances=utterances, audio_duration_seconds=None, sentiment_rows=[]))
    kinds = {"rep": "rep", "customer": "customer", "unassigned": "other"}
    assert {lane.kind for lane in drawn.lanes} == {
        kinds[SIDES[said.speaker]] for said in utterances if said.end_ms > said.start_ms
    }
    for lane in drawn.lanes:
        assert all(0 <= bar.x <= 100 and 0 < bar.width <= 100 for bar in lane.bars)
        assert all(after.x > before.x for before, after in pairwise(lane.bars))
    assert all(0 <= mark.x <= 100 for mark in drawn.marks)


def test_timeline_joins_what_a_breath_divides() -> None:
    def bars(pause_ms: int) -> int:
        said = [utterance("A", "one two", 0), utterance("A", "three", 800 + pause_ms)]
        return len(timeline(CARD, example_transcript(utterances=said, sentiment_rows=[])).lanes[0].bars)

    assert bars(999) == 1
    assert bars(1000) == 2


@pytest.mark.parametrize("minutes", [0, 1, 7, 45, 90, 600, 6000])
def test_axis_has_a_few_round_times(minutes: int) -> None:
    said = [utterance("A", "one two", 60_000 * minutes)]
    axis = timeline(CARD, example_transcript(utterances=said, audio_duration_seconds=None, sentiment_rows=[])).axis
    assert 1 <= len(axis) <= 8
    assert axis[0].text == "0:00"
    assert all(label.text.endswith(("0", "5")) and 0 <= label.x <= 100 for label in axis)


def test_marks_that_would_cover_each_other_stand_in_rows() -> None:
    keep = Keep("Ask first.", [evidence(25)])
    marks = timeline(example_scorecard(coaching=replace(COACHING, keep=keep)), TRANSCRIPT).marks
    at_once = [mark for mark in marks if mark.at_ms == UTTERANCES[25].start_ms]
    assert sorted(mark.sign for mark in at_once) == ["1", "K"]
    assert len({mark.row for mark in at_once}) == 2
    for row in {mark.row for mark in marks}:
        places = [mark.x for mark in marks if mark.row == row]
        assert all(after - before >= 7 for before, after in pairwise(places))


def test_four_numbers_come_first_and_others_only_out_of_their_range() -> None:
    assert [tile.name for tile in number_tiles(CARD)] == [
        "Talk share of the rep side (2 people)",
        "Longest monologue",
        "Questions",
        "Next step",
    ]
    fast = metric(230, "words_per_minute", band=MetricBand(100, 200, "example"), verdict="above")
    tiles = number_tiles(example_scorecard(metrics=METRICS | {"rep_words_per_minute": fast}))
    assert [tile.name for tile in tiles][4:] == ["Rep's talk speed"]
    assert (tiles[4].value, tiles[4].band) == ("230 per minute", "usual 100-200 per minute")


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


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 s"),
        (420, "420 ms"),
        (-300, "-300 ms"),
        (48_000, "48 s"),
        (59_999, "1 min"),
        (214_000, "3 min 34 s"),
        (3_900_000, "1 h 5 min"),
        (7_200_000, "2 h"),
    ],
)
def test_duration_has_its_units(duration_ms: int, text: str) -> None:
    assert duration(duration_ms) == text


def test_day_of_the_call() -> None:
    assert recorded_on(CARD) == "6 May 2026"
    assert recorded_on(example_scorecard(call=replace(CARD.call, recorded_at=None))) == ""


def test_headline_is_that_of_the_first_suggestion() -> None:
    found = headline(CARD.talk_listen, COACHING, metrics=METRICS, speakers=CARD.speakers)
    assert found.focus == (
        "When a customer says that the price is more than expected:"
        " ask what they compare it with before any explanation."
    )
    assert found.focus_at_ms == UTTERANCES[25].start_ms
    assert found.next_step == (
        'agreed: test at the north gate; the rep sends the checklist before, "well at gate 19"; both sides act'
    )
    assert found.talk == "Rep side (2 people) 63%, above the usual 35-50% of discovery calls."


def test_headline_of_a_suggestion_about_a_number_points_to_the_number() -> None:
    only = replace(COACHING, suggestions=[COACHING.suggestions[2]])
    assert headline(CARD.talk_listen, only, metrics=METRICS, speakers=CARD.speakers).focus_at_ms == 412_000


def test_only_words_of_a_cited_quote_stand_in_quotation_marks() -> None:
    step = replace(COACHING.next_step, when_words="on Friday", owner="nobody")
    assert next_step_text(step).endswith("before, on Friday")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("proposed", "proposed, not agreed"),
        ("none", "none was heard"),
        ("customer_declined", "the customer declined"),
        ("not_in_recording", "not in the recording"),
    ],
)
def test_next_step_without_an_action(status: str, text: str) -> None:
    step = replace(COACHING.next_step, status=status, action="", when_words="", evidence=[])
    assert next_step_text(step, with_moment=True) == text


def test_talk_sentence_says_why_it_does_not_judge() -> None:
    talk = replace(CARD.talk_listen, verdict="not_judged", not_judged_reason="share_extreme", rep_share=0.92)
    assert talk_sentence(talk) == ("Rep 92%, not judged: the share is so far out that the speakers may be mixed up.")
    assert talk_sentence(replace(talk, rep_share=None)) is None


SHIFT = (CARD.sentiment.shifts or [])[1] if CARD.sentiment else None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "a drop, about the offer or the rep (5 of 6 sentences negative; 4 of 74 elsewhere). Back to usual"),
        ({"about": "their_own_situation"}, "the customer described a problem (5 of 6"),
        ({"about": "third_party"}, "turned negative about somebody else"),
        (
            {"about": "unclear", "recovered": False},
            "turned negative (5 of 6 sentences negative; 4 of 74 elsewhere). Not",
        ),
        ({"strength": "possible", "about": "unclear"}, "perhaps turned negative"),
        ({"to": "positive", "from_": "negative"}, "recovered from a low"),
        ({"to": "positive"}, "turned positive (5 of 6 sentences positive"),
    ],
)
def test_shift_is_told_in_counts(changes: dict[str, Any], text: str) -> None:
    """Only a change about the offer or the rep is a drop."""
    assert SHIFT
    sentence = shift_sentence(replace(SHIFT, **changes))
    assert sentence.startswith("7:36 to 9:01: ")
    assert text in sentence
    assert ("drop" in sentence) is (not changes)


def test_words_of_a_shift_stand_once_and_in_order() -> None:
    assert SHIFT
    assert SHIFT.quote
    again = replace(evidence(25), text=SHIFT.quote.text[:20])
    assert shift_quotes(replace(SHIFT, evidence=[again, evidence(26), evidence(24)])) == [
        evidence(24),
        SHIFT.quote,
        evidence(26),
    ]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((12, 108, 9), "Mostly neutral: 108 of 129 sentences; 12 positive, 9 negative."),
        ((5, 6, 2), "Neutral: 6 of 13 sentences; 5 positive, 2 negative."),
        ((10, 40, 50), "Negative throughout: 50 of 100 sentences; 10 positive, 40 neutral."),
        ((0, 5, 4), "Mostly neutral: 5 of 9 sentences; 0 positive, 4 negative."),
        ((1, 0, 0), "Mostly positive: 1 of 1 sentence; 0 neutral, 0 negative."),
    ],
)
def test_wording_is_told_in_counts(counts: tuple[int, int, int], text: str) -> None:
    assert wording_sentence(SentimentCounts(*counts, None, None, None)) == text


def test_no_shift_is_said_or_explained() -> None:
    assert CARD.sentiment
    assert no_shift_sentence(replace(CARD.sentiment, shifts=[])) == "No clear change in the customer's wording."
    unknown = replace(CARD.sentiment, shifts=None, shifts_reason="too_few_rows")
    assert no_shift_sentence(unknown).endswith("the customer says too few sentences to tell a change from chance.")


def test_mentions_stand_in_the_order_of_the_call() -> None:
    found = [Mention("price", "customer", 1, 9000), Mention("competitor:Renewly", "rep", 2, 3000)]
    assert mention_line(found) == "Renewly by the rep 2 times, first at 0:03; price by the customer once, at 0:09"
    assert mention_line([Mention("price", "unassigned", 1, 9000)]) == "price once, at 0:09"


@pytest.mark.parametrize(
    ("found", "value", "band"),
    [
        (METRICS["longest_monologue"], "3 min 34 s", "up to 2 min 30 s"),
        (METRICS["questions"], "9", "11-14"),
        (METRICS["interruptions"], "not known", ""),
        (metric(0.25, "share", band=MetricBand(0.2, None, "x")), "25%", "at least 20%"),
        (metric(24.6, "per_5min"), "24.6", ""),
    ],
)
def test_metric_has_its_unit(found: Any, value: str, band: str) -> None:
    assert (metric_value(found), metric_band(found)) == (value, band)


def test_metric_says_where_it_comes_from() -> None:
    spans = [Span(60_000 * minute, 60_000 * minute + 9000, "A" if minute % 2 else "C") for minute in range(7)]
    assert metric_where(METRICS["longest_monologue"]) == "6:52 to 10:26, speaker A"
    assert metric_where(metric(60_000, "ms", spans=spans[:2])) == "0:00 to 1:09, speaker C and A"
    assert (
        metric_where(metric(7, "count", spans=spans)) == "at 0:00, 1:00, 2:00, 3:00, 4:00 and 2 more, speaker C and A"
    )
    assert metric_where(METRICS["questions"]) == ""


def test_what_is_not_known_is_grouped_by_its_reason() -> None:
    found = unknowns(CARDS["needs_roles"])
    assert [unknown.why for unknown in found] == ["the sides look swapped", "it is not sure who is the customer"]
    assert found[0].what[:2] == ["Talk share", "Longest monologue"]


@given(st.text(min_size=1, max_size=20))
def test_code_without_words_is_shown_as_it_is(code: str) -> None:
    assert words_for("behaviour", f"new_{code}") == f"new_{code}".replace("_", " ")


def test_number_and_unit_stay_on_one_line() -> None:
    """On a telephone the tiles and the table are narrow."""
    page = render_report(example_scorecard(), example_transcript())
    tiles = page.partition('<ul class="tiles">')[2].partition("</details>")[0]
    assert "3\u00a0min 34\u00a0s" in tiles
    assert not re.search(r"\d (h|min|s|ms)\b", re.sub("<p.*</p>", "", tiles))
