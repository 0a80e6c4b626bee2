"""A call without a scorecard: the record in failures/ and the e-mail that says why."""

from urllib.parse import quote

from callcoach.documents import CallDetails, Failure, Submission, encode
from callcoach.errors import PermanentError
from callcoach.meanings import meaning
from callcoach.names import Drop
from callcoach.notifications import (
    NOTIFICATION_VERSION,
    SUBJECT_LIMIT,
    CallTold,
    Notification,
    Notifications,
    StoredAt,
    one_sentence,
)
from callcoach.observability import Stage, count, logger
from callcoach.plain_text import ascii_text, base_name, clipped, printable, unicode_text, without_links, wrapped
from callcoach.storage import Documents
from callcoach.work import GaveUp


def failure_of(work: Drop | Submission, stage: Stage, why: PermanentError | GaveUp) -> Failure:
    """Return the record of what failed. work: what was dropped or submitted."""
    return Failure(
        recording=work.recording,
        stage=stage,
        reason=why.reason,
        detail=why.detail,
        next_step=why.next_step,
        retryable=why.retryable,
        transcript_id=work.transcript_id if isinstance(work, Submission) else None,
        etag=work.etag,
        sequencer=work.sequencer,
        quiet=work.quiet,
    )


class Failures:
    """Records a failure for good and tells people."""

    def __init__(self, documents: Documents, notifications: Notifications) -> None:
        self._documents = documents
        self._notifications = notifications

    def record(self, failure: Failure, call: CallDetails | None = None) -> None:
        """Write failures/<key>.json over an older one, then send one e-mail unless it is quiet.

        call: who was on it, if that is known.
        """
        key = self._documents.write("failures", failure.recording, encode(failure))
        if not failure.quiet:
            self._tell(failure, call or CallDetails(), key)
        logger.error("failed", stage=failure.stage, reason=failure.reason, retryable=failure.retryable)
        count("CallsFailed")

    def _tell(self, failure: Failure, call: CallDetails, key: str) -> None:
        subject, message = failure_mail(failure, f"{self._documents.bucket}/{key}")
        attributes = {
            "outcome": "failed",
            "reason": failure.reason,
            "stage": failure.stage,
            "rep": call.rep,
            "team": call.team,
            "customer": call.customer,
            "call_type": call.call_type,
        }
        stored_at = StoredAt(self._documents.bucket, key)
        self._notifications.publish(subject, message, attributes, failure_notification(failure, call, stored_at))


def failure_notification(failure: Failure, call: CallDetails, stored_at: StoredAt) -> Notification:
    """Return what machines are told: the reason, in words too, and where the record lies."""
    return Notification(
        schema_version=NOTIFICATION_VERSION,
        status="failed",
        headline=one_sentence(f"No call review: {meaning('failure', failure.reason)}."),
        reason=failure.reason,
        needs_review=None,
        call=CallTold(
            recording=failure.recording,
            transcript_id=failure.transcript_id,
            rep=call.rep,
            customer=call.customer,
            team=call.team,
            call_type=call.call_type,
            recorded_at=call.recorded_at,
        ),
        scorecard=None,
        report=None,
        failure=stored_at,
        counts=None,
    )


def failure_mail(failure: Failure, where: str) -> tuple[str, str]:
    """Return subject and text: what happened, what to do, what was saved; at the end what services said."""
    why = meaning("failure", failure.reason)
    # Of a long name the end gives way, not the reason.
    room = SUBJECT_LIMIT - len(f"No call review: : {why}")
    name = clipped(without_links(printable(ascii_text(base_name(failure.recording)))), room)
    lines = [
        f"NO SCORECARD: {why}.",
        f"WHAT TO DO: {failure.next_step}",
        f"SAVED: the reason, in {where} (AWS sign-in needed). The recording was left as it is.",
        f"Recording: {failure.recording}",
        f"In detail: {failure.detail}",
    ]
    # What a service says about a fault may be long.
    plain = [without_links(clipped(unicode_text(line), 1500)) for line in lines]
    if ascii_text(failure.recording) != failure.recording:
        # Several names may look the same. A key has at most 1,024 bytes, and a dot may make a link.
        plain.append(f"Its name as links have it: {quote(failure.recording).replace('.', '%2E')}")
    text = "\n".join(wrapped(line, 72) for line in plain)
    return f"No call review: {name}: {why}", f"{text}\n"
