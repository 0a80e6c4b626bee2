"""AssemblyAI's stand-in: speaker identification, LLM Gateway and the coach behind it."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import requests
from tests.integration.stand_in import CALLS, HEADERS, KEY, ROLES, chat, delete, finished, understand, upload
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account

from scorecard.reply import Reply, wire_schema

SAMPLES = ("demo_three_speakers", "discovery_price_shock", "discovery_well_led")
SIDES = {
    "demo_three_speakers": {"A": "REP", "B": "CUST", "C": "REP"},
    "discovery_price_shock": {"A": "REP", "B": "CUST"},
    "discovery_well_led": {"A": "CUST", "B": "REP"},
}
PRICE_SHIFT = {"candidate": 2, "polarity": "negative", "quote_utterance": 15, "from_utterance": 10, "to_utterance": 17}
OWN_SHIFT = {"candidate": 1, "polarity": "negative", "quote_utterance": 5, "from_utterance": 0, "to_utterance": 5}
NO_SHIFTS: list[Mapping[str, Any]] = []


@pytest.fixture(scope="module")
def stand_in() -> Iterator[AssemblyAI]:
    account = Account(KEY, understanding_requests_per_minute=1000, chat_requests_per_minute=1000)
    with AssemblyAI(KEY, delay_seconds=0, account=account) as service:
        yield service


@cache
def utterances(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CALLS / name / "transcript.json").read_bytes())["utterances"]
    return found


def transcribed(service: AssemblyAI, name: str, **fields: Any) -> str:
    """Upload and transcribe a sample call; return the transcript's id."""
    audio_url = upload(service, (CALLS / name / "recording.ogg").read_bytes())
    return str(finished(service, **{"audio_url": audio_url, "speaker_labels": True, **fields})["id"])


def prompt(name: str, *, sides: Mapping[str, str] | None = None, **facts: Any) -> str:
    sides = sides or SIDES[name]
    lines = [f"[{number}] {sides[line['speaker']]}: {line['text']}" for number, line in enumerate(utterances(name))]
    head = ["FACTS", json.dumps(facts), "TRANSCRIPT 7f3a9c BEGIN"]
    return "\n".join([*head, *lines, "TRANSCRIPT 7f3a9c END", "Assess this call."])


