"""What the codes in scorecards and failures mean, in words for people. Pure."""

from functools import cache
from pathlib import Path

from callcoach.plain_text import words


def meaning(kind: str, code: str | None) -> str:
    """Return what a code of one kind means, "" for none. kind: a table of meanings.toml."""
    return _meanings()[kind].get(code or "", words(code))


@cache
def _meanings() -> dict[str, dict[str, str]]:
    """Return the tables, with their reader, when the first code is shown: few runs show any."""
    import tomllib  # noqa: PLC0415 - see above

    return tomllib.loads(Path(__file__).with_name("meanings.toml").read_text("utf-8"))
