"""SES in the sandbox refuses what SES does, where moto sends everything."""

import base64
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from tests.integration.operator_commands import role_with
from tests.integration.test_sandbox_account import error_code
from tests.sandbox.cloud import Cloud

SENDER = "callcoach@example.com"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(verified_identities=["example.com", "other@example.org"], invoke=False) as cloud:
        yield cloud


def raw(text: str = "text\n", sender: str = SENDER) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "a@example.net", "subject"
    message.set_content(text, cte="7bit")
    return message.as_bytes()


def send(cloud: Cloud, **changes: Any) -> str:
    """Send an e-mail, and return the code of its refusal."""
    client = changes.pop("client", None) or cloud.client("sesv2")
    asked = {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": ["a@example.net"]},
        "Content": {"Raw": {"Data": raw()}},
    }
    return error_code(lambda: client.send_email(**asked | changes))


def test_what_is_sent_can_be_seen(cloud: Cloud) -> None:
    assert send(cloud) == "allowed"
    mail = cloud.ses.sent[-1]
    assert (mail.sender, mail.recipients, mail.subject, mail.text) == (SENDER, ("a@example.net",), "subject", "text\n")


def test_a_sender_is_verified_by_its_address_or_its_domain(cloud: Cloud) -> None:
    """And by a domain above that. One that was only made known is none, and the message may name no other sender."""
    cloud.client("sesv2").create_email_identity(EmailIdentity="pending@example.org")
    for sender, expected in (
        ("anybody@example.com", "allowed"),
        ("other@example.org", "allowed"),
        ("pending@example.org", "MessageRejected"),
        ("unknown@example.org", "MessageRejected"),
        ("a@sub.example.com", "allowed"),
        ("a@another-example.com", "MessageRejected"),
    ):
        content = {"Raw": {"Data": raw(sender=sender)}}
        assert send(cloud, FromEmailAddress=sender, Content=content) == expected, sender
    assert send(cloud, Content={"Raw": {"Data": raw(sender="unknown@example.org")}}) == "MessageRejected"


def test_in_its_sandbox_the_account_writes_to_verified_addresses_alone(cloud: Cloud) -> None:
    cloud.ses.has_production_access = False
    try:
        assert cloud.client("sesv2").get_account()["ProductionAccessEnabled"] is False
        assert send(cloud) == "MessageRejected"
        assert send(cloud, Destination={"ToAddresses": ["lead@example.com"]}) == "allowed"
    finally:
        cloud.ses.has_production_access = True


def test_nothing_is_sent_while_sending_is_paused(cloud: Cloud) -> None:
    cloud.ses.is_sending_enabled = False
    try:
        assert cloud.client("sesv2").get_account()["SendingEnabled"] is False
        assert send(cloud) == "SendingPausedException"
    finally:
        cloud.ses.is_sending_enabled = True


def test_a_message_has_limits(cloud: Cloud) -> None:
    """50 recipients, 40 MB as it is sent, and lines that mail servers take."""
    before = len(cloud.ses.sent)
    for changes in (
        {"Destination": {"ToAddresses": [f"a{number}@example.net" for number in range(51)]}},
        {"Content": {"Raw": {"Data": raw("x" * 99 + "\n") + (b"x" * 998 + b"\n") * 32_000}}},
        {"Content": {"Raw": {"Data": raw("x" * 1_000 + "\n")}}},
        {"Content": {"Raw": {"Data": raw() + "é".encode()}}},
    ):
        assert send(cloud, **changes) in ("MessageRejected", "BadRequestException")
    assert len(cloud.ses.sent) == before


def test_an_identity_says_whether_it_is_verified(cloud: Cloud) -> None:
    client = cloud.client("sesv2")
    assert client.get_email_identity(EmailIdentity="example.com")["VerifiedForSendingStatus"] is True
    client.create_email_identity(EmailIdentity="new@example.org")
    assert client.get_email_identity(EmailIdentity="new@example.org")["VerifiedForSendingStatus"] is False
    assert error_code(lambda: client.get_email_identity(EmailIdentity="unknown.example")) == "NotFoundException"


def test_a_raw_message_needs_the_right_to_send_one(cloud: Cloud) -> None:
    """On the sender's identity; a condition may fix the sender."""
    credentials, used = role_with(cloud, "sends-simply", ["ses:SendEmail"])
    assert send(cloud, client=cloud.client("sesv2", credentials)) == "AccessDeniedException"
    credentials, used = role_with(cloud, "sends-raw", ["ses:SendRawEmail"])
    assert send(cloud, client=cloud.client("sesv2", credentials)) == "allowed"
    assert used() == {"ses:SendRawEmail"}
    assert cloud.permissions_used_by("sends-raw") == {
        ("ses:SendRawEmail", f"arn:aws:ses:eu-west-1:123456789012:identity/{SENDER}")
    }


def test_faults_of_ses_are_in_its_own_words(cloud: Cloud) -> None:
    with cloud.fault("ses", "SendEmail", status=429, code="TooManyRequestsException"):
        assert send(cloud) == "TooManyRequestsException"


def test_the_raw_message_is_kept(cloud: Cloud) -> None:
    send(cloud)
    assert base64.b64encode(cloud.ses.sent[-1].raw) == base64.b64encode(raw())
