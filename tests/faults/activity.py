"""What makes the functions use every permission that they have, each activity with its checks on what comes of it.

Events are delivered by the test, as Lambda does it: a failed invocation leaves its message to the queue. So a check
sees what people would see, a call without a scorecard for example, and not the error behind it. Each activity begins
with empty queues and an empty table, alone on a stack or after others.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from tests.integration.stack import KEY, REPORTS, SOUND, Stack
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.cloud import Cloud, Mail
from tests.sandbox.interference import Action, Interference, Kill, Refuse, SideEffect
from tests.sandbox.lambdas import InvocationError

from callcoach.documents import Kind
from callcoach.queue import LAST_RECEIVE, RENEWED_FROM_RECEIVE
from callcoach.resubmission import RESUBMIT_DELAY_SECONDS
from callcoach.work import MOST_ATTEMPTS

Activity = Callable[[Stack], None]
Edit = Callable[[dict[str, Any]], None]

ACCOUNT = Account(KEY, understanding_requests_per_minute=1000, chat_requests_per_minute=1000)
PARAMETERS = {
    "NotificationEmail": "manager@example.com",
    "OperationsEmail": "operators@example.com",
    **REPORTS,
    "MaxOpenJobs": "2",
    # No waits where no activity is about them.
    "IdentificationsPerMinute": "100000",
    "CoachRequestsPerMinute": "100000",
}
# The stack with a bucket and keys of its user's own. IAM asks for the keys on AWS alone.
KMS_KEY = "arn:aws:kms:eu-west-1:123456789012:key/5552830b-7d72-47a9-bf28-d4ad23ffa6b9"
OWN_BUCKET = "owned-by-us"
OWN_BUCKET_PARAMETERS = {
    "RecordingsBucketName": OWN_BUCKET,
    "RecordingsPrefix": "calls/",
    "RecordingsKmsKeyArn": KMS_KEY,
    "BucketsKmsKeyArn": KMS_KEY,
    "ActiveWebhookKey": "B",
}

CALL = SOUND.read_bytes()
ENDLESS = b"a recording that is never transcribed"
UNKNOWN = b"a recording that cannot be transcribed"
OUT_OF_REACH = b"a recording that cannot be fetched"

RESULTS: tuple[Kind, ...] = ("transcripts", "replies", "reports")
DEAD_LETTERS = {"RecordingsQueue": "RecordingsDlq", "CallbacksQueue": "CallbacksDlq"}
SUBMIT, SCORE = DEAD_LETTERS

# The back-off after a first fault.
BACK_OFF_SECONDS = 15
# A probe while everything is paused, and the longest wait for the next look.
PAUSE_SECONDS = 601
# Of a function that was killed: until its message comes again, and until its claim on the work is void.
KILLED_SECONDS = 3600
DAY_SECONDS = 24 * 3600


@contextmanager
def deployed(parameters: Mapping[str, str] | None = None, *, edit: Edit | None = None) -> Iterator[Stack]:
    """Deploy the stack, its template edited, beside a stand-in of AssemblyAI that is quick."""
    with AssemblyAI(KEY, delay_seconds=0.05, account=ACCOUNT) as stand_in:
        stand_in.never_finish(ENDLESS)
        stand_in.fail(OUT_OF_REACH, "Download error to https://example.com/a.ogg, 403 Client Error: Forbidden")
        cloud = Cloud(
            parameters=PARAMETERS | {"AssemblyAIEndpointUrl": stand_in.url} | dict(parameters or {}),
            secrets={"callcoach/assemblyai": KEY},
            existing_buckets=[OWN_BUCKET],
            verified_identities=["example.com"],
            edit=edit,
            invoke=False,
        )
        with cloud:
            stand_in.hosts.update(cloud.hosts)
            yield Stack(cloud, stand_in)


def perform(activity: Activity, stack: Stack) -> None:
    """Let nothing be left of earlier activities but their objects, and perform one. Raises AssertionError."""
    cloud = stack.cloud
    for queue, dead_letters in DEAD_LETTERS.items():
        cloud.empty(queue)
        cloud.empty(dead_letters)
    for item in cloud.client("dynamodb").scan(TableName=_table(stack))["Items"]:
        cloud.client("dynamodb").delete_item(TableName=_table(stack), Key={"id": item["id"]})
    stack.stand_in.account = ACCOUNT
    activity(stack)


# The ways of a call.


def a_call_is_scored(stack: Stack) -> None:
    key = "calls/scored.ogg"
    _submitted(stack, key)
    assert stack.cloud.queue_depth(SUBMIT) == 0

    _called_back(stack, key)
    _run(stack, SCORE)

    assert _is_scored(stack, key)
    # What is left is the look after an overdue callback.
    assert [message.state for message in stack.cloud.messages(SCORE)] == ["delayed"]
    assert all(stack.body(kind, key) for kind in RESULTS)
    assert [mail.attributes["outcome"] for mail in _mails(stack, key)] == ["complete"]
    assert [list(mail.attachments) for mail in stack.cloud.ses.sent[-1:]] == [["scored-review.html"]]


def a_scored_call_is_looked_after_again(stack: Stack) -> None:
    """Its callback comes twice, and the look after an overdue one last."""
    key = "calls/scored-once.ogg"
    _scored(stack, key)
    stack.send_callback("completed", _transcript_id(stack, key), key)
    _run(stack, SCORE)
    stack.cloud.pass_time(900)
    _run(stack, SCORE)

    assert stack.cloud.queue_depth(SCORE) == 0
    assert len(_mails(stack, key)) == 1


def a_transcript_fails_and_its_recording_is_dropped_again(stack: Stack) -> None:
    key = "calls/failed.ogg"
    _submitted(stack, key, UNKNOWN)
    _called_back(stack, key)
    _run(stack, SCORE)
    assert _failure(stack, key) == "transcription_failed"
    assert len(_mails(stack, key)) == 1

    stack.drop(key, UNKNOWN)
    _run(stack, SUBMIT)
    assert len(stack.submissions(key)) == 2


def an_object_is_no_recording(stack: Stack) -> None:
    key = "calls/notes.txt"
    stack.drop(key, b"not a call")
    _run(stack, SUBMIT)

    assert _failure(stack, key) == "not_a_recording"
    assert len(_mails(stack, key)) == 1


def a_recording_is_gone_before_it_is_submitted(stack: Stack) -> None:
    key = "calls/gone.ogg"
    stack.drop(key, CALL)
    stack.cloud.client("s3").delete_object(Bucket=stack.cloud.outputs["RecordingsBucketName"], Key=key)
    _run(stack, SUBMIT)

    assert _failure(stack, key) == "recording_gone"


def a_recording_cannot_be_fetched_and_is_submitted_again(stack: Stack) -> None:
    key = "calls/out-of-reach.ogg"
    _submitted(stack, key, OUT_OF_REACH)
    _called_back(stack, key)
    _run(stack, SCORE)
    stack.cloud.pass_time(RESUBMIT_DELAY_SECONDS)
    _run(stack, SUBMIT)

    assert len(stack.submissions(key)) == 2
    assert stack.document("submissions", key)["resubmissions"] == 1
    assert _failure(stack, key) is None


# What goes wrong on the way.


def a_message_is_nothing(stack: Stack) -> None:
    for queue, dead_letters in DEAD_LETTERS.items():
        stack.cloud.client("sqs").send_message(QueueUrl=stack.queue_url(queue), MessageBody="{}")
        _run(stack, queue)

        assert stack.cloud.queue_depth(queue) == 0
        assert [message.attributes for message in stack.cloud.messages(dead_letters)] == [
            {"reason": "malformed_message"}
        ]


def assemblyai_fails_once(stack: Stack) -> None:
    """The message comes again after seconds, and what was begun is done."""
    key = "calls/tried-twice.ogg"
    stack.drop(key, CALL)
    with _failing(stack, "POST /v2/transcript"):
        _run(stack, SUBMIT)
    stack.cloud.pass_time(BACK_OFF_SECONDS)
    _run(stack, SUBMIT)
    assert stack.document("submissions", key)

    _called_back(stack, key)
    with _failing(stack, "POST /v1/understanding"):
        _run(stack, SCORE)
    stack.cloud.pass_time(BACK_OFF_SECONDS)
    _run(stack, SCORE)
    assert _is_scored(stack, key)


def assemblyai_fails_until_a_submission_is_given_up(stack: Stack) -> None:
    """Redriven, it is scored, and nothing says any more that it failed."""
    key = "calls/not-submitted.ogg"
    stack.drop(key, CALL)
    with _failing(stack, "POST /v2/transcript"):
        _run_for_the_last_time(stack, SUBMIT)
    _assert_given_up(stack, SUBMIT, key)

    _redrive(stack, SUBMIT)
    _run(stack, SUBMIT)
    assert stack.document("submissions", key)
    _called_back(stack, key)
    _run(stack, SCORE)
    assert _is_scored(stack, key)
    assert _failure(stack, key) is None


def assemblyai_fails_until_a_call_is_given_up(stack: Stack) -> None:
    """Redriven, it is scored, and nothing says any more that it failed."""
    key = "calls/not-scored.ogg"
    _submitted(stack, key)
    _called_back(stack, key)
    with _failing(stack, "POST /v1/understanding"):
        _run_for_the_last_time(stack, SCORE)
    _assert_given_up(stack, SCORE, key)

    _redrive(stack, SCORE)
    _run(stack, SCORE)
    assert _is_scored(stack, key)
    assert _failure(stack, key) is None


def the_account_is_refused_a_submission(stack: Stack) -> None:
    """Operators are told once, and when the account is taken again everything goes on by itself."""
    key = "calls/no-balance.ogg"
    stack.stand_in.account = Account(KEY, balance_is_negative=True)
    stack.drop(key, CALL)
    told = _run_into_a_pause(stack, SUBMIT)
    assert stack.submissions(key) == []

    stack.stand_in.account = ACCOUNT
    stack.cloud.pass_time(PAUSE_SECONDS)
    _run(stack, SUBMIT)
    assert stack.document("submissions", key)
    assert not _item(stack, "pause")
    assert _told_operators(stack) == told


def the_account_is_refused_a_scorecard(stack: Stack) -> None:
    """Operators are told once, and when the account is taken again everything goes on by itself."""
    key = "calls/no-plan.ogg"
    _submitted(stack, key)
    _called_back(stack, key)
    stack.stand_in.account = Account(KEY, gateway_services=())
    told = _run_into_a_pause(stack, SCORE)
    assert not _is_scored(stack, key)

    stack.stand_in.account = ACCOUNT
    stack.cloud.pass_time(PAUSE_SECONDS)
    _run(stack, SCORE)
    assert _is_scored(stack, key)
    assert not _item(stack, "pause")
    assert _told_operators(stack) == told


# What has to wait.


def a_call_waits_for_its_turn(stack: Stack) -> None:
    """AssemblyAI rejects another call's request, which keeps this one from being sent for a minute."""
    rejected, later = "calls/rejected.ogg", "calls/later.ogg"
    _submitted(stack, rejected)
    _called_back(stack, rejected)
    stack.stand_in.account = Account(KEY, understanding_requests_per_minute=0)
    _run(stack, SCORE)
    stack.stand_in.account = ACCOUNT
    _submitted(stack, later)
    _called_back(stack, later)
    _run(stack, SCORE)
    assert not _is_scored(stack, later)
    assert stack.stand_in.paid_for(later)["understanding"] == 0

    stack.cloud.pass_time(60)
    _run(stack, SCORE)
    assert _is_scored(stack, rejected)
    assert _is_scored(stack, later)


