"""Ask a server whether it is there and what it is, for ``doorward servers status``: now, and as the gateway would."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway.catalogue import open_session
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.sessions import Identity
from doorward.gateway.upstream import Envelope, Rejected, Upstream
from doorward.model import Server
from doorward.protocol.mcp import MODERN_VERSION

MAX_PAGES: Final = 100
_MODERN: Final = Envelope(version=MODERN_VERSION)
_INFO: Final = "io.modelcontextprotocol/serverInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found. ``problem`` is None where all is well; the rest is then what the server says of itself."""

    problem: str | None = None
    name: str = ""
    version: str = ""
    revision: str = ""
    tools: int = 0
    milliseconds: int = 0


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
        return Health(problem=wrong.reason, milliseconds=_since(began))
    meta = described.get("_meta")
    info = meta.get(_INFO) if isinstance(meta, dict) else described.get("serverInfo")
    info = info if isinstance(info, dict) else {}
    return Health(
        name=_text(info.get("name")), version=_text(info.get("version")), revision=envelope.version or "unknown",
        tools=tools, milliseconds=_since(began),
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


def _text(value: object) -> str:
    """Return what a server says of itself as it may stand on a terminal."""
    return "".join(each for each in value[:100] if each.isprintable()) if isinstance(value, str) else ""
