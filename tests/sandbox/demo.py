"""The main job on the embedded cloud: recordings in, scorecards out, each step shown."""

import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.cloud import Cloud, Mail
from tests.sandbox.relay import Relay

from callcoach import uploads
from callcoach.documents import Failure, Kind, Submission, document_key

CALLS = Path(__file__).parents[1] / "data" / "calls"
LANGUAGES = CALLS.parent / "languages"
# checkov:skip=CKV_SECRET_6: no secret but the name of one
SECRET_NAME = "callcoach/assemblyai"
STAND_IN_KEY = "sandbox-key"
SAMPLE_SECONDS, REAL_SECONDS = 120.0, 3600.0
# How long the stand-in takes for a job and the coach for an answer: short, but long enough to be seen.
TRANSCRIBE_SECONDS, COACH_SECONDS = 2.0, 1.0

API_URLS = {
    "us": ("https://api.assemblyai.com", "https://llm-gateway.assemblyai.com"),
    "eu": ("https://api.eu.assemblyai.com", "https://llm-gateway.eu.assemblyai.com"),
}

# Who gets what; SES of the embedded cloud knows the sender's domain.
PEOPLE = {
    "NotificationEmail": "manager@example.com",
    "ReportSender": "callcoach@example.com",
    "ReportRecipients": "manager@example.com",
}
VERIFIED = ["example.com"]

_KINDS: tuple[Kind, ...] = ("submissions", "transcripts", "replies", "reports", "scorecards", "failures")


@dataclass
class Drop:
    """A recording on its way."""

    key: str
    file: Path
    metadata: Mapping[str, str]
    seen: set[str] = field(default_factory=set)
    ended: bool = False


def sample_drops() -> list[Drop]:
    """Return the sample calls under the names that a dialler's export might give them."""
    folders = [folder for folder in sorted(CALLS.iterdir()) if (folder / "script.toml").is_file()]
    return [_sample_drop(folder / "script.toml", next(folder.glob("recording.*"))) for folder in folders]


def language_drops() -> list[Drop]:
    """Return the calls in other languages, whose scripts stand for their sound."""
    return [_sample_drop(script, script) for script in sorted(LANGUAGES.glob("*.toml"))]


def _sample_drop(script_file: Path, file: Path) -> Drop:
    script = tomllib.loads(script_file.read_text("utf-8"))
    recorded_at: datetime = script["recorded_at"]
    rep, customer = (str(script[who]).lower().replace(" ", "-") for who in ("rep", "customer"))
    suffix = ".wav" if file is script_file else file.suffix
    return Drop(
        key=f"{rep}/{customer}_{script['call_type']}_{recorded_at:%Y-%m-%d}{suffix}",
        file=file,
        metadata=uploads.metadata(
            {
                "rep": script["rep"],
                "customer": script["customer"],
                "call-type": script["call_type"],
                "recorded-at": recorded_at.astimezone(UTC).isoformat(),
            }
        ),
    )


@contextmanager
def samples_cloud(logs: Path, parameters: Mapping[str, str] | None = None) -> Iterator[tuple[Cloud, AssemblyAI]]:
    """Run the deployed stack beside the stand-in, each knowing where the other is."""
    with AssemblyAI(
        STAND_IN_KEY, delay_seconds=TRANSCRIBE_SECONDS, answer_seconds={"POST /v1/chat": COACH_SECONDS}
    ) as stand_in:
        cloud = Cloud(
            parameters={"AssemblyAIEndpointUrl": stand_in.url} | PEOPLE | dict(parameters or {}),
            secrets={SECRET_NAME: STAND_IN_KEY},
            verified_identities=VERIFIED,
            function_log=logs,
        )
        with cloud:
            stand_in.hosts.update(cloud.hosts)
            yield cloud, stand_in


