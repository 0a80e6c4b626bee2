"""What trends leave in a folder: pages of reps and teams, a list of both, and the answers as CSV."""

import csv
import re
import unicodedata
from pathlib import Path
from typing import Any

from callcoach.trends import Answers
from callcoach.trends_page import pages, render

# A spreadsheet takes a text that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAME_CHARACTERS = 60


def write_trends(answers: Answers, folder: Path) -> list[Path]:
    """Write all files and return them. Those of the same names are written over, others are left."""
    written = []
    groups: dict[str, dict[str, str]] = {}
    for kind, title in (("team", "Teams"), ("rep", "Reps")):
        links = groups.setdefault(title, {})
        taken: set[str] = set()
        for page in pages(answers.rows, kind):
            name = _file_name(page.who, taken)
            links[page.who] = f"{kind}s/{name}"
            written.append(_write(folder / f"{kind}s" / name, render("trends.html.j2", page=page)))
    index = render(
        "trends_index.html.j2",
        groups=groups,
        cards=answers.cards,
        unreadable=answers.unreadable,
        nobody=_nobody(answers),
    )
    written.append(_write(folder / "index.html", index))
    return [*written, *(_write_csv(folder / "csv" / f"{name}.csv", rows) for name, rows in answers.rows.items())]


def _nobody(answers: Answers) -> dict[str, int]:
    """Return how many calls name no rep, and how many no team; nothing when all do."""
    counts = {
        kind: sum(row["calls"] for row in answers.rows["uncoached"] if row["kind"] == kind and row["who"] is None)
        for kind in ("rep", "team")
    }
    return counts if any(counts.values()) else {}


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if rows:
            writer.writerow(rows[0])
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return path


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _file_name(who: str, taken: set[str]) -> str:
    """Return a name for somebody's page that any file system takes, and nobody else's page has."""
    plain = unicodedata.normalize("NFKD", who).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_NAME_CHARACTERS] or "page"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return f"{name}.html"
