"""Servers that tenants add for themselves: where they may be, and how one is tested from a page."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from doorward.bootstrap.core import Core, issuer_of
from doorward.bootstrap.probing import signs_in
from doorward.credentials import upstream_secrets
from doorward.dashboard.server_desk import TenantLike, Test
from doorward.gateway.http_pool import HttpPool
from doorward.gateway.identity import Identities
from doorward.gateway.outside import Outside
from doorward.gateway.probe import Health, probe
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.testing import Tester, Told
from doorward.gateway.upstream import Upstream
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.gateway.upstream_oauth.calls import by_account
from doorward.model import Server
from doorward.storage import permissions
from doorward.storage import upstream_secrets as stored_secrets

PROBE_SECONDS: Final = 5.0


def outside_of(core: Core) -> Outside:
    """Return what judges where these servers may be."""
    return Outside(core.settings.own_servers.networks)


@dataclass(frozen=True, slots=True)
class _Testing:
    core: Core
    outside: Outside

    async def test(self, server: Server, tenant: TenantLike, secret: str | None) -> Told:
        """Test ``server`` for a tenant; ``secret`` is one that is typed and not kept yet."""
        probing = partial(self._probe, tenant=tenant, secret=secret)
        return await Tester(probing, clock=time.monotonic).test(server)

    async def _probe(self, server: Server, *, tenant: TenantLike, secret: str | None) -> Health:
        if by_account(server):
            return await signs_in(self.core, server)
        sealed, catalogue = await self.core.database.read_long(
            lambda reader: (stored_secrets.sealed_secrets(reader), permissions.catalogue(reader))
        )
        name = server.auth.secret if server.auth is not None else ""
        typed = {} if secret is None or not name else {name: ""}
        unseal = partial(upstream_secrets.unseal, sealer=self.core.sealer)
        auth = UpstreamAuth(
            lambda: {**sealed, **typed}, lambda name, text: secret if typed and secret else unseal(name, text)
        )
        pool = HttpPool(connect_timeout=PROBE_SECONDS, first_byte_timeout=PROBE_SECONDS, outside=self.outside)
        commands = StdioServers(entropy=self.core.entropy, timeout=PROBE_SECONDS, auth=auth)
        identities = Identities(issuer_of(self.core), now=self.core.now, entropy=self.core.entropy)
        words = {entry.permission: entry for entry in catalogue}
        try:
            return await probe(Upstream(pool, commands, auth), server, identities.of_gateway(server, tenant, words))
        finally:
            await commands.close()
            await pool.close()


def testing_of(core: Core, outside: Outside) -> Test:
    """Return what tests a connection."""
    return _Testing(core, outside).test
