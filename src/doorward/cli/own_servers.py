"""``doorward servers list | add | disable | enable | remove``: a tenant's servers, as its page *Servers* has them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.accounts.actors import Actor
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import AuthKind, Status, Tenant
from doorward.provisioning import own_servers
from doorward.provisioning.own_server_wish import Wish
from doorward.provisioning.own_servers import ServerRefused
from doorward.storage import servers

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader, Transaction

_ACTOR = Actor(user_id=None, by="doorward servers", cause=None)
_IDENTITY = "identity"


@click.command(name="list", epilog="Example: doorward servers list acme")
@click.argument("tenant", metavar="TENANT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_servers(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show the servers of TENANT, and whose each is. Never a credential."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(lambda reader: _listed(reader, tenant_of(reader, tenant)))

    rows = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"servers": rows}))
        return
    for row in rows:
        whose = "the tenant's own" if row["own"] else "the operator's"
        print(f"{row['slug']}  {row['name']}  {row['paths'][0] if row['paths'] else '-'}  {whose}, {row['status']}")


@click.command(epilog="Example: doorward servers add acme wiki https://wiki.example.com/mcp --title 'Our wiki'")
@click.argument("tenant", metavar="TENANT")
@click.argument("name", metavar="NAME")
@click.argument("url", metavar="URL")
@click.option("--title", help="How people see it; the name where it is not said.")
@click.option(
    "--auth", type=click.Choice([_IDENTITY, *(kind.value for kind in AuthKind)]), default=_IDENTITY,
    help="What the server is shown: identity where it is not said. A credential is read from standard input.",
)  # fmt: skip
@click.option("--header", default="", help="With --auth header: which.")
@deployment
def add(  # noqa: PLR0913  (one option each)
    *, tenant: str, name: str, url: str, title: str | None, auth: str, header: str, config: Path | None,
    data: Path | None,
) -> None:  # fmt: skip
    """Add a server of TENANT's own. Its tools are held until somebody allows them."""
    kind = None if auth == _IDENTITY else AuthKind(auth)
    secret = _secret() if kind in {AuthKind.BEARER, AuthKind.HEADER} else ""
    wish = Wish(name=name, title=title or name, url=url, auth=kind, header=header, secret=secret)

    def work(tx: "Transaction", core: "Core") -> str:
        made = own_servers.add(
            tx, tenant_of(tx, tenant), wish, _ACTOR, sealer=core.sealer, entropy=core.entropy, now=core.now()
        )
        return f"{made.slug} is added, at {core.settings.public_url}{made.paths[0]}."

    print(_done(config, data, work))


@click.command(epilog="Example: doorward servers disable acme acme_wiki")
@about(tenant="TENANT", server="SERVER")
def disable(*, tenant: str, server: str, config: Path | None, data: Path | None) -> None:
    """Let nobody call SERVER, one of TENANT's own, until it is enabled."""
    _set(tenant, server, Status.DISABLED, config, data)


@click.command(epilog="Example: doorward servers enable acme acme_wiki")
@about(tenant="TENANT", server="SERVER")
def enable(*, tenant: str, server: str, config: Path | None, data: Path | None) -> None:
    """Let SERVER, one of TENANT's own, be called again."""
    _set(tenant, server, Status.ACTIVE, config, data)


@click.command(epilog="Example: doorward servers remove acme acme_wiki")
@about(tenant="TENANT", server="SERVER")
def remove(*, tenant: str, server: str, config: Path | None, data: Path | None) -> None:
    """Remove SERVER, one of TENANT's own, with its credential, its overrides and all that was said of its tools."""

    def work(tx: "Transaction", core: "Core") -> str:
        own_servers.remove(tx, tenant_of(tx, tenant), server, _ACTOR, now=core.now())
        return f"{server} is removed."

    print(_done(config, data, work))


def _set(tenant: str, server: str, status: Status, config: Path | None, data: Path | None) -> None:
    def work(tx: "Transaction", core: "Core") -> str:
        own_servers.set_status(tx, tenant_of(tx, tenant), server, status, _ACTOR, now=core.now())
        return f"{server} is {status.value}."

    print(_done(config, data, work))


def _done(config: Path | None, data: Path | None, work: "Callable[[Transaction, Core], str]") -> str:
    async def use(core: "Core") -> str:
        return await core.database.write(lambda tx: work(tx, core))

    try:
        return with_core(settings_of(config, data), use)
    except ServerRefused as refused:
        words = refused.reason if refused.field else refused.fault.cause
        raise CommandFailed(f"{words.rstrip('.')}. `doorward servers list TENANT` shows them.") from refused


def _secret() -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt("Credential", hide_input=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


def _listed(reader: "Reader", tenant: Tenant) -> list[dict[str, Any]]:
    enabled = servers.servers_of_tenant(reader, tenant.id)
    return [
        {
            "slug": server.slug,
            "name": server.name,
            "own": server.tenant_id == tenant.id,
            "paths": [path.replace("{tenant}", tenant.slug) for path in server.paths],
            "status": server.status.value,
        }
        for server in servers.all_servers(reader)
        if server.id in enabled
    ]