def a_recording_waits_for_a_free_place(stack: Stack) -> None:
    """Two jobs may be open, and of two nobody hears any more."""
    for key in ("calls/endless-1.ogg", "calls/endless-2.ogg"):
        _submitted(stack, key, ENDLESS)
    key = "calls/waits-for-a-place.ogg"
    stack.drop(key, ENDLESS)
    _run(stack, SUBMIT)
    assert stack.submissions(key) == []

    stack.cloud.pass_time(2 * DAY_SECONDS)
    _run(stack, SUBMIT)
    assert len(stack.submissions(key)) == 1


def a_message_that_waited_often_is_sent_anew(stack: Stack) -> None:
    key = "calls/waited-often.ogg"
    stack.drop(key, CALL)
    _receive(stack, SUBMIT, RENEWED_FROM_RECEIVE - 1)
    with _failing(stack, "POST /v2/transcript"):
        _run(stack, SUBMIT)
    assert [message.receive_count for message in stack.cloud.messages(SUBMIT)] == [0]
    stack.cloud.pass_time(BACK_OFF_SECONDS)
    _run(stack, SUBMIT)
    assert stack.document("submissions", key)

    _called_back(stack, key)
    _receive(stack, SCORE, RENEWED_FROM_RECEIVE - 1)
    with _failing(stack, "POST /v1/understanding"):
        _run(stack, SCORE)
    assert {message.receive_count for message in stack.cloud.messages(SCORE)} == {0}
    stack.cloud.pass_time(BACK_OFF_SECONDS)
    _run(stack, SCORE)
    assert _is_scored(stack, key)


