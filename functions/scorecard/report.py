"""What people read: the headline, the e-mail and the page. Pure; every number in them comes from the scorecard.

The page is one file without script or network. Everything that was said or typed by anybody is escaped by the template.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import jinja2
import msgspec

from callcoach.documents import document_key
from callcoach.notifications import ascii_text
from callcoach.transcript import Transcript, Utterance
from scorecard.coaching import RUBRIC_ITEMS
from scorecard.metrics import has_target_mark, whole_percent
from scorecard.scorecard import Coaching, Headline, Scorecard, Shift, TalkListen

MAIL_COLUMNS = 72
# What leaves room in a subject for the number.
SUBJECT_NAME_CHARACTERS = 40
SUBJECT_WHO_CHARACTERS = 50

# Embeddings, overrides and isolates: such a character in a name would turn the text that follows it.
_DIRECTION_MARKS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))

_STATUS_TEXTS = {
    "too_short": "Too short to coach: each side has to speak for a minute, and both together for three.",
    "one_side_only": "Only one side speaks.",
    "poor_transcript": "The transcript is too uncertain to coach from; the sound may be poor.",
    "roles_unknown": "It is not known who is the rep, so nothing is judged.",
    "not_a_sales_call": "This does not look like a sales call.",
    "coach_truncated": "The writing model's answer was cut off. The numbers stand.",
    "coach_refused": "The writing model refused to answer. The numbers stand.",
    "coach_invalid": "The writing model's answer could not be read. The numbers stand.",
    "coach_unavailable": "No writing model took the request. The numbers stand.",
}

_VERDICT_TEXTS = {"below": "below", "in_band": "within", "above": "above"}

_ABOUT_TEXTS = {
    "our_offer_or_rep": "about the offer or the rep",
    "their_own_situation": "about their own situation",
    "third_party": "about somebody else",
    "small_talk": "small talk",
    "unclear": "",
}


def clock(moment_ms: int) -> str:
    """Return a moment as m:ss, or h:mm:ss from an hour on."""
    seconds = max(moment_ms, 0) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def percent(share: float | None) -> str:
    """Return a share as whole percent."""
    return "-" if share is None else f"{whole_percent(share)}%"


def band_text(talk: TalkListen) -> str:
    """Return the usual range in words: "35-50%", "up to 65%"."""
    low, high = talk.band.low, talk.band.high
    if low is None or high is None:
        return f"up to {percent(high)}" if low is None else f"at least {percent(low)}"
    return f"{whole_percent(low)}-{percent(high)}"


def talk_sentence(talk: TalkListen) -> str | None:
    """Return the talk share and its verdict; None when it was not judged."""
    if talk.rep_share is None or talk.verdict == "not_judged":
        return None
    calls = "calls (no type given)" if talk.band.kind == "other" else f"{talk.band.kind} calls"
    return f"Rep {percent(talk.rep_share)}, {_VERDICT_TEXTS[talk.verdict]} the usual {band_text(talk)} of {calls}."


def headline(talk: TalkListen, coaching: Coaching | None) -> Headline:
    """Return the three things to know first."""
    focus = focus_at_ms = next_step = None
    if coaching and coaching.suggestions:
        first = coaching.suggestions[0]
        focus = cue_and_action(first.when, first.do)
        focus_at_ms = first.evidence[0].start_ms if first.evidence else None
    if coaching:
        said = [coaching.next_step.status.replace("_", " ")]
        if coaching.next_step.action:
            said.append(coaching.next_step.action)
        next_step = ": ".join(said)
        if coaching.next_step.when_words:
            next_step += f" ({coaching.next_step.when_words})"
    return Headline(focus=focus, focus_at_ms=focus_at_ms, next_step=next_step, talk=talk_sentence(talk))


def cue_and_action(when: str, do: str) -> str:
    """Join a suggestion's cue and action into one sentence."""
    return f"{when.rstrip('.,:')}: {do[:1].lower()}{do[1:].rstrip('.')}."


def status_text(scorecard: Scorecard) -> str:
    """Return in words why a scorecard holds no coaching; "" when it does."""
    return _STATUS_TEXTS.get(scorecard.status_reason or "", "")


def call_name(scorecard: Scorecard) -> str:
    """Return who the call was with, or the recording's file name where nobody said."""
    return (_people(scorecard) or _file_name(scorecard))[:60]


def _people(scorecard: Scorecard) -> str:
    return " / ".join(name for name in (scorecard.call.rep, scorecard.call.customer) if name)


def _file_name(scorecard: Scorecard) -> str:
    return scorecard.call.recording.rsplit("/", 1)[-1]


def _subject_name(scorecard: Scorecard) -> str:
    """Return the first name of the call that ASCII can write, at the worst the transcript's id."""
    names = (ascii_text(name) for name in (_people(scorecard), _file_name(scorecard)))
    name = next((name for name in names if name and "?" not in name), scorecard.call.transcript_id)
    return name[:SUBJECT_NAME_CHARACTERS]


