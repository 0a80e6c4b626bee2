"""Keys are changed while calls are under way: no callback is refused, nothing is paid twice, nobody is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from tests.integration.stack import DONE, KEY, OTHER_SOUND, SOUND, Stack, running_stack
from tests.integration.test_sandbox_gateway import call_back, key
from tests.sandbox.cloud import Cloud
from tests.sandbox.deployment import UnsupportedResourceError


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack whose queues feed its functions, and a stand-in with jobs that end when a test says so."""
    with running_stack(delay_seconds=3600) as running:
        yield running


def submitted(stack: Stack, recording: str, sound: bytes) -> str:
    """Drop a recording and return its transcript's id, while it is being made."""
    stack.drop(recording, sound)
    return str(stack.wait_for("submissions", recording)["transcript_id"])


def header(stack: Stack, transcript_id: str) -> Any:
    """Return the key that AssemblyAI was told to call back with."""
    return stack.stand_in.jobs[transcript_id].fields["webhook_auth_header_value"]


def scored(stack: Stack, recording: str, transcript_id: str) -> Any:
    """Let a job end and return its scorecard."""
    stack.stand_in.finish(transcript_id)
    return stack.wait_for("scorecards", recording)


def test_the_webhook_s_key_is_rotated_while_jobs_are_under_way(stack: Stack) -> None:
    """As README says: the idle key is made anew, then it becomes the active one; then the other is made anew."""
    cloud, sounds = stack.cloud, (SOUND.read_bytes(), OTHER_SOUND.read_bytes())
    with_a, late_with_a = (submitted(stack, f"a{number}.ogg", sound) for number, sound in enumerate(sounds))
    old_a, old_b = key(cloud, "A"), key(cloud, "B")
    assert header(stack, with_a) == old_a

    version_id = put_new_value(cloud, "B")
    assert call_back(cloud, x_api_key=old_b).status_code == 200
    cloud.update({"WebhookKeyBVersion": version_id})
    assert call_back(cloud, x_api_key=old_b).status_code == 403
    cloud.update({"ActiveWebhookKey": "B"})
    with_b = submitted(stack, "b.ogg", sounds[0] + b"\0")

    # Both keys open the door, so what carries the old one arrives.
    assert header(stack, with_b) == key(cloud, "B") not in (old_a, old_b)
    assert scored(stack, "a0.ogg", with_a)["status"] == "complete"
    assert delivered(stack, with_a) == "delivered"

    version_id = put_new_value(cloud, "A")
    assert call_back(cloud, x_api_key=old_a).status_code == 200
    cloud.update({"WebhookKeyAVersion": version_id})
    assert call_back(cloud, x_api_key=old_a).status_code == 403
    assert call_back(cloud, x_api_key=key(cloud, "A")).status_code == 200
    # A job that was still under way has lost its callback for good; the watchdog scores it.
    stack.stand_in.finish(late_with_a)
    cloud.wait_until(lambda: delivered(stack, late_with_a) != "pending")
    assert delivered(stack, late_with_a) == "refused"
    cloud.make_visible("CallbacksQueue")
    assert stack.wait_for("scorecards", "a1.ogg")["status"] == "complete"


def put_new_value(cloud: Cloud, letter: str) -> str:
    """Return the id of the secret's new version."""
    secretsmanager = cloud.client("secretsmanager")
    value = secretsmanager.get_random_password(PasswordLength=40, ExcludePunctuation=True)["RandomPassword"]
    secret = cloud.resources[f"WebhookKey{letter}Secret"]
    version_id: str = secretsmanager.put_secret_value(SecretId=secret, SecretString=value)["VersionId"]
    return version_id


def delivered(stack: Stack, transcript_id: str) -> str:
    """Return what became of the callback about a transcript."""
    outcomes = (item.outcome for item in stack.stand_in.deliveries if item.transcript_id == transcript_id)
    return next(outcomes, "pending")


