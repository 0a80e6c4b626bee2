"""python -m callcoach submit: recordings of which nothing came are submitted, once, and in the order of the drops."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import DONE, OTHER_SOUND, SOUND, Stack, running_stack
from tests.sandbox.interference import Action, Interference, Refuse, SideEffect
from tests.sandbox.places import places

from callcoach import backfill
from callcoach.documents import Kind
from callcoach.traces import Listed
from callcoach.work import MOST_ATTEMPTS

KINDS: tuple[Kind, ...] = ("submissions", "failures")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_messages_of_other_tests(stack: Stack) -> None:
    for queue in ("RecordingsQueue", "CallbacksQueue"):
        stack.cloud.empty(queue)


def drop_unseen(stack: Stack, key: str, body: bytes = b"sound") -> None:
    """Drop a recording whose event is lost."""
    stack.drop(key, body)
    stack.cloud.empty("RecordingsQueue")


def submit(stack: Stack, *arguments: str) -> Ran:
    return run(stack.cloud, "submit", "--yes", "--json", *arguments)


def test_what_nobody_heard_of_is_submitted_and_scored(stack: Stack) -> None:
    key = "dana reyes/é&1.ogg"
    drop_unseen(stack, key, SOUND.read_bytes())

    ran = submit(stack, key)
    stack.deliver("RecordingsQueue")

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.document["submitted"] == [key]
    transcript_id = stack.document("submissions", key)["transcript_id"]
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)
    assert stack.callback("completed", transcript_id) == DONE
    assert stack.document("scorecards", key)["status"] == "complete"
    again = submit(stack, key)
    assert again.document == {"stack": "callcoach", "would_submit": [], "submitted": [], "skipped": {key: "scored"}}
    assert again.exit_code == 0
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_repeated_before_anything_happened_it_is_one_job(stack: Stack) -> None:
    key = "repeated.ogg"
    drop_unseen(stack, key)
    submit(stack, key)
    submit(stack, key)
    assert stack.cloud.queue_depth("RecordingsQueue") == 2

    for _ in range(2):
        assert stack.deliver("RecordingsQueue") == DONE

    assert len(stack.submissions(key)) == 1
    assert submit(stack, key).document["skipped"] == {key: "submitted"}


@pytest.mark.parametrize("ours_first", [True, False])
def test_an_event_that_only_was_late_makes_no_second_job(stack: Stack, ours_first: bool) -> None:  # noqa: FBT001 - both
    key = f"late-{ours_first}.ogg"
    stack.drop(key, b"sound")
    (late,) = stack.cloud.messages("RecordingsQueue")
    stack.cloud.empty("RecordingsQueue")
    submit(stack, key)
    (ours,) = stack.cloud.messages("RecordingsQueue")
    stack.cloud.empty("RecordingsQueue")

    for message in (ours, late) if ours_first else (late, ours):
        put(stack, message.body)
        assert stack.deliver("RecordingsQueue") == DONE

    assert len(stack.submissions(key)) == 1


def put(stack: Stack, body: str) -> None:
    stack.cloud.client("sqs").send_message(QueueUrl=stack.queue_url("RecordingsQueue"), MessageBody=body)


def test_a_later_drop_has_the_last_word(stack: Stack) -> None:
    """Whatever order the messages come in, what counts is what lies there."""
    key = "replaced.ogg"
    drop_unseen(stack, key, b"first")
    submit(stack, key)
    stack.drop(key, b"second, and longer")

    for _ in range(2):
        assert stack.deliver("RecordingsQueue") == DONE

    assert len(stack.submissions(key)) == 1
    assert stack.document("submissions", key)["size_bytes"] == len(b"second, and longer")


def test_a_replaced_recording_whose_event_is_lost_is_not_taken_for_the_earlier_one(stack: Stack) -> None:
    """Its failure is told although the first one was scored, and it replaces nothing that came later."""
    key = "lost.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    assert stack.callback("completed", transcript_id) == DONE
    first = stack.document("submissions", key)
    stack.cloud.wait_until(lambda: written_before_now(stack, key))
    drop_unseen(stack, key, OTHER_SOUND.read_bytes())

    assert submit(stack, key).document["submitted"] == [key]

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(503, "down") if effect.what == "assemblyai POST /v2/transcript" else None

    with Interference(stack.cloud, stack.stand_in, decide):
        for _ in range(48):
            stack.deliver("RecordingsQueue")
            stack.cloud.pass_time(1000)

    failure = stack.document("failures", key)
    assert failure["reason"] == "assemblyai_unavailable"
    assert failure["sequencer"] > first["sequencer"]
    assert stack.mails_about(key)


def written_before_now(stack: Stack, key: str) -> bool:
    """Whether S3, which says it in whole seconds, will call the next drop a later one."""
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["RecordingsBucketName"]
    stack.drop("clock", b"")
    stack.cloud.empty("RecordingsQueue")
    now = s3.head_object(Bucket=bucket, Key="clock")["LastModified"]
    scored = s3.head_object(Bucket=stack.cloud.outputs["ScorecardsBucketName"], Key=f"scorecards/{key}.json")
    return bool(now > scored["LastModified"])


def test_a_prefix_takes_what_is_a_recording_and_was_not_submitted(stack: Stack) -> None:
    for key in ("many/a.ogg", "many/b.wav", "many/notes.txt", "many/empty.ogg", "many/folder/", "other/c.ogg"):
        drop_unseen(stack, key, b"" if "empty" in key or key.endswith("/") else b"sound")
    stack.submit("many/known.ogg")
    stack.cloud.empty("RecordingsQueue")

    would = run(stack.cloud, "submit", "--prefix", "many/", "--dry-run", "--json")
    assert stack.cloud.queue_depth("RecordingsQueue") == 0
    ran = submit(stack, "--prefix", "many/")

    assert would.document["would_submit"] == ran.document["submitted"] == ["many/a.ogg", "many/b.wav"]
    assert ran.document["skipped"] == {
        "many/notes.txt": "not_a_recording",
        "many/empty.ogg": "empty_recording",
        "many/known.ogg": "submitted",
    }
    assert stack.cloud.queue_depth("RecordingsQueue") == 2


def test_hundreds_go_at_once(stack: Stack) -> None:
    for number in range(25):
        stack.drop(f"hundreds/{number}.ogg", b"sound")
    stack.cloud.empty("RecordingsQueue")

    ran = run(stack.cloud, "submit", "--yes", "--prefix", "hundreds/", "--since", "1h")

    assert "25 recordings on the way" in ran.out
    assert stack.cloud.queue_depth("RecordingsQueue") == 25
    assert submit(stack, "--prefix", "hundreds/", "--since", "2100-01-01").document["submitted"] == []


def test_it_asks_first_and_says_what_it_may_cost(stack: Stack) -> None:
    drop_unseen(stack, "asked/a.wav", b"s" * 3_200_000)
    stack.drop("asked/b.wav", b"s")

    refused = run(stack.cloud, "submit", "--prefix", "asked/a", answer="n\n")

    assert refused.exit_code == 1
    assert "1 recording, 3.2 MB: about 0.0 hours of sound" in refused.err
    assert "USD" in refused.err
    assert "Messages wait in RecordingsQueue" in refused.err
    assert stack.cloud.queue_depth("RecordingsQueue") == 1
    assert run(stack.cloud, "submit", "--prefix", "asked/a", answer="y\n").exit_code == 0
    assert stack.cloud.queue_depth("RecordingsQueue") == 2


def test_wrong_usage_and_unknown_names_are_told(stack: Stack) -> None:
    assert submit(stack).exit_code == 2
    assert submit(stack, "a.ogg", "--prefix", "a").exit_code == 2
    unknown = submit(stack, "never.ogg")
    assert unknown.exit_code == 1
    assert "nothing is known of never.ogg" in unknown.err


def test_what_is_forgotten_afterwards_leaves_nothing_in_the_table(stack: Stack) -> None:
    key = "forgotten.ogg"
    before = in_table(stack)
    drop_unseen(stack, key)
    submit(stack, key)
    stack.deliver("RecordingsQueue")
    assert in_table(stack) > before

    assert run(stack.cloud, "forget", "--yes", key).exit_code == 0

    assert {name for name in in_table(stack) - before if not name.startswith("forgotten#")} == set()


@pytest.fixture
def while_it_waits(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the functions work whenever --quiet waits; return a list that has a word for each time."""
    waited: list[str] = []

    def sleep(_: float) -> None:
        waited.append("waited")
        while stack.deliver("RecordingsQueue"):
            pass
        stack.cloud.wait_until(lambda: all(job.completed for job in stack.stand_in.jobs.values()))
        stack.cloud.wait_until(lambda: all(item.outcome != "pending" for item in stack.stand_in.deliveries))
        while stack.deliver("CallbacksQueue"):
            pass

    monkeypatch.setattr("callcoach.commands_work.time", SimpleNamespace(sleep=sleep))
    return waited


