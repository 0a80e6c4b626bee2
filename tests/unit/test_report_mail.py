"""The e-mail that has the report attached."""

import email
import re
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import HOSTILE_TEXTS
from tests.unit.scorecards import example_scorecard

from scorecard.mail import render_mail
from scorecard.report_mail import ReportMail, report_file_name, report_message

PAGE = "<!doctype html>\n<title>Über</title>" + "<p>" + "x" * 5000 + "</p>\n.\nFrom \u65e5\u672c\r\n" * 3


class Client:
    """SES in memory: takes e-mails, or raises what it is given."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **asked: Any) -> object:
        if self.fault:
            raise self.fault
        self.sent.append(asked)
        return {"MessageId": "1"}


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def refusal(code: str, status: int = 400, message: str = "no") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendEmail")


def test_prose_is_the_text_and_the_page_is_a_file() -> None:
    client = Client()
    subject, text = render_mail(example_scorecard(), "bucket", is_attached=True)
    assert (
        ReportMail(client, "from@example.com", ("a@example.com", "b@example.org")).send(
            subject, text, PAGE, "dana-reyes/acme.mp3"
        )
        == ""
    )

    (asked,) = client.sent
    assert asked["FromEmailAddress"] == "from@example.com"
    assert asked["Destination"] == {"ToAddresses": ["a@example.com", "b@example.org"]}
    message = read(asked["Content"]["Raw"]["Data"])
    assert (message["From"], message["To"]) == ("from@example.com", "a@example.com, b@example.org")
    assert message["Subject"] == subject
    assert f"Subject: {subject}\r\n".encode() in asked["Content"]["Raw"]["Data"]
    body, (page,) = message.get_body(), list(message.iter_attachments())
    assert isinstance(body, EmailMessage)
    assert isinstance(page, EmailMessage)
    assert body.get_content_type() == "text/plain"
    assert body.get_content().replace("\r\n", "\n") == text
    assert (page.get_filename(), page.get_content_type()) == ("acme-review.html", "text/html")
    assert page.get_payload(decode=True) == PAGE.encode()


def test_text_says_that_the_report_is_attached_and_not_where_it_lies() -> None:
    _, text = render_mail(example_scorecard(), "bucket", is_attached=True)
    assert "The full report is attached" in text
    assert "://" not in text
    assert "sign-in" not in text


@pytest.mark.parametrize("hostile", [*HOSTILE_TEXTS, "a\r\nBcc: x@example.com", "x" * 2000])
def test_message_is_one_that_mail_servers_take(hostile: str) -> None:
    """ASCII in short lines, with no header that a name has brought."""
    raw = report_message(hostile, "text\n", PAGE, f"{hostile}.mp3").as_bytes()
    assert raw.isascii()
    assert max(map(len, re.split(b"\r\n", raw))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert read(raw).keys() == ["Subject", "MIME-Version", "Content-Type"]


def test_same_report_gives_the_same_bytes() -> None:
    first, second = (report_message("s", "text\n", PAGE, "a.mp3").as_bytes() for _ in range(2))
    assert first == second


@given(st.text(max_size=300))
def test_file_has_a_name_that_any_system_takes(recording: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,75}-review\.html", report_file_name(recording))


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("dana-reyes/acme_discovery_2026-05-06.mp3", "acme_discovery_2026-05-06-review.html"),
        ("日本.m4a", "call-review.html"),
        ("no suffix", "no-suffix-review.html"),
        ("../../etc/passwd", "passwd-review.html"),
    ],
)
def test_file_is_called_like_the_recording(recording: str, name: str) -> None:
    assert report_file_name(recording) == name


@pytest.mark.parametrize(
    "code",
    [
        "MessageRejected",
        "MailFromDomainNotVerifiedException",
        "AccountSuspendedException",
        "SendingPausedException",
        "BadRequestException",
        "NotFoundException",
        "AccessDeniedException",
    ],
)
def test_what_only_people_can_mend_is_returned(code: str) -> None:
    mail = ReportMail(Client(refusal(code, message="a\nb" + "x" * 999)), "from@example.com", ["a@example.com"])
    said = mail.send("s", "text\n", PAGE, "a.mp3")
    assert said.startswith(f"{code}: a b")
    assert said.isprintable()
    assert len(said) <= 300


@pytest.mark.parametrize(
    "fault",
    [
        refusal("TooManyRequestsException", 429),
        refusal("LimitExceededException"),
        refusal("InternalServiceErrorException", 500),
        ConnectTimeoutError(endpoint_url="https://email.example"),
    ],
)
def test_what_passes_is_raised(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        ReportMail(Client(fault), "from@example.com", ["a@example.com"]).send("s", "text\n", PAGE, "a.mp3")
