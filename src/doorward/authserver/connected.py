"""Connected apps: what a person let in, and what they, or an administrator, do with it afterwards (F1, G14, D3)."""

from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.accounts.notices import APP_ENDED
from doorward.authserver.connections import end, narrow
from doorward.model import (
    Cause,
    Client,
    ClientId,
    Connection,
    ConnectionId,
    Instant,
    Permission,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.rights import MANAGE_CLIENTS, may
from doorward.storage import accounts, clients, connections, credential_days, registered_clients
from doorward.storage.credential_days import Use
from doorward.storage.database import Reader, Transaction

MAX_LABEL: Final = 64


class AppRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was changed. The text is for the person; ``field`` is what it is about, "" for all."""

    def __init__(self, public: str, *, field: str = "") -> None:
        super().__init__(public)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedApp:
    """A connection as people see it. ``client`` is None where its registration is gone."""

    connection: Connection
    client: Client | None
    tenant: Tenant
    owner: User
    use: Use
    over: bool

    @property
    def name(self) -> str:
        """What its person calls it, else what it calls itself."""
        return self.connection.label or self.own_name

    @property
    def own_name(self) -> str:
        """What it calls itself."""
        return self.connection.client_id if self.client is None else self.client.name


def apps_of(reader: Reader, user_id: UserId, now: Instant) -> list[ConnectedApp]:
    """Return what a person let in, in every tenant, newest first; ended ones last."""
    return _listed(reader, connections.connections_of_user(reader, user_id), now)


def apps_in(reader: Reader, tenant_id: TenantId, now: Instant, *, most: int) -> list[ConnectedApp]:
    """Return what anybody let into a tenant, newest first; ended ones last. At most so many."""
    return _listed(reader, connections.connections_of_tenant(reader, tenant_id, most=most), now)


def apps_of_client(reader: Reader, client_id: ClientId, now: Instant, *, most: int) -> list[ConnectedApp]:
    """Return the connections of one registered client, living ones first. At most so many."""
    return _listed(reader, registered_clients.connections_of_client(reader, client_id, now, most=most), now)


def described(reader: Reader, found: list[Connection], now: Instant) -> list[ConnectedApp]:
    """Return connections as people see them, in the order given."""
    rows = {row.connection.id: row for row in _listed(reader, found, now)}
    return [rows[each.id] for each in found if each.id in rows]


def apps_from(
    reader: Reader, tenant_id: TenantId, now: Instant, *, after: tuple[int, str] | None, most: int
) -> list[ConnectedApp]:
    """Return what anybody let into a tenant before ``after`` (when, id), newest first, ended or not. At most so many."""
    found = connections.page_of_tenant(reader, tenant_id, after=after or connections.START, most=most)
    return described(reader, found, now)


def app(reader: Reader, connection_id: ConnectionId, user_id: UserId, now: Instant) -> ConnectedApp | None:
    """Return one that this person let in, or may look after; None for a foreign one as for none (decision 0077.8)."""
    found = connections.connection_by_id(reader, connection_id)
    if found is None or not (found.user_id == user_id or may(reader, found.tenant_id, user_id, MANAGE_CLIENTS)):
        return None
    return next(iter(_listed(reader, [found], now)), None)


def keep_only(
    tx: Transaction, seen: ConnectedApp, kept: frozenset[Permission], *, by: User, now: Instant, cause: Cause | None
) -> bool:
    """Take from a living app what is not in ``kept``; say whether that was anything. Raises ``AppRefused``."""
    found = _held(tx, seen, by, now)
    if not kept & found.scopes:
        raise AppRefused("Leave it at least one thing to do, or disconnect it.", field="scope")
    return narrow(
        tx, found, found.scopes - kept, actor_id=by.id, by=_as(found, by), now=now, cause=cause
    )  # fmt: skip


def rename(tx: Transaction, seen: ConnectedApp, label: str, *, by: User, now: Instant) -> bool:
    """Call a living app of one's own something; an empty label: what it calls itself. Raises ``AppRefused``."""
    label = label.strip()
    if len(label) > MAX_LABEL or not label.isprintable():
        raise AppRefused(f"A name has at most {MAX_LABEL} characters, and no control characters.", field="label")
    found = _held(tx, seen, by, now)
    if found.user_id != by.id:
        raise AppRefused("Only who let an app in gives it a name.")
    return connections.label_connection(tx, found.id, label or None)


def disconnect(
    tx: Transaction, seen: ConnectedApp, *, by: User, now: Instant, cause: Cause | None, in_person: bool = True
) -> bool:
    """End an app for ever, at its next call; False where it had ended. Its person is told if somebody else did it.

    ``in_person``: nobody else has what ``by`` comes with.
    """
    tx.lock_tenant(seen.tenant.id, for_rights=True)
    found = connections.connection_by_id(tx, seen.connection.id)
    if found is None or not _may(tx, found, by):
        return False
    own = found.user_id == by.id and in_person
    return end(
        tx, found, f"disconnected by {_as(found, by)}", by=_as(found, by), now=now, actor_id=by.id,
        notice=None if own else APP_ENDED, cause=cause,
    )  # fmt: skip


def disconnect_all(
    tx: Transaction, seen: ConnectedApp, *, by: User, now: Instant, cause: Cause | None
) -> int:  # fmt: skip
    """End all that this client has in this tenant, whoever let it in; return how many there were."""
    tx.lock_tenant(seen.tenant.id, for_rights=True)
    if not may(tx, seen.tenant.id, by.id, MANAGE_CLIENTS):
        return 0
    living = connections.living_of_client(tx, seen.connection.client_id)
    ended = [
        end(
            tx, each, "client disconnected by an administrator", by=_as(each, by), now=now, actor_id=by.id,
            notice=None if each.user_id == by.id else APP_ENDED, cause=cause,
        )
        for each in living
        if each.tenant_id == seen.tenant.id
    ]  # fmt: skip
    audit.record(
        tx, name="client:disconnected", at=now, tenant_id=seen.tenant.id, actor_id=by.id,
        subject=seen.connection.client_id, detail={"connections": str(sum(ended))}, cause=cause,
    )  # fmt: skip
    return sum(ended)


def _held(tx: Transaction, seen: ConnectedApp, by: User, now: Instant) -> Connection:
    """Return the connection as it is now, with its tenant locked. Raises ``AppRefused`` where it is over or foreign."""
    tx.lock_tenant(seen.tenant.id, for_rights=True)
    found = connections.connection_by_id(tx, seen.connection.id)
    if found is None or not _may(tx, found, by) or _over(found, now):
        raise AppRefused("It is not connected any more.")
    return found


def _may(reader: Reader, connection: Connection, by: User) -> bool:
    return connection.user_id == by.id or may(reader, connection.tenant_id, by.id, MANAGE_CLIENTS)


def _as(connection: Connection, by: User) -> str:
    return "person" if connection.user_id == by.id else "administrator"


def _over(connection: Connection, now: Instant) -> bool:
    return connection.revoked_at is not None or connection.expires_at <= now


def _listed(reader: Reader, found: list[Connection], now: Instant) -> list[ConnectedApp]:
    rows = []
    for each in found:
        tenant, owner = accounts.tenant_by_id(reader, each.tenant_id), accounts.user_by_id(reader, each.user_id)
        if tenant is not None and owner is not None and each.activated_at is not None:
            rows.append(
                ConnectedApp(
                    connection=each, client=clients.client_by_id(reader, each.client_id), tenant=tenant, owner=owner,
                    use=credential_days.use_of(reader, each.id, now), over=_over(each, now),
                )
            )  # fmt: skip
    return sorted(rows, key=lambda row: row.over)
