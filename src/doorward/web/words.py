"""How values are written on pages: times, initials, names that others chose."""

from datetime import UTC, datetime
from typing import Final

from doorward.model import SECOND, Instant

MAX_NAME: Final = 60
# The first that is found: each browser also says to be those after it.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrom", "Chrome"), ("Safari", "Safari"), ("curl", "curl"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "a Mac"), ("Linux", "Linux"),
)  # fmt: skip


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


def day_month(instant: Instant) -> str:
    """Return ``20 Nov``."""
    utc = _utc(instant)
    return f"{utc.day} {utc:%b}"


def hour(instant: Instant) -> str:
    """Return ``10:00``."""
    return f"{_utc(instant):%H:00}"


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


def ago(then: Instant, now: Instant) -> str:
    """Return ``just now``, ``2 minutes ago``, ``1 day ago``: in the largest whole unit."""
    seconds = (now - then) // SECOND
    for unit, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            number = seconds // unit
            return f"{number} {word}{'' if number == 1 else 's'} ago"
    return "just now"


def after(then: Instant, start: Instant) -> str:
    """Return how long after ``start`` something was: ``+0.2 s``, ``+21 s``, ``+5 min``."""
    seconds = max(0, then - start) / SECOND
    if seconds >= 120:  # noqa: PLR2004  (two minutes)
        return f"+{round(seconds / 60)} min"
    return f"+{seconds:.1f} s" if seconds < 10 else f"+{round(seconds)} s"  # noqa: PLR2004


def device(agent: str) -> str:
    """Return what a browser says of itself in words, like ``Firefox on Windows``: for its person, never for a rule."""
    browser = next((words for mark, words in _BROWSERS if mark in agent), "A browser")
    system = next((words for mark, words in _SYSTEMS if mark in agent), None)
    return browser if system is None else f"{browser} on {system}"


def cut(name: str) -> str:
    """Return a name that somebody else chose, in one line of at most ``MAX_NAME`` characters."""
    line = " ".join(name.split())
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def _utc(instant: Instant) -> datetime:
    return datetime.fromtimestamp(instant / SECOND, tz=UTC)
