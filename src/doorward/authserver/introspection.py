"""Token introspection (RFC 7662; security D4): what a token is good for at this moment.

The answer is the gateway's own: the same door, the same rows. It is kept for as long as the gateway keeps what it knows
of a caller: until the revision of the deployment or of the tenant moves (``gateway/live.py``). A client may ask about its own tokens;
a client that ``introspects`` a server, about access tokens for that server's URLs and API keys that work there. For
everything else there is one answer, the same for foreign, ended, damaged and unknown.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from doorward.authserver import clients, standing
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.authenticate import Authenticated, Door, Unauthenticated
from doorward.credentials.secret import SecretKind, well_formed
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import SECOND, Client, ClientAuthMethod, ClientId, CredentialKind, Instant, Principal, TenantId
from doorward.policy.reach import Roots, held_anywhere, held_throughout, reach_at_all
from doorward.policy.rules import ResourceTree
from doorward.protocol import client_auth, scope
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.endpoints import Endpoints
from doorward.storage import connections, issued, permissions, servers
from doorward.storage.database import Reader

INACTIVE: Final[dict[str, Any]] = {"active": False}
MAX_KEPT: Final = 10_000
NO_TENANT: Final = TenantId("")
Stamp = tuple[int, int]
"""The (global, tenant) revisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """Answers questions about tokens. ``door`` knows our credentials; its issuer is the public URL."""

    directory: ClientDirectory
    door: Door

    def answer(
        self, reader: Reader, token: str, presented: PresentedClient, now: Instant, kept: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the members of the answer (RFC 7662 section 2.2): ``kept``, once it is clear who asks.

        Raises ``OAuthError`` ``invalid_client``: a client that proves nothing could be anybody who found a token.
        """
        asking = clients.authenticated(reader, self.directory, presented, self.door.fingerprinter, now)
        if asking.auth_method is ClientAuthMethod.NONE:
            raise client_auth.refusal(presented, f"client {asking.id} is public")
        if kept is not None:
            return kept
        if well_formed(token, SecretKind.REFRESH_TOKEN):
            return self._refresh_token(reader, token, asking, now)
        try:
            # Where a key came from is known to the server that asks, and not here: one that is for some addresses only
            # is not said to be good.
            found = self.door.admit(reader, token, now=now, address=None)
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
        if not (scopes or found.identity) or not good_at or not (protects or principal.client_id == asking.id):
            return INACTIVE
        said = {
            "active": True,
            "scope": scope.join({*scopes, *found.identity}),
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
        stored = issued.refresh_token_by_fingerprint(reader, self.door.fingerprinter.of(token))
        if stored is None or stored.client_id != asking.id or stored.used_at is not None or stored.expires_at <= now:
            return INACTIVE
        connection = connections.connection_by_id(reader, stored.connection_id)
        if connection is None or standing.why_ended(connection, now) is not None:
            return INACTIVE
        scopes = standing.live_scopes(reader, connection, asking)
        if not scopes and not standing.only_signs_in(reader, connection):
            return INACTIVE
        return {
            "active": True,
            "scope": scope.join({*scopes, *connection.identity}),
            "client_id": asking.id,
            "iss": self.door.issuer,
            "sub": connection.user_id,
            "aud": connection.resource,
            "iat": stored.created_at // SECOND,
            "exp": stored.expires_at // SECOND,
            "tenant": connection.tenant_id,
            "credential": "refresh_token",
        }


@dataclass(slots=True)
class _Kept:
    """``stamp`` is None until the revisions were read before the rows; ``keys`` verified the token."""

    tenant_id: TenantId
    stamp: Stamp | None
    keys: SigningKeys
    answer: dict[str, Any]


class KeptAnswers:
    """What was answered about access tokens and API keys, while nothing changed that it was made of. One per process.

    A refusal is not kept, nor an answer about a refresh token: its use moves no revision. Client authentication is never
    a part of it.
    """

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._kept: dict[tuple[bytes, ClientId], _Kept] = {}

    def tenant_of(self, token: str, client_id: ClientId) -> TenantId:
        """Return whose revision to read before ``find`` and ``keep``; the empty one where the token is not known yet."""
        known = self._kept.get(_place(token, client_id))
        return NO_TENANT if known is None else known.tenant_id

    def find(
        self, token: str, client_id: ClientId, *, stamp: Stamp, keys: SigningKeys, now: Instant
    ) -> dict[str, Any] | None:
        """Return the answer if all that it was made of is as it was."""
        known = self._kept.get(_place(token, client_id))
        if known is None or known.stamp != stamp or known.keys is not keys:
            return None
        end = known.answer.get("exp")
        return known.answer if end is None or now < end * SECOND else None

    def keep(
        self, token: str, client_id: ClientId, answer: dict[str, Any], *, stamp: Stamp, tenant_id: TenantId,
        keys: SigningKeys,
    ) -> None:  # fmt: skip
        """Keep an answer that was made after ``stamp`` of ``tenant_id`` was read; of another tenant's only the tenant."""
        place = _place(token, client_id)
        self._kept.pop(place, None)
        if not answer["active"] or answer["credential"] not in {kind.value for kind in CredentialKind}:
            return
        if len(self._kept) >= self._limit:
            del self._kept[next(iter(self._kept))]
        of = TenantId(answer["tenant"])
        self._kept[place] = _Kept(of, stamp if of == tenant_id else None, keys, answer)


def _place(token: str, client_id: ClientId) -> tuple[bytes, ClientId]:
    # The whole digest of the whole token (J18), and who asks: a client and a server are told different things.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), client_id


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
