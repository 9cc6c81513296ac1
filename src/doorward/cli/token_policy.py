"""``doorward token policy``: what a tenant says of its keys (C8)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.credentials import key_policies
from doorward.credentials.key_makers import OPERATOR, KeyRefused
from doorward.model import KeyMakers, KeyPolicy, NeverEnding

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.model import Instant
    from doorward.storage.database import Reader, Transaction


@click.command(epilog="Example: doorward token policy --tenant acme --max-days 90 --create administrators")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option("--max-days", type=click.IntRange(1, key_policies.LONGEST), help="How long a key lives at most.")
@click.option(
    "--never", type=click.Choice([each.value for each in NeverEnding]), help="Who may make a key without an end."
)
@click.option(
    "--create", type=click.Choice([each.value for each in KeyMakers]), help="Who may make keys for themselves."
)
@click.option("--usual", is_flag=True, help="Begin with what holds where nothing is said.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def policy(  # noqa: PLR0913  (one option each)
    *, tenant: str, max_days: int | None, never: str | None, create: str | None, usual: bool, as_json: bool,
    config: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """Show what the tenant says of its keys, or change what is named. Keys that there are stay as they are."""

    async def use(core: "Core") -> tuple[KeyPolicy, int]:
        now = core.now()
        if max_days is None and never is None and create is None and not usual:
            return await core.database.read_long(lambda reader: _looked(reader, tenant, now))
        said = {"max_days": max_days, "never": never, "create": create}
        return await core.database.write(lambda tx: _set(tx, tenant, said, now, usual=usual))

    found, beyond = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({**key_policies.described(found), "living_longer": beyond}))
        return
    print(f"Keys in {tenant}: {key_policies.in_words(found)}.")
    if beyond:
        print(f"{beyond} made before live longer. They stay until they are rotated with an end, or revoked.")


def _looked(reader: "Reader", slug: str, now: "Instant") -> tuple[KeyPolicy, int]:
    tenant = tenant_of(reader, slug)
    return tenant.key_policy, key_policies.beyond(reader, tenant, now)


def _set(
    tx: "Transaction", slug: str, said: dict[str, Any], now: "Instant", *, usual: bool
) -> tuple[KeyPolicy, int]:  # fmt: skip
    tenant = tenant_of(tx, slug)
    before = KeyPolicy() if usual else tenant.key_policy
    merged = {name: getattr(before, name) if value is None else value for name, value in said.items()}
    try:
        done = key_policies.set_policy(tx, tenant, key_policies.parsed(**merged), maker=OPERATOR, now=now, cause=None)
    except (KeyRefused, ValueError) as wrong:
        why = wrong.public if isinstance(wrong, KeyRefused) else f"{wrong}."
        raise CommandFailed(f"nothing was changed: {why}") from wrong
    return done.policy, done.beyond
