"""Faults of the account stop everything, once and for all recordings: nothing is lost, nothing is tried for nothing.

While the pause lasts, messages hide and no attempt is counted. One message at a time tries again; when the service that
refused takes it, the pause ends by itself. A pause that an operator has set ends when an operator lifts it.
"""

import random
import time

from callcoach.errors import AccountRefused
from callcoach.notifications import Notifications
from callcoach.observability import count, logger
from callcoach.plain_text import ascii_text, clipped, without_links
from callcoach.state import Pause, State

# How soon after a refusal one message tries again.
PROBE_SECONDS = 600.0
# Who set the pause tells people; if that run was killed first, somebody else does after this.
UNTOLD_SECONDS = 60.0

_TOLD_SUBJECT = "callcoach is paused: AssemblyAI refuses the account"


class Pauses:
    """Sets, tells, tries and lifts the pause, on behalf of one function."""

    def __init__(self, state: State, operators: Notifications, function: str) -> None:
        self._state = state
        self._operators = operators
        self._function = function

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
        if self._state.pause(pause):
            self._tell(pause)

    def lets_through(self, pause: Pause) -> bool:
        """Return whether a message may be worked on although the pause lasts, to find out whether it still has to."""
        now = time.time()
        if not pause.told and pause.since_at + UNTOLD_SECONDS < now:
            self._tell(pause)
        return (
            pause.by == self._function
            and pause.probe_at <= now
            and self._state.take_probe(pause, next_at=now + PROBE_SECONDS)
        )

    def end(self, pause: Pause) -> None:
        """Lift the pause: AssemblyAI takes the account again."""
        self._state.lift_pause()
        logger.info("resumed", reason=pause.reason)
        count("PausesLifted")

    def _tell(self, pause: Pause) -> None:
        text = (
            f"callcoach is paused. {without_links(clipped(ascii_text(pause.reason), 500))}\n\n"
            "Nothing is lost: recordings and callbacks wait in their queues, and no attempt is wasted.\n\n"
            "What to do: check the API key in Secrets Manager, and the balance and the plan at\n"
            "AssemblyAI. callcoach looks every ten minutes, and goes on by itself when the account\n"
            "is accepted.\n"
        )
        self._operators.publish(_TOLD_SUBJECT, text, {"notice": "paused"})
        self._state.pause_told()


def look_again_seconds() -> float:
    """Return for how long a message hides while everything is paused, different for each."""
    return random.uniform(300, 600)  # noqa: S311 - jitter, not a secret
