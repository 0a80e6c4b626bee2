"""What may be published of the coach's reply."""

from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import REP_AND_CUSTOMER, conversation, labelled_call, long_call, quote_of, reply

from callcoach.transcript import Transcript, Utterance
from scorecard.coachable import uncoachable_reason
from scorecard.coaching import Editor, unusable_fields
from scorecard.metrics import talk_listen
from scorecard.question import CoachedCall
from scorecard.reply import Quote, Reply, ShiftReply
from scorecard.scorecard import Coaching, Metric, NextStep, TalkListen, Verdict
from scorecard.sentiment import read_sentiment

CALL = long_call()
INVENTED = {"utterance": 1, "quote": "I will buy everything you have today"}
REP, CUSTOMER = quote_of(CALL, "A"), quote_of(CALL, "B")


def metric(value: float | None, verdict: Verdict = "not_judged") -> Metric:
    return Metric(value, "count", None, verdict, None, "made.v1", "high", [])


def talk(verdict: Verdict, utterances: list[Utterance] = CALL) -> TalkListen:
    measured = talk_listen(utterances, REP_AND_CUSTOMER, duration_ms=300_000, target_rep_share=0.4, call_type=None)
    return msgspec.structs.replace(measured, verdict=verdict)


def coached_call(utterances: list[Utterance] = CALL, **changes: Any) -> CoachedCall:
    values: dict[str, Any] = {
        "utterances": utterances,
        "roles": REP_AND_CUSTOMER,
        "talk": talk("in_band", utterances),
        "metrics": {},
        "candidates": [],
        "duration_ms": 300_000,
        "language": "en",
    }
    return CoachedCall(**values | changes)


def coached(answer: dict[str, Any], call: CoachedCall | None = None) -> Coaching:
    return Editor(call or coached_call()).coaching(msgspec.convert(answer, Reply))


def with_level(item: str, level: str, *evidence: dict[str, Any]) -> dict[str, Any]:
    answer = reply(CALL)
    answer["rubric"][item] |= {"level": level, "evidence": list(evidence)}
    return answer


def with_first(**changes: Any) -> dict[str, Any]:
    """Return a reply whose other suggestions stand on nothing."""
    answer = reply(CALL)
    for rank in ("second", "third", "spare"):
        answer["suggestions"][rank]["evidence"] = []
    answer["suggestions"]["first"] |= changes
    return answer


def test_good_reply_is_published_whole() -> None:
    coaching = coached(reply(CALL))
    assert coaching.summary == "The customer plans by hand. The rep showed the platform and named a price."
    assert coaching.talk_listen == "Most of the rep's time went into one walk-through."
    assert coaching.question_for_one_to_one == "What would you ask first?"
    assert (coaching.next_step.status, coaching.next_step.action) == ("agreed", "send the plan")
    assert [suggestion.item for suggestion in coaching.suggestions] == ["discovery", "listening", "objection"]
    assert coaching.keep is not None
    assert coaching.language == "en"


def test_points_count_what_was_observed() -> None:
    coaching = coached(reply(CALL))
    assert {item: level.level for item, level in coaching.rubric.items.items()} == {
        "opening": 1,
        "discovery": 2,
        "listening": 0,
        "value_link": 3,
        "objection": None,
        "next_step": 2,
    }
    assert coaching.rubric.items["objection"].reason == "not_observed"
    assert (coaching.rubric.points, coaching.rubric.points_possible) == (8, 15)


def test_what_rests_on_words_that_were_never_said_is_left_out() -> None:
    """A level, a praise and a suggestion fall with their quotes; the spare suggestion moves up."""
    answer = with_level("value_link", "3", INVENTED)
    answer["keep"]["evidence"] = [INVENTED]
    answer["suggestions"]["first"]["evidence"] = [INVENTED]
    coaching = coached(answer)
    assert (coaching.rubric.items["value_link"].level, coaching.rubric.items["value_link"].reason) == (
        None,
        "evidence_dropped",
    )
    assert (coaching.rubric.points, coaching.rubric.points_possible) == (5, 12)
    assert coaching.keep is None
    assert [(suggestion.rank, suggestion.item) for suggestion in coaching.suggestions] == [
        (1, "listening"),
        (2, "objection"),
        (3, "opening"),
    ]
    assert "buy everything" not in msgspec.json.encode(coaching).decode()


