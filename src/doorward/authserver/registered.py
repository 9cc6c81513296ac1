"""Clients that people register: made, changed, disabled, deleted, and given secrets (feature B5).

A limit counts at once, also for tokens that are out: the connection is held to its client at every call
(``credentials.principals``). What was approved under a limit is not widened when the limit is taken off.
"""

from dataclasses import dataclass, replace
from typing import Final

from typing_extensions import override

from doorward import audit
from doorward.accounts.notices import APP_ENDED
from doorward.authserver import client_settings
from doorward.authserver.client_makers import (
    ClientRefused,
    ClientWork,
    client_of_tenant,
    living,
    require_as_much,
)
from doorward.authserver.client_wishes import WITH_SECRET, ClientWish, account_rights, described_by
from doorward.authserver.connections import end
from doorward.credentials import client_secrets
from doorward.credentials.client_secrets import NewSecret, SecretRefused
from doorward.model import Client, ClientId, ClientKind, Instant, Status
from doorward.protocol import faults
from doorward.storage import clients, connections, registered_clients
from doorward.storage.database import Transaction

MOST_OF_TENANT: Final = 500
MOST_OWN: Final = 20
_ID_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Registered:
    """A client that exists since a moment ago. ``secret`` is told now and never again; None: it has none."""

    client: Client
    secret: str | None

    @override
    def __repr__(self) -> str:
        return f"Registered({self.client.id!r})"


def register(tx: Transaction, wish: ClientWish, work: ClientWork) -> Registered:
    """Register a client for a tenant, or with ``wish.own`` for whoever registers it. Raises ``ClientRefused``."""
    tenant, maker = work.tenant, work.maker
    tx.lock_tenant(tenant.id, for_rights=True)
    _check_maker(tx, wish, work)
    base = Client(
        id=ClientId("app_" + work.entropy(_ID_BYTES).hex()),
        kind=ClientKind.REGISTERED,
        name="",
        redirect_uris=(),
        grant_types=frozenset(),
        tenant_id=tenant.id,
        owner_id=maker.user_id if wish.own else None,
        created_at=work.now,
    )
    client = described_by(tx, wish, base, tenant, maker)
    clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=None)
    secret = None
    if client.auth_method in WITH_SECRET:
        secret = client_secrets.add_client_secret(tx, client.id, **work.minting()).text
    _record(tx, "client:added", client, work)
    return Registered(client, secret)


def change(tx: Transaction, client_id: ClientId, wish: ClientWish, work: ClientWork) -> bool:
    """Let a client be as the wish has it, of the kind that it is. False where nothing differs.

    Raises ``ClientRefused`` and ``ClientUnknown``.
    """
    before = _held(tx, client_id, work)
    after = described_by(tx, replace(wish, own=before.owner_id is not None), before, work.tenant, work.maker)
    if _kind(before) != _kind(after):
        public = "An app keeps its kind: with a secret, with keys, or public. Register another one."
        raise ClientRefused(public, "change of kind", field="method")
    if before == after or not clients.update_client(tx, after):
        return False
    _record(tx, "client:changed", after, work)
    return True


def set_status(tx: Transaction, client_id: ClientId, status: Status, work: ClientWork) -> bool:
    """Refuse a client everything at its next call, or let it work again; False where it is so already.

    Raises ``ClientRefused`` and ``ClientUnknown``.
    """
    _held(tx, client_id, work)
    return client_settings.set_status(tx, client_id, status, now=work.now, **work.said)


def delete(tx: Transaction, client_id: ClientId, work: ClientWork) -> int:
    """End a client for ever, with its secrets and connections; return how many of these there were.

    Again it changes nothing. Raises ``ClientUnknown``.
    """
    tx.lock_tenant(work.tenant.id, for_rights=True)
    client = client_of_tenant(tx, work.tenant, client_id, work.maker)
    if not registered_clients.delete_client(tx, client.id, work.now):
        return 0
    ended = sum(
        end(
            tx,
            each,
            "client deleted",
            by="deletion",
            now=work.now,
            actor_id=work.maker.user_id,
            cause=work.cause,
            notice=None if work.maker.is_about(each.user_id) else APP_ENDED,
        )
        for each in connections.living_of_client(tx, client.id)
    )
    _record(tx, "client:removed", client, work, connections=str(ended))
    return ended


def add_secret(tx: Transaction, client_id: ClientId, work: ClientWork) -> NewSecret:
    """Make one more secret; those there are stay good. Raises ``ClientRefused`` and ``ClientUnknown``."""
    client = _held(tx, client_id, work)
    require_as_much(client, account_rights(tx, work.tenant, client.service_account), work.maker)
    try:
        return client_secrets.add_client_secret(tx, client.id, **work.minting())
    except SecretRefused as refused:
        raise _about_secrets(refused) from refused


def retire_secret(tx: Transaction, client_id: ClientId, secret_id: str, until: Instant, work: ClientWork) -> None:
    """Let a secret be good until ``until`` and never again. Raises ``ClientRefused`` and ``ClientUnknown``."""
    client = _held(tx, client_id, work)
    try:
        client_secrets.retire_client_secret(tx, client.id, secret_id, until, now=work.now, **work.said)
    except SecretRefused as refused:
        raise _about_secrets(refused) from refused


def _held(tx: Transaction, client_id: ClientId, work: ClientWork) -> Client:
    tx.lock_tenant(work.tenant.id, for_rights=True)
    return living(client_of_tenant(tx, work.tenant, client_id, work.maker))


def _kind(client: Client) -> str:
    return "secret" if client.auth_method in WITH_SECRET else client.auth_method.value


def _check_maker(tx: Transaction, wish: ClientWish, work: ClientWork) -> None:
    maker = work.maker
    if not (maker.manages or (wish.own and maker.registers)) or (
        wish.own and (maker.user_id is None or not maker.in_person)
    ):
        public = "In this tenant you cannot register apps. Ask an administrator."
        raise ClientRefused(public, "no right to register", fault=faults.CLIENT_MAKERS)
    owner, most = (maker.user_id, MOST_OWN) if wish.own else (None, MOST_OF_TENANT)
    if registered_clients.living_clients(tx, work.tenant.id, owner) >= most:
        raise ClientRefused(f"There are {most} already. Delete one first.", "too many", fault=faults.CLIENT_MANY)


def _about_secrets(refused: SecretRefused) -> ClientRefused:
    return ClientRefused(str(refused)[:1].upper() + str(refused)[1:], "secret refused", field="secret")


def _record(tx: Transaction, name: str, client: Client, work: ClientWork, **more: str) -> None:
    limit = client.scope_limit
    detail = {
        "name": client.name,
        "redirect_uris": " ".join(client.redirect_uris),
        "scopes": "no limit" if limit is None else " ".join(sorted(limit)),
        "resources": "no limit" if client.resources is None else " ".join(sorted(client.resources)),
        **more,
    }
    audit.record(
        tx, name=name, at=work.now, tenant_id=client.tenant_id, actor_id=work.maker.user_id, subject=client.id,
        detail=detail, cause=work.cause,
    )  # fmt: skip
