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
    """Some words, one in each column, and the text that they are about. below: what to do, on a line of its own."""

    cells: tuple[str, ...]
    text: str
    below: str = ""


class Rows(msgspec.Struct, frozen=True):
    """Rows one under the other. columns: how wide each word's column is at least.

    A text is cut at blanks alone, so that an address in it can be copied. What to do is left to the terminal to fold:
    the commands in it can be copied too.
    """

    rows: Sequence[Row]
    columns: tuple[int, ...]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(self.lines(options.max_width)), no_wrap=True, overflow="ignore")

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
                indent = " " * beside
                lines += _filled(row.text, width, words, indent)
            else:
                indent = _INDENT
                lines += [*_filled(" ".join(row.cells), width, "", indent), *_filled(row.text, width, indent, indent)]
            lines += [indent + row.below] if row.below else []
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
