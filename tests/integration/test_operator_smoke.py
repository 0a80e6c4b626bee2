"""python -m callcoach smoke: a sample call through a deployed stack, as whoever has deployed one runs it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import CALLS, OTHER_SOUND, Stack, running_stack

from callcoach import commands_smoke, uploads
from callcoach.commands_smoke import SAMPLE, SAMPLE_SECONDS
from callcoach.uploads import Upload

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(delay_seconds=1.0) as running:
        yield running


@pytest.fixture(autouse=True)
def _in_the_project_s_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def smoke(stack: Stack, *options: str, answer: str = "") -> Ran:
    return run(stack.cloud, "smoke", "--json", *options, answer=answer)


def objects(stack: Stack, *buckets: str) -> list[str]:
    """The keys in the buckets whose outputs are named; in both when none is."""
    s3, outputs = stack.cloud.client("s3"), stack.cloud.outputs
    named = [outputs[name] for name in buckets or ("RecordingsBucketName", "ScorecardsBucketName")]
    return [row["Key"] for bucket in named for row in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_sample_is_scored_shown_and_forgotten(stack: Stack) -> None:
    ran = run(stack.cloud, "smoke", answer="y\n")

    assert ran.exit_code == 0, ran.err
    assert "Send a call of 6 minutes through callcoach? AssemblyAI takes about 0.08 USD" in ran.err
    estimated_usd, *took_usd = (float(usd) for usd in re.findall(r"(\d\.\d\d) USD", ran.err + ran.out))
    assert sum(took_usd) == pytest.approx(estimated_usd, abs=0.015)
    assert "everybody who gets scorecards gets an e-mail" in ran.err
    assert "PRACTISE NEXT" in ran.out
    for stage in ("submitted  ", "transcribed  ", "scored  "):
        assert f"\n{stage}" in ran.out
    assert "who gets scorecards" in ran.out
    assert "Forgotten again" in ran.out
    assert "dropped: smoke-test/" in ran.err
    assert "scored: smoke-test/" in ran.err
    assert objects(stack) == []
    (mail,) = (mail for mail in stack.cloud.mails() if "smoke-test/" in mail.message)
    assert mail.attributes["customer"] == "Smoke test"


def test_kept_on_purpose_it_stays_and_says_how_long_each_stage_took(stack: Stack) -> None:
    ran = smoke(stack, "--yes", "--keep", "--recording", str(OTHER_SOUND))

    assert ran.exit_code == 0, ran.err
    document = ran.document
    key = document["call"]["recording"]
    assert document["scorecard"]["status"] == "complete"
    assert document["is_forgotten"] is False
    assert stack.document("scorecards", key) == document["scorecard"]
    assert all(0 <= seconds < 60 for seconds in document["stages"].values())
    assert document["stages"]["transcribed_seconds"] >= 0
    run(stack.cloud, "forget", "--yes", key)


def test_a_call_that_fails_ends_with_why_and_is_kept(stack: Stack, tmp_path: Path) -> None:
    silence = tmp_path / "silence.ogg"
    silence.write_bytes(b"no sound")

    ran = run(stack.cloud, "smoke", "--yes", "--recording", str(silence))

    assert ran.exit_code == 1
    assert "what to do" in ran.out
    assert "Error: it failed: " in ran.err
    assert "python -m callcoach forget smoke-test/" in ran.out
    assert objects(stack)


def test_a_call_that_is_scored_in_part_is_no_success(stack: Stack) -> None:
    account = stack.stand_in.account
    stack.stand_in.account = replace(account, chat_models=[])
    try:
        ran = smoke(stack, "--yes")
    finally:
        stack.stand_in.account = account

    assert ran.exit_code == 1
    assert "it is scored in part only (only the numbers, no coaching: " in ran.err
    assert ran.document["is_forgotten"] is False
    assert ran.document["call"]["recording"] in objects(stack)


def test_a_refused_account_is_told_at_once(stack: Stack) -> None:
    """Nothing would come of waiting."""
    account = stack.stand_in.account
    stack.stand_in.account = replace(account, api_key="another")
    try:
        ran = run(stack.cloud, "smoke", "--yes")
    finally:
        stack.stand_in.account = account
        stack.cloud.empty("RecordingsQueue")
        run(stack.cloud, "resume")

    assert ran.exit_code == 1
    assert "it is not scored yet: callcoach is paused by submit: " in ran.err
    assert "python -m callcoach doctor --region eu-west-1" in ran.err


def test_not_scored_in_time_it_says_where_the_call_stands(stack: Stack) -> None:
    hosts = dict(stack.stand_in.hosts)
    # So no callback finds its way.
    stack.stand_in.hosts.clear()
    try:
        ran = run(stack.cloud, "smoke", "--yes", "--minutes", "0.05")
    finally:
        stack.stand_in.hosts.update(hosts)

    assert ran.exit_code == 3
    assert (
        "it is not scored after 0.05 minutes. It is submitted: AssemblyAI works on it, or cannot call back." in ran.err
    )
    assert "doctor --deployed --region eu-west-1" in ran.err
    assert "python -m callcoach status smoke-test/" in ran.err


def test_an_event_that_never_came_is_made_up_for_by_dropping_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a bucket that is minutes old."""
    monkeypatch.setattr(commands_smoke, "_DROP_AGAIN_SECONDS", 0.5)
    events, rule = stack.cloud.client("events"), stack.cloud.resources["RecordingDroppedRule"]
    events.disable_rule(Name=rule)
    put, dropped = uploads.put, list[str]()

    def drop(client: Any, bucket: str, upload: Upload, *rest: Any) -> None:
        put(client, bucket, upload, *rest)
        dropped.append(upload.key)
        events.enable_rule(Name=rule)

    monkeypatch.setattr(uploads, "put", drop)
    ran = smoke(stack, "--yes")

    assert ran.exit_code == 0, ran.err
    assert len(dropped) == 2
    assert len(set(dropped)) == 1
    assert len(stack.submissions(dropped[0])) == 1


