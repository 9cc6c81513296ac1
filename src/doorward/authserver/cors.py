"""Which web pages of other origins may talk to the machine endpoints (decision 0077.11; OAuth 2.1 section 3.1).

Loopback and configured origins may do everything; any other origin may read what needs no credential. Nobody is ever
told that cookies may be sent, and the pages of this server have no part in it.
"""

import re
from collections.abc import Collection
from typing import Final

_LOOPBACK: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_EXPOSED: Final = "WWW-Authenticate, X-Request-Id"
_PLAIN_HEADERS: Final = (
    "accept, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id"
)
"""What MCP clients in a page put on every request, these included: a header that is not listed stops the request."""


def is_allowed(origin: str, configured: Collection[str]) -> bool:
    """Say whether an origin, byte for byte, is trusted with credentials."""
    return origin in configured or _LOOPBACK.fullmatch(origin) is not None


def answer_headers(origin: str | None, configured: Collection[str]) -> dict[str, str]:
    """Return the headers of an answer that a page of ``origin`` may read."""
    if origin is None:
        return {"Vary": "Origin"}
    readable_by = origin if is_allowed(origin, configured) else "*"
    return {"Vary": "Origin", "Access-Control-Allow-Origin": readable_by, "Access-Control-Expose-Headers": _EXPOSED}


def preflight_headers(origin: str | None, configured: Collection[str], methods: Collection[str]) -> dict[str, str]:
    """Return what else a preflight is answered (Fetch section 3.2.3): no ``authorization`` for a foreign origin."""
    trusted = origin is not None and is_allowed(origin, configured)
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": f"authorization, {_PLAIN_HEADERS}" if trusted else _PLAIN_HEADERS,
        "Access-Control-Max-Age": "600",
    }
