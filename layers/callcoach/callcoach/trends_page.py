"""The pages of trends: one for each rep and each team, without script or network. Pure, but for reading the template.

Drawings are placed in percent of the time that the page covers, so that they fit any width. A dot is a call; a line
joins calls of one part, or on a team's page the medians of its months. No page names another rep, nor ranks any.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from callcoach.meanings import meaning
from callcoach.plain_text import base_name, how_many, printable, words

Row = dict[str, Any]

_TEMPLATES = Path(__file__).parents[1] / "templates"

_HEIGHT = 160
_STRIP_HEIGHT = 108
# The marks of breaks stand above what is drawn.
_TOP = 20
_BOTTOM = 8
# Room at both ends for half a dot, in percent.
_SIDE = 1.5
_AXIS_LABELS = 6
# Neighbours closer than this would cover each other in a small drawing.
_MARK_PERCENT = 7.0
_LARGEST_DOT = 8.0
# Whatever the calls, the scale begins here.
_QUESTIONS = 10.0
_MINUTES = 5.0


class Position(msgspec.Struct, frozen=True):
    """Where something stands: x in percent of the time, y in pixels from above."""

    x: float
    y: float


class Dot(msgspec.Struct, frozen=True):
    """A call, or calls of a month. said: what it is, in words."""

    x: float
    y: float
    radius: float
    said: str


class Line(msgspec.Struct, frozen=True):
    """From one place to another. kind: trend, median or axis."""

    kind: str
    start: Position
    end: Position


class Bar(msgspec.Struct, frozen=True):
    """A rectangle. kind: band, calls or drops; said: what it is, in words."""

    kind: str
    x: float
    width: float
    y: float
    height: float
    said: str = ""


class Label(msgspec.Struct, frozen=True):
    """A text at an axis."""

    x: float
    y: float
    text: str


class Chart(msgspec.Struct, frozen=True):
    """One drawing. said: what it shows, in words; breaks: where lines break, with the numbers of the page's list."""

    name: str
    said: str
    height: int
    lines: list[Line]
    dots: list[Dot]
    bars: list[Bar]
    scale: list[Label]
    times: list[Label]
    breaks: list[Label]


class Section(msgspec.Struct, frozen=True):
    """One type of call."""

    call_type: str
    calls: int
    numbers: list[Chart]
    drops: Chart | None
    items: list[Chart]


class Page(msgspec.Struct, frozen=True):
    """What is known of one rep, or of one team."""

    kind: str
    who: str
    span: str
    calls: int
    uncoached: list[tuple[str, int]]
    breaks: list[str]
    sections: list[Section]


class Measure(msgspec.Struct, frozen=True):
    """A number as it is drawn. unit: by how much a value is divided; least: what the scale reaches at the least."""

    name: str
    told: Callable[[float], str]
    unit: float
    least: float
    most: float | None = None


MEASURES = {
    "talk_share": Measure("Talk share of the rep side", lambda value: f"{100 * value:.0f}%", 1.0, 1.0, 1.0),
    "longest_monologue": Measure("Longest monologue", lambda value: f"{round(value, 1):g} min", 60_000.0, _MINUTES),
    "questions": Measure("Questions", lambda value: f"{value:g}", 1.0, _QUESTIONS),
}

# What a part of a line differs in from the one before: the field of breaks.sql, and how it is called.
_CHANGES = {
    "schema_version": "version of the scorecard",
    "definitions": "definition of a number",
    "rubric_sha256": "rubric",
    "prompt": "prompt",
    "coach_model": "coach model",
}
_TELLING = ("schema_version", "coach_model")

# The behaviours in the rubric's order.
ITEMS = ("opening", "discovery", "listening", "value_link", "objection", "next_step")


