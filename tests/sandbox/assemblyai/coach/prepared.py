"""What a model would write about calls that the rules of this coach cannot read: answers written in advance."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.sandbox.assemblyai.coach.conversation import Conversation
from tests.sandbox.scripts import read_script, sample_of

LANGUAGES = Path(__file__).parents[3] / "data" / "languages"

_PROSE = re.compile(r'in the language with the code "(\w+)"')


def prepared_reply(call: Conversation, messages: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
    """Return the answer about this call in the language that the prompt asks for, None where there is none."""
    asked = next((_PROSE.search(text) for role, text in reversed(messages) if role == "user"), None)
    replies = _replies().get(tuple(line.text for line in call.lines))
    reply = replies.get(asked[1]) if replies and asked else None
    return None if reply is None else _with_numbers(reply, call)


@cache
def _replies() -> Mapping[tuple[str, ...], Mapping[str, Any]]:
    """Return the prepared answers by the texts of the utterances."""
    scripts = map(read_script, sorted(LANGUAGES.glob("*.toml")))
    return {tuple(said["text"] for said in sample_of(script)["utterances"]): script["reply"] for script in scripts}


def _with_numbers(part: Any, call: Conversation) -> Any:
    """Return a part of an answer in which each quote names the first line that holds its words."""
    if not isinstance(part, dict):
        return part
    numbered = {name: _with_numbers(child, call) for name, child in part.items()}
    if "evidence" in part:
        quotes = [
            {"utterance": next(line.number for line in call.lines if quote in line.text), "quote": quote}
            for quote in part["evidence"]
        ]
        numbered |= {"evidence": quotes, "utterances": [quote["utterance"] for quote in quotes]}
    return numbered
