"""python -m callcoach doctor, on a stack in which faults are planted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from moto.sns.models import sns_backends
from requests.adapters import HTTPAdapter
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import DONE, KEY, REPORTS, Stack, running_stack
from tests.sandbox.cloud import Cloud

from callcoach.state import Pause, State

KEY_IS_IN = "callcoach/assemblyai"
PARAMETERS = {"OperationsEmail": "operator@example.com"} | REPORTS


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack that lacks nothing, and whose functions run only when a test says so."""
    with running_stack(invoke=False, parameters=PARAMETERS) as running:
        yield running


@pytest.fixture(autouse=True)
def _names_are_resolved(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stack's public names lead into the sandbox; of what was sent there nothing is left."""

    def session() -> requests.Session:
        made = requests.Session()
        made.mount("https://", _Resolving(stack.cloud.hosts))
        return made

    monkeypatch.setattr("callcoach.commands.Session", session)
    yield
    stack.cloud.empty("CallbacksQueue")


class _Resolving(HTTPAdapter):
    """A DNS of the sandbox's own: host name -> base URL."""

    def __init__(self, hosts: dict[str, str]) -> None:
        super().__init__()
        self._hosts = hosts

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        asked = urlsplit(str(request.url))
        request.headers["Host"] = asked.netloc
        request.url = str(request.url).replace(f"https://{asked.netloc}", self._hosts[asked.netloc])
        return super().send(request, *args, **options)


def verdicts(ran: Ran) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in ran.document["checks"]}


def examined(stack: Stack, name: str, *options: str) -> tuple[str, str]:
    """Return the verdict on one thing and all that is said about it; the secrets of the stack are never in it."""
    ran, told = run(stack.cloud, "doctor", "--json", *options), run(stack.cloud, "doctor", *options)
    (check,) = (check for check in ran.document["checks"] if check["name"] == name)
    problems = ran.document["counts"]["problem"]
    assert ran.exit_code == told.exit_code == (1 if problems else 0)
    assert (f"{problems} problem" in told.err) == bool(problems)
    assert check["found"] in told.out
    for secret in secrets(stack.cloud):
        assert secret not in ran.out + ran.err + told.out + told.err
    return check["verdict"], f"{check['found']} {check['advice']}"


def secrets(cloud: Cloud) -> set[str]:
    names = (KEY_IS_IN, cloud.resources["WebhookKeyASecret"], cloud.resources["WebhookKeyBSecret"])
    client = cloud.client("secretsmanager")
    return {value for name in names if (value := client.get_secret_value(SecretId=name)["SecretString"].strip())}


def account_id(stack: Stack) -> str:
    return str(stack.cloud.outputs["ScorecardsTopicArn"].split(":")[4])


@contextmanager
def secret_value(cloud: Cloud, value: str) -> Iterator[None]:
    client = cloud.client("secretsmanager")
    client.put_secret_value(SecretId=KEY_IS_IN, SecretString=value)
    try:
        yield
    finally:
        client.put_secret_value(SecretId=KEY_IS_IN, SecretString=KEY)


@contextmanager
def account(stack: Stack, **changes: Any) -> Iterator[None]:
    before = stack.stand_in.account
    stack.stand_in.account = replace(before, **changes)
    try:
        yield
    finally:
        stack.stand_in.account = before


def test_a_stack_that_lacks_nothing_is_well(stack: Stack) -> None:
    """But for what the sandbox's AWS cannot be asked."""
    ran = run(stack.cloud, "doctor", "--json")

    assert (ran.exit_code, ran.err) == (0, "")
    assert {name: verdict for name, verdict in verdicts(ran).items() if verdict != "ok"} == {
        "concurrency": "not_checked"
    }
    assert len(ran.document["checks"]) == sum(ran.document["counts"].values()) == 25
    assert stack.stand_in.paid_calls == {"transcript": 0, "understanding": 0, "chat": 0}


def test_a_wrong_key_is_told(stack: Stack) -> None:
    with account(stack, api_key="another"):
        verdict, said = examined(stack, "AssemblyAI key")

    assert verdict == "problem"
    assert "answers 401" in said
    assert "Put a valid key into the secret" in said


