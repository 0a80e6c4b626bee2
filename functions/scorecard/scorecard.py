"""The scorecard as it is published: scorecards/<recording key>.json, schema_version 1.

Units are in the names: _ms milliseconds, _seconds, _share 0-1 with four decimals. What is null has its reason beside
it. No clock and no random value of ours is in it: the same transcript, settings and coach's reply give the same bytes.
Adding a field keeps the version; renaming, removing, or changing what one means makes the next.
"""

from typing import Literal

import msgspec

from callcoach.documents import Notice

SCHEMA_VERSION = 1

Side = Literal["rep", "customer", "unassigned"]
Status = Literal["complete", "numbers_only", "needs_roles"]
Verdict = Literal["below", "in_band", "above", "not_judged"]
Polarity = Literal["negative", "positive"]


class Headline(msgspec.Struct, frozen=True):
    """The first lines of the e-mail, written by code; None where there is nothing to say."""

    focus: str | None
    focus_at_ms: int | None
    next_step: str | None
    talk: str | None


class Call(msgspec.Struct, frozen=True):
    """What is known about the call. rep, customer, team and type are null when nobody said; never guessed."""

    recording: str
    recording_etag: str | None
    transcript_id: str
    recorded_at: str | None
    recorded_at_source: Literal["metadata", "path", "object"] | None
    duration_seconds: int
    language: str | None
    language_confidence: float | None
    speech_model: str | None
    channels: int
    transcript_confidence: float | None
    rep: str | None
    customer: str | None
    team: str | None
    call_type: str | None
    call_type_source: Literal["metadata", "path", "override", "default"]


class RoleSignals(msgspec.Struct, frozen=True):
    """What says who is who.

    text_margin: points by which the words speak for the identification, null where they cannot be weighed.
    coach: the language model's own reading.
    """

    identification: str
    text_margin: int | None
    coach: str | None


class Roles(msgspec.Struct, frozen=True):
    """The side of each diarized label, and whether to believe it. unassigned_share: of all speech (union)."""

    mapping: dict[str, Side]
    source: Literal["identification", "channel", "override", "none"]
    signals: RoleSignals
    unassigned_share: float | None
    needs_review: bool
    reasons: list[str]


class Speaker(msgspec.Struct, frozen=True):
    """One diarized speaker. talk_ms: union of the speaker's utterances; talk_share: of the union of all speech.

    words: null in languages written without spaces.
    """

    label: str
    role: Side
    talk_ms: int
    talk_share: float | None
    words: int | None
    utterances: int


class Band(msgspec.Struct, frozen=True):
    """The usual range for a type of call; a missing edge is not judged."""

    low: float | None
    high: float | None
    kind: str = msgspec.field(name="for")
    source: str


class MetricBand(msgspec.Struct, frozen=True):
    """The usual range of a metric; a missing edge is not judged."""

    low: float | None
    high: float | None
    source: str


class Span(msgspec.Struct, frozen=True):
    """Where in the call a metric's value comes from."""

    start_ms: int
    end_ms: int
    label: str


class Metric(msgspec.Struct, frozen=True):
    """One number about the conversation; null with a reason where it cannot be known. n: what it was counted over."""

    value: int | float | None
    unit: str
    band: MetricBand | None
    verdict: Verdict
    reason: str | None
    definition: str
    confidence: Literal["high", "medium", "low", "none"]
    spans: list[Span]
    n: int | msgspec.UnsetType = msgspec.UNSET


class Mention(msgspec.Struct, frozen=True):
    """How often one side used the words of a tracker, and when first."""

    tracker: str
    side: Side
    count: int
    first_ms: int


class TalkListen(msgspec.Struct, frozen=True):
    """Who talked how much.

    rep_ms and customer_ms: union of each side's utterances. rep_share: rep / (rep + customer).
    """

    rep_ms: int | None
    customer_ms: int | None
    rep_share: float | None
    customer_share: float | None
    rep_share_of_call: float | None
    rep_share_of_words: float | None
    target_rep_share: float
    band: Band
    verdict: Verdict
    not_judged_reason: str | None
    definition: str
    by_quarter_rep_share: list[float | None] | None


class Evidence(msgspec.Struct, frozen=True):
    """Words that were really said. utterance: its index in the transcript, from 0."""

    utterance: int
    label: str
    side: Side
    start_ms: int
    end_ms: int
    text: str
    check: Literal["verified", "repaired"]


class SentimentCounts(msgspec.Struct, frozen=True):
    """One side's labelled sentences; the shares are of their time."""

    positive: int
    neutral: int
    negative: int
    positive_share: float | None
    neutral_share: float | None
    negative_share: float | None


class SentimentBySide(msgspec.Struct, frozen=True):
    """Both sides' labelled sentences."""

    rep: SentimentCounts
    customer: SentimentCounts


class RowCounts(msgspec.Struct, frozen=True):
    """How many labelled sentences could be placed in an utterance."""

    total: int
    assigned: int
    unassigned: int
    below_0_5: int


