"""Break a function's work at a named point: kill it there, or refuse, lose, delay or spoil what it asks for.

A test decides about each request that a function sends out, to AWS and to AssemblyAI alike:

    with Interference(cloud, stand_in, decide) as interference:
        ...
    interference.seen
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from tests.sandbox.calls import Call

if TYPE_CHECKING:
    from tests.sandbox.assemblyai.server import AssemblyAI
    from tests.sandbox.cloud import Cloud

AnswerType = TypeVar("AnswerType")


@dataclass(frozen=True)
class SideEffect:
    """One request that a function of the stack sends out; a repetition by its HTTP client is another one.

    `what` names the request without anything that differs from run to run: `sqs SendMessage CallbacksQueue`,
    `s3 PutObject submissions/`, `assemblyai GET /v2/transcript/{id}`. `number` counts those of the same function and
    name, from 1, since the interference began.
    """

    function: str
    what: str
    number: int


@dataclass(frozen=True)
class Kill:
    """Kill the function's processes that are at work, before the request is carried out or after it."""

    after: bool


@dataclass(frozen=True)
class Refuse:
    """Do not carry the request out, and answer an error in the service's own shape.

    `code` is what AWS calls the error; of AssemblyAI it is the error's text.
    """

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lose:
    """End the connection without an answer, before the request is carried out or after."""

    after: bool


@dataclass(frozen=True)
class Late:
    """Carry the request out, and wait before it is answered."""

    seconds: float


@dataclass(frozen=True)
class Spoil:
    """Answer these bytes instead of the service's answer, and end the connection.

    A Content-Length among the headers is sent as it is, so it may promise more than there is.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False

    @property
    def sent_headers(self) -> dict[str, str]:
        """All headers: the given ones, and those without which a client would wait for more."""
        given = {name.title(): value for name, value in self.headers.items()}
        return {"Content-Length": str(len(self.body)), **given, "Connection": "close"}


Action = Kill | Refuse | Lose | Late | Spoil
Decide = Callable[[SideEffect], Action | None]


class LostError(ConnectionError):
    """The connection ends here, without an answer."""


@dataclass(frozen=True)
class Answers(Generic[AnswerType]):
    """What a server can answer to the request that it has before it."""

    carry_out: Callable[[], AnswerType]
    refuse: Callable[[Refuse], AnswerType]
    spoil: Callable[[Spoil], AnswerType]
    wait: Callable[[float], object]


class SideEffects:
    """The side effects of the functions, in order; what was decided about each happens to it."""

    def __init__(self, decide: Decide, kill: Callable[[str], None]) -> None:
        """Prepare; servers bring the requests.

        Args:
            decide: Asked once for each side effect, by the thread that answers it, so it may wait; None lets it be.
            kill: Kills the processes of a function that are at work.
        """
        self._decide = decide
        self._kill = kill
        self._lock = threading.Lock()
        self._counts = Counter[tuple[str, str]]()
        self.seen: list[SideEffect] = []

    def intercept(self, function: str, what: str, answers: Answers[AnswerType]) -> AnswerType:
        """Return the answer that was decided on. Raises LostError where there is to be none."""
        action = self._decide(self._note(function, what))
        match action:
            case None:
                return answers.carry_out()
            case Refuse():
                return answers.refuse(action)
            case Late(seconds):
                answer = answers.carry_out()
                answers.wait(seconds)
                return answer
            case Kill() | Lose() | Spoil():
                if action.after:
                    answers.carry_out()
        if isinstance(action, Spoil):
            return answers.spoil(action)
        if isinstance(action, Kill):
            self._kill(function)
        raise LostError(what)

    def _note(self, function: str, what: str) -> SideEffect:
        with self._lock:
            self._counts[function, what] += 1
            effect = SideEffect(function, what, self._counts[function, what])
            self.seen.append(effect)
            return effect


class Interference:
    """Interferes with both sides of the functions, the cloud and AssemblyAI, while its `with` block is open."""

    def __init__(self, cloud: "Cloud", stand_in: "AssemblyAI", decide: Decide = lambda _: None) -> None:
        """`decide` is asked for each side effect, see SideEffects; without it they are only noted."""
        self._effects = SideEffects(decide, cloud.kill)
        self._cloud = cloud
        self._stand_in = stand_in
        self._installed = ExitStack()

    @property
    def seen(self) -> list[SideEffect]:
        """What the functions have sent out so far, in order."""
        return list(self._effects.seen)

    def __enter__(self) -> Self:
        self._installed.enter_context(self._cloud.intercept(self._effects))
        self._installed.enter_context(self._stand_in.intercept(self._effects))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._installed.close()


def describe_call(call: Call, logical_ids: Mapping[str, str], recordings_bucket: str | None) -> str:
    """Name a call to AWS as SideEffect does. `logical_ids` are those of the stack's resources by their bare names."""
    subject = ""
    match call.service:
        case "s3":
            bucket, key = call.parameters.get("Bucket", ""), call.parameters.get("Key", "")
            if bucket == recordings_bucket:
                subject = "recordings"
            else:
                subject = f"{key.partition('/')[0]}/" if key else logical_ids.get(bucket, bucket)
        case "sqs":
            name = call.parameters.get("QueueUrl", "").rsplit("/", 1)[-1]
            subject = logical_ids.get(name, name)
        case "sns":
            name = call.parameters.get("TopicArn", "")
            subject = logical_ids.get(name, name)
    return f"{call.service} {call.operation} {subject}".rstrip()


def describe_assemblyai_request(method: str, path: str) -> tuple[str, str]:
    """Name the function that sends a request to AssemblyAI, and the request as SideEffect does.

    Nothing in the request tells its sender, but no path is used by both functions.
    """
    function = "SubmitFunction" if path == "/v2/transcript" else "ScorecardFunction"
    shown = re.sub(r"^/v2/transcript/[^/]+", "/v2/transcript/{id}", path)
    return function, f"assemblyai {method} {shown}"
