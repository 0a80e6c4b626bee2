"""Stored AssemblyAI transcripts -> scorecards, without a cloud and without a bill: the stand-in's coach writes."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.assemblyai.roles import identify_roles
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

from callcoach.assemblyai import AssemblyAI as Client
from callcoach.documents import CallDetails, Submission, encode
from callcoach.errors import CallCoachError, PermanentError
from callcoach.transcript import SpeakerIdentification, Transcript, decode_transcript, identified
from scorecard.mail import render_mail
from scorecard.phrases import percent
from scorecard.readiness import require_finished
from scorecard.report import render_report
from scorecard.scorecard import Scorecard
from scorecard.scoring import score_call
from scorecard.settings import Settings
from scorecard.speakers import assign_roles

ROLES = ("Sales Rep", "Customer")
_KEY = "sandbox"
# A folder of transcripts is no burst of one account.
_UNLIMITED = 10**9


@dataclass(frozen=True)
class Row:
    """What became of one file: its scorecard, or why there is none."""

    name: str
    scorecard: Scorecard | None
    refusal: str = ""


@dataclass(frozen=True)
class Scored:
    """A scorecard and what it was made from."""

    name: str
    transcript: Transcript
    scorecard: Scorecard

    def write(self, out: Path) -> None:
        """Lay the scorecard, the page and the e-mail out as the deployed stack does."""
        subject, mail = render_mail(self.scorecard, "BUCKET")
        for folder, suffix, content in (
            ("scorecards", "json", encode(self.scorecard)),
            ("reports", "html", render_report(self.scorecard, self.transcript).encode()),
            ("mail", "txt", f"Subject: {subject}\n\n{mail}".encode()),
        ):
            path = out / folder / f"{self.name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def score(paths: Sequence[Path], out: Path, overrides: Mapping[str, str]) -> int:
    """Score every transcript in paths (files, or folders with .json files) into out; return 1 if any is refused.

    overrides: diarized label -> role, for all files.
    """
    files = list(_files(paths))
    if not files:
        print("no .json file there", file=sys.stderr)
        return 1
    account = Account(_KEY, chat_requests_per_minute=_UNLIMITED)
    rows: list[Row] = []
    with AssemblyAI(_KEY, account=account) as stand_in:
        settings = default_settings(stand_in.url)
        client = Client(lambda *, fresh=False: _KEY, stand_in.url, stand_in.url)
        for number, (name, file) in enumerate(files, start=1):
            _progress(number, len(files), name)
            try:
                transcript = decode_transcript(file.read_bytes())
                scored = _score_file(name, transcript, settings, client, overrides)
                scored.write(out)
                rows.append(Row(name, scored.scorecard))
            except PermanentError as fault:
                rows.append(Row(name, None, f"{fault.detail}. {fault.next_step}"))
            except (CallCoachError, OSError) as fault:
                rows.append(Row(name, None, str(fault)))
        client.close()
    _print_table(rows, out)
    return int(any(row.scorecard is None for row in rows))


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield str(file.relative_to(path).with_suffix("")), file
        else:
            yield path.stem, path


def default_settings(url: str) -> Settings:
    """Return what template.yaml sets by default, with nothing of AWS in it."""
    return Settings(
        assemblyai_secret_name="",
        assemblyai_api_url=url,
        llm_gateway_url=url,
        callbacks_queue_url="",
        callbacks_dlq_url="",
        recordings_queue_url="",
        scorecards_bucket_name="",
        scorecards_topic_arn="",
        operations_topic_arn="",
        state_table_name="",
        roles=ROLES,
        target_rep_share=0.40,
        coach_model="claude-sonnet-4-6",
        coach_fallback_model="",
        coach_temperature="0",
        coach_language="call",
        coach_max_minutes=180,
        rep_channel=0,
        identifications_per_minute=30,
        coach_requests_per_minute=30,
        report_sender="",
        report_recipients=(),
        delete_at_assemblyai=False,
        monthly_cost_cap_usd=0.0,
    )


def submission_of(name: str, transcript: Transcript, details: CallDetails) -> Submission:
    """Return the record that a transcript would have, had it been asked for."""
    return Submission(
        bucket="",
        recording=name,
        etag="",
        size_bytes=0,
        sequencer="",
        transcript_id=transcript.id,
        submitted_at="2000-01-01T00:00:00Z",
        overdue_after_seconds=0,
        deadline_at="9999-12-31T00:00:00Z",
        call=details,
        asked={},
    )


def _score_file(
    name: str, transcript: Transcript, settings: Settings, client: Client, overrides: Mapping[str, str]
) -> Scored:
    submission = submission_of(name, transcript, CallDetails())
    require_finished(transcript, submission, overdue=False)
    if not overrides and transcript.identification is None:
        transcript = identified(transcript, _identification(transcript))
    roles = assign_roles(
        transcript.utterances or [], transcript.identification, settings.roles, override=overrides or None
    )
    scored = score_call(transcript, roles, submission, settings, client.complete)
    return Scored(name, transcript, scored.scorecard)


def _identification(transcript: Transcript) -> SpeakerIdentification:
    """Let the stand-in tell who is who, as it does for its own transcripts."""
    spoken: dict[str, list[str]] = {}
    for utterance in transcript.utterances or []:
        spoken.setdefault(utterance.speaker, []).append(utterance.text)
    return SpeakerIdentification(status="success", mapping=identify_roles(spoken, ROLES))


def _progress(number: int, total: int, name: str) -> None:
    if sys.stderr.isatty():
        done = 30 * number // total
        bar = f"[{'#' * done}{'.' * (30 - done)}] {number}/{total} {name[-40:]:<40}"
        print(f"\r{bar}", end="\n" if number == total else "", file=sys.stderr, flush=True)


def _print_table(rows: Sequence[Row], out: Path) -> None:
    width = max(len(row.name) for row in rows)
    print(f"{'call':<{width}}  {'status':<13} {'minutes':>7} {'rep':>5} {'shifts':>6} {'suggestions':>11}  reason")
    for row in rows:
        card = row.scorecard
        if card is None:
            print(f"{row.name:<{width}}  {'refused':<13} {'':>7} {'':>5} {'':>6} {'':>11}  {row.refusal}")
            continue
        shifts = "-" if card.sentiment is None or card.sentiment.shifts is None else len(card.sentiment.shifts)
        suggestions = len(card.coaching.suggestions) if card.coaching else "-"
        print(
            f"{row.name:<{width}}  {card.status:<13} {card.call.duration_seconds / 60:>7.1f}"
            f" {percent(card.talk_listen.rep_share):>5} {shifts!s:>6} {suggestions!s:>11}  {card.status_reason or ''}"
        )
    refused = sum(row.scorecard is None for row in rows)
    print(f"\n{len(rows) - refused} scored into {out}, {refused} refused")
