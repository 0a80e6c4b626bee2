"""The words for a scorecard's numbers and codes, which the page and the e-mail share. Pure."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from callcoach.languages import base_code, language_name
from callcoach.meanings import meaning
from callcoach.moments import clock
from callcoach.plain_text import base_name, printable, words
from scorecard.metrics import whole_percent
from scorecard.scorecard import (
    Coaching,
    Evidence,
    Headline,
    Mention,
    Metric,
    NextStep,
    Scorecard,
    Sentiment,
    SentimentCounts,
    Shift,
    ShiftQuote,
    Speaker,
    Suggestion,
    TalkListen,
)
from scorecard.sentiment import MINIMUM_ROWS, STATE_SHARE
from scorecard.wording import ended

_WORDS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))

_VERDICTS = {"below": "below", "in_band": "within", "above": "above"}
_PER_MINUTE = " per minute"
_UNIT = re.compile(r"(\d) (h|min|s|ms)\b")
_BY_SIDE = {"rep": " by the rep", "customer": " by the customer", "unassigned": ""}


class StatusWords(msgspec.Struct, frozen=True):
    """What a reader is told in place of coaching. subject: the end of the subject, "" where the sides are in doubt."""

    label: str
    happened: str
    to_do: str
    saved: str
    subject: str


class Unknown(msgspec.Struct, frozen=True):
    """What a reader could look for in vain, and why it is not there."""

    what: list[str]
    why: str


def words_for(kind: str, code: str | None) -> str:
    """Return the words for a code of phrases.toml, or the code itself where there are none."""
    if not code:
        return ""
    return str(_WORDS[kind].get(code, words(code)))


def duration(duration_ms: float) -> str:
    """Return how long something lasts: 420 ms, 9 s, 3 min 34 s, 1 h 5 min."""
    if 0 < abs(duration_ms) < 1000:
        return f"{round(duration_ms)} ms"
    seconds = round(duration_ms / 1000)
    if abs(seconds) < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def unbroken(text: str, blank: str = "\u00a0") -> str:
    """Return text in which no line ends between a number and its unit. blank: what stands between them."""
    return _UNIT.sub(f"\\1{blank}\\2", text)


def call_length(scorecard: Scorecard) -> str:
    """Return the call's length as people say it: 48 s, 32 min, 1 h 5 min."""
    seconds = scorecard.call.duration_seconds
    return duration(1000 * seconds if seconds < 60 else 60_000 * round(seconds / 60))


def percent(share: float | None) -> str:
    """Return a share as whole percent."""
    return "-" if share is None else f"{whole_percent(share)}%"


def capitalised(text: str) -> str:
    """Return text with a capital first letter."""
    return text[:1].upper() + text[1:]


def file_name(scorecard: Scorecard) -> str:
    """Return the name of the recording without its folders."""
    return printable(base_name(scorecard.call.recording))


def people(scorecard: Scorecard) -> str:
    """Return who was on the call, as far as somebody said: Dana Reyes / Acme."""
    return " / ".join(printable(name) for name in (scorecard.call.rep, scorecard.call.customer) if name)


def recorded_on(scorecard: Scorecard) -> str:
    """Return the day of the call: 6 May 2026."""
    if not scorecard.call.recorded_at:
        return ""
    day = datetime.fromisoformat(scorecard.call.recorded_at)
    return f"{day.day} {day:%B %Y}"


def call_facts(scorecard: Scorecard) -> list[str]:
    """Return what the call was, without who: its type, day, length, and its language unless that is English."""
    call_type = printable(scorecard.call.call_type or "")
    facts = (call_type, recorded_on(scorecard), call_length(scorecard), language_fact(scorecard))
    return [fact for fact in facts if fact]


def language_fact(scorecard: Scorecard) -> str:
    """Return the language of the call, and that of the coaching if it is another; "" where all is English."""
    spoken, coaching = base_code(scorecard.call.language), scorecard.coaching
    written = coaching.language if coaching else spoken or "en"
    if written == (spoken or "en"):
        return "" if written == "en" else language_name(written)
    return f"{language_name(spoken) or 'language unknown'}, coached in {language_name(written)}"


def side_name(side: str, speakers: Sequence[Speaker]) -> str:
    """Return "rep" or "customer", with the number of people where it is not one."""
    number = sum(speaker.role == side for speaker in speakers)
    return f"{side} side ({number} people)" if number > 1 else side


def band_text(low: str | None, high: str | None) -> str:
    """Return a usual range in words: "35-50%", "up to 65%"."""
    if low is not None and high is not None:
        unit = next((unit for unit in ("%", _PER_MINUTE) if high.endswith(unit)), "")
        return f"{low.removesuffix(unit)}-{high}"
    return f"up to {high}" if high is not None else f"at least {low}"


