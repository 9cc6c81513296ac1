"""Who the upstream is told is calling: a short signed token, made seldom and never older than half its life (D6)."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from doorward.gateway.live import Caller
from doorward.model import (
    SECOND,
    CredentialKind,
    Entropy,
    Instant,
    Permission,
    PermissionEntry,
    Principal,
    ResourceId,
    Server,
    UserId,
)
from doorward.policy.rules import ResourceTree, derived_permissions

REUSE: Final = 25 * SECOND
GATEWAY: Final = UserId("doorward-gateway")


class IdentityIssuer(Protocol):
    """``credentials.issuer.TokenIssuer``, as far as the gateway may use it."""

    def identity_token(
        self,
        principal: Principal,
        server: Server,
        *,
        resources: Mapping[ResourceId, Mapping[str, str]] | None,
        now: Instant,
        entropy: Entropy,
    ) -> str:
        """Return a signed identity token for ``server``."""


class Identities:
    """Makes them, and keeps each with the caller it is for: a change of rights makes a new caller, and a new token."""

    def __init__(self, issuer: IdentityIssuer, *, now: Callable[[], Instant], entropy: Entropy) -> None:
        self._issuer = issuer
        self._now = now
        self._entropy = entropy

    def of(self, caller: Caller, server: Server, tree: ResourceTree, now: Instant) -> str:
        """Return the identity token of ``caller`` for ``server``."""
        known = caller.identities.get(server.id)
        if known is not None and known[1] > now:
            return known[0]
        token = self._issuer.identity_token(
            caller.principal, server, resources=_roots(caller.principal, tree), now=now, entropy=self._entropy
        )
        caller.identities[server.id] = (token, Instant(now + REUSE))
        return token

    def of_gateway(self, server: Server, like: Principal, words: Mapping[Permission, PermissionEntry]) -> str:
        """Return an identity token for the gateway itself, in the tenant of ``like``: it lists what there is."""
        every = frozenset(words) | frozenset(entry.permission for entry in derived_permissions(server))
        return self._issuer.identity_token(
            _gateway(server, like, every), server, resources=None, now=self._now(), entropy=self._entropy
        )


def _gateway(server: Server, like: Principal, every: frozenset[Permission]) -> Principal:
    return Principal(
        user_id=GATEWAY,
        user_email="",
        user_name="Doorward gateway",
        tenant_id=like.tenant_id,
        tenant_slug=like.tenant_slug,
        tenant_name=like.tenant_name,
        permissions=every,
        credential=CredentialKind.ACCESS_TOKEN,
        credential_id=GATEWAY,
        credential_name="Doorward gateway",
        client_id=None,
        scopes=every,
        declined=frozenset(),
        can_step_up=False,
        resources=None,
        servers=frozenset({server.id}),
        expires_at=None,
    )


def _roots(principal: Principal, tree: ResourceTree) -> Mapping[ResourceId, Mapping[str, str]] | None:
    if principal.resources is None:
        return None
    nodes = (tree.get(resource_id) for resource_id in sorted(principal.resources))
    return {node.id: {"type": node.type, "key": node.key} for node in nodes if node is not None}
