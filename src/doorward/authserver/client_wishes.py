"""A client as somebody writes it down, in words, and what these words mean in a tenant. Page, API and command share it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from doorward.authserver.client_makers import ClientMaker, ClientRefused
from doorward.clients import profiles
from doorward.credentials.client_assertion import importable
from doorward.credentials.key_makers import KeyRefused
from doorward.credentials.key_wishes import named_nodes, nodes_of, rights_of
from doorward.model import (
    Client,
    ClientAuthMethod,
    OwnerKind,
    Permission,
    ResourceId,
    Status,
    Tenant,
    User,
    UserId,
)
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree
from doorward.protocol import faults
from doorward.protocol.errors import OAuthError
from doorward.protocol.plain_text import is_visible
from doorward.protocol.redirect_uri import registrable
from doorward.protocol.signed_jwt import public_keys
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader

MAX_NAME_LENGTH: Final = 64
MOST_URIS: Final = 32
METHODS: Final[Mapping[str, ClientAuthMethod]] = MappingProxyType({each.value: each for each in ClientAuthMethod})
WITH_SECRET: Final = frozenset({ClientAuthMethod.SECRET_POST, ClientAuthMethod.SECRET_BASIC})
_WITH_PERSONS: Final = frozenset({"authorization_code", "refresh_token"})
_BY_ITSELF: Final = frozenset({"client_credentials"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWish:
    """``own``: for whoever registers it alone. ``scopes`` and ``resources`` are limits; None: none but people's rights."""

    name: str
    method: str = ClientAuthMethod.NONE.value
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    resources: tuple[tuple[str, str], ...] | None = None
    """Type and key of nodes: each with all below it."""
    service_account: str | None = None
    """E-mail address of the account that it acts for by itself."""
    jwks: str | None = None
    """A JWK Set of public keys, for ``private_key_jwt``."""
    own: bool = False


def described_by(reader: Reader, wish: ClientWish, base: Client, tenant: Tenant, maker: ClientMaker) -> Client:
    """Return ``base`` as the wish has it. Raises ``ClientRefused``, which names the field."""
    method = _method(wish)
    account = _account(reader, wish, tenant, method)
    owner = None if base.owner_id is None else accounts.user_by_id(reader, base.owner_id)
    client = replace(
        base,
        name=_name(wish.name),
        auth_method=method,
        redirect_uris=_redirect_uris(wish, base, needed=account is None),
        scope_limit=_scopes(reader, wish, tenant, owner, account, maker),
        resources=_resources(reader, wish, tenant, owner),
        service_account=None if account is None else account.id,
        service_tenant=None if account is None else tenant.id,
        jwks=_keys(wish, method),
    )
    grants = (_WITH_PERSONS if client.redirect_uris else frozenset[str]()) | (
        frozenset[str]() if account is None else _BY_ITSELF
    )
    return replace(client, grant_types=grants)


def account_rights(reader: Reader, tenant: Tenant, account_id: UserId | None) -> frozenset[Permission]:
    """Return what the account that a client acts for may do now."""
    account = None if account_id is None else accounts.user_by_id(reader, account_id)
    return frozenset() if account is None else rights_of(reader, tenant, account)


def _name(text: str) -> str:
    name = text.strip()
    if not (0 < len(name) <= MAX_NAME_LENGTH and is_visible(name)):
        public = f"Give the app a name of 1 to {MAX_NAME_LENGTH} ordinary characters."
        raise ClientRefused(public, "name refused", field="name")
    return name


def _method(wish: ClientWish) -> ClientAuthMethod:
    if wish.method not in METHODS:
        raise ClientRefused(f"Choose one of {', '.join(METHODS)}.", "unknown method", field="method")
    return METHODS[wish.method]


def _redirect_uris(wish: ClientWish, base: Client, *, needed: bool) -> tuple[str, ...]:
    uris = tuple(dict.fromkeys(wish.redirect_uris))
    if not uris and needed:
        raise ClientRefused("Write at least one redirect URI.", "no redirect URI", field="redirect_uris")
    if len(uris) > MOST_URIS:
        raise ClientRefused(f"Write {MOST_URIS} at most.", "too many redirect URIs", field="redirect_uris")
    for uri in uris:
        # An administrator may name any app's own scheme; the dangerous ones stay refused (decision 0077.2).
        known = profiles.vendor_schemes() if base.owner_id is not None else {uri.partition(":")[0]}
        try:
            registrable(uri, known)
        except OAuthError as wrong:
            public = f"{uri[:120]}: {wrong.public} {wrong.fault.fix}"
            raise ClientRefused(public, f"redirect URI: {wrong.reason}", field="redirect_uris") from wrong
    return uris


