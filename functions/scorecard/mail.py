"""The e-mail about a call: plain text that holds everything a manager acts on. Pure."""

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from callcoach.documents import Failure, document_key
from callcoach.meanings import meaning
from callcoach.moments import clock
from callcoach.notifications import NOTIFICATION_VERSION, CallTold, Notification, StoredAt, one_sentence
from callcoach.plain_text import ascii_text, clipped, columns, printable, unicode_text, without_links, wrapped
from scorecard.phrases import (
    call_facts,
    call_length,
    capitalised,
    cue_and_action,
    evidence_sentence,
    file_name,
    mention_line,
    metric_band,
    metric_name,
    metric_value,
    next_step_text,
    no_shift_sentence,
    people,
    percent,
    recorded_on,
    role_reasons,
    shift_sentence,
    status_words,
    suggestion_moment_ms,
    suggestion_number,
    talk_band,
    talk_line,
    unbroken,
    wording_sentence,
    words_for,
)
from scorecard.rendering import environment
from scorecard.scorecard import Coaching, Scorecard

if TYPE_CHECKING:
    import jinja2

MAIL_COLUMNS = 72
# What the template can write stays below this: each of its texts is cut, and each of its lists.
MAIL_LIMIT_CHARACTERS = 8192
# A longer link to the report gives way to one to the bucket: a key may have 1,024 bytes, three times that in a link.
_LINK_CHARACTERS = 450
# What leaves room in a subject for the number.
_SUBJECT_NAME_CHARACTERS = 40
_SUBJECT_WHO_CHARACTERS = 50

_UNCOACHABLE = frozenset(("too_short", "one_side_only", "poor_transcript", "too_long_for_coach", "not_a_sales_call"))


def message_attributes(scorecard: Scorecard) -> dict[str, str | bool | None]:
    """Return what subscribers may filter by. coachable: whether the call is one to coach; None while that is open."""
    call = scorecard.call
    return {
        "outcome": scorecard.status,
        "rep": call.rep,
        "team": call.team,
        "customer": call.customer,
        "call_type": call.call_type,
        "needs_review": scorecard.roles.needs_review,
        "coachable": None if scorecard.status == "needs_roles" else scorecard.status_reason not in _UNCOACHABLE,
    }


def scorecard_notification(scorecard: Scorecard, bucket: str) -> Notification:
    """Return what machines are told of a call."""
    call = scorecard.call
    return Notification(
        schema_version=NOTIFICATION_VERSION,
        status=scorecard.status,
        headline=one_sentence(_headline(scorecard)),
        reason=scorecard.status_reason,
        needs_review=scorecard.roles.needs_review,
        call=CallTold(
            recording=call.recording,
            transcript_id=call.transcript_id,
            rep=call.rep,
            customer=call.customer,
            team=call.team,
            call_type=call.call_type,
            recorded_at=call.recorded_at,
        ),
        scorecard=StoredAt(bucket, document_key("scorecards", call.recording)),
        report=StoredAt(bucket, document_key("reports", call.recording)),
        failure=None,
        counts=None,
    )


def _headline(scorecard: Scorecard) -> str:
    """Return the first thing to know. The next step is not it: it may hold words of the customer."""
    status, reasons, headline = status_words(scorecard), role_reasons(scorecard), scorecard.headline
    if reasons:
        return f"Check who is who first: {reasons}."
    if status:
        return f"{capitalised(status.label.lower())}: {status.happened}"
    return headline.focus or headline.talk or "Scored; nothing to practise was found."


def render_mail(
    scorecard: Scorecard,
    bucket: str,
    replaces: Failure | None = None,
    *,
    corrects: bool = False,
    is_attached: bool = False,
) -> tuple[str, str]:
    """Return the subject and the text of a call's e-mail: 72 columns, complete without any link.

    The subject is in ASCII, as SNS wants it; names, prose and quotes in the text keep their letters.

    replaces: the failure that people were told of before; corrects: there was another scorecard before; is_attached:
    the report comes with it, so it is not said where it lies.
    """
    coaching = scorecard.coaching
    names = people(scorecard) or file_name(scorecard)
    text = template().render(
        card=scorecard,
        facts=" / ".join([names, *call_facts(scorecard)]),
        status=status_words(scorecard),
        role_reasons=role_reasons(scorecard),
        talk_line=talk_line(scorecard),
        levels=_level_line(coaching) if coaching else "",
        evidence=evidence_sentence(scorecard),
        report_link="" if is_attached else _report_link(scorecard, bucket),
        replaces=meaning("failure", replaces.reason) if replaces else "",
        corrects=corrects,
    )
    return _subject(scorecard), text