# Runs that are killed.


def a_run_is_killed_after_the_coach_has_answered(stack: Stack) -> None:
    """The next one goes on from there."""
    key = "calls/interrupted.ogg"
    _submitted(stack, key)
    _called_back(stack, key)
    with _killing(stack, "ScorecardFunction", "s3 PutObject replies/"):
        _run(stack, SCORE)
    assert not _is_scored(stack, key)
    asked = stack.stand_in.paid_calls["chat"]

    stack.cloud.pass_time(KILLED_SECONDS)
    _run(stack, SCORE)
    assert _is_scored(stack, key)
    assert stack.stand_in.paid_calls["chat"] == asked


def a_run_is_killed_while_it_holds_a_recording(stack: Stack) -> None:
    """Another content of the same name waits until the dead run's lease is over."""
    key = "calls/held.ogg"
    stack.drop(key, ENDLESS)
    with _killing(stack, "SubmitFunction", "s3 HeadObject recordings"):
        _run(stack, SUBMIT)
    stack.drop(key, CALL)
    _run(stack, SUBMIT)
    assert stack.submissions(key) == []

    stack.cloud.pass_time(60)
    _run(stack, SUBMIT)
    assert len(stack.submissions(key)) == 1
    assert not any(item.startswith("lease#") for item in _item_ids(stack))


