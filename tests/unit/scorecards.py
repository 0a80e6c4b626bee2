"""A scorecard in which everything is filled, and its transcript: what the page and the e-mail are tried with."""

from collections.abc import Collection
from typing import Any

import msgspec
from tests.unit.examples import conversation, rows_of

from callcoach.documents import Notice
from callcoach.transcript import SentimentRow, Transcript, Utterance
from scorecard.scorecard import (
    Band,
    Call,
    Coaching,
    CostUsd,
    Evidence,
    EvidenceCounts,
    Headline,
    Keep,
    Mention,
    Metric,
    MetricBand,
    NextStep,
    Roles,
    RoleSignals,
    RowCounts,
    Rubric,
    RubricLevel,
    Run,
    Scorecard,
    Sentiment,
    SentimentBySide,
    SentimentCounts,
    Shift,
    ShiftQuote,
    Side,
    Span,
    Speaker,
    Suggestion,
    TalkListen,
    Tally,
    TurnScores,
    TurnScoresBySide,
)

SIDES: dict[str, Side] = {"A": "rep", "B": "customer", "C": "rep", "D": "unassigned"}
# The words of this many customer's sentences are labelled positive, neutral and negative.
_LABELS = "0+0-0000-0+0--0-0+00"


def example_utterances() -> list[Utterance]:
    """Return 20 rounds of one minute: the rep explains, the customer answers."""
    turns = []
    for number in range(20):
        turns.append(
            ("C" if number in (7, 8) else "A", f"so in step {number} " + "every truck gets a slot at the gate " * 6)
        )
        turns.append(("B", f"well at gate {number} " + "we still wait for the paper of the driver " * 3))
    turns.append(("D", "the meeting room is booked from now on sorry"))
    return conversation(*turns, pause_ms=1500)


UTTERANCES = example_utterances()


def _rows() -> list[SentimentRow]:
    names = {"+": "POSITIVE", "-": "NEGATIVE", "0": "NEUTRAL"}
    customer = [said for said in UTTERANCES if said.speaker == "B"]
    rep = [said for said in UTTERANCES if said.speaker == "A"]
    return rows_of(customer, [names[sign] for sign in _LABELS]) + rows_of(rep, ["NEGATIVE"] * len(rep))


