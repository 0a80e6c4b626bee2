"""AssemblyAI over HTTP."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from tests.unit.examples import CALLS, ROLES, SAMPLE_CALLS, sample_transcript

from callcoach.assemblyai import AssemblyAI, Completion, error_message, without_echo, without_signatures
from callcoach.errors import AccountRefused, RateLimited, RequestRefused, TransientError, UpstreamUnavailable
from callcoach.transcript import SpeakerIdentification

API, GATEWAY = "https://api.example", "https://gateway.example"
TRANSCRIPT_URL = f"{API}/v2/transcript"
CHAT_URL = f"{GATEWAY}/v1/chat/completions"


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    """The two services; a request that a test does not expect fails it, and so does one that never comes."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def client() -> Iterator[AssemblyAI]:
    assemblyai = AssemblyAI(lambda *, fresh=False: "the-key", API, GATEWAY)
    yield assemblyai
    assemblyai.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)


def sent(mock: responses.RequestsMock, index: int = 0) -> Any:
    return json.loads(mock.calls[index].request.body or b"")


def test_submission_sends_the_raw_key_and_the_request(upstream, client) -> None:
    upstream.post(TRANSCRIPT_URL, json={"id": "t1", "status": "queued", "audio_url": "https://a", "undocumented": [1]})
    assert client.submit({"audio_url": "https://a", "speaker_labels": True}) == "t1"
    request = upstream.calls[0].request
    assert request.headers["Authorization"] == "the-key"
    assert request.headers["Content-Type"] == "application/json"
    assert sent(upstream) == {"audio_url": "https://a", "speaker_labels": True}


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_transcript_is_read(upstream, client, name: str) -> None:
    expected = sample_transcript(name)
    upstream.get(f"{TRANSCRIPT_URL}/{expected.id}", body=(CALLS / name / "transcript.json").read_bytes())
    transcript = client.transcript(expected.id)
    assert transcript.utterances == expected.utterances
    assert transcript.sentiment_rows == expected.sentiment_rows


def test_id_of_a_transcript_cannot_leave_its_path(upstream, client) -> None:
    """A forged callback chooses the id, not the address that our key is sent to."""
    upstream.get(f"{TRANSCRIPT_URL}/..%2F..%2Fv2%2Faccount%3Fa%3Db", json={"error": "Not found"}, status=404)
    with pytest.raises(RequestRefused):
        client.transcript("../../v2/account?a=b")
    assert upstream.calls[0].request.url.startswith(f"{TRANSCRIPT_URL}/..%2F")


MAY_6 = datetime(2026, 5, 6, 14, 36, tzinfo=UTC)


def listed(name: str, created: str) -> dict[str, Any]:
    return {"id": name, "status": "queued", "created": created, "audio_url": None, "completed": None}


def test_list_of_transcripts_has_times_in_utc(upstream, client) -> None:
    rows = [listed("t1", "2026-05-06T14:36:00.25"), listed("t2", "2026-05-06T14:36:00Z")]
    upstream.get(f"{TRANSCRIPT_URL}?limit=200", json={"page_details": {}, "transcripts": rows})
    first, second = client.transcripts_since(MAY_6)
    assert first.created_at == MAY_6 + timedelta(milliseconds=250)
    assert second.created_at == MAY_6


def test_list_of_transcripts_is_read_page_by_page_and_no_further_than_asked(upstream, client) -> None:
    """A burst of thousands lies between a lost answer and the look for its job."""
    page = [listed(f"t{number}", "2026-05-06T14:40:00Z") for number in range(200)]
    upstream.get(f"{TRANSCRIPT_URL}?limit=200", json={"transcripts": page})
    older = [listed("wanted", "2026-05-06T14:36:00Z"), listed("old", "2026-05-06T14:35:59Z")]
    upstream.get(f"{TRANSCRIPT_URL}?limit=200&before_id=t199", json={"transcripts": older + page[2:]})
    assert [row.id for row in client.transcripts_since(MAY_6)] == [row["id"] for row in page] + ["wanted"]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("status", [200, 404])
