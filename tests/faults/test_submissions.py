"""One job for one content: events at once, late events, drops again."""

import json
from collections.abc import Iterator

import pytest
from tests.faults.stage import JOURNEYS, TRANSCRIPT, Stage, stage
from tests.sandbox.interference import Action, Interference, Late, SideEffect

SCORED = JOURNEYS["scored"]


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage() as running:
        yield running


def jobs_of(set_up: Stage, key: str) -> int:
    return len(set_up.stack.submissions(key))


def pass_time(set_up: Stage, steps: int = 3) -> None:
    for _ in range(steps):
        set_up.settle()
        set_up.stack.cloud.pass_time(900)
    set_up.settle()


def test_two_events_about_one_recording_at_once_make_one_job(set_up: Stage) -> None:
    """S3 may tell of the same content twice, with other sequencers, while AssemblyAI takes its time to answer."""
    stack, key, sound = set_up.stack, "at-once.ogg", SCORED.sound + b"at once"
    stack.stand_in.teach(sound, TRANSCRIPT)

    def decide(effect: SideEffect) -> Action | None:
        return Late(1.0) if effect.what == "assemblyai POST /v2/transcript" else None

    with Interference(stack.cloud, stack.stand_in, decide):
        stack.drop(key, sound)
        stack.drop(key, sound)
        pass_time(set_up)

    assert jobs_of(set_up, key) == 1
    assert stack.document("scorecards", key)["status"] == "complete"
    assert len([mail for mail in stack.cloud.mails() if "at-once" in (mail.subject or "")]) == 1


def test_older_event_that_comes_late_is_left_to_the_newer_one(set_up: Stage) -> None:
    stack, key = set_up.stack, "late-event.ogg"
    for sound in (first := SCORED.sound + b"first", second := SCORED.sound + b"second"):
        stack.stand_in.teach(sound, TRANSCRIPT)
    stack.drop(key, first)
    set_up.document("scorecards", key)
    (older,) = stack.submissions(key)
    stack.drop(key, second)
    stack.cloud.wait_until(lambda: jobs_of(set_up, key) == 2)
    pass_time(set_up)
    card = stack.document("scorecards", key)
    assert older["audio_url"] is not None

    etag = stack.document("submissions", key)["etag"]
    event = stack.recording_event(key, etag="0" * 32, size=len(first), sequencer="00")
    assert stack.cloud.invoke("SubmitFunction", event) == {"batchItemFailures": []}

    assert jobs_of(set_up, key) == 2
    assert stack.document("submissions", key)["etag"] == etag
    assert stack.document("scorecards", key) == card


def test_call_that_only_was_not_scored_is_scored_when_it_is_dropped_again(set_up: Stage) -> None:
    """Its transcript is there and paid for."""
    stack, key, sound = set_up.stack, "not-scored.ogg", SCORED.sound + b"not scored"
    stack.stand_in.teach(sound, TRANSCRIPT)
    stack.stand_in.hosts.update(dict.fromkeys(known := dict(stack.stand_in.hosts), stack.cloud.endpoint_url))
    stack.drop(key, sound)
    record = stack.wait_for("submissions", key)
    set_up.settle()
    stack.cloud.empty("CallbacksQueue")
    stack.stand_in.hosts.update(known)
    failure = {
        "recording": key,
        "stage": "score",
        "reason": "aws_unavailable",
        "detail": "GetObject: SlowDown",
        "next_step": "Redrive it.",
        "retryable": True,
        "transcript_id": record["transcript_id"],
        "etag": record["etag"],
        "sequencer": record["sequencer"],
    }
    bucket = stack.cloud.outputs["ScorecardsBucketName"]
    stack.cloud.client("s3").put_object(Bucket=bucket, Key=f"failures/{key}.json", Body=json.dumps(failure).encode())

    stack.drop(key, sound)

    card = set_up.document("scorecards", key)
    assert card["call"]["transcript_id"] == record["transcript_id"]
    assert jobs_of(set_up, key) == 1
    stack.cloud.wait_until(lambda: stack.document("failures", key) is None)