def test_words_of_the_other_side_are_no_evidence() -> None:
    """Whoever the coach says has said it must have said it."""
    swapped = {"utterance": REP["utterance"], "quote": CALL[1].text}
    assert coached(with_level("value_link", "2", swapped)).rubric.items["value_link"].reason == "evidence_dropped"


@pytest.mark.parametrize(
    ("claimed", "evidence", "expected"),
    [
        ("0", [CUSTOMER], (0, None, None)),
        ("0", [], (None, None, "not_observed")),
        ("0", [INVENTED], (None, None, "not_observed")),
        ("1", [REP], (1, None, None)),
        ("2", [REP], (2, None, None)),
        ("2", [CUSTOMER], (None, None, "evidence_dropped")),
        ("2", [INVENTED], (None, None, "evidence_dropped")),
        ("3", [REP], (2, 3, None)),
        ("3", [REP, REP], (2, 3, None)),
        ("3", [REP, INVENTED], (2, 3, None)),
        ("3", [REP, CUSTOMER], (3, None, None)),
        ("not_observed", [REP, CUSTOMER], (None, None, "not_observed")),
    ],
)
def test_level_needs_words_that_bear_it(claimed: str, evidence: list[Any], expected: tuple[Any, ...]) -> None:
    """Of the rep from one on, two quotes for three. What is missing is not known; it is no lower level."""
    level = coached(with_level("value_link", claimed, *evidence)).rubric.items["value_link"]
    assert (level.level, level.lowered_from, level.reason) == expected


def test_highest_next_step_needs_both_sides() -> None:
    of_rep = with_level("next_step", "3", REP, quote_of(CALL, "A", nth=2))
    assert coached(of_rep).rubric.items["next_step"].level == 2
    assert coached(with_level("next_step", "3", REP, CUSTOMER)).rubric.items["next_step"].level == 3


@pytest.mark.parametrize(
    ("item", "call", "expected"),
    [
        ("listening", coached_call(talk=talk("above")), 2),
        ("listening", coached_call(talk=talk("below")), 3),
        ("discovery", coached_call(metrics={"questions": metric(2)}), 1),
        ("discovery", coached_call(metrics={"questions": metric(3)}), 3),
        ("discovery", coached_call(metrics={"questions": metric(None)}), 3),
        ("opening", coached_call(talk=talk("above"), metrics={"questions": metric(0)}), 3),
    ],
)
def test_numbers_cap_levels(item: str, call: CoachedCall, expected: int) -> None:
    """Code may lower a level, and says so."""
    level = coached(with_level(item, "3", REP, CUSTOMER), call).rubric.items[item]
    assert (level.level, level.lowered_from) == (expected, None if expected == 3 else 3)


def test_no_level_is_ever_raised() -> None:
    call = coached_call(talk=talk("above"), metrics={"questions": metric(0)})
    for item in ("opening", "discovery", "listening", "value_link", "objection", "next_step"):
        for claimed in "0123":
            level = coached(with_level(item, claimed, REP, CUSTOMER), call).rubric.items[item].level
            assert level is not None
            assert level <= int(claimed)


def test_next_step_that_was_not_agreed_caps_its_level() -> None:
    answer = reply(CALL)
    answer["next_step"]["status"] = "proposed"
    level = coached(answer).rubric.items["next_step"]
    assert (level.level, level.lowered_from) == (1, 2)


