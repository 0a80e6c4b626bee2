"""What those who run callcoach can tell a deployed stack to do: python -m callcoach COMMAND.

Each command finds the stack by CloudFormation, wires the adapters that the functions use too, and prints what came of
it: a few lines for people, or with --json one line for machines. Questions, waiting and errors go to stderr.

exit code 0    done
          1    not done, or not all of it; stderr says what to do
          2    wrong usage
          3    not done within the time that was given, and perhaps later
"""

import time
from datetime import UTC, datetime

import boto3
import click
import msgspec
from botocore import exceptions as aws
from requests import Session

from callcoach.commands_deploy import deploy
from callcoach.commands_destroy import destroy
from callcoach.commands_doctor import HTTP, doctor
from callcoach.commands_drop import drop
from callcoach.commands_rescore import rescore
from callcoach.commands_scorecard import open_report, show
from callcoach.commands_smoke import smoke
from callcoach.commands_status import status, watch
from callcoach.commands_subscribe import subscribe, unsubscribe
from callcoach.commands_trends import trends
from callcoach.commands_work import redrive, submit
from callcoach.deployed import Answer, Deployed, about_a_stack, printing
from callcoach.errors import (
    AccountRefused,
    CallCoachError,
    InProgress,
    RequestRefused,
    SettingsError,
    TransientError,
)
from callcoach.forgetting import Forgotten
from callcoach.pause import COST_CAP, month_of
from callcoach.plain_text import how_many
from callcoach.stack import Stack, StackNotFound
from callcoach.state import Pause

# AWS's words for credentials that are none or have ended, and for rights that are missing.
_BAD_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# S3 has no words in its answer to HEAD.
_NO_RIGHT = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_SIGN_IN = "Sign in (aws sso login, or aws configure), or name a profile that works in AWS_PROFILE."

# What a failure comes to for whoever gave the command: the first kind that fits.
_ADVICE: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((StackNotFound,), "{}. Name another stack with --stack, or its region with --region."),
    ((AccountRefused,), "AssemblyAI refuses the account: {}. Nothing was taken away here. See that the key is valid."),
    (
        (RequestRefused,),
        "{}. Nothing was taken away here. A transcript that is still being made may have to be finished first.",
    ),
    ((InProgress,), "{}, and does not end. Try again in a quarter of an hour."),
    ((SettingsError,), "{}. See that it is there, and that your credentials may read it."),
    ((msgspec.MsgspecError,), "a document in the scorecards bucket is not of this version's kind: {}."),
    ((TransientError,), "{}. Try again later; what was done stays done."),
    ((aws.NoRegionError,), "no AWS region is set. Name the stack's with --region, or in AWS_DEFAULT_REGION."),
    (
        (
            aws.CredentialRetrievalError,
            aws.LoginError,
            aws.NoAuthTokenError,
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
            aws.ProfileNotFound,
            aws.SSOError,
            aws.TokenRetrievalError,
        ),
        f"there are no AWS credentials: {{}}. {_SIGN_IN}",
    ),
    (
        (aws.ConnectionError, aws.HTTPClientError),
        "AWS cannot be reached: {}. See that the region exists (--region) and the network is up.",
    ),
)