def every_run_of_a_submission_is_killed(stack: Stack) -> None:
    key = "calls/kills-submissions.ogg"
    stack.drop(key, CALL)
    _receive(stack, SUBMIT, LAST_RECEIVE - 1)
    with _killing(stack, "SubmitFunction", "s3 HeadObject recordings"):
        _run(stack, SUBMIT)
    _assert_crash_told(stack, SUBMIT, key)


def every_run_of_a_call_is_killed(stack: Stack) -> None:
    key = "calls/kills-scorings.ogg"
    _submitted(stack, key)
    _called_back(stack, key)
    _receive(stack, SCORE, LAST_RECEIVE - 1)
    with _killing(stack, "ScorecardFunction", "assemblyai GET /v2/transcript/{id}"):
        _run(stack, SCORE)
    _assert_crash_told(stack, SCORE, key)


ACTIVITIES: tuple[Activity, ...] = (
    a_call_is_scored,
    a_scored_call_is_looked_after_again,
    a_transcript_fails_and_its_recording_is_dropped_again,
    an_object_is_no_recording,
    a_recording_is_gone_before_it_is_submitted,
    a_recording_cannot_be_fetched_and_is_submitted_again,
    a_message_is_nothing,
    assemblyai_fails_once,
    assemblyai_fails_until_a_submission_is_given_up,
    assemblyai_fails_until_a_call_is_given_up,
    the_account_is_refused_a_submission,
    the_account_is_refused_a_scorecard,
    a_call_waits_for_its_turn,
    a_recording_waits_for_a_free_place,
    a_message_that_waited_often_is_sent_anew,
    a_run_is_killed_after_the_coach_has_answered,
    a_run_is_killed_while_it_holds_a_recording,
    every_run_of_a_submission_is_killed,
    every_run_of_a_call_is_killed,
)


# Steps.


def _run(stack: Stack, queue: str) -> None:
    """Let the queue's function work on every message that is visible."""
    while any(message.state == "visible" for message in stack.cloud.messages(queue)):
        with suppress(InvocationError):
            stack.deliver(queue)


def _submitted(stack: Stack, key: str, sound: bytes = CALL) -> None:
    stack.drop(key, sound)
    _run(stack, SUBMIT)
    assert stack.document("submissions", key)


def _called_back(stack: Stack, key: str) -> None:
    """Wait for AssemblyAI's callback about the last submission of a recording."""
    job = stack.stand_in.jobs[_transcript_id(stack, key)]
    attempts = stack.cloud.wait_until(lambda: job.delivery and job.delivery.attempts, timeout_seconds=60)
    assert attempts[0].status == 200


def _scored(stack: Stack, key: str) -> None:
    _submitted(stack, key)
    _called_back(stack, key)
    _run(stack, SCORE)
    assert _is_scored(stack, key)


