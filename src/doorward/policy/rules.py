"""Which rule governs a tool, resource or prompt, and where a resource lies in its tenant's tree.

The first explicit rule that fits wins; where none fits, the rule is derived from what the upstream says of its tool
(feature D4). Everything is compared exactly and case-sensitively: one spelling, one meaning (K10).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from doorward.model import Permission, PermissionEntry, Resource, ResourceId, RuleKind, Server, ToolRule
from doorward.policy.matching import glob_fits, template_variables, tool_name_ok

_NOTHING: Final[Mapping[str, str]] = {}
OWN: Final = "own-servers"
"""The resource part of what tools of tenants' own servers need, one for all: names of tenants stand in no vocabulary."""


def rule_for(
    server: Server, kind: RuleKind, name: str, annotations: Mapping[str, Any] | None
) -> tuple[ToolRule, Mapping[str, str]]:
    """Return the rule that governs ``name`` at ``server`` and the variables its template took from a resource URI."""
    return find_rule(server.rules, kind, name) or (derived_rule(server, kind, name, annotations), _NOTHING)


def find_rule(rules: Sequence[ToolRule], kind: RuleKind, name: str) -> tuple[ToolRule, Mapping[str, str]] | None:
    """Return the first rule of ``kind`` that fits ``name`` with its template's variables, or None.

    ``name`` is a tool's or prompt's name, or a resource's URI; a URI that could be read in two ways fits no rule.
    """
    for rule in rules:
        if rule.kind is kind:
            variables = _fit(rule, name)
            if variables is not None:
                return rule, variables
    return None


def _fit(rule: ToolRule, name: str) -> Mapping[str, str] | None:
    if rule.kind is RuleKind.RESOURCE:
        return template_variables(rule.match, name)
    if rule.kind is RuleKind.TOOL and not tool_name_ok(name):
        return None
    return _NOTHING if glob_fits(rule.match, name) else None


def derived_rule(server: Server, kind: RuleKind, name: str, annotations: Mapping[str, Any] | None) -> ToolRule:
    """Return the rule of something nobody wrote a rule for: ``<slug>:read``, ``:write`` or ``:delete`` (D4).

    Only a hint that is exactly ``true`` counts: MCP's own default for ``destructiveHint`` is true, but a tool that
    says nothing needs ``write``. A tool whose name could be taken for another one needs what nobody has (K10).
    """
    if kind is RuleKind.TOOL and not tool_name_ok(name):
        return ToolRule(kind=kind, match=name, requires=frozenset())
    action = _action(annotations or {}) if kind is RuleKind.TOOL else "read"
    return ToolRule(kind=kind, match=name, requires=frozenset({Permission(f"{_resource(server)}:{action}")}))


def _resource(server: Server) -> str:
    return server.slug if server.tenant_id is None else OWN


def _action(annotations: Mapping[str, Any]) -> str:
    if annotations.get("readOnlyHint") is True:
        return "read"
    return "delete" if annotations.get("destructiveHint") is True else "write"


def derived_permissions(server: Server) -> tuple[PermissionEntry, ...]:
    """Return the catalogue entries that ``derived_rule`` can ask for at ``server``, with words for people."""
    if server.tenant_id is not None:
        return OWN_PERMISSIONS
    return (
        PermissionEntry(permission=Permission(f"{server.slug}:read"), words=f"Look things up in {server.name}"),
        PermissionEntry(permission=Permission(f"{server.slug}:write"), words=f"Add and change things in {server.name}"),
        PermissionEntry(
            permission=Permission(f"{server.slug}:delete"), words=f"Delete things in {server.name}", destructive=True
        ),
    )


OWN_PERMISSIONS: Final = (
    PermissionEntry(
        permission=Permission(f"{OWN}:read"), words="Look things up in servers that your tenant added", is_default=False
    ),
    PermissionEntry(
        permission=Permission(f"{OWN}:write"),
        words="Add and change things in servers that your tenant added",
        is_default=False,
    ),
    PermissionEntry(
        permission=Permission(f"{OWN}:delete"),
        words="Delete things in servers that your tenant added",
        is_default=False,
        destructive=True,
    ),
)
"""In the catalogue from the first such server on; an ordinary login asks for them at such servers only."""


class ResourceTree:
    """One tenant's nodes: found by type and key, placed by their parents. Compared by id, never by prefix (I8)."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_id = {resource.id: resource for resource in resources}
        self._by_name = {(resource.type, resource.key): resource for resource in self._by_id.values()}

    def get(self, resource_id: ResourceId) -> Resource | None:
        """Return the node with this id, or None."""
        return self._by_id.get(resource_id)

    def find(self, kind: str, key: str) -> Resource | None:
        """Return the node of this type whose key is exactly ``key``, or None."""
        return self._by_name.get((kind, key))

    def __contains__(self, resource_id: ResourceId) -> bool:
        return resource_id in self._by_id

    def within(self, resource_id: ResourceId, roots: frozenset[ResourceId]) -> bool:
        """Say whether the node is one of ``roots`` or below one. An unknown node, or a broken chain, is outside."""
        return not roots.isdisjoint(self.path(resource_id))

    def path(self, resource_id: ResourceId) -> frozenset[ResourceId]:
        """Return the node and all above it; nothing for an unknown node, and as far as it goes for a broken chain."""
        seen: set[ResourceId] = set()
        node = self._by_id.get(resource_id)
        while node is not None and node.id not in seen:
            seen.add(node.id)
            node = None if node.parent_id is None else self._by_id.get(node.parent_id)
        return frozenset(seen)

    def narrowed(self, roots: frozenset[ResourceId] | None) -> "ResourceTree":
        """Return the part of the tree in the subtrees of ``roots``; the whole tree for None."""
        if roots is None:
            return self
        return ResourceTree(node for node in self._by_id.values() if self.within(node.id, roots))

    def nodes(self) -> tuple[Resource, ...]:
        """Return every node, in the order given."""
        return tuple(self._by_id.values())
