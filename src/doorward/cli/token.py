"""``doorward token``: API keys made, seen and ended on the server, with no browser (feature C7)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doorward.cli.expiry import expires_at, in_words
from doorward.cli.options import deployment, settings_of, with_core
from doorward.cli.token_changes import change, disable, enable, rotate
from doorward.cli.token_list import list_tokens, show
from doorward.cli.token_policy import policy
from doorward.cli.token_scan import check, scan_rules
from doorward.cli.token_use import find_key, make_key, pairs_of
from doorward.credentials.key_expiry import USUAL, moment
from doorward.credentials.key_wishes import KeyWish

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.credentials.api_keys import CreatedKey
    from doorward.model import ApiKey
    from doorward.storage.database import Transaction


@click.group()
def token() -> None:
    """Make, list and end API keys without a browser. All work beside a running server, at its next call."""


@token.command(epilog="Example: doorward token create --user ines@acme.example --name ci --scope 'documents:*'")
@click.option("--user", required=True, help="E-mail address of the owner.")
@click.option("--tenant", help="Slug of the tenant; needed where the owner has more than one.")
@click.option("--name", default="Command line", show_default=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="Permission, like documents:read or *:read, or just read or write; may be repeated. Default: all of the owner's.",
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    help="TYPE/KEY of a node: only it and what is below; may be repeated. Default: all.",
)
@click.option(
    "--server", "servers", multiple=True, help="Slug of an MCP server: only it; may be repeated. Default: all."
)
@click.option(
    "--address",
    "addresses",
    multiple=True,
    help="Address or network: from there only; may be repeated. Default: from anywhere.",
)
@click.option("--expires", default=USUAL, show_default=True, help="30d, never, or a last day like 2027-01-31 (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def create(  # noqa: PLR0913  (one option each)
    *,
    user: str,
    tenant: str | None,
    name: str,
    scopes: tuple[str, ...],
    resources: tuple[str, ...],
    servers: tuple[str, ...],
    addresses: tuple[str, ...],
    expires: str,
    as_json: bool,
    config: Path | None,
    data: Path | None,
) -> None:
    """Make a key and print it. It is shown only now."""
    settings = settings_of(config, data)
    wish = KeyWish(
        owner=user, name=name, scopes=scopes or None, resources=pairs_of(resources), servers=servers or None,
        networks=addresses, expires=expires,
    )  # fmt: skip

    async def use(core: "Core") -> "tuple[str, CreatedKey]":
        now = core.now()
        expires_at(expires, now)
        return await core.database.write(
            lambda tx: make_key(
                tx, wish, tenant, now=now, entropy=core.entropy, fingerprinter=core.fingerprinter,
                prefix=settings.api_keys.prefix,
            )
        )  # fmt: skip

    slug, made = with_core(settings, use)
    if as_json:
        print(json.dumps(_printed(made, slug, user.strip().lower())))
        return
    print(f"{made.text}\n\nShown only now: store it where it will be used.")
    print(f"Key {made.key.id} “{made.key.name}” of {user} in {slug}, {in_words(made.key.expires_at)}.")
    print(f"It may: {' '.join(sorted(made.key.scopes))}")


@token.command(epilog="Example: doorward token revoke 3QnB0xkTf2c9A")
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def revoke(*, key_id: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """End the key ID for ever, at its next call. ID is what `token create` and the key's prefix show."""
    settings = settings_of(config, data)

    async def use(core: "Core") -> "tuple[ApiKey, bool]":
        from doorward.credentials.api_keys import revoke_api_key  # noqa: PLC0415  (only what changes data loads it)

        now = core.now()

        def end(tx: "Transaction") -> "tuple[ApiKey, bool]":
            key, tenant = find_key(tx, key_id)
            return key, revoke_api_key(tx, tenant_id=tenant.id, key_id=key.id, by=None, now=now, cause=None)

        return await core.database.write(end)

    key, ended_now = with_core(settings, use)
    if as_json:
        print(json.dumps({"id": key.id, "name": key.name, "revoked": True}))
        return
    print(f"Key {key.id} “{key.name}” {'is revoked' if ended_now else 'was revoked before'}.")


for _command in (list_tokens, show, rotate, disable, enable, change, policy, check, scan_rules):
    token.add_command(_command)


def _printed(made: "CreatedKey", slug: str, email: str) -> dict[str, object]:
    return {
        "id": made.key.id,
        "key": made.text,
        "name": made.key.name,
        "tenant": slug,
        "user": email,
        "scopes": sorted(made.key.scopes),
        "expires_at": None if made.key.expires_at is None else moment(made.key.expires_at),
    }
