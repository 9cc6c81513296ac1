"""``doorward token list`` and ``show``: what keys there are, and how one is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of, user_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.cli.token_use import find_key
from doorward.credentials.key_views import KeyViews
from doorward.storage import api_key_lists
from doorward.storage.api_key_lists import START, KeyState

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.model import Instant
    from doorward.storage.database import Reader

PAGE = 500


@click.command(name="list", epilog="Example: doorward token list --tenant acme --state active")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option("--user", help="E-mail address of the owner: only their keys.")
@click.option("--state", type=click.Choice([each.value for each in KeyState]), help="Only keys like this.")
@click.option("--most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_tokens(  # noqa: PLR0913  (one option each)
    *,
    tenant: str,
    user: str | None,
    state: str | None,
    most: int,
    as_json: bool,
    config: Path | None,
    data: Path | None,
) -> None:
    """Show the keys of a tenant, newest first; revoked and expired ones too."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        now = core.now()
        return await core.database.read_long(
            lambda reader: _listed(reader, tenant, user, None if state is None else KeyState(state), most, now)
        )

    rows = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"keys": rows}))
        return
    for row in rows:
        until = row["expires_at"] or "never ends"
        print(
            f"{row['id']}  {row['state']:<8} “{row['name']}” of {row['user']}, {until},"
            f" {row['calls_30_days']} calls in 30 days"
        )


@click.command(epilog="Example: doorward token show 3QnB0xkTf2c9A")
@about(key_id="ID")
def show(*, key_id: str, config: Path | None, data: Path | None) -> None:
    """Print all that is known of the key ID as one JSON object; never the key itself."""

    async def use(core: "Core") -> dict[str, Any]:
        now = core.now()

        def read(reader: "Reader") -> dict[str, Any]:
            key, tenant = find_key(reader, key_id)
            used = api_key_lists.used_key(reader, key.id, now)
            if used is None:
                raise CommandFailed("there is no such key.")
            return {"tenant": tenant.slug, **KeyViews(reader, tenant.id, now).described(used)}

        return await core.database.read_long(read)

    print(json.dumps(with_core(settings_of(config, data), use), indent=1))


def _listed(
    reader: "Reader", slug: str, email: str | None, state: KeyState | None, most: int, now: "Instant"
) -> list[dict[str, Any]]:
    tenant = tenant_of(reader, slug)
    owner = None if email is None else user_of(reader, email)
    views, after = KeyViews(reader, tenant.id, now), START
    rows: list[dict[str, Any]] = []
    while len(rows) < most:
        page = api_key_lists.keys_of_tenant(
            reader, tenant.id, now=now, owner=None if owner is None else owner.id, state=state, after=after,
            most=min(PAGE, most - len(rows)),
        )  # fmt: skip
        if not page:
            break
        rows += [views.described(each) for each in page]
        after = (page[-1].key.created_at, page[-1].key.id)
    return rows
