"""What a benchmark comes to: lines for people, and rows that a program can compare."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Row:
    """One measurement.

    against: what was measured beside it in the same run, ratio: value through that; goal: what the ratio, or the value
    where there is none, has to keep; met: whether it does. None where there is nothing to compare, or nothing wanted.
    """

    id: str
    what: str
    value: float
    unit: str
    against: str | None = None
    ratio: float | None = None
    goal: str | None = None
    met: bool | None = None

    @classmethod
    def beside(
        cls, row_id: str, what: str, value: float, unit: str, *, other: float, against: str, most: float
    ) -> Self:
        """Return a row whose goal is that value is at most so many times what was measured beside it."""
        ratio = value / other
        return cls(row_id, what, value, unit, against, ratio, f"<= {most}", ratio <= most)


@dataclass(frozen=True)
class Table:
    """A benchmark's lines and rows."""

    lines: Sequence[str]
    rows: Sequence[Row] = ()


def aligned(cells: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with columns one below the other: the first to the left, the others to the right."""
    table = [list(line) for line in cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    ]


def in_words(rows: Sequence[Row]) -> list[str]:
    """Return a table of rows."""
    if not rows:
        return []
    heads = ("", "value", "against", "ratio", "goal", "")
    return aligned([heads, *(_cells(row) for row in rows)])


def _cells(row: Row) -> Sequence[str]:
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    met = {None: "", True: "met", False: "MISSED"}[row.met]
    return row.what, f"{row.value:.4g} {row.unit}", row.against or "", ratio, row.goal or "", met


def write(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a JSON list. Rows of other benchmarks that the file holds stay."""
    kept = json.loads(path.read_bytes()) if path.exists() else []
    new = [asdict(row) for row in rows]
    ids = {row["id"] for row in new}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([*(row for row in kept if row["id"] not in ids), *new], indent=1) + "\n")
