"""The page about a call: one file without script or network, readable on paper and on a phone. Pure.

Everything that was said or typed by anybody is escaped by the template. Drawings are placed in percent of the call, so
that they fit any width; what they show is also said in words.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from callcoach.languages import base_code, language_name
from callcoach.meanings import meaning
from callcoach.moments import clock
from callcoach.plain_text import printable
from callcoach.pricing import cost_sentence
from callcoach.transcript import Transcript, Utterance
from scorecard.metrics import has_target_mark, whole_percent, word_count
from scorecard.phrases import (
    call_facts,
    call_length,
    capitalised,
    cue_and_action,
    evidence_sentence,
    file_name,
    mention_line,
    metric_band,
    metric_meaning,
    metric_name,
    metric_value,
    metric_verdict,
    metric_where,
    metrics_in_order,
    next_step_moment_ms,
    next_step_text,
    no_shift_sentence,
    people,
    percent,
    recorded_on,
    role_reasons,
    shift_label,
    shift_quotes,
    shift_sentence,
    side_name,
    status_words,
    suggestion_moment_ms,
    suggestion_number,
    talk_band,
    talk_sentence,
    unbroken,
    unknowns,
    wording_sentence,
    words_for,
)
from scorecard.rendering import environment
from scorecard.rubric import RUBRIC_ITEMS
from scorecard.scorecard import Call, Evidence, Scorecard, Suggestion
from scorecard.sentiment import place_rows
from scorecard.tokens import has_spaces

if TYPE_CHECKING:
    import jinja2
    import markupsafe

# What stands at the top of the page beside the talk share and the next step; others only when they are out of band.
FIRST_METRICS = ("longest_monologue", "questions")

# Embeddings, overrides and isolates: such a character in a name would turn the text that follows it.
_DIRECTION_MARKS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))

# Stretches of speech closer than this, or than a thousandth of the call, are drawn as one.
_JOINED_GAP_MS = 1000
_NARROWEST_BAR_PERCENT = 0.15
# Neighbours closer than this would cover each other on a phone.
_MARK_PERCENT = 7.0
_LABEL_PERCENT = 26.0
_LANES = 6
_AXIS_STEPS_SECONDS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
_AXIS_LABELS = 7


class Bar(msgspec.Struct, frozen=True):
    """A stretch of the call, in percent of it."""

    x: float
    width: float


class Lane(msgspec.Struct, frozen=True):
    """When one side, or one speaker of a call whose sides are in doubt, speaks."""

    kind: str
    name: str
    bars: list[Bar]


class Mark(msgspec.Struct, frozen=True):
    """A moment that the page points to. row: 0 is nearest to the lanes."""

    x: float
    row: int
    sign: str
    what: str
    at_ms: int


class Tick(msgspec.Struct, frozen=True):
    """One of the customer's sentences that is labelled positive or negative."""

    x: float
    polarity: str


class Bracket(msgspec.Struct, frozen=True):
    """A change of the customer's wording."""

    x: float
    end: float
    row: int
    polarity: str
    label: str


class AxisLabel(msgspec.Struct, frozen=True):
    """A time on the axis."""

    x: float
    text: str


class Timeline(msgspec.Struct, frozen=True):
    """The call from left to right."""

    lanes: list[Lane]
    marks: list[Mark]
    ticks: list[Tick]
    brackets: list[Bracket]
    axis: list[AxisLabel]

    @property
    def mark_rows(self) -> int:
        """How many rows the marks take."""
        return 1 + max((mark.row for mark in self.marks), default=-1)

    @property
    def bracket_rows(self) -> int:
        """How many rows the brackets take."""
        return 1 + max((bracket.row for bracket in self.brackets), default=-1)


class NumberTile(msgspec.Struct, frozen=True):
    """One of the numbers that matter."""

    name: str
    value: str
    band: str
    verdict: str
    outside: bool


def timeline(scorecard: Scorecard, transcript: Transcript) -> Timeline:
    """Return what the page draws of a call."""
    utterances = transcript.utterances or []
    end_ms = max([transcript.duration_ms, *(said.end_ms for said in utterances), 1])

    def place(moment_ms: int) -> float:
        return round(100 * min(max(moment_ms, 0), end_ms) / end_ms, 2)

    sides_known = scorecard.status != "needs_roles"
    shifts = (scorecard.sentiment.shifts if scorecard.sentiment and sides_known else None) or []
    spans = [(place(shift.at_ms), place(shift.until_ms)) for shift in shifts]
    return Timeline(
        lanes=_lanes(scorecard, utterances, end_ms),
        marks=_marks(scorecard, place),
        ticks=_ticks(scorecard, transcript, place) if sides_known else [],
        brackets=[
            Bracket(x, max(end, x + 0.5), row, shift.to, shift_label(shift))
            for (x, end), row, shift in zip(spans, _rows(spans, _LABEL_PERCENT), shifts, strict=True)
        ],
        axis=_axis(end_ms),
    )


