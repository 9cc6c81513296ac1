"""Ask a server whether it is there and what it is, for ``doorward servers status``: now, and as the gateway would."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway.catalogue import open_session
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.sessions import Identity
from doorward.gateway.sighting import sighting_of
from doorward.gateway.upstream import Envelope, Rejected, Upstream
from doorward.model import Instant, Server
from doorward.protocol.mcp import MODERN_VERSION

MAX_PAGES: Final = 100
_MODERN: Final = Envelope(version=MODERN_VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found. ``problem`` is None where all is well; the rest is then what the server says of itself."""

    problem: str | None = None
    refused: bool = False
    """Whether the server was reached, and took no offence but at the credential."""
    name: str = ""
    version: str = ""
    revision: str = ""
    tools: int = 0
    accounts: str = ""
    """Who keeps the accounts by which it knows people; nobody but a person can ask it for more."""
    milliseconds: int = 0
    since: Instant | None = None
    """When the gateway first saw it say so; None where it did not yet."""
    before: str | None = None
    """What it said before, in words."""


async def probe(upstream: Upstream, server: Server, identity: Identity) -> Health:
    """Ask ``server`` as the gateway does, and count its tools."""
    began = time.monotonic()
    try:
        envelope, described = await _greeted(upstream, server, identity)
        try:
            tools = await _count(upstream, server, envelope, identity)
        finally:
            if envelope.session_id is not None:
                (await upstream.delete(server, envelope, identity)).close()
    except (UpstreamFailure, Rejected) as wrong:
        refused = isinstance(wrong, Rejected) and wrong.status in {401, 403}
        return Health(problem=wrong.reason, refused=refused, milliseconds=_since(began))
    seen = sighting_of(described, envelope.version)
    return Health(
        name=seen.name, version=seen.version, revision=seen.revision, tools=tools, milliseconds=_since(began)
    )  # fmt: skip


async def _greeted(upstream: Upstream, server: Server, identity: Identity) -> tuple[Envelope, Mapping[str, Any]]:
    try:
        described, _ = await upstream.ask(server, "server/discover", {}, _MODERN, identity)
    except Rejected as rejected:
        if rejected.status in {401, 403}:
            raise
        return await open_session(upstream, server, identity)
    return _MODERN, described


async def _count(upstream: Upstream, server: Server, envelope: Envelope, identity: Identity) -> int:
    count = 0
    params: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        result, _headers = await upstream.ask(server, "tools/list", params, envelope, identity)
        page, cursor = result.get("tools"), result.get("nextCursor")
        count += len(page) if isinstance(page, list) else 0
        if not isinstance(cursor, str) or cursor == params.get("cursor"):
            break
        params = {"cursor": cursor}
    return count


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
