"""``doorward provider``: the systems through which people sign in, and whether they can be asked (feature E1)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.accounts.http.provider_pages import callback_path
from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core
from doorward.federation.provider_client import ProviderAway
from doorward.federation.vouching import NotVouched
from doorward.model import IdentityProvider, Status
from doorward.storage import identity_providers

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core


@click.group(epilog="Example: doorward provider check corp")
def provider() -> None:
    """Look at the identity providers that `doorward apply` declared."""


@provider.command(name="list", epilog="Example: doorward provider list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_providers(*, as_json: bool, config: Path | None, data: Path | None) -> None:
    """List the providers, with the redirect URI to register at each."""
    settings = settings_of(config, data)

    async def use(core: "Core") -> list[IdentityProvider]:
        return await core.database.read_long(identity_providers.all_providers)

    found = [_facts(each, settings.public_url) for each in with_core(settings, use)]
    if as_json:
        print(json.dumps({"providers": found}))
        return
    for each in found:
        print(f"{each['slug']}  {each['name']}  {each['issuer']}  [{each['status']}]")
        print(f"  redirect URI: {each['redirect_uri']}")


@provider.command(epilog="Example: doorward provider check corp")
@click.argument("slugs", metavar="[PROVIDER]...", nargs=-1)
@deployment
def check(*, slugs: tuple[str, ...], config: Path | None, data: Path | None) -> None:
    """Ask each PROVIDER, or all that are switched on, for its documents and keys, and look for its secret."""

    async def use(core: "Core") -> list[tuple[str, str | None]]:
        from doorward.bootstrap.providers import provider_client  # noqa: PLC0415  (only what touches data loads it)

        known = await core.database.read_long(identity_providers.all_providers)
        unknown = set(slugs) - {each.slug for each in known}
        if unknown:
            raise CommandFailed(f"there is no provider {min(unknown)[:80]!r}. See `doorward provider list`.")
        client, results = provider_client(core), []
        for each in known:
            if each.slug in slugs or (not slugs and each.status is Status.ACTIVE):
                wrong: str | None = None
                try:
                    await client.examine(each)
                except (ProviderAway, NotVouched) as failed:
                    wrong = str(failed)
                results.append((each.slug, wrong))
        return results

    results = with_core(settings_of(config, data), use)
    for slug, wrong in results:
        print(f"{slug}  {'ok' if wrong is None else f'FAIL  {wrong}'}")
    failed = [slug for slug, wrong in results if wrong is not None]
    if failed:
        raise CommandFailed(f"{len(failed)} of {len(results)} providers cannot be used. Mend what is said above.")


def _facts(each: IdentityProvider, public_url: str) -> dict[str, Any]:
    return {
        "slug": each.slug, "name": each.name, "template": each.template, "issuer": each.issuer,
        "client_id": each.client_id, "secret": each.secret or None, "domains": list(each.domains),
        "status": each.status.value, "redirect_uri": public_url + callback_path(each.slug),
    }  # fmt: skip