def demo(out: Path, recording: Path | None, api_key: str | None, region: str, *, languages: bool = False) -> int:
    """Score the sample calls, or a recording of your own by the real AssemblyAI; return 1 if one got no scorecard.

    languages: those in other languages than English.
    """
    if recording is None:
        print("Deploying template.yaml on the embedded cloud")
        drops = language_drops() if languages else sample_drops()
        with samples_cloud(_fresh_logs(out)) as (cloud, stand_in):
            return _run(cloud, drops, out, SAMPLE_SECONDS, lambda: _steps_of_stand_in(stand_in))
    if not recording.is_file():
        print(f"{recording} is no file", file=sys.stderr)
        return 2
    if not api_key:
        print(
            "A recording of your own is transcribed and coached by the real AssemblyAI, which costs about 0.40 USD per"
            " hour of sound.\nSet ASSEMBLYAI_API_KEY to a key of an account with LLM Gateway access.",
            file=sys.stderr,
        )
        return 2
    print("Deploying template.yaml on the embedded cloud; AssemblyAI is the real one")
    return score_for_real(out, recording, api_key, *API_URLS[region])


def score_for_real(
    out: Path, recording: Path, api_key: str, api_url: str, gateway_url: str, *, poll_seconds: float = 3.0
) -> int:
    """Score one recording by the AssemblyAI at these addresses, from the unchanged functions."""
    drop = Drop(key=recording.name, file=recording, metadata={})
    with Relay(api_url, gateway_url, poll_seconds=poll_seconds) as relay:
        cloud = Cloud(
            parameters={"AssemblyAIEndpointUrl": relay.url} | PEOPLE,
            secrets={SECRET_NAME: api_key},
            verified_identities=VERIFIED,
            function_log=_fresh_logs(out),
        )
        with cloud:
            relay.hosts.update(cloud.hosts)
            return _run(cloud, [drop], out, REAL_SECONDS, lambda: relay.steps)


def _fresh_logs(out: Path) -> Path:
    """Return where this run's functions write, without the lines of an earlier run."""
    logs = out / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    return logs


def _document(cloud: Cloud, kind: Kind, recording_key: str) -> bytes | None:
    """Return a document of the scorecards bucket, as an administrator sees it."""
    s3 = cloud.client("s3")
    try:
        answer = s3.get_object(Bucket=cloud.outputs["ScorecardsBucketName"], Key=document_key(kind, recording_key))
    except s3.exceptions.NoSuchKey:
        return None
    body: bytes = answer["Body"].read()
    return body


def _steps_of_stand_in(stand_in: AssemblyAI) -> dict[str, list[str]]:
    """Return what each job has gone through so far, by transcript."""
    steps = {id_: ["transcribing"] for id_, job in stand_in.jobs.items() if len(job.history) > 1}
    for delivery in stand_in.deliveries:
        if delivery.attempts:
            steps[delivery.transcript_id].append("callback")
    return steps


