"""How the servers behind the gateway are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, cast

from doorward.bootstrap.core import Core, issuer_of
from doorward.bootstrap.linked import asking_of
from doorward.credentials import upstream_secrets
from doorward.gateway.http_pool import HttpPool
from doorward.gateway.identity import Identities
from doorward.gateway.outside import Outside
from doorward.gateway.probe import Health, probe
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.gateway.upstream_oauth.asking import Elsewhere
from doorward.gateway.upstream_oauth.calls import by_account
from doorward.gateway.upstream_oauth.discovery import discover
from doorward.gateway.upstreams import Upstreams
from doorward.model import Server, TenantId, UpstreamCredential
from doorward.provisioning.sightings import in_words
from doorward.provisioning.watched import Watched, unwatched
from doorward.settings import SettingsError
from doorward.storage import permissions, servers, sightings
from doorward.storage import upstream_secrets as stored_secrets
from doorward.storage.sightings import LastSeen

PROBE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class _AnyTenant:
    """For a server that no tenant has enabled."""

    tenant_id: TenantId = TenantId("")
    tenant_slug: str = "none"
    tenant_name: str = ""


async def probed(core: Core, slugs: Sequence[str], watched: Watched = unwatched) -> dict[str, Health]:
    """Ask the active servers (those of ``slugs``, or all) how they are. Raises ``SettingsError`` for an unknown slug.

    ``watched(count)`` is entered for as long as that many are asked, and is told how many were.
    """
    known, sealed, catalogue, seen = await core.database.read_long(
        lambda reader: (
            {server.slug: server for server in servers.servers(reader)},
            stored_secrets.sealed_secrets(reader),
            permissions.catalogue(reader),
            sightings.all_last_seen(reader),
        )
    )
    for slug in slugs:
        if slug not in known:
            raise SettingsError(f"there is no active server {slug!r}. Known here: {', '.join(known) or 'none'}.")
    auth = UpstreamAuth(lambda: sealed, partial(upstream_secrets.unseal, sealer=core.sealer))
    pool = HttpPool(first_byte_timeout=PROBE_SECONDS)
    judged = HttpPool(first_byte_timeout=PROBE_SECONDS, outside=Outside(core.settings.own_servers.networks))
    commands = StdioServers(entropy=core.entropy, timeout=PROBE_SECONDS, auth=auth)
    upstream = Upstreams(pool, judged, commands, auth)
    identities = Identities(issuer_of(core), now=core.now, entropy=core.entropy)
    words = {entry.permission: entry for entry in catalogue}

    async def ask(server: Server) -> Health:
        if by_account(server):
            return await signs_in(core, server)
        identity = identities.of_gateway(server, _AnyTenant(), words)
        return _with_last_seen(await probe(upstream, server, identity), seen.get(server.id))

    wanted = [server for slug, server in known.items() if not slugs or slug in slugs]
    found: dict[str, Health] = {}
    try:
        with watched(len(wanted)) as advance:
            for done, server in enumerate(wanted, 1):
                found[server.slug] = await ask(server)
                advance(done)
        return found
    finally:
        await commands.close()
        await pool.close()
        await judged.close()


async def signs_in(core: Core, server: Server) -> Health:
    """Say where people of a server sign in: what it offers is each person's own matter."""
    began = core.now()
    try:
        found = await discover(asking_of(core), server, cast("UpstreamCredential", server.auth), asker="status")
    except Elsewhere as wrong:
        return Health(problem=wrong.reason)
    return Health(accounts=found.server.issuer, milliseconds=(core.now() - began) // 1000)


def _with_last_seen(health: Health, seen: LastSeen | None) -> Health:
    """Return ``health`` with since when the server has been so, and what it was before."""
    if health.problem is not None or seen is None:
        return health
    now = seen.sighting
    if (now.name, now.version) == (health.name, health.version):
        return replace(health, since=seen.since, before=seen.before)
    return replace(health, before=in_words(now))
