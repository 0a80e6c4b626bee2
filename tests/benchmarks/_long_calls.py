"""What AssemblyAI answers about a made-up call of any length: its transcript, who speaks in it, what the coach says."""

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks._synthetic_calls import FALSE_MAKERS, REAL_MAKERS, Texts, synthetic_call, untied
from tests.unit.examples import CALLS, ROLES, SAMPLE_CALLS

# About 9,000 words an hour.
TURNS_PER_MINUTE = 5.9
WORD_MS, PAUSE_MS = 355, 900
# Of a hundred sentences. The sample calls have as many of the others.
NEGATIVE, POSITIVE = 6, 14
UNTIMED_SHARE = 0.01
# So many sentences in the middle of the call, which the customer says about something that annoys them.
LOW_SENTENCES = 24

# How a model quotes: mostly word for word, and once what nobody has said.
QUOTED_ADVICE = (
    *("exact", "case_punctuation", "exact", "exact", "contraction", "exact", "exact", "exact", "fabricated"),
    "whole_sentence",
)
QUOTED_ELSEWHERE = (
    *("exact", "exact", "one_word_off", "exact", "whole_sentence", "exact", "disfluency", "exact", "exact"),
    *("far_number", "near_number", "exact", "whole_sentence", "exact", "exact", "exact"),
)

_OPENING: Texts = [
    ("A", "Hi Ruth, this is Dana from Dockline. Thanks for taking the time. The goal today is a look at our platform."),
    ("B", "Hi Dana. We're looking for something simpler, and I need to know what the price is."),
]

_SENTENCE = re.compile(r"[^.?!]+[.?!]?")


@dataclass(frozen=True)
class LongCall:
    """A call and what AssemblyAI says about it. texts: as it was put together, for quotes."""

    minutes: int
    texts: Texts
    transcript: bytes
    identification: bytes

    def coach_reply(self, messages: Iterable[Mapping[str, str]]) -> bytes:
        """Return a model's answer to a question about the call."""
        candidates = {int(number) for said in messages for number in re.findall(r'"candidate":(\d+)', said["content"])}
        choice = {"message": {"content": json.dumps(_reply(self, candidates))}, "finish_reason": "end_turn"}
        return json.dumps({"choices": [choice], "usage": {"input_tokens": 20_000, "output_tokens": 2_500}}).encode()