def example_transcript(**changes: Any) -> Transcript:
    """Return the transcript that example_scorecard() is about."""
    values: dict[str, Any] = {
        "id": "4d0c9a54-11f2-4e0b-9f38-0a0f6f3a5b9c",
        "status": "completed",
        "audio_duration_seconds": -(-UTTERANCES[-1].end_ms // 1000),
        "confidence": 0.93,
        "language_code": "en_us",
        "utterances": UTTERANCES,
        "sentiment_rows": _rows(),
    }
    return Transcript(**values | changes)


def evidence(number: int, words: int = 9) -> Evidence:
    """Quote the first words of an utterance."""
    said = UTTERANCES[number]
    text = " ".join(said.text.split()[:words])
    return Evidence(
        number, said.speaker, SIDES[said.speaker], said.start_ms, said.words[words - 1].end_ms, text, "verified"
    )


def metric(value: float | None, unit: str, **changes: Any) -> Metric:
    """Return a metric without a band."""
    whole: dict[str, Any] = {
        "band": None,
        "verdict": "not_judged",
        "reason": None,
        "definition": "example.v1",
        "confidence": "high",
        "spans": [],
    }
    return Metric(value=value, unit=unit, **whole | changes)


def _band(low: float | None, high: float | None) -> MetricBand:
    return MetricBand(low=low, high=high, source="bands.toml#discovery")


METRICS = {
    "longest_monologue": metric(
        214_000, "ms", band=_band(None, 150_000), verdict="above", spans=[Span(412_000, 626_000, "A")]
    ),
    "longest_customer_story": metric(71_000, "ms", spans=[Span(288_000, 359_000, "B")]),
    "questions": metric(9, "count", band=_band(11, 14), verdict="below"),
    "questions_per_hour": metric(16.8, "per_hour"),
    "open_questions": metric(5, "count"),
    "engaging_questions": metric(2, "count"),
    "switches_per_5min": metric(24.6, "per_5min"),
    "patience": metric(420, "ms", n=61),
    "rep_words_per_minute": metric(161, "words_per_minute"),
    "customer_words_per_minute": metric(148, "words_per_minute"),
    "silence": metric(38_000, "ms", n=6),
    "interruptions": metric(None, "count", reason="one_channel", confidence="none"),
    "fillers_per_100_words": metric(None, "per_100_words", reason="disfluencies_off", confidence="none"),
}


def _shift(number: int, about: str, strength: Any, first: int, last: int, **changes: Any) -> Shift:
    said = UTTERANCES[first]
    quote = ShiftQuote(first, "B", said.start_ms, said.end_ms, " ".join(said.text.split()[:12]))
    whole: dict[str, Any] = {
        "from_": "neutral",
        "to": "negative",
        "recovered": True,
        "cause": "The yearly price comes before it is known what it is compared with.",
        "evidence": [evidence(first - 1)],
    }
    return Shift(
        id=f"s{number}",
        strength=strength,
        at_ms=said.start_ms,
        until_ms=UTTERANCES[last].end_ms,
        rows=6,
        polar_rows=5,
        elsewhere=Tally(74, 4),
        expected_by_chance=0.011,
        about=about,
        quote=quote,
        definition="sentiment.episodes_llr.v1",
        **whole | changes,
    )


def _level(level: int | None, **changes: Any) -> RubricLevel:
    whole: dict[str, Any] = {
        "occasion": "the waiting at the gate",
        "rationale": "One question builds on an answer; what the waiting costs is not asked.",
        "evidence": [evidence(2), evidence(3)],
        "lowered_from": None,
        "reason": None,
    }
    return RubricLevel(level=level, **whole | changes)


COACHING = Coaching(
    language="en",
    summary=(
        "Birch Freight lets its drivers wait at two gates because papers are checked by hand. The rep side showed slots"
        " and the gate screen and named a yearly price, which the customer found high. Both agreed to a test."
    ),
    talk_listen="Most of the rep side's time went into one walk-through before the customer had described the waiting.",
    next_step=NextStep(
        status="agreed",
        action="test at the north gate; the rep sends the checklist before",
        owner="both",
        when_words="well at gate 19",
        evidence=[evidence(38), evidence(39)],
    ),
    keep=Keep(what="Tie a screen to the case that the customer told about.", evidence=[evidence(14)]),
    suggestions=[
        Suggestion(
            rank=1,
            item="objection",
            kind="moment",
            when="When a customer says that the price is more than expected",
            do="Ask what they compare it with before any explanation",
            say="Help me understand, more than you expected compared with what?",
            because="The doubt was about one gate; the list of contents did not answer it.",
            evidence=[evidence(25), evidence(26)],
            metric=None,
        ),
        Suggestion(
            rank=2,
            item="discovery",
            kind="absence",
            when="When a customer names a loss",
            do="Ask what it cost and who noticed, then wait",
            say="What did the waiting mean for the quarter, and who had to explain it?",
            because="The cost was never said, so the price had nothing to stand against.",
            evidence=[evidence(7)],
            metric=None,
        ),
        Suggestion(
            rank=3,
            item="monologue",
            kind="metric",
            when="Before a second screen is shown",
            do="Stop and ask which part of the first one they would use",
            say="Before I go on, which of these would your gate use on a Monday?",
            because="The longest walk-through ran without a question.",
            evidence=[],
            metric="longest_monologue",
        ),
    ],
    rubric=Rubric(
        version="1",
        points=9,
        points_possible=15,
        items={
            "opening": _level(2),
            "discovery": _level(2, lowered_from=3),
            "listening": _level(1),
            "value_link": _level(None, reason="not_observed", evidence=[]),
            "objection": _level(1),
            "next_step": _level(3),
        },
    ),
    question_for_one_to_one="If the minute before the price came again, what would be the first question?",
)


def example_scorecard(**changes: Any) -> Scorecard:
    """Return a complete scorecard; changes replace whole parts of it."""
    whole: dict[str, Any] = {
        "schema_version": 1,
        "status": "complete",
        "status_reason": None,
        "headline": Headline(
            focus="When a customer says that the price is more than expected: ask what they compare it with.",
            focus_at_ms=UTTERANCES[25].start_ms,
            next_step="agreed: test at the north gate",
            talk="Rep side (2 people) 63%, above the usual 35-50% of discovery calls.",
        ),
        "call": Call(
            recording="nora-lind/birch_discovery_2026-05-06.mp3",
            recording_etag="9b2cf535f27731c974343645a3985328",
            transcript_id="4d0c9a54-11f2-4e0b-9f38-0a0f6f3a5b9c",
            recorded_at="2026-05-06T14:00:00Z",
            recorded_at_source="path",
            duration_seconds=-(-UTTERANCES[-1].end_ms // 1000),
            language="en_us",
            language_confidence=0.98,
            speech_model="universal-3-pro",
            channels=1,
            transcript_confidence=0.93,
            rep="Nora Lind",
            customer="Birch Freight",
            team="North",
            call_type="discovery",
            call_type_source="path",
        ),
        "roles": Roles(
            mapping=SIDES,
            source="identification",
            signals=RoleSignals(identification="success", text_margin=11, coach="agree"),
            unassigned_share=0.0112,
            needs_review=False,
            reasons=[],
        ),
        "speakers": [
            Speaker("A", "rep", 901_200, 0.5391, 2410, 18),
            Speaker("B", "customer", 611_500, 0.3659, 1560, 20),
            Speaker("C", "rep", 140_000, 0.0838, 380, 2),
            Speaker("D", "unassigned", 18_700, 0.0112, 41, 1),
        ],
        "talk_listen": TalkListen(
            rep_ms=1_041_200,
            customer_ms=611_500,
            rep_share=0.63,
            customer_share=0.37,
            rep_share_of_call=0.5384,
            rep_share_of_words=0.6414,
            target_rep_share=0.4,
            band=Band(low=0.35, high=0.5, kind="discovery", source="bands.toml#discovery"),
            verdict="above",
            not_judged_reason=None,
            definition="talk_share.turn_union.v1",
            by_quarter_rep_share=[0.52, 0.61, 0.74, None],
        ),
        "metrics": METRICS,
        "mentions": [
            Mention("price", "rep", 4, 1_096_000),
            Mention("competitor:Gatewise", "customer", 1, 1_320_000),
        ],
        "sentiment": Sentiment(
            what="AssemblyAI's label of each sentence's wording; not the person's feelings",
            rows=RowCounts(312, 305, 7, 21),
            by_role=SentimentBySide(
                rep=SentimentCounts(77, 133, 66, 0.2790, 0.4819, 0.2391),
                customer=SentimentCounts(12, 108, 9, 0.0810, 0.8340, 0.0850),
            ),
            aws_style_score=TurnScoresBySide(
                rep=TurnScores(1.3, [1.7, 0.9, 0.6, 1.8]),
                customer=TurnScores(0.1, [0.8, 0.4, -1.6, None]),
                definition="sentiment.aws_style_turns.v1",
            ),
            shifts=[
                _shift(1, "their_own_situation", "clear", 7, 9),
                _shift(2, "our_offer_or_rep", "clear", 25, 29),
                _shift(3, "unclear", "possible", 33, 35, to="positive", from_="negative", cause=None, evidence=[]),
            ],
            shifts_reason=None,
            usable_customer_rows=80,
        ),
        "coaching": COACHING,
        "evidence": EvidenceCounts(17, 15, 1, 1, {"not_found": 1}, "evidence.token_align.v1"),
        "warnings": [Notice("speaker_without_role", "Speaker D (1% of the speech) is in neither side.")],
        "run": Run(
            coach_model="claude-sonnet-4-6",
            coach_attempts=1,
            finish_reason="end_turn",
            prompt_version="1",
            prompt_sha256="0" * 64,
            rubric_sha256="1" * 64,
            settings_sha256="2" * 64,
            transcript_sha256="3" * 64,
            reply_sha256="4" * 64,
            input_tokens=24_310,
            output_tokens=1480,
            prose_removed={"link": 0},
            cost_usd=CostUsd(
                transcription=0.1451,
                transcription_reason=None,
                coaching=0.1046,
                coaching_reason=None,
                price_list="2026-11-26",
            ),
        ),
    }
    return Scorecard(**whole | changes)


def without_coaching(reason: str, **changes: Any) -> Scorecard:
    """Return the same call with numbers only."""
    card = example_scorecard(
        status="numbers_only",
        status_reason=reason,
        coaching=None,
        evidence=None,
        headline=Headline(None, None, None, None),
    )
    return msgspec.structs.replace(card, **changes)


def with_doubtful_roles() -> Scorecard:
    """Return the same call with numbers per speaker only."""
    card = without_coaching("roles_contradict", status="needs_roles")
    assert card.sentiment
    unknown: dict[str, Any] = {"value": None, "verdict": "not_judged", "reason": "roles_contradict", "spans": []}
    return msgspec.structs.replace(
        card,
        roles=msgspec.structs.replace(card.roles, needs_review=True, reasons=["text_contradicts", "coach_contradicts"]),
        talk_listen=msgspec.structs.replace(
            card.talk_listen,
            rep_ms=None,
            customer_ms=None,
            rep_share=None,
            customer_share=None,
            rep_share_of_call=None,
            rep_share_of_words=None,
            verdict="not_judged",
            not_judged_reason="roles_contradict",
            by_quarter_rep_share=None,
        ),
        metrics={name: msgspec.structs.replace(one, **unknown) for name, one in card.metrics.items()},
        mentions=None,
        sentiment=msgspec.structs.replace(
            card.sentiment, by_role=None, aws_style_score=None, shifts=None, shifts_reason="roles_doubtful"
        ),
    )


# Fields whose texts come from a fixed list, and the key, which is only ever shown quoted.
FIXED = frozenset(
    """
    status status_reason side role source verdict not_judged_reason check strength from to about kind item for owner
    recorded_at recorded_at_source call_type_source unit reason transcript_id definition metric confidence
    """.split()  # noqa: SIM905 - a list would take a page
)


def spoken_by(card: Scorecard, text: str, times: int = 1, *, fixed: Collection[str] = FIXED) -> Scorecard:
    """Return a card in which everybody says, types and writes the same, and every list is that much longer."""

    def replaced(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: replaced(child, key) for key, child in value.items()}
        if isinstance(value, list):
            return [replaced(child, name) for child in value] * times
        return text if isinstance(value, str) and name not in fixed else value

    plain = msgspec.to_builtins(card)
    kept = {"mapping": plain["roles"]["mapping"]}
    changed = replaced(plain)
    changed["roles"] |= kept
    return msgspec.convert(changed, Scorecard)
