"""Faults of the account stop everything, once and for all recordings: nothing is lost, nothing is tried for nothing.

While the pause lasts, messages hide and no attempt is counted. One message at a time tries again; when the service that
refused takes it, the pause ends by itself. A pause that an operator has set ends when an operator lifts it.

A month that has reached the cost cap stops what would begin to cost: submissions and rescores. What is transcribed is
paid for, and is scored. That pause ends by itself with the month, and when the cap is raised or waived.
"""

import random
import time

from callcoach.errors import AccountRefused
from callcoach.notifications import Notifications
from callcoach.observability import count, count_percent, logger
from callcoach.plain_text import ascii_text, clipped, without_links
from callcoach.state import Known, Pause, Spent, State

# How soon after a refusal one message tries again.
PROBE_SECONDS = 600.0
# Who set the pause tells people; if that run was killed first, somebody else does after this.
UNTOLD_SECONDS = 60.0

# What a pause by the cost cap says it is set by.
COST_CAP = "cost_cap"

_TOLD_SUBJECT = "callcoach is paused: AssemblyAI refuses the account"
_CAP_TOLD_SUBJECT = "callcoach is paused: the month has reached its cost cap"


def month_of(moment: float) -> str:
    """Return the month of a moment, in UTC: 2026-11."""
    return time.strftime("%Y-%m", time.gmtime(moment))


def is_reached(cap_usd: float, spent: Spent) -> bool:
    """Return whether a month may cost no more. A cap of 0 is none."""
    return 0 < cap_usd <= spent.usd and not spent.is_waived


class Pauses:
    """Sets, tells, tries and lifts the pause, on behalf of one function. cap_usd: of a month; 0 for none."""

    def __init__(self, state: State, operators: Notifications, function: str, cap_usd: float = 0.0) -> None:
        self._state = state
        self._operators = operators
        self._function = function
        self._cap_usd = cap_usd

    @property
    def month(self) -> str:
        """The month whose cost is held against the cap; "" where there is none."""
        return month_of(time.time()) if self._cap_usd else ""

    def weigh(self, known: Known) -> Pause | None:
        """Return the pause as it is once the month's cost was held against the cap: set, lifted, or left as it was."""
        pause, spent = known.pause, known.spent
        if self._cap_usd:
            count_percent("CostCapUsedPercent", 100 * spent.usd / self._cap_usd)
        reached = is_reached(self._cap_usd, spent)
        if pause and pause.by == COST_CAP and not reached:
            if self._state.lift_pause_by(COST_CAP):
                _count_lifted(pause)
            return None
        if pause or not reached:
            return pause
        pause = Pause(
            by=COST_CAP,
            reason=f"{spent.usd:,.2f} USD were spent in {self.month}, and the cap is {self._cap_usd:,.2f}",
            since_at=time.time(),
        )
        logger.error("paused", reason=pause.reason)
        count("CostCapReached")
        if self._state.pause(pause):
            self._tell(pause)
        return pause

    def begin(self, refusal: AccountRefused) -> None:
        """Set the pause, and tell operators if nobody has done so."""
        now = time.time()
        pause = Pause(
            by=self._function,
            reason=str(refusal),
            service=refusal.service,
            since_at=now,
            probe_at=now + PROBE_SECONDS,
        )
        logger.error("paused", reason=pause.reason)
        count("AccountRefusals")
        is_set = self._state.pause(pause)
        if not is_set and self._state.lift_pause_by(COST_CAP):
            # That one would let through what is refused.
            is_set = self._state.pause(pause)
        if is_set:
            self._tell(pause)

    def lets_through(self, pause: Pause, *, begins_spending: bool) -> bool:
        """Return whether a message may be worked on although the pause lasts.

        One that the cost cap does not concern may, and one that finds out whether AssemblyAI still refuses the account.
        """
        now = time.time()
        if not pause.told and pause.since_at + UNTOLD_SECONDS < now:
            self._tell(pause)
        if pause.by == COST_CAP:
            return not begins_spending
        return (
            pause.by == self._function
            and pause.probe_at <= now
            and self._state.take_probe(pause, next_at=now + PROBE_SECONDS)
        )

    def end(self, pause: Pause) -> None:
        """Lift the pause: AssemblyAI takes the account again."""
        self._state.lift_pause()
        _count_lifted(pause)

    def _tell(self, pause: Pause) -> None:
        is_cap = pause.by == COST_CAP
        text = (
            f"callcoach is paused. {without_links(clipped(ascii_text(pause.reason), 500))}\n\n"
            f"{_CAP_ADVICE if is_cap else _ACCOUNT_ADVICE}"
        )
        self._operators.publish(_CAP_TOLD_SUBJECT if is_cap else _TOLD_SUBJECT, text, {"notice": "paused"})
        self._state.pause_told()


_ACCOUNT_ADVICE = (
    "Nothing is lost: recordings and callbacks wait in their queues, and no attempt is wasted.\n\n"
    "What to do: check the API key in Secrets Manager, and the balance and the plan at\n"
    "AssemblyAI. callcoach looks every ten minutes, and goes on by itself when the account\n"
    "is accepted.\n"
)
_CAP_ADVICE = (
    "Nothing is lost: recordings wait in their queue, and no attempt is wasted. Calls that\n"
    "AssemblyAI has in hand are still scored.\n\n"
    "What to do: raise MonthlyCostCapUsd by a deployment, or waive it for the rest of the month\n"
    "with make resume. Else callcoach goes on by itself when the month is over (UTC).\n"
)


def _count_lifted(pause: Pause) -> None:
    logger.info("resumed", reason=pause.reason)
    count("PausesLifted")


def look_again_seconds() -> float:
    """Return for how long a message hides while everything is paused, different for each."""
    return random.uniform(300, 600)  # noqa: S311 - jitter, not a secret
