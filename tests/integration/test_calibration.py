"""python -m tests.calibration against the stand-in's LLM Gateway: it runs through, goes on, and says why it cannot."""

import itertools
import json
from pathlib import Path

import pytest
from tests.calibration.__main__ import main
from tests.calibration.calls import calibration_calls
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

KEY = "a-key"
QUESTIONS = len(calibration_calls())


def calibrate(service: AssemblyAI, out: Path, *more: str, key: str = KEY, said: str = "") -> int:
    def answer(_: str) -> str:
        assert said, "nobody should be asked"
        return said

    arguments = ["--endpoint-url", service.url, "--out", str(out), "--requests-per-minute", "6000", "--runs", "1"]
    return main([*arguments, *([] if said else ["--yes"]), *more], api_key=key, answer=answer)


def account(**changes: object) -> Account:
    return Account(KEY, chat_requests_per_minute=100_000, **changes)  # type: ignore[arg-type]


def test_every_call_is_judged_and_nothing_is_paid_for_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AssemblyAI(KEY, account=account()) as service:
        assert calibrate(service, tmp_path, said="y") == 0
        said = capsys.readouterr().out
        assert f"{QUESTIONS} questions to claude-sonnet-4-6: 0 are answered already, {QUESTIONS} are missing." in said
        assert "That takes about 0." in said
        assert f"{QUESTIONS:>3}/{QUESTIONS}" in said
        paid = service.paid_calls["chat"]

        assert calibrate(service, tmp_path) == 0
        assert f"{QUESTIONS} are answered already, 0 are missing." in capsys.readouterr().out
        assert service.paid_calls["chat"] == paid

        assert calibrate(service, tmp_path, "--runs", "2") == 0
        assert f"{QUESTIONS} are answered already, {QUESTIONS} are missing." in capsys.readouterr().out
        assert service.paid_calls["chat"] == 2 * paid

    results = json.loads((tmp_path / "calibration.json").read_text("utf-8"))
    assert results["questions"] == {"wanted": 2 * QUESTIONS, "judged": 2 * QUESTIONS, "paid": 2 * paid}
    assert all(len(one["levels"]) == 2 for call in results["calls"].values() for one in call.values())
    # The stand-in's coach goes by rules, so that all runs are the same.
    assert all(item["same_share"] == 1 for item in results["items"].values())
    assert (tmp_path / "calibration.md").read_text("utf-8").startswith(f"Measured on {results['date']}")


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was answered before LLM Gateway went down is kept and used."""
    answered = 3
    faults = itertools.chain(itertools.repeat(None, answered), itertools.repeat("server_error"))
    with AssemblyAI(KEY, account=account(coach_faults=faults)) as service, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.calibration.asking.FIRST_WAIT_SECONDS", 0.01)
        assert calibrate(service, tmp_path) == 1
        results = json.loads((tmp_path / "calibration.json").read_text("utf-8"))
        assert results["questions"]["judged"] == answered
        assert {one["reason"] for one in results["without_coaching"]} == {"no_answer"}
    with AssemblyAI(KEY, account=account()) as service:
        assert calibrate(service, tmp_path) == 0
        assert service.paid_calls["chat"] == QUESTIONS - answered


def test_nothing_is_asked_unless_somebody_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AssemblyAI(KEY, account=account()) as service:
        assert calibrate(service, tmp_path, said="n") == 2
        assert service.paid_calls["chat"] == 0
    assert "Nothing was asked." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "more", "words"),
    [
        ("", (), "Set ASSEMBLYAI_API_KEY to a key"),
        ("another-key", (), "AssemblyAI refuses this key or account"),
        (KEY, ("--model", "claude-sonnet-9"), "AssemblyAI does not let this account ask claude-sonnet-9"),
    ],
    ids=["no key", "wrong key", "unknown model"],
)
def test_what_cannot_be_asked_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, more: tuple[str, ...], words: str
) -> None:
    with AssemblyAI(KEY, account=account()) as service:
        assert calibrate(service, tmp_path, *more, key=key) == 2
        assert service.paid_calls["chat"] == 0
    assert words in capsys.readouterr().err
    assert not (tmp_path / "calibration.json").exists()


def test_a_gateway_that_is_down_is_given_up_before_all_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.calibration.asking.FIRST_WAIT_SECONDS", 0.01)
    with AssemblyAI(KEY, account=account(coach_faults=itertools.repeat("server_error"))) as service:
        assert calibrate(service, tmp_path) == 2
    assert "LLM Gateway gives no answer: POST /v1/chat/completions: 500" in capsys.readouterr().err
    assert not (tmp_path / "calibration.json").exists()


def test_requests_leave_no_faster_than_the_account_allows(tmp_path: Path) -> None:
    """A limit that is met is waited for; what was rejected is asked again."""
    with AssemblyAI(KEY, account=Account(KEY, chat_requests_per_minute=4), clock_scale=0.01) as service:
        assert calibrate(service, tmp_path, "--requests-per-minute", "240") == 0
        results = json.loads((tmp_path / "calibration.json").read_text("utf-8"))
    assert results["questions"]["judged"] == QUESTIONS
