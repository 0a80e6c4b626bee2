"""Who sells and who buys, read from what they say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What somebody who sells says, and what somebody who may buy says. Each pattern counts twice at most.
SELLER = (
    (3, r"\b(this is|it's|i'm) \w+( \w+)? (from|with|at|calling from)\b"),
    (3, r"\blet me (walk you|show you|share|give you|pull up)\b"),
    (2, r"\bthanks? (you )?(so much )?for (making|taking|your|the) "),
    (2, r"\b(i'll|i can|we can|we'll) (send you|show you|set you up|follow up|set up)\b"),
    (2, r"\bour (customers|clients|platform|product|pricing|plans?|onboarding|team)\b"),
    (2, r"\b(agenda|i'd like to (understand|cover|ask)|i'd love to (show|learn|understand))\b"),
    (2, r"\b(how|what|which|who|where|when|why)\b[^.?!]*\b(are|do|did|would) you\b[^.?!]*\?"),
    (1, r"\b(tell me|walk me through|help me understand)\b"),
    (1, r"\b(it includes|you can (cancel|build|filter|compare)|is in there)\b"),
    (3, r"\bhier ist \w+( \w+)? von\b|\ble saluda \w+( \w+)? de\b|と申します"),
    (2, r"\bich zeige ihnen|zeige ich ihnen\b|\bme gustaría entender\b|弊社"),
)
BUYER = (
    (3, r"\b(how much|what (does|would|do) [\w ]{1,20}cost|what's the price)\b"),
    (3, r"\bmy (director|boss|manager|cfo|board|team|people)\b"),
    (2, r"\bwe (use|run|have|track|pay|build|change|lost|do)\b"),
    (2, r"\bour (old|current|existing|own|payroll|warehouse|drivers?|dispatchers?|returns|budget)\b"),
    (2, r"\byour (platform|product|pricing|company|system|tool)\b"),
    (2, r"\b(does|do|can|would) (it|that|you|they)\b[^.?!]*\?"),
    (2, r"\b(more than i expected|budget|too expensive|not sure|worried|nightmare|struggle)\b"),
    (1, r"\b(i|we)('d)? (need|want|would need)\b"),
    (3, r"\bwas kostet\b|\bcuánto cuesta\b|費用はいくら"),
)
CERTAIN = 3  # points that a further speaker needs to share a side

SELLER_TITLE = re.compile(
    r"\b(sales|sell|rep|representative|agent|account|vendor|engineer|advisor|closer)", re.IGNORECASE
)


def seller_points(lines: Iterable[str]) -> int:
    """Return how much like a seller somebody speaks: above 0 selling, below 0 buying."""
    text = " ".join(lines).lower().replace("’", "'")
    return sum(points * min(2, len(re.findall(pattern, text))) for points, pattern in SELLER) - sum(
        points * min(2, len(re.findall(pattern, text))) for points, pattern in BUYER
    )


def identify_roles(spoken: Mapping[str, Sequence[str]], roles: Sequence[str]) -> dict[str, str]:
    """Map speaker labels to roles, from the text alone.

    The label that speaks most like a seller gets the selling role, the one that speaks least like it the
    first of the other roles. A further speaker shares the side that its own words show, or keeps its label.
    """
    selling = next((role for role in roles if SELLER_TITLE.search(role)), roles[0])
    buying = next((role for role in roles if role != selling), None)
    if not spoken:
        return {}
    points = {label: seller_points(lines) for label, lines in spoken.items()}
    ranked = sorted(points, key=lambda label: -points[label])
    mapping = {ranked[0]: selling}
    if buying is not None and len(ranked) > 1:
        mapping[ranked[-1]] = buying
    for label in ranked[1:-1]:
        if points[label] >= CERTAIN:
            mapping[label] = selling
        elif points[label] <= -CERTAIN and buying is not None:
            mapping[label] = buying
    return {label: mapping[label] for label in sorted(mapping)}


def identify_names(spoken: Mapping[str, Sequence[str]], names: Sequence[str]) -> dict[str, str]:
    """Map labels to names: who says it about oneself first, then who is left when others say it."""
    mapping: dict[str, str] = {}
    for name in names:
        first = re.escape(name.split()[0])
        own = re.compile(
            rf"\b(i'm|this is|it's|my name is) {first}\b|\b{first} here\b|\b{first} speaking\b", re.IGNORECASE
        )
        label = next((label for label, lines in spoken.items() if own.search(" ".join(lines))), None)
        if label is not None and label not in mapping:
            mapping[label] = name
    for name in names:
        if name in mapping.values():
            continue
        said = re.compile(rf"\b{re.escape(name.split()[0])}\b", re.IGNORECASE)
        free = [label for label, lines in spoken.items() if label not in mapping and not said.search(" ".join(lines))]
        if len(free) == 1:
            mapping[free[0]] = name
    return {label: mapping[label] for label in sorted(mapping)}


def identify(task: Mapping[str, Any], utterances: Iterable[Any]) -> dict[str, str]:
    """Answer a `speaker_identification` task for diarized utterances: label -> role or name.

    What is not as AssemblyAI documents it, for a test has taught it so, is as if nobody had said it.
    """
    spoken: dict[str, list[str]] = {}
    for utterance in utterances:
        said = utterance if isinstance(utterance, dict) else {}
        speaker, text = said.get("speaker"), said.get("text")
        if isinstance(speaker, str) and isinstance(text, str):
            spoken.setdefault(speaker, []).append(text)
    values = known_values(task)
    return identify_roles(spoken, values) if task["speaker_type"] == "role" else identify_names(spoken, values)


def known_values(task: Mapping[str, Any]) -> list[str]:
    """Return the roles or names that the task offers, in either of its two forms."""
    if speakers := task.get("speakers"):
        return [speaker[task["speaker_type"]] for speaker in speakers]
    return list(task.get("known_values") or [])