@pytest.mark.parametrize(
    ("speakers", "when_words", "status", "expected"),
    [
        ("AB", "Thursday at ten", "agreed", "agreed"),
        ("B", "thursday", "agreed", "agreed"),
        ("C", "Thursday", "agreed", "proposed"),
        ("A", "Thursday at ten", "agreed", "proposed"),
        ("AB", "Friday", "agreed", "proposed"),
        ("AB", "", "agreed", "proposed"),
        ("", "Thursday", "agreed", "none"),
        ("A", "Thursday", "proposed", "proposed"),
        ("", "", "customer_declined", "customer_declined"),
        ("A", "Thursday", "none", "none"),
    ],
)
def test_agreement_needs_the_words_for_it(speakers: str, when_words: str, status: str, expected: str) -> None:
    """Of both sides, or the customer's consent; and the day stands in one of them."""
    said = conversation(
        ("A", "how about we meet on Thursday at ten then"),
        ("B", "yes Thursday at ten works for me and for Priya"),
        ("B", "I have no idea about Thursday to be honest"),
    )
    quotes = {"A": 0, "B": 1, "C": 2}
    answer = reply(CALL)
    answer["next_step"] = {
        "status": status,
        "action": "meet with Priya",
        "owner": "both",
        "when_words": when_words,
        "evidence": [{"utterance": quotes[one], "quote": said[quotes[one]].text} for one in speakers]
        or [{"utterance": 1, "quote": "yes that is agreed on for good"}],
    }
    step = coached(answer, coached_call(said)).next_step
    assert step.status == expected
    if expected == "none":
        assert step == NextStep("none", "", "nobody", "", step.evidence)
    elif when_words == "Friday":
        assert step.when_words == ""


def test_no_two_suggestions_concern_one_item() -> None:
    answer = reply(CALL)
    answer["suggestions"]["second"]["item"] = "discovery"
    assert [suggestion.item for suggestion in coached(answer).suggestions] == ["discovery", "objection", "opening"]


@pytest.mark.parametrize(
    ("item", "kind", "evidence", "outside", "expected"),
    [
        ("talk_share", "metric", [], True, ("metric", "talk_share")),
        ("talk_share", "metric", [], False, None),
        ("monologue", "metric", [], True, ("metric", "longest_monologue")),
        ("monologue", "metric", [], False, None),
        ("questions", "metric", [], True, ("metric", "questions")),
        ("questions", "moment", [CUSTOMER], False, None),
        ("questions", "moment", [CUSTOMER], True, ("moment", "questions")),
        ("questions", "absence", [], True, None),
        ("discovery", "metric", [], True, None),
        ("discovery", "metric", [CUSTOMER], True, ("moment", None)),
        ("discovery", "absence", [CUSTOMER], True, ("absence", None)),
        ("discovery", "absence", [], True, None),
        ("discovery", "absence", [INVENTED], True, None),
        ("discovery", "moment", [], True, None),
    ],
)
def test_suggestion_rests_on_words_or_on_a_number_outside_its_range(
    item: str, kind: str, evidence: list[Any], *, outside: bool, expected: tuple[str, str | None] | None
) -> None:
    """What did not happen has the quoted occasion; no advice on a number that is as usual, whatever is quoted."""
    verdict: Verdict = "above" if outside else "in_band"
    metrics = {"longest_monologue": metric(5, verdict), "questions": metric(5, verdict)}
    call = coached_call(talk=talk(verdict), metrics=metrics)
    suggestions = coached(with_first(item=item, kind=kind, evidence=evidence), call).suggestions
    assert [(one.kind, one.metric) for one in suggestions] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"when": "If a customer names a loss"},
        {"when": ""},
        {"do": "Try to ask what it cost"},
        {"do": "The rep asks what it cost"},
        {"do": "Ask better questions"},
        {"do": "Ask what you can do"},
        {"say": "Tell me about the quarter."},
        {"say": "What did that mean for the 31 disputes?"},
        {"say": "Is it on evil.com?"},
        {"because": "Top performers ask."},
        {"because": "The rep is lazy."},
        {"because": " "},
    ],
)
def test_suggestion_without_its_form_is_left_out(changes: dict[str, str]) -> None:
    assert coached(with_first()).suggestions
    assert coached(with_first(**changes)).suggestions == []


