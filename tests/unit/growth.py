"""How the time of some work grows with what it works on, however fast the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")

# Of what is four times as long: less than that square. Linear work takes 4 times as long, quadratic work 16 times.
FOUR_TIMES = 8


def times_as_long(work: Callable[[Given], object], short: Given, long: Given, runs: int = 3) -> float:
    """Return how many times as long work takes for one as for the other: the least processor time of several runs."""

    def seconds(given: Given) -> float:
        started = time.thread_time()
        work(given)
        return time.thread_time() - started

    measured = [(seconds(short), seconds(long)) for _ in range(runs)]
    return min(one for _, one in measured) / min(one for one, _ in measured)
