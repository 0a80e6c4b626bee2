"""The script that callcoach grew from, step by step against the stand-in: poll, roles, ratio, free prompt."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.sandbox.assemblyai.server import AssemblyAI

KEY = "a-key"
CALLS = Path(__file__).parents[1] / "data" / "calls"
QUESTION = """You help sales managers. Assess the call below.

Talk/listen ratios: {ratios}

Sentiment breakdown:
{sentiment}
Transcript:
{transcript}

Produce:
1. Call summary
2. Talk/listen ratio analysis
3. Customer sentiment shifts
4. Top 3 coaching suggestions
"""


@pytest.mark.parametrize("name", ["demo_three_speakers", "discovery_price_shock", "discovery_well_led"])
def test_script_runs_to_a_scorecard_in_prose_about_this_very_call(name: str) -> None:
    with AssemblyAI(KEY, delay_seconds=0.1) as service, requests.Session() as session:
        session.headers["authorization"] = KEY

        def ask(method: str, path: str, **arguments: Any) -> Any:
            answer = session.request(method, service.url + path, timeout=10, **arguments)
            answer.raise_for_status()
            return answer.json()

        sound = (CALLS / name / "recording.ogg").read_bytes()
        asked = {
            "audio_url": ask("POST", "/v2/upload", data=sound)["upload_url"],
            "speech_models": ["universal-3-pro"],
            "speaker_labels": True,
            "sentiment_analysis": True,
        }
        transcript = ask("POST", "/v2/transcript", json=asked)
        while transcript["status"] != "completed":
            assert transcript["status"] != "error", transcript["error"]
            time.sleep(0.05)
            transcript = ask("GET", f"/v2/transcript/{transcript['id']}")

        roles = {"speaker_type": "role", "known_values": ["Sales Rep", "Customer"]}
        understanding = {"request": {"speaker_identification": roles}}
        identified = ask(
            "POST",
            "/v1/understanding",
            json={"transcript_id": transcript["id"], "speech_understanding": understanding},
        )["utterances"]

        spoken = Counter[str]()
        for utterance in identified:
            spoken[utterance["speaker"]] += utterance["end"] - utterance["start"]
        ratios = {speaker: round(100 * part / spoken.total(), 1) for speaker, part in spoken.items()}
        labels = Counter(row["sentiment"] for row in transcript["sentiment_analysis_results"])
        content = QUESTION.format(
            ratios=ratios,
            sentiment="".join(f"{label}: {count}\n" for label, count in labels.items()),
            transcript="\n".join(f"{utterance['speaker']}: {utterance['text']}" for utterance in identified),
        )
        completion = ask(
            "POST",
            "/v1/chat/completions",
            json={
                "model": "claude-sonnet-4-5-20250929",
                "messages": [{"role": "user", "content": content}],
                "max_tokens": 2000,
            },
        )
    choice = completion["choices"][0]
    written = choice["message"]["content"]
    assert choice["finish_reason"] == "end_turn"
    assert [written.count(f"## {part}.") for part in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert f"Sales Rep {ratios['Sales Rep']}%" in written
    quotes = [line.strip(' -"') for line in written.splitlines() if line.strip().startswith('- "')]
    assert len(quotes) >= 3
    text = " ".join(utterance["text"] for utterance in identified)
    for quote in quotes:
        assert quote in text