def _account(reader: Reader, wish: ClientWish, tenant: Tenant, method: ClientAuthMethod) -> User | None:
    """Return the service account, which belongs to this tenant and no other (B11, B15)."""
    if wish.service_account is None:
        return None
    if wish.own:
        raise ClientRefused("An app of your own acts for you only.", "own machine", field="service_account")
    if method is ClientAuthMethod.NONE:
        public = "An app that acts by itself has to prove who it is: give it a secret or keys."
        raise ClientRefused(public, "public machine", field="service_account")
    user = accounts.user_by_email(reader, wish.service_account.strip().lower())
    theirs = [] if user is None else [each.id for each, _ in accounts.memberships_of_user(reader, user.id)]
    if user is None or user.kind is not OwnerKind.SERVICE or user.status is not Status.ACTIVE or theirs != [tenant.id]:
        public = "There is no such service account that belongs to this tenant alone."
        raise ClientRefused(public, "no service account", field="service_account")
    return user


def _scopes(
    reader: Reader, wish: ClientWish, tenant: Tenant, owner: User | None, account: User | None, maker: ClientMaker
) -> frozenset[Permission] | None:
    """Return what it may have at most, patterns written out. A machine's limit is always written out."""
    catalogue = frozenset(entry.permission for entry in permissions.catalogue(reader))
    universe = catalogue
    if account is not None:
        universe = rights_of(reader, tenant, account)
        universe = universe if maker.rights is None else universe & maker.rights
    elif owner is not None:
        universe = rights_of(reader, tenant, owner)
    if wish.scopes is None:
        found = universe if account is not None else None
    else:
        found = frozenset[Permission]().union(*(_one(text, universe, catalogue) for text in wish.scopes))
    if found is not None and not found:
        raise ClientRefused("Choose at least one permission.", "no scopes", field="scopes")
    return found


def _one(text: str, universe: frozenset[Permission], catalogue: frozenset[Permission]) -> frozenset[Permission]:
    covered = expand([text], universe)
    if covered:
        return covered
    if expand([text], catalogue):
        public = f"This is more than you, or whom the app acts for, may do: {text[:80]}."
        raise ClientRefused(public, "scope beyond rights", fault=faults.CLIENT_BEYOND, field="scopes")
    raise ClientRefused(f"There is no permission {text[:80]!r}.", "unknown scope", field="scopes")


def _resources(
    reader: Reader, wish: ClientWish, tenant: Tenant, owner: User | None
) -> frozenset[ResourceId] | None:  # fmt: skip
    if wish.resources is None:
        return None
    tree = (
        ResourceTree(permissions.resources_of_tenant(reader, tenant.id))
        if owner is None
        else nodes_of(reader, tenant, owner)
    )
    try:
        return named_nodes(tree, wish.resources)
    except KeyRefused as refused:
        raise ClientRefused(refused.public, refused.reason, field="resources") from refused


def _keys(wish: ClientWish, method: ClientAuthMethod) -> tuple[Mapping[str, str], ...]:
    if method is not ClientAuthMethod.PRIVATE_KEY_JWT:
        return ()
    try:
        keys = public_keys(_json(wish.jwks or ""))
    except ValueError as wrong:
        public = "Write the public keys as a JWK Set, like {“keys”: [{“kty”: …}]}."
        raise ClientRefused(public, "jwks refused", field="jwks") from wrong
    if not keys or not all(importable(key) for key in keys):
        raise ClientRefused("One of the keys is none. Export the public keys again.", "jwks refused", field="jwks")
    return keys


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as wrong:
        raise ValueError("nested too deep") from wrong


def written_pairs(texts: Collection[str]) -> tuple[tuple[str, str], ...] | None:
    """Return ``TYPE/KEY`` texts as pairs; nothing written: no limit."""
    pairs = tuple((kind, key) for kind, _, key in (text.partition("/") for text in sorted(texts)))
    return pairs or None
