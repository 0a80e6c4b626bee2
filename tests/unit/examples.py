"""Calls, roles and coach's replies that the unit tests are made of."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from callcoach.assemblyai import Completion
from callcoach.documents import CallDetails, Recording, Submission
from callcoach.transcript import (
    SentimentRow,
    SpeakerIdentification,
    Transcript,
    Utterance,
    Word,
    decode_transcript,
    identified,
)
from scorecard.scoring import ScoredCall, score_call
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment, assign_roles

TESTS = Path(__file__).parents[1]
CALLS = TESTS / "data" / "calls"
EVENTS = TESTS.parent / "events"
SAMPLE_CALLS = sorted(folder.name for folder in CALLS.iterdir() if folder.is_dir())

ROLES = ("Sales Rep", "Customer")
REP_AND_CUSTOMER = RoleAssignment(
    sides={"A": "rep", "B": "customer"}, source="identification", identification="success", reasons=[]
)

HOSTILE_TEXTS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\u2066 <b>",
    "line\r\nBcc: everybody@example.com",
    "x" * 300,
    "Ünïcödé 日本語 \u200b\x00\x07",
]


def utterance(speaker: str, text: str, start_ms: int = 0, *, word_ms: int = 400) -> Utterance:
    """Say text at a constant speed."""
    words = [
        Word(text=word, start_ms=start_ms + index * word_ms, end_ms=start_ms + (index + 1) * word_ms)
        for index, word in enumerate(text.split())
    ]
    return Utterance(speaker, text, start_ms, start_ms + len(words) * word_ms, words)


def conversation(*turns: tuple[str, str], pause_ms: int = 200) -> list[Utterance]:
    """Say one turn (speaker, text) after the other."""
    said: list[Utterance] = []
    for speaker, text in turns:
        said.append(utterance(speaker, text, said[-1].end_ms + pause_ms if said else 0))
    return said


def moved(utterances: Sequence[Utterance], by_ms: int) -> list[Utterance]:
    """Return the same speech at another time."""
    return [
        Utterance(
            said.speaker,
            said.text,
            said.start_ms + by_ms,
            said.end_ms + by_ms,
            [Word(word.text, word.start_ms + by_ms, word.end_ms + by_ms) for word in said.words],
        )
        for said in utterances
    ]


def rows_of(utterances: Sequence[Utterance], labels: Sequence[str], confidence: float = 0.9) -> list[SentimentRow]:
    """Label one whole utterance after the other."""
    return [
        SentimentRow(sentiment=label, confidence=confidence, start_ms=said.start_ms, end_ms=said.end_ms)
        for said, label in zip(utterances, labels, strict=True)
    ]


def sample_timing(name: str) -> dict[str, Any]:
    timing: dict[str, Any] = json.loads((CALLS / name / "timing.json").read_text())
    return timing


def sample_transcript(name: str) -> Transcript:
    """Return a sample call with its speakers identified as its script has them."""
    transcript = decode_transcript((CALLS / name / "transcript.json").read_bytes())
    script = tomllib.loads((CALLS / name / "script.toml").read_text())
    names = dict(zip(("rep", "customer"), ROLES, strict=True))
    mapping = {label: names[speaker["side"]] for label, speaker in script["speakers"].items()}
    return identified(transcript, SpeakerIdentification("success", mapping))


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "assemblyai_secret_name": "callcoach/assemblyai",
        "assemblyai_api_url": "https://api.example",
        "llm_gateway_url": "https://gateway.example",
        "callbacks_queue_url": "https://sqs.example/callbacks",
        "callbacks_dlq_url": "https://sqs.example/callbacks-dlq",
        "recordings_queue_url": "https://sqs.example/recordings",
        "scorecards_bucket_name": "scorecards",
        "scorecards_topic_arn": "arn:aws:sns:eu-central-1:123456789012:scorecards",
        "operations_topic_arn": "arn:aws:sns:eu-central-1:123456789012:operations",
        "state_table_name": "state",
        "roles": ROLES,
        "target_rep_share": 0.4,
        "coach_model": "first-model",
        "coach_fallback_model": "second-model",
        "coach_temperature": "0",
        "coach_language": "call",
        "coach_max_minutes": 180,
        "rep_channel": 0,
        "identifications_per_minute": 30,
        "coach_requests_per_minute": 30,
        "report_sender": "",
        "report_recipients": (),
        "delete_at_assemblyai": False,
        "monthly_cost_cap_usd": 0.0,
    }
    return Settings(**values | changes)


def recording(**changes: Any) -> Recording:
    values: dict[str, Any] = {
        "etag": "9b2cf535f27731c974343645a3985328",
        "size_bytes": 1_000_000,
        "content_type": "audio/mpeg",
        "last_modified": datetime(2026, 5, 6, 14, 35, tzinfo=UTC),
        "metadata": {},
    }
    return Recording(**values | changes)


def submission(*, transcript_id: str = "t1", key: str = "dana-reyes/acme.mp3", **details: Any) -> Submission:
    """Return what was asked about a call; details are those of the call."""
    call: dict[str, Any] = {"recorded_at": "2026-05-06T14:00:00Z", "recorded_at_source": "metadata"}
    return Submission(
        bucket="recordings",
        recording=key,
        etag="9b2cf535f27731c974343645a3985328",
        size_bytes=1_000_000,
        sequencer="00617F08299329D189",
        transcript_id=transcript_id,
        submitted_at="2026-05-06T14:36:00Z",
        overdue_after_seconds=900,
        deadline_at="2026-05-07T14:36:00Z",
        call=CallDetails(**call | details),
        asked={"speaker_labels": True},
    )


def quote_of(utterances: Sequence[Utterance], speaker: str, words: int = 6, *, nth: int = 0) -> dict[str, Any]:
    """Quote the first words of the nth utterance of a speaker that is long enough."""
    number = [
        index for index, said in enumerate(utterances) if said.speaker == speaker and len(said.text.split()) >= words
    ][nth]
    return {"utterance": number, "quote": " ".join(utterances[number].text.split()[:words])}


def reply(utterances: Sequence[Utterance], **changes: Any) -> dict[str, Any]:
    """Return a coach's reply whose quotes all stand in the utterances of A, the rep, and B, the customer."""
    rep, customer = quote_of(utterances, "A"), quote_of(utterances, "B")

    def level(value: str) -> dict[str, Any]:
        return {
            "occasion": "the price",
            "evidence": [rep, customer],
            "rationale": "One question builds on an answer.",
            "level": value,
        }

    def suggestion(item: str) -> dict[str, Any]:
        return {
            "item": item,
            "kind": "moment",
            "evidence": [customer],
            "when": "When a customer names a loss",
            "do": "Ask what it cost and who noticed",
            "say": "What did that mean for the quarter?",
            "because": "The cost was never said.",
        }

    whole: dict[str, Any] = {
        "roles_check": {"verdict": "agree", "utterances": [0]},
        "summary": "The customer plans by hand. The rep showed the platform and named a price.",
        "talk_listen": "Most of the rep's time went into one walk-through.",
        "shifts": [],
        "next_step": {
            "status": "agreed",
            "action": "send the plan",
            "owner": "rep",
            "when_words": " ".join(customer["quote"].split()[:3]),
            "evidence": [rep, customer],
        },
        "rubric": {
            "opening": level("1"),
            "discovery": level("2"),
            "listening": level("0"),
            "value_link": level("3"),
            "objection": level("not_observed"),
            "next_step": level("2"),
        },
        "keep": {"what": "Name the price when it is asked for.", "evidence": [rep]},
        "suggestions": {
            "first": suggestion("discovery"),
            "second": suggestion("listening"),
            "third": suggestion("objection"),
            "spare": suggestion("opening"),
        },
        "question_for_one_to_one": "What would you ask first?",
    }
    return whole | changes


