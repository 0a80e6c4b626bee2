"""A short run of `make faults`: some of its scenarios, chosen by a seed."""

import random
from collections.abc import Iterator

import pytest
from tests.faults.scenarios import Scenario, play, scenarios
from tests.faults.stage import Stage, stage

SEED = 20261125
SAMPLE = 6


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running."""
    with stage() as running:
        yield running


def test_whatever_breaks_nothing_is_lost_and_nothing_is_paid_twice(set_up: Stage) -> None:
    every: list[Scenario] = list(scenarios(set_up))
    # Requests and faults that are worth the name of an enumeration.
    assert len({scenario.effect for scenario in every}) >= 40
    assert len(every) >= 250
    for scenario in random.Random(SEED).sample(every, SAMPLE):
        verdict = play(set_up, scenario)
        assert verdict.survived, (scenario.name, verdict)
