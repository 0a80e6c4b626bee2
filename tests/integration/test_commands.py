"""python -m tests.sandbox, as its user runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from tests.integration.stack import CALLS, KEY, SOUND
from tests.sandbox.__main__ import main
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.demo import score_for_real

ROOT = Path(__file__).parents[2]
TRANSCRIPT = CALLS / "discovery_price_shock" / "transcript.json"


def test_help_names_every_command() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.sandbox", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    for command in ("demo", "up", "assemblyai", "score"):
        assert command in answer.stdout


@pytest.mark.parametrize("options", [[], ["--languages"]], ids=["english", "others"])
def test_demo_scores_the_samples_and_lays_everything_out(tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "out"
    answer = subprocess.run(
        [sys.executable, "-m", "tests.sandbox", "demo", "--out", str(out), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
    samples = len(list(CALLS.parent.glob("languages/*.toml") if options else CALLS.glob("*/script.toml")))
    assert samples >= 3
    laid_out = {"scorecards": "json", "reports": "html", "transcripts": "json", "mail": "txt"}
    for kind, suffix in (*laid_out.items(), ("mail", "eml")):
        assert len(list((out / kind).rglob(f"*.{suffix}"))) == samples, kind
    for step in ("uploaded", "submitted", "transcribing", "callback", "scored"):
        assert answer.stdout.count(f" {step} ") == samples, step
    assert f"{samples} of {samples} calls scored" in answer.stdout


def test_a_recording_of_one_s_own_goes_to_the_real_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing outside can reach the sandbox: it uploads the sound, and delivers the callback itself."""
    out = tmp_path / "out"
    recording = tmp_path / "my call.ogg"
    shutil.copy(SOUND, recording)
    with AssemblyAI(KEY, delay_seconds=0.3) as real:
        assert score_for_real(out, recording, KEY, real.url, real.url, poll_seconds=0.1) == 0

        (job,) = real.jobs.values()
        assert job.fields["audio_url"].startswith("https://cdn.assemblyai.com/upload/")
        assert "webhook_url" not in job.fields
        assert real.paid_calls == {"transcript": 1, "understanding": 1, "chat": 1}
    card = json.loads((out / "scorecards" / "my call.ogg.json").read_text("utf-8"))
    assert card["status"] == "complete"
    assert " callback " in capsys.readouterr().out


def test_a_recording_without_a_key_costs_nothing_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSEMBLYAI_API_KEY", raising=False)

    assert main(["demo", "--recording", str(SOUND), "--out", str(tmp_path / "out")]) == 2

    assert "ASSEMBLYAI_API_KEY" in capsys.readouterr().err


def test_a_recording_that_is_no_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--recording", str(tmp_path / "no.mp3"), "--out", str(tmp_path / "out")]) == 2

    assert "no.mp3" in capsys.readouterr().err


def test_score_writes_scorecards_from_stored_transcripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(TRANSCRIPT), "--out", str(tmp_path)]) == 0

    card = json.loads((tmp_path / "scorecards" / "transcript.json").read_text("utf-8"))
    assert card["status"] == "complete"
    assert card["roles"]["mapping"] == {"A": "rep", "B": "customer"}
    assert (tmp_path / "reports" / "transcript.html").is_file()
    assert "1 scored" in capsys.readouterr().out


def test_score_takes_the_user_s_word_for_who_is_who(tmp_path: Path) -> None:
    arguments = ["--role", "A=Customer", "--role", "B=Sales Rep", "--out", str(tmp_path)]

    assert main(["score", str(TRANSCRIPT), *arguments]) == 0

    card = json.loads((tmp_path / "scorecards" / "transcript.json").read_text("utf-8"))
    assert card["roles"]["mapping"] == {"A": "customer", "B": "rep"}
    assert card["roles"]["source"] == "override"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no transcript"),
        (b"<html>", "no transcript"),
        (b"[]", "no transcript"),
        (b'{"id": "1", "status": "queued"}', "queued"),
        (b'{"id": "1", "status": "error", "error": "Audio duration is too short."}', "too short"),
        (b'{"id": "1", "status": "completed", "utterances": null}', "no speakers"),
        (b'{"id": "1", "status": "completed", "utterances": []}', "nobody speaks"),
    ],
)
def test_score_says_of_each_file_that_it_refuses_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.json").write_bytes(content)
    shutil.copy(TRANSCRIPT, tmp_path / "in" / "good.json")

    assert main(["score", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1

    table = capsys.readouterr().out
    (line,) = [line for line in table.splitlines() if line.startswith("bad")]
    assert "refused" in line
    assert said in line
    assert "1 scored" in table


def test_the_stand_in_serves_alone_until_it_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.sandbox", "assemblyai", "--api-key", KEY], cwd=ROOT, stdout=output
        )
    try:
        deadline = time.monotonic() + 20
        while not (urls := [word for word in log.read_text("utf-8").split() if word.startswith("http://127")]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answer = requests.get(f"{urls[0]}/v2/transcript", headers={"Authorization": KEY}, timeout=5)
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) in (0, 130)