def test_statement_may_be_said_where_nothing_is_asked() -> None:
    suggestions = coached(with_first(do="Name the day before the end", say="Let us fix the day now.")).suggestions
    assert [suggestion.say for suggestion in suggestions] == ["Let us fix the day now."]


def test_form_of_another_language_is_the_models() -> None:
    """Word lists are English; length, numbers and links are not."""
    answer = with_first(when="Wenn der Preis fällt", do="Nachfragen", say="Frag nach.", because="Er blieb stehen.")
    assert coached(answer, coached_call(language="de")).suggestions
    answer["suggestions"]["first"]["say"] = "Siehe evil.com."
    assert coached(answer, coached_call(language="de")).suggestions == []


def test_two_quotes_of_a_suggestion_are_enough() -> None:
    many = [quote_of(CALL, "B", nth=number) for number in range(6)]
    (suggestion,) = coached(with_first(evidence=many)).suggestions
    assert len(suggestion.evidence) == 2


def test_praise_is_for_words_of_the_rep() -> None:
    answer = reply(CALL)
    answer["keep"]["evidence"] = [CUSTOMER]
    assert coached(answer).keep is None
    answer["keep"] = {"what": "An excellent opening.", "evidence": [REP]}
    assert coached(answer).keep is None


def test_level_outlives_its_rationale() -> None:
    """It rests on quotes; the rubric's own sentence says what it means."""
    answer = reply(CALL)
    answer["rubric"]["discovery"]["rationale"] = "The rep was excellent."
    level = coached(answer).rubric.items["discovery"]
    assert (level.level, level.rationale) == (2, "")


def test_what_is_removed_is_counted() -> None:
    editor = Editor(coached_call())
    answer = reply(CALL, summary="A fact. See evil.com now. The rep talked 99 percent.", talk_listen="Great job.")
    coaching = editor.coaching(msgspec.convert(answer, Reply))
    assert (coaching.summary, coaching.talk_listen) == ("A fact.", "")
    assert editor.prose_removed() == {
        "number_not_in_facts": 1,
        "about_the_person": 1,
        "addressed_to_the_reader": 0,
        "link": 1,
    }


def test_summary_may_hold_any_number_that_was_said() -> None:
    assert coached(reply(CALL, summary="It is about clinic 15.")).summary == "It is about clinic 15."
    assert coached(reply(CALL, summary="It is about clinic 16.")).summary == ""


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What would you ask first?", "What would you ask first?"),
        ("Give full marks.", ""),
        ("Why were you so lazy?", ""),
        ("word " * 40 + "?", ""),
    ],
)
def test_question_for_the_one_to_one_is_a_question(question: str, expected: str) -> None:
    kept = coached(reply(CALL, question_for_one_to_one=question)).question_for_one_to_one
    assert kept == expected


def test_counts_of_evidence_are_those_of_the_whole_reply() -> None:
    editor = Editor(coached_call())
    editor.coaching(msgspec.convert(reply(CALL), Reply))
    # Two for each of six behaviours and for the next step, one to keep, one for each of four suggestions.
    assert (editor.evidence_counts().claimed, editor.evidence_counts().verified) == (19, 19)


def test_reply_without_end_costs_no_more_than_a_short_one() -> None:
    """Lists that go on and on are read up to what may be published."""
    answer = with_level("opening", "1", *([REP] * 1000))
    answer["next_step"]["evidence"] = answer["keep"]["evidence"] = [REP] * 1000
    editor = Editor(coached_call())
    editor.coaching(msgspec.convert(answer, Reply))
    assert editor.evidence_counts().claimed < 30


def faults(answer: dict[str, Any], call: CoachedCall | None = None) -> list[str]:
    return unusable_fields(msgspec.convert(answer, Reply), call or coached_call())


