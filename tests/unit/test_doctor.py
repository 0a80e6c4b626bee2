"""The doctor's verdicts where the sandbox cannot plant the fault, and how they are told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
import requests
import responses
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.sandbox.template import parse

from callcoach.doctor import Check, checked, checks_view, counted
from callcoach.doctor_assemblyai import AssemblyAIDoctor
from callcoach.doctor_aws import AwsDoctor
from callcoach.errors import AwsUnavailable, SettingsError
from callcoach.stack import HOSTS, Stack
from callcoach.state import Pause
from callcoach.traces import silent

TEMPLATE: dict[str, Any] = parse((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))
NOW = datetime(2026, 11, 26, tzinfo=UTC)
DAY_SECONDS = 86_400
FITTING = {
    "id": "claude-sonnet-4-6",
    "supported_parameters": ["temperature", "response_format"],
    "context_length": 200_000,
    "retirement_date": 0,
    "available_regions": ["global", "us", "eu"],
}


def stack(**parameters: str) -> Stack:
    """A stack of the template, whose resources are called as there."""
    defaults = {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()}
    return Stack(
        name="callcoach",
        parameters=defaults | {"CoachFallbackModel": ""} | parameters,
        outputs={name: name for name in TEMPLATE["Outputs"]},
        resources={name: name for name in TEMPLATE["Resources"]},
    )


def aws_check(look: str, client: Any, **parameters: str) -> Check:
    state: Any = None
    (check,) = AwsDoctor(stack(**parameters), state, lambda _: client).looks()[look]()
    return check


def client(region: str = "eu-west-1", **answers: Any) -> Any:
    """A client whose operations have one answer each."""
    operations = {name: lambda answer=answer, **_: answer for name, answer in answers.items()}
    return SimpleNamespace(meta=SimpleNamespace(region_name=region), **operations)


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [({"ReportSender": "a@example.com"}, "ReportRecipients"), ({"ReportRecipients": "b@example.com"}, "ReportSender")],
)
def test_half_of_what_mails_reports_is_told(parameters: dict[str, str], missing: str) -> None:
    check = aws_check("reports", client(), **parameters)
    assert (check.verdict, check.found) == ("warning", f"not mailed: there are no {missing}")


def test_a_sender_may_be_verified_by_a_domain_above_its_own() -> None:
    class NotFoundError(Exception):
        """As SES has it."""

    asked = []

    def get_email_identity(**given: str) -> dict[str, bool]:
        asked.append(given["EmailIdentity"])
        if asked[-1] != "example.com":
            raise NotFoundError
        return {"VerifiedForSendingStatus": True}

    ses = client(get_account={"SendingEnabled": True, "ProductionAccessEnabled": True})
    ses.get_email_identity = get_email_identity
    ses.exceptions = SimpleNamespace(NotFoundException=NotFoundError)
    parameters = {"ReportSender": "a@mail.example.com", "ReportRecipients": "b@example.org"}
    sender, _ = AwsDoctor(stack(**parameters), Mock(), lambda _: ses).looks()["reports"]()
    assert (sender.verdict, sender.found) == ("ok", "example.com is verified")
    assert asked == ["a@mail.example.com", "mail.example.com", "example.com"]


def test_a_stack_that_mails_no_reports_asks_ses_nothing() -> None:
    assert list(AwsDoctor(stack(), Mock(), Mock(side_effect=AssertionError)).looks()["reports"]()) == []


def model_check(**changes: Any) -> Check:
    return assemblyai_checks("coach models", catalogue=[FITTING | changes])[0]


def assemblyai_checks(
    look: str, *, catalogue: Any = (), key: str = "a-key-of-the-account", **parameters: str
) -> list[Check]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network, requests.Session() as http:
        network.get(f"{HOSTS['us'].gateway_url}/v1/models", json={"data": list(catalogue)})
        network.get(f"{HOSTS['us'].api_url}/v2/transcript", json={"transcripts": []})
        return list(AssemblyAIDoctor(stack(**parameters), lambda: key, http, now=NOW).looks()[look]())


def test_hosts_are_the_template_s() -> None:
    mapped = TEMPLATE["Mappings"]["AssemblyAI"]

    assert {region: {"ApiUrl": at.api_url, "GatewayUrl": at.gateway_url} for region, at in HOSTS.items()} == mapped


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("CREATE_COMPLETE", "ok"),
        ("UPDATE_COMPLETE", "ok"),
        ("UPDATE_ROLLBACK_COMPLETE", "warning"),
        ("UPDATE_IN_PROGRESS", "warning"),
        ("UPDATE_ROLLBACK_FAILED", "problem"),
        ("DELETE_FAILED", "problem"),
    ],
)
def test_a_stack_is_well_at_rest(status: str, verdict: str) -> None:
    check = aws_check("stack", client(describe_stacks={"Stacks": [{"StackStatus": status}]}))

    assert (check.verdict, status in check.found) == (verdict, True)
    assert bool(check.advice) == (verdict != "ok")


@pytest.mark.parametrize(("free", "verdict"), [(1000, "ok"), (80, "ok"), (79, "warning"), (10, "warning")])
def test_both_functions_fit_into_the_account(free: int, verdict: str) -> None:
    """A new account has ten invocations at once; the template's default asks for 40 per function."""
    limits = {"AccountLimit": {"UnreservedConcurrentExecutions": free}}
    check = aws_check("concurrency", client(get_account_settings=limits), MaximumConcurrency="40")

    assert check.verdict == verdict
    assert (f"MaximumConcurrency to {free // 2}" in check.advice) == (verdict == "warning")


