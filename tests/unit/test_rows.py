"""Rows in terminals of any width."""

import pytest

from callcoach.rows import Row, Rows

COMMAND = "python -m callcoach resume --stack callcoach-b --region eu-west-1"
ROWS = Rows(
    [
        Row(("ok", "stack"), "found"),
        Row(
            ("problem", "cost cap"), "by cost_cap since Monday, and as long as the month lasts", f"-> {COMMAND} goes on"
        ),
    ],
    columns=(12, 20),
)


def test_a_wide_terminal_has_a_line_for_each_text() -> None:
    assert ROWS.lines(200) == [
        "ok           stack                found",
        "problem      cost cap             by cost_cap since Monday, and as long as the month lasts",
        f"                                  -> {COMMAND} goes on",
    ]


def test_a_folded_text_stays_in_its_column() -> None:
    assert ROWS.lines(80)[1:3] == [
        "problem      cost cap             by cost_cap since Monday, and as long as the",
        "                                  month lasts",
    ]


def test_in_a_narrow_terminal_a_text_that_does_not_fit_stands_below() -> None:
    assert ROWS.lines(60) == [
        "ok           stack                found",
        "problem cost cap",
        "    by cost_cap since Monday, and as long as the month lasts",
        f"    -> {COMMAND} goes on",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_line_is_wider_but_for_a_word_that_is(width: int) -> None:
    address = "arn:aws:sns:eu-west-1:123456789012:a-topic-with-a-long-name"
    lines = Rows([Row((address, "confirmed"), "all scorecards and failures")], columns=(40, 14)).lines(width)

    assert [line for line in lines if len(line) > width] in ([], [address])
    assert address in " ".join(lines)
