"""python -m callcoach forget: nothing is left of a call, everything of the others, and nothing comes back."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import DONE, OTHER_SOUND, QUEUES, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Kill, Late, Refuse, SideEffect
from tests.sandbox.lambdas import InvocationError
from tests.sandbox.places import Place, places, searchable

from callcoach.documents import document_key, encode_key
from scorecard.pipeline import LOOKS_FOR_RECORD

SECURITY = Path(__file__).parents[2] / ".github" / "SECURITY.md"
SENT_OR_WRITTEN = ("mail", "message", "log")
KINDS = ("submissions", "transcripts", "replies", "reports", "scorecards", "failures", "overrides")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so, and whose buckets keep older versions."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        for bucket in (running.cloud.outputs["RecordingsBucketName"], running.cloud.outputs["ScorecardsBucketName"]):
            running.cloud.client("s3").put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        yield running


@pytest.fixture(autouse=True)
def _no_messages_of_other_tests(stack: Stack) -> None:
    stack.empty_queues()


def scored(stack: Stack, key: str, sound: bytes | None = None) -> str:
    """Take a call all the way and return its transcript's id."""
    transcript_id = stack.transcribed(key, sound or SOUND.read_bytes())
    assert stack.callback("completed", transcript_id) == DONE
    return transcript_id


def kept(stack: Stack) -> list[Place]:
    """Return what is kept at the moment, but for what was sent and logged, and the hash of what was forgotten."""
    return [
        place
        for place in places(stack.cloud)
        if not place.kind.startswith(SENT_OR_WRITTEN) and not place.name.startswith("forgotten#")
    ]


def about(stack: Stack, *names: str) -> list[Place]:
    """Return what is kept of a call, by its names."""
    return [place for place in kept(stack) if any(name in f"{place.name}\n{searchable(place.text)}" for name in names)]


def forget(stack: Stack, key: str, *options: str, **arguments: Any) -> Ran:
    return run(stack.cloud, "forget", "--yes", *options, "--", key, **arguments)


def test_nothing_is_left_of_a_call_and_everything_of_the_others(stack: Stack) -> None:
    """Of all contents that were dropped under its name, in all versions, in table, queues and at AssemblyAI."""
    key, other, neighbour = "dana reyes/é&1.ogg", "chris/2.ogg", "dana reyes/é&1.ogg.ogg"
    other_id = scored(stack, other)
    stack.drop(neighbour, b"sound")
    first_id = scored(stack, key, OTHER_SOUND.read_bytes())
    ask_to_rescore(stack, key)
    while stack.deliver("CallbacksQueue"):
        pass
    failed_id = replaced_by_a_failure(stack, key)
    stack.empty_queues()
    for name, transcript_id in ((key, first_id), (other, other_id)):
        event = stack.recording_event(name, etag="0", size=1, sequencer="0D")
        for queue in ("RecordingsQueue", "RecordingsDlq"):
            send(stack, queue, event["Records"][0]["body"])
        for queue in ("CallbacksQueue", "CallbacksDlq"):
            send(stack, queue, json.dumps({"transcript_id": transcript_id, "status": "overdue"}), name)
    of_others = about(stack, other, encode_key(other), other_id, neighbour)
    names = (key, encode_key(key), first_id, failed_id)
    assert {place.kind for place in about(stack, *names)} == {
        *(f"s3 {kind}{part}" for kind in ("recordings", *KINDS) for part in ("", ", metadata")),
        "s3 delete marker",
        "table",
        *(f"queue {queue}" for queue in QUEUES),
    }

    ran = forget(stack, key, "--json")

    assert (ran.exit_code, ran.err) == (0, "")
    removed = ran.document["removed"]
    assert removed["recording"] == 2
    assert removed["documents"] == {**dict.fromkeys(KINDS, 2), "transcripts": 1, "overrides": 1}
    assert removed["transcripts"] == sorted((first_id, failed_id))
    assert removed["messages"] == dict.fromkeys(QUEUES, 1)
    assert {place.name for place in about(stack, *names)} == {neighbour}
    for transcript_id in (first_id, failed_id):
        assert stack.stand_in.jobs[transcript_id].transcript["is_deleted"]
    assert about(stack, other, encode_key(other), other_id, neighbour) == of_others
    assert not stack.stand_in.jobs[other_id].transcript.get("is_deleted")