@pytest.mark.parametrize("value", ["{}", '{"key": "a"}', " ", "my key", json.dumps({"api_key": "a b"})])
def test_a_secret_of_another_shape_is_told(stack: Stack, value: str) -> None:
    with secret_value(stack.cloud, value):
        verdict, said = examined(stack, "secret")

    assert verdict == "problem"
    assert "plain text" in said or "alone" in said


@pytest.mark.parametrize("value", [KEY, f" {KEY}\n", json.dumps({"api_key": KEY})])
def test_a_key_may_be_text_or_json(stack: Stack, value: str) -> None:
    with secret_value(stack.cloud, value):
        ran = run(stack.cloud, "doctor", "--json")

    assert verdicts(ran)["AssemblyAI key"] == "ok"


def test_an_unconfirmed_subscription_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    subscriptions = sns_backends[account_id(stack)][stack.cloud.region].subscriptions
    (mine,) = (item for item in subscriptions.values() if item.endpoint == "manager@example.com")
    monkeypatch.setattr(mine, "arn", "PendingConfirmation")

    verdict, said = examined(stack, "who gets scorecards")

    assert verdict == "problem"
    assert "not confirmed: manager@example.com" in said


def test_a_sender_that_is_not_verified_is_told(stack: Stack) -> None:
    """Neither by its address nor by its domain."""
    assert examined(stack, "report sender") == ("ok", "example.com is verified ")
    with stack.cloud.fault("ses", "GetEmailIdentity", status=404, code="NotFoundException"):
        verdict, said = examined(stack, "report sender")

    assert verdict == "problem"
    assert "callcoach@example.com is not verified" in said


@pytest.mark.parametrize(
    ("state", "said"),
    [("has_production_access", "Request production access"), ("is_sending_enabled", "sending is paused")],
)
def test_an_account_that_ses_holds_back_is_told(stack: Stack, state: str, said: str) -> None:
    assert examined(stack, "report mail")[0] == "ok"
    setattr(stack.cloud.ses, state, False)
    try:
        verdict, told = examined(stack, "report mail")
    finally:
        setattr(stack.cloud.ses, state, True)

    assert verdict == "problem"
    assert said in told


def test_a_retired_model_is_told(stack: Stack) -> None:
    with account(stack, retired_chat_models=["claude-sonnet-4-6"]):
        ran = run(stack.cloud, "doctor", "--json")

    assert (verdicts(ran)["coach model"], verdicts(ran)["fallback model"]) == ("problem", "ok")


def test_dead_letters_are_counted(stack: Stack) -> None:
    sqs, url = stack.cloud.client("sqs"), stack.queue_url("RecordingsDlq")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        verdict, said = examined(stack, "RecordingsDlq")
    finally:
        stack.cloud.empty("RecordingsDlq")

    assert verdict == "problem"
    assert "1 given up" in said


@pytest.mark.parametrize(("by", "verdict"), [("operator", "warning"), ("submit", "problem")])
def test_a_pause_is_told(stack: Stack, by: str, verdict: str) -> None:
    state = State(stack.cloud.client("dynamodb"), stack.cloud.resources["StateTable"])
    state.pause(Pause(by=by, reason="a key\nthat ended", since_at=0.0))
    try:
        ran = run(stack.cloud, "doctor", "--json")
        told = run(stack.cloud, "doctor")
    finally:
        state.lift_pause()

    assert verdicts(ran)["pause"] == verdict
    assert f"by {by} since 1970-01-01 00:00 UTC: a key that ended" in told.out


def test_an_alarm_is_told(stack: Stack) -> None:
    cloudwatch, name = stack.cloud.client("cloudwatch"), stack.cloud.resources["CallbacksAgeAlarm"]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="of the test")
    try:
        verdict, said = examined(stack, "CallbacksAgeAlarm")
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="of the test")

    assert verdict == "problem"
    assert "waited for two hours" in said


