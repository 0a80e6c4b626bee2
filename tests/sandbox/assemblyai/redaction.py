"""`redact_pii`: personal data taken out of a transcript's text, word by word as the live service does it."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Policy -> the phrases of a call that fall under it; of two that begin alike, the first counts. The stand-in does not
# recognise personal data, it is told.
PersonalData = Mapping[str, Sequence[str]]


def redacted(transcript: Mapping[str, Any], personal_data: PersonalData) -> dict[str, Any]:
    """Return what redaction changes of a completed transcript: not the sentiment rows, which keep what was said.

    A word stays one word, with its times and the punctuation around it, so the redacted and the unredacted match one
    to one. Without policies, all of them hold.
    """
    policies = transcript["redact_pii_policies"]
    asked = {policy: said for policy, said in personal_data.items() if policies is None or policy in policies}
    redact = _redaction(asked, by_name=transcript["redact_pii_sub"] == "entity_name")
    whole = {name: transcript[name] for name in ("text", "words", "utterances")}
    utterances = whole["utterances"]
    changed: dict[str, Any] = {
        "text": redact(whole["text"]),
        "words": _redacted_words(whole["words"], redact),
        "utterances": utterances
        and [
            {**said, "text": redact(said["text"]), "words": _redacted_words(said["words"], redact)}
            for said in utterances
        ],
    }
    if transcript["redact_pii_return_unredacted"]:
        changed |= {f"unredacted_{name}": value for name, value in whole.items()}
    return changed


def _redacted_words(words: Sequence[Mapping[str, Any]], redact: Callable[[str], str]) -> list[dict[str, Any]]:
    texts = redact(" ".join(word["text"] for word in words)).split(" ")
    return [{**word, "text": text} for word, text in zip(words, texts, strict=True)]


def _redaction(personal_data: PersonalData, *, by_name: bool) -> Callable[[str], str]:
    policies = {phrase: policy for policy, phrases in personal_data.items() for phrase in phrases}
    if not policies:
        return lambda text: text
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, policies))})(?!\w)")

    def substitute(found: re.Match[str]) -> str:
        tag = f"[{policies[found[0]].upper()}]"
        return re.sub(r"\S*\w", lambda word: tag if by_name else "#" * len(word[0]), found[0])

    return lambda text: pattern.sub(substitute, text)
