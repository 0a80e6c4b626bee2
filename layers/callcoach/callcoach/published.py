"""What the commands of operators read of a published scorecard; schema_version says whether they can."""

import msgspec


class Headline(msgspec.Struct):
    """The first things to know."""

    focus: str | None = None
    focus_at_ms: int | None = None
    next_step: str | None = None
    talk: str | None = None


class Call(msgspec.Struct):
    """What is known about the call."""

    recording: str
    duration_seconds: int
    recorded_at: str | None = None
    rep: str | None = None
    customer: str | None = None
    call_type: str | None = None
    transcript_id: str | None = None


class Roles(msgspec.Struct):
    """Whether the sides are in doubt, and why."""

    needs_review: bool = False
    reasons: list[str] = []


class Speaker(msgspec.Struct):
    """One speaker."""

    label: str
    role: str
    talk_share: float | None = None


class Band(msgspec.Struct):
    """A usual range; a missing edge is not judged."""

    low: float | None = None
    high: float | None = None


class TalkListen(msgspec.Struct):
    """The rep's share of both sides' talking."""

    band: Band
    rep_share: float | None = None


class Quote(msgspec.Struct):
    """Words that were said."""

    start_ms: int
    text: str
    side: str = "customer"


class Shift(msgspec.Struct):
    """A change in the customer's wording."""

    strength: str
    from_: str = msgspec.field(name="from")
    to: str
    at_ms: int
    until_ms: int
    about: str
    quote: Quote | None = None
    cause: str | None = None
    evidence: list[Quote] = []


class Sentiment(msgspec.Struct):
    """All of them; null with a reason where that cannot be known."""

    shifts: list[Shift] | None = None
    shifts_reason: str | None = None


class Suggestion(msgspec.Struct):
    """One thing to practise."""

    when: str
    do: str
    say: str
    because: str
    evidence: list[Quote] = []


class Coaching(msgspec.Struct):
    """What the coach wrote."""

    summary: str
    suggestions: list[Suggestion]


class Notice(msgspec.Struct):
    """Something a reader should know."""

    text: str


class CostUsd(msgspec.Struct):
    """What the call cost by list prices; None with a reason where that cannot be known."""

    price_list: str
    transcription: float | None = None
    transcription_reason: str | None = None
    coaching: float | None = None
    coaching_reason: str | None = None


class Run(msgspec.Struct):
    """What the coaching took; None where nobody counted."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: CostUsd | None = None


class ScoredCall(msgspec.Struct):
    """What is summed up of many scorecards."""

    status: str
    call: Call
    run: Run


class _Version(msgspec.Struct):
    schema_version: int


class ShownScorecard(msgspec.Struct):
    """What is shown of a scorecard."""

    status: str
    headline: Headline
    call: Call
    roles: Roles
    speakers: list[Speaker]
    talk_listen: TalkListen
    status_reason: str | None = None
    sentiment: Sentiment | None = None
    coaching: Coaching | None = None
    warnings: list[Notice] = []
    run: Run = msgspec.field(default_factory=Run)


def read_scorecard(body: bytes) -> ShownScorecard:
    """Read a scorecard. Raises msgspec.ValidationError for one that another version has written."""
    version = msgspec.json.decode(body, type=_Version).schema_version
    if version != 1:
        raise msgspec.ValidationError(f"schema_version {version}; this callcoach knows 1")
    return msgspec.json.decode(body, type=ShownScorecard)