class _Times:
    """Places moments on the page."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        first, last = min(moments), max(moments)
        self._first = first.timestamp()
        self._length = max(last.timestamp() - self._first, 1.0)
        self.months = list(_months(first, last))

    def x(self, moment: datetime) -> float:
        """Return where a moment stands, in percent."""
        share = (moment.timestamp() - self._first) / self._length
        return round(_SIDE + (100 - 2 * _SIDE) * min(max(share, 0.0), 1.0), 2)

    def month(self, month: str) -> tuple[float, float]:
        """Return where a month begins and ends, as far as the page covers it."""
        start = _moment(f"{month}-01T00:00:00Z")
        return self.x(start), self.x(_next_month(start))

    def labels(self) -> list[Label]:
        """Return names of months, no more than there is room for."""
        step = max(math.ceil(len(self.months) / _AXIS_LABELS), 1)
        shown = self.months[::step]
        return [Label(self.x(month), 0, f"{month:%b %Y}") for month in shown]


def pages(rows: dict[str, list[Row]], kind: str) -> Iterator[Page]:
    """Yield a page for each rep, or each team, of whom anything is known, by name."""
    by_who = {question: _grouped(of, "who") for question, of in _of_kind(rows, kind).items()}
    names = {who for of in by_who.values() for who in of if who is not None}
    for who in sorted(names):
        yield _page(kind, who, {question: of.get(who, []) for question, of in by_who.items()})


def render(template: str, **values: object) -> str:
    """Return a page as HTML; every text in it is escaped."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = words
    environment.filters["printable"] = printable
    return environment


def _of_kind(rows: dict[str, list[Row]], kind: str) -> dict[str, list[Row]]:
    return {question: [row for row in of if row["kind"] == kind] for question, of in rows.items()}


