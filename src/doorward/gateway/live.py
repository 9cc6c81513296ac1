"""The live state: who a token is and what servers there are, as of the start of each call (decision 0004).

Everything kept here is stamped with the (global, tenant) revisions that were read *before* its rows; read the other way
round, old rights could get the new stamp and stay for ever. The revisions are compared before every decision. What
cannot be read raises ``StorageUnavailable``: never "allow". Refusals are not kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from doorward.credentials.authenticate import Authenticated, Unauthenticated
from doorward.gateway.external_bearers import ExternalBearers
from doorward.gateway.head import token_digest
from doorward.gateway.sessions import Identity, caller_key
from doorward.model import (
    CredentialKind,
    Instant,
    Permission,
    PermissionEntry,
    Principal,
    Rates,
    Server,
    ServerId,
    TenantId,
    UserId,
)
from doorward.policy.rates import Limit
from doorward.policy.reach import Roots
from doorward.policy.rules import ResourceTree
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.storage import permissions, servers, upstream_secrets
from doorward.storage.database import Database, Reader, StorageUnavailable

MAX_CALLERS: Final = 50_000
MAX_TREES: Final = 1_000
MAX_PATHS: Final = 4_096
NO_TENANT: Final = TenantId("")
"""Asks for the global revision alone."""
EMPTY_TREE: Final = ResourceTree(())

Stamp = tuple[int, int]
Key = TypeVar("Key")
Value = TypeVar("Value")


class Authenticate(Protocol):
    """``credentials.authenticate.Door.authenticate``."""

    def __call__(self, reader: Reader, token: str, *, now: Instant) -> Authenticated:
        """Return who presents ``token``. Raises ``Unauthenticated``."""


@dataclass(slots=True, kw_only=True)
class Caller:
    """A principal with what was compiled for it; made anew when its tenant or the deployment changes."""

    principal: Principal
    audience: str | None
    not_before: Instant
    stamp: Stamp
    visibility: tuple[object, ...]
    """Equal for callers that see the same of every list."""
    networks: tuple[str, ...] = ()
    """Where the credential may come from; empty: anywhere."""
    rates: Rates = Rates()
    """What the tenant says of how often may be called."""
    limits: tuple[Limit, ...] | None = None
    """What follows from it for this caller; None until the first call."""
    tool_limits: dict[tuple[ServerId, str], tuple[Limit, ...]] = field(default_factory=dict)
    identities: dict[tuple[ServerId, Roots], tuple[Identity, Instant]] = field(default_factory=dict)
    """Identity token by server and what a call may touch, and until when it is used."""
    verdicts: dict[tuple[ServerId, str | type], Any] = field(default_factory=dict)
    """Of ``verdicts.Kept``, by server and tool or kind of list."""
    key: tuple[str, str, str, str] = field(init=False)
    """As of ``caller_key``."""
    named: tuple[TenantId, UserId, str, str, str | None] = field(init=False)
    """How the call log names it: tenant, user, kind and id of the credential, client."""

    def __post_init__(self) -> None:
        """Work out what every call needs."""
        principal = self.principal
        self.key = caller_key(principal)
        self.named = (
            principal.tenant_id, principal.user_id, principal.credential.value, principal.credential_id,
            principal.client_id,
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Registry:
    """What belongs to no tenant: servers with their rules, and the permission catalogue."""

    stamp: int
    endpoints: Endpoints
    words: Mapping[Permission, PermissionEntry]
    default_scopes: tuple[str, ...]
    secrets: Mapping[str, str]
    """Sealed credentials for upstreams, by name."""
    targeting: frozenset[ServerId]
    """Servers with a rule that names a resource argument: deciding their calls takes the tenant's tree."""
    _paths: dict[str, Endpoint] = field(default_factory=dict)

    def find(self, path: str) -> Endpoint | None:
        """Return the endpoint at ``path``."""
        known = self._paths.get(path)
        if known is None and (known := self.endpoints.find(path)) is not None:
            if len(self._paths) >= MAX_PATHS:
                self._paths.clear()
            self._paths[path] = known
        return known


