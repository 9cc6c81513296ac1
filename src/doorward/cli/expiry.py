"""When a key ends, as an option says it and as we print it."""

from doorward.cli.errors import CommandFailed
from doorward.credentials.key_expiry import end_of, moment
from doorward.model import Instant


def expires_at(text: str, now: Instant) -> Instant | None:
    """Return the end that ``--expires`` means; see ``end_of``. Raises ``CommandFailed``."""
    try:
        return end_of(text, now)
    except ValueError as wrong:
        raise CommandFailed(f"--expires {wrong}") from wrong


def in_words(end: Instant | None) -> str:
    """Return ``until 2027-01-31T00:00:00Z``, or that it does not expire."""
    return "without an end" if end is None else f"until {moment(end)}"
