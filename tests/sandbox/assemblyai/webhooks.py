"""Delivery of webhooks: 10 seconds for a 2xx, 10 tries 10 seconds apart, and a 4xx ends them."""

import http.client
import json
import threading
from dataclasses import dataclass, field

from tests.sandbox.assemblyai.clock import Clock
from tests.sandbox.assemblyai.network import Network

ATTEMPTS = 10
INTERVAL_SECONDS = 10.0
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Attempt:
    """One try: when it began and how long it took in the service's seconds; no status = no answer in time."""

    at: float
    seconds: float
    status: int | None


@dataclass
class Delivery:
    """One callback and all its tries. `outcome` is pending, delivered, refused (a 4xx) or failed."""

    transcript_id: str
    url: str
    status: str
    headers: dict[str, str] = field(repr=False)
    attempts: list[Attempt] = field(default_factory=list)
    outcome: str = "pending"

    @property
    def status_code(self) -> int | None:
        """The last status that the receiver returned, or None where it never answered."""
        statuses = [attempt.status for attempt in self.attempts if attempt.status is not None]
        return statuses[-1] if statuses else None


def deliver(
    delivery: Delivery, network: Network, clock: Clock, *, online: threading.Event, stop: threading.Event
) -> None:
    """Try until the receiver takes the callback, refuses it, or all tries are spent.

    A try waits until `online` is set. Ends early on `stop`; who sets that sets `online` too.
    """
    body = json.dumps({"transcript_id": delivery.transcript_id, "status": delivery.status}).encode()
    for number in range(ATTEMPTS):
        if number:
            clock.wait(stop, INTERVAL_SECONDS)
        online.wait()
        if stop.is_set():
            return
        attempt = _attempt(delivery, body, network, clock)
        delivery.attempts.append(attempt)
        if attempt.status is not None and 200 <= attempt.status < 300:
            delivery.outcome = "delivered"
            return
        if attempt.status is not None and 400 <= attempt.status < 500:
            delivery.outcome = "refused"
            return
    delivery.outcome = "failed"


def _attempt(delivery: Delivery, body: bytes, network: Network, clock: Clock) -> Attempt:
    headers = {"Content-Type": "application/json", **delivery.headers}
    started = clock.now()
    status: int | None
    try:
        answer = network.post(delivery.url, headers=headers, body=body, timeout_seconds=TIMEOUT_SECONDS * clock.scale)
        status = answer.status
    except (OSError, http.client.HTTPException):
        status = None
    return Attempt(at=started, seconds=clock.now() - started, status=status)
