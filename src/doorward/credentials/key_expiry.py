"""When a key ends, as people write it: ``30d``, ``never``, or a last day."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from doorward.model import SECOND, Instant

DAY: Final = 86_400 * SECOND
USUAL: Final = "90d"
_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})d")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIX: Final = "Write a number of days like 30d, a day like 2027-01-31, or never."


def end_of(text: str, now: Instant) -> Instant | None:
    """Return the end that ``text`` means; a day is good until its end, in UTC. Raises ``ValueError`` with public words."""
    if text == "never":
        return None
    days = _DAYS.fullmatch(text)
    if days:
        return Instant(now + int(days.group(1)) * DAY)
    try:
        after = date.fromisoformat(text if _DATE.fullmatch(text) else "") + timedelta(days=1)
    except (ValueError, OverflowError) as wrong:
        raise ValueError(f"{text[:40]!r} is no date. {FIX}") from wrong
    end = Instant(int(datetime(after.year, after.month, after.day, tzinfo=UTC).timestamp()) * SECOND)
    if end <= now:
        raise ValueError(f"{text} is past. {FIX}")
    return end


def moment(end: Instant) -> str:
    """Return ``2027-01-31T00:00:00Z``."""
    return datetime.fromtimestamp(end // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