def long_call() -> list[Utterance]:
    """Return a made-up call with enough speech of both sides to be coached: about five minutes."""
    turns = []
    for number in range(16):
        turns.append(
            ("A", f"so in part {number} our platform shows every shift of every location on one single page today")
        )
        turns.append(("B", f"well in clinic {number} we still write all of that by hand and it takes the whole Friday"))
    return conversation(*turns)


def made_transcript(utterances: Sequence[Utterance], **changes: Any) -> Transcript:
    """Return a finished transcript of what was said, with A as the rep and B as the customer."""
    values: dict[str, Any] = {
        "id": "t1",
        "status": "completed",
        "audio_duration_seconds": 300,
        "confidence": 0.93,
        "language_code": "en_us",
        "utterances": list(utterances),
        "sentiment_rows": rows_of(utterances, ["NEUTRAL"] * len(utterances)),
    }
    transcript = Transcript(**values | changes)
    return identified(transcript, SpeakerIdentification("success", {"A": "Sales Rep", "B": "Customer"}))


def scored_call(
    transcript: Transcript,
    answer: dict[str, Any] | str | None = None,
    *,
    finish_reason: str = "end_turn",
    **details: Any,
) -> ScoredCall:
    """Score a call whose coach answers the same to everything; details are those of the call."""
    utterances = transcript.utterances or []
    if answer is None:
        answer = reply(utterances)
    content = answer if isinstance(answer, str) else json.dumps(answer)
    roles = assign_roles(utterances, transcript.identification, ROLES)
    asked_about = submission(transcript_id=transcript.id, **details)
    return score_call(
        transcript, roles, asked_about, settings(), lambda _: Completion(content, finish_reason, 1000, 200)
    )