def test_it_needs_these_rights(stack: Stack) -> None:
    """Those of drop and of forget, and who gets scorecards; the queues hold messages to look at only sometimes."""
    needed = {
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "sns:ListSubscriptionsByTopic",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
    credentials, used = role_with(stack.cloud, "smokes", needed)

    ran = run(stack.cloud, "smoke", "--yes", credentials=credentials)

    assert ran.exit_code == 0, ran.err
    assert used() <= needed
    assert needed - used() <= {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage"}


def test_while_paused_nothing_is_dropped(stack: Stack) -> None:
    before = objects(stack, "RecordingsBucketName")
    run(stack.cloud, "pause", "--reason", "a new key")
    ran = smoke(stack, "--yes")
    run(stack.cloud, "resume")
    run(stack.cloud, "pause")
    without_reason = smoke(stack, "--yes")
    run(stack.cloud, "resume")

    assert ran.exit_code == 1
    assert "callcoach is paused by operator: a new key. What to do:" in ran.err
    assert "callcoach is paused by operator. What to do:" in without_reason.err
    assert objects(stack, "RecordingsBucketName") == before


def test_interrupted_it_says_how_to_take_away_what_was_dropped(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    before = objects(stack, "RecordingsBucketName")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands_smoke, "_telling", interrupted)
    ran = run(stack.cloud, "smoke", "--yes")

    (key,) = set(objects(stack, "RecordingsBucketName")) - set(before)
    assert ran.exit_code == 1
    assert f"interrupted. The call goes on. To take it away: python -m callcoach forget {key} --region" in ran.err
    stack.cloud.wait_until(lambda: f"scorecards/{key}.json" in objects(stack))
    run(stack.cloud, "forget", "--yes", key)


def test_without_the_sample_it_asks_for_a_recording(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "Name a recording with --recording" in smoke(stack, "--yes").err


def test_the_sample_is_as_long_as_it_is_said_to_be() -> None:
    transcript = json.loads((ROOT / SAMPLE).with_name("transcript.json").read_text("utf-8"))

    assert (ROOT / SAMPLE).is_relative_to(CALLS)
    assert transcript["audio_duration"] == SAMPLE_SECONDS
