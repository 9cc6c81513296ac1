"""``doorward tenant``: what tenants say of themselves: names, ways in, lifetimes, limits (F2)."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.accounts import tenant_settings
from doorward.accounts.tenant_settings import LONGEST_TTL, MOST_CALLS, SHORTEST_TTL, By, SettingRefused
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import Rates, Tenant
from doorward.storage import accounts

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.model import Instant
    from doorward.storage.database import Transaction

_USUAL = "usual"
_LIMITS = [item.name for item in fields(Rates)]


@click.group(epilog="Example: doorward tenant show acme")
def tenant() -> None:
    """Show and change what a tenant says of itself. Running servers follow at once; `apply` sets the same."""


@tenant.command(name="list", epilog="Example: doorward tenant list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_tenants(*, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show all tenants, by name; disabled ones too."""

    async def use(core: "Core") -> list[Tenant]:
        return await core.database.read_long(accounts.all_tenants)

    found = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"tenants": [tenant_settings.described(each) for each in found]}))
        return
    for each in found:
        print(f"{each.slug}  {each.name}  {each.status.value}")


@tenant.command(epilog="Example: doorward tenant show acme")
@click.argument("slug", metavar="SLUG")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def show(*, slug: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say what SLUG says of itself. Its keys have `doorward token policy`, its domains `doorward domain`."""

    async def use(core: "Core") -> Tenant:
        return await core.database.read_long(lambda reader: tenant_of(reader, slug))

    _print(with_core(settings_of(config, data), use), as_json=as_json)


@tenant.command(
    name="set", epilog="Example: doorward tenant set acme --name 'Acme Robotics' --limit user_per_minute=60"
)
@click.argument("slug", metavar="SLUG")
@click.option("--name", help="What people read.")
@click.option("--access-ttl", help=f"Seconds that an access token lives, {SHORTEST_TTL} to {LONGEST_TTL}, or usual.")
@click.option("--sign-in", help="Ways in, like password,passkey,google; or usual: every one.")
@click.option(
    "--limit", "limits", multiple=True, help=f"Calls at most, like user_per_minute=60 or =usual: {', '.join(_LIMITS)}."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def set_tenant(  # noqa: PLR0913  (one option each)
    *, slug: str, name: str | None, access_ttl: str | None, sign_in: str | None, limits: tuple[str, ...], as_json: bool,
    config: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """Change what is named. `usual` takes back what SLUG said, so that the deployment's word holds."""

    def work(tx: "Transaction", now: "Instant") -> Tenant:
        found = tenant_of(tx, slug)
        try:
            said = _said(found, name, access_ttl, sign_in, limits)
            return tenant_settings.change(tx, found.id, by=By(user_id=None, cause=None), now=now, **said)
        except SettingRefused as refused:
            raise CommandFailed(f"nothing was changed, for {refused.field}: {refused}") from refused

    async def use(core: "Core") -> Tenant:
        now = core.now()
        return await core.database.write(lambda tx: work(tx, now))

    _print(with_core(settings_of(config, data), use), as_json=as_json)


def _said(
    found: Tenant, name: str | None, access_ttl: str | None, sign_in: str | None, limits: tuple[str, ...]
) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if name is not None:
        said["name"] = tenant_settings.named(name)
    if access_ttl is not None:
        said["access_ttl"] = _number("access_ttl", access_ttl, least=SHORTEST_TTL, most=LONGEST_TTL)
    if sign_in is not None:
        ways = tuple(dict.fromkeys(part.strip() for part in sign_in.split(",") if part.strip()))
        said["sign_in_methods"] = None if ways == (_USUAL,) else ways
    rates = found.rates
    for limit in limits:
        which, _, number = limit.partition("=")
        if which not in _LIMITS or not number:
            raise SettingRefused(which[:80] or "limit", f"Write LIMIT=NUMBER; limits are {', '.join(_LIMITS)}.")
        changed: dict[str, Any] = {which: _number(which, number, least=0, most=MOST_CALLS)}
        rates = replace(rates, **changed)
    return said | ({"rates": rates} if limits else {})


def _number(field: str, text: str, *, least: int, most: int) -> int | None:
    return tenant_settings.whole(field, "" if text == _USUAL else text or "-", least=least, most=most)


def _print(found: Tenant, *, as_json: bool) -> None:
    said = tenant_settings.described(found)
    if as_json:
        print(json.dumps(said))
        return
    ways = "every way" if found.sign_in_methods is None else ", ".join(found.sign_in_methods)
    print(f"{found.slug}  {found.name}  {found.status.value}")
    print(f"  signing in: {ways}")
    print(f"  access tokens live: {'as usual' if found.access_ttl is None else f'{found.access_ttl} s'}")
    limits = [f"{which}={number}" for which, number in said["rates"].items() if number is not None]
    print(f"  limits: {' '.join(limits) or 'as usual'}")