def recorded_on(scorecard: Scorecard) -> str:
    """Return the day of the call: 6 May 2026."""
    if not scorecard.call.recorded_at:
        return ""
    day = datetime.fromisoformat(scorecard.call.recorded_at)
    return f"{day.day} {day:%B %Y}"


def shift_sentence(shift: Shift) -> str:
    """Return what a shift is, in counts."""
    turned = "recovered from a low" if shift.to == "positive" and shift.from_ == "negative" else f"turned {shift.to}"
    about = _ABOUT_TEXTS.get(shift.about, "")
    text = (
        f"{clock(shift.at_ms)} to {clock(shift.until_ms)} {turned}{f' {about}' if about else ''}"
        f" ({shift.polar_rows} of {shift.rows} sentences; {shift.elsewhere.polar_rows} of"
        f" {shift.elsewhere.rows} elsewhere)."
    )
    if shift.to == "negative":
        text += " Back to usual after that." if shift.recovered else " Not back to usual before the end."
    return text


def _fill(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        ascii_text(text),
        MAIL_COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )


def _level_line(coaching: Coaching) -> str:
    levels = sorted(
        ((RUBRIC_ITEMS[item]["name"], level.level) for item, level in coaching.rubric.items.items()),
        key=lambda named: -1 if named[1] is None else named[1],
        reverse=True,
    )
    return " / ".join(f"{name} {'-' if level is None else level}" for name, level in levels)


def _without_direction_marks(value: object) -> object:
    return value.translate(_DIRECTION_MARKS) if isinstance(value, str) else value


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=autoescape,  # noqa: S701 - off for plain text only
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        finalize=_without_direction_marks,
    )
    environment.filters.update(
        clock=clock, percent=percent, shift_sentence=shift_sentence, cue_and_action=cue_and_action, fill=_fill
    )
    return environment


_MAIL = _environment(autoescape=False).get_template("email.txt.j2")
_PAGE = _environment(autoescape=True).get_template("report.html.j2")


def render_mail(scorecard: Scorecard, bucket: str) -> tuple[str, str]:
    """Return the subject and the text of a call's e-mail: ASCII, 72 columns, complete without any link."""
    call_type = f", {ascii_text(scorecard.call.call_type)}" if scorecard.call.call_type else ""
    who = f"{_subject_name(scorecard)}{call_type}"[:SUBJECT_WHO_CHARACTERS]
    if scorecard.status == "needs_roles":
        subject = f"Check who is who: {who}"
    elif scorecard.coaching is None:
        subject = f"Call review: {who}: {(scorecard.status_reason or '').replace('_', ' ')}"
    else:
        talk = scorecard.talk_listen
        subject = f"Call review: {who}: rep talked {percent(talk.rep_share)} (usual {band_text(talk)})"
    report = document_key("reports", scorecard.call.recording)
    text = _MAIL.render(
        card=scorecard,
        name=call_name(scorecard),
        day=recorded_on(scorecard),
        status_text=status_text(scorecard),
        levels=_level_line(scorecard.coaching) if scorecard.coaching else "",
        report_link=f"https://console.aws.amazon.com/s3/object/{bucket}?prefix={quote(report, safe='/')}",
    )
    return subject, text


class TimelineBar(msgspec.Struct, frozen=True):
    """One stretch of speech on the page's timeline, in thousandths of the call."""

    side: str
    x: float
    width: float


def timeline(utterances: Sequence[Utterance], mapping: dict[str, str], duration_ms: int) -> list[TimelineBar]:
    """Return where each side speaks; stretches less than a second apart are drawn as one."""
    bars: list[TimelineBar] = []
    whole_ms = max(duration_ms, 1)
    for side in ("rep", "customer", "unassigned"):
        joined: list[list[int]] = []
        for start_ms, end_ms in sorted(
            (said.start_ms, said.end_ms) for said in utterances if mapping[said.speaker] == side
        ):
            if joined and start_ms - joined[-1][1] < 1000:
                joined[-1][1] = max(joined[-1][1], end_ms)
            else:
                joined.append([start_ms, end_ms])
        bars += [
            TimelineBar(side, round(1000 * start / whole_ms, 2), round(max(1000 * (end - start) / whole_ms, 0.8), 2))
            for start, end in joined
        ]
    return bars


def render_report(scorecard: Scorecard, transcript: Transcript) -> str:
    """Return the page of a call."""
    talk = scorecard.talk_listen
    return _PAGE.render(
        card=scorecard,
        name=call_name(scorecard),
        day=recorded_on(scorecard),
        status_text=status_text(scorecard),
        talk_sentence=talk_sentence(talk),
        band_text=band_text(talk),
        target_mark=has_target_mark(talk.band),
        bars=timeline(transcript.utterances or [], dict(scorecard.roles.mapping), transcript.duration_ms),
        duration_ms=max(transcript.duration_ms, 1),
        rubric_items=RUBRIC_ITEMS,
    )