def _lanes(scorecard: Scorecard, utterances: Sequence[Utterance], end_ms: int) -> list[Lane]:
    if scorecard.status == "needs_roles":
        order = sorted(scorecard.speakers, key=lambda speaker: -speaker.talk_ms)
        shown = sorted(speaker.label for speaker in order[:_LANES])
        lane_of = {label: f"Speaker {printable(label, 20)}" for label in shown}
        names = dict.fromkeys([*lane_of.values(), "Others"], "other")
        in_lane: Mapping[str, str] = {
            speaker.label: lane_of.get(speaker.label, "Others") for speaker in scorecard.speakers
        }
    else:
        titles = {
            "rep": capitalised(side_name("rep", scorecard.speakers)),
            "customer": capitalised(side_name("customer", scorecard.speakers)),
            "unassigned": "Others",
        }
        names = {titles["rep"]: "rep", titles["customer"]: "customer", titles["unassigned"]: "other"}
        in_lane = {label: titles[side] for label, side in scorecard.roles.mapping.items()}
    spoken: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    for said in utterances:
        if said.end_ms > said.start_ms:
            spoken[in_lane[said.speaker]].append((said.start_ms, said.end_ms))
    return [Lane(names[name], name, _bars(stretches, end_ms)) for name, stretches in spoken.items() if stretches]


