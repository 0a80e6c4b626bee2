"""Telling the people who run callcoach what they alone can mend."""

from callcoach.notifications import Notifications
from callcoach.state import State

# The same thing is not told again for a day.
QUIET_SECONDS = 24 * 3600.0


class Operators:
    """Sends a notice to OperationsTopic, each at most once a day."""

    def __init__(self, state: State, notifications: Notifications) -> None:
        self._state = state
        self._notifications = notifications

    def tell(self, notice: str, subject: str, text: str) -> None:
        """Tell it unless it was told within a day. notice: what it is about, as a short constant name."""
        if self._state.first_notice(notice, QUIET_SECONDS):
            self._notifications.publish(subject, text, {"notice": notice.partition("#")[0]})
