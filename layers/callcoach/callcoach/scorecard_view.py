"""A scorecard of schema_version 1 in a terminal: headline, talk share, changes in wording, suggestions, warnings."""

import textwrap
from collections.abc import Iterator

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from callcoach.meanings import meaning
from callcoach.moments import clock
from callcoach.plain_text import base_name, printable
from callcoach.pricing import cost_sentence
from callcoach.published import Call, Quote, Sentiment, ShownScorecard, Speaker, Suggestion, TalkListen

# Longer lines are hard to read.
_COLUMNS = 100
# Beside a bar stand both sides.
_BAR, _BESIDE_BAR = 50, 16
_TEXT_CHARACTERS = 2000


class ScorecardView(msgspec.Struct, frozen=True):
    """A scorecard as a terminal shows it; plain text where there is none."""

    card: ShownScorecard

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        columns = min(options.max_width, _COLUMNS)
        for part in self._parts(bar=max(min(_BAR, columns - _BESIDE_BAR), 10)):
            yield part.filled(columns) if isinstance(part, _Paragraph) else part

    def _parts(self, *, bar: int) -> "Iterator[_Paragraph | Text]":
        card, headline, talk = self.card, self.card.headline, self.card.talk_listen
        yield _Paragraph(" / ".join(_facts(card.call)), "bold")
        if card.status != "complete":
            yield _Paragraph(
                f"{meaning('status', card.status)}: {meaning('status_reason', card.status_reason)}", "yellow"
            )
        if card.roles.needs_review:
            yield _Paragraph(
                f"CHECK WHO IS WHO FIRST: {'; '.join(meaning('role', code) for code in card.roles.reasons)}", "red"
            )
        if headline.focus:
            yield from _section("PRACTISE NEXT")
            yield _Paragraph(_at(headline.focus_at_ms, headline.focus), indent=2)
        if headline.next_step:
            yield from _section("NEXT STEP")
            yield _Paragraph(headline.next_step, indent=2)
        yield from _section("TALK SHARE")
        if talk.rep_share is not None:
            yield _bar(talk, talk.rep_share, bar)
        yield _Paragraph(headline.talk or ", ".join(map(_speaker, card.speakers)) or "Nobody speaks.", indent=2)
        if card.sentiment:
            yield from _section("THE CUSTOMER'S WORDING")
            yield from _wording(card.sentiment)
        if card.coaching:
            yield from _section("SUMMARY")
            yield _Paragraph(card.coaching.summary, indent=2)
            for number, suggestion in enumerate(card.coaching.suggestions, start=1):
                yield from _suggestion(number, suggestion)
        yield from self._notes()

    def _notes(self) -> "Iterator[_Paragraph]":
        if self.card.warnings:
            yield from _section("WARNINGS")
            yield from (_Paragraph(warning.text, "yellow", indent=2) for warning in self.card.warnings)
        if cost := cost_sentence(self.card.run.cost_usd):
            yield _Paragraph("")
            yield _Paragraph(cost, "dim")


class _Paragraph(msgspec.Struct, frozen=True):
    """Some text. indent: of all its lines; hanging: of those after the first, beside that."""

    text: str
    style: str = ""
    indent: int = 0
    hanging: int = 0

    def filled(self, columns: int) -> Text:
        """Return it in lines that are no longer than so many columns, without what could steer a terminal."""
        lines = textwrap.fill(
            printable(self.text, _TEXT_CHARACTERS),
            columns,
            initial_indent=" " * self.indent,
            subsequent_indent=" " * (self.indent + self.hanging),
            break_on_hyphens=False,
        )
        return Text(lines, style=self.style)


def _section(title: str) -> Iterator[_Paragraph]:
    yield _Paragraph("")
    yield _Paragraph(title, "bold")


def _wording(sentiment: Sentiment) -> Iterator[_Paragraph]:
    if sentiment.shifts is None:
        yield _Paragraph(f"Whether it changed cannot be told: {meaning('reason', sentiment.shifts_reason)}.", indent=2)
    elif not sentiment.shifts:
        yield _Paragraph("No clear change.", indent=2)
    for shift in sentiment.shifts or []:
        perhaps = "perhaps " if shift.strength == "possible" else ""
        turned = f"{perhaps}{shift.from_} to {shift.to}, about {meaning('about', shift.about)}"
        cause = f". {shift.cause}" if shift.cause else ""
        yield _Paragraph(f"{clock(shift.at_ms)} to {clock(shift.until_ms)}  {turned}{cause}", indent=2)
        # The words that show a shift may be those that caused it.
        quotes = {quote.text: quote for quote in (*([shift.quote] if shift.quote else []), *shift.evidence)}
        for quote in sorted(quotes.values(), key=lambda quote: quote.start_ms):
            yield _Paragraph(_said(quote), "dim", indent=4)


def _suggestion(number: int, suggestion: Suggestion) -> Iterator[_Paragraph]:
    when, do = suggestion.when.rstrip(" .,:"), suggestion.do.rstrip(" .")
    yield _Paragraph("")
    yield _Paragraph(f"{number}. {when}: {do[:1].lower()}{do[1:]}.", "bold", hanging=3)
    yield _Paragraph(f"Could sound like: {suggestion.say}", indent=3)
    yield _Paragraph(f"Why: {suggestion.because}", indent=3)
    yield from (_Paragraph(_said(quote), "dim", indent=3) for quote in suggestion.evidence)


def _bar(talk: TalkListen, rep_share: float, columns: int) -> Text:
    """Return both sides as a bar of so many columns, and below it where the usual range is."""
    rep = round(rep_share * columns)
    low, high = (None if edge is None else round(edge * columns) for edge in (talk.band.low, talk.band.high))
    left, right = low or 0, columns if high is None else high
    usual = f"{'|' if low is not None else ''}{'-' * max(right - left - 2, 0)}{'|' if high is not None else ''}"
    bar = Text("  rep ")
    bar.append("#" * rep, style="dark_orange3").append("." * (columns - rep), style="cyan").append(" customer\n")
    return bar.append(
        f"      {' ' * left}{usual.ljust(right - left, '-')} usual" if low is not None or high is not None else ""
    )


def _facts(call: Call) -> Iterator[str]:
    people = [name for name in (call.rep, call.customer) if name] or [base_name(call.recording)]
    yield from people
    if call.call_type:
        yield call.call_type
    if call.recorded_at:
        yield call.recorded_at[:10]
    seconds = call.duration_seconds
    yield f"{seconds} s" if seconds < 60 else f"{round(seconds / 60)} min"


def _speaker(speaker: Speaker) -> str:
    share = "" if speaker.talk_share is None else f" {speaker.talk_share:.0%}"
    return f"{speaker.label} ({meaning('side', speaker.role)}){share}"


def _said(quote: Quote) -> str:
    return f'{clock(quote.start_ms)} {quote.side}: "{quote.text}"'


def _at(moment_ms: int | None, text: str) -> str:
    return text if moment_ms is None else f"{clock(moment_ms)}  {text}"