class LiveState:
    """One per process."""

    def __init__(
        self, *, database: Database, authenticate: Authenticate, public_url: str, now: Callable[[], Instant],
        external: ExternalBearers | None = None,
    ) -> None:  # fmt: skip
        self._external = external
        self._database = database
        self._authenticate = authenticate
        self._public_url = public_url
        self._now = now
        self._callers: dict[bytes, Caller] = {}
        self._trees: dict[TenantId, tuple[int, ResourceTree]] = {}
        self.registry = Registry(
            stamp=0,
            endpoints=Endpoints(public_url=public_url, servers=()),
            words={},
            default_scopes=(),
            secrets={},
            targeting=frozenset(),
        )
        """As last read; ``caller`` and ``refresh`` bring it up to date."""

    async def refresh(self) -> Registry:
        """Return the registry as it is now. Raises ``StorageUnavailable``."""
        stamp, _ = await self._database.revisions(NO_TENANT)
        if stamp != self.registry.stamp:
            self.registry = await self._database.read_long(lambda reader: self._read_registry(reader, stamp))
        return self.registry

    def look(self) -> bool:
        """Look at the revisions once for many calls that have come; False where each has to look for itself."""
        try:
            return self._database.look()
        except StorageUnavailable:
            return False  # Each of them is told so when it looks.

    def known_caller(self, digest: bytes, *, looked: bool = False) -> Caller | None:
        """Return what ``caller`` does for the token of this digest, or None where that takes more than to look.

        ``looked``: ``look`` said True after all of the request had come. Raises ``StorageUnavailable``.
        """
        known = self._callers.get(digest)
        if known is None:
            return None
        stamp = self._database.revisions_at_hand(known.principal.tenant_id, looked=looked)
        return known if known.stamp == stamp and known.stamp[0] == self.registry.stamp else None

    async def caller(self, token: str, digest: bytes = b"") -> Caller:
        """Return who presents ``token`` now; expiry, audience, tenant and address are for the caller to check.

        ``digest`` is its ``token_digest``, where that is known already. Raises ``Unauthenticated``, ``StorageUnavailable`` and ``ExternalUnavailable``.
        """
        if self._external is not None and self._external.system(token) is not None:
            return await self._foreign(self._external, token)
        digest = digest or token_digest(token)
        known = self._callers.get(digest)
        # Whose revision to read is only known from the rows; they are read again after it.
        principal = (await self._read_caller(token, self._now())).principal if known is None else known.principal
        tenant_id = principal.tenant_id
        stamp = await self._database.revisions(tenant_id)
        if stamp[0] != self.registry.stamp:
            await self.refresh()
        if known is not None and known.stamp == stamp:
            return known
        return await self._compile(digest, token, tenant_id, stamp)

    async def still(self, caller: Caller, token: str, started: Instant) -> Caller:
        """Return who began something at ``started``, with what is so now; that the credential's time ended since is not.

        Raises ``Unauthenticated`` and ``StorageUnavailable``.
        """
        stamp = await self._database.revisions(caller.principal.tenant_id)
        if stamp[0] != self.registry.stamp:
            await self.refresh()
        if caller.stamp == stamp:
            return caller
        if self._external is not None and self._external.system(token) is not None:
            return await self._foreign(self._external, token)
        return await self._made(token, caller.principal.tenant_id, stamp, started)

    async def _foreign(self, external: ExternalBearers, token: str) -> Caller:
        """Return who presents another system's bearer: that system says whose it is, our rows what they may do."""
        system = external.system(token)
        if system is None:
            raise Unauthenticated("no system issues such bearers any more")
        # Outside every transaction: the other system may be slow.
        vouched = await external.ask(system, token)
        digest = hashlib.sha256(f"{vouched!r}\0{token}".encode()).digest()

        def read(reader: Reader) -> Authenticated:
            return external.authenticate(reader, vouched)

        known = self._callers.get(digest)
        principal = (await self._database.read(read)).principal if known is None else known.principal
        stamp = await self._database.revisions(principal.tenant_id)
        if stamp[0] != self.registry.stamp:
            await self.refresh()
        if known is not None and known.stamp == stamp:
            return known
        self._callers.pop(digest, None)
        caller = _caller_of(await self._database.read(read), principal.tenant_id, stamp)
        _make_room(self._callers, MAX_CALLERS)
        self._callers[digest] = caller
        return caller

    def known_tree(self, caller: Caller, server: Server) -> ResourceTree | None:
        """Return what ``tree`` does, or None where it has to be read."""
        principal = caller.principal
        if principal.resources is None and not principal.placed and server.id not in self.registry.targeting:
            return EMPTY_TREE
        known = self._trees.get(principal.tenant_id)
        return known[1] if known is not None and known[0] == caller.stamp[1] else None

    async def tree(self, caller: Caller, server: Server) -> ResourceTree:
        """Return the tenant's tree where deciding about ``server`` takes it, else an empty one."""
        known = self.known_tree(caller, server)
        if known is not None:
            return known
        tenant_id, revision = caller.principal.tenant_id, caller.stamp[1]
        nodes = await self._database.read_long(lambda reader: permissions.resources_of_tenant(reader, tenant_id))
        tree = ResourceTree(nodes)
        _make_room(self._trees, MAX_TREES)
        self._trees[tenant_id] = (revision, tree)
        return tree

    async def _compile(self, digest: bytes, token: str, tenant_id: TenantId, stamp: Stamp) -> Caller:
        self._callers.pop(digest, None)
        caller = await self._made(token, tenant_id, stamp, self._now())
        if caller.principal.credential is CredentialKind.SESSION:
            return caller  # Its bearer is good for one call, however soon another comes with it.
        _make_room(self._callers, MAX_CALLERS)
        self._callers[digest] = caller
        return caller

    async def _made(self, token: str, tenant_id: TenantId, stamp: Stamp, now: Instant) -> Caller:
        return _caller_of(await self._read_caller(token, now), tenant_id, stamp)

    async def _read_caller(self, token: str, now: Instant) -> Authenticated:
        return await self._database.read(lambda reader: self._authenticate(reader, token, now=now))

    def _read_registry(self, reader: Reader, stamp: int) -> Registry:
        catalogue = permissions.catalogue(reader)
        known = servers.servers(reader)
        return Registry(
            stamp=stamp,
            endpoints=Endpoints(public_url=self._public_url, servers=known),
            words={entry.permission: entry for entry in catalogue},
            default_scopes=tuple(entry.permission for entry in catalogue if entry.is_default),
            secrets=upstream_secrets.sealed_secrets(reader),
            targeting=frozenset(server.id for server in known if any(rule.resources for rule in server.rules)),
        )


def _caller_of(authenticated: Authenticated, tenant_id: TenantId, stamp: Stamp) -> Caller:
    principal = authenticated.principal
    if principal.tenant_id != tenant_id:
        raise Unauthenticated("the credential moved to another tenant while it was read")
    return Caller(
        principal=principal,
        audience=authenticated.audience,
        not_before=authenticated.not_before,
        stamp=stamp,
        visibility=_visibility(principal, stamp),
        networks=authenticated.networks,
        rates=authenticated.rates,
    )


def _visibility(principal: Principal, stamp: Stamp) -> tuple[object, ...]:
    # A list of resources depends on the tenant's tree as well; for the tenant's revision covers both.
    rights = (principal.permissions, principal.placed, principal.scopes, principal.declined, principal.can_step_up)
    return (*rights, principal.overrides, principal.servers, principal.resources, principal.tenant_id, stamp)


def _make_room(cache: dict[Key, Value], limit: int) -> None:
    """Drop the oldest entry of a full cache; whoever is still calling comes back to the young end."""
    if len(cache) >= limit:
        del cache[next(iter(cache))]
