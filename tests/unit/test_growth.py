"""The work on a call grows with its length and no faster. Nothing here depends on the machine's speed."""

import json
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from functools import cache, partial
from unittest import mock

import pytest
from tests.benchmarks._long_calls import LongCall, long_call
from tests.unit.examples import ROLES, settings, submission

import scorecard.evidence
from callcoach.assemblyai import Completion
from callcoach.documents import encode
from callcoach.transcript import SpeakerIdentification, decode_transcript, identified, storable
from scorecard.mail import render_mail
from scorecard.report import render_report
from scorecard.scoring import score_call
from scorecard.speakers import assign_roles
from scorecard.tokens import language_rules, tokens_of

MAPPING = dict(zip("AB", ROLES, strict=True))

cached_call = cache(long_call)


def score(call: LongCall, *, coached_minutes: int) -> str:
    """Score a call as ScorecardFunction does, and return the scorecard's status."""
    transcript = identified(decode_transcript(call.transcript), SpeakerIdentification("success", MAPPING))
    roles = assign_roles(transcript.utterances or [], transcript.identification, ROLES)
    encode(storable(transcript))

    def complete(request: Mapping[str, object]) -> Completion:
        messages = request["messages"]
        assert isinstance(messages, list)
        (choice,) = json.loads(call.coach_reply(messages))["choices"]
        return Completion(choice["message"]["content"], choice["finish_reason"], 20_000, 2_500)

    options = settings(coach_max_minutes=coached_minutes)
    card = score_call(transcript, roles, submission(transcript_id=transcript.id), options, complete).scorecard
    render_report(card, transcript)
    render_mail(card, "scorecards")
    encode(card)
    return card.status


def calls_made(work: Callable[[], object]) -> int:
    """Return how many functions are called, Python's own included."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    work()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("coached_minutes", [0, 180])
def test_a_call_twice_as_long_takes_twice_the_work(coached_minutes: int) -> None:
    short, long = (
        calls_made(partial(score, cached_call(minutes), coached_minutes=coached_minutes)) for minutes in (15, 30)
    )
    assert long <= 2.1 * short


@pytest.mark.parametrize(("coached_minutes", "calls_a_word"), [(0, 20), (180, 40)])
def test_a_word_takes_few_calls(coached_minutes: int, calls_a_word: int) -> None:
    """What looks at each word of a call in Python is what makes it slow."""
    call = cached_call(30)
    words = len(json.loads(call.transcript)["words"])
    assert calls_made(partial(score, call, coached_minutes=coached_minutes)) <= calls_a_word * words


@pytest.mark.parametrize("minutes", [15, 60])
def test_memory_stays_near_the_size_of_the_transcript(minutes: int) -> None:
    call = cached_call(minutes)
    score(call, coached_minutes=0)
    tracemalloc.start()
    try:
        score(call, coached_minutes=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 1.45 * len(call.transcript)


def test_only_what_may_hold_a_quote_is_cut_into_tokens() -> None:
    """Most quotes stand where they are said to. One of the reply's stands nowhere, and is looked for everywhere."""
    call = cached_call(60)
    utterances = {said.text for said in decode_transcript(call.transcript).utterances or []}
    with mock.patch.object(scorecard.evidence, "tokens_of", wraps=tokens_of) as cut:
        assert score(call, coached_minutes=180) == "complete"
    assert sum(text in utterances for (text, _), _ in cut.call_args_list) <= len(utterances) / 5


@pytest.mark.parametrize("part", ["1 22 ", "twenty ", "!", " ...", "not ", "[<"])
def test_hostile_words_take_work_in_proportion(part: str) -> None:
    """Numbers without end are one run of words, in which each may begin a number of its own."""
    short, long = (calls_made(partial(tokens_of, part * times, language_rules("en"))) for times in (400, 800))
    assert long <= 2.1 * short + 10
