"""Moments as data (ISO 8601, UTC)."""

from datetime import UTC, datetime

from doorward.model import SECOND, Instant


def exactly(at: Instant) -> str:
    """Return ``2026-11-20T10:41:52.118000Z``."""
    return datetime.fromtimestamp(at / SECOND, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_the_second(at: Instant) -> str:
    """Return ``2026-11-20T10:41:52Z``."""
    return datetime.fromtimestamp(at // SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