def ask_to_rescore(stack: Stack, key: str) -> None:
    assert run(stack.cloud, "rescore", "--yes", "--call-type", "demo", key).exit_code == 0


def replaced_by_a_failure(stack: Stack, key: str) -> str:
    """Drop another content under a name, which cannot be transcribed, and delete the record of that by hand."""
    stack.submit(key, b"a sound that nobody knows", sequencer="0C")
    transcript_id = str(stack.document("submissions", key)["transcript_id"])
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)
    assert stack.callback("error", transcript_id) == DONE
    stack.cloud.client("s3").delete_object(
        Bucket=stack.cloud.outputs["ScorecardsBucketName"], Key=document_key("failures", key)
    )
    return transcript_id


def send(stack: Stack, queue: str, body: str, recording: str | None = None) -> None:
    """Put a message into a queue."""
    attributes = {"recording": {"DataType": "String", "StringValue": encode_key(recording)}} if recording else {}
    stack.cloud.client("sqs").send_message(
        QueueUrl=stack.queue_url(queue), MessageBody=body, MessageAttributes=attributes
    )


def test_what_is_forgotten_is_known_to_be_and_what_never_was_is_not(stack: Stack) -> None:
    """Once more is no error, so that a script may repeat it; a mistyped name is one."""
    key = "twice.ogg"
    scored(stack, key)
    stack.empty_queues()
    assert forget(stack, key).out.startswith(f"Forgotten: {key}\n")

    again, mistyped = forget(stack, key), forget(stack, "twcie.ogg")

    assert (again.exit_code, again.out[:18]) == (0, "Forgotten already,")
    assert mistyped.exit_code == 1
    assert "nothing is known of twcie.ogg" in mistyped.err
    assert f"aws s3 ls --recursive s3://{stack.cloud.outputs['RecordingsBucketName']}/" in mistyped.err


def test_what_is_still_under_way_brings_nothing_back(stack: Stack) -> None:
    """The callback that comes late, and the watchdog, whose delayed message cannot be deleted."""
    key = "late.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    delete_visible_callbacks(stack)

    ran = forget(stack, key)
    stack.send_callback("completed", transcript_id, key)
    mails, asked = len(stack.cloud.publications()), len(stack.stand_in.exchanges)
    for _ in range(LOOKS_FOR_RECORD):
        stack.cloud.pass_time(900)
        stack.deliver("CallbacksQueue")
        stack.deliver("CallbacksQueue")

    assert "CallbacksQueue 1" in ran.out
    assert stack.cloud.queue_depth("CallbacksQueue") == 0
    assert about(stack, key, encode_key(key), transcript_id) == []
    assert len(stack.cloud.publications()) == mails
    assert len(stack.stand_in.exchanges) == asked


def delete_visible_callbacks(stack: Stack) -> None:
    """Leave the watchdogs' messages, which are delayed."""
    stack.cloud.wait_until(lambda: all(delivery.outcome != "pending" for delivery in stack.stand_in.deliveries))
    sqs, url = stack.cloud.client("sqs"), stack.queue_url("CallbacksQueue")
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_drop_that_waits_hidden_brings_nothing_back(stack: Stack) -> None:
    """It was never submitted, so nobody but its message knows of it; what is dropped afterwards is a new call."""
    key = "hidden.ogg"
    assert run(stack.cloud, "pause").exit_code == 0
    stack.drop(key, SOUND.read_bytes())
    stack.deliver("RecordingsQueue")
    assert run(stack.cloud, "resume").exit_code == 0

    ran = forget(stack, key)
    mails = len(stack.cloud.publications())
    stack.cloud.pass_time(900)
    stack.deliver("RecordingsQueue")

    assert "RecordingsQueue 1" in ran.out
    assert stack.cloud.queue_depth("RecordingsQueue") == 0
    assert stack.document("failures", key) is stack.document("submissions", key) is None
    assert len(stack.cloud.publications()) == mails
    assert scored(stack, key)


