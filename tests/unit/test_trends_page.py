"""The pages of trends: what is drawn where, what is said, and what is never said."""

import csv
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.unit.many_scorecards import many_scorecards
from tests.unit.test_trends_queries import series, written

from callcoach.trends import Answers, Chosen, ask
from callcoach.trends_files import write_trends
from callcoach.trends_page import ITEMS, Chart, Page, pages
from scorecard.rubric import RUBRIC_ITEMS

HOSTILE = '=1+1"><script>alert(1)</script>&\u202e'


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    path = tmp_path_factory.mktemp("trends") / "scorecards.jsonl"
    return ask(written(path, many_scorecards(2000, reps=12)), Chosen())


def page_of(cards: list[dict[str, Any]], folder: Path, kind: str = "rep") -> Page:
    (page,) = pages(ask(written(folder / "a.jsonl", cards), Chosen()).rows, kind)
    return page


def charts(page: Page) -> list[Chart]:
    return [
        chart
        for section in page.sections
        for chart in (*section.numbers, *section.items, *([section.drops] if section.drops else []))
    ]


def first_chart(page: Page) -> Chart:
    return page.sections[0].numbers[0]


def kinds(chart: Chart) -> list[str]:
    return [line.kind for line in chart.lines]


def test_items_are_the_rubric_s() -> None:
    assert tuple(RUBRIC_ITEMS) == ITEMS


def test_each_type_of_call_has_its_own_lines(answers: Answers) -> None:
    for kind in ("rep", "team"):
        for page in pages(answers.rows, kind):
            assert {section.call_type for section in page.sections} == {
                "discovery",
                "demo",
                "cold",
                "follow-up",
                "other",
            }
            assert sum(section.calls for section in page.sections) == page.calls


def test_everything_is_drawn_inside(answers: Answers) -> None:
    for kind in ("rep", "team"):
        for chart in [chart for page in pages(answers.rows, kind) for chart in charts(page)]:
            for dot in chart.dots:
                assert 0 < dot.x < 100
                assert dot.radius <= dot.y <= chart.height - dot.radius / 2
            for bar in chart.bars:
                assert 0 <= bar.x <= bar.x + bar.width <= 100
                assert 0 <= bar.y <= bar.y + bar.height <= chart.height
            for place in (place for line in chart.lines for place in (line.start, line.end)):
                assert 0 <= place.x <= 100
                assert 0 <= place.y <= chart.height


def test_a_line_joins_calls_and_breaks_where_the_coach_model_changes(tmp_path: Path) -> None:
    cards = series(12)
    for card in cards[6:]:
        card["run"]["coach_model"] = "another"
    page = page_of(cards, tmp_path)
    chart = first_chart(page)

    assert kinds(chart).count("trend") == 5 + 5
    assert kinds(chart).count("median") == 2
    assert [mark.text for mark in chart.breaks] == ["1"]
    assert page.breaks == [f"Coach model {cards[0]['run']['coach_model']} -> another, from 2026-05-07"]
    broken_at = chart.breaks[0].x
    assert not [line for line in chart.lines if line.start.x < broken_at <= line.end.x]
    assert all(mark.text == "1" for drawn in charts(page) for mark in drawn.breaks)
    assert "since the last break" in chart.said


def test_a_coach_model_that_comes_and_goes_breaks_the_line_each_time(tmp_path: Path) -> None:
    """As a fallback does; of numbers that would cover each other some are left out."""
    cards = series(28)
    for card in cards[::2]:
        card["run"]["coach_model"] = "fallback"
    page = page_of(cards, tmp_path)
    chart = first_chart(page)
    numbered = [mark.x for mark in chart.breaks if mark.text]

    assert (len(chart.breaks), kinds(chart)) == (27, [])
    assert len(page.breaks) == 2
    assert all(after - before >= 7 for before, after in pairwise(numbered))
    assert len(numbered) > 5


def test_the_median_is_drawn_from_five_calls_on(tmp_path: Path) -> None:
    few, enough = page_of(series(4), tmp_path), page_of(series(5), tmp_path)

    assert "median" not in kinds(first_chart(few))
    assert "no median under five calls" in first_chart(few).said
    assert kinds(first_chart(enough)).count("median") == 1
    assert re.search(r"5 calls: median \d+%", first_chart(enough).said)


def test_a_single_call_is_a_dot(tmp_path: Path) -> None:
    chart = first_chart(page_of(series(1), tmp_path))

    assert (len(chart.dots), chart.lines) == (1, [])
    assert chart.said.startswith("1 call: no median")


