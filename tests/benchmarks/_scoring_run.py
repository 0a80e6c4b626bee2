"""All that ScorecardFunction computes for one call, without the services that it asks: the steps of its pipeline."""

import hashlib
import pkgutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, Protocol
from unittest import mock

import msgspec
import requests
from tests.unit.examples import settings, submission

from callcoach.assemblyai import AssemblyAI
from callcoach.documents import encode
from callcoach.transcript import identified, storable
from scorecard.mail import message_attributes, render_mail
from scorecard.readiness import require_finished
from scorecard.replies import CoachAttempt
from scorecard.report import render_report
from scorecard.scoring import score_call
from scorecard.speakers import assign_roles


class Written(NamedTuple):
    """What is stored and sent. replies: as it is kept after each of the coach's answers."""

    transcript: bytes
    replies: list[bytes]
    report: bytes
    scorecard: bytes
    mail: str


class Answers(Protocol):
    """What AssemblyAI says about a call: _long_calls.LongCall has it in memory."""

    @property
    def transcript(self) -> bytes: ...

    @property
    def identification(self) -> bytes: ...

    def coach_reply(self, messages: Iterable[Mapping[str, str]], /) -> bytes: ...


@dataclass
class _Response:
    content: bytes
    status_code: int = 200


@contextmanager
def answers_about(call: Answers) -> Iterator[AssemblyAI]:
    """Provide AssemblyAI's client, which gets its answers about a call at once and from nowhere."""
    answered: dict[int, bytes] = {}

    def request(_: requests.Session, __: str, url: str, *, data: bytes | None, **___: object) -> _Response:
        if url.endswith("/chat/completions"):
            # The same question is asked again and again; how long a model thinks is not measured.
            key = hash(data)
            if key not in answered:
                answered[key] = call.coach_reply(msgspec.json.decode(data or b"")["messages"])
            return _Response(answered[key])
        return _Response(call.identification if url.endswith("/understanding") else call.transcript)

    with mock.patch.object(requests.Session, "request", request):
        client = AssemblyAI(lambda *, fresh=False: "key", "http://127.0.0.1", "http://127.0.0.1")
        yield client
        client.close()


def score(client: AssemblyAI, *, coached_minutes: int = 180) -> Written:
    """Score the call that the client answers about. coached_minutes: longer calls get their numbers only."""
    options = settings(coach_max_minutes=coached_minutes)
    transcript = client.transcript("t1")
    asked_about = submission(transcript_id=transcript.id, rep="Dana Reyes", customer="Acme", call_type="discovery")
    require_finished(transcript, asked_about, overdue=False)
    identification = client.identify_speakers(transcript.id, options.roles).identification
    msgspec.json.encode(identification)
    transcript = identified(transcript, identification)
    roles = assign_roles(transcript.utterances or [], transcript.identification, options.roles)
    stored = encode(storable(transcript))
    replies: list[bytes] = []

    def keep(attempts: Sequence[CoachAttempt]) -> None:
        replies.append(msgspec.json.encode(attempts))

    scored = score_call(
        transcript,
        roles,
        asked_about,
        options,
        client.complete,
        keep=keep,
        transcript_sha256=hashlib.sha256(stored).hexdigest(),
    )
    report = render_report(scored.scorecard, transcript).encode()
    scorecard = encode(scored.scorecard)
    subject, mail = render_mail(scored.scorecard, "scorecards")
    message_attributes(scored.scorecard)
    return Written(stored, replies, report, scorecard, f"{subject}\n\n{mail}")


# The parts of the work, and the functions whose time is theirs, where they are called from.
PARTS: Mapping[str, Sequence[str]] = {
    "transcript read": ("callcoach.assemblyai.decode_transcript",),
    "identification read": ("callcoach.assemblyai.AssemblyAI.identify_speakers",),
    "roles": (f"{__name__}.assign_roles", "scorecard.scoring.text_signals", "scorecard.scoring.review_roles"),
    "metrics": tuple(
        f"scorecard.scoring.{name}"
        for name in ("talk_listen", "call_metrics", "mentions", "speaker_table", "notices", "unassigned_share")
    ),
    "sentiment": ("scorecard.scoring.read_sentiment",),
    "prompt": ("scorecard.scoring.question_about", "scorecard.coach.Coach.ask"),
    "reply checked": (
        "scorecard.scoring.unusable_fields",
        "scorecard.scoring.Editor.__init__",
        "scorecard.scoring.Editor.coaching",
        "scorecard.scoring.Editor.shifts",
    ),
    "report": (f"{__name__}.render_report",),
    "mail": (f"{__name__}.render_mail",),
    "JSON written": (f"{__name__}.encode", "scorecard.scoring.encode"),
}


def seconds_by_part(client: AssemblyAI) -> dict[str, float]:
    """Return the processor time of each part of scoring the client's call; a part's is without that of others in it."""
    spent = dict.fromkeys([*PARTS, "rest"], 0.0)
    running = ["rest"]
    last = time.thread_time()

    def switch() -> None:
        nonlocal last
        now = time.thread_time()
        spent[running[-1]] += now - last
        last = now

    def watched(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            switch()
            running.append(part)
            try:
                return function(*arguments, **named)
            finally:
                switch()
                running.pop()

        return call

    with ExitStack() as patches:
        for part, names in PARTS.items():
            for name in names:
                patches.enter_context(mock.patch(name, watched(part, pkgutil.resolve_name(name))))
        last = time.thread_time()
        score(client)
        switch()
    return spent
