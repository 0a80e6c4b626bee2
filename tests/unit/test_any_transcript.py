"""Whatever stands in a transcript: a scorecard of the published shape, or a failure that says why. In bounded time."""

import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.schema import scorecard_schema
from tests.unit.examples import ROLES, long_call, made_transcript, reply, settings, submission
from tests.unit.growth import FOUR_TIMES, times_as_long

from callcoach.assemblyai import Completion
from callcoach.documents import encode
from callcoach.errors import TranscriptFailed, UpstreamUnavailable
from callcoach.transcript import decode_transcript, storable
from scorecard.mail import MAIL_LIMIT_CHARACTERS, render_mail
from scorecard.readiness import require_finished
from scorecard.report import render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import score_call
from scorecard.speakers import assign_roles
from scorecard.turns import roles_by_channel, with_turns

SCHEMA = Draft202012Validator(scorecard_schema())
REPLY = json.dumps(reply(long_call()))
WHOLE: dict[str, Any] = json.loads(encode(made_transcript(long_call()))) | {
    "error": None,
    "audio_channels": 1,
    "language_confidence": 0.9,
    "speech_model_used": "universal-2",
    "metadata": {"warnings": [{"message": "advice"}]},
    "webhook_url": "https://api.example/callbacks",
}
DELETED = object()

# AssemblyAI's own longest: ten hours, and as many speakers as it tells apart.
HOURS, SPEAKERS = 10, 28
# Enough utterances to tell a square from a line.
MANY = 5_000


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Keep the log of refused replies out of the output."""
    logger = logging.getLogger("service_undefined")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def written(said: object) -> bytes:
    """Return the JSON of an answer, with NaN where a number is none."""
    return json.dumps(said).encode()


def scored(body: bytes, rep_channel: int = 0) -> Scorecard:
    """Go the whole way of a transcript but for its requests, and return the scorecard that is published.

    Raises what stops it. Fails unless all that is written down or sent is what it should be.
    """
    transcript = decode_transcript(body)
    require_finished(transcript, submission(), overdue=False)
    if rep_channel:
        transcript = with_turns(transcript)
        roles = roles_by_channel(transcript.utterances or [], rep_channel)
    else:
        roles = assign_roles(transcript.utterances or [], transcript.identification, ROLES)
    stored = encode(storable(transcript))
    assert decode_transcript(stored) == msgspec.structs.replace(transcript, webhook_url=None)
    card = score_call(
        transcript, roles, submission(), settings(), lambda _: Completion(REPLY, "end_turn", 1000, 200)
    ).scorecard
    published = json.loads(encode(card), parse_constant=pytest.fail)
    assert [f"{fault.json_path}: {fault.message}" for fault in SCHEMA.iter_errors(published)] == []
    subject, text = render_mail(card, "scorecards-bucket")
    assert subject
    assert len(text) <= MAIL_LIMIT_CHARACTERS
    assert render_report(card, transcript)
    return card


def failure_of(body: bytes, rep_channel: int) -> TranscriptFailed | UpstreamUnavailable | None:
    """Return why a transcript is not scored, or None."""
    try:
        scored(body, rep_channel)
    except (TranscriptFailed, UpstreamUnavailable) as fault:
        return fault
    return None


def paths(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value: of lists to the first three."""
    if path:
        yield path
    children: Any = node.items() if isinstance(node, dict) else enumerate(node[:3]) if isinstance(node, list) else ()
    for name, child in children:
        yield from paths(child, (*path, name))


def changed(changes: Sequence[tuple[tuple[str | int, ...], object]]) -> dict[str, Any]:
    """Return the whole transcript with other values in some places, as far as these are still there."""
    said: dict[str, Any] = json.loads(json.dumps(WHOLE))
    for (*way, last), value in changes:
        node: Any = said
        try:
            for name in way:
                node = node[name]
            if value is DELETED:
                del node[last]
            else:
                node[last] = value
        except (KeyError, IndexError, TypeError):
            continue
    return said


odd = st.sampled_from(
    [None, True, 0, -1, 1.5, 2**31, 2**63, 10**30, -(10**30), 1e300, float("nan"), float("inf"), "NaN", "5", "5.5"]
)
text = st.text(st.characters(), max_size=8) | st.sampled_from(["", "A", "B", "POSITIVE", "\ud83d", "x" * 300])
anything = st.recursive(
    odd | st.integers() | st.floats() | text,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=4), child, max_size=3),
    max_leaves=6,
)


@tried(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(paths(WHOLE))), anything | st.just(DELETED)), min_size=1, max_size=3),
    st.sampled_from([0, 1]),
)
def test_any_value_in_any_field_has_an_outcome(
    changes: list[tuple[tuple[str | int, ...], object]], rep_channel: int
) -> None:
    """Asking again is right only where nobody can tell whose transcript it is, or how far it is."""
    said = changed(changes)
    fault = failure_of(written(said), rep_channel)
    is_known = said.get("id") == "t1" and isinstance(said.get("status"), str)
    assert isinstance(fault, UpstreamUnavailable) is not is_known


