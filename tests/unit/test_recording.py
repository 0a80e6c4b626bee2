"""Which objects are recordings, and what is asked of AssemblyAI about one."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import EVENTS, recording

from callcoach.acceptance import AUDIO_SUFFIXES, SIZE_LIMIT_BYTES, is_folder
from callcoach.documents import KEY_LIMIT_BYTES, Notice
from callcoach.errors import MalformedMessage, RequestRefused, SettingsError, UnsupportedRecording
from callcoach.names import Drop, names_object
from callcoach.resubmission import MOST_RESUBMISSIONS
from submit.recording import (
    KEY_GROUPS,
    call_details,
    details_in_key,
    key_pattern,
    language_refusal,
    read_event,
    replacement_models,
    require_recording,
    submission_record,
    transcript_options,
    unread_language,
    webhook_address,
)

MODELS = ("universal-3-pro", "universal-2")
KEY_PATTERN = r"^(?P<rep>[^/]+)/(?P<customer>[^/_]+)_(?P<call_type>[a-z-]+)_(?P<recorded_at>\d{4}-\d\d-\d\d)"


def dropped_body() -> str:
    event = json.loads((EVENTS / "recording_dropped.json").read_text())
    body: str = event["Records"][0]["body"]
    return body


def test_event_of_a_dropped_recording_is_read() -> None:
    """What is read is what the sample event says, its key as it is."""
    said = json.loads(dropped_body())["detail"]
    assert read_event(dropped_body()) == Drop(
        bucket=said["bucket"]["name"],
        recording=said["object"]["key"],
        etag=said["object"]["etag"],
        size_bytes=said["object"]["size"],
        sequencer=said["object"]["sequencer"],
    )


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("bucket", {"name": ""}),
        ("bucket", {"name": "two words"}),
        ("bucket", {"name": "../other"}),
        ("object", {"key": ""}),
        ("object", {"key": "ü" * (KEY_LIMIT_BYTES // 2) + "x"}),
        ("object", {"key": "half of \ud83d a pair"}),
        ("object", {"key": None}),
        ("object", {"size": "5"}),
        ("object", {"etag": 5}),
    ],
)
def test_event_that_s3_cannot_have_sent_is_malformed(part: str, change: dict[str, object]) -> None:
    """None of these names an object that could be asked for."""
    body = json.loads(dropped_body())
    body["detail"][part] |= change
    with pytest.raises(MalformedMessage):
        read_event(json.dumps(body))


def test_what_is_submitted_quietly_is_the_same_work() -> None:
    body = json.loads(dropped_body())
    loud = read_event(json.dumps(body))
    body["detail"]["quiet"] = True
    quiet = read_event(json.dumps(body))
    assert (loud.quiet, quiet.quiet) == (False, True)
    assert (quiet.identity, quiet.work_id, quiet.open_job) == (loud.identity, loud.work_id, loud.open_job)


@pytest.mark.parametrize("resubmissions", [-1, MOST_RESUBMISSIONS + 1, 10**30, "1", None])
def test_resubmission_that_was_none_of_ours_is_malformed(resubmissions: object) -> None:
    body = json.loads(dropped_body())
    body["detail"]["resubmissions"] = resubmissions
    with pytest.raises(MalformedMessage):
        read_event(json.dumps(body))


@pytest.mark.parametrize("key", ["ü" * (KEY_LIMIT_BYTES // 2), "\x00\x01\n\ufffe", "..", " ", "\u202egnp.mp3"])
def test_event_with_any_key_that_s3_takes_is_read(key: str) -> None:
    body = json.loads(dropped_body())
    body["detail"]["object"]["key"] = key
    for written in (json.dumps(body), json.dumps(body, ensure_ascii=False)):
        assert read_event(written).recording == key


@pytest.mark.parametrize("absent", ["key", "etag", "sequencer"])
def test_event_without_a_needed_field_is_malformed(absent: str) -> None:
    body = json.loads(dropped_body())
    del body["detail"]["object"][absent]
    with pytest.raises(MalformedMessage):
        read_event(json.dumps(body))


@pytest.mark.parametrize("body", ["", "{}", "null", "[]", "no JSON", '{"detail": {}}', '{"detail": {"object": 5}}'])
def test_other_messages_are_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        read_event(body)


@pytest.mark.parametrize(
    ("key", "size_bytes", "expected"),
    [
        ("calls/", 0, True),
        ("calls/dana_$folder$", 0, True),
        ("calls/", 7, False),
        ("calls/dana_$folder$", 7, False),
        ("calls/a.mp3", 0, False),
    ],
)
def test_a_folder_is_an_empty_object_that_is_named_as_one(key: str, size_bytes: int, *, expected: bool) -> None:
    assert is_folder(key, size_bytes) is expected


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        *((f"call{suffix}", "application/octet-stream") for suffix in sorted(AUDIO_SUFFIXES)),
        ("CALL.MP3", "binary/octet-stream"),
        ("dots.in.name.m4a", ""),
        ("call", ""),
        ("call", "application/octet-stream"),
        ("call.unknown", "audio/x-unknown"),
        ("call.unknown", "Video/MP4; codecs=avc1"),
    ],
)
def test_recordings_are_taken(key: str, content_type: str) -> None:
    """A known suffix or a media type is enough, and so is an object that says nothing about itself."""
    require_recording(key, recording(content_type=content_type))


@pytest.mark.parametrize(
    ("key", "changes", "reason"),
    [
        ("a/../b.mp3", {}, "unsupported_key"),
        ("./b.mp3", {}, "unsupported_key"),
        ("b.mp3", {"size_bytes": 0}, "empty_recording"),
        ("b.mp3", {"size_bytes": SIZE_LIMIT_BYTES + 1}, "recording_too_large"),
        ("b.pdf", {"content_type": "application/pdf"}, "not_a_recording"),
        ("b.txt", {"content_type": "application/octet-stream"}, "not_a_recording"),
        ("b", {"content_type": "text/plain"}, "not_a_recording"),
    ],
)
def test_other_objects_are_refused_with_what_to_do(key: str, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UnsupportedRecording) as refused:
        require_recording(key, recording(**changes))
    assert refused.value.reason == reason
    assert refused.value.next_step
    assert not refused.value.retryable


def test_largest_recording_is_taken() -> None:
    require_recording("b.mp3", recording(size_bytes=SIZE_LIMIT_BYTES))


def test_call_details_come_from_the_metadata() -> None:
    """What somebody said is kept, without white space around it; what nobody said is null."""
    said = call_details(
        recording(
            metadata={"rep": " Dana Reyes ", "Customer": "Acme", "team": "", "recorded-at": "2026-05-06T16:00:00+02:00"}
        )
    )
    assert (said.rep, said.customer, said.team, said.call_type) == ("Dana Reyes", "Acme", None, None)
    assert (said.recorded_at, said.recorded_at_source) == ("2026-05-06T14:00:00Z", "metadata")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=?UTF-8?B?Sm9zw6k=?=", "José"),
        ("=?UTF-8?Q?M=C3=BCller_&_S=C3=B6hne?=", "Müller & Söhne"),
        ("=?utf-8?q?M=C3=BCller?= =?utf-8?q?_=26_S=C3=B6hne?=", "Müller & Söhne"),
        ("Dana =?UTF-8?Q?Jos=C3=A9?= Reyes", "Dana José Reyes"),
        ("=?UTF-8?Q?_=E7=94=B0=E4=B8=AD_?=", "田中"),
        ("=?UTF-8?B?Sm9zw6?=", "=?UTF-8?B?Sm9zw6?="),
        ("=?UTF-8?B?!!!?=", "=?UTF-8?B?!!!?="),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("=?UTF-9?Q?a?=", "=?UTF-9?Q?a?="),
        ("=?utf-7?Q?+2AA-?=", "=?utf-7?Q?+2AA-?="),
        ("=?UTF-8?Q?a", "=?UTF-8?Q?a"),
        ("Why? =?", "Why? =?"),
    ],
)
def test_metadata_other_than_ascii_is_read_as_it_was_typed(text: str, said: str) -> None:
    """S3 gives it back encoded as in a mail's header (RFC 2047). What is encoded wrongly stays as it is."""
    assert call_details(recording(metadata={"rep": text})).rep == said


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_survives_its_encoding(name: str) -> None:
    encoded = f"=?UTF-8?B?{base64.b64encode(name.encode()).decode()}?="
    assert call_details(recording(metadata={"rep": encoded})).rep == (name.strip() or None)