def talk_band(talk: TalkListen) -> str:
    """Return the usual range of the rep's talk share."""
    low, high = (None if edge is None else percent(edge) for edge in (talk.band.low, talk.band.high))
    return band_text(low, high)


def _talk_verdict(talk: TalkListen) -> str:
    if talk.verdict == "not_judged":
        return f"not judged: {meaning('reason', talk.not_judged_reason)}"
    calls = "calls of any type" if talk.band.kind == "other" else f"{talk.band.kind} calls"
    return f"{_VERDICTS[talk.verdict]} the usual {talk_band(talk)} of {calls}"


def talk_sentence(talk: TalkListen, speakers: Sequence[Speaker] = ()) -> str | None:
    """Return the talk share against its usual range; None when it is not known."""
    if talk.rep_share is None:
        return None
    return f"{capitalised(side_name('rep', speakers))} {percent(talk.rep_share)}, {_talk_verdict(talk)}."


def talk_line(scorecard: Scorecard) -> str | None:
    """Return both sides' shares, their verdict and the longest monologue; None when the shares are not known."""
    talk = scorecard.talk_listen
    if talk.rep_share is None:
        return None
    sides = ", ".join(
        f"{side_name(side, scorecard.speakers)} {percent(share)}"
        for side, share in (("rep", talk.rep_share), ("customer", talk.customer_share))
    )
    text = f"{sides}. {capitalised(_talk_verdict(talk))}"
    longest = scorecard.metrics.get("longest_monologue")
    if longest and longest.value:
        text += f"; the longest stretch without the customer was {duration(longest.value)}"
        if longest.spans:
            text += f", from {clock(longest.spans[0].start_ms)}"
            if side_name("rep", scorecard.speakers) != "rep":
                text += f" (speaker {printable(longest.spans[0].label)})"
    return f"{text}."


def headline(
    talk: TalkListen,
    coaching: Coaching | None,
    *,
    metrics: Mapping[str, Metric],
    speakers: Sequence[Speaker],
) -> Headline:
    """Return the three things to know first."""
    focus = focus_at_ms = next_step = None
    if coaching and coaching.suggestions:
        first = coaching.suggestions[0]
        focus = cue_and_action(first, coaching.language)
        focus_at_ms = suggestion_moment_ms(first, metrics)
    if coaching:
        next_step = next_step_text(coaching.next_step)
    return Headline(focus=focus, focus_at_ms=focus_at_ms, next_step=next_step, talk=talk_sentence(talk, speakers))


def cue_and_action(suggestion: Suggestion, language: str) -> str:
    """Join a suggestion's cue and action into one sentence. language: of the prose; others keep their capitals."""
    when, do = suggestion.when.rstrip(" .,:\u3001\u3002"), suggestion.do
    return f"{when}: {ended(f'{do[:1].lower()}{do[1:]}' if language == 'en' else do)}"


def suggestion_moment_ms(suggestion: Suggestion, metrics: Mapping[str, Metric]) -> int | None:
    """Return where in the call a suggestion points, None where it is about the whole of it."""
    if suggestion.evidence:
        return suggestion.evidence[0].start_ms
    metric = metrics.get(suggestion.metric or "")
    return metric.spans[0].start_ms if metric and metric.spans else None


def suggestion_number(suggestion: Suggestion, scorecard: Scorecard) -> str:
    """Return the number that a suggestion without a quote rests on: "6:52, longest monologue: 3 min 34 s"."""
    if suggestion.metric == "talk_share":
        share = scorecard.talk_listen.rep_share
        return "" if share is None else f"talk share of the rep: {percent(share)}"
    metric = scorecard.metrics.get(suggestion.metric or "")
    if metric is None or suggestion.metric is None:
        return ""
    name = metric_name(suggestion.metric)
    text = f"{name[:1].lower()}{name[1:]}: {metric_value(metric)}"
    return f"{clock(metric.spans[0].start_ms)}, {text}" if metric.spans else text


def next_step_moment_ms(step: NextStep) -> int | None:
    """Return when the last word about the next step begins."""
    return max((quote.start_ms for quote in step.evidence), default=None)


