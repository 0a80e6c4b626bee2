"""What more than one file of these tests uses as a fixture."""

from collections.abc import Iterator

import pytest
from tests.integration.browser import Browser, installed


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window of the installed Chromium; the tests that use it are skipped where there is none."""
    program = installed()
    assert program
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened
