"""Rows of a few short words and a text, in a terminal of any width. Pure."""

import textwrap
from collections.abc import Sequence

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

# A text that has less room beside its words, and does not fit there, stands below them.
_ROOM_COLUMNS = 40
_INDENT = "    "


class Row(msgspec.Struct, frozen=True):
    """Some words, one in each column, and the text that they are about. below: what belongs under the text."""

    cells: tuple[str, ...]
    text: str
    below: str = ""


class Rows(msgspec.Struct, frozen=True):
    """Rows one under the other. columns: how wide each word's column is at least.

    A text is cut at blanks alone, so that a command or an address in it can be copied.
    """

    rows: Sequence[Row]
    columns: tuple[int, ...]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(self.lines(options.max_width)), overflow="fold")

    def lines(self, width: int) -> list[str]:
        """Return all lines, of so many columns."""
        columns = [
            max([least, *(len(row.cells[number]) for row in self.rows)]) for number, least in enumerate(self.columns)
        ]
        beside = sum(columns) + len(columns)
        lines = []
        for row in self.rows:
            words = "".join(f"{cell:<{column}} " for cell, column in zip(row.cells, columns, strict=True))
            fits = not row.below and beside + len(row.text) <= width
            if fits or width - beside >= _ROOM_COLUMNS:
                lines += _filled(row.text, width, words, " " * beside)
                lines += _filled(row.below, width, " " * beside, " " * beside)
            else:
                lines += _filled(" ".join(row.cells), width, "", _INDENT)
                lines += [line for text in (row.text, row.below) for line in _filled(text, width, _INDENT, _INDENT)]
        return lines


def _filled(text: str, width: int, first: str, rest: str) -> list[str]:
    return [
        line.rstrip()
        for line in textwrap.wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