@given(st.text("=?UTF-8BbQq_123ABCDEF+/ \t", max_size=40))
def test_any_metadata_can_be_written_down(text: str) -> None:
    rep = call_details(recording(metadata={"rep": text})).rep
    assert rep is None or rep.encode().decode() == rep.strip()


def test_details_whose_names_differ_in_case_are_one() -> None:
    """A blank one says nothing, whichever comes first."""
    for metadata in ({"Rep": "Dana", "rep": " "}, {"rep": "", "REP": "Dana"}):
        assert call_details(recording(metadata=metadata)).rep == "Dana"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "06.05.2026", "2026-05-06T25:00"])
def test_unreadable_date_gives_way_to_the_objects_own(text: str) -> None:
    said = call_details(recording(metadata={"recorded-at": text}))
    assert (said.recorded_at, said.recorded_at_source) == ("2026-05-06T14:35:00Z", "object")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_date_that_utc_cannot_hold_is_unreadable(text: str) -> None:
    assert call_details(recording(metadata={"recorded-at": text})).recorded_at_source == "object"


@given(
    st.one_of(
        st.text(max_size=30),
        st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-11))])).map(datetime.isoformat),
        st.dates().map(lambda day: day.isoformat()),
    )
)
def test_date_is_always_one_that_can_be_read_again(text: str) -> None:
    """Whatever the metadata says, the date that goes into the record is ISO 8601 in UTC, to the second."""
    recorded_at = call_details(recording(metadata={"recorded-at": text})).recorded_at or ""
    moment = datetime.fromisoformat(recorded_at)
    assert recorded_at.endswith("Z")
    assert moment.tzinfo == UTC
    assert moment.isoformat().replace("+00:00", "Z") == recorded_at