def test_a_link_is_fetched_with_its_signature_alone(stack: Stack) -> None:
    bucket = stack.cloud.outputs["RecordingsBucketName"]
    assert examined(stack, "presigned link", "--deployed")[0] == "not_checked"
    stack.drop("a.ogg", b"sound")
    try:
        assert examined(stack, "presigned link", "--deployed")[0] == "ok"
        with stack.cloud.fault("s3", "GetObject", status=403, code="AccessDenied"):
            verdict, said = examined(stack, "presigned link", "--deployed")
    finally:
        stack.cloud.client("s3").delete_object(Bucket=bucket, Key="a.ogg")
        stack.cloud.empty("RecordingsQueue")

    assert verdict == "problem"
    assert "S3 answers 403 to a link that you have signed" in said


def test_the_webhook_is_called_and_nothing_is_paid_for(stack: Stack) -> None:
    """The message waits for a record that never comes, and is then done with."""
    before = len(stack.stand_in.exchanges)
    ran = run(stack.cloud, "doctor", "--deployed", "--json")
    (message,) = stack.cloud.messages("CallbacksQueue")
    answers = []
    while stack.cloud.queue_depth("CallbacksQueue"):
        answers.append(stack.deliver("CallbacksQueue"))
        stack.cloud.make_visible("CallbacksQueue")
        assert len(answers) < 20

    assert {name: verdict for name, verdict in verdicts(ran).items() if name.startswith("webhook")} == {
        "webhook": "ok",
        "webhook, no key": "ok",
        "webhook, bad body": "ok",
    }
    assert json.loads(message.body)["transcript_id"].startswith("doctor-")
    assert answers[-1] == DONE
    assert "ForeignCallbacks" in stack.cloud.logs("ScorecardFunction")
    asked = [(seen.request.method, seen.request.path) for seen in stack.stand_in.exchanges[before:]]
    assert asked == [("GET", "/v2/transcript"), ("GET", "/v1/models")]
    assert stack.cloud.queue_depth("CallbacksDlq") == 0
    assert stack.cloud.publications() == []


def test_a_webhook_that_does_not_know_its_key_is_told(stack: Stack) -> None:
    client, secret = stack.cloud.client("secretsmanager"), stack.cloud.resources["WebhookKeyASecret"]
    deployed = client.get_secret_value(SecretId=secret)["SecretString"]
    client.put_secret_value(SecretId=secret, SecretString="0123456789" * 4)
    try:
        verdict, said = examined(stack, "webhook", "--deployed")
        assert examined(stack, "webhook, no key", "--deployed")[0] == "ok"
    finally:
        client.put_secret_value(SecretId=secret, SecretString=deployed)

    assert verdict == "problem"
    assert "answers 403 instead of 200" in said


def test_it_needs_these_rights(stack: Stack) -> None:
    """And lambda:GetAccountSettings, which the sandbox does not know; CloudWatch it calls by its signatures' name."""
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "dynamodb:BatchGetItem",
        "monitoring:DescribeAlarms",
        "s3:GetBucketLocation",
        "secretsmanager:GetSecretValue",
        "ses:GetAccount",
        "ses:GetEmailIdentity",
        "sns:ListSubscriptionsByTopic",
        "sqs:GetQueueAttributes",
        "sts:GetCallerIdentity",
    }
    credentials, used = role_with(stack.cloud, "examines", needed)

    ran = run(stack.cloud, "doctor", "--json", credentials=credentials)

    assert ran.exit_code == 0
    assert used() == needed
    assert ran.document["counts"]["not_checked"] == 1


def test_what_may_not_be_looked_at_is_not_checked(stack: Stack) -> None:
    needed = {"cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"}
    credentials, _ = role_with(stack.cloud, "sees-the-stack", needed)

    ran = run(stack.cloud, "doctor", "--deployed", "--json", credentials=credentials)

    assert ran.exit_code == 0
    assert {name for name, verdict in verdicts(ran).items() if verdict == "ok"} == {
        "AWS account",
        "stack",
        "coach model",
        "fallback model",
        "cost cap",
    }
    assert "AWS refuses DescribeAlarms" in run(stack.cloud, "doctor", credentials=credentials).out


def test_help_says_what_it_does_not_do(stack: Stack) -> None:
    told = run(stack.cloud, "doctor", "--help").out

    assert "Nothing is changed and nothing is paid for." in told
    assert "--deployed" in told