moments = st.integers(0, 4000) | st.integers(-50, 300_000) | st.sampled_from([36_000_000, 360_000_000, 1.5])
sayings = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "  ",
        "we lost two renewals in March",
        "Why? What?",
        "12 1.1.1 1,000,000 nineteen ninety",
        "[Speaker:1] hm",
        "\u2026",
        "\u202e\x00\x07",
        "日本語です。",
        "x" * 400,
    ]
)
spoken_words = st.fixed_dictionaries({"text": sayings, "start": moments, "end": moments})
utterances = st.fixed_dictionaries(
    {"speaker": st.sampled_from(["A", "B", "C", "1", "2", None, "Customer"])}
    | {"text": sayings, "start": moments, "end": moments},
    optional={"words": st.none() | st.lists(spoken_words, max_size=6)},
)
labelled = st.fixed_dictionaries(
    {"sentiment": st.sampled_from(["POSITIVE", "NEGATIVE", "neutral", "MIXED", ""])},
    optional={"start": st.none() | moments, "end": st.none() | moments}
    | {"confidence": st.sampled_from([None, 0, 0.5, "0.7"]), "text": st.none() | sayings},
)
calls = st.fixed_dictionaries(
    {"utterances": st.lists(utterances, max_size=12)},
    optional={
        "sentiment_analysis_results": st.lists(labelled, max_size=30),
        "audio_duration": st.sampled_from([None, 0, 1, 300, 36_000]),
        "audio_channels": st.sampled_from([1, 2, 3]),
        "confidence": st.sampled_from([0, 0.5, 1]),
        "language_code": st.sampled_from(["en_us", "de", "ja", "", "xx_YY_zz"]),
    },
)
mappings = st.dictionaries(
    st.sampled_from(["A", "B", "C", "?"]), st.sampled_from(["Sales Rep", "customer ", "Other", "", None])
)


@tried(max_examples=100, deadline=None)
@given(calls, mappings, st.sampled_from([0, 1]))
def test_any_course_of_a_call_has_an_outcome(
    call: dict[str, Any], mapping: dict[str, str | None], rep_channel: int
) -> None:
    """No call goes without its numbers but one in which nobody says a word.

    Speech may overlap, run backwards, stand in no order or be nobody's; labels may have no times, and times no words.
    """
    identification = {"status": "success", "mapping": mapping}
    said = call | {"speech_understanding": {"response": {"speaker_identification": identification}}}
    fault = failure_of(written(said | {"id": "t1", "status": "completed"}), rep_channel)
    is_silent = not any(utterance["text"].strip() for utterance in call["utterances"])
    assert getattr(fault, "reason", None) == ("no_speech" if is_silent else None)


@pytest.fixture(scope="module")
def longest() -> list[dict[str, Any]]:
    """Ten hours of short utterances of 28 speakers, two of whom say most; with the time of every word."""
    chance = random.Random(1)
    vocabulary = ["we", "lost", "two", "renewals", "in", "March", "and", "so", "what", "would", "that", "mean"]
    labels = [f"S{number}" for number in range(SPEAKERS - 2)]
    said: list[dict[str, Any]] = []
    at_ms = 0
    while at_ms < HOURS * 3_600_000:
        words = chance.choices(vocabulary, k=chance.randint(1, 12))
        spoken = [
            {"text": word, "start": at_ms + 350 * n, "end": at_ms + 350 * (n + 1)} for n, word in enumerate(words)
        ]
        label = chance.choice("AB") if chance.random() < 0.95 else chance.choice(labels)
        end_ms = at_ms + 350 * len(words)
        said.append({"speaker": label, "text": " ".join(words), "start": at_ms, "end": end_ms, "words": spoken})
        at_ms = end_ms + 200
    return said


def call_of(said: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a finished transcript with A as the rep and B as the customer."""
    identification = {"status": "success", "mapping": {"A": "Sales Rep", "B": "Customer"}}
    return written(
        {
            "id": "t1",
            "status": "completed",
            "language_code": "en_us",
            "audio_duration": HOURS * 3600,
            "utterances": said,
            "sentiment_analysis_results": rows,
            "speech_understanding": {"response": {"speaker_identification": identification}},
        }
    )


def labels_of(said: Sequence[Mapping[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    names = ("POSITIVE", "NEUTRAL", "NEGATIVE")
    row = {"confidence": 0.9}
    return [
        row | {name: u[name] for name in ("text", "start", "end")} | {"sentiment": names[n % 3]} | changes
        for n, u in enumerate(said)
    ]


def test_longest_call_of_the_most_speakers_is_scored(longest: list[dict[str, Any]]) -> None:
    card = scored(call_of(longest, labels_of(longest)))
    assert (card.status, card.status_reason) == ("numbers_only", "too_long_for_coach")
    assert len(card.speakers) == SPEAKERS
    assert {"third_speaker"} <= {warning.code for warning in card.warnings}


@pytest.mark.parametrize(
    "odd_call",
    [
        pytest.param(lambda said: (said, labels_of(said, start=0, end=36_000_000)), id="every row is the whole call"),
        pytest.param(
            lambda said: (
                [u | {"start": n, "end": 35_000_000 + n} for n, u in enumerate(said)],
                labels_of(said, start=0, end=36_000_000),
            ),
            id="everybody speaks all the time",
        ),
        pytest.param(
            lambda said: (
                [said[0] | {"speaker": "B", "text": " ".join(u["text"] for u in said), "end": 36_000_000}],
                labels_of(said, start=0, end=36_000_000),
            ),
            id="one utterance",
        ),
        pytest.param(
            lambda said: (
                [
                    said[0] | {"text": "a-" * 20 * len(said)},
                    said[1] | {"speaker": "B", "text": "b." * 20 * len(said)},
                ],
                labels_of(said, text="c." * 50, start=None),
            ),
            id="one word",
        ),
    ],
)
def test_work_grows_with_the_length_of_a_transcript_and_no_faster(longest: list[dict[str, Any]], odd_call: Any) -> None:
    few, many = (call_of(*odd_call(longest[:utterances])) for utterances in (MANY // 4, MANY))
    assert times_as_long(scored, few, many) < FOUR_TIMES
