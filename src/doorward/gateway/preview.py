"""Which tools a credential would see, before there is one: asked of the same decider as every call (C1, D2)."""

from dataclasses import dataclass

from doorward.gateway.target import target_of_listing
from doorward.model import Instant, Principal, RuleKind, Server, Status, ToolState
from doorward.policy.decide import NeedsApproval, Question, decide, visible
from doorward.policy.rules import ResourceTree, derived_rule, find_rule
from doorward.policy.vetting import standing
from doorward.storage import known_tools, permissions, servers
from doorward.storage.database import Reader
from doorward.storage.known_tools import KnownTool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTool:
    """A tool that would be listed. ``approval``: each call waits for somebody."""

    server: str
    name: str
    approval: bool


def tools_seen(reader: Reader, principal: Principal, now: Instant) -> list[SeenTool]:
    """Return the tools that ``principal`` would be shown, of what servers were seen to offer, by server and name."""
    tree = ResourceTree(permissions.resources_of_tenant(reader, principal.tenant_id))
    found = []
    for server in servers.servers(reader):
        if server.id in principal.servers and server.status is Status.ACTIVE:
            newest = {tool.name: tool for tool in known_tools.known_of_server(reader, server.id)}
            found += [
                seen for tool in newest.values() if (seen := _seen(principal, server, tool, tree, now)) is not None
            ]
    return found


def _seen(principal: Principal, server: Server, tool: KnownTool, tree: ResourceTree, now: Instant) -> SeenTool | None:
    if standing(server, tool.name, tool.digest) is not ToolState.ALLOWED:
        return None
    found = find_rule(server.rules, RuleKind.TOOL, tool.name)
    rule = derived_rule(server, RuleKind.TOOL, tool.name, tool.annotations) if found is None else found[0]
    question = Question(
        server_id=server.id, kind=RuleKind.TOOL, name=tool.name, requires=rule.requires, rule=rule.match,
        target=target_of_listing(rule, server), approval=rule.approval,
    )  # fmt: skip
    decision = decide(principal, question, tree, now)
    if not visible(decision):
        return None
    return SeenTool(server=server.name, name=tool.name, approval=isinstance(decision, NeedsApproval))
