"""python -m callcoach show and open: a call's scorecard, and its report."""

from datetime import UTC, datetime

import click
import msgspec

from callcoach.calls import Call
from callcoach.deployed import Answer, Deployed, about_a_stack, err, printing
from callcoach.documents import document_key
from callcoach.meanings import meaning
from callcoach.moments import age
from callcoach.published import read_scorecard
from callcoach.scorecard_view import ScorecardView
from callcoach.traces import silent

# A link that is signed lives no longer, and with keys of a session not even so long.
_LONGEST_MINUTES = 7 * 24 * 60


@click.command()
@click.argument("recording", metavar="KEY")
@about_a_stack
@printing
def show(deployed: Deployed, *, recording: str) -> Answer:
    """Show the scorecard of a call.

    KEY is the recording's whole name in its bucket.
    """
    _require_scored(deployed, recording)
    body = deployed.documents.read("scorecards", recording)
    if body is None:
        raise click.ClickException(f"the scorecard of {recording} was deleted a moment ago.")
    return Answer(msgspec.json.decode(body), ScorecardView(read_scorecard(body)))


@click.command("open")
@click.argument("recording", metavar="KEY")
@click.option("--browser", is_flag=True, help="Open it in a browser too.")
@click.option(
    "--minutes",
    type=click.IntRange(1, _LONGEST_MINUTES),
    default=60,
    show_default=True,
    help="How long the link lives at the most.",
)
@about_a_stack
@printing
def open_report(deployed: Deployed, *, recording: str, browser: bool, minutes: int) -> Answer:
    """Print a link to the report of a call.

    KEY is the recording's whole name in its bucket. Whoever has the link can read the report, without signing in, as
    long as it lives: at most as long as the credentials that made it.
    """
    _require_scored(deployed, recording)
    report = {"Bucket": deployed.documents.bucket, "Key": document_key("reports", recording)}
    link = deployed.s3.generate_presigned_url("get_object", Params=report, ExpiresIn=60 * minutes)
    if browser and click.launch(link) != 0:
        err.print("No browser was found here. Open the link yourself:")
    return Answer({"recording": recording, "link": link, "minutes": minutes}, link)


def _require_scored(deployed: Deployed, recording: str) -> None:
    """End with what became of a call that has no scorecard; of one that is being replaced, say so."""
    now = datetime.now(UTC)
    traces = deployed.tracer(silent).of(recording)
    if traces is None:
        raise click.ClickException(deployed.unknown(recording))
    (call,) = deployed.calls(silent).described({recording: traces}, now)
    if traces.scorecards is None:
        raise click.ClickException(_not_yet(deployed, call, now))
    if call.state != "scored":
        err.print(f"This is the scorecard of what lay there before. Of what does now: {_what_became(call, now)}.")


def _not_yet(deployed: Deployed, call: Call, now: datetime) -> str:
    told = f"there is no scorecard of {call.recording}: {_what_became(call, now)}"
    return f"{told}.\n{call.next_step}" if call.next_step else f"{told}. See: {deployed.command('status')}"


def _what_became(call: Call, now: datetime) -> str:
    since = age(call.since_at, now)
    if call.state == "failed":
        return f"it failed {since} ago ({(call.detail or meaning('failure', call.reason)).rstrip('.')})"
    return {
        "dropped": f"it was dropped {since} ago and is not submitted yet",
        "transcribing": f"it was submitted {since} ago and is being transcribed or scored",
        "overdue": f"it was submitted, and has been overdue for {since}; callcoach looks after it by itself",
    }.get(call.state, call.state)
