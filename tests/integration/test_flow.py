"""The whole way of a call: a recording dropped into the bucket ends as scorecard, report and one e-mail."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.integration.stack import CALLS, KEY, Stack, running_stack

from callcoach.documents import document_key
from scorecard.scorecard import Scorecard

SAMPLES = {folder.name: folder for folder in sorted(CALLS.iterdir()) if (folder / "timing.json").is_file()}
METADATA = {
    "rep": "Dana Reyes",
    "customer": "Acme",
    "call-type": "discovery",
    "recorded-at": "2026-05-06T16:00:00+02:00",
}


def recording(name: str) -> str:
    """A name with what breaks careless encoders."""
    return f"dana reyes/{name}+é&1.ogg"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """All sample calls, dropped and scored."""
    with running_stack() as running:
        for name, folder in SAMPLES.items():
            running.drop(recording(name), (folder / "recording.ogg").read_bytes(), Metadata=METADATA)
        for name in SAMPLES:
            running.wait_for("scorecards", recording(name), timeout_seconds=60)
        running.cloud.wait_until(lambda: len(running.cloud.mails()) == len(SAMPLES))
        # A message is done a moment after its e-mail.
        running.cloud.wait_until(
            lambda: all(message.state != "in flight" for message in running.cloud.messages("CallbacksQueue"))
        )
        yield running


@pytest.fixture(params=SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    """One sample call after the other."""
    return str(request.param)


def test_every_call_is_complete_and_of_the_published_shape(stack: Stack, name: str) -> None:
    body = stack.body("scorecards", recording(name))
    assert body is not None

    card = msgspec.json.decode(body, type=Scorecard)

    assert card.status == "complete"
    assert card.call.rep == "Dana Reyes"
    assert card.call.recorded_at == "2026-05-06T14:00:00Z"
    assert card.coaching is not None
    assert card.coaching.summary
    assert card.coaching.suggestions
    assert b"\n" not in body
    assert list(json.loads(body)) == sorted(json.loads(body))


def test_talk_times_equal_the_sound_s_own(stack: Stack, name: str) -> None:
    """A turn lasts as long as its sentences' samples and the pauses between them."""
    timing = json.loads((SAMPLES[name] / "timing.json").read_text("utf-8"))
    samples: dict[str, int] = {}
    for turn in timing["turns"]:
        pauses = (len(turn["sentence_samples"]) - 1) * timing["sentence_pause_samples"]
        samples[turn["speaker"]] = samples.get(turn["speaker"], 0) + sum(turn["sentence_samples"]) + pauses
    by_hand_ms = {label: 1000 * count / timing["sample_rate"] for label, count in samples.items()}

    card = stack.document("scorecards", recording(name))

    turns = len(timing["turns"])
    for speaker in card["speakers"]:
        # Each turn's ends are rounded to whole milliseconds.
        assert speaker["talk_ms"] == pytest.approx(by_hand_ms[speaker["label"]], abs=turns)
    sides = dict.fromkeys(("rep", "customer", "unassigned"), 0.0)
    for label, side in card["roles"]["mapping"].items():
        sides[side] += by_hand_ms[label]
    by_hand_share = sides["rep"] / (sides["rep"] + sides["customer"])
    assert card["talk_listen"]["rep_share"] == pytest.approx(by_hand_share, abs=0.0005)


def test_sentiment_follows_the_words_and_not_the_rows_own_speaker(stack: Stack) -> None:
    """The upstream rows name wrong speakers and carry raw tags: neither reaches the scorecard."""
    name = "discovery_price_shock"
    rows = json.loads((SAMPLES[name] / "transcript.json").read_text("utf-8"))["sentiment_analysis_results"]
    assert any(row["speaker"] is None for row in rows)
    assert any("[Speaker" in row["text"] for row in rows)

    card = stack.document("scorecards", recording(name))

    assert "[Speaker" not in json.dumps(card)
    own, shift = card["sentiment"]["shifts"]
    # The customer's complaint about the tool of today is no drop.
    assert own["about"] == "their_own_situation"
    assert shift["to"] == "negative"
    assert shift["strength"] == "clear"
    assert shift["recovered"]
    assert shift["about"] == "our_offer_or_rep"
    assert card["roles"]["mapping"][shift["quote"]["label"]] == "customer"


