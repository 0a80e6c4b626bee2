"""The stand-in's way out: downloads of recordings and deliveries of webhooks."""

import http.client
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Answer:
    """What a server outside answered."""

    status: int
    reason: str
    content_type: str
    body: bytes


class Network:
    """HTTP over a private name service.

    `hosts` maps a host name to a base URL. A request to that name, or to one under it, goes to the base
    URL's address with path, query and Host header unchanged; the longest name that fits wins. It may
    change at any time.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Answer:
        """Send `body`; redirects are not followed.

        Raises OSError or http.client.HTTPException where no whole answer came in time.
        """
        started = time.monotonic()
        answer, _ = self._exchange("POST", url, headers, body, timeout_seconds)
        if time.monotonic() - started > timeout_seconds:
            # The socket's limit is per read; a receiver that drips its answer is late all the same.
            raise TimeoutError("the answer took too long")
        return answer

    def get(self, url: str, *, timeout_seconds: float, redirects: int = 5) -> Answer:
        """Fetch `url`, following redirects.

        Raises OSError or http.client.HTTPException where no whole answer came in time.
        """
        answer, location = self._exchange("GET", url, {}, None, timeout_seconds)
        if answer.status in REDIRECTS and location and redirects:
            return self.get(urljoin(url, location), timeout_seconds=timeout_seconds, redirects=redirects - 1)
        return answer

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_seconds: float
    ) -> tuple[Answer, str | None]:
        asked = urlsplit(url)
        target = urlsplit(self._base_url(asked))
        connect = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = connect(target.hostname or "", target.port, timeout=timeout_seconds)
        try:
            path = (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
            connection.request(method, path, body, {"Host": asked.netloc.rpartition("@")[2], **headers})
            response = connection.getresponse()
            content_type = response.getheader("Content-Type", "application/octet-stream")
            answer = Answer(response.status, response.reason, content_type, response.read())
            return answer, response.getheader("Location")
        finally:
            connection.close()

    def _base_url(self, asked: SplitResult) -> str:
        known = longest_suffix(asked.hostname or "", self.hosts)
        return self.hosts[known] if known is not None else f"{asked.scheme}://{asked.netloc}"


def longest_suffix(host: str, names: Iterable[str]) -> str | None:
    """Return the longest of `names` that is `host` or a domain above it."""
    above = [name for name in names if host == name or host.endswith(f".{name}")]
    return max(above, key=len, default=None)