@pytest.mark.parametrize(
    ("location", "notification", "verdict"),
    [
        ("eu-west-1", {"EventBridgeConfiguration": {}}, "ok"),
        ("eu-west-1", {}, "problem"),
        ("eu-central-1", {"EventBridgeConfiguration": {}}, "problem"),
        (None, {"EventBridgeConfiguration": {}}, "problem"),
    ],
)
def test_a_bucket_of_one_s_own_tells_eventbridge_in_this_region(
    location: str | None, notification: Any, verdict: str
) -> None:
    s3 = client(
        get_bucket_location={"LocationConstraint": location}, get_bucket_notification_configuration=notification
    )

    assert aws_check("recordings bucket", s3, RecordingsBucketName="mine").verdict == verdict


def test_s3_has_no_word_for_its_first_region() -> None:
    s3 = client(region="us-east-1", get_bucket_location={"LocationConstraint": None})

    assert aws_check("recordings bucket", s3).verdict == "ok"


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "ok", ""),
        ({"retirement_date": NOW.timestamp() + 40 * DAY_SECONDS}, "ok", "retires on 2027-01-05"),
        ({"retirement_date": NOW.timestamp() + 29 * DAY_SECONDS}, "warning", "retires on 2026-12-25"),
        ({"retirement_date": NOW.timestamp() - DAY_SECONDS}, "problem", "retires on 2026-11-25"),
        ({"retirement_date": None, "available_regions": []}, "ok", ""),
        ({"available_regions": ["eu"]}, "problem", "is not offered in the region us"),
        ({"supported_parameters": ["temperature"]}, "warning", "knows no structured output"),
        ({"supported_parameters": ["response_format"]}, "warning", "takes no temperature"),
        ({"context_length": 128_000}, "warning", "reads 128,000 tokens only"),
        ({"id": "claude-of-yesterday"}, "problem", "claude-sonnet-4-6 is not in AssemblyAI's list"),
    ],
)
def test_a_coach_model_fits(changes: Any, verdict: str, said: str) -> None:
    check = model_check(**changes)

    assert (check.verdict, said in check.found) == (verdict, True)
    assert ("Set CoachModel to" in check.advice) == (verdict != "ok")


def test_a_model_without_temperature_may_be_asked_without() -> None:
    catalogue = [FITTING | {"supported_parameters": ["response_format"]}]

    assert assemblyai_checks("coach models", catalogue=catalogue, CoachTemperature="")[0].verdict == "ok"


def test_what_is_no_catalogue_is_no_verdict() -> None:
    (check,) = assemblyai_checks("coach models", catalogue=[{"name": "a model without an id"}])

    assert check.verdict == "not_checked"


def test_a_model_that_the_list_leaves_out_once_is_looked_for_again() -> None:
    with responses.RequestsMock() as network, requests.Session() as http:
        network.get(f"{HOSTS['us'].gateway_url}/v1/models", json={"data": []})
        network.get(f"{HOSTS['us'].gateway_url}/v1/models", json={"data": [FITTING]})
        checks = list(AssemblyAIDoctor(stack(), str, http, now=NOW).looks()["coach models"]())

    assert [check.verdict for check in checks] == ["ok", "ok"]


