"""`/v2`: what may be asked of a transcription, and the transcript object that answers it."""

import re
import string
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.sandbox.assemblyai import gateway, understanding
from tests.sandbox.assemblyai.coach import Character
from tests.sandbox.assemblyai.wire import RefusedError, Response

SPEECH_MODELS = ("assemblyai-stt-3-7", "universal-3-5-pro", "universal-3-pro", "universal-2")
# The languages of each model, without regions. Which 18 the newer ones know is not listed in one place: these are the
# six of the oldest and others that are named for their real-time sibling.
_SIX = "de en es fr it pt"
_EIGHTEEN = f"{_SIX} ar da fi he hi ja nl no sv tr vi zh"
LANGUAGES = frozenset(
    f"""
    {_EIGHTEEN} af am as az ba be bg bn bo br bs ca cs cy el et eu fa fo gl gu ha haw hr ht hu hy id is jw ka kk km kn
    ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nn oc pa pl ps ro ru sa sd si sk sl sn so sq sr su sw ta te tg
    th tk tl tt uk ur uz yi yo
    """.split()
)
MODEL_LANGUAGES: Mapping[str, Collection[str]] = {
    "assemblyai-stt-3-7": _EIGHTEEN.split(),
    "universal-3-5-pro": _EIGHTEEN.split(),
    "universal-3-pro": _SIX.split(),
    "universal-2": LANGUAGES,
}
ENGLISH_CODES = ("en", "en_au", "en_uk", "en_us")
# What AssemblyAI does in some languages only. With another one named it refuses, with one detected it says nothing.
FEATURE_LANGUAGES: Mapping[str, Collection[str]] = {
    "sentiment_analysis": ("en",),
    "disfluencies": ("en",),
    "redact_pii": """
        af ar be bg ca cs da de el en es et fa fi fr he hi hr hu id is it ja ka km ko lb lt lv ms my nl no pl pt ro ru
        sk sl sv sw ta tl tr uk vi zh
        """.split(),  # noqa: SIM905 - a list would take a page
}
UPLOADS_URL = "https://cdn.assemblyai.com/upload"

# Features that need more than the sample calls know. Asked for, they are refused by name: a feature that is
# taken and then missing from the answer would look like a finding about the call.
NOT_SIMULATED = (
    "audio_start_from",
    "audio_end_at",
    "auto_chapters",
    "auto_highlights",
    "content_safety",
    "custom_spelling",
    "entity_detection",
    "filter_profanity",
    "iab_categories",
    "redact_pii_audio",
    "redact_static_entities",
    "summarization",
)


@dataclass(frozen=True)
class Account:
    """What the service knows about its customer, and which models it still offers on this day.

    gateway_services: what of LLM Gateway the plan includes; chat_models: which models it may ask, None for all.
    coach_faults: what goes wrong with the first chat completion, the second, and so on; None for nothing, and
    itertools.repeat for always. identification_faults: the same of /v1/understanding.
    retry_after: how a 429 says when to come back. languages_without_speakers: in which it tells no speakers apart; no
    list of them is published.
    """

    api_key: str
    languages_without_speakers: Collection[str] = ()
    default_speech_models: Sequence[str] = ("universal-3-5-pro", "universal-2")
    retired_speech_models: Sequence[str] = ()
    retired_chat_models: Sequence[str] = ()
    concurrent_jobs: int = 200
    transcript_requests_per_5_minutes: int = 20_000
    understanding_requests_per_minute: int = 30
    chat_requests_per_minute: int = 30
    balance_is_negative: bool = False
    gateway_services: Collection[Literal["understanding", "chat"]] = ("understanding", "chat")
    chat_models: Collection[str] | None = None
    coach: Character = "normal"
    coach_faults: Iterable[gateway.Fault | None] = ()
    identification_faults: Iterable[understanding.Fault | None] = ()
    gateway_error_shape: gateway.ErrorShape = "flat"
    retry_after: Literal["seconds", "date", "absent"] = "seconds"

    @property
    def speech_models(self) -> list[str]:
        """The models that a request may name today."""
        return [model for model in SPEECH_MODELS if model not in self.retired_speech_models]


def refuse(status: int, error: str) -> RefusedError:
    """Return an error in the shape of `/v2`."""
    return RefusedError(Response(status, {"error": error}))


def has_feature(code: str, name: str) -> bool:
    """Whether AssemblyAI does this in a language."""
    return code.partition("_")[0] in FEATURE_LANGUAGES[name]


