"""Recordings with names, contents and metadata of every kind: each ends as a scorecard, or as a failure that says why.

What moto's own addresses cannot hold, a line break in a key, is tested where the key is handled (tests/unit).
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from moto.s3.models import FakeKey
from tests.faults.drops import dropped
from tests.faults.stage import STEP_SECONDS, Stage, stage

from callcoach.documents import KEY_LIMIT_BYTES, decode_key, document_key

SOUND = b"the sound of a short call"
CALL = {
    "audio_duration": 9,
    "confidence": 0.93,
    "language_code": "en_us",
    "utterances": [
        {"speaker": "A", "text": "Good morning, this is Dana from Acme. How do you plan?", "start": 0, "end": 4000},
        {"speaker": "B", "text": "By hand, and it takes the whole Friday.", "start": 4200, "end": 8000},
    ],
    "sentiment_analysis_results": [],
}

KEYS = [
    "dana reyes/a+b 100%.mp3",
    "%2e%2e/a%2Fb%20c.mp3",
    "'single' \"double\" `back`.mp3",
    "😀 👩\u200d💻.mp3",
    "שיחה \u202egpj.mp3",
    "日本/電話 e\u0301 é.m4a",
    "\x00\x01\t\r\x7f\x85.mp3",
    "\ufffe and \uffff.mp3",
    "<b onclick='x'>&amp;<script>.mp3",
    "/a//b.mp3/",
    "c:\\calls\\b.mp3",
    "a?b#c;d=e&f,g@h|i^j[k]{l}~*!().mp3",
    "..a/.../b...mp3",
    "$input {{ 7 * 7 }} ${x} %s.mp3",
    "www.evil.com/free.mp3",
    "a&Action=DeleteQueue&QueueUrl=b.mp3",
    "s" * (KEY_LIMIT_BYTES - 4) + ".mp3",
    "ü" * (KEY_LIMIT_BYTES // 2 - 2) + ".mp3",
    f"a.mp3~{'0' * 64}",
]


@pytest.fixture(scope="module")
def set_up() -> Iterator[Stage]:
    """A stack with everything running, which knows one short call."""
    # Two processes of each function: starting more costs more than they save.
    with stage(parameters={"MaximumConcurrency": "2"}) as running:
        running.stack.stand_in.teach(SOUND, CALL)
        yield running


def flowing(text: str) -> str:
    """Return a mail with its line breaks undone."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def scored(set_up: Stage) -> Mapping[str, Any]:
    """All those names, each of them dropped, and the scorecards by name."""
    for key in KEYS:
        set_up.stack.drop(key, SOUND, ContentType="audio/mpeg")
    set_up.until_done(lambda: len(set_up.stack.cloud.mails()) >= len(KEYS), STEP_SECONDS)
    return {key: set_up.stack.document("scorecards", key) for key in KEYS}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:30]))
def test_any_name_goes_the_whole_way(set_up: Stage, scored: Mapping[str, Any], key: str) -> None:
    """The event, AssemblyAI's link to fetch, the callback's address, the documents' names and the e-mail's link."""
    stack = set_up.stack
    path = f"/{stack.cloud.outputs['RecordingsBucketName']}/{key}"
    (job,) = [job for job in stack.stand_in.jobs.values() if unquote(urlsplit(job.fields["audio_url"]).path) == path]
    assert job.history[-1][0] == "completed"
    assert job.delivery is not None
    assert job.delivery.outcome == "delivered"
    assert decode_key(job.delivery.url.partition("?recording=")[2]) == key

    card = scored[key]
    assert card["call"]["recording"] == key
    assert card["call"]["transcript_id"] == job.id
    for kind in ("submissions", "transcripts", "reports"):
        assert stack.body(kind, key)
    name = document_key("scorecards", key)
    assert len(name.encode()) <= KEY_LIMIT_BYTES
    assert (name == f"scorecards/{key}.json") is (len(key) < 300 and "~0" not in key)

    link = f"?prefix={quote(document_key('reports', key), safe='/')}"
    linking = [mail for mail in stack.cloud.mails() if link in mail.message]
    assert len(linking) == (1 if len(link) < 400 else 0)