def _bars(stretches: Iterable[tuple[int, int]], end_ms: int) -> list[Bar]:
    gap_ms = max(_JOINED_GAP_MS, end_ms // 1000)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start - joined[-1][1] < gap_ms:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    bars = []
    for start, end in joined:
        x = 100 * max(start, 0) / end_ms
        width = max(100 * (end - max(start, 0)) / end_ms, _NARROWEST_BAR_PERCENT)
        bars.append(Bar(round(min(x, 100 - _NARROWEST_BAR_PERCENT), 2), round(min(width, 100), 2)))
    return bars


def _marks(scorecard: Scorecard, place: Callable[[int], float]) -> list[Mark]:
    coaching = scorecard.coaching
    if coaching is None:
        return []
    kept = coaching.keep.evidence[0].start_ms if coaching.keep and coaching.keep.evidence else None
    moments = [
        *(
            (suggestion_moment_ms(suggestion, scorecard.metrics), str(suggestion.rank), f"practise {suggestion.rank}")
            for suggestion in coaching.suggestions
        ),
        (kept, "K", "keep"),
        (next_step_moment_ms(coaching.next_step), "N", "next step"),
    ]
    found = sorted((moment_ms, sign, what) for moment_ms, sign, what in moments if moment_ms is not None)
    places = [(place(moment_ms),) * 2 for moment_ms, _, _ in found]
    return [
        Mark(x, row, sign, what, moment_ms)
        for (x, _), row, (moment_ms, sign, what) in zip(places, _rows(places, _MARK_PERCENT), found, strict=True)
    ]


def _ticks(scorecard: Scorecard, transcript: Transcript, place: Callable[[int], float]) -> list[Tick]:
    utterances = transcript.utterances or []
    polar = [row for row in transcript.sentiment_rows or [] if row.sentiment.upper() != "NEUTRAL"]
    return [
        Tick(place((row.start_ms + row.end_ms) // 2), "positive" if row.label > 0 else "negative")
        for row in place_rows(polar, utterances)
        if scorecard.roles.mapping[utterances[row.utterance].speaker] == "customer"
    ]


def _rows(spans: Sequence[tuple[float, float]], apart: float) -> list[int]:
    """Give each span the first row in which it stands at least that far from the start of the one before."""
    last: list[float] = []
    rows = []
    for start, end in spans:
        row = next((row for row, taken in enumerate(last) if start >= taken), len(last))
        last[row : row + 1] = [max(end, start + apart)]
        rows.append(row)
    return rows


def _axis(end_ms: int) -> list[AxisLabel]:
    step_ms = 1000 * next(
        (step for step in _AXIS_STEPS_SECONDS if end_ms < 1000 * step * _AXIS_LABELS),
        -(-end_ms // (3_600_000 * (_AXIS_LABELS - 1))) * 3600,
    )
    return [AxisLabel(round(100 * at / end_ms, 2), clock(at)) for at in range(0, end_ms + 1, step_ms)]


def number_tiles(scorecard: Scorecard) -> list[NumberTile]:
    """Return the numbers that matter: four, and others only where they lie outside their usual range."""
    talk = scorecard.talk_listen
    tiles = []
    if talk.rep_share is not None:
        judged = talk.verdict != "not_judged"
        verdict = f"{talk.verdict} the usual range" if talk.verdict in ("above", "below") else "within the usual range"
        tiles.append(
            NumberTile(
                name=f"Talk share of the {side_name('rep', scorecard.speakers)}",
                value=percent(talk.rep_share),
                band=f"usual {talk_band(talk)}" if judged else "",
                verdict=verdict if judged else "not judged",
                outside=talk.verdict in ("above", "below"),
            )
        )
    outside = [
        name for name in metrics_in_order(scorecard.metrics) if scorecard.metrics[name].verdict in ("above", "below")
    ]
    for name in dict.fromkeys([*FIRST_METRICS, *outside]):
        metric = scorecard.metrics.get(name)
        if metric is None or metric.value is None:
            continue
        band = metric_band(metric)
        tiles.append(
            NumberTile(
                name=metric_name(name),
                value=metric_value(metric),
                band=f"usual {band}" if band else "",
                verdict=metric_verdict(metric),
                outside=name in outside,
            )
        )
    if scorecard.coaching:
        step = scorecard.coaching.next_step
        when = f'"{step.when_words}"' if step.when_words and step.status in ("agreed", "proposed") else ""
        moment_ms = next_step_moment_ms(step)
        heard = "" if moment_ms is None else f"heard at {clock(moment_ms)}"
        tiles.insert(3, NumberTile("Next step", words_for("next_step", step.status), when, heard, outside=False))
    return tiles


def first_words(scorecard: Scorecard, utterances: Sequence[Utterance]) -> dict[str, Evidence]:
    """Return the first five words or more of each speaker, by which a person can tell who is who."""
    spaced = has_spaces(scorecard.call.language)
    found: dict[str, Evidence] = {}
    for number, said in enumerate(utterances):
        if said.speaker not in found and word_count(said, spaced=spaced) >= 5:
            side = scorecard.roles.mapping[said.speaker]
            text = printable(said.text, 160)
            found[said.speaker] = Evidence(number, said.speaker, side, said.start_ms, said.end_ms, text, "verified")
    return found


def moment_words(suggestion: Suggestion, scorecard: Scorecard) -> str:
    """Return the number that a suggestion rests on, or "" where a quote shows it."""
    return "" if suggestion.evidence else suggestion_number(suggestion, scorecard)


def render_report(scorecard: Scorecard, transcript: Transcript) -> str:
    """Return the page of a call."""
    return template().render(
        card=scorecard,
        name=people(scorecard) or file_name(scorecard),
        facts=call_facts(scorecard),
        day=recorded_on(scorecard),
        status=status_words(scorecard),
        role_reasons=role_reasons(scorecard),
        talk_sentence=talk_sentence(scorecard.talk_listen, scorecard.speakers),
        target_mark=has_target_mark(scorecard.talk_listen.band),
        target=f"{whole_percent(scorecard.talk_listen.target_rep_share)}/"
        f"{100 - whole_percent(scorecard.talk_listen.target_rep_share)}",
        timeline=timeline(scorecard, transcript),
        tiles=number_tiles(scorecard),
        first_words=first_words(scorecard, transcript.utterances or []) if scorecard.status == "needs_roles" else {},
        rubric_items=RUBRIC_ITEMS,
        unknowns=unknowns(scorecard),
        evidence=evidence_sentence(scorecard),
        cost=cost_sentence(scorecard.run.cost_usd),
        language_source=_language_source(scorecard.call),
    )


def _language_source(call: Call) -> str:
    """Return how sure AssemblyAI was of a language that it had to detect, "" where it was named."""
    return "" if call.language_confidence is None else f"detected, confidence {percent(call.language_confidence)}"


def _each_as(bars: Iterable[Bar], text: str) -> "markupsafe.Markup":
    """Return a text for each bar, with its numbers in the place of {0.x} and {0.width}; a template's loop is slower."""
    import markupsafe  # noqa: PLC0415 - comes with jinja2, when the first template is read

    # Numbers alone come into a text of the template.
    return markupsafe.Markup("".join(map(text.format, bars)))  # nosec B704  # noqa: S704 - see above


def _without_direction_marks(value: object) -> object:
    return value if not isinstance(value, str) or value.isascii() else value.translate(_DIRECTION_MARKS)


@cache
def template() -> "jinja2.Template":
    """Return the template. It takes longer to compile than to fill, so a run may do that while it waits."""
    escaped = environment(autoescape=True, finalize=_without_direction_marks)
    escaped.filters.update(
        base_code=base_code,
        call_length=call_length,
        capitalised=capitalised,
        clock=clock,
        cue_and_action=cue_and_action,
        each_as=_each_as,
        mention_line=mention_line,
        in_order=metrics_in_order,
        language_name=language_name,
        metric_band=metric_band,
        metric_meaning=metric_meaning,
        metric_name=metric_name,
        metric_value=metric_value,
        metric_verdict=metric_verdict,
        metric_where=metric_where,
        moment_words=moment_words,
        next_step_text=next_step_text,
        no_shift_sentence=no_shift_sentence,
        percent=percent,
        printable=printable,
        shift_quotes=shift_quotes,
        shift_sentence=shift_sentence,
        side_name=side_name,
        suggestion_moment_ms=suggestion_moment_ms,
        talk_band=talk_band,
        wording_sentence=wording_sentence,
        unbroken=unbroken,
        words_for=lambda code, kind: words_for(kind, code),
        meaning=lambda code, kind: meaning(kind, code),
    )
    return escaped.get_template("report.html.j2")