def next_step_text(step: NextStep, *, with_moment: bool = False) -> str:
    """Return what both sides will do next: agreed: security review with Acme's IT, "Thursday"; both sides act.

    Quotation marks stand only around words of a cited quote. with_moment: say when in the call it is heard.
    """
    text = words_for("next_step", step.status)
    moment_ms = next_step_moment_ms(step)
    if with_moment and moment_ms is not None:
        text += f" ({clock(moment_ms)})"
    if not step.action:
        return text
    text += f": {step.action.rstrip(' .。')}"
    if step.when_words:
        was_said = any(step.when_words.casefold() in quote.text.casefold() for quote in step.evidence)
        text += f', "{step.when_words}"' if was_said else f", {step.when_words}"
    owner = _WORDS["owner"].get(step.owner)
    return f"{text}; {owner}" if owner else text


def shift_label(shift: Shift) -> str:
    """Return what a shift is in a word or two."""
    if shift.to == "positive":
        return "recovered" if shift.from_ == "negative" else "positive"
    return {"our_offer_or_rep": "drop", "their_own_situation": "a problem described"}.get(shift.about, "negative")


def shift_sentence(shift: Shift) -> str:
    """Return what a shift is, in counts; only one about the offer or the rep is called a drop."""
    texts = {
        "our_offer_or_rep": "a drop, about the offer or the rep",
        "their_own_situation": "the customer described a problem",
        "third_party": "turned negative about somebody else",
        "small_talk": "turned negative in small talk",
    }
    if shift.to == "positive":
        turned = "recovered from a low" if shift.from_ == "negative" else "turned positive"
    else:
        turned = texts.get(shift.about, "turned negative")
    perhaps = "perhaps " if shift.strength == "possible" else ""
    text = (
        f"{clock(shift.at_ms)} to {clock(shift.until_ms)}: {perhaps}{turned} ({shift.polar_rows} of {shift.rows}"
        f" sentences {shift.to}; {shift.elsewhere.polar_rows} of {shift.elsewhere.rows} elsewhere)."
    )
    if shift.to == "negative" and shift.about != "their_own_situation":
        text += " Back to usual after that." if shift.recovered else " Not back to usual before the end."
    return text


def shift_quotes(shift: Shift) -> list[Evidence | ShiftQuote]:
    """Return the words that show a shift and its cause, in the order of the call."""
    quotes: list[Evidence | ShiftQuote] = [shift.quote] if shift.quote else []
    quotes += [said for said in shift.evidence if not shift.quote or said.text not in shift.quote.text]
    return sorted(quotes, key=lambda said: said.start_ms)


def wording_sentence(counts: SentimentCounts) -> str:
    """Return how the customer's sentences were labelled."""
    number = {"neutral": counts.neutral, "positive": counts.positive, "negative": counts.negative}
    total = sum(number.values())
    if total >= MINIMUM_ROWS and counts.negative > STATE_SHARE * total:
        first = "negative"
        lead = "Negative throughout"
    else:
        first = max(number, key=lambda label: number[label])
        lead = f"Mostly {first}" if 2 * number[first] > total else capitalised(first)
    rest = ", ".join(f"{number[label]} {label}" for label in ("positive", "neutral", "negative") if label != first)
    return f"{lead}: {number[first]} of {total} {'sentence' if total == 1 else 'sentences'}; {rest}."


def no_shift_sentence(sentiment: Sentiment) -> str:
    """Return why no shift is shown."""
    if sentiment.shifts is None:
        return f"Whether it changed cannot be told: {meaning('reason', sentiment.shifts_reason)}."
    return "No clear change in the customer's wording."


def mention_line(mentions: Sequence[Mention]) -> str:
    """Return the trackers that were heard, in order: "price by the rep 4 times, first at 18:16; ..."."""
    return "; ".join(
        f"{printable(mention.tracker.rpartition(':')[2])}{_BY_SIDE[mention.side]}"
        f" {'once' if mention.count == 1 else f'{mention.count} times'},"
        f" {'' if mention.count == 1 else 'first '}at {clock(mention.first_ms)}"
        for mention in sorted(mentions, key=lambda mention: (mention.first_ms, mention.tracker, mention.side))
    )


def metric_name(name: str) -> str:
    """Return what people call a metric."""
    return str(_WORDS["metric"].get(name, {}).get("name", capitalised(name.replace("_", " "))))


def metrics_in_order(metrics: Mapping[str, Metric]) -> list[str]:
    """Return the names of the metrics as they are shown: those with words in the words' order, then the others."""
    known = list(_WORDS["metric"])
    return sorted(metrics, key=lambda name: (known.index(name) if name in known else len(known), name))


def metric_meaning(name: str) -> str:
    """Return what a metric counts, "" where its name says it."""
    return str(_WORDS["metric"].get(name, {}).get("what", ""))


def metric_value(metric: Metric) -> str:
    """Return a metric's value with its unit."""
    return "not known" if metric.value is None else _with_unit(metric.value, metric.unit)


