"""Which objects are recordings, and what is asked of AssemblyAI about one. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.header import decode_header, make_header

from callcoach.acceptance import media, refusal
from callcoach.documents import KEY_LIMIT_BYTES, CallDetails, Notice, Recording, Submission, encode_key
from callcoach.errors import MalformedMessage, RequestRefused, SettingsError, UnsupportedRecording
from callcoach.languages import ENGLISH, language_code
from callcoach.names import Drop
from callcoach.plain_text import printable
from callcoach.resubmission import MOST_RESUBMISSIONS

# The named groups that a key pattern may have.
KEY_GROUPS = ("rep", "customer", "team", "call_type", "recorded_at")

_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_BETWEEN_WORDS = re.compile(r"[\s._+-]+")


def read_event(body: str) -> Drop:
    """Read a message of RecordingsQueue. Raises MalformedMessage for one that S3 could not have sent, nor callcoach."""
    dropped = Drop.from_event(body)
    if not _BUCKET.fullmatch(dropped.bucket):
        raise MalformedMessage("not an Object Created event: no bucket has such a name")
    if len(dropped.recording.encode()) > KEY_LIMIT_BYTES:
        raise MalformedMessage("not an Object Created event: no object has so long a key")
    if not (dropped.etag and dropped.sequencer):
        raise MalformedMessage("not an Object Created event: it does not say which content")
    if not 0 <= dropped.resubmissions <= MOST_RESUBMISSIONS:
        raise MalformedMessage("not an Object Created event: it was not resubmitted so often")
    return dropped


def require_recording(key: str, recording: Recording) -> None:
    """Raise UnsupportedRecording, with what to do about it, unless AssemblyAI can be expected to read the object."""
    reason = refusal(key, recording.size_bytes, recording.content_type)
    if not reason:
        return
    suffix, content_type = media(key, recording.content_type)
    detail, next_step = {
        "unsupported_key": ("the key has a . or .. segment", "Drop the recording under another name."),
        "empty_recording": ("the object has no bytes", "Upload the recording again."),
        "recording_too_large": (
            f"{recording.size_bytes / 1000**3:.1f} GB is more than the 5 GB that AssemblyAI takes",
            "Upload a compressed or shorter recording.",
        ),
        "not_a_recording": (
            f"neither the name ({suffix or 'no suffix'}) nor the type ({content_type or 'none'}) is of sound or video",
            "Upload an audio or video file, for example .mp3, .m4a or .wav.",
        ),
    }[reason]
    raise UnsupportedRecording(reason, detail, next_step=next_step)


def key_pattern(text: str) -> re.Pattern[str] | None:
    """Return the pattern that finds a call's details in a recording's key; None for a blank text.

    Raises SettingsError for what is no regular expression, and for one that names no detail or another group.
    """
    if not text.strip():
        return None
    try:
        pattern = re.compile(text.strip())
    except (re.error, OverflowError, RecursionError) as fault:
        raise SettingsError(f"KEY_PATTERN is no regular expression of Python: {fault}") from fault
    groups = set(pattern.groupindex)
    if not groups or not groups <= set(KEY_GROUPS):
        raise SettingsError(f"KEY_PATTERN needs named groups (?P<name>...), of these only: {', '.join(KEY_GROUPS)}")
    return pattern


def details_in_key(key: str, pattern: re.Pattern[str] | None, *, prefix: str = "") -> dict[str, str]:
    """Return what a recording's key, after the prefix of all recordings, says about the call; {} where it says nothing.

    A name that is written as file names are ("dana-reyes") is written as names are ("Dana Reyes"). Of a key longer than
    S3 allows nothing is read, which bounds the work of an unfortunate pattern.
    """
    if pattern is None or len(key.encode(errors="replace")) > KEY_LIMIT_BYTES:
        return {}
    match = pattern.search(key.removeprefix(prefix).lstrip("/"))
    found = match.groupdict("") if match else {}
    return {name: _as_name(text) if name in ("rep", "customer", "team") else text for name, text in found.items()}


def call_details(recording: Recording, in_key: Mapping[str, str] | None = None) -> CallDetails:
    """Return what the recording's metadata says about the call; where it is silent, what its key says.

    in_key: as details_in_key returns it.
    """
    said = _said(recording)
    named = {name: value.strip() for name, value in (in_key or {}).items()}
    said_at, named_at = _utc(said.get("recorded-at", "")), _utc(named.get("recorded_at", ""))
    said_type, named_type = said.get("call-type"), named.get("call_type")
    return CallDetails(
        recorded_at=said_at or named_at or _iso(recording.last_modified),
        recorded_at_source="metadata" if said_at else "path" if named_at else "object",
        rep=said.get("rep") or named.get("rep") or None,
        customer=said.get("customer") or named.get("customer") or None,
        team=said.get("team") or named.get("team") or None,
        call_type=said_type or named_type or None,
        call_type_source="metadata" if said_type else "path" if named_type else None,
    )


def transcript_options(
    recording: Recording,
    *,
    speech_models: tuple[str, ...],
    language: str,
    disfluencies: bool,
    rep_channel: int = 0,
    redact_pii: tuple[str, ...] = (),
) -> dict[str, object]:
    """Return the options of POST /v2/transcript that may be kept: all but addresses and keys.

    language: detect or a code; the recording's metadata field language wins when it is a code.
    rep_channel: 1 or 2 where each side has a channel of its own, 0 where speakers are told apart by voice.
    redact_pii: the kinds of personal data that are to be left out of the transcript.
    """
    told_apart_by = "multichannel" if rep_channel else "speaker_labels"
    options: dict[str, object] = {"speech_models": list(speech_models), told_apart_by: True}
    chosen = language_code(_said(recording).get("language", "")) or language_code(language)
    if chosen:
        options["language_code"] = chosen
    else:
        options["language_detection"] = True
    # A feature that the named language lacks is refused; a detected language goes without it.
    if not chosen or chosen in ENGLISH:
        options["sentiment_analysis"] = True
        if disfluencies:
            options["disfluencies"] = True
    if redact_pii:
        options |= {"redact_pii": True, "redact_pii_policies": list(redact_pii), "redact_pii_sub": "entity_name"}
    return options


def unread_language(recording: Recording) -> Notice | None:
    """Return a remark on a metadata field language that is no code, so that the stack's own setting counts."""
    said = _said(recording).get("language", "")
    if not said or language_code(said):
        return None
    text = f'"{printable(said)}" in the recording\'s metadata is no language code such as en or de, and was left aside.'
    return Notice("language_unread", text)