def labelled_call(labels: str) -> tuple[list[Utterance], list[SentimentRow]]:
    """Return a call in which the customer's sentences, one per turn, are labelled by the signs + - and 0."""
    names = {"+": "POSITIVE", "-": "NEGATIVE", "0": "NEUTRAL"}
    utterances = conversation(
        ("A", "let us begin with the plan of this quarter then"),
        *((("B", f"we plan number {index} of the shifts by hand")) for index in range(len(labels))),
        ("A", "then let us stop here with the plan of this quarter"),
        pause_ms=10_000,
    )
    return utterances, rows_of(utterances[1:-1], [names[label] for label in labels])


# Times as upstream has them and as it should not: empty, reversed, negative, overlapping.
intervals = st.lists(st.tuples(st.integers(-50, 300), st.integers(-50, 300)), max_size=12)

words = st.lists(
    st.sampled_from(
        ["we", "lost", "two", "renewals", "in", "March", "don't", "18,000", "a", "year", "Ärger", "\u2013", "it's"]
    ),
    min_size=1,
    max_size=25,
)


@st.composite
def utterance_lists(draw: st.DrawFn, min_size: int = 0) -> list[Utterance]:
    """Utterances of A, B and C in any order, overlapping or not, some of them empty or reversed."""
    texts = st.sampled_from(["", "we lost two renewals in March", "Ärger \u2013 it's 18,000", "yes"])
    times = st.integers(0, 5000)
    return draw(
        st.lists(st.builds(Utterance, st.sampled_from("ABC"), texts, times, times), min_size=min_size, max_size=10)
    )


class Models:
    """Models that answer in turn with what they were given: an answer, or an error."""

    def __init__(self, *answers: Completion | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[Mapping[str, Any]] = []

    def __call__(self, request: Mapping[str, object]) -> Completion:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def asked(self) -> list[Any]:
        return [request["model"] for request in self.requests]

    @property
    def sent_schema(self) -> list[bool]:
        """Whether each request sent the schema as response_format."""
        return ["response_format" in request for request in self.requests]

    def messages(self, number: int) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in self.requests[number]["messages"]]