def test_a_team_s_line_joins_months(tmp_path: Path) -> None:
    cards = series(5) + series(5, recording="june")
    for number, card in enumerate(cards[5:]):
        card["call"] |= {"recorded_at": f"2026-06-1{number}T09:00:00Z", "recording": f"june/{number}.mp3"}
    team, rep = page_of(cards, tmp_path, "team"), page_of(cards, tmp_path)

    assert kinds(first_chart(team)).count("trend") == 1
    assert kinds(first_chart(rep)).count("trend") == 9


def test_what_was_not_coached_is_counted(tmp_path: Path) -> None:
    cards = series(6)
    cards[0] |= {"status": "numbers_only", "status_reason": "too_short"}
    cards[1]["roles"]["needs_review"] = True
    page = page_of(cards, tmp_path)

    assert page.calls == 4
    assert page.uncoached == [("it is in doubt who is who", 1), ("the call is too short to coach", 1)]


def test_who_has_no_coached_call_has_a_page_that_says_so(tmp_path: Path) -> None:
    cards = series(2)
    for card in cards:
        card |= {"status": "numbers_only", "status_reason": "too_short"}
    page = page_of(cards, tmp_path)

    assert (page.calls, page.sections, page.uncoached) == (0, [], [("the call is too short to coach", 2)])


class _Tags(HTMLParser):
    """Notes the tags of a page, and whether they close."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "line", "circle", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def read(path: Path) -> tuple[str, _Tags]:
    tags = _Tags()
    text = path.read_text("utf-8")
    tags.feed(text)
    return text, tags


def test_what_people_typed_is_text_and_nothing_else(tmp_path: Path) -> None:
    """On a page, in a file's name, and in a spreadsheet."""
    cards = series(6, rep=HOSTILE, team="../../up", recording="x/<b>.mp3")
    for number, card in enumerate(cards):
        card["run"]["coach_model"] = f"<i>{number // 3}"
    files = write_trends(ask(written(tmp_path / "a.jsonl", cards), Chosen()), tmp_path / "out")

    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in files)
    assert {path.name for path in files} >= {"1-1-script-alert-1-script.html", "up.html", "index.html"}
    for path in (path for path in files if path.suffix == ".html"):
        text, tags = read(path)
        assert not tags.names & {"script", "i", "b", "img", "link", "iframe"}
        assert not [name for name in tags.attributes if name.startswith("on")]
        assert "\u202e" not in text
        assert "http" not in text.replace("http-equiv", "")
    with (tmp_path / "out" / "csv" / "numbers.csv").open(newline="", encoding="utf-8") as file:
        names = {row["who"] for row in csv.DictReader(file)}
    assert names == {f"'{HOSTILE}", "../../up"}


def test_no_page_of_a_rep_names_another(answers: Answers, tmp_path: Path) -> None:
    write_trends(answers, tmp_path)
    found = sorted((tmp_path / "reps").iterdir())

    assert len(found) == 11
    for path in found:
        assert set(re.findall(r"Rep \d\d", read(path)[0])) == {f"Rep {path.stem[-2:]}"}


def test_no_page_of_a_team_names_or_ranks_its_reps(answers: Answers, tmp_path: Path) -> None:
    write_trends(answers, tmp_path)

    for path in (tmp_path / "teams").iterdir():
        assert "Rep " not in read(path)[0]
    index, _ = read(tmp_path / "index.html")
    listed = re.findall(r">(Rep \d\d)<", index)
    assert listed == sorted(listed)
    assert len(listed) == 11


def test_names_that_look_alike_have_pages_of_their_own(tmp_path: Path) -> None:
    cards = [*series(1, rep="Zoë"), *series(1, rep="zoe"), *series(1, rep="??"), *series(1, rep="!")]
    write_trends(ask(written(tmp_path / "a.jsonl", cards), Chosen()), tmp_path / "out")

    assert {path.name for path in (tmp_path / "out" / "reps").iterdir()} == {
        "zoe.html",
        "zoe-2.html",
        "page.html",
        "page-2.html",
    }


def test_csv_holds_what_was_answered(answers: Answers, tmp_path: Path) -> None:
    write_trends(answers, tmp_path)

    for question, rows in answers.rows.items():
        with (tmp_path / "csv" / f"{question}.csv").open(newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        assert len(found) == len(rows)
        assert list(found[0]) == list(rows[0])
