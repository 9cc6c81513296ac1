"""``doorward token``: API keys made and revoked on the server, with no browser (``product.md`` C7)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doorward.cli.expiry import expires_at, in_words
from doorward.cli.options import deployment, settings_of, with_core
from doorward.cli.token_use import KeyWish, make_key, revoke_key

if TYPE_CHECKING:
    from doorward.bootstrap import Core
    from doorward.credentials.api_keys import CreatedKey
    from doorward.model import ApiKey


@click.group()
def token() -> None:
    """Make and revoke API keys without a browser. Both work beside a running server, at its next call."""


@token.command(epilog="Example: doorward token create --user ines@acme.example --name ci --scope 'documents:*'")
@click.option("--user", required=True, help="E-mail address of the owner.")
@click.option("--tenant", help="Slug of the tenant; needed where the owner has more than one.")
@click.option("--name", default="Command line", show_default=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="Permission, like documents:read or *:read; may be repeated. Default: all of the owner's.",
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    help="TYPE/KEY of a node: only it and what is below; may be repeated. Default: all.",
)
@click.option("--expires", default="90d", show_default=True, help="30d, never, or a last day like 2027-01-31 (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def create(  # noqa: PLR0913  (one option each)
    *,
    user: str,
    tenant: str | None,
    name: str,
    scopes: tuple[str, ...],
    resources: tuple[str, ...],
    expires: str,
    as_json: bool,
    config: Path | None,
    data: Path | None,
) -> None:
    """Make a key and print it. It is shown only now."""
    settings = settings_of(config, data)
    wish = KeyWish(user=user, tenant=tenant, name=name, scopes=scopes, resources=resources)

    async def use(core: "Core") -> "tuple[str, CreatedKey]":
        now = core.now()
        until = expires_at(expires, now)
        return await core.database.write(
            lambda tx: make_key(
                tx, wish, until, now=now, entropy=core.entropy, fingerprinter=core.fingerprinter,
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
        now = core.now()
        return await core.database.write(lambda tx: revoke_key(tx, key_id, now=now))

    key, ended_now = with_core(settings, use)
    if as_json:
        print(json.dumps({"id": key.id, "name": key.name, "revoked": True}))
        return
    print(f"Key {key.id} “{key.name}” {'is revoked' if ended_now else 'was revoked before'}.")


def _printed(made: "CreatedKey", slug: str, email: str) -> dict[str, object]:
    return {
        "id": made.key.id,
        "key": made.text,
        "name": made.key.name,
        "tenant": slug,
        "user": email,
        "scopes": sorted(made.key.scopes),
        "expires_at": None if made.key.expires_at is None else in_words(made.key.expires_at).removeprefix("until "),
    }
