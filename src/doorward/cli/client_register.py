"""``doorward client register``, ``change``, ``show`` and ``delete``: clients that are registered for a tenant (B5)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from doorward.authserver import registered, registered_list
from doorward.authserver.client_makers import OPERATOR, ClientRefused, ClientUnknown, ClientWork
from doorward.authserver.client_wishes import METHODS, ClientWish, written_pairs
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import ClientId

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader, Transaction

Found = TypeVar("Found")
_tenant = click.option("--tenant", "slug", required=True, help="The tenant that it is registered for.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _described(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a client is."""
    for option in reversed((
        click.option("--redirect-uri", "uris", multiple=True, help="Exactly where its answers go; may be repeated."),
        click.option("--method", type=click.Choice(list(METHODS)), default="none", show_default=True, help="How it proves who it is; none: a public client."),
        click.option("--scope", "scopes", multiple=True, help="What it may have at most; may be repeated, patterns like *:read too."),
        click.option("--resource", "nodes", multiple=True, help="TYPE/KEY that it is limited to, with all below; may be repeated."),
        click.option("--service-account", "account", help="E-mail of the service account that it acts for by itself."),
        click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File with its public keys, for private_key_jwt."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command(epilog="Example: doorward client register Portal --tenant acme --redirect-uri https://p.example/cb")
@click.argument("name", metavar="NAME")
@_tenant
@_described
@_json
@deployment
def register(*, name: str, slug: str, as_json: bool, config: Path | None, data: Path | None, **said: Any) -> None:
    """Register a client for a tenant, and print its id and, once, its secret."""
    wish = _wish(name, **said)
    made = _done(config, data, slug, lambda tx, work: registered.register(tx, wish, work))
    if as_json:
        print(json.dumps({"client": made.client.id, "secret": made.secret}))
        return
    print(f"client_id      {made.client.id}")
    if made.secret is not None:
        print(f"client_secret  {made.secret}\n\nThe secret is shown only now.")


@click.command(
    epilog="Example: doorward client change app_3f09 --tenant acme --name Portal --redirect-uri https://p.example/cb"
)
@click.argument("client_id", metavar="CLIENT")
@click.option("--name", required=True, help="What it is called.")
@_tenant
@_described
@deployment
def change(*, client_id: str, name: str, slug: str, config: Path | None, data: Path | None, **said: Any) -> None:
    """Let CLIENT be as the options say, all of them: what is left out is not there any more. Secrets stay."""
    wish = _wish(name, **said)
    changed = _done(config, data, slug, lambda tx, work: registered.change(tx, ClientId(client_id), wish, work))
    print(f"Client {client_id} is {'changed' if changed else 'as it was'}.")


@click.command(epilog="Example: doorward client show app_3f09 --tenant acme --json")
@click.argument("client_id", metavar="CLIENT")
@_tenant
@_json
@deployment
def show(*, client_id: str, slug: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say what CLIENT is, may have at most, and how much it is used."""

    def look(reader: "Reader", work: ClientWork) -> dict[str, Any]:
        found = registered_list.facts(reader, work.tenant, OPERATOR, ClientId(client_id), work.now)
        return registered_list.described(found, work.now)

    found = _done(config, data, slug, look)
    if as_json:
        print(json.dumps(found))
        return
    for member, value in found.items():
        print(f"{member:<16} {_words(value)}")


@click.command(epilog="Example: doorward client delete app_3f09 --tenant acme")
@click.argument("client_id", metavar="CLIENT")
@_tenant
@deployment
def delete(*, client_id: str, slug: str, config: Path | None, data: Path | None) -> None:
    """End CLIENT for ever, with its secrets and connections, at its next call."""
    ended = _done(config, data, slug, lambda tx, work: registered.delete(tx, ClientId(client_id), work))
    print(f"Client {client_id} is deleted. Connections ended: {ended}.")


def _wish(  # noqa: PLR0913
    name: str, *, uris: tuple[str, ...], method: str, scopes: tuple[str, ...], nodes: tuple[str, ...],
    account: str | None, jwks: Path | None,
) -> ClientWish:  # fmt: skip
    try:
        keys = None if jwks is None else jwks.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise CommandFailed(f"{jwks} cannot be read.") from wrong
    return ClientWish(
        name=name, method=method, redirect_uris=uris, scopes=scopes or None, resources=written_pairs(nodes),
        service_account=account, jwks=keys,
    )  # fmt: skip


def _done(
    config: Path | None, data: Path | None, slug: str, use: "Callable[[Transaction, ClientWork], Found]"
) -> Found:
    async def run(core: "Core") -> Found:
        return await core.database.write(lambda tx: use(tx, _work(tx, core, slug)))

    try:
        return with_core(settings_of(config, data), run)
    except ClientUnknown as unknown:
        raise CommandFailed(
            "no such client was registered for this tenant. `doorward client list` shows all."
        ) from unknown
    except ClientRefused as refused:
        raise CommandFailed(f"{refused.public} ({refused.fault.code})") from refused


def _work(tx: "Transaction", core: "Core", slug: str) -> ClientWork:
    return ClientWork(
        tenant=tenant_of(tx, slug),
        maker=OPERATOR,
        now=core.now(),
        entropy=core.entropy,
        fingerprinter=core.fingerprinter,
        cause=None,
    )


def _words(value: Any) -> str:
    if value is None:
        return "-"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