def long_call(minutes: int) -> LongCall:
    """Return a call of that length; the same one each time."""
    chance = random.Random(f"long call {minutes}")
    texts = [*_OPENING, *synthetic_call(chance, round(TURNS_PER_MINUTE * minutes) - len(_OPENING))]
    utterances = list(_utterances(chance, texts))
    words = [word for said in utterances for word in said["words"]]
    sample = json.loads((CALLS / SAMPLE_CALLS[1] / "transcript.json").read_bytes())
    transcript = sample | {
        "text": " ".join(said["text"] for said in utterances),
        "words": words,
        "utterances": utterances,
        "audio_duration": -(-utterances[-1]["end"] // 1000),
        "sentiment_analysis_results": list(_rows(chance, utterances)),
    }
    mapping = dict(zip("AB", ROLES, strict=True))
    answered = {"status": "success", "mapping": mapping}
    identification = {
        "speech_understanding": {"request": {}, "response": {"speaker_identification": answered}},
        "utterances": [
            said
            | {
                "speaker": mapping[said["speaker"]],
                "words": [word | {"speaker": mapping[word["speaker"]]} for word in said["words"]],
            }
            for said in utterances
        ],
    }
    return LongCall(minutes, texts, json.dumps(transcript).encode(), json.dumps(identification).encode())


def _utterances(chance: random.Random, texts: Texts) -> Iterator[dict[str, Any]]:
    now_ms = 500
    for speaker, tied in texts:
        text = untied(tied)
        if chance.random() < 0.01:
            text = f"José \u2013 {text}"
        words = []
        for word in text.split():
            length_ms = round(WORD_MS * chance.uniform(0.4, 1.6))
            words.append(
                {
                    "text": word,
                    "start": now_ms,
                    "end": now_ms + length_ms - 20,
                    "confidence": round(chance.uniform(0.6, 1), 6),
                    "speaker": speaker,
                }
            )
            now_ms += length_ms
        yield {
            "speaker": speaker,
            "text": text,
            "start": words[0]["start"],
            "end": words[-1]["end"],
            "confidence": round(chance.uniform(0.9, 1), 6),
            "words": words,
        }
        now_ms += round(PAUSE_MS * chance.uniform(0, 2))


def _rows(chance: random.Random, utterances: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each sentence, with the defects that AssemblyAI's have."""
    middle = range(len(utterances) // 2, len(utterances) // 2 + LOW_SENTENCES)
    for number, said in enumerate(utterances):
        at = 0
        for sentence in _SENTENCE.findall(said["text"]):
            words = said["words"][at : at + len(sentence.split())]
            at += len(words)
            if not words:
                continue
            low = said["speaker"] == "B" and number in middle
            negative = 60 if low else NEGATIVE
            label = chance.choices(("NEGATIVE", "POSITIVE", "NEUTRAL"), (negative, POSITIVE, 100 - negative - POSITIVE))
            timed = chance.random() >= UNTIMED_SHARE
            tag = f"[Speaker:{'AB'.index(said['speaker']) + 1}] " if chance.random() < 0.5 else ""
            yield {
                "text": tag + sentence.strip(),
                "start": words[0]["start"] if timed else None,
                "end": words[-1]["end"] if timed else None,
                "sentiment": label[0],
                "confidence": round(chance.uniform(0.45, 0.98), 6),
                "speaker": said["speaker"] if chance.random() < 0.8 else None,
            }


def _quotes(call: LongCall, kinds: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield quotes of a call, changed or made up as the kinds say."""
    chance = random.Random(f"quotes {call.minutes}")
    makers = REAL_MAKERS | FALSE_MAKERS
    for kind in kinds:
        made = None
        while made is None:
            made = makers[kind](chance, call.texts)
        yield {"utterance": made.utterance, "quote": untied(made.quote)}


def _reply(call: LongCall, candidates: Iterable[int]) -> dict[str, Any]:
    advice, elsewhere = list(_quotes(call, QUOTED_ADVICE)), list(_quotes(call, QUOTED_ELSEWHERE))

    def quotes(number: int) -> list[dict[str, Any]]:
        return [elsewhere.pop(0) for _ in range(number)]

    def level(value: str) -> dict[str, Any]:
        return {
            "occasion": "the customer names a loss, and the rep goes on to the next page of the demo",
            "evidence": quotes(2),
            "rationale": "One question builds on an answer. What the loss costs in a quarter is never asked.",
            "level": value,
        }

    def suggestion(item: str) -> dict[str, Any]:
        return {
            "item": item,
            "kind": "moment",
            "evidence": [advice.pop(0), advice.pop(0)],
            "when": "When a customer names a loss in their own words",
            "do": "Ask what it cost, who noticed it first and what was done about it",
            "say": "What did that mean for the quarter, and who had to explain it?",
            "because": "The cost was never said, so the price had nothing to stand against.",
        }

    return {
        "roles_check": {"verdict": "agree", "utterances": [0, 1]},
        "summary": "The customer plans by hand and loses time. The rep showed the product and named a price. "
        "The customer asked who else had done this, and the answer stayed general.",
        "talk_listen": "Most of the time of the rep went into one walk-through. The customer asked little after it.",
        "next_step": {
            "status": "proposed",
            "action": "send the plan and the price of both variants",
            "owner": "rep",
            "when_words": "after the holiday",
            "evidence": quotes(2),
        },
        "rubric": {
            item: level(value)
            for item, value in zip(
                ("opening", "discovery", "listening", "value_link", "objection", "next_step"), "121321", strict=True
            )
        },
        "shifts": [
            {"candidate": number, "about": "our_offer_or_rep", "cause": "the price was named", "evidence": quotes(1)}
            for number in sorted(candidates)[:2]
        ]
        + [{"candidate": number, "about": "unclear", "cause": "", "evidence": []} for number in sorted(candidates)[2:]],
        "keep": {"what": "Name the price at once when it is asked for.", "evidence": [advice.pop(0), advice.pop(0)]},
        "suggestions": {
            "first": suggestion("discovery"),
            "second": suggestion("listening"),
            "third": suggestion("objection"),
            "spare": suggestion("opening"),
        },
        "question_for_one_to_one": "What would you ask first if you had this call again?",
    }
