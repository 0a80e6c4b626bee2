"""A call without a scorecard: the record in failures/ and the e-mail that says why."""

import textwrap

from callcoach.documents import Failure, encode
from callcoach.notifications import Notifications, ascii_text
from callcoach.observability import count
from callcoach.storage import Documents


class Failures:
    """Records a failure for good and tells people."""

    def __init__(self, documents: Documents, notifications: Notifications) -> None:
        self._documents = documents
        self._notifications = notifications

    def record(self, failure: Failure) -> None:
        """Write failures/<key>.json over an older one, then send one e-mail."""
        key = self._documents.write("failures", failure.recording, encode(failure))
        subject, message = failure_mail(failure, f"{self._documents.bucket}/{key}")
        attributes = {"outcome": "failed", "reason": failure.reason, "stage": failure.stage}
        self._notifications.publish(subject, message, attributes)
        count("CallsFailed")


def failure_mail(failure: Failure, where: str) -> tuple[str, str]:
    """Return subject and text: what happened, what to do, what was saved."""
    name = ascii_text(failure.recording.rsplit("/", 1)[-1])[:60]
    paragraphs = [
        f"NO SCORECARD: {failure.detail}",
        f"WHAT TO DO: {failure.next_step}",
        f"SAVED: the reason ({failure.reason}), in {where} (AWS sign-in needed). The recording was left as it is.",
        f"Recording: {failure.recording}",
    ]
    text = "\n\n".join(textwrap.fill(ascii_text(line), 72, break_on_hyphens=False) for line in paragraphs)
    return f"No call review: {name}: {failure.reason.replace('_', ' ')}", f"{text}\n"