def test_every_name_has_one_mail_and_no_name_is_logged(set_up: Stage, scored: Mapping[str, Any]) -> None:
    cloud = set_up.stack.cloud
    about = [mail for mail in cloud.mails() if mail.attributes["outcome"] == "numbers_only"]
    logs = "".join(cloud.logs(function) for function in ("SubmitFunction", "ScorecardFunction"))
    assert len(about) >= len(scored) == len(KEYS)
    assert all(
        mail.message.replace("\n", "").isprintable() and "evil.com" not in mail.message.split("https://")[0]
        for mail in about
    )
    assert "Traceback" not in logs
    assert not [key for key in KEYS if json.dumps(key)[1:-1] in logs or key in logs]
    assert all(cloud.queue_depth(queue) == 0 for queue in ("RecordingsDlq", "CallbacksDlq", "RecordingsQueue"))


@dataclass(frozen=True)
class Bad:
    """An object that is no recording, and what people are told of it. error: AssemblyAI's own words about it."""

    key: str
    body: bytes
    reason: str
    next_step: str
    content_type: str = "binary/octet-stream"
    error: str = ""


NO_SOUND = "File does not appear to contain audio. File type is text/plain (ASCII text)"
TRUNCATED = "Transcoding failed. File type audio/mpeg (Audio file with ID3 version 2.4.0)"


