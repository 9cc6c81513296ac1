"""The pages behind a session, in the order in which they are shown, and who sees them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from doorward.model import Permission
from doorward.rights import (
    EXPLAIN_DECISIONS,
    MANAGE_CLIENTS,
    MANAGE_KEYS,
    MANAGE_MEMBERS,
    MANAGE_RESOURCES,
    MANAGE_SERVERS,
    MANAGE_TENANT,
    REGISTER_CLIENTS,
    SEE_AUDIT,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One link. ``needs``: shown to those who have one of these in one of their tenants; None: to everybody."""

    path: str
    words: str
    icon: str
    needs: Permission | tuple[Permission, ...] | None = None
    accounts: bool = False
    """Shown to those who could link an account at a server, or did."""


PAGES: Final = (
    (
        "You",
        (
            Entry("/settings/setup", "Set up a client", "plug"),
            Entry("/settings/keys", "API keys", "key"),
            Entry("/settings/apps", "Connected apps", "apps"),
            Entry("/approvals", "Approvals", "check"),
            Entry("/settings/profile", "Profile", "person"),
            Entry("/settings/security", "Security", "lock"),
            Entry("/settings/upstreams", "Linked accounts", "link", accounts=True),
        ),
    ),
    (
        "Your tenants",
        (
            Entry("/settings/members", "Members", "people", MANAGE_MEMBERS),
            Entry("/settings/invitations", "Invitations", "document", MANAGE_MEMBERS),
            Entry("/settings/roles", "Roles", "shield", MANAGE_MEMBERS),
            Entry("/settings/clients", "Registered apps", "box", (MANAGE_CLIENTS, REGISTER_CLIENTS)),
            Entry("/settings/credentials", "Keys and connections", "key", (MANAGE_KEYS, MANAGE_CLIENTS)),
            Entry("/settings/resources", "Resources", "tree", MANAGE_RESOURCES),
            Entry("/settings/tenant", "Tenant settings", "gear", MANAGE_TENANT),
            Entry("/settings/servers", "Servers", "box", MANAGE_SERVERS),
        ),
    ),
    (
        "Watch",
        (
            Entry("/settings/usage", "Usage", "chart"),
            Entry("/settings/audit", "Audit log", "list", SEE_AUDIT),
            Entry("/settings/attempts", "Connection attempts", "path"),
            Entry("/settings/why", "Why was it denied?", "question", EXPLAIN_DECISIONS),
        ),
    ),
)


def shown_to(rights: Collection[Permission], *, accounts: bool) -> list[tuple[str, list[Entry]]]:
    """Return the groups, with their entries, for somebody who has ``rights`` in one tenant or another.

    ``accounts``: there is a server at which they could link one of their own.
    """
    groups = [(name, [each for each in pages if _shown(each, rights, accounts=accounts)]) for name, pages in PAGES]
    return [(name, pages) for name, pages in groups if pages]


def _shown(entry: Entry, rights: Collection[Permission], *, accounts: bool) -> bool:
    needed = (entry.needs,) if isinstance(entry.needs, str) else entry.needs
    return (needed is None or any(each in rights for each in needed)) and (accounts or not entry.accounts)
