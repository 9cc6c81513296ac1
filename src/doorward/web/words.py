"""How values are written on pages: times, initials, names that others chose."""

from datetime import UTC, datetime
from typing import Final

from doorward.model import SECOND, Instant

MAX_NAME: Final = 60


def iso(instant: Instant) -> str:
    """Return ``2026-11-20T10:41:07Z``."""
    return _utc(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(instant: Instant) -> str:
    """Return ``20 Nov 2026, 10:41:07 UTC``."""
    return f"{day(instant)}, {_utc(instant):%H:%M:%S} UTC"


def day(instant: Instant) -> str:
    """Return ``20 Nov 2026``."""
    utc = _utc(instant)
    return f"{utc.day} {utc:%b %Y}"


def initials(name: str) -> str:
    """Return one or two capitals that stand for a name, or ``?``."""
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


def duration(seconds: int) -> str:
    """Return a time in the largest unit that says it exactly: ``180 days``, ``1 hour``, ``90 minutes``."""
    for unit, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            number = seconds // unit
            return f"{number} {word}" if number == 1 else f"{number} {word}s"
    return f"{seconds} seconds"


def cut(name: str) -> str:
    """Return a name that somebody else chose, in one line of at most ``MAX_NAME`` characters."""
    line = " ".join(name.split())
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def _utc(instant: Instant) -> datetime:
    return datetime.fromtimestamp(instant / SECOND, tz=UTC)
