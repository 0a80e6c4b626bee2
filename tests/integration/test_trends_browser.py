"""The pages of trends as a browser shows them. The pictures are kept in out/screenshots, to be looked at."""

from pathlib import Path

import pytest
from tests.integration.browser import NAMES, Browser, installed
from tests.integration.test_browser import CONTRASTS, COVERED, OVERFLOWING, PICTURES, WIDTHS
from tests.unit.many_scorecards import many_scorecards
from tests.unit.test_trends_queries import written

from callcoach.trends import Chosen, ask
from callcoach.trends_files import write_trends

PROGRAM = installed()
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(NAMES)} is on PATH")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trends")
    write_trends(ask(written(folder / "a.jsonl", many_scorecards(1500, reps=6)), Chosen()), folder)
    return {
        "trends-rep": folder / "reps" / "rep-01.html",
        "trends-team": folder / "teams" / "south.html",
        "trends-index": folder / "index.html",
    }


@pytest.mark.parametrize("window", WIDTHS)
@pytest.mark.parametrize("name", ["trends-rep", "trends-team", "trends-index"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_can_be_read(browser: Browser, pages: dict[str, Path], name: str, window: str, *, dark: bool) -> None:
    """Nothing sticks out, no text covers another, and every text stands out from what it is on."""
    browser.show(pages[name], width=WIDTHS[window], dark=dark)
    browser.value_of(OPEN_ALL)
    browser.photograph(PICTURES / f"{name}-{window}{'-dark' if dark else ''}.png")

    assert browser.value_of(OVERFLOWING) == []
    assert browser.value_of(COVERED) == []
    assert [text for text, contrast in browser.value_of(CONTRASTS) if contrast < 4.5] == []


def test_a_drawing_is_told_in_words(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["trends-rep"], width=1200)
    browser.value_of(OPEN_ALL)

    drawings = [
        node["name"]["value"]
        for node in browser.accessibility_tree()
        if node.get("role", {}).get("value") == "image" and not node["ignored"]
    ]

    assert len([told for told in drawings if told.startswith("Talk share of the rep side. ")]) == 5
    assert all("since the last break" in told.casefold() for told in drawings)
