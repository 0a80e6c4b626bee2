"""python -m callcoach redrive: what was given up goes back to where it came from, and is done after all."""

import json
from collections.abc import Iterator, Mapping

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import DONE, QUEUES, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Refuse, SideEffect

from callcoach.documents import encode_key
from callcoach.queue import Message, Queue


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_messages_of_other_tests(stack: Stack) -> None:
    stack.empty_queues()


def give_up(stack: Stack, queue: str, body: str, reason: str, attributes: Mapping[str, str] | None = None) -> None:
    """Put a message into a dead-letter queue as a function does that gives up."""
    given_up = Message("1", body, "handle", 1, attributes=attributes or {})
    Queue(stack.cloud.client("sqs"), "", stack.queue_url(queue)).give_up(given_up, reason)


def dropped(stack: Stack, key: str) -> str:
    """Return S3's event about a recording, which nobody has seen."""
    stack.drop(key, SOUND.read_bytes())
    (message,) = stack.cloud.messages("RecordingsQueue")
    stack.cloud.empty("RecordingsQueue")
    return message.body


def redrive(stack: Stack, *arguments: str) -> Ran:
    return run(stack.cloud, "redrive", "--yes", "--json", *arguments)


def states(stack: Stack, queue: str) -> list[str]:
    return [message.state for message in stack.cloud.messages(queue)]


def test_a_recording_that_was_given_up_is_submitted_after_all(stack: Stack) -> None:
    key = "dana reyes/é&1.ogg"
    give_up(stack, "RecordingsDlq", dropped(stack, key), "aws_unavailable")

    ran = redrive(stack)
    assert stack.deliver("RecordingsQueue") == DONE

    assert (ran.exit_code, ran.err) == (0, "")
    (message,) = ran.document["messages"]
    assert (message["queue"], message["recording"], message["reason"]) == ("RecordingsDlq", key, "aws_unavailable")
    assert ran.document["redriven"] == 1
    assert stack.document("submissions", key) is not None
    assert stack.cloud.queue_depth("RecordingsDlq") == 0
    assert run(stack.cloud, "redrive").out == "Both dead-letter queues are empty.\n"


def test_a_call_that_was_given_up_is_scored_after_all_and_replaces_its_failure(stack: Stack) -> None:
    """The function gives it up at its last attempt, while AssemblyAI gives no transcript."""
    key = "given-up.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    stack.cloud.empty("CallbacksQueue")
    stack.send_callback("completed", transcript_id, key)

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(408, "try later") if effect.what == "assemblyai GET /v2/transcript/{id}" else None

    with Interference(stack.cloud, stack.stand_in, decide):
        while stack.cloud.queue_depth("CallbacksDlq") == 0:
            stack.deliver("CallbacksQueue")
            stack.cloud.pass_time(1000)
    (given_up,) = stack.cloud.messages("CallbacksDlq")
    assert given_up.attributes["reason"] == "assemblyai_unavailable"

    assert redrive(stack, key).exit_code == 0
    (moved,) = stack.cloud.messages("CallbacksQueue")
    assert stack.deliver("CallbacksQueue") == DONE

    assert moved.attributes == {"recording": encode_key(key)}
    assert moved.body == given_up.body
    assert stack.document("scorecards", key)["status"] == "complete"
    assert stack.document("failures", key) is None


def test_a_malformed_message_is_never_redriven_and_can_be_discarded(stack: Stack) -> None:
    give_up(stack, "CallbacksDlq", "{}", "malformed_message", {"recording": encode_key("a.ogg")})
    give_up(stack, "RecordingsDlq", "no event", "malformed_message")

    left = run(stack.cloud, "redrive", "--yes")
    assert states(stack, "CallbacksDlq") == states(stack, "RecordingsDlq") == ["visible"]
    discarded = redrive(stack, "--discard")

    assert "2 cannot be redriven: --discard deletes them." in left.out
    assert "malformed message" in left.out
    assert left.exit_code == 0
    assert (discarded.document["redriven"], discarded.document["discarded"]) == (0, 2)
    assert [stack.cloud.queue_depth(queue) for queue in QUEUES] == [0, 0, 0, 0]


def test_a_dry_run_lists_and_leaves_everything_where_it_can_be_seen(stack: Stack) -> None:
    """More than SQS gives at once."""
    event = dropped(stack, "a.ogg")
    for _ in range(23):
        give_up(stack, "RecordingsDlq", event, "assemblyai_unavailable")

    ran = run(stack.cloud, "redrive", "--dry-run")

    assert len(ran.out.splitlines()) == 23
    assert "assemblyai unavailable" in ran.out
    assert states(stack, "RecordingsDlq") == ["visible"] * 23
    assert redrive(stack).document["redriven"] == 23
    assert stack.cloud.queue_depth("RecordingsQueue") == 23


def test_it_asks_first(stack: Stack) -> None:
    give_up(stack, "RecordingsDlq", dropped(stack, "a.ogg"), "crashed")

    refused = run(stack.cloud, "redrive", answer="n\n")

    assert refused.exit_code == 1
    assert "Redrive 1 message?" in refused.err
    assert states(stack, "RecordingsDlq") == ["visible"]
    assert run(stack.cloud, "redrive", answer="y\n").exit_code == 0
    assert stack.cloud.queue_depth("RecordingsQueue") == 1


def test_one_recording_can_be_chosen(stack: Stack) -> None:
    for key in ("a.ogg", "b.ogg"):
        give_up(stack, "RecordingsDlq", dropped(stack, key), "crashed")
        give_up(
            stack,
            "CallbacksDlq",
            '{"transcript_id": "t", "status": "overdue"}',
            "crashed",
            {"recording": encode_key(key)},
        )

    ran, unknown = redrive(stack, "a.ogg"), redrive(stack, "c.ogg")

    assert ran.document["redriven"] == 2
    assert json.loads(stack.cloud.messages("RecordingsQueue")[0].body)["detail"]["object"]["key"] == "a.ogg"
    assert unknown.exit_code == 1
    assert "no message that can be seen is about c.ogg" in unknown.err
    assert states(stack, "RecordingsDlq") == states(stack, "CallbacksDlq") == ["visible"]


def test_what_sqs_or_eventbridge_has_given_up_has_a_reason_too(stack: Stack) -> None:
    """SQS moves what was received too often and says nothing; EventBridge says why in its own attributes."""
    event = dropped(stack, "a.ogg")
    sqs, url = stack.cloud.client("sqs"), stack.queue_url("RecordingsDlq")
    sqs.send_message(QueueUrl=url, MessageBody=event)
    names = {"ERROR_CODE": "NO_PERMISSIONS", "RULE_ARN": "arn:aws:events:eu-west-1:1:rule/r", "TARGET_ARN": "arn"}
    sqs.send_message(
        QueueUrl=url,
        MessageBody=event,
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in names.items()},
    )

    ran = redrive(stack)

    assert sorted(message["reason"] for message in ran.document["messages"]) == ["NO_PERMISSIONS", "crashed"]
    assert [message.attributes for message in stack.cloud.messages("RecordingsQueue")] == [{}, {}]


def test_what_cannot_be_moved_stays_where_it_is(stack: Stack) -> None:
    give_up(stack, "RecordingsDlq", dropped(stack, "a.ogg"), "crashed")
    with stack.cloud.fault("sqs", "SendMessage", status=403, code="AccessDenied"):
        refused = redrive(stack)

    assert refused.exit_code == 1
    assert "your credentials lack a right" in refused.err
    assert states(stack, "RecordingsDlq") == ["visible"]
    assert redrive(stack).document["redriven"] == 1


def test_it_needs_these_rights(stack: Stack) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
    }
    credentials, used = role_with(stack.cloud, "redrives", needed)
    give_up(stack, "RecordingsDlq", dropped(stack, "a.ogg"), "crashed")
    give_up(stack, "RecordingsDlq", "no event", "malformed_message")

    ran = run(stack.cloud, "redrive", "--yes", credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert used() == needed
