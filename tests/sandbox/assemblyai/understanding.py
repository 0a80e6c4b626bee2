"""`POST /v1/understanding`: speaker identification of a finished transcript."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.sandbox.assemblyai import roles
from tests.sandbox.assemblyai.gateway import refuse

TASKS = ("speaker_identification", "translation", "custom_formatting", "summarization", "action_items")
LONGEST_VALUE = 35


def check_request(asked: Any) -> Mapping[str, Any]:
    """Return the `speaker_identification` task of a request body. Raises RefusedError (400)."""
    if not isinstance(asked, dict) or not isinstance(asked.get("transcript_id"), str):
        raise refuse(400, "transcript_id is required")
    return check_understanding(asked.get("speech_understanding"))


def check_understanding(understanding: Any) -> Mapping[str, Any]:
    """Return the task of a `speech_understanding` object. Raises RefusedError (400)."""
    request = understanding.get("request") if isinstance(understanding, dict) else None
    if not isinstance(request, dict) or not request:
        raise refuse(400, "speech_understanding.request is required")
    if unknown := sorted(request.keys() - set(TASKS)):
        raise refuse(400, f"unknown speech understanding task {unknown[0]}")
    if other := sorted(request.keys() - {"speaker_identification"}):
        raise refuse(400, f"this stand-in does not simulate {other[0]}")
    task = request["speaker_identification"]
    if problems := list(_problems(task)):
        raise refuse(400, "invalid speech understanding request", errors=problems)
    checked: Mapping[str, Any] = task
    return checked


def _problems(task: Any) -> Iterable[str]:
    if not isinstance(task, dict):
        yield "speaker_identification must be an object"
        return
    kind = task.get("speaker_type")
    if kind not in ("role", "name"):
        yield "speaker_type must be role or name"
        return
    if task.get("effort", "low") not in ("low", "medium"):
        yield "effort must be low or medium"
    values, speakers = task.get("known_values"), task.get("speakers")
    if values is not None and speakers is not None:
        yield "known_values and speakers can not be used together"
    elif speakers is not None:
        if not isinstance(speakers, list) or not speakers:
            yield "speakers must be a non-empty list"
        elif not all(isinstance(speaker, dict) and isinstance(speaker.get(kind), str) for speaker in speakers):
            yield f"each of speakers needs a {kind}"
    elif values is not None:
        if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
            yield "known_values must be a non-empty list of strings"
        else:
            for value in values:
                if len(value) > LONGEST_VALUE:
                    yield f"known_values: {value!r} is longer than {LONGEST_VALUE} characters"
    elif kind == "role":
        yield "known_values is required for speaker_type role"


def identify_speakers(task: Mapping[str, Any], transcript: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `task` for a completed transcript; the transcript itself stays as it is."""
    mapping = roles.identify(task, transcript["utterances"])
    return {
        "speech_understanding": {
            "request": {"speaker_identification": task},
            "response": {
                "speaker_identification": {
                    "mapping": mapping,
                    "effort": task.get("effort", "low"),
                    "status": "success",
                }
            },
        },
        "utterances": relabel(transcript["utterances"], mapping),
    }


def relabel(utterances: Iterable[Mapping[str, Any]], mapping: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return utterances with the identified speakers, words included; an unmapped label stays."""
    return [
        {
            **utterance,
            "speaker": mapping.get(utterance["speaker"], utterance["speaker"]),
            "words": [
                {**word, "speaker": mapping.get(word["speaker"], word["speaker"])} for word in utterance["words"]
            ],
        }
        for utterance in utterances
    ]
