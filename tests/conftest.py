"""What holds for all tests."""

import os
from functools import cache, partial

import pytest
from botocore.loaders import JSONFileLoader

# All of a process's sessions share what each else reads and parses anew: AWS's services and endpoints, some 10 MB.
_read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda _, path: _read(path)  # type: ignore[assignment, method-assign]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes test: half as many again as there are cores, because many tests wait."""
    cores = os.cpu_count() or 1
    return cores + (cores + 1) // 2
