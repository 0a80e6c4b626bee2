"""Whether a deployed stack works as it should: checks with a verdict each, and what to do about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from callcoach.aws_faults import passing_fault, refusal
from callcoach.plain_text import printable, words
from callcoach.rows import Row, Rows
from callcoach.traces import Progress

# not_checked: neither good nor bad, for the reason that found gives.
Verdict = Literal["ok", "warning", "problem", "not_checked"]
VERDICTS: tuple[Verdict, ...] = ("problem", "warning", "ok", "not_checked")

_FOUND_CHARACTERS = 500
# Longer names move all lines.
_VERDICT_COLUMNS, _NAME_COLUMNS = 12, 20


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was found, and what to do unless it is as it should be."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


Look = Callable[[], Iterable[Check]]


def checked(looks: Mapping[str, Look], progress: Progress) -> list[Check]:
    """Return what all looks find. What AWS refuses to tell, or cannot tell now, is named as not checked."""
    found: list[Check] = []
    for done, (name, look) in enumerate(looks.items()):
        progress("looks", done, len(looks))
        try:
            found += look()
        except Exception as fault:
            told = refusal(fault) or passing_fault(fault)
            if told is None:
                raise
            found.append(Check(name, "not_checked", str(told)))
    return found


def counted(checks: Iterable[Check]) -> dict[Verdict, int]:
    """Return how many checks have each verdict."""
    counts = Counter(check.verdict for check in checks)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def checks_view(checks: Iterable[Check]) -> Rows:
    """Return a row for each check, and below it what to do."""
    return Rows(
        [
            Row(
                (words(check.verdict), check.name),
                printable(check.found, _FOUND_CHARACTERS),
                f"-> {printable(check.advice, _FOUND_CHARACTERS)}" if check.advice else "",
            )
            for check in checks
        ],
        columns=(_VERDICT_COLUMNS, _NAME_COLUMNS),
    )
