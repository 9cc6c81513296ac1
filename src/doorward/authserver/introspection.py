"""Token introspection (RFC 7662; security D4): what a token is good for at this moment.

The answer is the gateway's own: the same door, the same rows, nothing remembered. A client may ask about its own tokens;
a client that ``introspects`` a server, about access tokens for that server's URLs and API keys that work there. For
everything else there is one answer, the same for foreign, ended, damaged and unknown.
"""

from dataclasses import dataclass
from typing import Any, Final

from doorward.authserver import clients, standing
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.authenticate import Authenticated, Door, Unauthenticated
from doorward.credentials.secret import SecretKind, well_formed
from doorward.model import SECOND, Client, ClientAuthMethod, CredentialKind, Instant, Principal
from doorward.policy.reach import Roots, held_anywhere, held_throughout, reach_at_all
from doorward.policy.rules import ResourceTree
from doorward.protocol import client_auth, scope
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.endpoints import Endpoints
from doorward.storage import connections, permissions, servers
from doorward.storage.database import Reader

INACTIVE: Final[dict[str, Any]] = {"active": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """Answers questions about tokens. ``door`` knows our credentials; its issuer is the public URL."""

    directory: ClientDirectory
    door: Door

    def answer(self, reader: Reader, token: str, presented: PresentedClient, now: Instant) -> dict[str, Any]:
        """Return the members of the answer (RFC 7662 section 2.2).

        Raises ``OAuthError`` ``invalid_client``: a client that proves nothing could be anybody who found a token.
        """
        asking = clients.authenticated(reader, self.directory, presented, self.door.fingerprinter, now)
        if asking.auth_method is ClientAuthMethod.NONE:
            raise client_auth.refusal(presented, f"client {asking.id} is public")
        if well_formed(token, SecretKind.REFRESH_TOKEN):
            return self._refresh_token(reader, token, asking, now)
        try:
            found = self.door.authenticate(reader, token, now=now)
        except Unauthenticated:
            return INACTIVE
        return self._bearer(reader, found, asking)

    def _bearer(self, reader: Reader, found: Authenticated, asking: Client) -> dict[str, Any]:
        principal = found.principal
        served = Endpoints(public_url=self.door.issuer, servers=servers.servers(reader))
        good_at = principal.servers & {server.id for server in served.servers}
        if found.audience is not None:
            endpoint = served.by_url(found.audience)
            good_at &= frozenset() if endpoint is None else {endpoint.server_id}
        protects = bool(asking.introspects & good_at)
        tree = _tree(reader, principal)
        within = reach_at_all(principal, tree)
        # A server decides by what it hears: of a right that holds in some places only it hears with those places.
        held = held_throughout(principal, within, tree) if protects else held_anywhere(principal)
        scopes = held & principal.scopes
        if not scopes or not good_at or not (protects or principal.client_id == asking.id):
            return INACTIVE
        said = {
            "active": True,
            "scope": scope.join(scopes),
            "client_id": principal.client_id,
            "token_type": "Bearer",
            "iss": self.door.issuer,
            "sub": principal.user_id,
            "aud": found.audience,
            "iat": found.not_before // SECOND,
            "exp": None if principal.expires_at is None else principal.expires_at // SECOND,
            "tenant": principal.tenant_id,
            "credential": principal.credential.value,
            **(_for_the_server(principal, within, tree) if protects else {}),
        }
        return {name: value for name, value in said.items() if value is not None}

    def _refresh_token(self, reader: Reader, token: str, asking: Client, now: Instant) -> dict[str, Any]:
        stored = connections.refresh_token_by_fingerprint(reader, self.door.fingerprinter.of(token))
        if stored is None or stored.client_id != asking.id or stored.used_at is not None or stored.expires_at <= now:
            return INACTIVE
        connection = connections.connection_by_id(reader, stored.connection_id)
        if connection is None or standing.why_ended(connection, now) is not None:
            return INACTIVE
        scopes = standing.live_scopes(reader, connection, asking)
        if not scopes:
            return INACTIVE
        return {
            "active": True,
            "scope": scope.join(scopes),
            "client_id": asking.id,
            "iss": self.door.issuer,
            "sub": connection.user_id,
            "aud": connection.resource,
            "iat": stored.created_at // SECOND,
            "exp": stored.expires_at // SECOND,
            "tenant": connection.tenant_id,
            "credential": "refresh_token",
        }


def _tree(reader: Reader, principal: Principal) -> ResourceTree:
    if principal.resources is None and not principal.placed:
        return ResourceTree(())
    return ResourceTree(permissions.resources_of_tenant(reader, principal.tenant_id))


def _for_the_server(principal: Principal, within: Roots, tree: ResourceTree) -> dict[str, Any]:
    """Return what upstreams learn from the gateway as well, and the client that holds the token does not."""
    said: dict[str, Any] = {"username": principal.user_email, "tenant_slug": principal.tenant_slug}
    if principal.credential is CredentialKind.API_KEY:
        said["key_id"] = principal.credential_id
    if within is not None:
        said["resources"] = [{"type": n.type, "key": n.key} for n in tree.nodes() if n.id in within]
    return said