Check = Callable[[Any], str | None]


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean"


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def _url(value: Any) -> str | None:
    parts = urlsplit(value) if isinstance(value, str) else None
    return None if parts and parts.scheme in ("http", "https") and parts.hostname else "must be a valid URL"


def _integer(low: int, high: float = float("inf")) -> Check:
    def check(value: Any) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if fits else f"must be an integer from {low}" + (f" to {high}" if high < 1e9 else "")

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> str | None:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if fits else f"must be a number from {low} to {high}"

    return check


def _one_of(*values: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value in values else f"must be one of {', '.join(values)}"

    return check


def _list_of_strings(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if fits else "must be a list of strings"


def _list(value: Any) -> str | None:
    return None if isinstance(value, list) else "must be a list"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "must be an object"


def _header_name(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,1000}", value)
    return None if fits else "must be 1 to 1000 letters, digits, hyphens or underscores"


def _header_value(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"[^\r\n]{1,1000}", value)
    return None if fits else "must be 1 to 1000 characters without a line break"


# The documented fields, and four more that the official SDK sends or recorded answers echo: word_boost,
# boost_param, dual_channel, keyterms_prompt_options. Whether the live service ignores or rejects any other is
# not known; its schema allows none, and the strict reading finds misspelt fields.
FIELDS: Mapping[str, Check] = {
    "audio_end_at": _integer(0),
    "audio_start_from": _integer(0),
    "audio_url": _url,
    "auto_chapters": _boolean,
    "auto_highlights": _boolean,
    "boost_param": _one_of("low", "default", "high"),
    "content_safety": _boolean,
    "content_safety_confidence": _integer(25, 100),
    "custom_spelling": _list,
    "custom_topics": _boolean,
    "disfluencies": _boolean,
    "domain": _one_of("medical-v1"),
    "dual_channel": _boolean,
    "entity_detection": _boolean,
    "filter_profanity": _boolean,
    "format_text": _boolean,
    "iab_categories": _boolean,
    "keyterms_prompt": _list_of_strings,
    "keyterms_prompt_options": _object,
    "language_code": _string,
    "language_codes": _list_of_strings,
    "language_confidence_threshold": _number(0, 1),
    "language_detection": _boolean,
    "language_detection_options": _object,
    "multichannel": _boolean,
    "prompt": _string,
    "punctuate": _boolean,
    "redact_pii": _boolean,
    "redact_pii_audio": _boolean,
    "redact_pii_audio_options": _object,
    "redact_pii_audio_quality": _one_of("mp3", "wav"),
    "redact_pii_policies": _list_of_strings,
    "redact_pii_return_unredacted": _boolean,
    "redact_pii_sub": _one_of("hash", "entity_name"),
    "redact_static_entities": _object,
    "remove_audio_tags": _one_of("all", "speaker"),
    "sentiment_analysis": _boolean,
    "speaker_labels": _boolean,
    "speaker_options": _object,
    "speakers_expected": _integer(1),
    "speech_models": _list_of_strings,
    "speech_threshold": _number(0, 1),
    "speech_understanding": _object,
    "summarization": _boolean,
    "summary_model": _one_of("informative", "conversational", "catchy"),
    "summary_type": _one_of("bullets", "bullets_verbose", "gist", "headline", "paragraph"),
    "temperature": _number(0, 1),
    "topics": _list_of_strings,
    "webhook_auth_header_name": _header_name,
    "webhook_auth_header_value": _header_value,
    "webhook_url": _url,
    "word_boost": _list_of_strings,
}


def check_request(asked: Any, account: Account) -> dict[str, Any]:
    """Return the fields that are set. Raises RefusedError (400), in the service's words if known."""
    if not isinstance(asked, dict):
        raise refuse(400, "The request body must be a JSON object.")
    if asked.get("speech_model") is not None:
        raise refuse(400, 'speech_model is deprecated. Use "speech_models" instead.')
    fields = {name: value for name, value in asked.items() if value is not None}
    if unknown := sorted(fields.keys() - FIELDS.keys() - {"speech_model"}):
        raise refuse(400, f"Unknown fields: {', '.join(unknown)}")
    if "audio_url" not in fields:
        raise refuse(400, '"audio_url" is required')
    for name, value in fields.items():
        # A list of models that is no list of strings gets the answer for an unknown model, below.
        if name != "speech_models" and (problem := FIELDS[name](value)):
            raise refuse(400, f'"{name}" {problem}')
    _check_speech_models(fields, account)
    _check_language(fields, account)
    _check_combinations(fields)
    for name in NOT_SIMULATED:
        if fields.get(name):
            raise refuse(400, f'This stand-in does not simulate "{name}".')
    return fields


def _check_speech_models(fields: Mapping[str, Any], account: Account) -> None:
    if "speech_models" not in fields:
        return
    models = fields["speech_models"]
    offered = account.speech_models
    known = isinstance(models, list) and models and all(model in SPEECH_MODELS for model in models)
    if not known:
        choice = ", ".join(f'"{model}"' for model in offered)
        raise refuse(400, f'"speech_models" must be a non-empty list containing one or more of: {choice}')
    if retired := [model for model in models if model not in offered]:
        names = ", ".join(f'"{model}"' for model in retired)
        instead = ", ".join(f'"{model}"' for model in offered if model in ("universal-3-5-pro", "universal-2"))
        raise refuse(400, f"The {names} speech model(s) have been deprecated. Use speech_models: [{instead}] instead.")


def _check_language(fields: Mapping[str, Any], account: Account) -> None:
    code = fields.get("language_code")
    if code and fields.get("language_detection"):
        raise refuse(400, "language_code and language_detection can not be used in the same request.")
    if code and code not in ENGLISH_CODES and code not in LANGUAGES:
        raise refuse(400, f'"language_code" "{code}" is not supported')
    missing = [name for name in FEATURE_LANGUAGES if fields.get(name) and code and not has_feature(code, name)]
    missing += ["speaker_labels"] * bool(fields.get("speaker_labels") and code in account.languages_without_speakers)
    if missing:
        raise refuse(400, f"The following models are not available in this language: {', '.join(missing)}")
    several = fields.get("language_codes")
    if several is not None and "en" not in several:
        raise refuse(400, '"language_codes" must contain "en"')
    if fields.get("language_confidence_threshold") and code:
        raise refuse(400, "language_confidence_threshold needs language_detection.")
    localizations = fields.get("language_detection_options", {}).get("localization") or []
    if {"en", "en_us"} & set(localizations):
        raise refuse(400, '"localization" must contain only en_au or en_uk')


def _check_combinations(fields: Mapping[str, Any]) -> None:
    diarized = fields.get("speaker_labels") or fields.get("multichannel")
    options = fields.get("speaker_options")
    if options is not None and "speakers_expected" in fields:
        raise refuse(400, "Both speaker_options and speakers_expected can not be used in the same request.")
    for name in ("speaker_options", "speakers_expected"):
        if name in fields and not fields.get("speaker_labels"):
            raise refuse(400, f"{name} needs speaker_labels.")
    if options is not None:
        _check_speaker_options(options)
    for name in ("speaker_labels", "sentiment_analysis"):
        if fields.get(name) and fields.get("punctuate") is False:
            raise refuse(400, f"{name} needs punctuate.")
    if fields.get("redact_pii") and fields.get("format_text") is False:
        raise refuse(400, "redact_pii needs format_text.")
    for name in ("redact_pii_audio", "redact_pii_return_unredacted"):
        if fields.get(name) and not fields.get("redact_pii"):
            raise refuse(400, f"`{name}` can only be set to True if `redact_pii` is True")
    if fields.get("summarization") and fields.get("auto_chapters"):
        raise refuse(400, "Only one of summarization and auto_chapters can be enabled in the same request.")
    if ("summary_model" in fields) != ("summary_type" in fields):
        raise refuse(400, "summary_model and summary_type need each other.")
    header = [name for name in ("webhook_auth_header_name", "webhook_auth_header_value") if name in fields]
    if len(header) == 1 or (header and "webhook_url" not in fields):
        raise refuse(400, "webhook_auth_header_name, webhook_auth_header_value and webhook_url need each other.")
    tasks = fields.get("speech_understanding", {}).get("request") or {}
    if "speaker_identification" in tasks and not diarized:
        raise refuse(400, "speaker_labels or multichannel required")


def _check_speaker_options(options: Mapping[str, Any]) -> None:
    known = {"min_speakers_expected", "max_speakers_expected"}
    if unknown := sorted(options.keys() - known):
        raise refuse(400, f"Unknown fields: {', '.join(f'speaker_options.{name}' for name in unknown)}")
    for name, value in options.items():
        if problem := _integer(1)(value):
            raise refuse(400, f'"speaker_options.{name}" {problem}')
    if options.get("min_speakers_expected", 1) > options.get("max_speakers_expected", float("inf")):
        raise refuse(400, "min_speakers_expected must not be more than max_speakers_expected.")


# Every key that a live answer carries, with the value it has where nothing was asked or found.
BLANK: Mapping[str, Any] = {
    "id": None,
    "status": "queued",
    "error": None,
    "audio_url": None,
    "audio_duration": None,
    "audio_channels": None,
    "audio_start_from": None,
    "audio_end_at": None,
    "acoustic_model": "assemblyai_default",
    "language_model": "assemblyai_default",
    "language_code": None,
    "language_codes": None,
    "language_confidence": None,
    "language_confidence_threshold": None,
    "language_detection": False,
    "language_detection_options": None,
    "language_detection_results": None,
    "speech_model": None,
    "speech_models": None,
    "speech_model_used": None,
    "speech_threshold": None,
    "speech_understanding": None,
    "prompt": None,
    "temperature": None,
    "domain": None,
    "keyterms_prompt": [],
    "keyterms_prompt_options": None,
    "remove_audio_tags": "all",
    "word_boost": [],
    "boost_param": None,
    "custom_spelling": None,
    "custom_topics": None,
    "topics": [],
    "punctuate": True,
    "format_text": True,
    "disfluencies": False,
    "dual_channel": None,
    "multichannel": None,
    "speaker_labels": False,
    "speaker_options": None,
    "speakers_expected": None,
    "filter_profanity": False,
    "redact_pii": False,
    "redact_pii_audio": False,
    "redact_pii_audio_quality": None,
    "redact_pii_audio_options": None,
    "redact_pii_policies": None,
    "redact_pii_sub": None,
    "redact_pii_return_unredacted": None,
    "redact_static_entities": None,
    "content_safety": False,
    "content_safety_confidence": None,
    "content_safety_labels": {"status": "unavailable"},
    "iab_categories": False,
    "iab_categories_result": None,
    "sentiment_analysis": False,
    "sentiment_analysis_results": None,
    "entity_detection": False,
    "entities": None,
    "auto_highlights": False,
    "auto_highlights_result": None,
    "auto_chapters": False,
    "chapters": None,
    "summarization": False,
    "summary": None,
    "summary_model": None,
    "summary_type": None,
    "text": None,
    "words": None,
    "utterances": None,
    "unredacted_text": None,
    "unredacted_words": None,
    "unredacted_utterances": None,
    "translated_texts": None,
    "confidence": None,
    "webhook_url": None,
    "webhook_auth": False,
    "webhook_auth_header_name": None,
    "webhook_auth_header_value": None,
    "webhook_status_code": None,
    "throttled": None,
    "is_deleted": None,
    "project_id": None,
    "token_id": None,
    "metadata": None,
}


def new_transcript(transcript_id: str, fields: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """Return the object that answers a submission: the request echoed, results null, `queued`."""
    transcript = {**BLANK, **fields, "id": transcript_id, "project_id": 1, "token_id": 1}
    transcript["speech_models"] = fields.get("speech_models", list(account.default_speech_models))
    code = fields.get("language_code")
    transcript["language_code"] = "en_us" if code == "en" else code
    # Detection is on wherever no language is given; without both, the language is American English.
    transcript["language_detection"] = fields.get("language_detection", code is None)
    if code is None and not transcript["language_detection"]:
        transcript["language_code"] = "en_us"
    transcript["webhook_auth"] = "webhook_auth_header_name" in fields
    transcript["webhook_auth_header_value"] = None
    return transcript


def finished(transcript: Mapping[str, Any], heard: str = "en") -> dict[str, Any]:
    """Return what completion changes whatever was said. heard: the language of the recording.

    Raises ValueError, with the text for `error`, where the language is not certain enough or no model knows it.
    """
    code = transcript["language_code"] or heard
    confidence = 0.9874 if transcript["language_detection"] else None
    threshold = transcript["language_confidence_threshold"] or 0
    if confidence is not None and confidence < threshold:
        raise ValueError(
            f"detected language '{code}', confidence {confidence}, is below the requested confidence threshold value of"
            f" '{threshold}'"
        )
    wanted = transcript["speech_models"]
    model = next((model for model in wanted if code.partition("_")[0] in MODEL_LANGUAGES[model]), None)
    if model is None:
        # What really happens is not documented since the default fallback went.
        raise ValueError(f"The language '{code}' is not supported by the speech models {', '.join(wanted)}.")
    advice = [] if model == SPEECH_MODELS[0] else [{"message": f'A newer model is "{SPEECH_MODELS[0]}".'}]
    if model != wanted[0]:
        advice.append({"message": f"The language '{code}' is not supported in {wanted[0]}; {model} was used."})
    return {
        "status": "completed",
        "language_code": code,
        "language_confidence": confidence,
        "speech_model_used": model,
        "metadata": {"domain_used": transcript["domain"], "warning": None, "warnings": advice},
    }


def complete(transcript: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return what completion changes: the results of `sample`, reduced to the features asked for.

    Raises ValueError, with the text for `error`, where the sample cannot answer what was asked.
    """
    code, heard = transcript["language_code"], str(sample.get("language_code", "en")).partition("_")[0]
    if code is not None and code.partition("_")[0] != heard:
        raise ValueError(f'This stand-in hears this call in its own language, "{heard}"; language_code was "{code}".')
    label = _labelling(transcript, sample)
    utterances = [_relabelled(utterance, label) for utterance in sample["utterances"]]
    words = [word for utterance in utterances for word in utterance["words"]]
    diarized = transcript["speaker_labels"] or transcript["multichannel"]
    return {
        **finished(transcript, heard),
        "text": sample["text"],
        "words": words,
        "utterances": utterances if diarized else None,
        "sentiment_analysis_results": [
            {**row, "speaker": label(row["speaker"]) if row["speaker"] and diarized else None}
            for row in sample["sentiment_analysis_results"]
        ]
        if transcript["sentiment_analysis"] and has_feature(heard, "sentiment_analysis")
        else None,
        "confidence": sample["confidence"],
        "audio_duration": sample["audio_duration"],
        "audio_channels": _channels(sample) if transcript["multichannel"] else None,
    }


def _labelling(transcript: Mapping[str, Any], sample: Mapping[str, Any]) -> Callable[[str], str | None]:
    """Return the function from a sample's speaker label to the one that this request gets.

    Labels beyond the most speakers asked for are merged into the last one kept. By channel, the labels of a sample of
    several channels are their numbers; any other sample has one channel.
    """
    if transcript["multichannel"]:
        return lambda label: label if _channels(sample) > 1 else "1"
    if not transcript["speaker_labels"]:
        return lambda label: None
    options = transcript["speaker_options"] or {}
    most = transcript["speakers_expected"] or options.get("max_speakers_expected") or len(string.ascii_uppercase)
    kept = list(dict.fromkeys(utterance["speaker"] for utterance in sample["utterances"]))[:most]
    return lambda label: label if label in kept else kept[-1]


def _channels(sample: Mapping[str, Any]) -> int:
    return int(sample.get("audio_channels") or 1)


def _relabelled(utterance: Mapping[str, Any], label: Callable[[str], str | None]) -> dict[str, Any]:
    speaker = label(utterance["speaker"])
    words = [{**word, "speaker": speaker} for word in utterance["words"]]
    return {**utterance, "speaker": speaker, "words": words}


def deleted(transcript: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a transcript after DELETE."""
    return {
        **BLANK,
        **{name: transcript.get(name) for name in ("id", "status", "speech_model", "language_code")},
        "text": "Deleted by user.",
        "audio_url": "http://deleted_by_user",
        "webhook_url": "http://deleted_by_user" if transcript.get("webhook_url") else None,
        "is_deleted": True,
    }


def sentences(transcript: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cut a completed transcript into sentences, at the words that end one."""
    found: list[dict[str, Any]] = []
    start = 0
    words = transcript["words"]
    for index, word in enumerate(words):
        last = index + 1 == len(words) or words[index + 1]["speaker"] != word["speaker"]
        if word["text"][-1] in ".?!" or last:
            part = words[start : index + 1]
            start = index + 1
            found.append(
                {
                    "text": " ".join(item["text"] for item in part),
                    "start": part[0]["start"],
                    "end": part[-1]["end"],
                    "confidence": mean(item["confidence"] for item in part),
                    "words": part,
                    "speaker": word["speaker"],
                }
            )
    return found


def mean(confidences: Iterable[float]) -> float:
    """Return the mean of confidences, with six decimals."""
    values = list(confidences)
    return round(sum(values) / len(values), 6)
