"""Turning what somebody said into something to say about it."""

import re
from collections.abc import Iterable, Mapping

from tests.sandbox.assemblyai.coach.conversation import STOP_WORDS

THIRD: Mapping[str, str] = {
    "i'm": "they're",
    "we're": "they're",
    "i've": "they've",
    "we've": "they've",
    "i'd": "they'd",
    "we'd": "they'd",
    "i'll": "they'll",
    "we'll": "they'll",
    "i was": "they were",
    "i am": "they are",
    "i": "they",
    "we": "they",
    "my": "their",
    "our": "their",
    "me": "them",
    "us": "them",
    "myself": "themselves",
    "ourselves": "themselves",
    "today": "now",
}
SECOND: Mapping[str, str] = {
    "i'm": "you're",
    "we're": "you're",
    "i've": "you've",
    "we've": "you've",
    "i'd": "you'd",
    "we'd": "you'd",
    "i'll": "you'll",
    "we'll": "you'll",
    "i was": "you were",
    "i am": "you are",
    "i": "you",
    "we": "you",
    "my": "your",
    "our": "your",
    "me": "you",
    "us": "you",
    "myself": "yourself",
    "ourselves": "yourselves",
}
# A promise of the rep, told to the rep's manager.
PROMISE: Mapping[str, str] = {
    "my": "the rep's",
    "our": "the rep's",
    "me": "the rep",
    "us": "the rep",
    "your": "the customer's",
    "you": "the customer",
    "i": "the rep",
    "we": "both",
}
EVERYDAY = STOP_WORDS | set(THIRD) | set(THIRD.values())
LEAD_IN = re.compile(
    r"^(?:(?:yeah|yes|no|well|so|okay|ok|right|and|but|honestly|i mean|oh|wow|sure|maybe|exactly|mostly|good|"
    r"nice|of course|actually|because|then|great|perfect|also|plus)\b[,.]?\s+)+",
    re.IGNORECASE,
)
CLAUSE_END = re.compile(
    r"\s*(?:,\s|\bbecause\b|\bso that\b|\bif\b|\buntil\b|\bwhich\b|\bbefore\b|;|\bto be honest\b)\s*"
)


def clause(sentence: str, most: int = 10) -> str | None:
    """Return the first clause of a sentence without lead-in; None where it is too short or long."""
    text = LEAD_IN.sub("", sentence.strip().rstrip(".?!"))
    parts = [part for part in CLAUSE_END.split(text) if part]
    first = parts[0] if parts else ""
    return first if 3 <= len(first.split()) <= most else None


def shift(text: str, pronouns: Mapping[str, str]) -> str:
    """Replace first persons (see THIRD, SECOND, PROMISE) and put the first word in lower case."""
    pattern = "|".join(re.escape(word) for word in sorted(pronouns, key=len, reverse=True))
    shifted = re.sub(
        rf"(?<![\w'])(?:{pattern})(?![\w'])",
        lambda match: pronouns[match[0].lower()],
        text.replace("\u2019", "'"),
        flags=re.IGNORECASE,
    )
    first, _, rest = shifted.partition(" ")
    # A first word that is no everyday word may be a name.
    return f"{first.lower() if first.lower() in EVERYDAY else first} {rest}".strip()


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop or what it has."""
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".?!" else ".")


def fitting(most: int, *versions: str | None) -> str:
    """Return the first version of at most `most` words; the last one is the plain one that always fits."""
    whole = [version for version in versions if version is not None]
    return next((version for version in whole if len(version.split()) <= most), whole[-1])


def listing(words: Iterable[str]) -> str:
    """Join words as in a sentence."""
    items = list(words)
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else "".join(items)
