"""The operator's secret of a client, as it is in the vault now: changed there, it is used at the next refresh."""

from collections.abc import Callable
from dataclasses import replace

from doorward.gateway.upstream_oauth.asking import Elsewhere
from doorward.gateway.upstream_oauth.exchange import Rejected
from doorward.gateway.upstream_oauth.tokens import Terms
from doorward.model import Server, UpstreamCredential
from doorward.protocol import faults
from doorward.protocol.outbound.client import OwnClient
from doorward.storage import upstream_secrets
from doorward.storage.database import Database

OpenSecret = Callable[[str, str], str]
"""``open_secret(name, sealed)`` returns the value. Raises ``Unsealed``, a kind of ``Exception``."""


class ClientSecrets:
    """Opens them."""

    def __init__(self, database: Database, open_secret: OpenSecret) -> None:
        self._database, self._open_secret = database, open_secret

    async def of(self, auth: UpstreamCredential) -> str:
        """Return the secret that a declaration names; '' where it names none. Raises ``Elsewhere``."""
        if not auth.secret:
            return ""
        sealed = (await self._database.read(upstream_secrets.sealed_secrets)).get(auth.secret)
        if sealed is None:
            raise Elsewhere(faults.UPSTREAM_CREDENTIAL, f"no secret {auth.secret}")
        try:
            return self._open_secret(auth.secret, sealed)
        except Exception as wrong:  # whatever it is, it must neither be sent nor told
            raise Elsewhere(faults.UPSTREAM_CREDENTIAL, f"secret {auth.secret} cannot be opened") from wrong

    async def client(self, terms: Terms, server: Server) -> OwnClient:
        """Return the client of the terms, with the operator's secret as it is now.

        Raises ``Elsewhere``, and ``Rejected`` where the operator has another client by now: tokens are one client's.
        """
        if not terms.configured:
            return terms.client
        if server.auth is None or server.auth.client_id != terms.client.client_id:
            raise Rejected("another client is declared")
        return replace(terms.client, secret=await self.of(server.auth))
