"""What became of recordings that were submitted quietly: one e-mail instead of one for each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from callcoach.calls import Call
from callcoach.meanings import meaning
from callcoach.notifications import NOTIFICATION_VERSION, Counts, Notification
from callcoach.plain_text import clipped, how_many, unicode_text, without_links, wrapped

_COLUMNS = 72
# What is listed of a kind; SNS takes 256 kB, and people read a page.
_LISTED = 30


class Summary(msgspec.Struct, frozen=True):
    """scored: recordings by the status of their scorecards; failed: their names by reason; reps: scored calls of each.

    gone: recordings of which nothing is known any more.
    """

    scored: dict[str, int]
    failed: dict[str, list[str]]
    check_roles: list[str]
    reps: dict[str, int]
    gone: list[str]


def summarised(calls: Sequence[Call], statuses: Mapping[str, str], gone: Sequence[str]) -> Summary:
    """Sum up what became of recordings. statuses: of their scorecards."""
    scored = [call for call in calls if call.state == "scored"]
    failed: dict[str, list[str]] = {}
    for call in sorted(calls, key=lambda call: call.recording):
        if call.state == "failed":
            failed.setdefault(call.reason or "unknown", []).append(call.recording)
    return Summary(
        scored=dict(Counter(statuses.get(call.recording, "unknown") for call in scored).most_common()),
        failed=failed,
        check_roles=sorted(call.recording for call in scored if statuses.get(call.recording) == "needs_roles"),
        reps=dict(Counter(call.rep for call in scored if call.rep).most_common()),
        gone=sorted(gone),
    )


def summary_mail(summary: Summary, bucket: str) -> tuple[str, str]:
    """Return the subject and the text of the e-mail: 72 columns. bucket: where the scorecards lie."""
    scored, failed = sum(summary.scored.values()), sum(map(len, summary.failed.values()))
    text = "\n".join(_paragraphs(summary, scored, failed, bucket))
    return f"Call reviews: {scored} scored, {failed} not", f"{text}\n"


def summary_notification(summary: Summary) -> Notification:
    """Return what machines are told: how many, and why some were not scored."""
    scored, failed = sum(summary.scored.values()), sum(map(len, summary.failed.values()))
    return Notification(
        schema_version=NOTIFICATION_VERSION,
        status="summary",
        headline=f"{how_many(scored, 'recording')} scored, {how_many(failed, 'recording')} not.",
        reason=None,
        needs_review=None,
        call=None,
        scorecard=None,
        report=None,
        failure=None,
        counts=Counts(
            scored=summary.scored, failed={reason: len(recordings) for reason, recordings in summary.failed.items()}
        ),
    )


def _paragraphs(summary: Summary, scored: int, failed: int, bucket: str) -> Iterator[str]:
    yield _filled(f"CALL REVIEWS: {how_many(scored, 'recording')} scored, {how_many(failed, 'recording')} not.")
    yield _filled("They were submitted together, so no e-mail came about each.")
    if summary.check_roles:
        yield from (
            "",
            _filled("CHECK WHO IS WHO FIRST (nothing was judged; whoever runs callcoach can set the sides right)"),
        )
        yield from _listed(summary.check_roles)
    for reason, recordings in summary.failed.items():
        yield from ("", _filled(f"NOT SCORED: {meaning('failure', reason)}"))
        yield from _listed(recordings)
    if summary.reps:
        yield from ("", "SCORED, BY REP")
        yield from _listed([f"{rep}: {count}" for rep, count in summary.reps.items()])
    if summary.gone:
        yield from ("", "TAKEN AWAY MEANWHILE")
        yield from _listed(summary.gone)
    yield "-" * _COLUMNS
    yield "Reports, scorecards and reasons (AWS sign-in needed):"
    yield f"  https://console.aws.amazon.com/s3/buckets/{bucket}"


def _listed(names: Sequence[str]) -> Iterator[str]:
    for name in names[:_LISTED]:
        yield _filled(name, "  ")
    if len(names) > _LISTED:
        yield f"  and {len(names) - _LISTED} more, which whoever runs callcoach can list"


def _filled(text: str, indent: str = "") -> str:
    return wrapped(without_links(clipped(unicode_text(text), 300)), _COLUMNS, indent, f"{indent}  ")
