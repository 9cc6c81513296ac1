"""``doorward service-account``: accounts that own keys and workload identities and never sign in (feature C6)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.accounts import members
from doorward.accounts.members import Newcomer
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment
from doorward.cli.user import BY_HAND, activate, attempt, deactivate, delete, described, roles
from doorward.model import OwnerKind

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core


@click.group(name="service-account", epilog="Example: doorward service-account create acme Deploy --role editor")
def service_account() -> None:
    """Make accounts for programs: they own keys and workload identities, and nobody signs in as one."""


@service_account.command(epilog="Example: doorward service-account create acme Deploy --role editor")
@click.argument("tenant", metavar="TENANT")
@click.argument("name", metavar="NAME")
@click.option("--role", "names", multiple=True, help="Role in the tenant; repeated.")
@click.option("--email", default="", help="Address by which commands name it. Default: one that no mail reaches.")
@deployment
def create(
    *, tenant: str, name: str, names: tuple[str, ...], email: str, config: Path | None, data: Path | None
) -> None:  # fmt: skip
    """Make a service account NAME in TENANT."""
    newcomer = Newcomer(name=name, email=email, kind=OwnerKind.SERVICE, roles=names)

    async def use(core: "Core") -> members.Member:
        return await core.database.write(
            lambda tx: members.add_member(
                tx, tenant_of(tx, tenant), newcomer, BY_HAND, now=core.now(), entropy=core.entropy
            )
        )

    print(f"{attempt(config, data, use).user.email} is made.")


@service_account.command(name="list", epilog="Example: doorward service-account list acme")
@click.argument("tenant", metavar="TENANT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_accounts(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which service accounts TENANT has, and their roles."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(
            lambda reader: [
                described(each.user, roles=each.roles)
                for each in members.members(reader, tenant_of(reader, tenant), kind=OwnerKind.SERVICE)
            ]
        )

    found = attempt(config, data, use)
    if as_json:
        print(json.dumps({"tenant": tenant, "service_accounts": found}))
        return
    for each in found:
        print(f"{each['email']}  {each['name']}  {each['status']}  {', '.join(each['roles']) or 'no role'}")


for command in (roles, deactivate, activate, delete):
    service_account.add_command(command)