@pytest.mark.parametrize("key", ["two words", '"quoted"\nkey', "schlüssel"])
def test_words_are_no_key(key: str) -> None:
    (check,) = assemblyai_checks("AssemblyAI key", key=key)

    assert check.verdict == "problem"
    assert key not in check.found + check.advice


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (SettingsError("the secret a cannot be read: ResourceNotFoundException"), "problem"),
        (SettingsError("the secret a is empty"), "problem"),
        (SettingsError("the secret a cannot be read: AccessDeniedException"), "not_checked"),
        (AwsUnavailable("GetSecretValue: InternalServiceError"), "not_checked"),
    ],
)
def test_a_key_that_cannot_be_read_is_told_from_one_that_is_missing(fault: Exception, verdict: str) -> None:
    def read() -> str:
        raise fault

    with requests.Session() as http:
        (check,) = AssemblyAIDoctor(stack(), read, http, now=NOW).looks()["AssemblyAI key"]()

    assert check.verdict == verdict


@pytest.mark.parametrize(("status", "verdict"), [(200, "ok"), (401, "problem"), (403, "problem"), (503, "not_checked")])
def test_a_key_is_refused_by_two_answers_alone(status: int, verdict: str) -> None:
    """The words of a refusal may repeat the key."""
    key = "0123456789abcdef0123456789abcdef"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network, requests.Session() as http:
        for hosts in HOSTS.values():
            network.get(f"{hosts.api_url}/v2/transcript", json={"error": f"no {key}"}, status=status)
        check = list(AssemblyAIDoctor(stack(), lambda: key, http, now=NOW).looks()["AssemblyAI key"]())[-1]

    assert check.verdict == verdict
    assert key not in check.found


def test_what_cannot_be_asked_is_not_checked_and_stops_nothing() -> None:
    def refused() -> Iterator[Check]:
        yield Check("seen before", "ok", "")
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "of somebody"}}, "DescribeAlarms")

    def away() -> Iterator[Check]:
        raise EndpointConnectionError(endpoint_url="https://lambda.example")
        yield

    def fine() -> Iterator[Check]:
        yield Check("c", "ok", "")

    found = checked({"a": refused, "b": away, "c": fine}, silent)

    assert [(check.name, check.verdict) for check in found] == [
        ("seen before", "ok"),
        ("a", "not_checked"),
        ("b", "not_checked"),
        ("c", "ok"),
    ]
    assert found[1].found == "AWS refuses DescribeAlarms: AccessDenied"


def test_a_mistake_of_ours_is_no_verdict() -> None:
    def mistaken() -> Iterator[Check]:
        raise KeyError("a")
        yield

    with pytest.raises(KeyError):
        checked({"a": mistaken}, silent)


def test_every_check_is_a_line_with_what_to_do_below() -> None:
    checks = [Check("pause", "problem", "by \x1b[31msubmit", "Do this."), Check("stack", "not_checked", "why")]

    assert checks_view(checks).lines(10_000) == [
        "problem      pause                by [31msubmit",
        "                                  -> Do this.",
        "not checked  stack                why",
    ]
    assert counted(checks) == {"problem": 1, "warning": 0, "ok": 0, "not_checked": 1}


def test_a_long_name_moves_all_lines() -> None:
    lines = checks_view([Check("pause", "ok", "none"), Check("FunctionThrottlesAlarm", "ok", "ok")]).lines(80)

    assert lines == ["ok           pause                  none", "ok           FunctionThrottlesAlarm ok"]


def test_a_pause_without_a_reason_is_told_with_how_to_lift_it_on_this_stack() -> None:
    state: Any = SimpleNamespace(look=lambda _: SimpleNamespace(pause=Pause(by="operator", reason="", since_at=0.0)))
    other = msgspec.structs.replace(stack(), name="callcoach-b")

    (check,) = AwsDoctor(other, state, lambda _: client()).looks()["pause"]()

    assert check.found == "by operator since 1970-01-01 00:00 UTC"
    assert check.advice == "python -m callcoach resume --stack callcoach-b --region eu-west-1 lets everything go on."
