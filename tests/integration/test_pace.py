"""A burst, in simulated time, is scored within AssemblyAI's rates (make bench ONLY=pace drains a thousand)."""

from dataclasses import replace

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