def test_deleting_twice_is_deleting(upstream, client, status: int) -> None:
    upstream.delete(f"{TRANSCRIPT_URL}/t1", json={"id": "t1"}, status=status)
    client.delete_transcript("t1")


def test_rotated_key_is_taken_up_at_the_first_refusal(upstream) -> None:
    """A refused request was not carried out, so even a paid one is repeated."""
    keys = iter(["old", "new"])
    assemblyai = AssemblyAI(lambda *, fresh=False: next(keys), API, GATEWAY)
    upstream.post(TRANSCRIPT_URL, status=401, json={"error": "Authentication error"})
    upstream.post(TRANSCRIPT_URL, json={"id": "t1"})
    assert assemblyai.submit({}) == "t1"
    assert [call.request.headers["Authorization"] for call in upstream.calls] == ["old", "new"]
    assert assemblyai.served == {"transcription"}


def test_key_that_another_request_has_taken_up_meanwhile_is_a_new_one(upstream) -> None:
    """The transcript and the speakers are asked for side by side, so both are refused with the old key."""
    keys = iter(["old", "new", "new"])
    assemblyai = AssemblyAI(lambda *, fresh=False: next(keys), API, GATEWAY)
    refusal = json.dumps({"error": "Authentication error"})

    def refused_meanwhile(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assemblyai.identify_speakers("t1", ROLES)
        return 401, {}, refusal

    upstream.add_callback(responses.GET, f"{TRANSCRIPT_URL}/t1", refused_meanwhile)
    upstream.post(f"{GATEWAY}/v1/understanding", status=401, body=refusal)
    upstream.post(f"{GATEWAY}/v1/understanding", json={})
    upstream.get(f"{TRANSCRIPT_URL}/t1", json={"id": "t1", "status": "queued"})
    assert assemblyai.transcript("t1").status == "queued"


def test_refused_key_that_is_still_the_same_is_not_tried_again(upstream, client) -> None:
    upstream.post(CHAT_URL, status=401, json={"error": "Authentication error"})
    with pytest.raises(AccountRefused) as raised:
        client.complete({})
    assert raised.value.service == "chat"
    assert len(upstream.calls) == 1
    assert client.served == set()


def test_identification_asks_for_the_roles(upstream, client) -> None:
    answer = {"speaker_identification": {"mapping": {"A": "Sales Rep"}, "status": "success", "effort": "low"}}
    said = [{"speaker": "Sales Rep", "text": "hi", "start": 0, "end": 5, "confidence": 1, "words": []}]
    upstream.post(
        f"{GATEWAY}/v1/understanding",
        json={"speech_understanding": {"request": {}, "response": answer}, "utterances": said},
    )
    found = client.identify_speakers("t1", ROLES)
    assert found.identification == SpeakerIdentification("success", {"A": "Sales Rep"})
    assert [(one.speaker, one.start_ms) for one in found.utterances or []] == [("Sales Rep", 0)]
    task = {"speaker_type": "role", "known_values": list(ROLES)}
    assert sent(upstream) == {
        "transcript_id": "t1",
        "speech_understanding": {"request": {"speaker_identification": task}},
    }


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"speech_understanding": None},
        {"speech_understanding": {"response": {}}},
        {"speech_understanding": {"response": {"speaker_identification": {"mapping": {"A": 5}}}}},
    ],
)
def test_identification_without_an_answer_is_empty(upstream, client, answer: dict[str, Any]) -> None:
    upstream.post(f"{GATEWAY}/v1/understanding", json=answer)
    assert client.identify_speakers("t1", ROLES).identification == SpeakerIdentification()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {
                "choices": [{"index": 0, "message": {"content": "{}"}, "finish_reason": "end_turn"}],
                "usage": {"input_tokens": 16, "output_tokens": 6, "prompt_tokens": None},
                "model": None,
                "response_time": 1030392710,
            },
            Completion("{}", "end_turn", 16, 6),
        ),
        (
            {
                "choices": [
                    {"message": {"content": '{"a":'}, "finish_reason": None},
                    {"message": {"content": None}},
                    {"message": {"content": "1}"}, "finish_reason": "max_tokens"},
                ]
            },
            Completion('{"a":1}', "max_tokens", None, None),
        ),
        ({"choices": []}, Completion("", "", None, None)),
        ({}, Completion("", "", None, None)),
    ],
)
def test_completion_is_read_in_the_shapes_of_the_gateway(upstream, client, answer: Any, expected: Completion) -> None:
    """Text may come in several choices; what nobody counted is unknown."""
    upstream.post(CHAT_URL, json=answer)
    assert client.complete({"model": "m"}) == expected