def _reached(cloud: Cloud, drop: Drop, steps: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the steps that a call has reached, in order."""
    yield "uploaded"
    body = _document(cloud, "submissions", drop.key)
    if body is not None:
        yield "submitted"
        yield from steps.get(msgspec.json.decode(body, type=Submission).transcript_id, ())
    if _document(cloud, "scorecards", drop.key) is not None:
        yield "scored"
    if _document(cloud, "failures", drop.key) is not None:
        yield "failed"


def _run(
    cloud: Cloud,
    drops: Sequence[Drop],
    out: Path,
    patience_seconds: float,
    steps: Callable[[], Mapping[str, Sequence[str]]],
) -> int:
    s3 = cloud.client("s3")
    bucket = cloud.outputs["RecordingsBucketName"]
    started = time.monotonic()

    def show(drop: Drop, step: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {step:<12}  {drop.key}", flush=True)

    for drop in drops:
        s3.upload_file(str(drop.file), bucket, drop.key, ExtraArgs={"Metadata": dict(drop.metadata)})
    while not all(drop.ended for drop in drops) and time.monotonic() - started < patience_seconds:
        for drop in drops:
            for step in _reached(cloud, drop, steps()):
                if step not in drop.seen:
                    drop.seen.add(step)
                    show(drop, step)
            drop.ended = bool(drop.seen & {"scored", "failed"})
        time.sleep(0.2)
    scored = sum("scored" in drop.seen for drop in drops)
    mails = _mails(cloud, sum(drop.ended for drop in drops), scored)
    for mail in mails:
        print(f"\n{'=' * 72}\nSubject: {mail.subject}\n\n{mail.message}", end="")
    _copy(cloud, drops, mails, out)
    print(f"{'=' * 72}\n{scored} of {len(drops)} calls scored, {len(mails)} e-mails sent. Everything lies in {out}/:")
    print(f"  {out}/reports/…html    open one in a browser")
    print(f"  {out}/scorecards/…json the same for machines")
    print(f"  {out}/mail/…txt        what the manager got")
    print(f"  {out}/mail/…eml        the same by SES, with the report attached: for a mail program")
    print(f"  {out}/logs/…log        what the functions wrote")
    for drop in drops:
        if "scored" not in drop.seen:
            print(f"not scored: {drop.key}: {_reason(cloud, drop)}", file=sys.stderr)
    return int(scored < len(drops) or len(mails) < len(drops))


def _mails(cloud: Cloud, expected: int, reports: int) -> list[Mail]:
    """Return the e-mails, once as many as expected were sent or have had their time: they follow the scorecard."""
    with suppress(TimeoutError):
        cloud.wait_until(lambda: len(cloud.mails()) >= expected and len(cloud.ses.sent) >= reports, timeout_seconds=20)
    return cloud.mails()


def _reason(cloud: Cloud, drop: Drop) -> str:
    body = _document(cloud, "failures", drop.key)
    if body is None:
        return "no outcome in time; the functions' logs end with\n" + cloud.logs("ScorecardFunction")[-2000:]
    failure = msgspec.json.decode(body, type=Failure)
    return f"{failure.detail}. {failure.next_step}"


def _copy(cloud: Cloud, drops: Sequence[Drop], mails: Sequence[Mail], out: Path) -> None:
    """Lay out what the stack has made, anew."""
    for part in (*_KINDS, "mail"):
        shutil.rmtree(out / part, ignore_errors=True)
    for drop in drops:
        for kind in _KINDS:
            body = _document(cloud, kind, drop.key)
            if body is not None:
                path = out / document_key(kind, drop.key)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
    (out / "mail").mkdir(parents=True, exist_ok=True)
    for number, mail in enumerate(mails, start=1):
        text = f"Subject: {mail.subject}\n\n{mail.message}"
        (out / "mail" / f"{number}.txt").write_text(text, "utf-8")
    for number, report in enumerate(cloud.ses.sent, start=1):
        (out / "mail" / f"{number}.eml").write_bytes(report.raw)


def up(out: Path, parameters: Mapping[str, str]) -> int:
    """Keep the whole cloud running and say how to use it, until interrupted."""
    logs = _fresh_logs(out)
    with samples_cloud(logs, parameters) as (cloud, stand_in):
        print(f"AWS        {cloud.endpoint_url}   region {cloud.region}")
        print(f"AssemblyAI {stand_in.url}   key {STAND_IN_KEY}")
        print(f"webhook    {cloud.gateway_url}")
        print(f"logs       {logs}/")
        for name, value in cloud.outputs.items():
            print(f"{name:<22} {value}")
        credentials = cloud.administrator
        print("\nIn another shell:")
        print(f"  export AWS_ENDPOINT_URL={cloud.endpoint_url} AWS_DEFAULT_REGION={cloud.region}")
        print(
            f"  export AWS_ACCESS_KEY_ID={credentials.access_key_id}"
            f" AWS_SECRET_ACCESS_KEY={credentials.secret_access_key}"
        )
        sample = sample_drops()[0]
        print(f"  aws s3 cp {sample.file} s3://{cloud.outputs['RecordingsBucketName']}/{sample.key}")
        print(f"  aws s3 ls --recursive s3://{cloud.outputs['ScorecardsBucketName']}/")
        print("\nCtrl-C ends it.", flush=True)
        shown = 0
        try:
            while True:
                time.sleep(0.5)
                mails = cloud.mails()
                for mail in mails[shown:]:
                    print(f"e-mail: {mail.subject}", flush=True)
                shown = len(mails)
        except KeyboardInterrupt:
            return 0