def _subject(scorecard: Scorecard) -> str:
    """Return the subject: names and the one number, no judgement, for it shows on a lock screen."""
    talk, status = scorecard.talk_listen, status_words(scorecard)
    if scorecard.status == "needs_roles":
        name = _ascii_name([file_name(scorecard)], scorecard)
        return f"Check who is who: recording {name} ({call_length(scorecard)})"
    call_type = printable(ascii_text(scorecard.call.call_type or ""))
    name = _ascii_name([people(scorecard), file_name(scorecard)], scorecard)
    who = clipped(without_links(f"{name}, {call_type}" if call_type else name), _SUBJECT_WHO_CHARACTERS)
    if status:
        return f"Call review: {who}: {status.subject}"
    if talk.rep_share is None:
        return f"Call review: {who}: talk share not known"
    usual = f" (usual {talk_band(talk)})" if talk.verdict != "not_judged" else ""
    return f"Call review: {who}: rep talked {percent(talk.rep_share)}{usual}"


def _ascii_name(names: list[str], scorecard: Scorecard) -> str:
    """Return the first name that ASCII can write, else the day of the call, at the worst the transcript's id."""
    day = recorded_on(scorecard)
    written = (ascii_text(name) for name in [*names, f"call of {day}" if day else ""])
    name = next((name for name in written if name and "?" not in name), scorecard.call.transcript_id)
    return without_links(name[:_SUBJECT_NAME_CHARACTERS].rstrip(" ,/"))


def _report_link(scorecard: Scorecard, bucket: str) -> str:
    console = "https://console.aws.amazon.com/s3"
    link = f"{console}/object/{bucket}?prefix={quote(document_key('reports', scorecard.call.recording), safe='/')}"
    return link if len(link) <= _LINK_CHARACTERS else f"{console}/buckets/{bucket}?prefix=reports/"


def _level_line(coaching: Coaching) -> str:
    levels = [(words_for("behaviour", item), level.level) for item, level in coaching.rubric.items.items()]
    levels.sort(key=lambda named: -1 if named[1] is None else named[1], reverse=True)
    return " / ".join(f"{name} {'-' if level is None else level}" for name, level in levels)


def _quoted(text: str, limit: int) -> str:
    return f'"{_short(text, limit)}"'


def _fill(text: str, first: str = "", rest: str = "", *, limit: int = 240) -> str:
    return wrapped(unbroken(_short(text, limit), "\x1f"), MAIL_COLUMNS, first, rest).replace("\x1f", " ")


def _short(text: str, limit: int) -> str:
    """Return text without links, cut to about that many columns: a wide character says more than a narrow one."""
    plain = unicode_text(text)
    characters = limit * len(plain) // max(columns(plain), len(plain), 1) if plain else limit
    return clipped(without_links(clipped(plain, characters)), characters)


@cache
def template() -> "jinja2.Template":
    """Return the template. It takes longer to compile than to fill, so a run may do that while it waits."""
    plain = environment(autoescape=False)
    plain.filters.update(
        call_length=call_length,
        clock=clock,
        cue_and_action=cue_and_action,
        fill=_fill,
        mention_line=mention_line,
        meaning=lambda code, kind: meaning(kind, code),
        metric_band=metric_band,
        metric_name=metric_name,
        metric_value=metric_value,
        next_step_text=next_step_text,
        no_shift_sentence=no_shift_sentence,
        percent=percent,
        printable=printable,
        quoted=_quoted,
        shift_sentence=shift_sentence,
        suggestion_moment_ms=suggestion_moment_ms,
        suggestion_number=suggestion_number,
        wording_sentence=wording_sentence,
    )
    return plain.get_template("email.txt.j2")