def forget_during(stack: Stack, what: str, key: str, work: Callable[[], Any]) -> Ran:
    """Forget a call while a function that works on it waits for an answer."""
    waiting = threading.Event()

    def decide(effect: SideEffect) -> Action | None:
        if effect.what != what:
            return None
        waiting.set()
        return Late(3)

    with Interference(stack.cloud, stack.stand_in, decide):
        run_of_the_function = threading.Thread(target=work)
        run_of_the_function.start()
        assert waiting.wait(20)
        ran = forget(stack, key)
        run_of_the_function.join()
    return ran


@pytest.mark.parametrize("what", ["assemblyai POST /v1/chat/completions", "s3 PutObject scorecards/"])
def test_a_run_that_scores_the_call_ends_first(stack: Stack, what: str) -> None:
    """What it writes to its end is forgotten too."""
    key = f"busy {what[:2]}.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())

    ran = forget_during(stack, what, key, lambda: stack.callback("completed", transcript_id))
    stack.empty_queues()

    assert ran.exit_code == 0
    assert "Waiting" in ran.err
    assert "scorecards/      1 version" in ran.out
    assert about(stack, key, encode_key(key), transcript_id) == []


def test_a_run_that_scores_the_call_again_ends_first(stack: Stack) -> None:
    key = "busy again.ogg"
    transcript_id = scored(stack, key)
    stack.empty_queues()
    ask_to_rescore(stack, key)

    chat = "assemblyai POST /v1/chat/completions"
    ran = forget_during(stack, chat, key, lambda: stack.deliver("CallbacksQueue"))
    stack.empty_queues()

    assert ran.exit_code == 0
    assert "Waiting" in ran.err
    assert "overrides/       1 version" in ran.out
    assert about(stack, key, encode_key(key), transcript_id) == []


def test_a_rescore_that_was_interrupted_is_forgotten(stack: Stack) -> None:
    """Of a run that was killed, and of one that waits for another attempt, nothing is left in the table."""
    key, of_others = "killed again.ogg", in_table(stack)
    transcript_id = scored(stack, key)
    stack.empty_queues()
    for action in (Refuse(503, "down"), Kill(after=True)):
        ask_to_rescore(stack, key)

        def decide(effect: SideEffect, action: Action = action) -> Action | None:
            return action if effect.what == "assemblyai POST /v1/chat/completions" else None

        with Interference(stack.cloud, stack.stand_in, decide), suppress(InvocationError):
            stack.deliver("CallbacksQueue")
    assert len([place for place in about(stack, transcript_id) if "#" in place.name]) > 1
    stack.cloud.pass_time(3600)

    assert forget(stack, key).exit_code == 0

    stack.empty_queues()
    assert about(stack, key, encode_key(key), transcript_id) == []
    assert in_table(stack) == of_others


def in_table(stack: Stack) -> set[str]:
    return {place.name for place in kept(stack) if place.kind == "table" and not place.name.startswith("limit#")}


def test_a_run_that_submits_the_call_ends_first(stack: Stack) -> None:
    """The job that it makes is deleted too."""
    key = "being submitted.ogg"

    ran = forget_during(stack, "assemblyai POST /v2/transcript", key, lambda: stack.submit(key))
    stack.empty_queues()

    (transcript_id,) = [
        id_ for id_, job in stack.stand_in.jobs.items() if "being%20submitted" in job.fields["audio_url"]
    ]
    assert ran.exit_code == 0
    assert about(stack, key, encode_key(key), transcript_id) == []
    assert stack.stand_in.jobs[transcript_id].transcript["is_deleted"]


