"""Callbacks that are lost, early, late, doubled or somebody else's, and the watchdog that makes up for them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from tests.faults.stage import JOURNEYS, TRANSCRIPT, Stage, stage
from tests.sandbox.interference import Action, Late, SideEffect

from callcoach.documents import decode_key, encode_key

SCORED = JOURNEYS["scored"]
WEEK_SECONDS = 7 * 24 * 3600.0


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage() as running:
        yield running


def call_back(set_up: Stage, transcript_id: str, key: str, status: str = "completed") -> int:
    """Call the webhook as AssemblyAI does, and return what it answers."""
    cloud = set_up.stack.cloud
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=cloud.environment("SubmitFunction")["WEBHOOK_SECRET_ARN"]
    )["SecretString"]
    answer = requests.post(
        f"{cloud.gateway_url}/live/callbacks/assemblyai",
        params={"recording": encode_key(key)},
        json={"transcript_id": transcript_id, "status": status},
        headers={"x-api-key": secret},
        timeout=10,
    )
    return answer.status_code


def last_job(set_up: Stage) -> tuple[str, str]:
    """Return the id and the recording of the last job."""
    transcript_id, job = list(set_up.stack.stand_in.jobs.items())[-1]
    key = decode_key(str(job.fields["webhook_url"]).partition("recording=")[2])
    assert key
    return transcript_id, key


def test_ten_callbacks_at_once_after_the_call_is_scored(set_up: Stage) -> None:
    assert set_up.run(SCORED).outcome == "complete"
    transcript_id, key = last_job(set_up)
    paid, mails = dict(set_up.stack.stand_in.paid_calls), len(set_up.stack.cloud.mails())

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: call_back(set_up, transcript_id, key), range(10)))
    for _ in range(5):
        set_up.settle()
        set_up.stack.cloud.pass_time(900)

    assert statuses == [200] * 10
    assert set_up.stack.stand_in.paid_calls == paid
    assert len(set_up.stack.cloud.mails()) == mails
    assert set_up.stack.cloud.queue_depth("CallbacksQueue") == 0


def test_ten_callbacks_at_once_before_the_call_is_scored(set_up: Stage) -> None:
    """They overtake the scorecard, meet each other, and wait for the one that works."""

    def decide(effect: SideEffect) -> Action | None:
        if effect.what == "assemblyai GET /v2/transcript/{id}" and effect.number == 1:
            transcript_id, key = last_job(set_up)
            for _ in range(10):
                set_up.stack.send_callback("completed", transcript_id, key)
            return Late(0.5)
        return None

    report = set_up.run(SCORED, decide)

    assert (report.outcome, report.paid, len(report.mails)) == ("complete", SCORED.paid, 1)
    assert report.left_in_queues == 0
    assert report.dead_letters == []


@pytest.mark.parametrize("status", ["completed", "error", "overdue"])
def test_callback_a_week_late_changes_nothing(set_up: Stage, status: str) -> None:
    report = set_up.run(SCORED)
    assert report.outcome == "complete"
    transcript_id, key = last_job(set_up)
    before = set_up.stack.body("scorecards", key)
    set_up.stack.cloud.pass_time(WEEK_SECONDS)
    paid, mails = dict(set_up.stack.stand_in.paid_calls), len(set_up.stack.cloud.mails())

    set_up.stack.send_callback(status, transcript_id, key)
    set_up.settle()

    assert set_up.stack.body("scorecards", key) == before
    assert set_up.stack.stand_in.paid_calls == paid
    assert len(set_up.stack.cloud.mails()) == mails
    assert set_up.stack.cloud.queue_depth("CallbacksQueue") == 0


def test_overdue_message_before_the_callback_scores_the_call(set_up: Stage) -> None:
    """And the callback then finds it done."""
    report = set_up.run(JOURNEYS["overdue"])
    assert (report.outcome, report.paid, len(report.mails)) == ("complete", SCORED.paid, 1)
    transcript_id, key = last_job(set_up)
    paid, mails = dict(set_up.stack.stand_in.paid_calls), len(set_up.stack.cloud.mails())

    assert call_back(set_up, transcript_id, key) == 200
    set_up.settle()

    assert set_up.stack.stand_in.paid_calls == paid
    assert len(set_up.stack.cloud.mails()) == mails
    assert set_up.stack.cloud.queue_depth("CallbacksQueue") == 0


def test_overdue_message_during_the_callback_waits_for_it(set_up: Stage) -> None:
    def decide(effect: SideEffect) -> Action | None:
        if effect.what == "assemblyai POST /v1/chat/completions":
            set_up.stack.cloud.make_visible("CallbacksQueue")
            return Late(0.5)
        return None

    report = set_up.run(SCORED, decide)

    assert (report.outcome, report.paid, len(report.mails)) == ("complete", SCORED.paid, 1)
    assert report.left_in_queues == 0


def test_transcript_that_never_ends_is_given_up_and_a_late_end_still_makes_a_scorecard(set_up: Stage) -> None:
    """The deadline passes; people are told; later AssemblyAI is done after all."""
    stack = set_up.stack
    key, sound = "endless.ogg", SCORED.sound + b"endless"
    stack.stand_in.teach(sound, TRANSCRIPT)
    stack.stand_in.never_finish(sound)
    mails = len(stack.cloud.mails())
    stack.drop(key, sound)
    record = stack.wait_for("submissions", key)
    set_up.endless.add(record["transcript_id"])
    # A day goes by in the record, as it does on the clock.
    record["deadline_at"] = record["submitted_at"]
    bucket = stack.cloud.outputs["ScorecardsBucketName"]
    stack.cloud.client("s3").put_object(Bucket=bucket, Key=f"submissions/{key}.json", Body=json.dumps(record).encode())
    stack.cloud.wait_until(lambda: stack.cloud.queue_depth("CallbacksQueue") == 1)
    stack.cloud.pass_time(900)

    failure = stack.wait_for("failures", key)

    assert (failure["reason"], failure["stage"], failure["retryable"]) == ("never_finished", "transcribe", True)
    stack.cloud.wait_until(lambda: stack.cloud.queue_depth("CallbacksQueue") == 0)
    assert [mail.attributes["outcome"] for mail in stack.cloud.mails()[mails:]] == ["failed"]
    stack.stand_in.finish(record["transcript_id"])
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[record["transcript_id"]].completed)
    set_up.document("scorecards", key)
    stack.cloud.wait_until(lambda: len(stack.cloud.mails()) == mails + 2)
    stack.cloud.wait_until(lambda: stack.document("failures", key) is None)
    assert "This replaces the e-mail" in stack.cloud.mails()[-1].message


def test_changed_recording_is_scored_and_the_older_ones_late_callback_is_nothing(set_up: Stage) -> None:
    stack = set_up.stack
    key, older, newer = "changed.ogg", SCORED.sound + b"older", SCORED.sound + b"newer"
    for sound in (older, newer):
        stack.stand_in.teach(sound, TRANSCRIPT)
    stack.stand_in.never_finish(older)
    stack.drop(key, older)
    first = stack.wait_for("submissions", key)["transcript_id"]
    set_up.endless.add(first)
    stack.drop(key, newer)
    card = set_up.document("scorecards", key)
    stack.stand_in.finish(first)
    set_up.settle()
    for _ in range(4):
        stack.cloud.pass_time(900)
        set_up.settle()

    assert card["call"]["transcript_id"] != first
    assert stack.document("scorecards", key) == card
    assert stack.cloud.queue_depth("CallbacksQueue") == 0


def test_recording_that_could_not_be_fetched_is_submitted_again_with_a_new_link(set_up: Stage) -> None:
    """The link died while the job waited. A failed job is free, and nobody has to know."""
    stack = set_up.stack
    key, sound = "expired.ogg", SCORED.sound + b"expired"
    stack.stand_in.fail(sound, "Download error to https://b/k?X-Amz-Signature=5ecre7, 403 Client Error: Forbidden")
    stack.drop(key, sound)
    stack.cloud.wait_until(lambda: "submitting again" in stack.cloud.logs("ScorecardFunction"))
    set_up.settle()
    assert stack.document("failures", key) is None
    stack.stand_in.teach(sound, TRANSCRIPT)
    stack.cloud.pass_time(900)

    card = set_up.document("scorecards", key)

    record = stack.document("submissions", key)
    assert record["resubmissions"] == 1
    assert card["call"]["transcript_id"] == record["transcript_id"]
    subjects = [mail.subject or "" for mail in stack.cloud.mails()]
    assert not [subject for subject in subjects if subject.startswith("No call review: expired")]


def test_recording_that_nobody_may_fetch_is_reported_in_the_end(set_up: Stage) -> None:
    stack = set_up.stack
    key, sound = "forbidden.ogg", SCORED.sound + b"forbidden"
    stack.stand_in.fail(sound, "Download error to https://b/k, 403 Client Error: Forbidden for url: https://b/k")
    stack.drop(key, sound)
    for _ in range(12):
        set_up.settle()
        stack.cloud.pass_time(900)

    failure = stack.document("failures", key)

    assert failure is not None
    assert failure["reason"] == "download_failed"
    assert stack.document("submissions", key)["resubmissions"] == 5
    assert stack.cloud.queue_depth("RecordingsQueue") == 0
