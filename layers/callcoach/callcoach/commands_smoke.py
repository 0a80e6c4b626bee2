"""python -m callcoach smoke: a sample call through a deployed stack, from the drop to the e-mail."""

import shlex
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Group, RenderableType

from callcoach import uploads
from callcoach.aws_faults import passing_fault, refusal
from callcoach.backfill import COMPRESSED_BYTES_PER_SECOND
from callcoach.calls import Call, Calls
from callcoach.deployed import Answer, Deployed, about_a_stack, err, printing, yes_option
from callcoach.doctor import Check, checked, checks_view
from callcoach.doctor_aws import AwsDoctor
from callcoach.errors import CallCoachError
from callcoach.meanings import meaning
from callcoach.moments import age
from callcoach.pricing import SECONDS_PER_HOUR, about_usd, usual_cost
from callcoach.published import read_scorecard
from callcoach.queues import waiting
from callcoach.scorecard_view import ScorecardView
from callcoach.smoke import Stages, stages, stages_view, stuck
from callcoach.stack import Stack
from callcoach.state import Pause
from callcoach.status import call_view
from callcoach.traces import Traces, silent
from callcoach.uploads import Upload

SAMPLE = Path("tests/data/calls/discovery_price_shock/recording.ogg")
SAMPLE_SECONDS = 355
# By this people know it from other calls, in the e-mail too. Language: whatever the stack's is.
SAID_OF_SAMPLE = {"customer": "Smoke test", "call-type": "discovery", "language": "en"}

_LOOK_SECONDS = 1.0
_DROP_AGAIN_SECONDS = 60.0
_TIMED_OUT = 3

Tell = Callable[[Call, datetime], None]


@click.command(short_help="Send a sample call through the stack, and see that it is scored.")
@click.option(
    "--recording",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Another recording than {SAMPLE}.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="How long to wait at the most.",
)
@click.option("--keep", is_flag=True, help="Keep the recording, and what was written about it.")
@yes_option
@about_a_stack
@printing
def smoke(deployed: Deployed, *, path: Path | None, minutes: float, keep: bool, yes: bool) -> Answer:
    """Send a sample call through the stack: drop it, wait for its scorecard, show it, and forget it again.

    It is a real call for everybody: AssemblyAI is paid a few cents, and whoever gets scorecards gets this one. It is
    dropped under a name of its own. A call that is not scored is not forgotten, so that it can be looked at.

    Exit code 1 when it fails or is scored in part only; 3 when it is not scored in time, and may still be.
    """
    stack = deployed.stack
    if path is None:
        _require_sample_fits(deployed)
    said = uploads.metadata(SAID_OF_SAMPLE if path is None else {"customer": SAID_OF_SAMPLE["customer"]})
    (upload,) = uploads.planned([path or SAMPLE], f"{stack.recordings_prefix}smoke-test/{uuid.uuid4()}/")
    if upload.refusal:
        raise click.ClickException(f"{upload.path}: {meaning('failure', upload.refusal)}.")
    if pause := deployed.state.look("")[1]:
        raise click.ClickException(_paused(deployed, pause))
    if not yes:
        seconds = SAMPLE_SECONDS if path is None else upload.size_bytes / COMPRESSED_BYTES_PER_SECOND
        click.confirm(_question(stack, seconds), default=True, abort=True, err=True)
    run = _Run(deployed, upload, said)
    try:
        with _telling() as tell:
            call = run.follow(tell, time.monotonic() + 60 * minutes)
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted. The call goes on. {_kept(deployed, upload.key)}") from None
    took = run.stages(call)
    if call.state == "scored":
        return _scored(deployed, call, took, keep=keep)
    why, exit_code = _not_scored(deployed, call, minutes)
    return Answer(
        _document(deployed, call, took, is_forgotten=False),
        "\n".join(
            [
                call_view(call, datetime.now(UTC)),
                stages_view(took),
                f"Kept, to be looked at. {_kept(deployed, call.recording)}",
            ]
        ),
        why,
        exit_code,
    )


class _Run:
    """One recording that was dropped, and what becomes of it."""

    def __init__(self, deployed: Deployed, upload: Upload, said: dict[str, str]) -> None:
        self._deployed = deployed
        self._upload = upload
        self._said = said
        self._tracer = deployed.tracer(silent)
        self._calls = Calls(deployed.documents, silent)
        self._traces = Traces()
        self._drop()
        self._dropped_at = self._look()[0].dropped_at

    def follow(self, tell: Tell, until: float) -> Call:
        """Return the call when it is scored or has failed, when everything is paused, or when the time is over.

        until: of the monotonic clock.
        """
        drop_again_at = time.monotonic() + _DROP_AGAIN_SECONDS
        while True:
            call, now = self._look()
            tell(call, now)
            if call.state in ("scored", "failed") or time.monotonic() >= until or self._deployed.state.look("")[1]:
                return call
            if call.state == "dropped" and time.monotonic() >= drop_again_at and self._is_lost():
                # The same content again: should both events come after all, the second changes nothing.
                self._drop()
                drop_again_at = time.monotonic() + _DROP_AGAIN_SECONDS
            time.sleep(_LOOK_SECONDS)

    def stages(self, call: Call) -> Stages:
        """Return how long each stage took so far."""
        submission = self._calls.submission(self._upload.key, self._traces)
        scorecard = self._traces.scorecards
        return stages(
            self._dropped_at or call.since_at,
            submission,
            self._tracer.written_at("transcripts", self._upload.key),
            scorecard.written_at if scorecard else None,
        )

    def _drop(self) -> None:
        uploads.put(self._deployed.s3, self._deployed.stack.recordings_bucket, self._upload, self._said, lambda _: None)

    def _look(self) -> tuple[Call, datetime]:
        now = datetime.now(UTC)
        self._traces = self._tracer.of(self._upload.key) or self._traces
        (call,) = self._calls.described({self._upload.key: self._traces}, now)
        return call, now

    def _is_lost(self) -> bool:
        """Whether no message can be about it: the events of a bucket that is minutes old do not come."""
        waits = waiting(self._deployed.sqs, self._deployed.stack.queue_urls)["RecordingsQueue"]
        return not (waits.visible or waits.hidden)