class TurnScores(msgspec.Struct, frozen=True):
    """One side's score from -5 to +5, of the call and of its quarters; null where that side says nothing."""

    overall: float | None
    quarters: list[float | None]


class TurnScoresBySide(msgspec.Struct, frozen=True):
    """Streaks of turns of one polarity, weighed as contact centres do."""

    rep: TurnScores
    customer: TurnScores
    definition: str


class Tally(msgspec.Struct, frozen=True):
    """Sentences, and how many of them have the shift's polarity."""

    rows: int
    polar_rows: int


class ShiftQuote(msgspec.Struct, frozen=True):
    """The customer's words that show the shift best."""

    utterance: int
    label: str
    start_ms: int
    end_ms: int
    text: str


class Shift(msgspec.Struct, frozen=True):
    """A stretch of the customer's sentences that is denser in one label than chance at this call's own rates."""

    id: str
    strength: Literal["clear", "possible"]
    from_: str = msgspec.field(name="from")
    to: Polarity
    at_ms: int
    until_ms: int
    recovered: bool
    rows: int
    polar_rows: int
    elsewhere: Tally
    expected_by_chance: float
    about: str
    quote: ShiftQuote | None
    cause: str | None
    evidence: list[Evidence]
    definition: str


class Sentiment(msgspec.Struct, frozen=True):
    """AssemblyAI's label of each sentence's wording; not the person's feelings.

    shifts: an empty list when there are none, null with a reason when that cannot be known.
    """

    what: str
    rows: RowCounts
    by_role: SentimentBySide | None
    aws_style_score: TurnScoresBySide | None
    shifts: list[Shift] | None
    shifts_reason: str | None
    usable_customer_rows: int


class NextStep(msgspec.Struct, frozen=True):
    """What both sides will do next, in the coach's reading."""

    status: str
    action: str
    owner: str
    when_words: str
    evidence: list[Evidence]


class Keep(msgspec.Struct, frozen=True):
    """One thing to keep doing."""

    what: str
    evidence: list[Evidence]


class Suggestion(msgspec.Struct, frozen=True):
    """One thing to practise. say: example wording, no quote."""

    rank: int
    item: str
    kind: str
    when: str
    do: str
    say: str
    because: str
    evidence: list[Evidence]
    metric: str | None


class RubricLevel(msgspec.Struct, frozen=True):
    """How far one behaviour could be heard: 0-3, or null with the reason not_observed or evidence_dropped.

    lowered_from: the coach's level where our checks allowed less.
    """

    level: int | None
    occasion: str
    rationale: str
    evidence: list[Evidence]
    lowered_from: int | None
    reason: str | None


class Rubric(msgspec.Struct, frozen=True):
    """Levels by item. points: their sum; points_possible: three for each item that was observed."""

    version: str
    points: int
    points_possible: int
    items: dict[str, RubricLevel]


class Coaching(msgspec.Struct, frozen=True):
    """What the coach wrote and our checks have left of it. language: that of the prose."""

    language: str
    summary: str
    talk_listen: str
    next_step: NextStep
    keep: Keep | None
    suggestions: list[Suggestion]
    rubric: Rubric
    question_for_one_to_one: str


class EvidenceCounts(msgspec.Struct, frozen=True):
    """How many quotes the coach offered, and how many stand in the transcript. Dropped ones are not published.

    repaired: real words whose place or wording the coach had slightly wrong.
    """

    claimed: int
    verified: int
    repaired: int
    dropped: int
    dropped_reasons: dict[str, int]
    definition: str


class CostUsd(msgspec.Struct, frozen=True):
    """What the call's transcription and the answers of the coach cost by list prices; null with a reason.

    transcription: with what was added to it, however often the call is scored. price_list: the day of the prices.
    """

    transcription: float | None
    transcription_reason: str | None
    coaching: float | None
    coaching_reason: str | None
    price_list: str


class Run(msgspec.Struct, frozen=True):
    """How the coaching was made. Tokens are summed over the attempts; null when nobody counted them."""

    coach_model: str | None
    coach_attempts: int
    finish_reason: str | None
    prompt_version: str
    prompt_sha256: str | None
    rubric_sha256: str
    settings_sha256: str
    transcript_sha256: str
    reply_sha256: str | None
    input_tokens: int | None
    output_tokens: int | None
    prose_removed: dict[str, int]
    cost_usd: CostUsd | None = None


class Scorecard(msgspec.Struct, frozen=True):
    """One call's scorecard."""

    schema_version: int
    status: Status
    status_reason: str | None
    headline: Headline
    call: Call
    roles: Roles
    speakers: list[Speaker]
    talk_listen: TalkListen
    metrics: dict[str, Metric]
    mentions: list[Mention] | None
    sentiment: Sentiment | None
    coaching: Coaching | None
    evidence: EvidenceCounts | None
    warnings: list[Notice]
    run: Run
