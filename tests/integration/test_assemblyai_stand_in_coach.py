"""The stand-in's coach of another character, and what goes wrong with a model: as the client meets it, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.sandbox.assemblyai.coach import Character
from tests.sandbox.assemblyai.gateway import Fault
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account
from tests.unit.examples import ROLES, sample_transcript, settings, submission

from callcoach.assemblyai import AssemblyAI as Client
from callcoach.errors import UpstreamUnavailable
from scorecard.scoring import ScoredCall, score_call
from scorecard.speakers import assign_roles

KEY = "a-key"


@contextmanager
def account(*faults: Fault | None, coach: Character = "normal") -> Iterator[tuple[Client, AssemblyAI]]:
    with AssemblyAI(KEY, account=Account(KEY, coach=coach, coach_faults=faults)) as service:
        client = Client(lambda *, fresh=False: KEY, service.url, service.url)
        yield client, service
        client.close()


def chats(service: AssemblyAI) -> list[Any]:
    """Return the bodies of the chat completions that were asked for."""
    return [exchange.request.json() for exchange in service.exchanges if "chat" in exchange.request.path]


def score(client: Client, **how: Any) -> ScoredCall:
    transcript = sample_transcript("discovery_price_shock")
    roles = assign_roles(transcript.utterances or [], transcript.identification, ROLES)
    models = settings(coach_model="claude-sonnet-4-6", coach_fallback_model="claude-haiku-4-5-20251001")
    return score_call(transcript, roles, submission(transcript_id=transcript.id), models, client.complete, **how)


@pytest.mark.parametrize(
    ("faults", "models", "paid"),
    [
        ([], ["sonnet"], 1),
        (["no_schema"], ["sonnet", "sonnet"], 1),
        (["no_temperature"], ["sonnet", "sonnet"], 1),
        (["no_schema", "no_temperature"], ["sonnet"] * 3, 1),
        (["truncated"], ["sonnet", "sonnet"], 2),
        (["prose"], ["sonnet", "sonnet"], 2),
        (["shape"], ["sonnet", "sonnet"], 2),
        (["no_schema", "shape"], ["sonnet"] * 3, 2),
        (["refusal"], ["sonnet", "haiku"], 2),
        (["shape", "truncated"], ["sonnet", "sonnet", "haiku"], 3),
    ],
)
def test_call_is_coached_in_spite_of_faults(faults: list[Fault], models: list[str], paid: int) -> None:
    with account(*faults) as (client, service):
        scored = score(client)
    asked = [body["model"].split("-")[1] for body in chats(service)]
    assert (scored.scorecard.status, asked, len(scored.attempts)) == ("complete", models, paid)


def test_model_that_is_down_is_asked_by_the_next_run_and_then_left() -> None:
    with account("server_error", "server_error") as (client, _):
        with pytest.raises(UpstreamUnavailable):
            score(client)
        scored = score(client, first_run=False)
    assert scored.scorecard.run.coach_model == "claude-haiku-4-5-20251001"


def test_three_paid_questions_are_the_end() -> None:
    with account("prose", "shape", "truncated", "prose") as (client, service):
        card = score(client).scorecard
    assert (card.status, card.status_reason, card.run.coach_attempts) == ("numbers_only", "coach_truncated", 3)
    assert len(chats(service)) == 3


def test_lying_coach_is_asked_again_and_published_without_its_lies() -> None:
    with account(coach="lying") as (client, service):
        card = score(client).scorecard
    repair = chats(service)[1]["messages"][-1]["content"]
    assert "no such words in utterance" in repair
    assert card.coaching is not None
    assert card.evidence is not None
    assert card.evidence.dropped == card.evidence.claimed
