"""What an endpoint of the stand-in receives and answers, whatever server carries it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are in lower case; a repeated query parameter keeps its last value."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body. Raises ValueError where it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """One HTTP answer: `body` is sent as JSON, or as plain text where it is a string."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """An error answer. Each service of AssemblyAI has a body of its own for it."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.body}")
        self.response = response