def test_a_recording_that_is_kept_can_be_scored_anew(stack: Stack) -> None:
    key = "kept.ogg"
    first_id = scored(stack, key)

    ran = forget(stack, key, "--keep-recording")
    stack.empty_queues()

    assert ran.exit_code == 0
    assert "left as it is" in ran.out
    assert {place.kind for place in about(stack, key, first_id)} == {"s3 recordings", "s3 recordings, metadata"}
    assert scored(stack, key) != first_id
    assert stack.document("scorecards", key)["status"] == "complete"


def test_nothing_is_taken_away_unless_assemblyai_takes_it_away(stack: Stack) -> None:
    """Without it the ids that are known here would be lost. Where its account is gone it can be left out."""
    key = "refused.ogg"
    transcript_id = scored(stack, key)
    stack.empty_queues()
    account, before = stack.stand_in.account, about(stack, key, transcript_id)
    stack.stand_in.account = replace(account, api_key="another")
    try:
        refused = forget(stack, key)
        assert about(stack, key, transcript_id) == before
        left_out = forget(stack, key, "--keep-at-assemblyai")
    finally:
        stack.stand_in.account = account

    assert refused.exit_code == 1
    assert "AssemblyAI refuses the account" in refused.err
    assert left_out.exit_code == 0
    assert about(stack, key, transcript_id) == []
    assert not stack.stand_in.jobs[transcript_id].transcript.get("is_deleted")


@pytest.mark.parametrize("service", ["s3", "sqs", "dynamodb"])
def test_an_interrupted_run_is_repeated(stack: Stack, service: str) -> None:
    key = f"interrupted by {service}.ogg"
    transcript_id = scored(stack, key)
    stack.empty_queues()
    operations = {"s3": "ListObjectVersions", "sqs": "GetQueueAttributes", "dynamodb": "Scan"}
    with stack.cloud.fault(service, operations[service], status=403, code="AccessDenied"):
        interrupted = forget(stack, key)

    repeated = forget(stack, key)

    assert interrupted.exit_code == 1
    assert "your credentials lack a right" in interrupted.err
    assert repeated.exit_code == 0
    assert about(stack, key, transcript_id) == []
    assert stack.stand_in.jobs[transcript_id].transcript["is_deleted"]


def test_nobody_is_believed_about_a_transcript_but_our_records(stack: Stack) -> None:
    """Whoever has the webhook's key could let one call be forgotten with another."""
    key, other = "forged.ogg", "not to be forgotten.ogg"
    transcript_id, other_id = scored(stack, key), scored(stack, other)
    stack.empty_queues()
    before = about(stack, other_id)
    stack.send_callback("completed", other_id, key)

    ran = forget(stack, key, "--json")

    assert ran.document["removed"]["transcripts"] == [transcript_id]
    assert ran.document["removed"]["messages"]["CallbacksQueue"] == 1
    assert about(stack, other_id) == before
    assert not stack.stand_in.jobs[other_id].transcript.get("is_deleted")


def test_it_asks_first(stack: Stack) -> None:
    key = "asked.ogg"
    transcript_id = scored(stack, key)
    stack.empty_queues()
    before = about(stack, key, transcript_id)

    refused = run(stack.cloud, "forget", key, answer="n\n")

    assert refused.exit_code == 1
    assert "It cannot be undone." in refused.err
    assert about(stack, key, transcript_id) == before
    assert run(stack.cloud, "forget", key, answer="y\n").exit_code == 0
    assert about(stack, key, transcript_id) == []


def test_it_needs_the_rights_that_the_documents_name(stack: Stack) -> None:
    """All of them, and no others; the role of a function could not do it."""
    section = SECURITY.read_text("utf-8").partition("It needs these rights")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z0-9]+:\w+)`", section)) - {"kms:Decrypt"}
    credentials, used = role_with(stack.cloud, "privacy-officer", named)
    key = "with these rights.ogg"
    transcript_id = scored(stack, key)
    stack.empty_queues()
    send(stack, "CallbacksDlq", "{}", key)
    send(stack, "CallbacksDlq", "{}", "another.ogg")

    ran = forget(stack, key, credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert about(stack, key, transcript_id) == []
    assert used() == named
