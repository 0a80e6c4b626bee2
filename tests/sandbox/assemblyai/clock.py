"""Time as the stand-in counts it, so that rules about minutes can be tested in milliseconds."""

import math
import threading
import time


class Clock:
    """The service's seconds. `scale` is how many real seconds one of them lasts."""

    def __init__(self, scale: float) -> None:
        if scale <= 0:
            raise ValueError("a clock's scale is more than 0")
        self.scale = scale

    def now(self) -> float:
        """Return the service's seconds since some fixed moment."""
        return time.monotonic() / self.scale

    def wait(self, stop: threading.Event, seconds: float | None) -> bool:
        """Wait for `seconds` of the service (None: for ever) or until `stop` is set; return whether it was set."""
        return stop.wait(None if seconds is None else seconds * self.scale)


class RateLimit:
    """Requests per window of the service's seconds. A rejected request counts too, as it does live."""

    def __init__(self, clock: Clock, window_seconds: float = 60.0) -> None:
        self._clock = clock
        self._window_seconds = window_seconds
        self._lock = threading.Lock()
        self._opened_at = -math.inf
        self._count = 0

    def take(self, limit: int) -> tuple[int, int]:
        """Count one request. Return what remains of `limit` (negative: over it) and the window's rest.

        The rest is in whole real seconds, since the client that obeys it lives in real time.
        """
        with self._lock:
            now = self._clock.now()
            if now - self._opened_at >= self._window_seconds:
                self._opened_at, self._count = now, 0
            self._count += 1
            rest_seconds = (self._opened_at + self._window_seconds - now) * self._clock.scale
            return limit - self._count, max(1, math.ceil(rest_seconds))