def test_quietly_one_mail_tells_of_all(stack: Stack, while_it_waits: list[str]) -> None:
    """Of what fails before and after it was submitted, too; operators are told as ever."""
    drop_unseen(stack, "quiet/a.ogg", SOUND.read_bytes())
    drop_unseen(stack, "quiet/b.ogg", b"a sound that nobody knows")
    drop_unseen(stack, "quiet/notes.txt", b"not a call")
    mails = len(stack.cloud.publications())

    ran = submit(stack, "--quiet", "quiet/a.ogg", "quiet/b.ogg", "quiet/notes.txt")

    assert ran.exit_code == 0
    assert ran.document["submitted"] == ["quiet/a.ogg", "quiet/b.ogg", "quiet/notes.txt"]
    summary = ran.document["summary"]
    assert summary["scored"] == {"complete": 1}
    assert sorted(key for keys in summary["failed"].values() for key in keys) == ["quiet/b.ogg", "quiet/notes.txt"]
    (mail,) = stack.cloud.publications()[mails:]
    assert (mail.topic, mail.subject) == ("ScorecardsTopic", "Call reviews: 1 scored, 2 not")
    assert mail.attributes == {"outcome": "summary"}
    assert "quiet/notes.txt" in mail.message
    assert while_it_waits == ["waited"]
    assert all(stack.document(kind, "quiet/b.ogg")["quiet"] for kind in KINDS)


