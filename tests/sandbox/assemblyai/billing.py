"""What the account pays for, and for which recording."""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

Service = Literal["transcript", "understanding", "chat"]

SERVICES: tuple[Service, ...] = ("transcript", "understanding", "chat")
# A prompt writes a call down in lines of its own; below this likeness it is about another one.
LEAST_LIKENESS = 0.5


def recording_key(audio_url: str) -> str:
    """Return the path of a recording's address, unquoted: the key of an object in S3, perhaps after its bucket."""
    return unquote(urlsplit(audio_url).path).removeprefix("/")


class Ledger:
    """Counts by recording. A prompt names no recording: a chat is about the one whose words are most like its lines.

    Recordings with the same words share their chats, each of which then counts for all of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Counter[Service]()
        self._by_recording = defaultdict[str, Counter[Service]](Counter)
        self._words: dict[str, Counter[str]] = {}
        self._of_words: dict[frozenset[tuple[str, int]], set[str]] = {}

    def add_transcript(self, recording: str, transcript: Mapping[str, Any]) -> None:
        """Count a completed transcription, and remember what was said."""
        utterances = transcript.get("utterances")
        said = [item.get("text") for item in utterances or [] if isinstance(item, dict)]
        words = _words(said or [transcript.get("text")])
        with self._lock:
            if before := self._words.get(recording):
                self._of_words[frozenset(before.items())].discard(recording)
            self._words[recording] = words
            self._of_words.setdefault(frozenset(words.items()), set()).add(recording)
            self._add("transcript", [recording])

    def add_understanding(self, recording: str) -> None:
        """Count a request of Speech Understanding."""
        with self._lock:
            self._add("understanding", [recording])

    def add_chat(self, lines: Iterable[str]) -> None:
        """Count a chat completion; `lines` are those of the call that its prompt holds."""
        asked = _words(lines)
        with self._lock:
            self._add("chat", self._of_words.get(frozenset(asked.items())) or self._most_like(asked))

    def _most_like(self, asked: Counter[str]) -> list[str]:
        likeness = {recording: _likeness(asked, words) for recording, words in self._words.items()}
        most = max(likeness.values(), default=0.0)
        return [recording for recording, share in likeness.items() if share == most >= LEAST_LIKENESS]

    def total(self) -> dict[Service, int]:
        """Return what the account is billed for."""
        with self._lock:
            return {service: self._total[service] for service in SERVICES}

    def paid_for(self, recording: str) -> dict[Service, int]:
        """Return what one recording is billed for; a bucket before its key may be left out."""
        with self._lock:
            named = [paid for key, paid in self._by_recording.items() if recording in (key, key.partition("/")[2])]
            return {service: sum(paid[service] for paid in named) for service in SERVICES}

    def _add(self, service: Service, recordings: Iterable[str]) -> None:
        self._total[service] += 1
        for recording in recordings:
            self._by_recording[recording][service] += 1


def _words(texts: Iterable[Any]) -> Counter[str]:
    return Counter(word for text in texts if isinstance(text, str) for word in re.findall(r"\w+", text.casefold()))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Return which part of the words of both is shared, wherever it stands: from 0 to 1."""
    return 2 * (one & other).total() / max(1, one.total() + other.total())
