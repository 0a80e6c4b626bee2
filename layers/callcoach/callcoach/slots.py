"""Turns in the rate limits that all invocations share, taken before a request is sent: a rejected one counts too."""

import time
from collections.abc import Mapping

from callcoach.errors import RateLimited, SlotAhead
from callcoach.observability import count
from callcoach.state import Progress, State

# A turn within this is waited for in the function; for a later one the message hides.
LONGEST_WAIT_SECONDS = 5.0
# A hidden message comes back so much before its turn, which takes up what queue and start of the function need.
LEAD_SECONDS = 3.0
# A turn that was missed by more is booked anew: late requests would meet those whose turn it is.
LATE_SECONDS = 10.0
# AssemblyAI counts by the minute.
WINDOW_SECONDS = 60.0


class Slots:
    """The turns of one piece of work.

    per_minute: the limits by kind: "understanding", or "chat" for each model.
    """

    def __init__(self, state: State, work_id: str, progress: Progress, per_minute: Mapping[str, int]) -> None:
        self._state = state
        self._work_id = work_id
        self._progress = progress
        self._per_minute = per_minute

    def wait(self, kind: str, step: str, model: str = "") -> None:
        """Return when it is the turn of a step, which is booked once however often the message is delivered.

        A turn before the end of a hold is booked anew: it would be rejected, and count. Raises SlotAhead when the turn
        is more than a few seconds away.
        """
        kept, self._progress = self._progress, Progress()
        is_new = kept.slot != step or kept.slot_at <= time.time() - LATE_SECONDS
        slot_at = self._book(kind, model) if is_new else kept.slot_at
        while True:
            wait_seconds = slot_at - time.time()
            if wait_seconds > LONGEST_WAIT_SECONDS:
                self._state.keep_slot(self._work_id, step, slot_at)
                raise SlotAhead(f"the turn of {step} comes later", retry_after_seconds=early_seconds(wait_seconds))
            time.sleep(max(wait_seconds, 0.0))
            # Of a turn that came at once, the booking has just said that there is no hold.
            if (is_new and wait_seconds <= 0.0) or self._state.limit_held_until(_name(kind, model)) <= slot_at:
                return
            is_new, slot_at = True, self._book(kind, model)

    def rejected(self, kind: str, fault: RateLimited, model: str = "") -> None:
        """Let no turn come for a while: AssemblyAI has rejected a request although it was this one's turn."""
        count("SlotsRejected")
        self._state.hold_limit(_name(kind, model), fault.retry_after_seconds or WINDOW_SECONDS)

    def _book(self, kind: str, model: str) -> float:
        count("SlotsReserved")
        return self._state.book_slot(_name(kind, model), self._per_minute[kind])


def early_seconds(wait_seconds: float) -> float:
    """Return for how long a message hides whose turn comes after wait_seconds."""
    return max(wait_seconds - LEAD_SECONDS, 1.0)


def _name(kind: str, model: str) -> str:
    return f"{kind}#{model}" if model else kind
