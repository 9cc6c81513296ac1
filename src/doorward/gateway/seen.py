"""What one caller was shown by an upstream: some servers list things to some people, or in some sessions, only.

The gateway's own list (``catalogue``) is not all there is then, and what is listed must be usable (D2). It only says
that a thing may exist; the rules decide, as for everything.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from doorward.gateway.offer import Offer, template_fits, text
from doorward.model import Principal, RuleKind, Server, ServerId
from doorward.protocol import mcp

MAX_CALLERS: Final = 4_000
MAX_NAMES: Final = 5_000
"""Of one kind, to one caller."""
_KINDS: Final[Mapping[type, tuple[str, str]]] = {
    mcp.ListPrompts: ("prompts", "name"),
    mcp.ListResources: ("resources", "uri"),
    mcp.ListResourceTemplates: ("templates", "uriTemplate"),
}


class Seen:
    """Names and URIs exactly as they were shown, the oldest first."""

    __slots__ = ("prompts", "resources", "templates")

    def __init__(self) -> None:
        self.prompts: dict[str, None] = {}
        self.resources: dict[str, None] = {}
        self.templates: dict[str, None] = {}

    def has_resource(self, uri: str) -> bool:
        """Say whether a resource was shown, or a template that could have made it."""
        return uri in self.resources or any(template_fits(template, uri) for template in self.templates)

    def note(self, kind: str, names: Iterable[str]) -> None:
        """Keep ``names`` of ``kind``, one of the attributes."""
        kept: dict[str, None] = getattr(self, kind)
        for name in names:
            kept.pop(name, None)
            kept[name] = None
        while len(kept) > MAX_NAMES:
            del kept[next(iter(kept))]


NOTHING: Final = Seen()


class SeenByCallers:
    """One per process: another one learns when the caller lists again."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[tuple[str, str, str, str], ServerId], Seen] = OrderedDict()

    def of(self, caller: tuple[str, str, str, str], server_id: ServerId) -> Seen:
        """Return what a caller (of ``caller_key``) was shown by this server; it grows."""
        key = caller, server_id
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = Seen()
            if len(self._seen) > MAX_CALLERS:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(key)
        return seen


Shown = tuple[str, tuple[str, ...]]
"""A kind, and names of it."""


def shown_in_list(ask: mcp.Ask, result: Mapping[str, Any], offer: Offer) -> Shown | None:
    """Return what a list shows beyond ``offer``; None for nothing."""
    found = _KINDS.get(type(ask))
    if found is None:
        return None
    kind, key = found
    items = result.get("resourceTemplates" if kind == "templates" else kind)
    known: frozenset[str] = getattr(offer, kind)
    names = tuple(
        name for item in (items if isinstance(items, list) else ()) if (name := text(item, key)) and name not in known
    )
    return (kind, names) if names else None


def linked(ask: mcp.Ask, result: Mapping[str, Any], server: Server, principal: Principal) -> tuple[str, ...]:
    """Return the resources that a call's result links to, where such a link makes them known.

    Only where one rule holds for all resources: else a tool that links to whatever it is told could spell a resource
    so that its own rule does not know it (K13).
    """
    content = result.get("content") if isinstance(ask, mcp.CallTool | mcp.UseTask) else None
    if not isinstance(content, list):
        return ()
    links = [text(item, "uri") for item in content if isinstance(item, dict) and item.get("type") == "resource_link"]
    if not links:
        return ()
    kinds = (*(rule.kind for rule in server.rules), *(override.kind for override in principal.overrides))
    if RuleKind.RESOURCE in kinds:
        return ()
    return tuple(link for link in links if link)