def test_a_scorecard_names_the_transcript_that_is_stored(stack: Stack, name: str) -> None:
    stored = stack.body("transcripts", recording(name))
    assert stored
    run = stack.document("scorecards", recording(name))["run"]
    assert run["transcript_sha256"] == hashlib.sha256(stored).hexdigest()


def test_every_quote_stands_in_the_utterance_that_it_names(stack: Stack, name: str) -> None:
    utterances = stack.document("transcripts", recording(name))["utterances"]
    card = stack.document("scorecards", recording(name))

    quotes = list(_evidence(card["coaching"]))

    assert len(quotes) >= 5
    for quote in quotes:
        utterance = utterances[quote["utterance"]]
        assert quote["text"] in utterance["text"]
        assert quote["label"] == utterance["speaker"]
        assert utterance["start"] <= quote["start_ms"] < quote["end_ms"] <= utterance["end"]


def _evidence(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from node.get("evidence") or []
        for child in node.values():
            yield from _evidence(child)
    elif isinstance(node, list):
        for child in node:
            yield from _evidence(child)


def test_one_mail_a_call_with_what_a_manager_needs(stack: Stack, name: str) -> None:
    card = stack.document("scorecards", recording(name))
    first = card["coaching"]["suggestions"][0]["say"]

    (mail,) = [mail for mail in stack.cloud.mails() if first in " ".join(mail.message.split())]

    assert mail.topic == "ScorecardsTopic"
    assert mail.subject is not None
    assert mail.subject.startswith("Call review: Dana Reyes / Acme, discovery: rep talked")
    assert mail.attributes["outcome"] == "complete"
    assert mail.attributes["rep"] == "Dana Reyes"
    assert mail.message.isascii()
    assert all(len(line) <= 72 or "https://" in line for line in mail.message.splitlines())


def test_a_report_needs_nothing_from_outside(stack: Stack, name: str) -> None:
    page = (stack.body("reports", recording(name)) or b"").decode()

    assert "<!doctype html>" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "url(" not in page


def test_a_call_is_paid_for_once(stack: Stack) -> None:
    assert stack.stand_in.paid_calls == {
        "transcript": len(SAMPLES),
        "understanding": len(SAMPLES),
        "chat": len(SAMPLES),
    }


def test_queues_are_empty_but_for_the_watchdogs(stack: Stack) -> None:
    assert stack.cloud.queue_depth("RecordingsQueue") == 0
    assert {message.state for message in stack.cloud.messages("CallbacksQueue")} == {"delayed"}
    assert stack.cloud.queue_depth("CallbacksQueue") == len(SAMPLES)
    assert stack.cloud.queue_depth("RecordingsDlq") == 0
    assert stack.cloud.queue_depth("CallbacksDlq") == 0


def test_no_key_link_or_word_of_the_call_leaks(stack: Stack) -> None:
    """Neither documents, nor mails, nor logs, nor table hold a secret; logs and table hold no word of a call."""
    webhook_key = stack.cloud.client("secretsmanager").get_secret_value(
        SecretId=stack.cloud.environment("SubmitFunction")["WEBHOOK_SECRET_ARN"]
    )["SecretString"]
    s3, bucket = stack.cloud.client("s3"), stack.cloud.outputs["ScorecardsBucketName"]
    objects = {
        item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
        for item in s3.list_objects_v2(Bucket=bucket)["Contents"]
    }
    table = stack.cloud.client("dynamodb").scan(TableName=stack.cloud.environment("SubmitFunction")["STATE_TABLE_NAME"])
    logs = "".join(stack.cloud.logs(function) for function in ("SubmitFunction", "ScorecardFunction"))
    mails = "".join(mail.message for mail in stack.cloud.mails())
    sentence = stack.document("transcripts", recording("discovery_price_shock"))["utterances"][1]["text"]
    assert document_key("transcripts", recording("discovery_price_shock")) in objects
    assert "scored" in logs

    for text in (*objects.values(), json.dumps(table["Items"]), logs, mails):
        for secret in (KEY, webhook_key, "X-Amz-Signature", "X-Amz-Security-Token"):
            assert secret not in text
    assert sentence not in logs
    assert sentence not in json.dumps(table["Items"])
