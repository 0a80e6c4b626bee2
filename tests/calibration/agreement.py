"""How far levels agree: with what was expected of a call, and with each other. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Judged:
    """One behaviour of one call: the level that was expected, and those that its runs came to. None: not judged."""

    expected: int | None
    levels: Sequence[int | None]


@dataclass(frozen=True)
class Agreement:
    """How far the levels of one behaviour agree. A share is None where there is nothing to count.

    expected: runs of calls in which a level was expected; exact_share and within_one_share are of these, and a run that
    judged nothing agrees with none. mean_difference: level minus expected level, of the runs that judged; below 0 the
    model is stricter. repeated: calls with more than one run; same_share: of these, where all runs gave the same;
    widest_spread: the largest distance of two levels of one call. no_occasion: runs of calls in which no level was
    expected; judged_without_occasion: of these, how many gave one.
    """

    expected: int
    exact_share: float | None
    within_one_share: float | None
    not_judged: int
    mean_difference: float | None
    repeated: int
    same_share: float | None
    widest_spread: int | None
    no_occasion: int
    judged_without_occasion: int


def agreement(calls: Iterable[Judged]) -> Agreement:
    """Return how far the levels of one behaviour agree."""
    calls = list(calls)
    pairs = [(judged.expected, level) for judged in calls if judged.expected is not None for level in judged.levels]
    differences = [level - expected for expected, level in pairs if level is not None]
    without = [level for judged in calls if judged.expected is None for level in judged.levels]
    repeated = [judged.levels for judged in calls if len(judged.levels) > 1]
    known = [[level for level in levels if level is not None] for levels in repeated]
    return Agreement(
        expected=len(pairs),
        exact_share=_share(differences.count(0), len(pairs)),
        within_one_share=_share(sum(abs(difference) <= 1 for difference in differences), len(pairs)),
        not_judged=len(pairs) - len(differences),
        mean_difference=round(sum(differences) / len(differences), 2) if differences else None,
        repeated=len(repeated),
        same_share=_share(sum(all(a == b for a, b in pairwise(levels)) for levels in repeated), len(repeated)),
        widest_spread=max((max(levels) - min(levels) for levels in known if levels), default=None),
        no_occasion=len(without),
        judged_without_occasion=sum(level is not None for level in without),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
