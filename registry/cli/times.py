"""Times and durations as people write them on the command line, in seconds since the epoch (UTC)."""

import re
import time
from datetime import UTC, datetime

from registry.chain.publishers import NEVER
from registry.errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_DURATION = re.compile(r"(\d{1,9})([smhdwy])", re.ASCII)
_SECONDS = re.compile(r"0|\d{9,15}", re.ASCII)


def duration(text: str) -> int:
    """Seconds in `30s`, `15m`, `12h`, `90d`, `6w` or `2y`. Raises `InputError`."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise InputError(f"“{text}” is no duration: write 30s, 15m, 12h, 90d, 6w or 2y.", given=text)
    return int(found[1]) * _UNITS[found[2]]


def moment(text: str, now: float | None = None) -> int:
    """A time: `now`, `never`, a duration from now, seconds, a date or a date with time (ISO 8601; UTC unless it says).

    Seconds are 0 or of 1973 and later: `2027`, `20270131` and `90` are meant otherwise. Raises `InputError`.
    """
    if text == "never":
        return NEVER
    current = int(time.time() if now is None else now)
    if text == "now":
        return current
    if _SECONDS.fullmatch(text):
        seconds = int(text)
    elif _DURATION.fullmatch(text):
        seconds = current + duration(text)
    else:
        try:
            if text.isdigit():
                raise ValueError
            read = datetime.fromisoformat(text)
            seconds = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            raise InputError(
                f"“{text}” is no time: write now, never, 90d, 2027-01-31, 2027-01-31T12:00:00Z or seconds.", given=text
            ) from None
    if not 0 <= seconds <= NEVER:
        raise InputError(f"“{text}” is out of range.", given=text)
    return seconds


def shown(seconds: int) -> str:
    """A time for a person: `2027-01-31 12:00:00 UTC`, or `never`."""
    if seconds >= NEVER:
        return "never"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
