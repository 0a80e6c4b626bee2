"""The leak search: everything happens once, and then all that is kept, sent and written is searched.

For keys, for what opens a recording, and for what was said on a call in places that are not made for it.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.faults.stage import JOURNEYS, QUEUES, TRANSCRIPT, Journey, Stage, stage
from tests.integration.operator_commands import run
from tests.integration.stack import KEY
from tests.integration.test_sandbox_gateway import call_back
from tests.integration.test_sandbox_gateway import key as webhook_key
from tests.sandbox.account import Credentials
from tests.sandbox.interference import Action, Kill, Refuse, SideEffect
from tests.sandbox.places import Place, searchable

# So many words of a call in a row are no accident.
RUN_OF_WORDS = 6
# Where a call may be quoted: in the documents about it, and in the e-mail that brings its scorecard.
MADE_FOR_WORDS = re.compile(
    r"s3 (transcripts|replies|reports|scorecards)|mail ScorecardsTopic (complete|numbers_only)|mail report"
)
PRESIGNED = ("X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential")

SUBMIT = "assemblyai POST /v2/transcript"
CHAT = "assemblyai POST /v1/chat/completions"
SCORED = JOURNEYS["scored"]
Decide = Callable[[SideEffect], Action | None]


@dataclass(frozen=True)
class Leak:
    """Something that is where it must not be; what it is, and not its value."""

    what: str
    place: Place

    def __str__(self) -> str:
        return f"{self.what} in {self.place.kind}: {self.place.name}"


@dataclass(frozen=True)
class Needles:
    """What must not be found. secrets: by what they are; said: the words of the calls, in order."""

    secrets: Mapping[str, Sequence[str]]
    said: Sequence[Sequence[str]]

    @cached_property
    def runs(self) -> set[tuple[str, ...]]:
        """Every run of words."""
        return {run_ for words in self.said for run_ in _runs(words)}

    def found_in(self, place: Place) -> Iterator[Leak]:
        """Yield what is in a place."""
        text = searchable(place.text)
        for what, values in self.secrets.items():
            if any(variant in text for value in values for variant in _variants(value)):
                yield Leak(what, place)
        if not MADE_FOR_WORDS.fullmatch(place.kind) and not self.runs.isdisjoint(_runs(_words(text))):
            yield Leak("words of a call", place)


def _variants(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.casefold())


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(RUN_OF_WORDS)), strict=False)


def needles(on: Stage) -> Needles:
    """Return what must not be found after all that has happened on a stage."""
    cloud, links = on.stack.cloud, [str(job.fields["audio_url"]) for job in on.stack.stand_in.jobs.values()]
    queries = [parse_qs(urlsplit(link).query) for link in links]
    credentials = [cloud.function_credentials(function) for function in cloud.invocations]
    return Needles(
        secrets={
            "the key of AssemblyAI": [KEY],
            **{f"the webhook's key {letter}": [webhook_key(cloud, letter)] for letter in "AB"},
            "a signed link": PRESIGNED,
            "the signature of a link": sorted({query["X-Amz-Signature"][0] for query in queries}),
            "credentials of a function": [
                secret for each in credentials for secret in (each.secret_access_key, each.session_token) if secret
            ],
        },
        said=[_words(utterance["text"]) for utterance in TRANSCRIPT["utterances"]],
    )


def search(found: Iterable[Place], wanted: Needles) -> tuple[Counter[str], list[Leak]]:
    """Return how many places of each kind were searched, and what was found."""
    searched, leaks = Counter[str](), list[Leak]()
    for place in found:
        searched[place.kind] += 1
        leaks += wanted.found_in(place)
    return searched, leaks


# Everything that happens.


def happen(on: Stage) -> list[Place]:
    """Let everything happen once, and return what the commands of operators have printed."""
    stories: Sequence[tuple[Journey, Decide]] = (
        (SCORED, _empty_bucket(on)),
        (SCORED, _nothing),
        (JOURNEYS["failed"], _nothing),
        (JOURNEYS["unsupported"], _nothing),
        (JOURNEYS["repaired"], _nothing),
        (replace(SCORED, coach_faults=("refusal", "refusal"), outcome="numbers_only"), _nothing),
        (replace(SCORED, transcript_error=_with_link("Language detection failed for {}")), _nothing),
        (
            replace(SCORED, transcript_error=_with_link("Download error to {0}, 403 Client Error for url: {0}")),
            _nothing,
        ),
        (SCORED, _at(SUBMIT, 1, Refuse(401, f"Authentication error, API token {KEY} missing/invalid"), most=2)),
        (SCORED, _echo(on, SUBMIT, lambda request: f'"audio_url" {request["audio_url"]} cannot be reached')),
        (SCORED, _echo(on, SUBMIT, lambda request: f"invalid: {json.dumps(_addresses(request), indent=1)}")),
        (SCORED, _echo(on, CHAT, lambda request: f"cannot be processed: {_words_of_call(request)}")),
        (SCORED, _at("s3 PutObject reports/", 1, Kill(after=False))),
        (SCORED, _at("s3 PutObject transcripts/", 1, Refuse(403, "AccessDenied"))),
        (SCORED, _at("s3 PutObject replies/", 1, Refuse(503, "SlowDown"), most=8)),
        (SCORED, _at("sns Publish ScorecardsTopic", 1, Refuse(403, "AuthorizationError"))),
    )
    for journey, decide in stories:
        on.run(journey, decide)
    _send_nonsense(on)
    return [Place("command", command, output) for command, output in _commands(on)]


def _nothing(_: SideEffect) -> None:
    return None


def _at(what: str, first: int, action: Action, *, most: int = 1) -> Decide:
    """Do something to some requests of a name."""
    return lambda effect: action if effect.what == what and first <= effect.number < first + most else None


def _with_link(text: str) -> str:
    link = "https://recordings.s3.eu-west-1.amazonaws.com/a.ogg?" + "&".join(f"{name}=planted" for name in PRESIGNED)
    return text.format(link)


def _echo(on: Stage, what: str, said: Callable[[Any], str]) -> Decide:
    """Let AssemblyAI repeat a request in its refusal; it sees one before, which it answers 503."""

    def decide(effect: SideEffect) -> Action | None:
        if effect.what != what:
            return None
        if effect.number == 1:
            return Refuse(503, "try again")
        method, path = what.split()[1:]
        return Refuse(400, said(json.loads(on.stack.stand_in.requests(method, path)[-1].body)))

    return decide


def _addresses(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reversed(list(request.items())) if name == "audio_url" or "webhook" in name}


def _words_of_call(request: Mapping[str, Any]) -> str:
    prompt = str(request["messages"][-1]["content"])
    said = prompt.index(TRANSCRIPT["utterances"][1]["text"][:20])
    return prompt[said : said + 300]


def _empty_bucket(on: Stage) -> Decide:
    """Let AssemblyAI find no recording behind its link."""
    cloud = on.stack.cloud

    def decide(effect: SideEffect) -> Action | None:
        if effect.what == SUBMIT:
            s3, bucket = cloud.client("s3"), cloud.outputs["RecordingsBucketName"]
            for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
        return None

    return decide


def _send_nonsense(on: Stage) -> None:
    """Put messages into the queues that nobody of ours has written, with the right key and without."""
    stack = on.stack
    for body in ({"transcript_id": "1", "status": "completed"}, {"transcript_id": "1", "status": "done"}, {}, "hello"):
        for key in (webhook_key(stack.cloud), "wrong"):
            call_back(stack.cloud, body, x_api_key=key)
    for queue in QUEUES:
        for text in ("hello", "{}", '{"detail": {"bucket": {"name": "b"}}}', "[" * 5000):
            stack.cloud.client("sqs").send_message(QueueUrl=stack.queue_url(queue), MessageBody=text)
    for _ in range(10):
        on.settle()
        stack.cloud.pass_time(3600)


def _commands(on: Stage) -> Iterator[tuple[str, str]]:
    """Give every command, in ways that succeed and that fail, and yield what is printed."""
    stack = on.stack
    known = next(key for key in _recordings(on) if stack.document("scorecards", key))
    account = stack.stand_in.account
    for arguments in (["pause", "--reason", "a test"], ["resume"], ["resume", "--stack", "another"], ["--help"]):
        yield _printed(on, *arguments)
    stack.stand_in.account = replace(account, api_key="another")
    yield _printed(on, "forget", "--yes", known)
    stack.stand_in.account = account
    yield _printed(on, "forget", "--yes", known, credentials=stack.cloud.function_credentials("SubmitFunction"))
    yield _printed(on, "forget", "--yes", "--json", known)
    yield _printed(on, "forget", "--yes", known)
    yield _printed(on, "forget", "--yes", "unknown.ogg")


def _recordings(on: Stage) -> list[str]:
    cloud = on.stack.cloud
    found = cloud.client("s3").list_objects_v2(Bucket=cloud.outputs["RecordingsBucketName"]).get("Contents", [])
    return [str(item["Key"]) for item in found]


def _printed(on: Stage, *arguments: str, credentials: Credentials | None = None) -> tuple[str, str]:
    ran = run(on.stack.cloud, *arguments, credentials=credentials)
    return arguments[0], f"{ran.out}\n{ran.err}"


@contextmanager
def searched_stage() -> Iterator[tuple[Stage, list[Place]]]:
    """Deploy a stack that logs as much as it can, let everything happen, and give what the commands have printed."""
    with stage(parameters={"LogLevel": "DEBUG", "OperationsEmail": "operator@example.com"}) as on:
        yield on, happen(on)
