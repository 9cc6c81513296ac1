"""From an MCP server's URL to the authorization server of its people (MCP authorization, discovery)."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from doorward.gateway.upstream_oauth.asking import Asking, Elsewhere
from doorward.model import Server, UpstreamCredential
from doorward.protocol import faults, resource
from doorward.protocol.outbound import authorization_server, protected_resource
from doorward.protocol.outbound.authorization_server import AuthorizationServer
from doorward.protocol.outbound.grant import scopes_to_ask
from doorward.protocol.outbound.protected_resource import Asked, ProtectedResource

_HTTPS: Final = "https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where to ask, for what."""

    resource: str
    scopes: tuple[str, ...]
    server: AuthorizationServer


async def discover(asking: Asking, server: Server, auth: UpstreamCredential, *, asker: str) -> Found:
    """Return what a linking needs to know. Raises ``Elsewhere``."""
    challenge, described = await _resource(asking, server, asker=asker)
    issuer = auth.authorization_server or _issuer(described, server.upstream)
    known = await _metadata(asking, issuer, asker=asker)
    named = resource.canonical(server.upstream) or server.upstream
    supported = () if described is None else described.scopes
    return Found(
        resource=named if described is None else described.resource,
        scopes=scopes_to_ask(auth.scopes, challenge.scopes, supported, known),
        server=known,
    )


async def _resource(asking: Asking, server: Server, *, asker: str) -> tuple[Asked, ProtectedResource | None]:
    if not server.upstream.startswith(_HTTPS):
        return Asked(), None  # On loopback, for development: nothing is fetched without TLS.
    challenge = await asking.challenge(server.upstream, asker=asker)
    for url in protected_resource.metadata_urls(server.upstream, challenge):
        members = await asking.document(url, asker=asker)
        if members is None:
            continue
        try:
            return challenge, protected_resource.read(members, server.upstream)
        except ValueError as wrong:
            # A document that is there and wrong is not passed over: whoever can put one there could choose the next.
            raise Elsewhere(faults.LINK_DISCOVERY, f"{url}: {wrong}") from wrong
    return challenge, None


def _issuer(described: ProtectedResource | None, upstream: str) -> str:
    if described is not None:
        return described.authorization_servers[0]
    # Before RFC 9728 the server's own origin was the place (MCP authorization 2025-03-26, section 2.3).
    parts = urlsplit(upstream)
    return f"{parts.scheme}://{parts.netloc}"


async def _metadata(asking: Asking, issuer: str, *, asker: str) -> AuthorizationServer:
    for url in authorization_server.metadata_urls(issuer):
        members = await asking.document(url, asker=asker)
        if members is None:
            continue
        try:
            return authorization_server.read(members, issuer)
        except ValueError as wrong:
            raise Elsewhere(faults.LINK_DISCOVERY, f"{url}: {wrong}") from wrong
    raise Elsewhere(faults.LINK_DISCOVERY, f"no metadata of {issuer[:200]}")
