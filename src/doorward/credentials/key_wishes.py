"""A key as somebody writes it down, in words, and what these words mean in a tenant. Page, API and command line share it.

Permissions may be patterns (``*:read``, ``documents:*``): they stand for what owner and maker may do now, written out
once and for all. What is named and does not exist is refused in the same words as what the owner has no part in.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from doorward.credentials.api_keys import CreatedKey, create_api_key
from doorward.credentials.key_expiry import USUAL, end_of
from doorward.credentials.key_makers import KeyRefused, Maker, locked
from doorward.credentials.secret import Fingerprinter
from doorward.model import Cause, Entropy, Instant, Permission, ResourceId, ServerId, Tenant, User
from doorward.policy.networks import networks
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree
from doorward.protocol import faults
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Reader, Transaction

SIMPLE: Final[Mapping[str, str]] = MappingProxyType({"read": "*:read", "write": "*:write"})
"""The two words of the simple mode, and what they stand for: never what deletes or administers."""
MOST_NAMED: Final = 200
"""Resources or servers that one key may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """``owner`` is an e-mail address, None: whoever makes it. None elsewhere: all that there is."""

    name: str
    owner: str | None = None
    scopes: tuple[str, ...] | None = None
    resources: tuple[tuple[str, str], ...] | None = None
    """Type and key of nodes: each with all below it."""
    servers: tuple[str, ...] | None = None
    networks: tuple[str, ...] = ()
    expires: str = USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a wish comes to in a tenant. None: all that there is."""

    owner: User
    rights: frozenset[Permission]
    scopes: frozenset[Permission] | None
    resources: frozenset[ResourceId] | None
    servers: frozenset[ServerId] | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was made, and whose it is."""

    created: CreatedKey
    owner: User


def issue_key(  # noqa: PLR0913
    tx: Transaction,
    wish: KeyWish,
    *,
    tenant: Tenant,
    maker: Maker,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    prefix: str,
    cause: Cause | None,
) -> Issued:
    """Make the key. Raises ``KeyRefused``, which names the field."""
    # Before anything is read: rights, nodes and servers are then those of the moment at which the key is made.
    tenant = locked(tx, tenant, for_rights=False)
    key = meant(tx, wish, tenant, maker)
    owner = key.owner
    created = create_api_key(
        tx,
        owner=owner,
        tenant=tenant,
        created_by=maker.shown_to or maker.user_id or owner.id,
        name=wish.name,
        scopes=key.scopes,
        resources=key.resources,
        servers=key.servers,
        networks=networks_of(wish.networks),
        expires_at=end_in_words(wish.expires, now),
        rights=key.rights,
        maker=maker,
        now=now,
        entropy=entropy,
        fingerprinter=fingerprinter,
        prefix=prefix,
        cause=cause,
    )
    return Issued(created, owner)


def meant(reader: Reader, wish: KeyWish, tenant: Tenant, maker: Maker) -> Meant:
    """Return what a wish comes to now. Raises ``KeyRefused``, which names the field."""
    owner = _owner(reader, wish, tenant, maker)
    rights = rights_of(reader, tenant, owner)
    return Meant(
        owner=owner,
        rights=rights,
        scopes=_scopes(wish.scopes, rights, maker.limit(owner.id)),
        resources=_resources(reader, wish.resources, tenant, owner),
        servers=servers_named(reader, wish.servers, tenant),
    )


def rights_of(reader: Reader, tenant: Tenant, owner: User) -> frozenset[Permission]:
    """Return what somebody may do now, at the tenant or at some node of it."""
    catalogue = [entry.permission for entry in permissions.catalogue(reader)]
    return expand(permissions.permissions_anywhere(reader, tenant.id, owner.id), catalogue)


def nodes_of(reader: Reader, tenant: Tenant, owner: User) -> ResourceTree:
    """Return the part of the tree in which somebody may do something: nobody learns names of the rest."""
    tree = ResourceTree(permissions.resources_of_tenant(reader, tenant.id))
    if permissions.role_permissions(reader, tenant.id, owner.id):
        return tree
    return tree.narrowed(frozenset(permissions.placed_permissions(reader, tenant.id, owner.id)))


