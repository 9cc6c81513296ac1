"""When a key ends, as people write it and as we print it."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from doorward.cli.errors import CommandFailed
from doorward.model import SECOND, Instant

_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})d")
_DAY: Final = 86_400 * SECOND
_FIX: Final = "Write a number of days like 30d, a day like 2027-01-31, or never."


def expires_at(text: str, now: Instant) -> Instant | None:
    """Return the end that ``30d``, ``never`` or ``YYYY-MM-DD`` means; a day is good until its end, in UTC.

    Raises ``CommandFailed``.
    """
    if text == "never":
        return None
    days = _DAYS.fullmatch(text)
    if days:
        return Instant(now + int(days.group(1)) * _DAY)
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError) as wrong:
        raise CommandFailed(f"--expires {text[:40]!r} is no date. {_FIX}") from wrong
    end = Instant(int(datetime(after.year, after.month, after.day, tzinfo=UTC).timestamp()) * SECOND)
    if end <= now:
        raise CommandFailed(f"--expires {text} is past. {_FIX}")
    return end


def in_words(end: Instant | None) -> str:
    """Return ``until 2027-01-31T00:00:00Z``, or that it does not expire."""
    if end is None:
        return "without an end"
    return "until " + datetime.fromtimestamp(end // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
