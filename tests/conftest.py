"""What holds for all tests."""

import gc
import os

import pytest
from tests.sandbox.fork_server import share_between_sessions

share_between_sessions()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes test: half as many again as there are cores, because many tests wait."""
    cores = os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_collection_finish() -> None:
    """Let collections of garbage be fewer, and leave out what is imported by now, which they would look at in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