def test_key_says_who_which_and_when() -> None:
    """Names are written as names, the kind of call stays as the bands have it."""
    assert details_in_key("dana-reyes/acme_follow-up_2026-05-06.mp3", key_pattern(KEY_PATTERN)) == {
        "rep": "Dana Reyes",
        "customer": "Acme",
        "call_type": "follow-up",
        "recorded_at": "2026-05-06",
    }


@pytest.mark.parametrize(
    ("folder", "rep"),
    [
        ("dana-reyes", "Dana Reyes"),
        ("dana.van_der-berg", "Dana Van Der Berg"),
        ("Dana Smith-Reyes", "Dana Smith-Reyes"),
        ("McDonald", "McDonald"),
        ("o'neill", "O'neill"),
        ("42", "42"),
        ("田中", "田中"),
        ("---", "---"),
    ],
)
def test_names_are_only_mended_where_somebody_wrote_none(folder: str, rep: str) -> None:
    assert details_in_key(f"{folder}/acme_demo_2026-05-06.mp3", key_pattern(KEY_PATTERN))["rep"] == rep


@pytest.mark.parametrize(
    "key",
    [
        "acme.mp3",
        "dana-reyes/acme.mp3",
        "2026/05/dana-reyes/acme_demo_2026-05-06.mp3",
        "",
        f"{'d' * 1020}/a_demo_2026-05-06.mp3",
    ],
)
def test_key_that_does_not_fit_says_nothing(key: str) -> None:
    """Nor does one that is longer than S3's limit, whatever the pattern would make of it."""
    assert details_in_key(key, key_pattern(KEY_PATTERN)) == {}
    assert call_details(recording(), details_in_key(key, key_pattern(KEY_PATTERN))) == call_details(recording())


@pytest.mark.parametrize("prefix", ["calls/", "calls", "/"])
def test_prefix_of_all_recordings_is_no_part_of_the_name(prefix: str) -> None:
    key = f"{prefix.rstrip('/')}/dana-reyes/acme_demo_2026-05-06.mp3"
    assert details_in_key(key, key_pattern(KEY_PATTERN), prefix=prefix)["rep"] == "Dana Reyes"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_key_gives_details_that_are_known(key: str) -> None:
    assert set(details_in_key(key, key_pattern(KEY_PATTERN))) <= set(KEY_GROUPS)
    assert call_details(recording(), details_in_key(key, key_pattern(r"(?P<rep>.*)"))).recorded_at


@pytest.mark.parametrize("text", ["", "  "])
def test_blank_pattern_reads_no_key(text: str) -> None:
    assert key_pattern(text) is None
    assert details_in_key("dana-reyes/acme_demo_2026-05-06.mp3", None) == {}


@pytest.mark.parametrize(
    "text",
    [
        "(?P<rep>",
        "*",
        "(?P<rep>a)(?P<rep>b)",
        "^[^/]+/",
        "(?P<who>.*)",
        "(?P<rep>.*)/(?P<kind>.*)",
        "a{99999999999999}",
    ],
)
def test_broken_pattern_stops_the_function_with_the_reason(text: str) -> None:
    with pytest.raises(SettingsError, match="KEY_PATTERN"):
        key_pattern(text)


