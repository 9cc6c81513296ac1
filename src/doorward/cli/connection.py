"""``doorward connection``: what clients were let into, and the way to end it (feature D3, security G14)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import user_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import SECOND, Connection, ConnectionId
from doorward.storage import accounts, clients, connections

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader, Transaction


@click.group(epilog="Example: doorward connection list --user ines@acme.example")
def connection() -> None:
    """Look after connections: one is what one person let one client into. Works beside a running server."""


@connection.command(name="list", epilog="Example: doorward connection list --user ines@acme.example")
@click.option("--user", required=True, help="E-mail address of the person.")
@click.option("--all", "ended_too", is_flag=True, help="Also those that have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_connections(*, user: str, ended_too: bool, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show what a person let clients into, newest first."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        now = core.now()
        return await core.database.read_long(lambda reader: _listed(reader, user, now, ended_too=ended_too))

    rows = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"connections": rows}))
        return
    for row in rows:
        print(f"{row['id']}  {row['state']:<8} “{row['client']}” in {row['tenant']}: {' '.join(row['scopes'])}")


@connection.command(epilog="Example: doorward connection end con_3QnB0xkTf2c9A0Zt")
@about(connection_id="ID")
def end(*, connection_id: str, config: Path | None, data: Path | None) -> None:
    """End the connection ID for ever, at its next call. `list` shows the ids."""

    async def use(core: "Core") -> bool:
        now = core.now()
        return await core.database.write(lambda tx: _end(tx, ConnectionId(connection_id), now))

    ended = with_core(settings_of(config, data), use)
    print(f"Connection {connection_id} {'has ended' if ended else 'had ended before'}.")


def _listed(reader: "Reader", email: str, now: int, *, ended_too: bool) -> list[dict[str, Any]]:
    user = user_of(reader, email)
    rows = [_row(reader, each, now) for each in connections.connections_of_user(reader, user.id)]
    return [row for row in rows if ended_too or row["state"] != "ended"]


def _row(reader: "Reader", each: Connection, now: int) -> dict[str, Any]:
    client, tenant = clients.client_by_id(reader, each.client_id), accounts.tenant_by_id(reader, each.tenant_id)
    over = each.revoked_at is not None or each.expires_at <= now
    return {
        "id": each.id,
        "state": "ended" if over else "approved" if each.activated_at is None else "living",
        "client": each.client_id if client is None else client.name,
        "client_id": each.client_id,
        "tenant": each.tenant_id if tenant is None else tenant.slug,
        "url": each.resource,
        "scopes": sorted(each.scopes),
        "since": each.created_at // SECOND,
    }


def _end(tx: "Transaction", connection_id: ConnectionId, now: Any) -> bool:
    from doorward.authserver import connections as lives  # noqa: PLC0415  (only what changes data loads it)

    found = connections.connection_by_id(tx, connection_id)
    if found is None:
        raise CommandFailed(f"there is no connection {connection_id[:80]!r}. `doorward connection list` shows the ids.")
    tx.lock_tenant(found.tenant_id, for_rights=True)
    return lives.end(tx, found, "ended by an administrator", by="administrator", now=now, cause=None)
