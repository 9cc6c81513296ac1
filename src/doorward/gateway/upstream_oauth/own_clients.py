"""As which client we come: the operator's, else our metadata document, else a registration (MCP authorization)."""

from collections.abc import Callable
from typing import Final

from doorward.gateway.upstream_oauth.asking import Asking, Elsewhere
from doorward.gateway.upstream_oauth.tokens import Safe
from doorward.model import SECOND, Instant, Server, UpstreamClient, UpstreamCredential
from doorward.protocol import faults
from doorward.protocol.outbound import client as clients
from doorward.protocol.outbound.authorization_server import AuthorizationServer
from doorward.protocol.outbound.client import OwnClient
from doorward.storage import upstream_grants
from doorward.storage.database import Database
from doorward.vault import Unsealed

SOON: Final = 60 * SECOND
"""A secret that ends so soon is not begun with."""


class OwnClients:
    """Finds the client, and registers it where that is the way. One registration for each server and issuer (C5)."""

    def __init__(
        self, *, asking: Asking, database: Database, safe: Safe, public_url: str, now: Callable[[], Instant]
    ) -> None:
        self._asking, self._database, self._safe = asking, database, safe
        self._public_url, self._now = public_url, now

    async def find(
        self, server: Server, auth: UpstreamCredential, at: AuthorizationServer, secret: str, *, asker: str
    ) -> OwnClient:
        """Return the client for ``server`` at ``at``. ``secret`` is the operator's. Raises ``Elsewhere``."""
        try:
            if auth.client_id:
                return clients.configured(auth.client_id, secret, at)
            document = clients.document_url(self._public_url, server.slug) if at.takes_documents else None
            if document is not None:
                return OwnClient(client_id=document)
            return await self._known(server, at) or await self._registered(server, at, asker=asker)
        except ValueError as wrong:
            raise Elsewhere(faults.LINK_NO_CLIENT, f"{at.issuer}: {wrong}") from wrong

    async def _known(self, server: Server, at: AuthorizationServer) -> OwnClient | None:
        stored = await self._database.read(lambda reader: upstream_grants.client_at(reader, server.id, at.issuer))
        if stored is None or (stored.expires_at is not None and stored.expires_at <= self._now() + SOON):
            return None
        try:
            return self._safe.open_client(stored.sealed, server.id, at.issuer)
        except Unsealed:
            return None

    async def _registered(self, server: Server, at: AuthorizationServer, *, asker: str) -> OwnClient:
        if not at.registration_endpoint:
            raise Elsewhere(faults.LINK_NO_CLIENT, f"{at.issuer} registers nobody")
        asked = clients.registration(self._public_url, server.slug, at)
        members = await self._asking.register(at.registration_endpoint, asked, asker=asker)
        made = clients.registered(members)
        ends = members.get("client_secret_expires_at")
        row = UpstreamClient(
            server_id=server.id,
            issuer=at.issuer,
            sealed=self._safe.seal_client(made, server.id, at.issuer),
            registered_at=self._now(),
            expires_at=Instant(ends * SECOND) if made.secret and type(ends) is int and 0 < ends < SECOND**2 else None,
        )
        await self._database.write(lambda tx: upstream_grants.put_client(tx, row))
        return made