def test_interrupted_it_finds_its_calls_again(
    stack: Stack, while_it_waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_unseen(stack, "repeated/a.ogg", SOUND.read_bytes())
    drop_unseen(stack, "repeated/loud.ogg", OTHER_SOUND.read_bytes())
    submit(stack, "repeated/loud.ogg")
    stack.deliver("RecordingsQueue")
    mails = len(stack.cloud.publications())

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("callcoach.commands_work.time", SimpleNamespace(sleep=interrupt))
        interrupted = submit(stack, "--quiet", "--prefix", "repeated/")
    stack.deliver("RecordingsQueue")
    repeated = submit(stack, "--quiet", "--prefix", "repeated/")

    assert interrupted.exit_code == 1
    assert repeated.document["submitted"] == []
    assert repeated.document["skipped"] == {"repeated/a.ogg": "submitted", "repeated/loud.ogg": "submitted"}
    assert while_it_waits == ["waited"]
    assert repeated.document["summary"]["scored"] == {"complete": 1}
    assert [mail.attributes["outcome"] for mail in stack.cloud.publications()[mails:]] == ["complete", "summary"]
    assert len(stack.submissions("repeated/a.ogg")) == 1


def test_dropped_as_any_other_it_is_told_of(stack: Stack) -> None:
    """While it was on its way; and no second job is made."""
    key = "told.ogg"
    drop_unseen(stack, key, SOUND.read_bytes())
    put(stack, object_created(stack, key, quiet=True))
    stack.deliver("RecordingsQueue")
    assert stack.document("submissions", key)["quiet"]
    stack.drop(key, SOUND.read_bytes())
    stack.deliver("RecordingsQueue")
    transcript_id = stack.document("submissions", key)["transcript_id"]
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)

    assert stack.callback("completed", transcript_id) == DONE

    assert not stack.document("submissions", key)["quiet"]
    assert len(stack.submissions(key)) == 1
    assert len(stack.mails_about(key)) == 1
    assert run(stack.cloud, "status", key, "--json").document["call"]["state"] == "scored"


