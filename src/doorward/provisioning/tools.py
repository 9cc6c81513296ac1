"""The use cases of vetting: what a server was seen to offer is remembered, and somebody reviews it (D4; K27)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from doorward import audit
from doorward.model import Instant, Server, ToolState
from doorward.policy.vetting import MAX_KNOWN, standing
from doorward.storage import known_tools, servers
from doorward.storage.database import Transaction
from doorward.storage.known_tools import KnownTool

MAX_DEFINITION: Final = 64 * 1024
"""Characters of what an author says of a tool that are kept for whoever reviews it."""
MAX_VERSIONS: Final = 8
"""Of one name. A server that changes its words at every look must not fill the table."""


class NoSuchTool(Exception):  # noqa: N818  (an answer)
    """The server is not there, or was never seen to offer the tool."""


class SeenTool(NamedTuple):
    """One version that a server offers. ``definition`` is all that its author says of it."""

    name: str
    digest: str
    annotations: Mapping[str, Any]
    definition: Mapping[str, Any] | None = None


def remember(tx: Transaction, slug: str, seen: Iterable[SeenTool], now: Instant) -> int:
    """Remember versions that a server offers; return how many were new.

    Each gets the standing that it has at this moment, so that a policy made stricter later does not take away what
    was in use before.
    """
    server = servers.server_by_slug(tx, slug)
    if server is None:
        return 0
    return sum(_remember(tx, server, each, now) for each in seen)


def _remember(tx: Transaction, server: Server, seen: SeenTool, now: Instant) -> bool:
    name, digest, annotations, definition = seen
    versions = server.known.get(name, {})
    if digest in versions or len(versions) >= MAX_VERSIONS or (not versions and len(server.known) >= MAX_KNOWN):
        return False
    tool = KnownTool(
        server_id=server.id,
        name=name,
        digest=digest,
        first_seen=now,
        annotations=annotations,
        state=standing(server, name, digest),
        definition=definition if definition and len(json.dumps(definition)) <= MAX_DEFINITION else None,
    )
    if not known_tools.add_known(tx, tool):
        return False
    if versions or tool.state is not ToolState.ALLOWED:
        event = "tool:changed" if versions else "tool:held"
        detail = {"server": server.slug, "state": tool.state.value}
        audit.record(tx, name=event, at=now, tenant_id=server.tenant_id, subject=name, detail=detail, cause=None)
    return True


class ToolChanged(Exception):  # noqa: N818  (an answer)
    """What was looked at is not the newest version any more; nothing was said of any."""


def review(  # noqa: PLR0913
    tx: Transaction, slug: str, name: str, state: ToolState, *, by: str, now: Instant, seen: str | None = None
) -> int:
    """Approve the newest version of a tool, or hold or block all of them; return how many versions that changed.

    Approving a blocked tool approves the newest version only; what it was before stays held. ``seen`` is the digest of
    the version that was looked at. Raises ``NoSuchTool`` and ``ToolChanged``.
    """
    server = servers.server_by_slug(tx, slug)
    if server is None:
        raise NoSuchTool(f"there is no server {slug[:80]!r}")
    versions = [tool for tool in known_tools.known_of_server(tx, server.id) if tool.name == name]
    if not versions:
        raise NoSuchTool(f"server {slug} was never seen to offer {name[:80]!r}")
    if seen is not None and state is ToolState.ALLOWED and _newest(versions).digest != seen:
        raise ToolChanged(f"{name[:80]!r} was changed meanwhile")
    changed = sum(_review(tx, tool, _wanted(tool, versions, state), by, now) for tool in versions)
    if changed:
        detail = {"by": by, "server": slug, "state": state.value}
        audit.record(
            tx, name="tool:reviewed", at=now, tenant_id=server.tenant_id, subject=name, detail=detail, cause=None
        )
    return changed


def _wanted(tool: KnownTool, versions: list[KnownTool], state: ToolState) -> ToolState:
    if state is not ToolState.ALLOWED or tool is _newest(versions):
        return state
    return ToolState.HELD if tool.state is ToolState.BLOCKED else tool.state


def _newest(versions: list[KnownTool]) -> KnownTool:
    return versions[-1]


def _review(tx: Transaction, tool: KnownTool, state: ToolState, by: str, now: Instant) -> bool:
    return tool.state is not state and known_tools.set_state(tx, tool, state, by, now)
