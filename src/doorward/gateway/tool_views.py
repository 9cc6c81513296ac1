"""The tools of one server as an administrator of a tenant sees them: what was seen, what it needs, who may call it.

Read from what the gateway reads, and decided by the same ``decide``; nobody is called.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from doorward.credentials.principals import Unauthenticated, principal_of_person
from doorward.gateway.target import target_of_listing
from doorward.model import SECOND, Instant, Override, Principal, RuleKind, Server, Tenant, ToolRule, ToolState, User
from doorward.policy.decide import Question, decide, visible
from doorward.policy.overrides import about
from doorward.policy.rules import ResourceTree, find_rule, rule_for
from doorward.policy.vetting import standing
from doorward.storage import accounts, events, known_tools, overrides, permissions
from doorward.storage.database import Reader
from doorward.storage.known_tools import KnownTool

MOST_LINES: Final = 2_000
"""That are compared."""
MOST_PEOPLE: Final = 200
"""Of more, it is not told who may call a tool."""
DAYS: Final = 30
_DAY: Final = 86_400 * SECOND
_HINTS: Final = (
    ("readOnlyHint", "reads only"),
    ("destructiveHint", "destroys"),
    ("idempotentHint", "may be repeated"),
    ("openWorldHint", "reaches others"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """One tool. ``calls`` are of the last thirty days; ``callers`` is None where there are too many people to tell."""

    name: str
    version: KnownTool
    """The newest that was seen."""
    before: KnownTool | None
    """The newest before it that was allowed, where this one is not what was allowed."""
    state: ToolState
    rule: ToolRule
    origin: str
    """Where the rule comes from, in words."""
    overrides: Sequence[Override]
    """All of the tenant's that are about it, for whomever."""
    calls: int
    callers: Sequence[User] | None

    @property
    def hints(self) -> Sequence[str]:
        """What its author says that it does, in words."""
        return [words for name, words in _HINTS if self.version.annotations.get(name) is True]

    @property
    def title(self) -> str:
        """Its title for people, where its author gave one."""
        return plain(self._said("title"))

    @property
    def description(self) -> str:
        """What its author says that it is for."""
        return plain(self._said("description"))

    @property
    def schema(self) -> Any:
        """Its input schema."""
        return None if self.version.definition is None else self.version.definition.get("inputSchema")

    def _said(self, member: str) -> str:
        said = None if self.version.definition is None else self.version.definition.get(member)
        return said if isinstance(said, str) else ""

    @property
    def difference(self) -> Sequence[tuple[str, str]]:
        """What changed since ``before``, line by line, as (``same``, ``old`` or ``new``; the line)."""
        if self.before is None or self.before.definition is None or self.version.definition is None:
            return ()
        return tuple(_difference(self.before.definition, self.version.definition))


def tool_views(reader: Reader, tenant: Tenant, server: Server, now: Instant) -> list[ToolView]:
    """Return the tools that ``server`` was seen to offer: those that wait for a review first, then by name."""
    said = [each for each in overrides.overrides_of_tenant(reader, tenant.id) if each.server_id == server.id]
    calls = events.calls_of_tools(reader, tenant.id, server.id, Instant(now - DAYS * _DAY))
    people = _people(reader, tenant)
    tree = ResourceTree(permissions.resources_of_tenant(reader, tenant.id))
    found = []
    for name, group in groupby(known_tools.known_of_server(reader, server.id), key=lambda tool: tool.name):
        versions = list(group)
        newest = versions[-1]
        state = standing(server, name, newest.digest)
        rule, _ = rule_for(server, RuleKind.TOOL, name, newest.annotations)
        callers = None if people is None else _callers(people, server, name, rule, tree, now)
        found.append(
            ToolView(
                name=name, version=newest, before=_before(versions) if state is ToolState.HELD else None, state=state,
                rule=rule, origin=_origin(server, name), overrides=about(said, server.id, RuleKind.TOOL, name),
                calls=calls.get(name, 0),
                callers=[] if callers is not None and state is not ToolState.ALLOWED else callers,
            )
        )  # fmt: skip
    return sorted(found, key=lambda view: (view.state is not ToolState.HELD, view.name))


def _people(reader: Reader, tenant: Tenant) -> list[tuple[User, Principal]] | None:
    members = [user for user, _ in accounts.members_of_tenant(reader, tenant.id)]
    if len(members) > MOST_PEOPLE:
        return None
    found = []
    for user in members:
        try:
            found.append((user, principal_of_person(reader, user.id, tenant.id)))
        except Unauthenticated:
            continue  # Who is deactivated calls nothing.
    return found


def _callers(
    people: Sequence[tuple[User, Principal]], server: Server, name: str, rule: ToolRule, tree: ResourceTree, now: Instant
) -> list[User]:  # fmt: skip
    question = Question(
        server_id=server.id, kind=RuleKind.TOOL, name=name, requires=rule.requires, rule=rule.match, target=target_of_listing(rule, server),
        approval=rule.approval,
    )  # fmt: skip
    return [user for user, principal in people if visible(decide(principal, question, tree, now))]


def _before(versions: Sequence[KnownTool]) -> KnownTool | None:
    return next((tool for tool in reversed(versions[:-1]) if tool.state is ToolState.ALLOWED), None)


def _origin(server: Server, name: str) -> str:
    found = find_rule(server.rules, RuleKind.TOOL, name)
    if found is None:
        return "derived from what its author says"
    return f"rule {[each for each in server.rules if each.kind is RuleKind.TOOL].index(found[0]) + 1}: {found[0].match}"


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kinds = {" ": "same", "-": "old", "+": "new"}
    before, after = in_lines(old)[:MOST_LINES], in_lines(new)[:MOST_LINES]
    for line in list(difflib.unified_diff(before, after, n=3, lineterm=""))[2:]:
        if line[0] in kinds:
            yield kinds[line[0]], line[1:]


def in_lines(definition: Mapping[str, Any]) -> list[str]:
    """Return what an author says of a tool for whoever reviews it: what cannot be seen, and may be meant for the agent alone, is written out."""
    text = json.dumps(definition, indent=2, sort_keys=True, ensure_ascii=False)
    return [plain(line) for line in text.split("\n")]


def plain(text: str) -> str:
    """Return ``text`` with a visible sign for each character that has none, but for line breaks."""
    return "".join(each if each.isprintable() or each == "\n" else f"\\u{{{ord(each):x}}}" for each in text)
