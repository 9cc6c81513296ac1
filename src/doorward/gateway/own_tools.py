"""The gateway's own tools (feature A9), which it adds to those of a server that allows it. Pure.

Whoever is let in may call them, unless their tenant says otherwise. Where the server has a tool of that name, be it
shown or not, the server's is the one: agents know it by what it did before, and ours must not stand in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway import connection_info, whoami
from doorward.gateway.about import About
from doorward.gateway.answers import Answer
from doorward.gateway.offer import Governed, Tool, tool_of
from doorward.model import Server
from doorward.protocol import mcp


@dataclass(frozen=True, slots=True)
class OwnTool:
    """What is listed of a tool, what it is to a rule, and how it answers."""

    definition: Mapping[str, Any]
    tool: Tool
    answer: Callable[[mcp.CallTool, About], Answer]


def _own(definition: Mapping[str, Any], answer: Callable[[mcp.CallTool, About], Answer]) -> OwnTool:
    return OwnTool(definition, tool_of(definition), answer)


OWN_TOOLS: Final[Mapping[str, OwnTool]] = {
    str(each.definition["name"]): each
    for each in (
        _own(whoami.DEFINITION, whoami.answer),
        _own(connection_info.DEFINITION, connection_info.answer),
    )
}


def own_tool(governed: Governed, name: str) -> OwnTool | None:
    """Return the tool of ours that this name stands for at a server, or None."""
    return OWN_TOOLS.get(name) if governed.server.builtin_tools and name not in governed.offer.tools else None


def own_names(governed: Governed) -> tuple[str, ...]:
    """Return the names of all tools of ours at a server."""
    if governed.own is None:
        governed.own = tuple(name for name in OWN_TOOLS if own_tool(governed, name) is not None)
    return governed.own


def is_own(server: Server, name: str, *, offered: bool) -> bool:
    """Say the same of one name, where only this is known of the offer: whether the server was seen to have such a tool."""
    return server.builtin_tools and name in OWN_TOOLS and not offered


def described(governed: Governed, name: str) -> Tool:
    """Return what its author says of a tool that may be called."""
    return governed.offer.tools.get(name) or OWN_TOOLS[name].tool
