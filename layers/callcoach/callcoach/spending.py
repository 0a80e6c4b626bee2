"""What calls cost is added up by the month, where a cost cap wants to know it."""

import time
from collections.abc import Iterable

from callcoach.observability import logger
from callcoach.pause import month_of
from callcoach.pricing import Cost
from callcoach.state import State


class Spending:
    """Adds to the month, each step of a transcript once. cap_usd: 0 where nothing is to be counted."""

    def __init__(self, state: State, cap_usd: float) -> None:
        self._state = state
        self._cap_usd = cap_usd

    def add(self, transcript_id: str, step: str, costs: Iterable[Cost]) -> None:
        """Count what a step has cost, unless it is counted. What cannot be known is told and not counted."""
        if not self._cap_usd:
            return
        usd = 0.0
        for cost in costs:
            if cost.usd is None:
                logger.warning("a cost is not known, and not counted", reason=cost.reason)
            usd += cost.usd or 0.0
        if usd:
            self._state.count_spending(month_of(time.time()), transcript_id, step, round(usd, 6))