def test_metadata_wins_over_the_key() -> None:
    """Each detail comes from the first that gives it, and the two that are judged by say from where."""
    in_key = {"rep": "Dana Reyes", "customer": "Acme", "call_type": "demo", "recorded_at": "2026-05-06"}
    said = call_details(recording(metadata={"rep": "Lee", "call-type": "cold", "recorded-at": "2026-05-07"}), in_key)
    assert (said.rep, said.customer) == ("Lee", "Acme")
    assert (said.call_type, said.call_type_source) == ("cold", "metadata")
    assert (said.recorded_at, said.recorded_at_source) == ("2026-05-07T00:00:00Z", "metadata")

    said = call_details(recording(metadata={"call-type": " "}), in_key)
    assert (said.rep, said.customer) == ("Dana Reyes", "Acme")
    assert (said.call_type, said.call_type_source) == ("demo", "path")
    assert (said.recorded_at, said.recorded_at_source) == ("2026-05-06T00:00:00Z", "path")


def test_date_in_the_key_that_is_none_gives_way_to_the_objects_own() -> None:
    said = call_details(recording(), {"recorded_at": "2026-13-45"})
    assert (said.recorded_at, said.recorded_at_source) == ("2026-05-06T14:35:00Z", "object")
    assert (said.call_type, said.call_type_source) == (None, None)


@pytest.mark.parametrize(
    ("metadata", "configured", "expected"),
    [
        ({}, "detect", {"language_detection": True, "sentiment_analysis": True}),
        ({}, "en_uk", {"language_code": "en_uk", "sentiment_analysis": True}),
        ({"language": "de"}, "detect", {"language_code": "de"}),
        ({"Language": "=?UTF-8?Q?de?="}, "detect", {"language_code": "de"}),
        ({"language": " EN-us "}, "de", {"language_code": "en_us", "sentiment_analysis": True}),
        ({"language": "de-AT"}, "en", {"language_code": "de"}),
        ({}, "en_gb", {"language_code": "en_uk", "sentiment_analysis": True}),
        ({"language": "English"}, "detect", {"language_detection": True, "sentiment_analysis": True}),
        ({"language": "English"}, "de", {"language_code": "de"}),
    ],
)
def test_language_is_detected_or_named_never_both(
    metadata: dict[str, str], configured: str, expected: dict[str, object]
) -> None:
    """Sentiment is asked for where the language has it or is not known yet: elsewhere it would be refused."""
    options = transcript_options(
        recording(metadata=metadata), speech_models=MODELS, language=configured, disfluencies=False
    )
    assert options == {"speech_models": list(MODELS), "speaker_labels": True, **expected}


@pytest.mark.parametrize(("said", "remark"), [("", False), ("de", False), ("en-GB", False), ("German", True)])
def test_a_language_that_is_no_code_is_remarked(said: str, *, remark: bool) -> None:
    """The stack's own setting counts then, and nobody should find that out from the scorecard's language alone."""
    found = unread_language(recording(metadata={"language": said}))
    assert bool(found) is remark
    assert found is None or (found.code, '"German"' in found.text) == ("language_unread", True)


@pytest.mark.parametrize(
    ("refusal", "asked", "reason"),
    [
        ("The following models are not available in this language: speaker_labels", {"language_code": "cy"}, True),
        (
            "The following models are not available in this language: speaker_labels",
            {"language_detection": True},
            False,
        ),
        ("Your current account balance is negative.", {"language_code": "cy"}, False),
    ],
)
def test_a_refused_language_is_no_fault_of_the_stack(refusal: str, asked: dict[str, object], *, reason: bool) -> None:
    fault = RequestRefused("request_refused", refusal, next_step="Change the parameters.", status=400)
    failure = language_refusal(fault, asked)
    assert (failure is not None) is reason
    assert failure is None or (failure.reason, "metadata" in failure.next_step) == ("language_not_supported", True)


def test_fillers_are_not_asked_for_in_a_named_language_that_lacks_them() -> None:
    """The whole request would be refused."""
    said = recording(metadata={"language": "fr"})
    assert "disfluencies" not in transcript_options(said, speech_models=MODELS, language="detect", disfluencies=True)


def test_fillers_are_asked_for_only_where_wanted() -> None:
    options = transcript_options(recording(), speech_models=MODELS, language="detect", disfluencies=True)
    assert options["disfluencies"] is True


