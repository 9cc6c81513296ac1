"""A whole program with people of two tenants, and browsers of those who look after one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from doorward.model import Resource, ResourceId, Role, RoleId, User, UserId
from doorward.storage import accounts, events, permissions
from doorward.storage.database import Reader, Transaction
from support.pages import ROBOT, Browser
from support.rows import ACME, BOB, GLOBEX, NOW
from support.whole import Whole

DORA = User(id=UserId("u-dora"), email="dora@globex.test", name="Dora Elsewhere", created_at=NOW)
HELPER = Role(id=RoleId("r-helper"), tenant_id=ACME.id, name="helper", permissions=("members:manage", "documents:read"))
SCRIBE = Role(id=RoleId("r-scribe"), tenant_id=ACME.id, name="scribe", permissions=("documents:write",))
FOREIGN = Role(id=RoleId("r-foreign"), tenant_id=GLOBEX.id, name="foreign", permissions=("documents:read",))
GLOBEX_OWNER = Role(id=RoleId("r-g-owner"), tenant_id=GLOBEX.id, name="owner", permissions=("*:*",), built_in=True)
WORKSPACE = Resource(id=ResourceId("n-w"), tenant_id=ACME.id, type="workspace", key="w", name="Workspace")
PROJECT = Resource(
    id=ResourceId("n-p"), tenant_id=ACME.id, type="project", key="p1", name="Atlas <b>", parent_id=WORKSPACE.id
)
OTHER = Resource(
    id=ResourceId("n-q"), tenant_id=ACME.id, type="project", key="p2", name="Borealis", parent_id=WORKSPACE.id
)
THEIRS = Resource(id=ResourceId("n-g"), tenant_id=GLOBEX.id, type="project", key="g1", name="Globex project")


def more_people(tx: Transaction) -> None:
    """Bob helps in Acme; Dora owns Globex; each tenant has a tree and a role of its own."""
    for role in (HELPER, SCRIBE, FOREIGN, GLOBEX_OWNER):
        permissions.put_role(tx, role)
    accounts.insert_user(tx, DORA, None)
    permissions.set_membership(tx, ACME.id, BOB.id, ("helper",))
    permissions.set_membership(tx, ACME.id, ROBOT.id, ("viewer",))
    permissions.set_membership(tx, GLOBEX.id, DORA.id, ("owner",))
    permissions.put_resources(tx, ACME.id, [WORKSPACE, PROJECT, OTHER])
    permissions.put_resources(tx, GLOBEX.id, [THEIRS])


@dataclass
class Town:
    """The program, and who is signed in."""

    whole: Whole
    alice: Browser
    """Owns Acme."""
    bob: Browser
    """Manages members of Acme, and reads documents."""

    async def look(self, reading: Callable[[Reader], Any]) -> Any:
        return await self.whole.database.read_long(reading)

    async def roles(self, user: User) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
        """Return somebody's roles at Acme, and at its nodes."""

        def read(reader: Reader) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
            placed = permissions.placements_of_tenant(reader, ACME.id).get(user.id, ())
            return permissions.roles_at_tenant(reader, ACME.id, user.id), [(e.role, e.resource_id) for e in placed]

        found: tuple[tuple[str, ...], list[tuple[str, str]]] = await self.look(read)
        return found

    async def events(self) -> list[tuple[str, str]]:
        """Return the events of Acme, newest first, that are no sessions."""
        found = await self.look(lambda reader: events.recent_events(reader, ACME.id, 50))
        return [(event.name, event.subject) for event in found]


def said(response: httpx2.Response) -> str:
    """Return the text of a page, without tags and with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())
