"""The page as a browser shows it. The pictures are kept in out/screenshots, to be looked at."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.integration.browser import NAMES, Browser, installed
from tests.sandbox.score import score
from tests.unit.examples import CALLS, SAMPLE_CALLS
from tests.unit.scorecards import example_scorecard, example_transcript, with_doubtful_roles, without_coaching

from scorecard.report import render_report

PROGRAM = installed()
PICTURES = Path(__file__).parents[2] / "out" / "screenshots"
WIDTHS = {"desktop": 1200, "phone": 390}

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(NAMES)} is on PATH")

# Text, its colour and the colour of what it stands on, for each piece of text that is shown.
CONTRASTS = """
(() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([red, green, blue]) => {
    const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('main *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ['title', 'desc'].includes(element.localName) || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const disc = element.classList.contains('sign') && element.previousElementSibling;
    const colour = parse(element instanceof SVGElement ? style.fill : style.color);
    const on = disc ? parse(getComputedStyle(disc).fill) : ground(element);
    const [dark, light] = [luminance(colour), luminance(on)].sort((one, other) => one - other);
    found.push([element.textContent.trim().slice(0, 60), (light + 0.05) / (dark + 0.05)]);
  }
  return found;
})()
"""

# What sticks out of the window, but for tables that scroll by themselves.
OVERFLOWING = """
[...document.querySelectorAll('main *')].filter(element => !element.closest('.scroll')
  && (element.getBoundingClientRect().right > innerWidth + 0.5 || element.getBoundingClientRect().left < -0.5))
  .map(element => element.outerHTML.slice(0, 120))
"""

# Pairs of texts of one drawing that cover each other.
COVERED = """
[...document.querySelectorAll('svg')].flatMap(drawing => {
  const boxes = [...drawing.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width);
  return boxes.flatMap(([text, box], index) => boxes.slice(index + 1)
    .filter(([, other]) => box.left < other.right && other.left < box.right
      && box.top + 3 < other.bottom && other.top + 3 < box.bottom)
    .map(([other]) => `${text} | ${other}`));
})
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of all sample calls, and of the example in each of its states."""
    out = tmp_path_factory.mktemp("pages")
    transcripts = [CALLS / name / "transcript.json" for name in SAMPLE_CALLS]
    found = {}
    for name, transcript in zip(SAMPLE_CALLS, transcripts, strict=True):
        assert score([transcript], out / name, {}) == 0
        found[name] = out / name / "reports" / "transcript.html"
    for name, card in (
        ("example", example_scorecard()),
        ("example_needs_roles", with_doubtful_roles()),
        ("example_too_short", without_coaching("too_short")),
    ):
        found[name] = out / f"{name}.html"
        found[name].write_text(render_report(card, example_transcript()), "utf-8")
    return found


PAGES = [*SAMPLE_CALLS, "example", "example_needs_roles", "example_too_short"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_and_can_be_read(
    name: str, width: str, browser: Browser, pages: dict[str, Path], *, dark: bool
) -> None:
    """Nothing sticks out or covers anything, and every piece of text has the contrast of WCAG 2 AA."""
    browser.show(pages[name], width=WIDTHS[width], dark=dark)
    browser.photograph(PICTURES / f"{name}-{width}-{'dark' if dark else 'light'}.png")
    assert browser.value_of("document.documentElement.scrollWidth") <= WIDTHS[width]
    assert browser.value_of("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    browser.value_of("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.value_of(OVERFLOWING) == []
    assert browser.value_of(COVERED) == []
    contrasts = browser.value_of(CONTRASTS)
    assert len(contrasts) > 30
    assert [found for found in contrasts if found[1] < 4.5] == []


def test_page_runs_no_script(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    """Even one that got into it would not run."""
    page = tmp_path / "page.html"
    page.write_text(
        pages["example"].read_text("utf-8").replace("</main>", "<script>document.title='ran'</script></main>")
    )
    browser.show(page, width=1200)
    assert browser.value_of("document.title") == "Call review: Nora Lind / Birch Freight"


def test_screen_reader_is_told_what_is_drawn(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["example"], width=1200)
    named: dict[str, list[str]] = {}
    for node in browser.accessibility_tree():
        role: Any = node.get("role", {}).get("value")
        if not node.get("ignored"):
            named.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert [name for name in named["image"] if name] == [
        "The rep talked 63% and the customer 37%. The usual range for the rep is 35-50%. Your target is 40/60.",
        "The call from left to right, 12 min.",
    ]
    assert named["heading"][:3] == ["Nora Lind / Birch Freight", "In short", "The call"]
    assert {"The numbers that matter", "Practise", "What is not known, and why"} <= set(named["region"])


def test_print_shows_what_is_folded(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    browser.show(pages["example"], width=800, media="print", dark=True)
    assert browser.value_of("getComputedStyle(document.body).color") == "rgb(29, 31, 35)"
    shown = "[...document.querySelectorAll('table')].every(table => table.checkVisibility())"
    assert browser.value_of(shown) is True
    browser.print_to(tmp_path / "page.pdf")
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
