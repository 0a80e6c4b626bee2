"""The report by e-mail, for people who do not sign in to AWS: through SES, to the addresses of ReportRecipients."""

import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol

from botocore.exceptions import ClientError

from callcoach.aws_faults import passing_fault
from callcoach.notifications import ascii_subject
from callcoach.plain_text import ascii_text, base_name, clipped

# A subject stays on its line: some mail programs show a blank where a longer one was folded.
_POLICY = SMTP.clone(max_line_length=160, cte_type="7bit")
# Neither base64 nor quoted-printable has a line with "=_".
_BOUNDARY = "=_callcoach"
_FILE_NAME_CHARACTERS = 60
_REFUSAL_CHARACTERS = 300


class Sesv2(Protocol):
    """What is used of boto3's client of that name."""

    def send_email(
        self,
        *,
        FromEmailAddress: str,  # noqa: N803 - boto3's own names
        Destination: Mapping[str, Sequence[str]],  # noqa: N803
        Content: Mapping[str, Mapping[str, bytes]],  # noqa: N803
    ) -> object:
        """Raise ClientError where SES refuses."""


class ReportMail:
    """Mails reports from one address to some others."""

    def __init__(self, client: Sesv2, sender: str, recipients: Sequence[str]) -> None:
        self._client = client
        self._sender = sender
        self._recipients = list(recipients)

    def send(self, subject: str, text: str, report: str, recording: str) -> str:
        """Send one e-mail; return why SES will not until somebody has acted, "" when it has taken it.

        Raises what passes by itself.
        """
        message = report_message(subject, text, report, recording)
        message["From"], message["To"] = self._sender, ", ".join(self._recipients)
        try:
            self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": self._recipients},
                Content={"Raw": {"Data": message.as_bytes()}},
            )
        except ClientError as fault:
            if passing_fault(fault):
                raise
            error = fault.response["Error"]
            return clipped(ascii_text(f"{error.get('Code', '')}: {error.get('Message', '')}"), _REFUSAL_CHARACTERS)
        return ""


def report_message(subject: str, text: str, report: str, recording: str) -> EmailMessage:
    """Return the e-mail: the text, and the page as a file, for mail programs take the drawings out of a page.

    The same input gives the same bytes; SES adds the date and an id.
    """
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = ascii_subject(subject)
    message.set_content(text)
    message.add_attachment(
        report.encode(),
        maintype="text",
        subtype="html",
        params={"charset": "utf-8"},
        filename=report_file_name(recording),
    )
    message.set_boundary(_BOUNDARY)
    return message


def report_file_name(recording: str) -> str:
    """Return what the attached page is called: the recording's name as far as any file system takes it."""
    stem = ascii_text(base_name(recording)).rpartition(".")[0] or ascii_text(base_name(recording))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:_FILE_NAME_CHARACTERS].strip("-")
    return f"{plain or 'call'}-review.html"