@pytest.mark.parametrize("what", ["assemblyai POST /v2/transcript", "assemblyai POST /v1/understanding"])
def test_quietly_given_up_it_is_on_record_and_its_redrive_is_quiet_too(stack: Stack, what: str) -> None:
    key = f"given up {what[-4:]}.ogg"
    drop_unseen(stack, key, SOUND.read_bytes())
    put(stack, object_created(stack, key, quiet=True))
    mails = len(stack.cloud.publications())

    def decide(effect: SideEffect) -> Action | None:
        return Refuse(503, "down") if effect.what == what else None

    with Interference(stack.cloud, stack.stand_in, decide):
        while stack.document("failures", key) is None:
            stack.deliver("RecordingsQueue")
            stack.cloud.wait_until(lambda: all(job.completed for job in stack.stand_in.jobs.values()))
            stack.deliver("CallbacksQueue")
            have_nearly_given_up(stack)
            stack.cloud.pass_time(1000)

    assert stack.document("failures", key)["quiet"]
    assert run(stack.cloud, "redrive", "--yes", key).exit_code == 0
    while stack.document("scorecards", key) is None:
        stack.deliver("RecordingsQueue")
        stack.cloud.wait_until(lambda: all(job.completed for job in stack.stand_in.jobs.values()))
        stack.deliver("CallbacksQueue")
        stack.cloud.pass_time(1000)
    assert stack.document("failures", key) is None
    assert len(stack.cloud.publications()) == mails


def have_nearly_given_up(stack: Stack) -> None:
    """Let all work that has failed once have one attempt left."""
    dynamodb, table = stack.cloud.client("dynamodb"), stack.cloud.resources["StateTable"]
    for item in dynamodb.scan(TableName=table)["Items"]:
        if "attempts" in item:
            dynamodb.update_item(
                TableName=table,
                Key={"id": item["id"]},
                UpdateExpression="SET attempts = :attempts",
                ExpressionAttributeValues={":attempts": {"N": str(MOST_ATTEMPTS - 1)}},
            )


def object_created(stack: Stack, key: str, *, quiet: bool) -> str:
    """Return the message that submit sends."""
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["RecordingsBucketName"]
    head = s3.head_object(Bucket=bucket, Key=key)
    listed = Listed(head["LastModified"], head["ETag"].strip('"'), head["ContentLength"])
    return backfill.object_created(bucket, key, listed, "", quiet=quiet)


def test_quietly_it_may_tell_people_too(stack: Stack, while_it_waits: list[str]) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
        "sns:Publish",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
    }
    credentials, used = role_with(stack.cloud, "submits-quietly", needed)
    drop_unseen(stack, "rights/quiet.ogg", SOUND.read_bytes())

    ran = run(stack.cloud, "submit", "--yes", "--quiet", "rights/quiet.ogg", credentials=credentials)

    assert ran.exit_code == 0, ran.err
    assert while_it_waits
    assert used() == needed


def in_table(stack: Stack) -> set[str]:
    return {place.name for place in places(stack.cloud) if place.kind == "table"}


def test_it_needs_these_rights(stack: Stack) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
    }
    credentials, used = role_with(stack.cloud, "submits", needed)
    drop_unseen(stack, "rights/a.ogg")
    stack.submit("rights/failed.txt")
    drop_unseen(stack, "rights/known.ogg", b"one")
    submit(stack, "rights/known.ogg")
    stack.deliver("RecordingsQueue")
    stack.deliver("RecordingsQueue")
    stack.cloud.wait_until(lambda: later_than_submitted(stack, "rights/known.ogg"))

    ran = run(stack.cloud, "submit", "--yes", "--prefix", "rights/", credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert used() == needed


def later_than_submitted(stack: Stack, key: str) -> bool:
    """Drop something else under a name, and return whether S3 calls it later than what is written about it."""
    drop_unseen(stack, key, b"two")
    s3, outputs = stack.cloud.client("s3"), stack.cloud.outputs
    dropped = s3.head_object(Bucket=outputs["RecordingsBucketName"], Key=key)["LastModified"]
    submitted = s3.head_object(Bucket=outputs["ScorecardsBucketName"], Key=f"submissions/{key}.json")["LastModified"]
    return bool(dropped > submitted)