def language_refusal(refusal: RequestRefused, asked: Mapping[str, object]) -> UnsupportedRecording | None:
    """Return the failure that a 400 about the named language stands for; None for a refusal of anything else."""
    if refusal.status != 400 or "language_code" not in asked or "language" not in refusal.detail:
        return None
    return UnsupportedRecording(
        "language_not_supported",
        f"AssemblyAI cannot do what is asked in the language {asked['language_code']}: {refusal.detail}",
        next_step="For whoever runs callcoach: correct the recording's metadata field language, or the stack's"
        " parameter Language. If it is right: speakers can be told apart by channel instead (RepChannel),"
        " and RedactPii may be left blank.",
    )


def webhook_address(webhook_url: str, recording_key: str) -> str:
    """Return the callback's address for one recording, which comes back with the callback.

    The key is encoded: file names of customers stay out of URLs and logs.
    """
    return f"{webhook_url}?recording={encode_key(recording_key)}"


def replacement_models(refusal: str) -> tuple[str, ...] | None:
    """Return the speech models to ask for instead, from a 400 about the ones asked for.

    None: the refusal is about something else. Empty: it names none, so the account's default has to do.
    """
    if "speech model" not in refusal and "speech_models" not in refusal:
        return None
    named = re.search(r"(?:Use speech_models|one or more of):(.*)", refusal, re.DOTALL)
    models = re.findall(r'"([a-z0-9.-]+)"', named[1]) if named else []
    return tuple(dict.fromkeys(models))


def submission_record(
    dropped: Drop,
    recording: Recording,
    transcript_id: str,
    asked: dict[str, object],
    warnings: list[Notice],
    *,
    now: datetime,
    overdue_after_seconds: int,
    deadline_hours: int,
    in_key: Mapping[str, str] | None = None,
    rep_channel: int = 0,
) -> Submission:
    """Return the record of a submission made at now. in_key and rep_channel: as above."""
    return Submission(
        bucket=dropped.bucket,
        recording=dropped.recording,
        etag=recording.etag,
        size_bytes=recording.size_bytes,
        sequencer=dropped.sequencer,
        transcript_id=transcript_id,
        submitted_at=_iso(now),
        overdue_after_seconds=overdue_after_seconds,
        deadline_at=_iso(now + timedelta(hours=deadline_hours)),
        call=call_details(recording, in_key),
        asked=asked,
        rep_channel=rep_channel,
        warnings=warnings,
        dropped_at=_iso(recording.last_modified),
        open_job=dropped.open_job,
        resubmissions=dropped.resubmissions,
        quiet=dropped.quiet,
    )


def _said(recording: Recording) -> dict[str, str]:
    """Return what the metadata says, by names in lower case. Of those that are then the same, the last one counts."""
    return {name.lower(): said for name, text in recording.metadata.items() if (said := _decoded(text).strip())}


def _decoded(text: str) -> str:
    """Return a field of the metadata as it was typed. S3 gives other than ASCII back as RFC 2047 encodes it.

    What is encoded wrongly stays as it is.
    """
    try:
        decoded = str(make_header(decode_header(text)))
        decoded.encode()
    except (MessageError, LookupError, ValueError):
        return text
    return decoded or text


def _as_name(text: str) -> str:
    """Return words in lower case as a name; what has capitals, or no cases at all, stays as somebody wrote it."""
    if not text.islower():
        return text
    return " ".join(word[:1].upper() + word[1:] for word in _BETWEEN_WORDS.split(text) if word)


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _utc(text: str) -> str | None:
    """Return an ISO 8601 date or time in UTC; without an offset it is taken as UTC. None when it is neither."""
    try:
        moment = datetime.fromisoformat(text)
        return _iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