def _require_sample_fits(deployed: Deployed) -> None:
    if not SAMPLE.exists():
        raise click.ClickException(f"{SAMPLE} is not here. Name a recording with --recording.")
    if deployed.stack.parameters["RepChannel"] != "0":
        raise click.ClickException(
            "this stack tells the sides apart by channel, and the sample has one only. Name a stereo recording with"
            " --recording."
        )


def _question(stack: Stack, seconds: float) -> str:
    channels = 1 if stack.parameters["RepChannel"] == "0" else 2
    cost = usual_cost(1, seconds / SECONDS_PER_HOUR, stack.coach_models, stack.speech_models, channels=channels)
    return (
        f"Send a call of {max(seconds / 60, 1):.0f} minutes through {stack.name}? AssemblyAI takes {about_usd(cost)}"
        " for it, and everybody who gets scorecards gets an e-mail."
    )


def _not_scored(deployed: Deployed, call: Call, minutes: float) -> tuple[str, int]:
    """Return why a call has no scorecard, with what to do, and the exit code."""
    if call.state == "failed":
        return f"it failed: {meaning('failure', call.reason)}. {call.next_step}", 1
    if pause := deployed.state.look("")[1]:
        return f"it is not scored yet: {_paused(deployed, pause)}", 1
    waits = waiting(deployed.sqs, deployed.stack.queue_urls)
    return f"it is not scored after {minutes:g} minutes. {stuck(call, waits, deployed.command)}", _TIMED_OUT


def _kept(deployed: Deployed, recording: str) -> str:
    return f"To take it away: {deployed.command(f'forget {shlex.quote(recording)}')}"


def _paused(deployed: Deployed, pause: Pause) -> str:
    why = f": {pause.reason.rstrip('.')}" if pause.reason else ""
    return f"callcoach is paused by {pause.by}{why}. What to do:\n  {deployed.command('doctor')}"


def _scored(deployed: Deployed, call: Call, took: Stages, *, keep: bool) -> Answer:
    body = deployed.documents.read("scorecards", call.recording)
    if body is None:
        raise click.ClickException(f"the scorecard of {call.recording} was deleted a moment ago.")
    card = read_scorecard(body)
    not_done = []
    if card.status != "complete":
        why = f"{meaning('status', card.status)}: {meaning('status_reason', card.status_reason)}"
        not_done.append(f"it is scored in part only ({why}).")
    is_forgotten, told = False, f"Kept: {call.recording}"
    if not (keep or not_done):
        is_forgotten, told = _forget(deployed, call.recording)
        not_done += [] if is_forgotten else [told]
    shown: list[RenderableType] = [ScorecardView(card), "", stages_view(took), checks_view(_mail_checks(deployed))]
    return Answer(
        {**_document(deployed, call, took, is_forgotten=is_forgotten), "scorecard": msgspec.json.decode(body)},
        Group(*shown, *([] if not_done else [told])),
        "\n".join(not_done),
    )


def _mail_checks(deployed: Deployed) -> list[Check]:
    """Return whether somebody gets scorecards. That the mail has arrived, only its reader can see."""
    look = AwsDoctor(deployed.stack, deployed.state, deployed.client).looks()["subscriptions"]
    return [check for check in checked({"subscriptions": look}, silent) if check.name != "who gets alarms"]


def _forget(deployed: Deployed, recording: str) -> tuple[bool, str]:
    """Take away what is kept of it, and return whether that is done, with what to say."""
    try:
        assemblyai = deployed.assemblyai()
        try:
            deployed.forgetter(assemblyai).forget(recording, keep_recording=False)
        finally:
            assemblyai.close()
    except Exception as fault:
        told = fault if isinstance(fault, CallCoachError) else refusal(fault) or passing_fault(fault)
        if told is None:
            raise
        again = deployed.command(f"forget {shlex.quote(recording)}")
        return False, f"it was scored, and cannot be forgotten yet: {told}.\nTry: {again}"
    return True, "Forgotten again: the recording, and all that was written about it."


def _document(deployed: Deployed, call: Call, took: Stages, *, is_forgotten: bool) -> dict[str, object]:
    return {
        "stack": deployed.stack.name,
        "call": msgspec.to_builtins(call),
        "stages": msgspec.to_builtins(took),
        "is_forgotten": is_forgotten,
    }


@contextmanager
def _telling() -> Iterator[Tell]:
    """Show what state the call is in: a line that changes in a terminal, elsewhere a line for each state."""
    said = ""
    if not err.is_terminal:

        def tell_changes(call: Call, _: datetime) -> None:
            nonlocal said
            if call.state != said:
                said = call.state
                err.print(f"{call.state}: {call.recording}")

        yield tell_changes
        return
    with err.status("dropped") as line:
        yield lambda call, now: line.update(f"{call.state} for {age(call.since_at, now)}: {call.recording}")
