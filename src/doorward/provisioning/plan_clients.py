"""The OAuth clients that an administrator registers (feature B5). A secret is shown once, when it is made."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any, Final

from doorward.credentials.secret import SecretKind, mint
from doorward.model import (
    Client,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    Instant,
    OwnerKind,
    Permission,
    ServerId,
    TenantId,
    UserId,
)
from doorward.protocol.token import DEVICE_CODE
from doorward.provisioning.change import Change, IssuedSecret, Writing, differences
from doorward.provisioning.document import ClientDeclared, Document, TenantDeclared
from doorward.provisioning.reading import refuse
from doorward.provisioning.values import lifetime_of
from doorward.storage import accounts, clients, servers
from doorward.storage.database import Reader

_WITH_PERSONS: Final = frozenset({"authorization_code", "refresh_token"})
_BY_DEVICE: Final = frozenset({DEVICE_CODE, "refresh_token"})
_BY_ITSELF: Final = frozenset({"client_credentials"})
_WORDS: Final = {
    "name": "name", "redirect_uris": "redirect URIs", "scope_limit": "scopes", "auth_method": "authentication",
    "jwks": "keys", "jwks_uri": "address of its keys", "service_account": "service account",
    "service_tenant": "tenant", "introspects": "introspection", "access_ttl": "access token lifetime",
    "id_token_signed_response_alg": "ID token algorithm", "post_logout_redirect_uris": "sign-out URIs",
}  # fmt: skip
_COMING: Final = ""
"""Stands for the id of what the same document adds: equal to no stored one."""


def plan_clients(
    reader: Reader, declared: TenantDeclared, document: Document, catalogue: Collection[Permission]
) -> list[Change]:
    """Return what has to change. Raises ``DocumentError``."""
    changes = []
    for entry in declared.clients:
        _check_scopes(entry, catalogue)
        _check_service_account(reader, entry, declared, document)
        _check_servers(reader, entry, document)
        stored = clients.client_by_id(reader, client_id(declared.slug, entry))
        client = _merged(reader, declared.slug, entry)
        if client != stored:
            what = "add" if stored is None else _changes(stored, client)
            changes.append(
                Change(
                    text=f"client {client.id} “{client.name}”: {what}",
                    event="client:changed",
                    subject=client.id,
                    tenant=declared.slug,
                    run=partial(_insert if stored is None else _update, slug=declared.slug, entry=entry),
                )
            )
    return changes


def _changes(stored: Client, client: Client) -> str:
    """Return what changes, in words. The other grants follow from what is named already."""
    by_device = (DEVICE_CODE in stored.grant_types) is not (DEVICE_CODE in client.grant_types)
    return ", ".join(filter(None, [differences(stored, client, _WORDS), "device sign-in" if by_device else ""]))


def client_id(slug: str, entry: ClientDeclared) -> ClientId:
    """Return the id given, or one made from tenant and name, so that a repetition finds the client again."""
    made = "app_" + sha256(f"{slug}\0{entry.name}".encode()).hexdigest()[:24]
    return ClientId(entry.id or made)


def _check_scopes(entry: ClientDeclared, catalogue: Collection[Permission]) -> None:
    unknown = sorted((entry.scopes or frozenset()) - set(catalogue))
    if unknown:
        refuse(
            entry.path,
            f"permission {unknown[0]!r} is neither declared nor needed by a rule",
            "Declare it in permissions",
        )


def _check_service_account(reader: Reader, entry: ClientDeclared, declared: TenantDeclared, document: Document) -> None:
    """Refuse an account that is no service account, or does not belong to this tenant and no other (B11, B15)."""
    email = entry.service_account
    if email is None:
        return
    stored = accounts.user_by_email(reader, email)
    said = next((user.kind for user in document.users if user.email == email and user.kind is not None), None)
    if (said or (OwnerKind.PERSON if stored is None else stored.kind)) is not OwnerKind.SERVICE:
        refuse(entry.path, f"{email!r} is no service account", "Declare it in users with kind: service")
    tenants = {tenant.slug for tenant in document.tenants if email in {member.email for member in tenant.members}}
    if stored is not None:
        tenants.update(tenant.slug for tenant, _ in accounts.memberships_of_user(reader, stored.id))
    if tenants != {declared.slug}:
        cause = f"{email!r} belongs to {', '.join(sorted(tenants)) or 'no tenant'}"
        refuse(entry.path, cause, f"Make it a member of {declared.slug} and of no other tenant")


def _check_servers(reader: Reader, entry: ClientDeclared, document: Document) -> None:
    coming = {server.slug for server in document.servers}
    for slug in entry.introspects or ():
        if slug not in coming and servers.server_by_slug(reader, slug) is None:
            refuse(entry.path, f"there is no server {slug!r}", "Declare it in servers, or mend its name")


def _merged(reader: Reader, slug: str, entry: ClientDeclared) -> Client:
    stored = clients.client_by_id(reader, client_id(slug, entry))
    if stored is not None and stored.kind is not ClientKind.REGISTERED:
        refuse(entry.path, f"client {stored.id!r} registered itself", "Choose another id")
    if stored is not None and _is_public(stored.auth_method) is not _is_public(entry.auth_method):
        refuse(entry.path, "a client cannot turn from public to confidential or back", "Register another one")
    base = stored or Client(
        id=client_id(slug, entry),
        kind=ClientKind.REGISTERED,
        name=entry.name,
        redirect_uris=(),
        grant_types=frozenset(),
        created_at=Instant(0),
    )
    merged = _with_machine(
        reader,
        slug,
        entry,
        replace(
            base,
            name=entry.name,
            redirect_uris=base.redirect_uris if entry.redirect_uris is None else entry.redirect_uris,
            auth_method=entry.auth_method,
            scope_limit=base.scope_limit if entry.scopes is None else entry.scopes,
            access_ttl=lifetime_of(base.access_ttl, entry.access_ttl),
            **_keys(base, entry),
            id_token_signed_response_alg=entry.id_token_alg or base.id_token_signed_response_alg,
            post_logout_redirect_uris=(
                base.post_logout_redirect_uris
                if entry.post_logout_redirect_uris is None
                else entry.post_logout_redirect_uris
            ),
        ),
    )
    if merged.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT and not (merged.jwks or merged.jwks_uri):
        refuse(
            entry.path, "private_key_jwt without keys", "Write the public keys as jwks, or their address as jwks_uri"
        )
    return merged


def _keys(base: Client, entry: ClientDeclared) -> dict[str, Any]:
    """Return the client's keys or their address: naming one takes the other away."""
    if entry.jwks is None and entry.jwks_uri is None:
        return {"jwks": base.jwks, "jwks_uri": base.jwks_uri}
    return {"jwks": entry.jwks or (), "jwks_uri": entry.jwks_uri}


