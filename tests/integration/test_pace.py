"""A burst, in simulated time, is scored within AssemblyAI's rates (make bench ONLY=pace drains a thousand)."""

from dataclasses import replace

from tests.benchmarks.burst import ALLOWED_PER_MINUTE
from tests.benchmarks.pace import CONDITIONS, simulate


def test_a_burst_uses_what_assemblyai_allows() -> None:
    """More recordings at once than jobs may be open; each message is received a few times only."""
    pace = simulate(replace(CONDITIONS[0], recordings=120, max_open_jobs=60))

    for asked in pace.requests.values():
        assert len(asked.taken_at) == 120
        assert asked.rejected_share <= 0.01
        assert asked.used_share() >= 0.95
    assert max(pace.submit_receives) <= 6
    assert max(pace.score_receives) <= 4


def test_who_shares_the_account_is_rejected_once_or_twice_a_minute() -> None:
    """The first that is rejected keeps back those whose turn would have come before the minute is over."""
    pace = simulate(replace(CONDITIONS[0], recordings=60, used_by_others=15))

    for asked in pace.requests.values():
        assert len(asked.taken_at) == 60
        assert 0 < asked.rejected <= 2 * 60 / 15
        assert asked.used_share() >= 0.9 * 15 / ALLOWED_PER_MINUTE
