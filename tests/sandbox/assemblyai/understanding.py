"""`POST /v1/understanding`: speaker identification of a finished transcript."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from tests.sandbox.assemblyai import roles
from tests.sandbox.assemblyai.gateway import refuse

TASKS = ("speaker_identification", "translation", "custom_formatting", "summarization", "action_items")
LONGEST_VALUE = 35

Fault = Literal["completed", "failed", "no_mapping", "null_roles", "missing_labels", "no_utterances"]


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


def identify_speakers(
    task: Mapping[str, Any], transcript: Mapping[str, Any], fault: Fault | None = None
) -> dict[str, Any]:
    """Answer `task` for a completed transcript; the transcript itself stays as it is.

    Of the faults, null_roles and missing_labels spare the first label; "completed" is the documented word for success.
    """
    utterances = transcript["utterances"] if isinstance(transcript["utterances"], list) else []
    mapping: dict[str, str | None] = {**roles.identify(task, utterances)}
    others = list(mapping)[1:]
    if fault == "null_roles":
        mapping |= dict.fromkeys(others)
    elif fault == "missing_labels":
        mapping = {label: role for label, role in mapping.items() if label not in others}
    elif fault == "failed":
        mapping = {}
    status = fault if fault in ("completed", "failed") else "success"
    answer: dict[str, Any] = {"mapping": mapping, "effort": task.get("effort", "low"), "status": status}
    if fault in ("failed", "no_mapping"):
        del answer["mapping"]
    return {
        "speech_understanding": {
            "request": {"speaker_identification": task},
            "response": {"speaker_identification": answer},
        },
        "utterances": [] if fault == "no_utterances" else relabel(utterances, mapping),
    }


def relabel(utterances: Iterable[Any], mapping: Mapping[str, str | None]) -> list[Any]:
    """Return utterances with the identified speakers, words included; what has no role stays as it is."""

    def named(spoken: Any) -> Any:
        if not isinstance(spoken, dict):
            return spoken
        role = mapping.get(spoken["speaker"]) if isinstance(spoken.get("speaker"), str) else None
        return spoken if role is None else {**spoken, "speaker": role}

    relabelled = []
    for utterance in map(named, utterances):
        words = utterance.get("words") if isinstance(utterance, dict) else None
        relabelled.append({**utterance, "words": list(map(named, words))} if isinstance(words, list) else utterance)
    return relabelled
