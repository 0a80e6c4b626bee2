"""python -m callcoach rescore: calls are scored again from their stored transcripts."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
import msgspec

from callcoach.calls import Call, Calls
from callcoach.deployed import (
    Answer,
    Deployed,
    When,
    about_a_stack,
    call_type_option,
    dry_run_option,
    err,
    printing,
    skipped_lines,
    telling_progress,
    yes_option,
)
from callcoach.documents import Override, Submission, encode, encode_key
from callcoach.plain_text import how_many, printable
from callcoach.queues import send
from callcoach.rescoring import Corrections, Side, cost, override, request, sides_of
from callcoach.side_by_side import side_by_side
from callcoach.traces import Progress, Traces
from callcoach.transcript import decode_transcript


class _Role(click.ParamType[tuple[str, Side]]):
    name = "role"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Side]:
        label, _, side = str(value).partition("=")
        if not label or side not in ("rep", "customer"):
            self.fail(f"{value!r} is no role: say LABEL=rep or LABEL=customer, such as A=customer", param, ctx)
        return label, "rep" if side == "rep" else "customer"


@click.command(short_help="Score calls again from their stored transcripts.")
@click.argument("recordings", metavar="[KEY]...", nargs=-1)
@click.option("--prefix", help="All calls whose names begin with this.")
@click.option("--since", type=When(), help="All that were dropped since then: 24h, 30d, 2026-05-06.")
@click.option(
    "--role", "roles", type=_Role(), multiple=True, metavar="LABEL=SIDE", help="Who a speaker is, such as A=customer."
)
@call_type_option
@dry_run_option
@yes_option
@about_a_stack
@printing
def rescore(
    deployed: Deployed,
    *,
    recordings: Sequence[str],
    prefix: str | None,
    since: datetime | None,
    roles: Sequence[tuple[str, Side]],
    call_type: str | None,
    dry_run: bool,
    yes: bool,
) -> Answer:
    """Score calls again with today's prompt, rubric, model and settings, from their stored transcripts.

    KEY is a recording's whole name in its bucket. --role and --call-type put right what is wrong about a call; that is
    kept, and holds for every later scoring of its transcript. The new scorecard replaces the old one, and its e-mail
    says so; about a call that was submitted with --quiet there is none. May be repeated: a question that was answered
    is not paid for again.
    """
    if bool(recordings) == (prefix is not None or since is not None):
        raise click.UsageError("Name recordings, or choose them by --prefix or --since.")
    if roles and len(recordings) != 1:
        raise click.UsageError("--role is about one recording: in each call other people have the labels.")
    stack = deployed.stack
    with telling_progress() as progress:
        calls = deployed.calls(progress)
        found = deployed.traces(deployed.tracer(progress), recordings, prefix or "", since)
        wanted, skipped = _rescorable(deployed, found, calls, named=bool(recordings))
        cards = calls.scorecards({key: found[key] for key in wanted if found[key].scorecards})
    document: dict[str, object] = {"stack": stack.name, "rescored": [], "skipped": skipped}
    if recordings and skipped:
        why = "\n  ".join(skipped_lines(skipped))
        raise click.ClickException(f"nothing was done, because there is no transcript to score again:\n  {why}")
    corrections = Corrections(_roles(deployed, wanted[recordings[0]], dict(roles)) if roles else {}, call_type)
    if dry_run or not wanted:
        lines = [f"Would be scored again: {printable(key, 1024)}" for key in sorted(wanted)]
        text = "\n".join([*lines, *skipped_lines(skipped)]) or "There is nothing to score again."
        return Answer(document | {"would_rescore": sorted(wanted)}, text)
    if not yes:
        err.print(cost(cards.values(), len(wanted), coach_models=stack.coach_models))
        click.confirm(
            f"Score {how_many(len(wanted), 'recording')} of the stack {stack.name} again?", abort=True, err=True
        )
    with telling_progress() as progress:
        requests = _put_right(deployed, wanted, corrections, progress)
        left = send(
            deployed.sqs,
            stack.queue_urls["CallbacksQueue"],
            {key: request(made) for key, made in requests.items()},
            progress,
            attributes=lambda key: {"recording": encode_key(key)},
        )
    sent = sorted(set(requests) - set(left))
    return Answer(
        document | {"rescored": sent},
        "\n".join(
            [
                f"{how_many(len(sent), 'recording')} to be scored again: {deployed.command('watch')}",
                *skipped_lines(skipped),
            ]
        ),
        f"the queue did not take {how_many(len(left), 'recording')}. Give the command once more." if left else "",
    )


def _rescorable(
    deployed: Deployed, found: Mapping[str, Traces], calls: Calls, *, named: bool
) -> tuple[dict[str, Submission], dict[str, str]]:
    """Return the submissions whose transcripts can be scored again, and why others cannot.

    named: somebody named each, so a failed one may do, and whether its transcript is stored is looked at.
    """
    wanted: dict[str, Submission] = {}
    skipped: dict[str, str] = {}
    for call in calls.described(found, datetime.now(UTC)):
        submission = calls.submission(call.recording, found[call.recording])
        reason = _why_not(call, named=named)
        if not reason and (submission is None or (named and not _labels(deployed, submission))):
            reason = "no_transcript"
        if reason or submission is None:
            skipped[call.recording] = reason
        else:
            wanted[call.recording] = submission
    return wanted, skipped


def _why_not(call: Call, *, named: bool) -> str:
    if call.state == "scored" or (named and call.state == "failed" and call.stage == "score"):
        return ""
    return call.reason or call.state


def _labels(deployed: Deployed, submission: Submission) -> list[str]:
    """Return the labels of those who speak in a stored transcript; none where it is not stored."""
    body = deployed.documents.read("transcripts", submission.recording)
    transcript = decode_transcript(body) if body else None
    if transcript is None or transcript.id != submission.transcript_id:
        return []
    return list(dict.fromkeys(said.speaker for said in transcript.utterances or []))


def _roles(deployed: Deployed, submission: Submission, said: Mapping[str, Side]) -> dict[str, Side]:
    try:
        return sides_of(_labels(deployed, submission), said)
    except ValueError as fault:
        raise click.UsageError(f"{fault}.") from None


def _put_right(
    deployed: Deployed, wanted: Mapping[str, Submission], corrections: Corrections, progress: Progress
) -> dict[str, Override]:
    """Write what holds for each call from now on, with a new request in it."""

    def write(submission: Submission) -> Override:
        body = deployed.documents.read("overrides", submission.recording)
        before = msgspec.json.decode(body, type=Override) if body else None
        made = override(submission, before, corrections, uuid.uuid4().hex)
        deployed.documents.write("overrides", submission.recording, encode(made))
        return made

    written: dict[str, Override] = {}
    for made in side_by_side(write, list(wanted.values())):
        written[made.recording] = made
        progress("requests written", len(written), len(wanted))
    return written