def form(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": False, "schema": schema}}


def coached(service: AssemblyAI, content: str) -> Any:
    messages = [{"role": "system", "content": "You assess sales calls."}, {"role": "user", "content": content}]
    answer = chat(service, messages=messages, response_format=form(wire_schema(Reply)))
    assert answer.status_code == 200, answer.text
    return json.loads(answer.json()["choices"][0]["message"]["content"])


def quotes(reply: Any) -> list[dict[str, Any]]:
    if isinstance(reply, dict):
        if set(reply) == {"utterance", "quote"}:
            return [reply]
        reply = list(reply.values())
    return [quote for part in reply for quote in quotes(part)] if isinstance(reply, list) else []


@pytest.mark.parametrize("name", SAMPLES)
def test_roles_of_every_sample_call_are_found_from_its_words(stand_in: AssemblyAI, name: str) -> None:
    answer = understand(stand_in, transcribed(stand_in, name), ROLES).json()
    expected = {label: {"REP": "Sales Rep", "CUST": "Customer"}[side] for label, side in SIDES[name].items()}
    assert answer["speech_understanding"] == {
        "request": {"speaker_identification": ROLES},
        "response": {"speaker_identification": {"mapping": expected, "effort": "low", "status": "success"}},
    }
    assert [line["speaker"] for line in answer["utterances"]] == [
        expected[line["speaker"]] for line in utterances(name)
    ]
    assert {word["speaker"] for word in answer["utterances"][0]["words"]} == {answer["utterances"][0]["speaker"]}


def test_identification_is_no_transcript_and_changes_none(stand_in: AssemblyAI) -> None:
    transcript_id = transcribed(stand_in, "discovery_well_led", sentiment_analysis=True)
    answer = understand(stand_in, transcript_id, ROLES)
    assert set(answer.json()) == {"speech_understanding", "utterances", "request_id"}
    url = f"{stand_in.url}/v2/transcript/{transcript_id}"
    transcript = requests.get(url, headers=HEADERS, timeout=5).json()
    assert transcript["speech_understanding"] is None
    assert {line["speaker"] for line in transcript["utterances"]} == {"A", "B"}


def test_identification_asked_for_with_the_transcript_relabels_it(stand_in: AssemblyAI) -> None:
    understanding = {"request": {"speaker_identification": ROLES}}
    transcript_id = transcribed(stand_in, "discovery_price_shock", speech_understanding=understanding)
    url = f"{stand_in.url}/v2/transcript/{transcript_id}"
    transcript = requests.get(url, headers=HEADERS, timeout=5).json()
    found = transcript["speech_understanding"]["response"]["speaker_identification"]
    assert found["mapping"] == {"A": "Sales Rep", "B": "Customer"}
    assert {line["speaker"] for line in transcript["utterances"]} == {"Sales Rep", "Customer"}


def test_speakers_may_be_described_and_named(stand_in: AssemblyAI) -> None:
    transcript_id = transcribed(stand_in, "discovery_price_shock")
    described = [{"role": "Buyer"}, {"role": "Account Executive", "description": "presents the product"}]
    answer = understand(stand_in, transcript_id, {"speaker_type": "role", "speakers": described}).json()
    mapping = answer["speech_understanding"]["response"]["speaker_identification"]["mapping"]
    assert mapping == {"A": "Account Executive", "B": "Buyer"}

    named = {"speaker_type": "name", "known_values": ["Marcus Lee", "Dana Reyes"]}
    answer = understand(stand_in, transcript_id, named).json()
    mapping = answer["speech_understanding"]["response"]["speaker_identification"]["mapping"]
    assert mapping == {"A": "Dana Reyes", "B": "Marcus Lee"}


@pytest.mark.parametrize(
    ("task", "error"),
    [
        ({"speaker_type": "job"}, "speaker_type must be role or name"),
        ({"speaker_type": "role"}, "known_values is required for speaker_type role"),
        ({"speaker_type": "role", "known_values": ["x" * 36]}, "longer than 35 characters"),
        ({"speaker_type": "role", "speakers": [{"name": "Dana"}]}, "each of speakers needs a role"),
        ({**ROLES, "effort": "high"}, "effort must be low or medium"),
    ],
)
def test_task_that_is_not_well_formed_gets_a_flat_400(stand_in: AssemblyAI, task: Any, error: str) -> None:
    answer = understand(stand_in, "none", task)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "metadata", "request_id"}
    assert error in answer.json()["metadata"]["errors"][0]


def test_request_without_its_wrapper_is_refused(stand_in: AssemblyAI) -> None:
    body = {"transcript_id": "none", "speech_understanding": {"speaker_identification": ROLES}}
    answer = requests.post(f"{stand_in.url}/v1/understanding", headers=HEADERS, json=body, timeout=5)
    assert (answer.status_code, answer.json()["message"]) == (400, "speech_understanding.request is required")


def test_transcript_must_be_there_finished_and_diarized(stand_in: AssemblyAI) -> None:
    assert understand(stand_in, "none", ROLES).json()["message"] == "transcript not found"

    deleted = transcribed(stand_in, "discovery_well_led")
    delete(stand_in, deleted)
    answer = understand(stand_in, deleted, ROLES)
    assert (answer.status_code, answer.json()["message"]) == (404, "transcript deleted")

    plain = transcribed(stand_in, "discovery_well_led", speaker_labels=False)
    answer = understand(stand_in, plain, ROLES)
    assert (answer.status_code, answer.json()["message"]) == (400, "speaker_labels or multichannel required")

    with AssemblyAI(KEY, delay_seconds=60) as slow:
        body = {"audio_url": "http://127.0.0.1:9/", "speaker_labels": True}
        job = requests.post(f"{slow.url}/v2/transcript", headers=HEADERS, json=body, timeout=5).json()
        answer = understand(slow, job["id"], ROLES)
        assert (answer.status_code, answer.json()["message"]) == (400, "transcript is not completed")


