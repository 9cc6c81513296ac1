"""Servers are looked at also when nobody calls them: a new version, or a changed tool, is known before its next use.

At intervals, and when a server says in a stream that passes by that its lists have changed. Commands (stdio) are looked
at while they are used: looking would keep their processes running. So are servers that know people by their own
accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway.access import View
from doorward.gateway.catalogue import Catalogue
from doorward.gateway.live import LiveState
from doorward.model import TenantId
from doorward.storage import servers
from doorward.storage.database import Database

SECONDS: Final = 300.0
"""Between two looks at each server."""
_CHANGED: Final = frozenset(f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources"))


@dataclass(frozen=True, slots=True)
class _Tenant:
    tenant_id: TenantId
    tenant_slug: str
    tenant_name: str


class Watch:
    """One per gateway."""

    def __init__(self, *, database: Database, live: LiveState, catalogue: Catalogue) -> None:
        self._database = database
        self._live = live
        self._catalogue = catalogue

    async def look(self) -> None:
        """Look at all servers at a URL that a tenant uses, each in the name of one of them. Raises ``StorageUnavailable``."""
        registry = await self._live.refresh()
        users = await self._database.read_long(servers.a_user_of_each)
        for server in registry.endpoints.servers:
            tenant = users.get(server.id)
            if tenant is not None and server.stdio is None:
                self._catalogue.look(server, _Tenant(*tenant), registry.words)

    def heard(self, message: Mapping[str, Any], view: View) -> None:
        """Look at a server at once that says that its lists have changed."""
        if message.get("method") in _CHANGED:
            self._catalogue.changed(view.governed, view.principal, view.words)
