"""Whether a tool may be offered at all: new ones, and ones whose author changed what they say (feature D4; K27)."""

from typing import Final

from doorward.model import Server, ToolState, Vetting

MAX_KNOWN: Final = 20_000
"""Names that are remembered of one server. Beyond it nobody could tell a new one from a changed one."""


def standing(server: Server, name: str, digest: str) -> ToolState:
    """Return what holds for the version ``digest`` of the tool ``name`` now; only an allowed one is offered."""
    versions = server.known.get(name, {})
    if ToolState.BLOCKED in versions.values():
        return ToolState.BLOCKED
    if digest in versions:
        return versions[digest]
    changed = ToolState.ALLOWED in versions.values() or (not versions and len(server.known) >= MAX_KNOWN)
    policy = server.changed_tools if changed else server.new_tools
    return ToolState.HELD if policy is Vetting.HOLD else ToolState.ALLOWED