def test_over_the_limit_rejected_requests_count_too_and_the_window_ends() -> None:
    account = Account(KEY, understanding_requests_per_minute=2)
    with AssemblyAI(KEY, clock_scale=0.01, account=account) as service:
        answers = [understand(service, "none", ROLES) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [404, 404, 429, 429]
        assert answers[2].json().items() >= {"code": 429, "message": "too many requests for this action"}.items()
        assert [int(answer.headers["x-ratelimit-remaining"]) for answer in answers[2:]] == [-1, -2]
        assert answers[3].headers["x-ratelimit-service"] == "speech-understanding"
        time.sleep(int(answers[3].headers["retry-after"]))
        assert understand(service, "none", ROLES).status_code == 404


def test_chat_is_limited_per_model() -> None:
    with AssemblyAI(KEY, account=Account(KEY, chat_requests_per_minute=1)) as service:
        messages = [{"role": "user", "content": "Hello"}]
        statuses = [
            chat(service, model=model, messages=messages).status_code
            for model in ("claude-sonnet-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")
        ]
        assert statuses == [200, 429, 200]
        assert service.paid_calls["chat"] == 2


HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "one of messages or prompt required"),
        ({"messages": HELLO, "model": "claude-3-haiku"}, 400, "model claude-3-haiku is not supported"),
        ({"messages": HELLO, "model": "gpt-5.1"}, 400, "model gpt-5.1 is not supported"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 500, "internal server error"),
        ({"messages": HELLO, "max_tokens": 0}, 400, "max_tokens must be an integer of at least 1"),
        ({"messages": HELLO, "temperature": 3}, 400, "temperature must be a number from 0 to 2"),
        ({"messages": HELLO, "top_k": 3}, 400, "model claude-sonnet-4-6 does not support top_k"),
        (
            {"messages": HELLO, "model": "claude-sonnet-5", "temperature": 0},
            400,
            "model claude-sonnet-5 does not support temperature",
        ),
        (
            {"messages": HELLO, "model": "gpt-oss-20b", "response_format": {"type": "json_schema"}},
            400,
            "model gpt-oss-20b does not support response_format",
        ),
        (
            {"messages": HELLO, "response_format": {"type": "json_object"}},
            400,
            "response_format is invalid: type must be json_schema",
        ),
        ({"messages": HELLO, "fallback_config": {"depth": 3}}, 400, "fallback_config depth cannot be greater than 2"),
        ({"messages": HELLO, "fallbacks": [{"model": "gone"}]}, 400, "model gone is not supported"),
        ({"messages": HELLO, "model_region": "eu"}, 400, "model_region can only be set to global"),
        ({"messages": [{"role": "user", "content": "x" * 700_000}]}, 400, "model context limit exceeded"),
        ({"messages": HELLO, "transcript_id": "none"}, 404, "transcript not found"),
    ],
)
def test_chat_request_that_the_gateway_refuses(body: dict[str, Any], status: int, message: str) -> None:
    account = Account(KEY, retired_chat_models=["gpt-5.1"])
    with AssemblyAI(KEY, account=account) as service:
        answer = chat(service, **body)
        assert (answer.status_code, answer.json()["message"]) == (status, message)
        assert answer.json()["code"] == status
        assert service.paid_calls["chat"] == 0


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "#/$defs/A", "$defs": {"A": an_object()}}, "schema must be of type object at its root"),
        (
            an_object(a={"type": "array", "items": {"type": "string"}, "maxItems": 3}),
            "keyword maxItems at schema.a is not supported",
        ),
        (an_object(a={"type": "integer", "minimum": 0}), "keyword minimum at schema.a is not supported"),
        ({**an_object(), "title": "Reply"}, "keyword title at schema is not supported"),
        (an_object(a={"type": "object", "properties": {}}), "additionalProperties at schema.a must be false"),
        (
            {**an_object(a={"type": "string"}), "required": []},
            "required at schema must name every property",
        ),
        (an_object(a={"$ref": "#/$defs/A"}), "$ref at schema.a does not resolve"),
        (
            {**an_object(a={"$ref": "#/$defs/A"}), "$defs": {"A": an_object(b={"$ref": "#/$defs/A"})}},
            "schema.a.b is recursive",
        ),
        (an_object(a={"anyOf": []}), "keyword anyOf at schema.a is not supported"),
        (an_object(a={"enum": []}), "enum at schema.a must be a non-empty list"),
    ],
)
def test_schema_beyond_the_strict_subset_is_refused(stand_in: AssemblyAI, schema: Any, problem: str) -> None:
    answer = chat(stand_in, messages=HELLO, response_format=form(schema))
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("response_format is invalid: ")
    assert answer.json()["message"].endswith(problem)


