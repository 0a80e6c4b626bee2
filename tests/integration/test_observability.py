"""What operators can see of the work on calls: every line says which call it is about, and metrics are of the stack."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.log_lines import log_lines, metric_units, metric_values, queried_fields
from tests.integration.stack import DONE, KEY, SOUND, Stack, running_stack
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.template import parse

from callcoach.names import recording_hash

TEMPLATE: dict[str, Any] = parse((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))
QUERIES = {name: item for name, item in TEMPLATE["Resources"].items() if item["Type"] == "AWS::Logs::QueryDefinition"}

SCORED, REFUSED, FAILED, FOREIGN, TOO_EARLY = "scored.ogg", "notes.txt", "failed.ogg", "not-ours.ogg", "early.ogg"
AWAY, REFUSED_ACCOUNT, PAUSED = "away.ogg", "refused.ogg", "paused.ogg"
RECORDINGS = (SCORED, REFUSED, FAILED, FOREIGN, TOO_EARLY, AWAY, REFUSED_ACCOUNT, PAUSED)


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
        running.callback("completed", "not-ours", key=FOREIGN, receive_count=8)
        sqs = running.cloud.client("sqs")
        for queue in ("RecordingsQueue", "CallbacksQueue"):
            sqs.purge_queue(QueueUrl=running.queue_url(queue))
        running.send_callback("completed", "too-early", TOO_EARLY)
        running.cloud.wait_until(lambda: running.deliver("CallbacksQueue"))
        with running.stand_in.away():
            deliver_drop(running, AWAY)
        running.stand_in.account = Account(KEY, balance_is_negative=True)
        deliver_drop(running, REFUSED_ACCOUNT)
        # This one finds everything paused.
        deliver_drop(running, PAUSED)
        yield running


def deliver_drop(running: Stack, key: str) -> None:
    """Drop a recording, and let the function receive its event."""
    running.drop(key, key.encode())
    running.cloud.wait_until(lambda: running.deliver("RecordingsQueue"))


def malformed(running: Stack) -> object:
    event = running.recording_event("a.ogg", etag="1", size=1)
    event["Records"][0]["body"] = "{}"
    return event


def test_every_line_says_which_recording_and_which_stage_it_is_about(stack: Stack) -> None:
    """But those about a message that names no recording, in which nothing is left of the line before."""
    lines = log_lines(stack.cloud)
    hashes = {recording_hash(key) for key in RECORDINGS}

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

    assert [line["message"] for line in lines] == ["submitted", "answered", "scored"]
    assert [line["stage"] for line in lines] == ["submit", "score", "score"]
    assert {line["transcript_id"] for line in lines} == {transcript_id}


def test_the_line_of_a_scored_call_says_what_it_took(stack: Stack) -> None:
    answered, line = (line for line in log_lines(stack.cloud) if line["message"] in ("answered", "scored"))
    run = stack.document("scorecards", SCORED)["run"]

    assert answered["coach_model"] == run["coach_model"]
    assert (answered["input_tokens"], answered["output_tokens"]) == (run["input_tokens"], run["output_tokens"])
    assert answered["coaching_usd"] == pytest.approx(run["cost_usd"]["coaching"], abs=0.0001)
    assert line["status"] == "complete"
    assert line["audio_seconds"] == stack.document("scorecards", SCORED)["call"]["duration_seconds"]
    assert line["transcription_usd"] == run["cost_usd"]["transcription"] > 0
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
    assert found["MessagesPaused", "submit"] == [1]
    assert found["AudioSeconds", "scorecard"] == [card["call"]["duration_seconds"]]
    assert found["InputTokens", "scorecard"] == [card["run"]["input_tokens"]]
    assert found["OutputTokens", "scorecard"] == [card["run"]["output_tokens"]]
    assert found["TranscriptionUsd", "scorecard"] == [card["run"]["cost_usd"]["transcription"]]
    assert sum(found["CoachingUsd", "scorecard"]) == pytest.approx(card["run"]["cost_usd"]["coaching"], abs=0.0001)
    (waited_seconds,) = found["EndToEndSeconds", "scorecard"]
    assert 0 <= waited_seconds < 60
    # Both jobs, one that got no answer, and one that was refused.
    assert len(found["SubmitSeconds", "submit"]) == 4
    assert len(found["UnderstandingSeconds", "scorecard"]) == 1
    assert len(found["ChatSeconds", "scorecard"]) == 1
    assert len(found["TranscriptSeconds", "scorecard"]) == 2
    assert found["SubmitErrors", "submit"] == [1, 1]
    assert "ChatErrors" not in {name for name, _ in found}


def test_units_are_those_of_the_names(stack: Stack) -> None:
    units = metric_units(stack.cloud)

    assert {name: unit for name, unit in units.items() if (unit == "Seconds") != name.endswith("Seconds")} == {}
    assert set(units.values()) == {"Count", "Seconds"}


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_asks_for_fields_that_lines_have(stack: Stack, name: str) -> None:
    """And filters by words that stand in them."""
    query = QUERIES[name]["Properties"]["QueryString"]
    lines = log_lines(stack.cloud)
    fields = queried_fields(query)

    assert fields
    assert fields - {field for line in lines for field in line} == set()
    for listed in re.findall(r"message (?:= |in \[)((?:\"[a-z]+\"(?:, )?)+)", query):
        assert set(re.findall(r'"([a-z]+)"', listed)) <= {line["message"] for line in lines}


def test_the_fields_of_a_query_are_found() -> None:
    query = """fields @timestamp, one, two
| filter message = "words in a string" and @message like /a pattern/ and ispresent(three)
| stats sum(four) / 3600 as five by six, bin(1d)"""

    assert queried_fields(query) == {"one", "two", "message", "three", "four", "six"}


def test_the_dashboard_is_deployed_with_the_stack_s_own_names(stack: Stack) -> None:
    name = stack.cloud.outputs["OperationsDashboardName"]
    body = stack.cloud.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]

    assert "${" not in body
    assert stack.cloud.resources["CallbacksQueue"].rsplit("/", 1)[-1] in body
    assert stack.cloud.resources["ScorecardFunction"] in body


def test_no_line_holds_a_recording_s_name(stack: Stack) -> None:
    text = json.dumps(log_lines(stack.cloud))

    assert not [key for key in RECORDINGS if key in text]