class _Commands(click.Group):
    """Ends every command that fails with why it did, and what to do."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (
            boto3.exceptions.Boto3Error,
            aws.BotoCoreError,
            aws.ClientError,
            CallCoachError,
            StackNotFound,
            msgspec.MsgspecError,
        ) as fault:
            raise click.ClickException(_explained(fault)) from fault
        except click.Abort as ended:
            # Somebody who says no, or interrupts, knows why it ends.
            if not isinstance(ended.__context__, EOFError):
                raise
            raise click.ClickException(
                "nobody is here to answer, so nothing was done. With --yes, where --help lists it, nothing is asked."
            ) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.pass_context
def callcoach(context: click.Context) -> None:
    """Run a deployed callcoach. The stack is found by its name, with the AWS credentials of your shell."""
    context.obj = boto3.session.Session
    context.meta[HTTP] = Session


for command in (
    deploy,
    smoke,
    destroy,
    status,
    watch,
    show,
    open_report,
    drop,
    submit,
    rescore,
    redrive,
    subscribe,
    unsubscribe,
    doctor,
    trends,
):
    callcoach.add_command(command)


@callcoach.command()
@click.argument("recording", metavar="KEY")
@click.option("--keep-recording", is_flag=True, help="Leave the recording in its bucket.")
@click.option("--keep-at-assemblyai", is_flag=True, help="Leave AssemblyAI out, where its account is gone.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@about_a_stack
@printing
def forget(deployed: Deployed, *, recording: str, keep_recording: bool, keep_at_assemblyai: bool, yes: bool) -> Answer:
    """Take away all that is kept of a recording.

    KEY is the recording's whole name in its bucket. It goes with all its versions, what was written about it, what
    waits in the queues, and its transcripts at AssemblyAI. An interrupted run is to be repeated.
    """
    stack = deployed.stack
    if not yes:
        what = "what is kept of it, but not the recording" if keep_recording else "the recording and what is kept of it"
        question = f"Forget {recording}: {what}, in the stack {stack.name}? It cannot be undone."
        click.confirm(question, abort=True, err=True)
    assemblyai = None if keep_at_assemblyai else deployed.assemblyai()
    try:
        forgotten = deployed.forgetter(assemblyai).forget(recording, keep_recording=keep_recording)
    finally:
        if assemblyai:
            assemblyai.close()
    if forgotten.is_nothing and not forgotten.before_at:
        raise click.ClickException(deployed.unknown(recording))
    document = {"recording": recording, "stack": stack.name, "removed": msgspec.to_builtins(forgotten)}
    return Answer(document, _told_of(recording, forgotten, stack))


def _told_of(recording: str, forgotten: Forgotten, stack: Stack) -> str:
    if forgotten.is_nothing:
        return f"Forgotten already, on {_date(forgotten.before_at)}: {recording}"
    versions = forgotten.recording
    counts = [
        ("recording", "left as it is" if versions is None else how_many(versions, "version", none="no")),
        *((f"{kind}/", how_many(versions, "version", none="no")) for kind, versions in forgotten.documents.items()),
        ("AssemblyAI", how_many(len(forgotten.transcripts), "transcript", none="no")),
        *((queue, how_many(messages, "message", none="no")) for queue, messages in forgotten.messages.items()),
        ("state table", how_many(forgotten.state_items, "item", none="no")),
    ]
    hidden = [f"{queue} {messages}" for queue, messages in forgotten.out_of_sight.items() if messages]
    lines = [f"Forgotten: {recording}", *(f"  {where:<16} {count}" for where, count in counts)]
    if hidden:
        lines.append(
            f"Hidden messages, of this call or others, which cannot be looked at yet: {', '.join(hidden)}.\n"
            "Should one be about this call, it finds nothing and ends."
        )
    lines.append(
        "Out of reach: e-mails that were sent, copies that people made, and AssemblyAI's backups.\n"
        f"Log lines, which hold ids alone, end after {stack.parameters['LogRetentionDays']} days."
    )
    return "\n".join(lines)


@callcoach.command(short_help="Ask nothing of AssemblyAI until you resume.")
@click.option("--reason", default="", help="Why, for those who come upon it.")
@about_a_stack
@printing
def pause(deployed: Deployed, *, reason: str) -> Answer:
    """Let everything wait: nothing is asked of AssemblyAI until you resume.

    Recordings and callbacks stay in their queues; what a function has in hand is finished. A pause that callcoach has
    set becomes yours, and no longer ends by itself. Without a reason, that of the pause before stays.
    """
    wanted = Pause(by="operator", reason=reason, since_at=time.time(), told=True)
    while not deployed.state.pause(wanted):
        before = deployed.state.look("").pause
        if before and not reason:
            wanted = msgspec.structs.replace(wanted, reason=before.reason)
        deployed.state.lift_pause()
    return Answer({"paused": True, "reason": wanted.reason}, f"Paused. To go on: {deployed.command('resume')}")


@callcoach.command()
@about_a_stack
@printing
def resume(deployed: Deployed) -> Answer:
    """Lift the pause, whoever has set it. One of the cost cap is lifted for the rest of the month."""
    lifted = deployed.state.look("").pause
    month = month_of(time.time())
    waives = lifted is not None and lifted.by == COST_CAP
    if waives:
        deployed.state.waive_cap(month)
    deployed.state.lift_pause()
    if lifted is None:
        return Answer({"paused": False, "lifted": None}, "It was not paused.")
    since = _date(lifted.since_at)
    beyond = f"The cost cap no longer holds in {month}; from the next month on it does again.\n" if waives else ""
    return Answer(
        {"paused": False, "lifted": {"by": lifted.by, "reason": lifted.reason, "since": since}},
        f"Resumed. It was paused by {lifted.by} on {since}{lifted.reason and ': '}{lifted.reason}\n{beyond}"
        "What waits goes on within ten minutes.",
    )


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _explained(fault: Exception) -> str:
    """Return why a command has failed, and what to do about it."""
    if isinstance(fault, aws.ClientError):
        return _refused_by_aws(fault)
    advice = next((said for kinds, said in _ADVICE if isinstance(fault, kinds)), "{}")
    return advice.format(fault)


def _refused_by_aws(fault: aws.ClientError) -> str:
    error = fault.response["Error"]
    code, message = error.get("Code", ""), error.get("Message", "")
    if code in _BAD_CREDENTIALS:
        return f"AWS does not know your credentials, or they have ended ({code}). {_SIGN_IN}"
    if code in _NO_RIGHT:
        what = fault.operation_name if code == "403" else message or code
        return f"your credentials lack a right: {what}. Use others (AWS_PROFILE), or ask for that right."
    return f"AWS refuses {fault.operation_name}: {code}: {message}. See that --region and --stack are right."
