"""``doorward upstream``: which accounts people linked at servers behind the door, and the way to forget one (D6)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import server_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import SECOND, UpstreamGrant
from doorward.storage import accounts, servers, upstream_grants

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader


@dataclass(frozen=True, slots=True)
class _Row:
    grant: UpstreamGrant
    email: str
    tenant: str
    server: str

    @property
    def members(self) -> dict[str, Any]:
        grant = self.grant
        return {
            "user": self.email,
            "tenant": self.tenant,
            "server": self.server,
            "issuer": grant.issuer,
            "scopes": list(grant.scopes),
            "linked": grant.linked_at // SECOND,
            "refreshed": grant.refreshed_at // SECOND,
            "rejected": None if grant.rejected_at is None else grant.rejected_at // SECOND,
        }


@click.group(epilog="Example: doorward upstream list")
def upstream() -> None:
    """Look after linked accounts: people's own, at servers behind the door. Works beside a running server."""


@upstream.command(name="list", epilog="Example: doorward upstream list --user ines@acme.example")
@click.option("--user", help="E-mail address of one person.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_accounts(*, user: str | None, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say who linked an account where, and when; never a token."""

    async def use(core: "Core") -> list[_Row]:
        return await core.database.read_long(_rows)

    rows = [row for row in with_core(settings_of(config, data), use) if user is None or row.email == user.lower()]
    if as_json:
        print(json.dumps({"accounts": [row.members for row in rows]}))
        return
    for row in rows:
        day = datetime.fromtimestamp(row.grant.linked_at / SECOND, tz=UTC).date().isoformat()
        ended = ", ended by them" if row.grant.rejected_at is not None else ""
        print(f"{row.email}  {row.tenant}  {row.server}  linked {day}, by {row.grant.issuer}{ended}")


@upstream.command(epilog="Example: doorward upstream forget ines@acme.example wiki")
@click.argument("user", metavar="EMAIL")
@click.argument("server", metavar="SERVER")
@click.option("--tenant", help="For which tenant, where it is linked for several.")
@deployment
def forget(*, user: str, server: str, tenant: str | None, config: Path | None, data: Path | None) -> None:
    """Unlink the account of EMAIL at SERVER, from its next call on, and take it back there where that is offered."""

    async def use(core: "Core") -> None:
        from doorward.bootstrap.linked import linked  # noqa: PLC0415  (only what changes data loads it)

        found = [
            row
            for row in await core.database.read_long(_rows)
            if (row.email, row.server) == (user.lower(), server) and tenant in {None, row.tenant}
        ]
        if not found:
            raise CommandFailed("no such account is linked. `doorward upstream list` shows those that are.")
        if len(found) > 1:
            raise CommandFailed(f"linked for {', '.join(row.tenant for row in found)}. Say which with --tenant.")
        await linked(core).linking.unlink(found[0].grant, by=None, cause=None)

    with_core(settings_of(config, data), use)
    print(f"The account of {user.lower()} at {server} is unlinked.")


@upstream.command(name="forget-registration", epilog="Example: doorward upstream forget-registration wiki")
@about(server="SERVER")
def forget_registration(*, server: str, config: Path | None, data: Path | None) -> None:
    """Have the next linking at SERVER register anew, where the other side has lost the registration.

    What is linked stays so, as the client that it was given to.
    """

    async def use(core: "Core") -> int:
        found = await core.database.read(lambda reader: server_of(reader, server))
        return await core.database.write(lambda tx: upstream_grants.remove_clients(tx, found.id))

    count = with_core(settings_of(config, data), use)
    print(f"{count} registration{'' if count == 1 else 's'} for {server} forgotten.")


def _rows(reader: "Reader") -> list[_Row]:
    slugs = {each.id: each.slug for each in servers.all_servers(reader)}
    tenants = {each.id: each.slug for each in accounts.all_tenants(reader)}
    rows = []
    for grant in upstream_grants.all_grants(reader):
        user = accounts.user_by_id(reader, grant.user_id)
        email = grant.user_id if user is None else user.email
        rows.append(_Row(grant, email, tenants.get(grant.tenant_id, ""), slugs.get(grant.server_id, "")))
    return sorted(rows, key=lambda row: (row.email, row.tenant, row.server))