def test_catalogue_needs_no_key_and_names_what_each_model_takes(stand_in: AssemblyAI) -> None:
    models = {model["id"]: model for model in requests.get(f"{stand_in.url}/v1/models", timeout=5).json()["data"]}
    assert "response_format" in models["claude-sonnet-4-6"]["supported_parameters"]
    assert "response_format" not in models["claude-sonnet-5"]["supported_parameters"]
    assert models["claude-sonnet-4-6"]["pricing"]["global"]["completions"] == pytest.approx(15e-6)
    assert models["gpt-5.2"]["available_regions"] == ["global", "us"]


def test_answer_has_the_live_shape(stand_in: AssemblyAI) -> None:
    answer = chat(stand_in, messages=HELLO)
    body = answer.json()
    assert body["choices"][0]["finish_reason"] == "end_turn"
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"]
    assert body["request"] == {"model": "claude-sonnet-4-6", "max_tokens": 6000}
    assert body["response_time"] > 10_000  # nanoseconds
    assert body["http_status_code"] == body["llm_status_code"] == 200
    assert answer.headers["x-ratelimit-model"] == "claude-sonnet-4-6"


def test_each_provider_has_its_own_words_for_the_end(stand_in: AssemblyAI) -> None:
    def reason(model: str, max_tokens: int) -> Any:
        answer = chat(stand_in, model=model, messages=HELLO, max_tokens=max_tokens)
        return answer.json()["choices"][0]["finish_reason"]

    assert [reason("claude-sonnet-4-6", 100), reason("claude-sonnet-4-6", 5)] == ["end_turn", "max_tokens"]
    assert [reason("gpt-5.2", 100), reason("gpt-5.2", 5)] == ["stop", "length"]


def test_default_of_a_thousand_tokens_cuts_a_scorecard(stand_in: AssemblyAI) -> None:
    messages = [{"role": "user", "content": prompt("discovery_price_shock")}]
    body = {"model": "claude-sonnet-4-6", "messages": messages, "response_format": form(wire_schema(Reply))}
    url = f"{stand_in.url}/v1/chat/completions"
    answer = requests.post(url, headers=HEADERS, json=body, timeout=10).json()
    assert answer["choices"][0]["finish_reason"] == "max_tokens"
    assert answer["usage"]["output_tokens"] == 1000
    with pytest.raises(ValueError, match=r"."):
        json.loads(answer["choices"][0]["message"]["content"])


def test_transcript_can_be_injected_by_its_id(stand_in: AssemblyAI) -> None:
    transcript_id = transcribed(stand_in, "discovery_price_shock")
    messages = [{"role": "user", "content": "Say something about {{ transcript }}"}]
    injected = chat(stand_in, messages=messages, transcript_id=transcript_id).json()
    untouched = chat(stand_in, messages=messages).json()
    characters = sum(len(line["text"]) for line in utterances("discovery_price_shock"))
    assert injected["usage"]["input_tokens"] - untouched["usage"]["input_tokens"] > characters / 4


def test_without_a_call_the_coach_says_so(stand_in: AssemblyAI) -> None:
    plain = chat(stand_in, messages=HELLO).json()["choices"][0]["message"]["content"]
    assert plain.startswith("There is no transcript of a sales call in this prompt")
    assert coached(stand_in, "Hello")["summary"] == plain


@pytest.mark.parametrize("name", SAMPLES)
def test_coach_quotes_only_words_that_stand_in_the_named_line(stand_in: AssemblyAI, name: str) -> None:
    found = quotes(coached(stand_in, prompt(name, shift_candidates=NO_SHIFTS)))
    assert len(found) > 10
    for quote in found:
        assert quote["quote"] in utterances(name)[quote["utterance"]]["text"]
        assert 5 <= len(quote["quote"].split()) <= 25


def test_coach_follows_the_prompt_and_not_the_file(stand_in: AssemblyAI) -> None:
    """A call that is no sample, with a line changed, is quoted as it stands in the prompt."""
    changed = prompt("discovery_price_shock").replace("18,000 a year", "27,500 a year")
    reply = coached(stand_in, changed)
    assert "27,500 a year" in reply["summary"]
    assert "18,000" not in json.dumps(reply)


