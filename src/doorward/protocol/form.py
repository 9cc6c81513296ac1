"""Form-encoded parameters (WHATWG URL section 5.1) as a list of pairs, in order, with nothing dropped or merged."""

from collections import Counter
from urllib.parse import parse_qsl

Pairs = list[tuple[str, str]]

MAX_PARAMETERS = 100


def parse(text: bytes | str, *, most: int = MAX_PARAMETERS) -> Pairs:
    """Return the decoded pairs of a query or body.

    Raises ``ValueError`` where the text or what it encodes is not UTF-8, or there are more than ``most`` pairs.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=most)


def repeated(pairs: Pairs, *, may_repeat: str | None = None) -> frozenset[str]:
    """Return the names that occur more than once (RFC 6749 section 3.1: they MUST NOT), but for ``may_repeat``."""
    times = Counter(name for name, _ in pairs if name != may_repeat)
    return frozenset(name for name, count in times.items() if count > 1)


def present(pairs: Pairs) -> dict[str, str]:
    """Return the parameters that have a value: without one they count as omitted (RFC 6749 section 3.1)."""
    return {name: value for name, value in pairs if value}
