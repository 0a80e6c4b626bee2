"""Moments, how long ago they are, and where in a recording one is, as people write them. Pure."""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that a text names: so long ago (30m, 24h, 7d, 2w), or a date or time, in UTC without a zone.

    Raises ValueError when it is neither.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        named = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no moment: say 30m, 24h, 7d, 2w, 2026-05-06 or 2026-05-06T14:00") from None
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def age(since: datetime, now: datetime) -> str:
    """Return how long ago a moment is, in its largest unit: 40 s, 12 min, 5 h, 3 d."""
    seconds = max((now - since).total_seconds(), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        # Ninety minutes say more than one hour.
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(moment_ms: int) -> str:
    """Return a moment of a recording as m:ss, or h:mm:ss from an hour on."""
    minutes, seconds = divmod(max(moment_ms, 0) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