BAD = [
    Bad("empty.mp3", b"", "empty_recording", "Upload the recording again."),
    Bad("empty", b"", "empty_recording", "Upload the recording again.", "audio/mpeg"),
    Bad("notes.txt", b"not a call", "not_a_recording", "Upload an audio or video file"),
    Bad("page", b"<html>", "not_a_recording", "Upload an audio or video file", "text/html; charset=utf-8"),
    Bad("call.mp3 ", SOUND, "not_a_recording", "Upload an audio or video file"),
    Bad("メモ<b>.txt", b"not a call", "not_a_recording", "Upload an audio or video file"),
    Bad("a/../b.mp3", SOUND, "unsupported_key", "under another name"),
    Bad("page.mp3", b"<html>", "no_audio", "Check that the file plays", "text/html"),
    Bad("words.mp3", b"only words", "no_audio", "Check that the file plays", error=NO_SOUND),
    Bad("truncated.mp3", SOUND[:9], "no_audio", "Check that the file plays", error=TRUNCATED),
    Bad("beep.wav", b"beep", "audio_too_short", "no call in it", error="Audio duration is too short."),
    Bad("random.mp3", bytes(range(256)), "transcription_failed", "Drop the recording again"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: ascii(bad.key))
def test_what_is_no_recording_is_told_with_what_to_do(set_up: Stage, bad: Bad) -> None:
    """One failure record and one e-mail, whose name for it can be turned back; nothing is paid for."""
    if bad.error:
        set_up.stack.stand_in.fail(bad.body, bad.error)

    outcome = dropped(set_up, bad.key, bad.body, ContentType=bad.content_type)

    assert outcome.card is None
    assert (outcome.failure["recording"], outcome.failure["reason"]) == (bad.key, bad.reason)
    assert bad.next_step in outcome.failure["next_step"]
    (mail,) = outcome.mails
    assert (mail.attributes["outcome"], mail.attributes["reason"]) == ("failed", bad.reason)
    assert bad.next_step in flowing(mail.message)
    names: dict[str, str] = dict(
        re.findall(r"^(Recording|Its name as links have it): (.*)$", mail.message, re.MULTILINE)
    )
    assert unquote(names.get("Its name as links have it", names["Recording"])) == bad.key
    assert set(outcome.paid.values()) == {0}


@pytest.mark.parametrize("gigabytes", [5.1, 48_000.0])
def test_recording_that_is_too_large_is_told_by_its_size(
    set_up: Stage, monkeypatch: pytest.MonkeyPatch, gigabytes: float
) -> None:
    """What S3 says of the object decides, and nobody downloads it to find out."""
    key = f"huge-{gigabytes}.mp3"
    monkeypatch.setattr(FakeKey, "size", int(gigabytes * 1000**3))

    outcome = dropped(set_up, key, SOUND)

    assert outcome.failure["reason"] == "recording_too_large"
    assert f"{gigabytes:.1f} GB is more than the 5 GB" in outcome.failure["detail"]
    assert len(outcome.mails) == 1
    assert set_up.stack.submissions(key) == []


@pytest.mark.parametrize("key", ["calls/", "calls/dana/", "calls/dana_$folder$"])
def test_folder_is_nothing(set_up: Stage, key: str) -> None:
    outcome = dropped(set_up, key, b"")

    assert (outcome.failure, outcome.card, outcome.mails) == (None, None, [])


def test_metadata_is_read_as_it_was_typed(set_up: Stage) -> None:
    """S3 gives what is not ASCII back encoded as in a mail's header."""
    metadata = {
        "rep": "=?UTF-8?Q?Jos=C3=A9?=",
        "customer": "=?UTF-8?B?TcO8bGxlciAmIFPDtmhuZQ==?=",
        "team": "=?UTF-8?B?!!!?=",
        "call-type": "=?UTF-8?Q?demo?=",
        "recorded-at": "2026-05-06",
    }
    outcome = dropped(set_up, "typed.mp3", SOUND, Metadata=metadata)

    call = outcome.card["call"]
    assert (call["rep"], call["customer"], call["team"]) == ("José", "Müller & Söhne", "=?UTF-8?B?!!!?=")
    assert (call["call_type"], outcome.card["talk_listen"]["band"]["for"]) == ("demo", "demo")
    (mail,) = outcome.mails
    assert (mail.subject or "").startswith("Call review: Jose / Muller & Sohne, demo: ")
    assert (mail.attributes["rep"], mail.attributes["customer"]) == ("José", "Müller & Söhne")
    page = (set_up.stack.body("reports", "typed.mp3") or b"").decode()
    assert "Müller &amp; Söhne" in page


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "=?UTF-8?Q?Dana=0D=0ABcc:_all@example.com=00=E2=80=AE?=",
        "https://evil.com/?a=b " + "D" * 1500,
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_name_that_somebody_typed_is_a_name_and_nothing_else(set_up: Stage, name: str) -> None:
    """No markup on the page, no line, header or link in the mail, whatever it holds and however long it is."""
    key = f"named-{abs(hash(name))}.mp3"
    outcome = dropped(set_up, key, SOUND, Metadata={"rep": name, "customer": "Acme"})

    rep = outcome.card["call"]["rep"]
    (mail,) = outcome.mails
    page = (set_up.stack.body("reports", key) or b"").decode()
    assert len(mail.subject or "") < 100
    assert (mail.subject or "").isprintable()
    assert len(mail.attributes["rep"]) <= 60
    assert mail.attributes["rep"].isprintable()
    assert "evil.com" not in mail.message
    assert "<script" not in page
    assert html.escape(rep.split()[0][:20]) in page
    assert "Bcc" not in [line[:3] for line in mail.message.split("\n")]


@pytest.mark.parametrize(
    ("metadata", "recorded_at_source", "band"),
    [
        ({"recorded-at": "yesterday", "call-type": "interpretive dance"}, "object", "other"),
        ({"recorded-at": "0001-01-01T00:00:00+14:00", "call-type": "x" * 900}, "object", "other"),
        ({"REP": "Dana", "Recorded-At": "2026-05-06", "Call-Type": " DEMO "}, "metadata", "demo"),
    ],
    ids=["words", "before all days", "in capitals"],
)
def test_details_that_cannot_be_read_give_way(
    set_up: Stage, metadata: dict[str, str], recorded_at_source: str, band: str
) -> None:
    """An unknown type is judged by the widest ranges, an unreadable time gives way to the object's own."""
    key = f"details-{len(json.dumps(metadata))}.mp3"
    outcome = dropped(set_up, key, SOUND, Metadata=metadata)

    assert outcome.card["call"]["recorded_at_source"] == recorded_at_source
    assert outcome.card["talk_listen"]["band"]["for"] == band
    assert len(outcome.mails) == 1
