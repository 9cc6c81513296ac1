"""``doorward token rotate``, ``disable``, ``enable`` and ``change``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.expiry import expires_at, in_words
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.cli.token_use import find_key
from doorward.credentials import key_changes
from doorward.credentials.key_changes import OVERLAPS, NewEnd, NewServers
from doorward.credentials.key_expiry import moment
from doorward.credentials.key_makers import OPERATOR, KeyRefused
from doorward.credentials.key_wishes import networks_of, servers_named
from doorward.model import ApiKey, Instant

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.credentials.api_keys import CreatedKey
    from doorward.storage.database import Transaction


@click.command(epilog="Example: doorward token rotate 3QnB0xkTf2c9A --keep 24h")
@click.argument("key_id", metavar="ID")
@click.option(
    "--keep", type=click.Choice(list(OVERLAPS)), default="24h", show_default=True,
    help="How long the secret that it has goes on.",
)  # fmt: skip
@click.option("--expires", help="Another end: 30d, never, or a last day like 2027-01-31 (UTC). Default: it stays.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def rotate(
    *, key_id: str, keep: str, expires: str | None, as_json: bool, config: Path | None, data: Path | None
) -> None:
    """Give the key ID a new secret and print it. It keeps its id, its rights and its place in the list."""
    settings = settings_of(config, data)

    async def use(core: "Core") -> "CreatedKey":
        now = core.now()
        end = None if expires is None else NewEnd(expires_at(expires, now))

        def work(tx: "Transaction") -> "CreatedKey":
            key, tenant = find_key(tx, key_id)
            return key_changes.rotate_api_key(
                tx, key.id, tenant=tenant, maker=OPERATOR, overlap=OVERLAPS[keep], end=end, now=now,
                entropy=core.entropy, fingerprinter=core.fingerprinter, prefix=settings.api_keys.prefix, cause=None,
            )  # fmt: skip

        return await core.database.write(lambda tx: _or_failed(lambda: work(tx)))

    made = with_core(settings, use)
    if as_json:
        ends = None if made.key.expires_at is None else moment(made.key.expires_at)
        print(
            json.dumps({"id": made.key.id, "key": made.text, "name": made.key.name, "expires_at": ends, "keep": keep})
        )
        return
    print(f"{made.text}\n\nShown only now: store it where it will be used.")
    old = "has ended" if keep == "now" else f"goes on for {keep}"
    print(f"Key {made.key.id} “{made.key.name}” {in_words(made.key.expires_at)}. The secret that it had {old}.")


@click.command(epilog="Example: doorward token disable 3QnB0xkTf2c9A")
@about(key_id="ID")
def disable(*, key_id: str, config: Path | None, data: Path | None) -> None:
    """Refuse the key ID from its next call on, until it is enabled."""
    key, done = _changed(key_id, key_changes.disable_api_key, config, data)
    print(f"Key {key.id} “{key.name}” {'is disabled' if done else 'was disabled before'}.")


@click.command(epilog="Example: doorward token enable 3QnB0xkTf2c9A")
@about(key_id="ID")
def enable(*, key_id: str, config: Path | None, data: Path | None) -> None:
    """Let the disabled key ID work again. What is revoked or expired never does."""
    key, done = _changed(key_id, key_changes.enable_api_key, config, data)
    print(f"Key {key.id} “{key.name}” {'is enabled' if done else 'was not disabled'}.")


@click.command(epilog="Example: doorward token change 3QnB0xkTf2c9A --address 203.0.113.0/24")
@click.argument("key_id", metavar="ID")
@click.option("--name", help="Another name.")
@click.option("--address", "addresses", multiple=True, help="Address or network; instead of all that there are.")
@click.option("--anywhere", is_flag=True, help="From any address again.")
@click.option("--server", "slugs", multiple=True, help="MCP server that it is for; instead of all that there are.")
@click.option("--all-servers", is_flag=True, help="For every server of its tenant again.")
@deployment
def change(  # noqa: PLR0913
    *, key_id: str, name: str | None, addresses: tuple[str, ...], anywhere: bool, slugs: tuple[str, ...],
    all_servers: bool, config: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """Give the key ID another name, or say anew where it may come from and go to; in force at its next call."""
    if (addresses and anywhere) or (slugs and all_servers):
        raise CommandFailed("--address and --anywhere, --server and --all-servers do not go together. Choose one.")

    def apply(tx: "Transaction", wanted: Any, **how: Any) -> bool:
        networks = networks_of(addresses) if addresses or anywhere else None
        servers = None
        if slugs or all_servers:
            servers = NewServers(servers_named(tx, slugs or None, how["tenant"]))
        return key_changes.change_api_key(tx, wanted, name=name, networks=networks, servers=servers, **how)

    key, done = _changed(key_id, apply, config, data)
    print(f"Key {key.id} {'is changed' if done else 'was like this before'}.")


def _changed(
    key_id: str, change: Callable[..., bool], config: Path | None, data: Path | None
) -> tuple[ApiKey, bool]:  # fmt: skip
    async def use(core: "Core") -> tuple[ApiKey, bool]:
        now = core.now()
        return await core.database.write(lambda tx: _or_failed(lambda: _work(tx, key_id, change, now)))

    return with_core(settings_of(config, data), use)


def _work(tx: "Transaction", key_id: str, change: Callable[..., bool], now: Instant) -> tuple[ApiKey, bool]:
    key, tenant = find_key(tx, key_id)
    return key, change(tx, key.id, tenant=tenant, maker=OPERATOR, now=now, cause=None)


def _or_failed(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except KeyRefused as wrong:
        raise CommandFailed(f"nothing was changed: {wrong.public}") from wrong
