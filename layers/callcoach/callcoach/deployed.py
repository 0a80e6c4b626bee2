"""What all commands share: the stack that they are about, the options that name it, and how they tell what they do."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console, RenderableType

from callcoach.assemblyai import AssemblyAI
from callcoach.aws_clients import AWS_CONFIG, S3_CONFIG
from callcoach.call_types import CALL_TYPES
from callcoach.calls import Calls
from callcoach.forgetting import Forgetter
from callcoach.moments import moment
from callcoach.notifications import Notifications
from callcoach.plain_text import how_many, printable, words
from callcoach.samconfig import DEFAULT_STACK, SAMCONFIG, Environment, command_about, read_environment
from callcoach.secrets import Secrets
from callcoach.stack import find_stack
from callcoach.state import State
from callcoach.storage import Documents, Recordings
from callcoach.subscriptions import Subscriptions
from callcoach.traces import Progress, Tracer, Traces, silent

if TYPE_CHECKING:
    from boto3.session import Session

# So wide that no line of a table is cut where nobody looks at a terminal.
_PLAIN_COLUMNS = 10_000

out = Console(highlight=False, markup=False)
_plain_out = Console(highlight=False, markup=False, width=_PLAIN_COLUMNS)
err = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)


yes_option = click.option("--yes", is_flag=True, help="Do not ask first.")
call_type_option = click.option(
    "--call-type",
    metavar="TYPE",
    type=click.Choice([name for kind, others in CALL_TYPES.items() for name in (kind, *others)], case_sensitive=False),
    help=f"{', '.join(CALL_TYPES)}, or a name that one of them has besides: it decides what is usual.",
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


class Answer(msgspec.Struct, frozen=True):
    """What came of a command: for machines, and for people.

    not_done: what was left, and what to do about it; the command then ends with exit_code.
    """

    document: Mapping[str, object]
    text: RenderableType
    not_done: str = ""
    exit_code: int = 1


class Deployed:
    """A deployed stack, and the clients with which it is reached."""

    def __init__(self, session: "Session", name: str, endpoint_url: str | None = None) -> None:
        """Find the stack. Raises StackNotFound, and what AWS answers to somebody it does not know."""
        self.endpoint_url = endpoint_url
        self._session_client: Callable[..., Any] = partial(session.client, endpoint_url=endpoint_url)
        self.stack = find_stack(self.client("cloudformation"), name)
        self.sqs = self.client("sqs")
        self.s3 = self.client("s3")
        self.state = State(self.client("dynamodb"), self.stack.state_table)
        self.recordings = Recordings(self.s3)
        self.documents = Documents(self.s3, self.stack.scorecards_bucket)

    def client(self, service: str) -> Any:  # noqa: ANN401 - of any service
        """Return a client of an AWS service."""
        return self._session_client(service, config=S3_CONFIG if service == "s3" else AWS_CONFIG)

    @property
    def region(self) -> str:
        """Where the stack is."""
        return str(self.sqs.meta.region_name)

    def command(self, words: str) -> str:
        """Return a command about this stack, as somebody may type it."""
        return command_about(self.stack.name, self.region, words)

    def assemblyai(self) -> AssemblyAI:
        """Return the account's AssemblyAI. Raises SettingsError when its key cannot be read."""
        secrets = Secrets(self.client("secretsmanager"))
        return AssemblyAI(partial(secrets.key, self.stack.assemblyai_secret), self.stack.assemblyai_url)

    def forgetter(self, assemblyai: AssemblyAI | None) -> Forgetter:
        """Return what takes away what is kept of a recording. assemblyai: None leaves it out."""
        return Forgetter(
            self.stack.recordings_bucket,
            recordings=self.recordings,
            documents=self.documents,
            state=self.state,
            sqs=self.sqs,
            queue_urls=self.stack.queue_urls,
            assemblyai=assemblyai,
            waiting=lambda: err.print("A function works on this call. Waiting until it has ended."),
        )

    def notifications(self) -> Notifications:
        """Return what reaches everybody who gets scorecards."""
        return Notifications(self.client("sns"), self.stack.outputs["ScorecardsTopicArn"])

    def subscriptions(self, topic_arn: str) -> Subscriptions:
        """Return who gets what a topic of the stack tells."""
        return Subscriptions(self.client("sns"), topic_arn)

    def traces(
        self, tracer: Tracer, recordings: Sequence[str], prefix: str, since: datetime | None
    ) -> dict[str, Traces]:
        """Return what there is about the recordings that are named, or else about all with a prefix since a moment."""
        if not recordings:
            return {key: traces for key, traces in tracer.all(prefix).items() if not since or traces.began_at >= since}
        found = {}
        for key in recordings:
            traces = tracer.of(key)
            if traces is None:
                raise click.ClickException(self.unknown(key))
            found[key] = traces
        return found

    def unknown(self, recording: str) -> str:
        """Return what to say of a recording of which nothing is known."""
        return (
            f"nothing is known of {recording}. KEY is a recording's whole name, as it stands in the list of\n"
            f"  aws s3 ls --recursive s3://{self.stack.recordings_bucket}/"
        )

    def tracer(self, progress: Progress) -> Tracer:
        """Return what finds the objects about recordings."""
        stack = self.stack
        return Tracer(
            self.s3,
            stack.recordings_bucket,
            stack.scorecards_bucket,
            prefix=stack.recordings_prefix,
            progress=progress,
        )

    def calls(self, progress: Progress) -> Calls:
        """Return what reads the records about them."""
        return Calls(self.documents, progress)


