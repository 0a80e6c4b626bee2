"""python -m callcoach rescore: calls are scored again, with what operators put right, and nothing is paid for twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import DONE, EVENTS, OTHER_SOUND, SOUND, Stack, running_stack
from tests.integration.test_operator_submit import have_nearly_given_up
from tests.integration.test_sandbox_gateway import call_back
from tests.sandbox.interference import Action, Interference, Refuse, SideEffect

from callcoach.documents import encode_key


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_messages_of_other_tests(stack: Stack) -> None:
    stack.empty_queues()


def scored(stack: Stack, key: str, sound: bytes | None = None) -> str:
    """Take a call all the way, and leave no message."""
    transcript_id = stack.transcribed(key, sound or SOUND.read_bytes())
    assert stack.callback("completed", transcript_id) == DONE
    stack.cloud.empty("CallbacksQueue")
    return transcript_id


def rescore(stack: Stack, *arguments: str, **others: Any) -> Ran:
    return run(stack.cloud, "rescore", "--yes", "--json", *arguments, **others)


def work_off(stack: Stack) -> None:
    while (answer := stack.deliver("CallbacksQueue")) is not None:
        assert answer == DONE


def asked(stack: Stack) -> dict[str, int]:
    return {str(service): count for service, count in stack.stand_in.paid_calls.items()}


def test_the_same_again_costs_nothing_and_gives_the_same_bytes(stack: Stack) -> None:
    """Not a request goes to AssemblyAI, so it works when the transcript is deleted there, too."""
    key = "dana reyes/é&1.ogg"
    scored(stack, key)
    before, transcript = stack.body("scorecards", key), stack.body("transcripts", key)
    exchanges, mails = len(stack.stand_in.exchanges), len(stack.cloud.mails())

    ran = rescore(stack, key)
    work_off(stack)

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.document == {"stack": "callcoach", "rescored": [key], "skipped": {}}
    assert stack.body("scorecards", key) == before
    assert stack.body("transcripts", key) == transcript
    assert len(stack.stand_in.exchanges) == exchanges
    (mail,) = stack.cloud.mails()[mails:]
    assert "This corrects the scorecard that was sent before." in mail.message
    assert stack.cloud.queue_depth("CallbacksQueue") == 0


def test_sides_and_type_are_put_right_and_stay_so(stack: Stack) -> None:
    """The coach is asked anew, once: its question is another one. AssemblyAI identifies nobody again."""
    key = "wrong.ogg"
    scored(stack, key)
    before, paid = stack.document("scorecards", key), asked(stack)
    labels = {side: label for label, side in before["roles"]["mapping"].items()}

    ran = rescore(stack, key, "--role", f"{labels['rep']}=customer", "--call-type", "demo")
    work_off(stack)

    assert ran.exit_code == 0, ran.err
    card = stack.document("scorecards", key)
    assert card["roles"]["mapping"] == {labels["rep"]: "customer", labels["customer"]: "rep"}
    assert card["roles"]["source"] == "override"
    assert (card["call"]["call_type"], card["call"]["call_type_source"]) == ("demo", "override")
    assert card["talk_listen"]["rep_ms"] == before["talk_listen"]["customer_ms"]
    assert asked(stack) == paid | {"chat": paid["chat"] + 1}

    assert rescore(stack, "--prefix", "wrong").document["rescored"] == [key]
    work_off(stack)

    assert stack.document("scorecards", key) == card
    assert asked(stack)["chat"] == paid["chat"] + 1


def test_sides_that_are_channels_are_put_right(stack: Stack) -> None:
    """As a record says that was made while RepChannel was set."""
    key = "channels.ogg"
    scored(stack, key)
    record = stack.document("submissions", key) | {"rep_channel": 2}
    transcript = stack.document("transcripts", key)
    for said in transcript["utterances"]:
        said["speaker"] = {"A": "1", "B": "2"}[said["speaker"]]
    for kind, document in (("submissions", record), ("transcripts", transcript)):
        bucket = stack.cloud.outputs["ScorecardsBucketName"]
        stack.cloud.client("s3").put_object(Bucket=bucket, Key=f"{kind}/{key}.json", Body=json.dumps(document).encode())

    rescore(stack, key)
    work_off(stack)
    by_channel = stack.document("scorecards", key)["roles"]
    rescore(stack, key, "--role", "1=rep")
    work_off(stack)
    put_right = stack.document("scorecards", key)["roles"]

    assert (by_channel["source"], by_channel["mapping"]) == ("channel", {"1": "customer", "2": "rep"})
    assert (put_right["source"], put_right["mapping"]) == ("override", {"1": "rep", "2": "customer"})


def test_where_the_coach_failed_it_is_asked_anew(stack: Stack) -> None:
    key, account = "failed.ogg", stack.stand_in.account
    stack.stand_in.account = replace(account, coach_faults=["prose", "prose", "prose"])
    scored(stack, key)
    stack.stand_in.account = replace(account, coach_faults=[])
    assert stack.document("scorecards", key)["status_reason"] == "coach_invalid"
    paid = asked(stack)

    rescore(stack, key)
    work_off(stack)

    assert stack.document("scorecards", key)["status"] == "complete"
    assert asked(stack) == paid | {"chat": paid["chat"] + 1}


def test_given_up_the_old_scorecard_stands_and_a_redrive_replaces_it(stack: Stack) -> None:
    key = "given up.ogg"
    scored(stack, key)
    before, mails = stack.body("scorecards", key), len(stack.cloud.mails())
    rescore(stack, key, "--call-type", "demo")

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(503, "down") if effect.what == "assemblyai POST /v1/chat/completions" else None

    with Interference(stack.cloud, stack.stand_in, decide):
        while stack.cloud.queue_depth("CallbacksDlq") == 0:
            stack.deliver("CallbacksQueue")
            have_nearly_given_up(stack)
            stack.cloud.pass_time(1000)
    assert stack.body("scorecards", key) == before
    assert stack.document("failures", key) is None

    assert run(stack.cloud, "redrive", "--yes", key).exit_code == 0
    work_off(stack)

    assert stack.document("scorecards", key)["call"]["call_type"] == "demo"
    assert len(stack.cloud.mails()) == mails + 1


def test_what_was_put_right_is_of_one_transcript(stack: Stack) -> None:
    """Another content under the name is scored as it is."""
    key = "replaced.ogg"
    scored(stack, key)
    rescore(stack, key, "--call-type", "demo")
    work_off(stack)
    stack.submit(key, OTHER_SOUND.read_bytes(), sequencer="0C")
    transcript_id = stack.document("submissions", key)["transcript_id"]
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)

    assert stack.callback("completed", transcript_id) == DONE

    assert stack.document("scorecards", key)["call"]["call_type"] is None
    assert stack.document("overrides", key)["transcript_id"] != transcript_id


def test_message_comes_twice_and_the_request_is_served_once(stack: Stack) -> None:
    key = "twice.ogg"
    scored(stack, key)
    rescore(stack, key, "--call-type", "cold")
    (message,) = stack.cloud.messages("CallbacksQueue")
    work_off(stack)
    mails, paid = len(stack.cloud.mails()), asked(stack)

    send(stack, message.body, key)
    work_off(stack)

    assert len(stack.cloud.mails()) == mails
    assert asked(stack) == paid


def send(stack: Stack, body: str, key: str) -> None:
    """Put a message into CallbacksQueue."""
    stack.cloud.client("sqs").send_message(
        QueueUrl=stack.queue_url("CallbacksQueue"),
        MessageBody=body,
        MessageAttributes={"recording": {"DataType": "String", "StringValue": encode_key(key)}},
    )


def test_nobody_but_an_operator_is_believed(stack: Stack) -> None:
    """Not what comes through the webhook, and not a request that is in no record of ours, or no longer."""
    key = "forged.ogg"
    transcript_id = scored(stack, key)
    (sample,) = json.loads((EVENTS / "callback_rescore.json").read_text("utf-8"))["Records"]
    body = json.loads(sample["body"]) | {"transcript_id": transcript_id}
    assert call_back(stack.cloud, json.dumps(body)).status_code == 400
    assert stack.cloud.queue_depth("CallbacksQueue") == 0
    rescore(stack, key, "--call-type", "cold")
    (replaced,) = stack.cloud.messages("CallbacksQueue")
    stack.cloud.empty("CallbacksQueue")
    rescore(stack, key, "--call-type", "demo")
    stack.cloud.empty("CallbacksQueue")
    before, mails, paid = stack.body("scorecards", key), len(stack.cloud.publications()), asked(stack)

    send(stack, json.dumps(body), key)
    send(stack, replaced.body, key)
    work_off(stack)

    assert stack.body("scorecards", key) == before
    assert len(stack.cloud.publications()) == mails
    assert asked(stack) == paid


def test_what_cannot_be_scored_again_is_said(stack: Stack) -> None:
    scored(stack, "some/scored.ogg")
    scored(stack, "some/lost.ogg")
    stack.submit("some/notes.txt", b"not a call")
    stack.submit("some/waits.ogg", b"sound")
    stack.cloud.empty("CallbacksQueue")
    bucket = stack.cloud.outputs["ScorecardsBucketName"]
    stack.cloud.client("s3").delete_object(Bucket=bucket, Key="transcripts/some/lost.ogg.json")

    refused = rescore(stack, "some/lost.ogg", "some/notes.txt", "some/waits.ogg")
    would = rescore(stack, "--prefix", "some/", "--dry-run")
    assert stack.document("overrides", "some/lost.ogg") is None
    before = stack.body("scorecards", "some/lost.ogg")
    ran = rescore(stack, "--prefix", "some/")
    work_off(stack)

    assert refused.exit_code == 1
    for line in ("(no transcript): some/lost.ogg", "(not a recording): some/notes.txt", "(transcribing): some/waits"):
        assert line in refused.err
    assert would.document["would_rescore"] == ran.document["rescored"] == ["some/lost.ogg", "some/scored.ogg"]
    assert ran.document["skipped"] == {"some/notes.txt": "not_a_recording", "some/waits.ogg": "transcribing"}
    assert stack.body("scorecards", "some/lost.ogg") == before
    assert stack.document("failures", "some/lost.ogg") is None


def test_it_asks_first_and_says_what_it_may_cost(stack: Stack) -> None:
    key = "asked.ogg"
    scored(stack, key)

    refused = run(stack.cloud, "rescore", key, answer="n\n")

    assert refused.exit_code == 1
    assert "1 call, " in refused.err
    assert "USD" in refused.err
    assert stack.cloud.queue_depth("CallbacksQueue") == 0
    assert stack.document("overrides", key) is None
    assert run(stack.cloud, "rescore", key, answer="y\n").exit_code == 0
    assert stack.cloud.queue_depth("CallbacksQueue") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name recordings"),
        (("a.ogg", "--prefix", "a"), "Name recordings"),
        (("--prefix", "a", "--role", "A=rep"), "--role is about one recording"),
        (("usage.ogg", "--role", "A=boss"), "is no role"),
        (("usage.ogg", "--role", "Z=rep"), "nobody is labelled Z"),
    ],
)
def test_wrong_usage_is_told(stack: Stack, arguments: tuple[str, ...], said: str) -> None:
    if stack.document("scorecards", "usage.ogg") is None:
        scored(stack, "usage.ogg")

    ran = rescore(stack, *arguments)

    assert ran.exit_code == 2
    assert said in ran.err


def test_it_needs_these_rights(stack: Stack) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "sqs:SendMessage",
    }
    credentials, used = role_with(stack.cloud, "rescores", needed)
    scored(stack, "rights.ogg")

    ran = rescore(stack, "rights.ogg", credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert used() == needed
