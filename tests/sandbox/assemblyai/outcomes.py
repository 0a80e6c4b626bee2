"""What a recording is transcribed to: a sample call, an object that a test has taught, or an error."""

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tests.sandbox.assemblyai import understanding
from tests.sandbox.assemblyai.redaction import PersonalData, redacted
from tests.sandbox.assemblyai.transcripts import FIELDS, complete, finished, has_feature

# The transcript as it was asked for -> the transcript at the end of its job. Raises ValueError, with the text for
# `error`, where the recording cannot answer what was asked.
Outcome = Callable[[Mapping[str, Any]], dict[str, Any]]

# Whose job it is and what was asked for: no transcription changes it.
_ASKED = FIELDS.keys() - {"language_code", "language_codes", "speech_understanding"}
_KEPT = _ASKED | {"id", "project_id", "token_id", "webhook_auth", "webhook_status_code"}


def sample_call(sample: Mapping[str, Any], personal_data: PersonalData) -> Outcome:
    """Transcribe to a call of `tests/data/calls`, reduced to what was asked for."""

    def outcome(asked: Mapping[str, Any]) -> dict[str, Any]:
        transcript = {**asked, **complete(asked, sample)}
        if asked["redact_pii"] and has_feature(transcript["language_code"], "redact_pii"):
            transcript |= redacted(transcript, personal_data)
        if identification := asked["speech_understanding"]:
            # Asked for together with the transcript, identification relabels the transcript itself.
            task = understanding.check_understanding(identification)
            transcript |= understanding.identify_speakers(task, transcript)
            transcript["words"] = [word for utterance in transcript["utterances"] for word in utterance["words"]]
        return transcript

    return outcome


def taught(transcript: Mapping[str, Any], without: Collection[str] = ()) -> Outcome:
    """Transcribe to the results in `transcript` as they are; the fields in `without` are missing from the answer."""
    results = copy.deepcopy({name: value for name, value in transcript.items() if name not in _KEPT})

    def outcome(asked: Mapping[str, Any]) -> dict[str, Any]:
        whole = {**asked, **finished(asked), **results}
        return {name: value for name, value in whole.items() if name not in without}

    return outcome


def failure(error: str) -> Outcome:
    """End the job with status `error` and this text."""
    return lambda asked: {**asked, "status": "error", "error": error}