def test_after_the_switch_a_function_may_read_the_active_key_only(stack: Stack) -> None:
    cloud = stack.cloud
    secrets = {letter: cloud.resources[f"WebhookKey{letter}Secret"] for letter in "AB"}

    def readable() -> set[str]:
        action = "secretsmanager:GetSecretValue"
        return {letter for letter, arn in secrets.items() if cloud.is_permitted("SubmitRole", action, arn)}

    assert readable() == {"A"}
    cloud.update({"ActiveWebhookKey": "B"})
    assert readable() == {"B"}


def test_the_sandbox_updates_what_it_can_and_refuses_the_rest(stack: Stack) -> None:
    """A secret's new value is no difference, as for CloudFormation; a bucket's other life span is one."""
    put_new_value(stack.cloud, "A")
    stack.cloud.update({})
    with pytest.raises(UnsupportedResourceError, match=r"ScorecardsBucket\.LifecycleConfiguration"):
        stack.cloud.update({"ScorecardsRetentionDays": "3"})


@pytest.fixture
def still_stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so, and stay warm with the key that they have read."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


def test_assemblyai_s_key_is_rotated_without_a_deployment(still_stack: Stack) -> None:
    """The first request that is refused is sent again with the new key: no pause, no e-mail, no attempt counted."""
    stack = still_stack
    first = stack.transcribed("first.ogg", SOUND.read_bytes())
    assert stack.callback("completed", first) == DONE
    second = stack.transcribed("second.ogg", OTHER_SOUND.read_bytes())
    paid, mails = dict(stack.stand_in.paid_calls), len(stack.cloud.publications())
    rotate(stack, "a-new-key-of-the-tests")
    asked = len(stack.stand_in.exchanges)

    assert stack.submit("third.ogg", b"sound") == DONE
    assert stack.callback("completed", second) == DONE

    exchanges = [(seen.request.method, seen.request.path, seen.status) for seen in stack.stand_in.exchanges[asked:]]
    job = stack.document("submissions", "third.ogg")["transcript_id"]
    assert exchanges[:2] == [("POST", "/v2/transcript", 401), ("POST", "/v2/transcript", 200)]
    # The transcript and the speakers are asked for side by side.
    refused = [path for _, path, status in exchanges[2:] if status == 401]
    assert refused
    assert set(refused) <= {f"/v2/transcript/{second}", "/v1/understanding"}
    assert all(exchanges.count((method, path, 200)) == 1 for method, path, status in exchanges if status == 401)
    assert stack.document("scorecards", "second.ogg")["status"] == "complete"
    assert stack.stand_in.jobs[job].fields["audio_url"]
    assert len(stack.cloud.publications()) == mails + 1
    assert {name: count - paid[name] for name, count in stack.stand_in.paid_calls.items()} == {
        "transcript": 0,
        "understanding": 1,
        "chat": 1,
    }
    assert not [name for name in item_names(stack) if name == "pause" or name.startswith("notice#")]
    assert not attempts(stack)


def rotate(stack: Stack, new_key: str) -> None:
    """Change the key at AssemblyAI, which refuses the old one from now on, and in Secrets Manager."""
    stack.stand_in.account = replace(stack.stand_in.account, api_key=new_key)
    # checkov:skip=CKV_SECRET_6: no secret but the name of one
    stack.cloud.client("secretsmanager").put_secret_value(SecretId="callcoach/assemblyai", SecretString=new_key)
    answer = requests.get(f"{stack.stand_in.url}/v2/transcript", headers={"Authorization": KEY}, timeout=5)
    assert answer.status_code == 401


def items(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.cloud.client("dynamodb").scan(TableName=stack.cloud.resources["StateTable"])[
        "Items"
    ]
    return found


def item_names(stack: Stack) -> list[str]:
    return [item["id"]["S"] for item in items(stack)]


def attempts(stack: Stack) -> list[Any]:
    return [item["attempts"] for item in items(stack) if "attempts" in item]