def test_reply_has_the_schemas_properties_in_the_schemas_order(stand_in: AssemblyAI) -> None:
    reply = coached(stand_in, prompt("discovery_well_led"))
    schema = wire_schema(Reply)
    assert list(reply) == list(schema["properties"])
    assert list(reply["rubric"]["opening"]) == ["occasion", "evidence", "rationale", "level"]

    turned = {**schema, "properties": dict(reversed(schema["properties"].items()))}
    messages = [{"role": "user", "content": prompt("discovery_well_led")}]
    answer = chat(stand_in, messages=messages, response_format=form(turned)).json()
    assert list(json.loads(answer["choices"][0]["message"]["content"])) == list(reversed(reply))


def test_schema_in_the_text_serves_as_well(stand_in: AssemblyAI) -> None:
    schema = wire_schema(Reply)
    content = prompt("discovery_well_led")
    messages = [{"role": "user", "content": f"{content}\nThe shape, as a JSON Schema:\n{json.dumps(schema)}"}]
    answer = chat(stand_in, model="claude-sonnet-5", messages=messages).json()
    assert json.loads(answer["choices"][0]["message"]["content"]) == coached(stand_in, content)


def test_one_entry_for_each_shift_that_was_asked_about(stand_in: AssemblyAI) -> None:
    content = prompt("discovery_price_shock", shift_candidates=[OWN_SHIFT, PRICE_SHIFT])
    own, price = coached(stand_in, content)["shifts"]
    assert (own["candidate"], own["about"]) == (1, "their_own_situation")
    assert (price["candidate"], price["about"]) == (2, "our_offer_or_rep")
    assert [quote["utterance"] for quote in price["evidence"]] == [14]
    assert "price" in price["cause"]
    assert not re.search(r"\d", own["cause"] + price["cause"])


def test_calls_get_levels_and_advice_of_their_own(stand_in: AssemblyAI) -> None:
    replies = {name: coached(stand_in, prompt(name)) for name in SAMPLES}
    levels = {
        name: {item: judged["level"] for item, judged in reply["rubric"].items()} for name, reply in replies.items()
    }
    assert levels["discovery_price_shock"] == {
        "opening": "1",
        "discovery": "1",
        "listening": "0",
        "value_link": "1",
        "objection": "1",
        "next_step": "1",
    }
    assert levels["discovery_well_led"] == {
        "opening": "3",
        "discovery": "3",
        "listening": "3",
        "value_link": "2",
        "objection": "2",
        "next_step": "3",
    }
    assert replies["discovery_price_shock"]["next_step"]["status"] == "proposed"
    assert replies["discovery_well_led"]["next_step"]["when_words"] == "next Tuesday at ten"
    assert replies["demo_three_speakers"]["next_step"]["owner"] == "both"
    first = [json.dumps(reply["suggestions"]["first"]) for reply in replies.values()]
    assert len(set(first)) == 3
    for reply in replies.values():
        items = [suggestion["item"] for suggestion in reply["suggestions"].values()]
        assert len(set(items)) == 4
        assert reply["keep"]["evidence"]


WORDS = {"when": 15, "do": 20, "say": 25, "because": 25}


@pytest.mark.parametrize("name", SAMPLES)
def test_prose_keeps_to_its_limits_and_off_the_person(stand_in: AssemblyAI, name: str) -> None:
    reply = coached(stand_in, prompt(name, shift_candidates=NO_SHIFTS))
    assert len(reply["summary"].split()) <= 60
    assert len(reply["talk_listen"].split()) <= 35
    assert not re.search(r"\d", reply["talk_listen"])
    for suggestion in reply["suggestions"].values():
        assert suggestion["when"].split()[0] in ("When", "Before", "After")
        for field, most in WORDS.items():
            assert 0 < len(suggestion[field].split()) <= most
        assert not re.search(r"\byou\b", suggestion["when"] + suggestion["do"] + suggestion["because"])
    rationales = " ".join(item["rationale"] for item in reply["rubric"].values())
    about_the_person = r"\b(the rep|he|she) (\w+ )?(is|was|seems|always|never|tends to|lacks?)\b"
    assert not re.search(about_the_person, rationales + reply["summary"] + reply["talk_listen"])
    assert not re.search(r"\d", rationales)


@pytest.mark.parametrize("name", SAMPLES)
def test_swapped_sides_are_noticed(stand_in: AssemblyAI, name: str) -> None:
    turned = {label: "CUST" if side == "REP" else "REP" for label, side in SIDES[name].items()}
    assert coached(stand_in, prompt(name))["roles_check"]["verdict"] == "agree"
    assert coached(stand_in, prompt(name, sides=turned))["roles_check"]["verdict"] == "swapped"
