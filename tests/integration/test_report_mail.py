"""Reports by SES: after the scorecard, once, to those who are named; and what becomes of a call where SES will not."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from tests.faults.stage import TRANSCRIPT
from tests.integration.operator_commands import run
from tests.integration.stack import DONE, REPORTS, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Refuse, SideEffect
from tests.sandbox.ses import SentMail

RECIPIENTS = ("manager@example.com", "head@example.org")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(invoke=False, delay_seconds=0.05, parameters=REPORTS) as running:
        yield running


def transcribed(stack: Stack, key: str) -> str:
    sound = SOUND.read_bytes() + key.encode()
    stack.stand_in.teach(sound, TRANSCRIPT)
    return stack.transcribed(key, sound)


def mailed(stack: Stack, key: str) -> list[SentMail]:
    """Return the reports of a call that were mailed."""
    page = (stack.body("reports", key) or b"").decode()
    return [mail for mail in stack.cloud.ses.sent if page in mail.attachments.values()]


def told_operators(stack: Stack) -> list[str]:
    return [mail.message for mail in stack.cloud.publications() if mail.topic == "OperationsTopic"]


def test_the_report_is_mailed_as_it_lies_in_the_bucket(stack: Stack) -> None:
    key = "dana-reyes/acme_discovery_2026-05-06.ogg"
    assert stack.callback("completed", transcribed(stack, key)) == DONE

    (mail,) = mailed(stack, key)
    (told,) = stack.mails_about(key)
    assert (mail.sender, mail.recipients) == ("callcoach@example.com", RECIPIENTS)
    assert mail.subject == told.subject
    assert list(mail.attachments) == ["acme_discovery_2026-05-06-review.html"]
    assert "The full report is attached" in mail.text
    assert "The full report is attached" not in told.message
    assert mail.text.splitlines()[:8] == told.message.splitlines()[:8]


@pytest.mark.parametrize("is_rescore", [False, True])
def test_while_ses_is_away_the_call_waits_and_nobody_is_told_twice(stack: Stack, is_rescore: bool) -> None:  # noqa: FBT001 - both
    key = f"throttled-{is_rescore}.ogg"
    transcript_id = transcribed(stack, key)
    if is_rescore:
        stack.callback("completed", transcript_id)
        stack.cloud.empty("CallbacksQueue")
        assert run(stack.cloud, "rescore", key, "--yes").exit_code == 0
    else:
        stack.cloud.empty("CallbacksQueue")
        stack.send_callback("completed", transcript_id, key)
    mails, reports, paid = len(stack.mails_about(key)), len(stack.cloud.ses.sent), dict(stack.stand_in.paid_calls)
    throttled = Refuse(429, "TooManyRequestsException")

    def decide(effect: SideEffect) -> Action | None:
        return throttled if effect.what == "ses SendEmail" else None

    with Interference(stack.cloud, stack.stand_in, decide):
        for _ in range(3):
            assert stack.deliver("CallbacksQueue") != DONE
            stack.cloud.pass_time(1000)
    assert stack.document("scorecards", key)
    assert len(stack.cloud.ses.sent) == reports

    assert stack.deliver("CallbacksQueue") == DONE

    assert len(stack.cloud.ses.sent) == reports + 1
    assert list(stack.cloud.ses.sent[-1].attachments.values()) == [(stack.body("reports", key) or b"").decode()]
    assert len(stack.mails_about(key)) == mails + 1
    assert stack.stand_in.paid_calls["chat"] <= paid["chat"] + 1
    assert told_operators(stack) == []


@pytest.mark.parametrize("trouble", ["paused", "sandbox", "not permitted"])
def test_where_ses_refuses_the_call_is_done_and_operators_are_told_once_a_day(stack: Stack, trouble: str) -> None:
    ses, before, reports = stack.cloud.ses, len(told_operators(stack)), len(stack.cloud.ses.sent)
    ses.is_sending_enabled = trouble != "paused"
    ses.has_production_access = trouble != "sandbox"

    def decide(effect: SideEffect) -> Action | None:
        is_it = effect.what == "ses SendEmail" and trouble == "not permitted"
        return Refuse(403, "AccessDeniedException") if is_it else None

    try:
        with Interference(stack.cloud, stack.stand_in, decide):
            for number in range(2):
                key = f"{trouble}-{number}.ogg"
                assert stack.callback("completed", transcribed(stack, key)) == DONE
                assert stack.document("scorecards", key)
                assert len(stack.mails_about(key)) == 1
    finally:
        ses.is_sending_enabled = ses.has_production_access = True
    assert len(ses.sent) == reports
    (told,) = told_operators(stack)[before:]
    assert "SES refuses to send a report: " in told
    assert "ReportSender" in told
    assert f"{trouble}-0" not in told
    stack.cloud.pass_time(25 * 3600)


def test_what_was_submitted_quietly_is_not_mailed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    key, reports = "quiet.ogg", len(stack.cloud.ses.sent)
    sound = SOUND.read_bytes() + key.encode()
    stack.stand_in.teach(sound, TRANSCRIPT)
    stack.drop(key, sound)
    stack.cloud.empty("RecordingsQueue")

    def work(_: float) -> None:
        stack.deliver("RecordingsQueue")
        stack.cloud.wait_until(lambda: all(job.completed for job in stack.stand_in.jobs.values()))
        stack.callback("completed", str(stack.document("submissions", key)["transcript_id"]))

    monkeypatch.setattr("callcoach.commands_work.time", SimpleNamespace(sleep=work))
    assert run(stack.cloud, "submit", "--quiet", "--yes", key).exit_code == 0
    assert stack.document("scorecards", key)
    assert len(stack.cloud.ses.sent) == reports


def test_a_failure_has_no_report(stack: Stack) -> None:
    reports = len(stack.cloud.ses.sent)
    stack.callback("error", stack.transcribed("fails.ogg", b"a sound that nobody knows"))
    assert stack.document("failures", "fails.ogg")
    assert len(stack.cloud.ses.sent) == reports


def test_the_role_sends_as_nobody_else(stack: Stack) -> None:
    credentials = stack.cloud.function_credentials("ScorecardFunction")
    ses = stack.cloud.client("sesv2", credentials)
    raw = b"From: boss@example.com\r\nSubject: s\r\n\r\ntext\r\n"
    with pytest.raises(ses.exceptions.ClientError, match="AccessDenied"):
        ses.send_email(
            FromEmailAddress="boss@example.com",
            Destination={"ToAddresses": ["a@example.com"]},
            Content={"Raw": {"Data": raw}},
        )