SHAPES: list[Callable[[str], Any]] = [
    lambda message: {"error": message, "status": "error", "request_id": "r"},
    lambda message: {"error": {"code": 400, "message": message, "metadata": {}}},
    lambda message: {"code": 400, "message": message, "request_id": "r", "metadata": {"errors": []}},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_message_is_found_in_each_shape_of_an_error(shape: Callable[[str], Any]) -> None:
    message = "model X does not support response_format"
    assert error_message(json.dumps(shape(message)).encode()) == message


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[]", b"null", b"5", b'{"error": null}', b'{"error": {}}', b'{"message": 5}'],
)
def test_other_bodies_have_no_message(body: bytes) -> None:
    assert error_message(body) == ""


@pytest.mark.parametrize("body", [b'{"error": "caf\xe9"}', b"\xff\xfe", b'{"error": "\\ud800"}'])
def test_body_in_another_encoding_has_no_message(body: bytes) -> None:
    assert error_message(body) == ""


def test_message_is_short_and_without_signatures() -> None:
    link = "https://b.s3.eu-central-1.amazonaws.com/k.mp3"
    message = error_message(json.dumps({"error": f"cannot read {link}?X-Amz-Signature=5ecre7, {'o' * 600}"}).encode())
    assert message.startswith(f"cannot read {link} ooo")
    assert len(message) <= 500
    assert without_signatures("no link? at all") == "no link? at all"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "model X is not supported", RequestRefused),
        (404, "transcript not found", RequestRefused),
        (422, "empty body", RequestRefused),
        (400, "Your current account balance is negative. Please top up to continue.", AccountRefused),
        (401, "Authentication error, API token missing/invalid", AccountRefused),
        (403, "Your account does not have access to LLM Gateway.", AccountRefused),
        (403, "Too many requests", RateLimited),
        (408, "timeout", UpstreamUnavailable),
        (409, "conflict", UpstreamUnavailable),
        (429, "too many requests for this action", RateLimited),
        (301, "", UpstreamUnavailable),
        (500, "Internal server error. Please retry your request.", UpstreamUnavailable),
        (503, "", UpstreamUnavailable),
    ],
)
def test_status_says_who_tries_again(
    upstream, client, shape, *, status: int, message: str, kind: type[Exception]
) -> None:
    """A paid POST is made once, whatever the answer; the error says what was asked, and the message."""
    upstream.post(CHAT_URL, json=shape(message), status=status)
    with pytest.raises(kind) as raised:
        client.complete({"model": "m"})
    assert type(raised.value) is kind
    assert f"POST /v1/chat/completions: {status} {message}" in str(raised.value)
    assert "the-key" not in str(raised.value)
    assert len(upstream.calls) == 1
    if isinstance(raised.value, RequestRefused):
        assert raised.value.status == status


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("56", 56.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        (None, None),
        ("", None),
        ("Wed, 06 May 2026 14:36:00 GMT", 56.0),
        ("Wed, 06 May 2026 14:35:00 GMT", 0.0),
        ("tomorrow", None),
        ("nan", None),
        ("inf", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_wait_that_upstream_names_is_kept(
    upstream, client, status: int, header: str | None, seconds: float | None
) -> None:
    """Whole or broken seconds, or a date seen from that of the answer; anything else is no wait."""
    date = {"Date": "Wed, 06 May 2026 14:35:04 GMT"}
    upstream.post(CHAT_URL, status=status, headers=date if header is None else date | {"Retry-After": header})
    with pytest.raises(TransientError) as raised:
        client.complete({})
    assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_reading_is_repeated_where_upstream_stumbles(upstream, client, status: int) -> None:
    url = f"{TRANSCRIPT_URL}/t1"
    upstream.get(url, body="<html>", status=status)
    upstream.get(url, body="<html>", status=status)
    upstream.get(url, json={"id": "t1", "status": "queued"})
    assert client.transcript("t1").status == "queued"


def test_reading_ends_after_three_times(upstream, client) -> None:
    upstream.get(f"{TRANSCRIPT_URL}/t1", status=503, headers={"Retry-After": "56"})
    with pytest.raises(UpstreamUnavailable) as raised:
        client.transcript("t1")
    assert len(upstream.calls) == 3
    assert raised.value.retry_after_seconds == 56


def test_rate_limit_on_reading_is_not_met_with_more_requests(upstream, client) -> None:
    """Rejected requests count: the queue waits, not the function."""
    upstream.get(f"{TRANSCRIPT_URL}/t1", status=429, headers={"Retry-After": "30"})
    with pytest.raises(RateLimited):
        client.transcript("t1")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    "fault", [requests.ConnectionError("reset"), requests.ReadTimeout("240 s"), requests.ConnectTimeout("5 s")]
)
def test_paid_request_without_an_answer_is_not_repeated(upstream, client, fault: Exception) -> None:
    upstream.post(TRANSCRIPT_URL, body=fault)
    with pytest.raises(UpstreamUnavailable) as raised:
        client.submit({})
    assert len(upstream.calls) == 1
    assert str(raised.value) == f"POST /v2/transcript: {type(fault).__name__}"
    assert raised.value.maybe_paid is not isinstance(fault, requests.ConnectTimeout)


def test_redirect_is_not_followed(upstream, client) -> None:
    """It would carry the key elsewhere."""
    upstream.post(TRANSCRIPT_URL, status=307, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(UpstreamUnavailable):
        client.submit({})
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"id": 5}', b'{"id": "caf\xe9"}'])
def test_answer_that_is_none_is_upstreams_fault(upstream, client, body: bytes) -> None:
    """A proxy's page, a cut-off answer or another encoding with status 200."""
    upstream.post(TRANSCRIPT_URL, body=body)
    with pytest.raises(UpstreamUnavailable) as raised:
        client.submit({})
    assert raised.value.maybe_paid


@pytest.mark.parametrize(("status", "maybe_paid"), [(500, False), (502, True), (503, False), (504, True), (202, True)])
def test_status_says_whether_a_paid_request_may_have_been_carried_out(
    upstream, client, status: int, *, maybe_paid: bool
) -> None:
    upstream.post(CHAT_URL, status=status)
    with pytest.raises(UpstreamUnavailable) as raised:
        client.complete({})
    assert raised.value.maybe_paid is maybe_paid


KEY = "0123456789abcdef0123456789abcdef"
PROMPT = "[0] A: Hi Marcus, this is Dana from Shiftwell. [1] B: Hi Dana, we lose two hours a week."


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"the key {KEY} is unknown", "the key [...] is unknown"),
        (f"messages[0].content: {PROMPT} is too long", "messages[0].content: [...] is too long"),
        (f"cannot process {PROMPT[11:50]}", "cannot process [...]"),
        ("the model claude-haiku-4-5-20251001 is retired", "the model claude-haiku-4-5-20251001 is retired"),
        ("Hi Marcus", "Hi Marcus"),
        ("", ""),
    ],
)
def test_refusal_is_told_without_what_it_repeats(upstream, said: str, kept: str) -> None:
    """Neither a key nor the words of a call reach a log or an e-mail that way."""
    assemblyai = AssemblyAI(lambda *, fresh=False: KEY, API, GATEWAY)
    upstream.post(CHAT_URL, status=400, json={"message": said})
    with pytest.raises(RequestRefused) as raised:
        assemblyai.complete({"model": "claude-haiku-4-5-20251001", "messages": [{"role": "user", "content": PROMPT}]})
    assemblyai.close()
    assert raised.value.detail == f"POST /v1/chat/completions: 400 {kept}"


def test_repetitions_are_cut_one_by_one() -> None:
    sent_texts = "a" * 30 + "\n" + "b" * 40
    assert without_echo(f"x {'a' * 25} y {'b' * 40}", sent_texts) == "x [...] y [...]"
    assert without_echo("a" * 19, sent_texts) == "a" * 19
