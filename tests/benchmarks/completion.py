"""From AssemblyAI's completion to the scorecard in S3, beside a script that polls.

Both wait for the same stand-in: a transcript, who speaks, the coach. What is compared is what each adds to that. The
script has started long before, so the functions have too; what a process takes to start is a row of its own
(cold_start).
"""

import json
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import requests
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from tests.benchmarks._table import Row, Table
from tests.integration.stack import CALLS, KEY, Stack
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.cloud import Cloud

RECORDINGS = 30
# A call after the other, and none at a moment when another one is busy: with these seconds the others are dropped, are
# transcribed, have speakers and are coached at other fractions of the time between two calls. None waits for another's
# turn or processor.
APART_SECONDS = 1.2
# So close together that the first call is not scored before the last one begins.
WARMING_APART_SECONDS = 0.25
TRANSCRIPTION_SECONDS = 4.5
TRANSCRIPT_SECONDS, IDENTIFICATION_SECONDS = 0.1, 2.2
COACH_SECONDS = (8.0, 45.0)
POLL_SECONDS = 3.0

MOST_SECONDS = 0.25
MOST_OF_SCRIPT = 0.2


def run() -> Table:
    """Return the table: medians of so many calls, for a quick coach and a slow one."""
    answers = {
        "GET /v2/transcript/": TRANSCRIPT_SECONDS,
        "POST /v1/understanding": IDENTIFICATION_SECONDS,
        "POST /v1/chat": COACH_SECONDS[0],
    }
    rows = []
    with AssemblyAI(KEY, delay_seconds=TRANSCRIPTION_SECONDS, answer_seconds=answers) as stand_in:
        parameters = {
            "AssemblyAIEndpointUrl": stand_in.url,
            "NotificationEmail": "manager@example.com",
            "IdentificationsPerMinute": "1000",
            "CoachRequestsPerMinute": "1000",
        }
        stand_in.account = replace(
            stand_in.account, understanding_requests_per_minute=1000, chat_requests_per_minute=1000
        )
        with Cloud(parameters=parameters, secrets={"callcoach/assemblyai": KEY}) as cloud:
            stand_in.hosts.update(cloud.hosts)
            stack = Stack(cloud, stand_in)
            # As many as will ever work at the same time.
            _score(stack, "warm", RECORDINGS, apart_seconds=WARMING_APART_SECONDS)
            for coach_seconds in COACH_SECONDS:
                stand_in.answer_seconds["POST /v1/chat"] = coach_seconds
                found: list[float] = []
                script = threading.Thread(target=_poll_all, args=(stand_in, found))
                script.start()
                own = _score(stack, f"coach {coach_seconds:g}", RECORDINGS)
                script.join()
                rows += _rows(
                    coach_seconds,
                    [seconds - max(TRANSCRIPT_SECONDS, IDENTIFICATION_SECONDS) - coach_seconds for seconds in own],
                    [seconds - TRANSCRIPT_SECONDS - IDENTIFICATION_SECONDS - coach_seconds for seconds in found],
                )
    return Table([], rows)


def _rows(coach_seconds: float, own: Sequence[float], script: Sequence[float]) -> list[Row]:
    median, beside = statistics.median(own), statistics.median(script)
    what = f"completion to scorecard, coach of {coach_seconds:g} s, warm"
    return [
        Row.beside(
            f"completion_{coach_seconds:g}",
            f"{what}: added",
            median,
            "s",
            other=beside,
            against=f"polling script, {beside:.2f} s",
            most=MOST_OF_SCRIPT,
        ),
        Row(
            f"completion_{coach_seconds:g}_s",
            f"{what}: added",
            median,
            "s",
            goal=f"<= {MOST_SECONDS} s",
            met=median <= MOST_SECONDS,
        ),
    ]


def _score(stack: Stack, name: str, recordings: int, *, apart_seconds: float = APART_SECONDS) -> list[float]:
    """Drop recordings, and return the seconds from the end of each one's job to its scorecard."""
    for number in range(recordings):
        sound = f"{name} {number}".encode()
        stack.stand_in.teach(sound, _TRANSCRIPT)
        stack.drop(f"{name}/{number}.ogg", sound)
        time.sleep(apart_seconds)
    stored = _scorecards(stack.cloud, name, recordings)
    bucket = stack.cloud.outputs["RecordingsBucketName"]
    jobs = {job.recording.removeprefix(f"{bucket}/"): job for job in stack.stand_in.jobs.values()}
    return [stored[key] - jobs[key].history[-1][1] for key in stored]


def _scorecards(cloud: Cloud, name: str, recordings: int) -> Mapping[str, float]:
    """Return when each scorecard was written, in seconds of time.monotonic()."""
    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[cloud.outputs["ScorecardsBucketName"]].keys
    start = f"scorecards/{name}/"

    def written() -> dict[str, float]:
        found = {path: stored for path, stored in list(keys.items()) if path.startswith(start)}
        behind = time.time() - time.monotonic()
        return {
            path.removeprefix("scorecards/").removesuffix(".json"): stored.last_modified.replace(tzinfo=UTC).timestamp()
            - behind
            for path, stored in found.items()
        }

    cloud.wait_until(lambda: len(written()) >= recordings, COACH_SECONDS[-1] + 60)
    return written()


def _poll_all(stand_in: AssemblyAI, found: list[float]) -> None:
    """Do what a script does for so many calls: ask every three seconds, and then one after the other."""
    scripts = []
    time.sleep(APART_SECONDS / 2)
    for number in range(RECORDINGS):
        scripts.append(threading.Thread(target=_poll, args=(stand_in, number, found)))
        scripts[-1].start()
        time.sleep(APART_SECONDS)
    for script in scripts:
        script.join()


def _poll(stand_in: AssemblyAI, number: int, found: list[float]) -> None:
    sound = f"script {number}".encode()
    stand_in.teach(sound, _TRANSCRIPT)
    headers = {"authorization": KEY}

    def post(path: str, body: Any) -> Any:
        answer = requests.post(f"{stand_in.url}{path}", headers=headers, json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    upload = requests.post(f"{stand_in.url}/v2/upload", headers=headers, data=sound, timeout=60).json()
    asked = {"audio_url": upload["upload_url"], "speaker_labels": True, "sentiment_analysis": True}
    transcript_id = post("/v2/transcript", asked)["id"]
    while (
        transcript := requests.get(f"{stand_in.url}/v2/transcript/{transcript_id}", headers=headers, timeout=60).json()
    )["status"] != "completed":
        time.sleep(POLL_SECONDS)
    roles = {"speaker_type": "role", "known_values": ["Sales Rep", "Customer"]}
    identified = post(
        "/v1/understanding",
        {
            "transcript_id": transcript_id,
            "speech_understanding": {"request": {"speaker_identification": roles}},
        },
    )
    said = "\n".join(f"{utterance['speaker']}: {utterance['text']}" for utterance in identified["utterances"])
    labels = [row["sentiment"] for row in transcript["sentiment_analysis_results"]]
    question = f"Coach the rep of this call ({labels.count('NEGATIVE')} negative sentences).\n\n{said}"
    model = "claude-sonnet-4-5-20250929"
    post(
        "/v1/chat/completions",
        {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 2000},
    )
    found.append(time.monotonic() - stand_in.jobs[transcript_id].history[-1][1])


_TRANSCRIPT = json.loads((CALLS / "discovery_price_shock" / "transcript.json").read_bytes())