@pytest.mark.parametrize(("rep_channel", "asked"), [(0, "speaker_labels"), (1, "multichannel"), (2, "multichannel")])
def test_speakers_are_told_apart_by_voice_or_by_channel_never_both(rep_channel: int, asked: str) -> None:
    """With both, a channel would be cut into speakers again."""
    options = transcript_options(
        recording(), speech_models=MODELS, language="detect", disfluencies=False, rep_channel=rep_channel
    )
    assert {name for name in ("speaker_labels", "multichannel") if name in options} == {asked}
    assert options[asked] is True


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_webhook_address_shows_nothing_of_the_key(key: str) -> None:
    """The address is plain ASCII with one parameter, whatever the key holds."""
    base = "https://api.example/callbacks/assemblyai"
    address = webhook_address(base, key)
    assert address.startswith(f"{base}?recording=")
    assert set(address.removeprefix(f"{base}?recording=")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


@pytest.fixture(scope="module", params=["virtual", "path"])
def s3(request: pytest.FixtureRequest) -> Any:
    """A client that signs links in one of the two styles."""
    # checkov:skip=CKV_SECRET_2: the key of AWS's own documents
    session = boto3.session.Session("AKIAIOSFODNN7EXAMPLE", "not-a-secret", region_name="eu-central-1")
    return session.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": request.param}))


@pytest.mark.parametrize("key", ["a.mp3", "dana reyes/acme+1 & co.ogg", "50%25/ü?x=1#y.wav", "日本/電話.m4a"])
def test_presigned_link_is_recognised(s3: Any, key: str) -> None:
    """A link that boto3 signs names its object in both styles, and no other object."""
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "recordings", "Key": key})
    assert names_object(link, "recordings", key)
    assert not names_object(link, "recordings", f"{key}x")
    assert not names_object(link, "other", key)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_whoever_fetches_a_recording_asks_for_the_key_that_was_dropped(s3: Any, key: str) -> None:
    """A client that folded a path, or encoded it in another way, would ask for what was not signed."""
    try:
        require_recording(key, recording())
    except UnsupportedRecording:
        assert {".", ".."} & set(key.split("/"))
        return
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "recordings", "Key": key})
    assert names_object(link, "recordings", key)
    assert requests.Request("GET", link).prepare().url == link


@pytest.mark.parametrize("audio_url", [None, "", "http://deleted_by_user", "https://[broken", "//"])
def test_other_addresses_name_no_object(audio_url: str | None) -> None:
    """The list of an account holds other people's jobs too, whatever they gave as address."""
    assert not names_object(audio_url, "recordings", "a.mp3")


@pytest.mark.parametrize(
    ("refusal", "models"),
    [
        (
            (
                'POST /v2/transcript: 400 The "universal-3-pro" speech model(s) have been deprecated.'
                ' Use speech_models: ["universal-3-5-pro", "universal-2"] instead.'
            ),
            ("universal-3-5-pro", "universal-2"),
        ),
        (
            (
                '"speech_models" must be a non-empty list containing one or more of:'
                ' "universal-3-pro", "universal-2", "universal-3-5-pro"'
            ),
            ("universal-3-pro", "universal-2", "universal-3-5-pro"),
        ),
        ('speech_model is deprecated. Use "speech_models" instead...', ()),
        ('The "universal-3-pro" speech model(s) have been retired.', ()),
        (
            (
                'The "a-1" speech model(s) have been deprecated. Use speech_models: ["assemblyai-stt-3-7"] instead.'
                " See https://www.assemblyai.com/docs/pre-recorded-audio for details."
            ),
            ("assemblyai-stt-3-7",),
        ),
        ("Your current account balance is negative. Please top up to continue using the API.", None),
        ("The following models are not available in this language: speaker_labels", None),
        ("", None),
    ],
)
def test_replacement_models_are_those_that_the_refusal_names(refusal: str, models: tuple[str, ...] | None) -> None:
    """Texts as the service writes them. None: not about speech models; empty: none is named."""
    assert replacement_models(refusal) == models


def test_submission_record_keeps_what_was_asked() -> None:
    now = datetime(2026, 5, 6, 14, 36, tzinfo=UTC)
    dropped = Drop("recordings", "a.mp3", "etag-of-event", "0061", size_bytes=5)
    record = submission_record(
        dropped,
        recording(metadata={"rep": "Dana"}),
        "t1",
        {"speaker_labels": True},
        [Notice("language_unread", "a warning")],
        now=now,
        overdue_after_seconds=900,
        deadline_hours=24,
    )
    assert (record.submitted_at, record.deadline_at) == ("2026-05-06T14:36:00Z", "2026-05-07T14:36:00Z")
    assert (record.recording, record.sequencer, record.transcript_id) == ("a.mp3", "0061", "t1")
    assert (record.etag, record.size_bytes) == (recording().etag, recording().size_bytes)
    assert (record.call.rep, record.warnings) == ("Dana", [Notice("language_unread", "a warning")])