def networks_of(texts: Collection[str]) -> tuple[str, ...]:
    """Return addresses and networks in their one form. Raises ``KeyRefused``."""
    try:
        return networks(texts)
    except ValueError as wrong:
        raise KeyRefused(f"{wrong}.", "networks refused", field="addresses") from wrong


def end_in_words(text: str, now: Instant) -> Instant | None:
    """Return the end that ``text`` means. Raises ``KeyRefused``."""
    try:
        return end_of(text, now)
    except ValueError as wrong:
        raise KeyRefused(str(wrong), "expiry refused", field="expires") from wrong


def _owner(reader: Reader, wish: KeyWish, tenant: Tenant, maker: Maker) -> User:
    """Return whose key it becomes: somebody else's takes an administrator, and is somebody of this tenant (I6)."""
    if wish.owner is None:
        owner = None if maker.user_id is None else accounts.user_by_id(reader, maker.user_id)
    else:
        owner = accounts.user_by_email(reader, wish.owner.strip().lower())
        if not maker.manages and (owner is None or owner.id != maker.user_id):
            public = "Only an administrator can make keys for others."
            raise KeyRefused(public, "key for another owner", fault=faults.KEY_MANAGERS, field="user")
    if owner is None or not permissions.is_member(reader, tenant.id, owner.id):
        raise KeyRefused("There is no such member in this tenant.", "owner is no member", field="user")
    return owner


def _scopes(
    texts: Collection[str] | None, rights: frozenset[Permission], limit: frozenset[Permission] | None
) -> frozenset[Permission] | None:
    """Return what is asked for, patterns written out; what no pattern covers stays as it is, to be refused by name."""
    if texts is None:
        return None
    within = rights if limit is None else rights & limit
    found: set[Permission] = set()
    for text in texts:
        covered = expand([SIMPLE.get(text, text)], within)
        found |= covered or {Permission(text[:200])}
    return frozenset(found)


def _resources(
    reader: Reader, names: Collection[tuple[str, str]] | None, tenant: Tenant, owner: User
) -> frozenset[ResourceId] | None:
    if names is None:
        return None
    return named_nodes(nodes_of(reader, tenant, owner), names)


def named_nodes(tree: ResourceTree, names: Collection[tuple[str, str]]) -> frozenset[ResourceId]:
    """Return the nodes that these types and keys name. Raises ``KeyRefused``: none, too many, or not there."""
    _some(names, "resources", "a resource")
    found = set()
    for kind, key in names:
        node = tree.find(kind, key)
        if node is None:
            public = f"There is no resource {f'{kind}/{key}'[:120]!r} here. Write TYPE/KEY, like project/alpha."
            raise KeyRefused(public, "unknown resource", field="resources")
        found.add(node.id)
    return frozenset(found)


def servers_named(reader: Reader, slugs: Collection[str] | None, tenant: Tenant) -> frozenset[ServerId] | None:
    """Return the servers of these slugs that the tenant has; None: all. Raises ``KeyRefused``."""
    if slugs is None:
        return None
    _some(slugs, "servers", "a server")
    enabled = servers.servers_of_tenant(reader, tenant.id)
    known = {server.slug: server.id for server in servers.all_servers(reader) if server.id in enabled}
    for slug in slugs:
        if slug not in known:
            raise KeyRefused(f"There is no server {slug[:80]!r} here.", "unknown server", field="servers")
    return frozenset(known[slug] for slug in slugs)


def _some(named: Collection[object], field: str, one: str) -> None:
    # An empty list must not come to mean "all".
    if not named:
        raise KeyRefused(f"Name {one} at least, or leave it out for all.", "empty list", field=field)
    if len(named) > MOST_NAMED:
        raise KeyRefused(f"More than {MOST_NAMED} are named. Name what is above them.", "list too long", field=field)