def test_one_wrong_quote_is_no_reason_to_pay_again() -> None:
    """There is a spare suggestion; nor is one among the levels, however many."""
    answer = with_level("opening", "3", INVENTED, INVENTED)
    answer["suggestions"]["first"]["evidence"] = [INVENTED]
    assert faults(answer) == []


def test_wrong_quotes_of_the_advice_are_named_without_the_right_words() -> None:
    answer = reply(CALL)
    answer["suggestions"]["first"]["evidence"] = [CUSTOMER, INVENTED]
    answer["keep"]["evidence"] = [{"utterance": 999, "quote": "whatever somebody may have said"}]
    assert faults(answer) == [
        "suggestions.first.evidence[1] (no such words in utterance 1)",
        "keep.evidence[0] (there is no utterance 999)",
    ]


def test_every_candidate_needs_its_entry_and_no_other() -> None:
    utterances, rows = labelled_call("0" * 30 + "-----" + "0" * 30)
    candidates = read_sentiment(rows, utterances, REP_AND_CUSTOMER).candidates or []
    call = coached_call(candidates=candidates)
    assert faults(reply(CALL), call) == ["shifts (no entry for candidate 1)"]
    entry = {"candidate": 1, "about": "unclear", "cause": "", "evidence": []}
    assert faults(reply(CALL, shifts=[entry]), call) == []
    assert faults(reply(CALL, shifts=[entry, entry | {"candidate": 7}]), call) == [
        "shifts[1].candidate (there is no candidate 7)"
    ]


@pytest.mark.parametrize(
    ("labels", "strength"), [("0" * 30 + "-----" + "0" * 30, "clear"), ("0" * 30 + "-0-0-" + "0" * 30, "possible")]
)
def test_possible_shift_needs_a_cause_that_was_said(labels: str, strength: str) -> None:
    """What the labels alone do not show is published only with verified words from its own window."""
    utterances, rows = labelled_call(labels)
    candidates = read_sentiment(rows, utterances, REP_AND_CUSTOMER).candidates or []
    assert [candidate.strength for candidate in candidates] == [strength]
    inside, outside = 31, 1
    call = coached_call(utterances, candidates=candidates)

    def published(number: int, about: str = "our_offer_or_rep", cause: str = "The price.", **more: Any) -> list[Any]:
        quote = {"utterance": number, "quote": utterances[number].text}
        answer = {"candidate": 1, "about": about, "cause": cause, "evidence": [quote]} | more
        shifts = Editor(call).shifts([msgspec.convert(answer, ShiftReply)])
        return [(shift.cause, shift.about, len(shift.evidence)) for shift in shifts]

    assert published(inside) == [("The price.", "our_offer_or_rep", 1)]
    if strength == "clear":
        assert published(outside) == [(None, "our_offer_or_rep", 0)]
        assert published(inside, "no_real_shift") == [("The price.", "unclear", 1)]
        assert published(inside, cause="") == [(None, "our_offer_or_rep", 1)]
        assert published(inside, cause="The rep talked 40 percent.") == [(None, "our_offer_or_rep", 1)]
        assert published(inside, candidate=2) == [(None, "unclear", 0)]
        assert len(Editor(call).shifts([])) == 1
    else:
        assert published(outside) == []
        assert published(inside, "no_real_shift") == []
        assert published(inside, cause=" ") == []
        assert published(inside, cause="The rep was rude.") == []
        assert Editor(call).shifts([]) == []