def _receive(stack: Stack, queue: str, times: int) -> None:
    """Let a queue's visible messages be received so often, for nothing."""
    for _ in range(times):
        stack.cloud.client("sqs").receive_message(
            QueueUrl=stack.queue_url(queue), MaxNumberOfMessages=10, VisibilityTimeout=0
        )


def _run_for_the_last_time(stack: Stack, queue: str) -> None:
    """Run a queue's function on a message for which all attempts but one have been counted."""
    _run(stack, queue)
    (progress,) = [item for item in _item_ids(stack) if item.startswith("progress#")]
    stack.cloud.client("dynamodb").update_item(
        TableName=_table(stack),
        Key={"id": {"S": progress}},
        UpdateExpression="SET attempts = :attempts",
        ExpressionAttributeValues={":attempts": {"N": str(MOST_ATTEMPTS - 1)}},
    )
    stack.cloud.pass_time(BACK_OFF_SECONDS)
    _run(stack, queue)


def _run_into_a_pause(stack: Stack, queue: str) -> int:
    """Run a queue's function while the account is refused, and return how often operators were told in all."""
    before = _told_operators(stack)
    _run(stack, queue)
    assert _item(stack, "pause")
    assert _told_operators(stack) == before + 1
    return before + 1


def _redrive(stack: Stack, queue: str) -> None:
    """Move the dead letters of a queue back into it, as an operator does."""
    sqs, dead_letters = stack.cloud.client("sqs"), stack.queue_url(DEAD_LETTERS[queue])
    received = sqs.receive_message(QueueUrl=dead_letters, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    for message in received["Messages"]:
        sqs.send_message(
            QueueUrl=stack.queue_url(queue),
            MessageBody=message["Body"],
            MessageAttributes=message["MessageAttributes"],
        )
        sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def _failing(stack: Stack, request: str) -> Iterator[None]:
    """Let AssemblyAI be out of order for one kind of request."""
    refusal = Refuse(503, "Service Unavailable")
    with Interference(stack.cloud, stack.stand_in, lambda effect: _only(effect, f"assemblyai {request}", refusal)):
        yield


@contextmanager
def _killing(stack: Stack, function: str, what: str) -> Iterator[None]:
    """Kill a function as soon as it has made a request."""
    crashes = stack.cloud.invocations[function].crashes
    with Interference(stack.cloud, stack.stand_in, lambda effect: _only(effect, what, Kill(after=True))):
        yield
    assert stack.cloud.invocations[function].crashes > crashes


def _only(effect: SideEffect, what: str, action: Action) -> Action | None:
    return action if effect.what == what else None


# What is seen.


def _transcript_id(stack: Stack, key: str) -> str:
    return str(stack.document("submissions", key)["transcript_id"])


def _is_scored(stack: Stack, key: str) -> bool:
    scorecard = stack.document("scorecards", key)
    return bool(scorecard and scorecard["status"] == "complete")


def _failure(stack: Stack, key: str) -> str | None:
    """Return the reason for which a recording is on record as failed."""
    failure = stack.document("failures", key)
    return str(failure["reason"]) if failure else None


def _assert_given_up(stack: Stack, queue: str, key: str) -> None:
    assert _failure(stack, key) == "assemblyai_unavailable"
    assert len(_mails(stack, key)) == 1
    assert [message.attributes["reason"] for message in stack.cloud.messages(DEAD_LETTERS[queue])] == [
        "assemblyai_unavailable"
    ]


def _assert_crash_told(stack: Stack, queue: str, key: str) -> None:
    assert _failure(stack, key) == "crashed"
    assert len(_mails(stack, key)) == 1
    stack.cloud.pass_time(KILLED_SECONDS)
    _run(stack, queue)
    assert stack.cloud.queue_depth(DEAD_LETTERS[queue]) == 1


def _mails(stack: Stack, key: str) -> list[Mail]:
    return stack.mails_about(key.rpartition("/")[2])


def _told_operators(stack: Stack) -> int:
    return sum(mail.topic == "OperationsTopic" for mail in stack.cloud.mails())


def _table(stack: Stack) -> str:
    return stack.cloud.resources["StateTable"]


def _item(stack: Stack, item_id: str) -> Any:
    answer = stack.cloud.client("dynamodb").get_item(TableName=_table(stack), Key={"id": {"S": item_id}})
    return answer.get("Item")


def _item_ids(stack: Stack) -> list[str]:
    return [item["id"]["S"] for item in stack.cloud.client("dynamodb").scan(TableName=_table(stack))["Items"]]
