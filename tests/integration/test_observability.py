"""What operators can see of the work on calls: every line says which call it is about, and metrics are of the stack."""

import json
from collections.abc import Iterator

import pytest
from tests.integration.log_lines import log_lines, metric_units, metric_values
from tests.integration.stack import DONE, KEY, SOUND, Stack, running_stack
from tests.sandbox.assemblyai.transcripts import Account

from callcoach.names import recording_hash

SCORED, REFUSED, FAILED, AWAY = "scored.ogg", "notes.txt", "failed.ogg", "away.ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Calls that end in every way, and messages that are about none, all through the same two processes."""
    with running_stack(invoke=False, delay_seconds=0.05) as running:
        running.stand_in.fail(b"noise", "Audio duration is too short.")
        # A line about a call is followed by one about a message that names none.
        assert running.submit(REFUSED) == DONE
        running.cloud.invoke("SubmitFunction", malformed(running))
        good = running.transcribed(SCORED, SOUND.read_bytes())
        assert running.callback("completed", good) == DONE
        failed = running.transcribed(FAILED, b"noise")
        assert running.callback("error", failed) == DONE
        running.callback("completed", "not-ours", key="not-ours.ogg", receive_count=8)
        running.cloud.client("sqs").purge_queue(QueueUrl=running.queue_url("RecordingsQueue"))
        running.stand_in.account = Account(KEY, balance_is_negative=True)
        running.drop(AWAY, b"later")
        running.cloud.wait_until(lambda: running.deliver("RecordingsQueue"))
        yield running


def malformed(running: Stack) -> object:
    event = running.recording_event("a.ogg", etag="1", size=1)
    event["Records"][0]["body"] = "{}"
    return event


def test_every_line_says_which_recording_and_which_stage_it_is_about(stack: Stack) -> None:
    """But those about a message that names no recording, in which nothing is left of the line before."""
    lines = log_lines(stack.cloud)
    hashes = {recording_hash(key) for key in (SCORED, REFUSED, FAILED, AWAY, "not-ours.ogg")}

    assert {line["message"] for line in lines} >= {"submitted", "scored", "failed", "malformed message", "paused"}
    for line in lines:
        about = {name: line.get(name) for name in ("recording_hash", "stage", "transcript_id")}
        if line["message"] == "malformed message":
            assert set(about.values()) == {None}
            continue
        assert about["recording_hash"] in hashes, line
        assert about["stage"] in ("submit", "transcribe", "score"), line
        assert about["transcript_id"] or about["stage"] == "submit", line


def test_the_lines_about_a_call_are_found_by_its_hash_from_the_drop_to_the_scorecard(stack: Stack) -> None:
    lines = [line for line in log_lines(stack.cloud) if line.get("recording_hash") == recording_hash(SCORED)]
    transcript_id = stack.document("submissions", SCORED)["transcript_id"]

    assert [line["message"] for line in lines] == ["submitted", "scored"]
    assert [line["stage"] for line in lines] == ["submit", "score"]
    assert {line["transcript_id"] for line in lines} == {transcript_id}


def test_the_line_of_a_scored_call_says_what_it_took(stack: Stack) -> None:
    (line,) = [line for line in log_lines(stack.cloud) if line["message"] == "scored"]
    run = stack.document("scorecards", SCORED)["run"]

    assert line["status"] == "complete"
    assert line["is_rescore"] is False
    assert line["audio_seconds"] == stack.document("scorecards", SCORED)["call"]["duration_seconds"]
    assert (line["input_tokens"], line["output_tokens"]) == (run["input_tokens"], run["output_tokens"])
    assert line["transcription_usd"] == run["cost_usd"]["transcription"] > 0
    assert line["coaching_usd"] == run["cost_usd"]["coaching"] > 0
    assert 0 <= line["end_to_end_seconds"] < 60


def test_failures_are_told_with_their_stage_and_reason(stack: Stack) -> None:
    failed = {line["recording_hash"]: line for line in log_lines(stack.cloud) if line["message"] == "failed"}

    for key, stage in ((REFUSED, "submit"), (FAILED, "transcribe")):
        line, record = failed[recording_hash(key)], stack.document("failures", key)
        assert (line["stage"], line["reason"]) == (stage, record["reason"]) == (record["stage"], record["reason"])


def test_metrics_say_how_calls_end_how_long_they_take_and_what_they_cost(stack: Stack) -> None:
    """In a namespace of the stack's own."""
    values, card = metric_values(stack.cloud), stack.document("scorecards", SCORED)
    assert {namespace for namespace, *_ in values} == {
        f"callcoach/{stack.cloud.environment('SubmitFunction')['POWERTOOLS_METRICS_NAMESPACE'].partition('/')[2]}"
    }
    found = {(name, service): seen for (_, name, service), seen in values.items()}

    assert found["CallsComplete", "scorecard"] == [1]
    assert found["CallsFailed", "submit"] == [1]
    assert found["CallsFailed", "scorecard"] == [1]
    assert found["AccountRefusals", "submit"] == [1]
    assert found["AudioSeconds", "scorecard"] == [card["call"]["duration_seconds"]]
    assert found["InputTokens", "scorecard"] == [card["run"]["input_tokens"]]
    assert found["OutputTokens", "scorecard"] == [card["run"]["output_tokens"]]
    assert found["TranscriptionUsd", "scorecard"] == [card["run"]["cost_usd"]["transcription"]]
    assert sum(found["CoachingUsd", "scorecard"]) == pytest.approx(card["run"]["cost_usd"]["coaching"], abs=0.0001)
    (waited_seconds,) = found["EndToEndSeconds", "scorecard"]
    assert 0 <= waited_seconds < 60
    # One request each but for the two that were refused.
    assert len(found["SubmitSeconds", "submit"]) == 3
    assert len(found["UnderstandingSeconds", "scorecard"]) == 1
    assert len(found["ChatSeconds", "scorecard"]) == 1
    assert len(found["TranscriptSeconds", "scorecard"]) == 2
    assert found["SubmitErrors", "submit"] == [1]
    assert "ChatErrors" not in {name for name, _ in found}


def test_units_are_those_of_the_names(stack: Stack) -> None:
    units = metric_units(stack.cloud)

    assert {name: unit for name, unit in units.items() if (unit == "Seconds") != name.endswith("Seconds")} == {}
    assert set(units.values()) == {"Count", "Seconds"}


def test_no_line_holds_a_recording_s_name(stack: Stack) -> None:
    text = json.dumps(log_lines(stack.cloud))

    assert not [key for key in (SCORED, REFUSED, FAILED, AWAY) if key in text]
