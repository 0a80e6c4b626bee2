"""ScorecardFunction on callbacks of every kind: once, twice, early, late and foreign."""

import json
from collections.abc import Iterator

import pytest
import requests
from tests.integration.stack import DONE, KEY, OTHER_SOUND, SOUND, Stack, running_stack
from tests.sandbox.lambdas import InvocationError

from scorecard.pipeline import LOOKS_FOR_RECORD


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so, and a stand-in that is quick."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        yield running


def test_a_callback_twice_is_one_scorecard_and_one_mail(stack: Stack) -> None:
    key = "twice.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    paid = stack.stand_in.paid_calls["chat"]

    assert stack.callback("completed", transcript_id) == DONE
    assert stack.callback("completed", transcript_id) == DONE
    assert stack.callback("overdue", transcript_id) == DONE

    assert stack.document("scorecards", key)["status"] == "complete"
    assert len(stack.mails_about(key)) == 1
    assert stack.stand_in.paid_calls["chat"] == paid + 1


def test_a_run_that_died_before_its_mail_sends_it_without_a_second_bill(stack: Stack) -> None:
    key = "died.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    with stack.cloud.fault("sns", "Publish"), pytest.raises(InvocationError):
        stack.callback("completed", transcript_id)
    assert stack.document("scorecards", key)
    paid = dict(stack.stand_in.paid_calls)

    assert stack.callback("completed", transcript_id, receive_count=2) == DONE

    assert len(stack.mails_about(key)) == 1
    assert stack.stand_in.paid_calls == paid


def test_a_failed_transcript_ends_in_a_failure_and_a_mail(stack: Stack) -> None:
    key = "unknown-sound.ogg"
    transcript_id = stack.transcribed(key, b"a sound that nobody knows")

    assert stack.callback("error", transcript_id) == DONE

    failure = stack.document("failures", key)
    assert failure["reason"] == "transcription_failed"
    assert failure["stage"] == "transcribe"
    assert failure["transcript_id"] == transcript_id
    assert "X-Amz" not in failure["detail"]
    (mail,) = stack.mails_about(f"Recording: {key}")
    assert mail.attributes["outcome"] == "failed"
    assert stack.document("scorecards", key) is None


def test_a_failed_recording_is_tried_again_when_it_is_dropped_again(stack: Stack) -> None:
    key = "second-try.ogg"
    transcript_id = stack.transcribed(key, b"a sound that nobody knows either")
    stack.callback("error", transcript_id)

    stack.submit(key, b"a sound that nobody knows either", sequencer="0F")

    assert stack.document("submissions", key)["transcript_id"] != transcript_id


FORGED = "11111111-2222-3333-4444-555555555555"


def test_a_forged_id_is_asked_nothing_and_ignored(stack: Stack) -> None:
    """Nothing is read or paid for at AssemblyAI before our own record names the transcript."""
    key = "forged.ogg"
    stack.transcribed(key, SOUND.read_bytes())
    mails, asked = len(stack.cloud.mails()), len(stack.stand_in.exchanges)

    assert stack.callback("completed", FORGED, key=key, receive_count=2) == DONE

    assert len(stack.cloud.mails()) == mails
    assert len(stack.stand_in.exchanges) == asked


def test_a_transcript_of_another_application_is_waited_for_and_then_ignored(stack: Stack) -> None:
    answer = requests.post(
        f"{stack.stand_in.url}/v2/transcript",
        json={"audio_url": "http://127.0.0.1:9/call.mp3"},
        headers={"Authorization": KEY},
        timeout=10,
    )
    mails = len(stack.cloud.mails())
    stack.cloud.empty("CallbacksQueue")
    stack.send_callback("error", answer.json()["id"], key="nobody-dropped-this.ogg")

    looks = 0
    while stack.deliver("CallbacksQueue") is not None:
        looks += 1
        stack.cloud.pass_time(900)

    assert looks == LOOKS_FOR_RECORD
    assert "ForeignCallbacks" in stack.cloud.logs("ScorecardFunction")
    assert len(stack.cloud.mails()) == mails


def test_a_callback_before_the_record_comes_back(stack: Stack) -> None:
    """The message is hidden and nothing is remembered, so the next delivery scores the call."""
    key = "overtaken.ogg"
    transcript_id = stack.transcribed(key, SOUND.read_bytes())
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["ScorecardsBucketName"]
    record = stack.body("submissions", key) or b""
    s3.delete_object(Bucket=bucket, Key=f"submissions/{key}.json")
    stack.cloud.empty("CallbacksQueue")
    stack.send_callback("completed", transcript_id, key)

    assert stack.deliver("CallbacksQueue") != DONE
    assert stack.deliver("CallbacksQueue") is None
    s3.put_object(Bucket=bucket, Key=f"submissions/{key}.json", Body=record)
    stack.cloud.pass_time(15)

    assert stack.deliver("CallbacksQueue") == DONE
    assert stack.document("scorecards", key)["status"] == "complete"


def test_a_callback_that_finds_an_older_record_waits_for_its_own(stack: Stack) -> None:
    """The job of a changed recording may end before it is on record."""
    key = "overtaken-again.ogg"
    stack.transcribed(key, OTHER_SOUND.read_bytes())
    older = stack.body("submissions", key) or b""
    stack.submit(key, SOUND.read_bytes(), sequencer="0F")
    newer = stack.body("submissions", key) or b""
    transcript_id = json.loads(newer)["transcript_id"]
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[transcript_id].completed)
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["ScorecardsBucketName"]
    s3.put_object(Bucket=bucket, Key=f"submissions/{key}.json", Body=older)
    stack.cloud.empty("CallbacksQueue")
    stack.send_callback("completed", transcript_id, key)

    assert stack.deliver("CallbacksQueue") != DONE
    s3.put_object(Bucket=bucket, Key=f"submissions/{key}.json", Body=newer)
    stack.cloud.pass_time(15)

    assert stack.deliver("CallbacksQueue") == DONE
    assert stack.document("scorecards", key)["call"]["transcript_id"] == transcript_id


def test_the_late_callback_of_an_older_recording_overwrites_nothing(stack: Stack) -> None:
    key = "changed.ogg"
    older = stack.transcribed(key, OTHER_SOUND.read_bytes())
    stack.submit(key, SOUND.read_bytes(), sequencer="0F")
    newer = str(stack.document("submissions", key)["transcript_id"])
    stack.cloud.wait_until(lambda: stack.stand_in.jobs[newer].completed)
    stack.callback("completed", newer)

    assert stack.callback("completed", older, receive_count=2) == DONE

    assert stack.document("scorecards", key)["call"]["transcript_id"] == newer
    assert len(stack.mails_about(key)) == 1