def _with_machine(reader: Reader, slug: str, entry: ClientDeclared, client: Client) -> Client:
    """Return ``client`` with what it may do without a person, and the grants that follow from all of it."""
    if entry.service_account is not None:
        user, tenant = accounts.user_by_email(reader, entry.service_account), accounts.tenant_by_slug(reader, slug)
        client = replace(
            client,
            service_account=UserId(_COMING) if user is None else user.id,
            service_tenant=TenantId(_COMING) if tenant is None else tenant.id,
        )
    if entry.introspects is not None:
        found = [servers.server_by_slug(reader, server) for server in entry.introspects]
        ids = frozenset(ServerId(_COMING) if server is None else server.id for server in found)
        client = replace(client, introspects=ids)
    persons = _WITH_PERSONS if client.redirect_uris else frozenset[str]()
    by_itself = frozenset[str]() if client.service_account is None else _BY_ITSELF
    by_device = DEVICE_CODE in client.grant_types if entry.device is None else entry.device
    return replace(client, grant_types=persons | by_itself | (_BY_DEVICE if by_device else frozenset()))


def _is_public(method: ClientAuthMethod) -> bool:
    return method is ClientAuthMethod.NONE


def _insert(writing: Writing, slug: str, entry: ClientDeclared) -> None:
    # Read again: what the same document added has an id by now.
    client = _merged(writing.tx, slug, entry)
    fingerprint = None
    if client.auth_method in (ClientAuthMethod.SECRET_BASIC, ClientAuthMethod.SECRET_POST):
        secret = mint(SecretKind.CLIENT_SECRET, writing.entropy)
        fingerprint = writing.fingerprinter.of(secret)
        writing.issued.append(IssuedSecret(client_id=client.id, name=client.name, secret=secret))
    made = replace(client, created_at=writing.now)
    clients.insert_client(writing.tx, made, canonical_key=None, secret_fingerprint=fingerprint)


def _update(writing: Writing, slug: str, entry: ClientDeclared) -> None:
    clients.update_client(writing.tx, _merged(writing.tx, slug, entry))