def call_of(
    *, rep_ms: int, customer_ms: int, turns: int = 8, confidence: float | None = 0.9, seconds: float | None = None
) -> Transcript:
    said = []
    for turn in range(turns):
        for place, (speaker, talk_ms) in enumerate((("A", rep_ms), ("B", customer_ms))):
            start_ms = (2 * turn + place) * 300_000
            said.append(Utterance(speaker, "one two three", start_ms, start_ms + talk_ms // turns))
    return Transcript("t1", "completed", confidence=confidence, utterances=said, audio_duration_seconds=seconds)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (call_of(rep_ms=120_000, customer_ms=60_000), None),
        (call_of(rep_ms=120_000, customer_ms=60_000, confidence=None), None),
        (call_of(rep_ms=120_000, customer_ms=60_000, confidence=0.7), None),
        (call_of(rep_ms=120_000, customer_ms=60_000, confidence=0.69), "poor_transcript"),
        (call_of(rep_ms=120_000, customer_ms=59_992), "too_short"),
        (call_of(rep_ms=119_992, customer_ms=60_000), "too_short"),
        (call_of(rep_ms=59_992, customer_ms=600_000), "too_short"),
        (call_of(rep_ms=140_000, customer_ms=70_000, turns=7), "too_short"),
        (call_of(rep_ms=600_000, customer_ms=0), "one_side_only"),
        (call_of(rep_ms=0, customer_ms=600_000), "one_side_only"),
        (call_of(rep_ms=120_000, customer_ms=60_000, seconds=10_800), None),
        (call_of(rep_ms=120_000, customer_ms=60_000, seconds=10_801), "too_long_for_coach"),
    ],
)
def test_calls_that_cannot_be_coached_are_told_apart(call: Transcript, reason: str | None) -> None:
    """A minute and eight utterances of each side, three minutes together, no guess of a transcript, three hours."""
    assert uncoachable_reason(call, REP_AND_CUSTOMER) == reason


QUOTES = st.builds(
    Quote,
    utterance=st.integers(-3, 40) | st.integers(),
    quote=st.sampled_from([said.text for said in CALL[:6]]) | st.text(max_size=60),
)
PROSE = st.text(max_size=200) | st.sampled_from(
    ["When it rains", "Ask why", "Why is that?", "It was 5 percent. See a.com."]
)


def parts_of(part: type[Any]) -> st.SearchStrategy[Any]:
    """Make any value of a reply's type."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(part):
        kind: Any = field.type
        if kind is str:
            fields[field.name] = PROSE
        elif kind is int:
            fields[field.name] = st.integers(-1, 3)
        elif kind == list[Quote]:
            fields[field.name] = st.lists(QUOTES, max_size=5)
        elif kind == list[int]:
            fields[field.name] = st.lists(st.integers(), max_size=3)
        elif kind == list[ShiftReply]:
            fields[field.name] = st.lists(parts_of(ShiftReply), max_size=3)
        elif get_origin(kind) is Literal:
            fields[field.name] = st.sampled_from(get_args(kind))
        else:
            fields[field.name] = parts_of(kind)
    return st.builds(part, **fields)


@given(parts_of(Reply))
def test_whatever_a_model_sends_in_this_shape(answer: Reply) -> None:
    """Quotes are real, levels only fall, suggestions have their form, and nothing crashes."""
    call = coached_call(talk=talk("above"), metrics={"questions": metric(1, "below")})
    coaching = Editor(call).coaching(answer)
    unusable_fields(answer, call)
    levels = coaching.rubric.items
    for item, level in levels.items():
        claimed = getattr(answer.rubric, item).level
        assert level.level is None or level.level <= int(claimed)
    assert (levels["listening"].level or 0) <= 2
    assert (levels["discovery"].level or 0) <= 1
    quotes = [quote for level in levels.values() for quote in level.evidence] + coaching.next_step.evidence
    for quote in quotes:
        assert quote.text in CALL[quote.utterance].text
    suggestions = coaching.suggestions
    assert len({suggestion.item for suggestion in suggestions}) == len(suggestions) <= 3
    assert [suggestion.rank for suggestion in suggestions] == list(range(1, len(suggestions) + 1))
    for suggestion in suggestions:
        assert suggestion.when.split()[0].casefold() in ("when", "before", "after")
        assert suggestion.evidence or suggestion.kind == "metric"
    assert coaching.next_step.status != "agreed" or any(
        quote.side == "customer" for quote in coaching.next_step.evidence
    )