class When(click.ParamType[datetime]):
    """A moment: so long ago, or a date."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment. A default is one already."""
        if isinstance(value, datetime):
            return value
        try:
            return moment(str(value), datetime.now(UTC))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


class Address(click.ParamType[str]):
    """Where AWS answers."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address. boto3 has no words for one that is none."""
        if not re.fullmatch(r"https?://[^\s/]+/?", value):
            self.fail(f"{value!r} is no address: say https://host or http://127.0.0.1:port", param, ctx)
        return value


class Saved(click.ParamType[Environment]):
    """An environment that was deployed from here."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Environment:
        """Return what samconfig.toml says of it."""
        try:
            environment = read_environment(SAMCONFIG, value)
        except ValueError as fault:
            self.fail(f"{SAMCONFIG} cannot be read: {fault}", param, ctx)
        return (
            environment
            if environment.region
            else self.fail(f"{SAMCONFIG} knows no {value}: nothing of that name was deployed from here", param, ctx)
        )


@contextmanager
def telling_progress() -> Iterator[Progress]:
    """Show in one line of a terminal what is being done, and leave nothing behind. Elsewhere nothing is shown."""
    if not err.is_terminal:
        yield silent
        return
    with err.status("looking at the stack") as line:

        def tell(what: str, done: int, total: int | None) -> None:
            line.update(f"{done:,}{f' of {total:,}' if total else ''} {what}")

        yield tell


def about_a_stack(command: Callable[..., object]) -> Callable[..., None]:
    """Give a command the options that all have, and the deployed stack."""

    @click.option("--stack", "stack_name", help=f"The stack's name. [default: {DEFAULT_STACK}]")
    @click.option("--region", help="The stack's AWS region, if it is not that of your shell.")
    @click.option("--endpoint-url", type=Address(), help="Where AWS answers, if not at its own addresses.")
    @click.option("--environment", type=Saved(), help="The stack of this section of samconfig.toml, in its region.")
    @wraps(command)
    def with_stack(
        *,
        stack_name: str | None,
        region: str | None,
        endpoint_url: str | None,
        environment: Environment | None,
        **options: object,
    ) -> None:
        if environment:
            stack_name, region = stack_name or environment.stack, region or environment.region
        session = click.get_current_context().obj(region_name=region)
        command(Deployed(session, stack_name or DEFAULT_STACK, endpoint_url), **options)

    return with_stack


def skipped_lines(skipped: Mapping[str, str]) -> list[str]:
    """Return a line for each reason for which recordings are left as they are; one alone is named."""
    by_reason: dict[str, list[str]] = {}
    for key, reason in sorted(skipped.items()):
        by_reason.setdefault(reason, []).append(printable(key, 1024))
    return [
        f"Left as it is ({words(reason)}): {keys[0] if len(keys) == 1 else how_many(len(keys), 'recording')}"
        for reason, keys in by_reason.items()
    ]


def tell(text: RenderableType) -> None:
    """Print what somebody asked for, folded where somebody sees it, and never cut."""
    (out if out.is_terminal else _plain_out).print(text, soft_wrap=isinstance(text, str), crop=False)


def printing(command: Callable[..., Answer]) -> Callable[..., None]:
    """Let a command print what it returns, for people or as one line of JSON."""

    @click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
    @wraps(command)
    def printed(deployed: Deployed, *, as_json: bool, **options: object) -> None:
        answer = command(deployed, **options)
        if as_json:
            click.echo(msgspec.json.encode(answer.document))
        else:
            tell(answer.text)
        if answer.not_done:
            click.ClickException(answer.not_done).show()
            click.get_current_context().exit(answer.exit_code)

    return printed