def _grouped(rows: Iterable[Row], name: str) -> dict[Any, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def _page(kind: str, who: str, rows: dict[str, list[Row]]) -> Page:
    calls = {row["recording"]: row["recorded_at"] for row in rows["numbers"]}
    uncoached: dict[str, int] = defaultdict(int)
    for row in rows["uncoached"]:
        uncoached[meaning("status_reason", row["reason"])] += row["calls"]
    by_type = {question: _grouped(of, "call_type") for question, of in rows.items()}
    sections, changes = [], _changes(rows["breaks"])
    if calls:
        times = _Times([_moment(at) for at in calls.values()])
        for call_type, members in sorted(by_type["numbers"].items(), key=lambda item: (-len(item[1]), item[0])):
            breaks = by_type["breaks"].get(call_type, [])
            marks = _marks(breaks, times, list(changes))
            drawing = _Drawing(kind, times, marks)
            sections.append(
                Section(
                    call_type=call_type,
                    calls=len({row["recording"] for row in members}),
                    numbers=[
                        drawing.numbers(measure, of)
                        for name, measure in MEASURES.items()
                        if (of := [row for row in members if row["measure"] == name])
                    ],
                    drops=drawing.drops(by_type["drops"].get(call_type, [])),
                    items=[
                        drawing.levels(item, of)
                        for item in ITEMS
                        if (of := [row for row in by_type["rubric"].get(call_type, []) if row["item"] == item])
                    ],
                )
            )
    return Page(
        kind=kind,
        who=who,
        span=f"{_day(min(calls.values()))} to {_day(max(calls.values()))}" if calls else "",
        calls=len(calls),
        uncoached=sorted(uncoached.items(), key=lambda item: (-item[1], item[0])),
        breaks=[f"{change}, from {since[:10]}" for change, since in changes.items()],
        sections=sections,
    )


def _marks(breaks: list[Row], times: _Times, changes: list[str]) -> list[Label]:
    """Return where lines break, with the number of what has changed; one that another would cover has none."""
    marks: list[Label] = []
    numbered = -_MARK_PERCENT
    for row in breaks:
        x = times.x(_moment(row["recorded_at"]))
        has_room = x - numbered >= _MARK_PERCENT
        marks.append(Label(x, 0, str(1 + changes.index(_change(row))) if has_room else ""))
        numbered = x if has_room else numbered
    return marks


def _changes(breaks: list[Row]) -> dict[str, str]:
    """Return what has changed, and when first."""
    found: dict[str, str] = {}
    for row in sorted(breaks, key=lambda row: row["recorded_at"]):
        found.setdefault(_change(row), row["recorded_at"])
    return found


def _change(row: Row) -> str:
    """Return what a part of a line differs in from the one before."""
    changed = [name for name in _CHANGES if row[name] != row[f"{name}_before"]]
    told = "; ".join(
        f"{_CHANGES[name]} {row[f'{name}_before'] or 'none'} -> {row[name] or 'none'}"
        if name in _TELLING
        else f"another {_CHANGES[name]}"
        for name in changed
    )
    return told[:1].upper() + told[1:]


class _Drawing:
    """Draws what one section shows. marks: where its lines break."""

    def __init__(self, kind: str, times: _Times, marks: list[Label]) -> None:
        self._kind = kind
        self._times = times
        self._marks = marks

    def numbers(self, measure: Measure, rows: list[Row]) -> Chart:
        """Draw a number over time: its calls, its usual range, its medians."""
        values = [row["value"] / measure.unit for row in rows]
        edges = [
            row[edge] / measure.unit for row in rows for edge in ("band_low", "band_high") if row[edge] is not None
        ]
        top = measure.most or _round_up(max([*values, *edges, measure.least]))

        def y(value: float) -> float:
            return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - min(value / top, 1.0)), 1)

        dots = [
            Dot(self._x(row), y(value), 3.5 if len(rows) <= 150 else 2.0, self._said(row, measure.told(value)))
            for row, value in zip(rows, values, strict=True)
        ]
        lines, bars = [], []
        for members in _grouped(rows, "part").values():
            start, end = self._x(members[0]), self._x(members[-1])
            low, high = (members[-1][edge] for edge in ("band_low", "band_high"))
            if low is not None or high is not None:
                upper = y(top if high is None else high / measure.unit)
                height = round(y((low or 0) / measure.unit) - upper, 1)
                bars.append(Bar("band", start, round(max(end - start, 0.5), 2), upper, height, "the usual range"))
            lines += self._trend(members, measure, y)
            if members[0]["median"] is not None:
                at = y(members[0]["median"] / measure.unit)
                lines.append(Line("median", Position(start, at), Position(end, at)))
        scale = [Label(0, y(part * top / 2), measure.told(part * top / 2)) for part in range(3)]
        return self._chart(
            measure.name, _numbers_said(rows, measure), _HEIGHT, lines=lines, dots=dots, bars=bars, scale=scale
        )

    def _trend(self, rows: list[Row], measure: Measure, y: Callable[[float], float]) -> list[Line]:
        """Join the calls of a part; of a team, the medians of its months."""
        if self._kind == "rep":
            points = [Position(self._x(row), y(row["value"] / measure.unit)) for row in rows]
        else:
            months = {row["month"]: row for row in rows if row["month_median"] is not None}
            points = [
                Position(self._middle(row), y(row["month_median"] / measure.unit)) for _, row in sorted(months.items())
            ]
        return [Line("trend", before, after) for before, after in pairwise(points)]

    def drops(self, rows: list[Row]) -> Chart | None:
        """Draw the calls of each month, and those with a clear drop about our offer."""
        rows = [row for row in rows if row["calls"]]
        if not rows:
            return None
        top = _round_up(max(row["calls"] for row in rows))
        room = _STRIP_HEIGHT - _TOP - _BOTTOM
        bars = []
        for row in rows:
            start, end = self._span(row)
            gap = min((end - start) * 0.1, 0.5)
            for kind, count in (("calls", row["calls"]), ("drops", row["calls_with_drops"])):
                height = round(room * count / top, 1)
                bars.append(
                    Bar(
                        kind,
                        round(start + gap, 2),
                        round(max(end - start - 2 * gap, 0.4), 2),
                        round(_TOP + room - height, 1),
                        height,
                        f"{row['month']}: {row['calls_with_drops']} of {row['calls']} calls",
                    )
                )
        last = [row for row in rows if row["part"] == rows[-1]["part"]]
        calls, dropped = (sum(row[name] for row in last) for name in ("calls", "calls_with_drops"))
        said = (
            f"In {dropped} of {how_many(calls, 'call')}{_since(last[0])} the customer's wording clearly turns negative"
            " about our offer or the rep."
        )
        scale = [Label(0, _TOP, f"{top:g}"), Label(0, _TOP + room, "0")]
        return self._chart("Clear drops about our offer", said, _STRIP_HEIGHT, bars=bars, scale=scale)

    def levels(self, item: str, rows: list[Row]) -> Chart:
        """Draw how often each level was heard in each month."""
        heard = [row for row in rows if row["level"] is not None]
        most = max((row["calls"] for row in heard), default=1)
        step = (_STRIP_HEIGHT - _TOP - _BOTTOM - 2 * _LARGEST_DOT) / 3

        def y(level: int) -> float:
            return round(_TOP + _LARGEST_DOT + step * (3 - level), 1)

        dots = [
            Dot(
                self._middle(row),
                y(row["level"]),
                round(max(_LARGEST_DOT * math.sqrt(row["calls"] / most), 1.5), 1),
                f"{row['month']}: level {row['level']} in {how_many(row['calls'], 'call')}",
            )
            for row in heard
        ]
        last = [row for row in rows if row["part"] == rows[-1]["part"]]
        counts = {level: sum(row["calls"] for row in last if row["level"] == level) for level in (0, 1, 2, 3, None)}
        said = ", ".join(f"level {level}: {calls}" for level, calls in counts.items() if level is not None)
        since = _since(last[0]).strip().capitalize()
        return self._chart(
            words(item).capitalize(),
            f"{since}{since and ': '}{said}; not judged: {counts[None]}.",
            _STRIP_HEIGHT,
            dots=dots,
            scale=[Label(0, y(level), str(level)) for level in range(4)],
        )

    def _chart(
        self,
        name: str,
        said: str,
        height: int,
        *,
        lines: Sequence[Line] = (),
        dots: Sequence[Dot] = (),
        bars: Sequence[Bar] = (),
        scale: Sequence[Label] = (),
    ) -> Chart:
        return Chart(
            name, said, height, list(lines), list(dots), list(bars), list(scale), self._times.labels(), self._marks
        )

    def _span(self, row: Row) -> tuple[float, float]:
        """Return where a month begins and ends, as far as it belongs to the row's part."""
        edges = [0.0, *(mark.x for mark in self._marks), 100.0]
        start, end = self._times.month(row["month"])
        first, last = max(start, edges[row["part"]]), min(end, edges[row["part"] + 1])
        return first, max(first, last)

    def _middle(self, row: Row) -> float:
        return round(sum(self._span(row)) / 2, 2)

    def _x(self, row: Row) -> float:
        return self._times.x(_moment(row["recorded_at"]))

    @staticmethod
    def _said(row: Row, value: str) -> str:
        return f"{row['recorded_at'][:10]}, {printable(base_name(row['recording']))}: {value}"


def _numbers_said(rows: list[Row], measure: Measure) -> str:
    """Return the median since the last break, and the usual range."""
    last = rows[-1]
    median = "no median under five calls"
    if last["median"] is not None:
        median = f"median {measure.told(last['median'] / measure.unit)}"
    low, high = (
        None if last[edge] is None else measure.told(last[edge] / measure.unit) for edge in ("band_low", "band_high")
    )
    usual = {
        (True, True): f"; usual {low} to {high}",
        (True, False): f"; usual from {low}",
        (False, True): f"; usual up to {high}",
    }.get((low is not None, high is not None), "")
    return f"{how_many(last['calls'], 'call')}{_since(last)}: {median}{usual}."


def _since(row: Row) -> str:
    return " since the last break" if row["part"] else ""


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50, … at or above a value, so that its half is short too."""
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if value <= step * power)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(text: str) -> str:
    moment = _moment(text)
    return f"{moment.day} {moment:%b %Y}"


def _months(first: datetime, last: datetime) -> Iterator[datetime]:
    month = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last:
        yield month
        month = _next_month(month)


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