def metric_band(metric: Metric) -> str:
    """Return the usual range of a metric, "" where there is none."""
    band = metric.band
    if band is None or (band.low is None and band.high is None):
        return ""
    low, high = (None if edge is None else _with_unit(edge, metric.unit) for edge in (band.low, band.high))
    return band_text(low, high)


def metric_where(metric: Metric) -> str:
    """Return where in the call a metric's value comes from, "" where it is about the whole of it."""
    spans = metric.spans
    if not spans:
        return ""
    labels = " and ".join(dict.fromkeys(printable(span.label, 20) for span in spans))
    if metric.unit == "ms":
        return f"{clock(spans[0].start_ms)} to {clock(max(span.end_ms for span in spans))}, speaker {labels}"
    starts = ", ".join(clock(span.start_ms) for span in spans[:5])
    more = f" and {len(spans) - 5} more" if len(spans) > 5 else ""
    return f"at {starts}{more}, speaker {labels}"


def metric_verdict(metric: Metric) -> str:
    """Return how a metric lies to its usual range, "" where it is not judged."""
    return {
        "below": "below the usual range",
        "in_band": "within the usual range",
        "above": "above the usual range",
    }.get(metric.verdict, "")


def _with_unit(value: float, unit: str) -> str:
    if unit == "ms":
        return duration(value)
    number = f"{value:.10g}"
    if unit == "share":
        return percent(value)
    return f"{number}{_PER_MINUTE}" if unit == "words_per_minute" else number


def role_reasons(scorecard: Scorecard) -> str:
    """Return in words what speaks against the sides, "" when nothing does."""
    return "; ".join(meaning("role", code) for code in scorecard.roles.reasons)


def status_words(scorecard: Scorecard) -> StatusWords | None:
    """Return what to say in place of coaching; None when there is coaching."""
    if scorecard.status == "complete":
        return None
    reason = scorecard.status_reason or ""
    words = _WORDS["status"].get(reason)
    if words is None:
        said = reason.replace("_", " ")
        words = {"label": "NO COACHING THIS TIME", "happened": f"{said}.", "to_do": "nothing.", "subject": said}
    talk, attempts = scorecard.talk_listen, scorecard.run.coach_attempts
    details = {
        "length": call_length(scorecard),
        "rep": duration(talk.rep_ms or 0),
        "customer": duration(talk.customer_ms or 0),
        "confidence": percent(scorecard.call.transcript_confidence),
        "reasons": role_reasons(scorecard) or "it is not known who is the rep",
        "attempts": "asked once" if attempts == 1 else f"asked {attempts} times" if attempts else "no answer",
        "share": percent(talk.rep_share),
    }
    happened, to_do, subject = (str(words[part]).format(**details) for part in ("happened", "to_do", "subject"))
    sides = "per speaker; nothing is judged" if scorecard.status == "needs_roles" else "of this call"
    return StatusWords(
        label=str(words["label"]),
        happened=happened,
        to_do=to_do,
        saved=f"the transcript and the numbers {sides}.",
        subject=subject,
    )


def evidence_sentence(scorecard: Scorecard) -> str:
    """Return how many of the coach's quotes stand in the transcript, "" where it offered none."""
    counts = scorecard.evidence
    if counts is None or not counts.claimed:
        return ""
    found = counts.verified + counts.repaired
    if not counts.dropped:
        return f"Every quote was found in the transcript at the time given (all {found} that the model offered)."
    left_out = "1 was not found and is" if counts.dropped == 1 else f"{counts.dropped} were not found and are"
    return (
        "Every quote was found in the transcript at the time given"
        f" ({found} of {counts.claimed} that the model offered; {left_out} left out)."
    )


def unknowns(scorecard: Scorecard) -> list[Unknown]:
    """Return what a reader may miss, by reason."""
    talk, sentiment = scorecard.talk_listen, scorecard.sentiment
    missing = [("Talk share", meaning("reason", talk.not_judged_reason))] if talk.verdict == "not_judged" else []
    missing += [
        (metric_name(name), meaning("reason", scorecard.metrics[name].reason))
        for name in metrics_in_order(scorecard.metrics)
        if scorecard.metrics[name].value is None
    ]
    if sentiment and sentiment.shifts is None:
        missing.append(("Changes in the customer's wording", meaning("reason", sentiment.shifts_reason)))
    by_reason: dict[str, list[str]] = {}
    for what, why in missing:
        by_reason.setdefault(why or "no reason is given", []).append(what)
    return [Unknown(what, why) for why, what in by_reason.items()]
