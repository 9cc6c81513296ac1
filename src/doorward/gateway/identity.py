"""Who the upstream is told is calling: a short signed token, made seldom and never older than half its life (D6)."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from doorward.gateway.live import Caller
from doorward.gateway.sessions import Identity, identity
from doorward.model import (
    SECOND,
    AuthKind,
    CredentialKind,
    Entropy,
    Instant,
    Permission,
    PermissionEntry,
    Principal,
    ResourceId,
    Server,
    TenantId,
    UserId,
)
from doorward.policy.reach import Roots, held_throughout
from doorward.policy.rules import OWN_PERMISSIONS, ResourceTree, derived_permissions

REUSE: Final = 25 * SECOND
MAX_TOKENS: Final = 64
"""Kept for one caller; more only for somebody with rights in very many places."""
GATEWAY: Final = UserId("doorward-gateway")


class IdentityIssuer(Protocol):
    """``credentials.issuer.TokenIssuer``, as far as the gateway may use it."""

    def identity_token(
        self,
        principal: Principal,
        server: Server,
        *,
        scopes: frozenset[Permission],
        resources: Mapping[ResourceId, Mapping[str, str]] | None,
        now: Instant,
        entropy: Entropy,
    ) -> str:
        """Return a signed identity token for ``server``."""


class InTenant(Protocol):
    """Whoever belongs to a tenant."""

    @property
    def tenant_id(self) -> TenantId:
        """Its id."""

    @property
    def tenant_slug(self) -> str:
        """Its slug."""

    @property
    def tenant_name(self) -> str:
        """Its name."""


class Identities:
    """Makes them, and keeps each with the caller it is for: a change of rights makes a new caller, and a new token."""

    def __init__(self, issuer: IdentityIssuer, *, now: Callable[[], Instant], entropy: Entropy) -> None:
        self._issuer = issuer
        self._now = now
        self._entropy = entropy

    def of(self, caller: Caller, server: Server, within: Roots, tree: ResourceTree, now: Instant) -> Identity:
        """Return the identity token of ``caller`` for ``server``, for something that may act ``within``."""
        if server.auth is not None and server.auth.kind is AuthKind.OAUTH:
            return of_account(caller.principal)  # A token that is made for nobody cannot get lost.
        known = caller.identities.get((server.id, within))
        if known is not None and known[1] > now:
            return known[0]
        principal = caller.principal
        scopes = held_throughout(principal, within, tree) & principal.scopes
        signed = self._issuer.identity_token(
            principal, server, scopes=_for(server, scopes),
            resources=_named(within, tree), now=now, entropy=self._entropy,
        )  # fmt: skip
        token = identity(signed, principal)
        if len(caller.identities) >= MAX_TOKENS:
            caller.identities.clear()
        caller.identities[server.id, within] = (token, Instant(now + REUSE))
        return token

    def of_gateway(self, server: Server, like: InTenant, words: Mapping[Permission, PermissionEntry]) -> Identity:
        """Return an identity token for the gateway itself, in the tenant of ``like``: it lists what there is."""
        derived = frozenset(entry.permission for entry in derived_permissions(server))
        every = _for(server, frozenset(words) | derived)
        ours = _gateway(server, like, every)
        signed = self._issuer.identity_token(
            ours, server, scopes=every, resources=None, now=self._now(), entropy=self._entropy
        )
        return identity(signed, ours)


def _for(server: Server, scopes: frozenset[Permission]) -> frozenset[Permission]:
    """Return what ``server`` is told: one that a tenant added learns nothing of what may be done elsewhere."""
    if server.tenant_id is None:
        return scopes
    return scopes & {entry.permission for entry in OWN_PERMISSIONS}


def of_account(principal: Principal) -> Identity:
    """Return an identity for servers that know people by their own accounts: it says whose, and holds no token."""
    return identity("", principal)


def _gateway(server: Server, like: "InTenant", every: frozenset[Permission]) -> Principal:
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


def _named(within: Roots, tree: ResourceTree) -> Mapping[ResourceId, Mapping[str, str]] | None:
    if within is None:
        return None
    nodes = (tree.get(resource_id) for resource_id in sorted(within))
    return {node.id: {"type": node.type, "key": node.key} for node in nodes if node is not None}
