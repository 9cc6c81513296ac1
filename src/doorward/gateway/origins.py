"""Which web pages may call the MCP endpoint, and what browsers are told (decision 0077.11; L18). Pure.

Bearer credentials are never sent by a browser on its own, so a foreign page can do nothing by itself; it is refused all
the same as soon as it sends one, and never gets to read an answer.
"""

import re
from collections.abc import Iterable
from typing import Final

ALLOWED_HEADERS: Final = (
    b"authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id"
)
EXPOSED_HEADERS: Final = b"WWW-Authenticate, Mcp-Session-Id"
_LOOPBACK: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_LOOPBACK_HOST: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


class Origins:
    """``allowed`` are configured origins, byte for byte; loopback and our own are always allowed."""

    def __init__(self, public_url: str, allowed: Iterable[str]) -> None:
        self._allowed = frozenset({public_url, *allowed})
        self._local = _LOOPBACK.fullmatch(public_url) is not None

    def allows(self, origin: str) -> bool:
        """Say whether a page of ``origin`` may call; several Origin headers are no origin."""
        return origin in self._allowed or _LOOPBACK.fullmatch(origin) is not None

    def host_ok(self, host: str | None) -> bool:
        """Say whether a deployment on loopback may answer to this Host (DNS rebinding); others stand behind a proxy."""
        return not self._local or (host is not None and _LOOPBACK_HOST.fullmatch(host) is not None)


def cors(origin: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers for an answer to an allowed origin. No credentials mode: cookies are never used here."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED_HEADERS),
        (b"vary", b"Origin"),
    )


def preflight(requested: str | None) -> list[tuple[bytes, bytes]]:
    """Return the further headers for the answer to OPTIONS; ``requested`` is Access-Control-Request-Headers."""
    params = [name for name in (requested or "").lower().replace(" ", "").split(",") if _PARAM.fullmatch(name)]
    allowed = b", ".join([ALLOWED_HEADERS, *(name.encode() for name in params[:32])])
    return [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", b"600"),
    ]


_PARAM: Final = re.compile(r"mcp-param-[a-z0-9_.-]{1,128}")
