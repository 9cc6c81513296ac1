"""Clients that people registered, as pages, API and command line tell of them. Never a secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from doorward.authserver.client_makers import ClientMaker, client_of_tenant
from doorward.authserver.client_wishes import WITH_SECRET
from doorward.credentials import client_secrets
from doorward.credentials.client_secrets import is_live
from doorward.credentials.key_expiry import moment
from doorward.model import Client, ClientAuthMethod, ClientId, ClientSecret, Instant, Resource, Status, Tenant, User
from doorward.policy.rules import ResourceTree
from doorward.storage import accounts, permissions, registered_clients
from doorward.storage.database import Reader
from doorward.storage.registered_clients import START, ClientUse

_TYPES = {ClientAuthMethod.NONE: "public"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """A client with how it is used. ``state`` is ``active``, ``disabled`` or ``deleted``."""

    client: Client
    use: ClientUse
    owner: User | None
    """Who registered it for themselves."""
    account: User | None
    """Whom it acts for by itself."""

    @property
    def state(self) -> str:
        """What it is in now; what ended it for good comes first."""
        if self.client.deleted_at is not None:
            return "deleted"
        return "active" if self.client.status is Status.ACTIVE else "disabled"

    @property
    def kind(self) -> str:
        """Whether it can prove who it is."""
        return _TYPES.get(self.client.auth_method, "confidential")

    @property
    def has_secrets(self) -> bool:
        """Whether it proves itself by secrets."""
        return self.client.auth_method in WITH_SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """One client with all that its page tells. ``nodes`` is None where it is limited to none."""

    row: ClientRow
    secrets: Sequence[ClientSecret]
    nodes: Sequence[Resource] | None


def listed(
    reader: Reader, tenant: Tenant, maker: ClientMaker, now: Instant, *, after: tuple[int, str] = START, most: int
) -> tuple[list[ClientRow], str | None]:
    """Return a page of the clients that ``maker`` looks after, newest first, and where the next begins."""
    owner = None if maker.manages else maker.user_id
    found = registered_clients.clients_of_tenant(reader, tenant.id, owner=owner, after=after, most=most + 1)
    shown = found[:most]
    following = f"{shown[-1].created_at}-{shown[-1].id}" if len(found) > most else None
    return [_row(reader, each, now) for each in shown], following


def facts(reader: Reader, tenant: Tenant, maker: ClientMaker, client_id: ClientId, now: Instant) -> ClientFacts:
    """Return one client. Raises ``ClientUnknown``."""
    client = client_of_tenant(reader, tenant, client_id, maker)
    row = _row(reader, client, now)
    gone = client.deleted_at is not None
    return ClientFacts(
        row=row,
        secrets=client_secrets.secrets_of(reader, client.id) if row.has_secrets and not gone else (),
        nodes=nodes(reader, client),
    )


def nodes(reader: Reader, client: Client) -> list[Resource] | None:
    """Return what a client is limited to; None: nothing. What was removed meanwhile gives nothing and is left out."""
    if client.resources is None or client.tenant_id is None:
        return None
    tree = ResourceTree(permissions.resources_of_tenant(reader, client.tenant_id))
    found = (tree.get(each) for each in client.resources)
    return sorted((node for node in found if node is not None), key=lambda node: (node.type, node.key))


def described(found: ClientFacts, now: Instant) -> dict[str, Any]:
    """Return a client as data; times are like ``2027-01-31T00:00:00Z``."""
    row, client = found.row, found.row.client
    return {
        "id": client.id,
        "name": client.name,
        "state": row.state,
        "type": row.kind,
        "auth_method": client.auth_method.value,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "scopes": None if client.scope_limit is None else sorted(client.scope_limit),
        "resources": None if found.nodes is None else [{"type": each.type, "key": each.key} for each in found.nodes],
        "owner": None if row.owner is None else row.owner.email,
        "service_account": None if row.account is None else row.account.email,
        "created_at": moment(client.created_at),
        "deleted_at": None if client.deleted_at is None else moment(client.deleted_at),
        "connections": row.use.connections,
        "people": row.use.people,
        "secrets": [
            {
                "id": each.id,
                "good": is_live(each, now),
                "created_at": moment(each.created_at),
                "ends_at": None if each.expires_at is None else moment(each.expires_at),
            }
            for each in found.secrets
        ],
    }


def _row(reader: Reader, client: Client, now: Instant) -> ClientRow:
    owner = None if client.owner_id is None else accounts.user_by_id(reader, client.owner_id)
    account = None if client.service_account is None else accounts.user_by_id(reader, client.service_account)
    use = registered_clients.use_of_client(reader, client.id, now)
    return ClientRow(client=client, use=use, owner=owner, account=account)
