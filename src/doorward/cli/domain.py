"""``doorward domain``: the mail domains of a tenant, their proof, and what follows from it (feature E1)."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from doorward.accounts import domains
from doorward.accounts.actors import Actor
from doorward.accounts.domains import DomainRefused
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import MailDomain
from doorward.protocol.mail_domain import record_name, record_value
from doorward.storage import mail_domains

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core

_OPERATOR: Final = Actor(user_id=None, by="doorward domain", cause=None)

T = TypeVar("T")


@click.group(epilog="Example: doorward domain list acme")
def domain() -> None:
    """Say which mail domains are a tenant's, prove it, and have its people come through one provider."""


@domain.command(epilog="Example: doorward domain add acme acme.example --sso corp --join viewer")
@click.argument("tenant", metavar="TENANT")
@click.argument("name", metavar="DOMAIN")
@click.option("--sso", metavar="PROVIDER", help="Everybody of the domain signs in through this provider.")
@click.option("--join", metavar="ROLE", help="Whoever comes through it becomes a member with this role.")
@deployment
def add(
    *, tenant: str, name: str, sso: str | None, join: str | None, config: Path | None, data: Path | None
) -> None:  # fmt: skip
    """Say that DOMAIN is TENANT's, or change what holds for its people. It has no effect before it is proven."""

    async def use(core: "Core") -> MailDomain:
        now, entropy = core.now(), core.entropy
        return await core.database.write(
            lambda tx: domains.say(
                tx, _OPERATOR, tenant_of(tx, tenant), name, provider=sso, join_role=join, now=now, entropy=entropy
            )
        )

    found = _try(config, data, use)
    if found.proven_at is None:
        print("Add this DNS record, then run `doorward domain verify`:")
        print(f"{record_name(found.domain)}  TXT  {record_value(found.challenge)}")
    else:
        print(f"{found.domain} is proven; this holds now.")


@domain.command(epilog="Example: doorward domain verify acme acme.example")
@click.argument("tenant", metavar="TENANT")
@click.argument("name", metavar="DOMAIN")
@click.option("--by-hand", metavar="REASON", help="Without DNS: answer for it yourself; the reason is kept.")
@deployment
def verify(*, tenant: str, name: str, by_hand: str | None, config: Path | None, data: Path | None) -> None:
    """Look for DOMAIN's record, and have it proven for TENANT."""

    async def use(core: "Core") -> None:
        from doorward.bootstrap.domains import domain_proofs  # noqa: PLC0415  (only what touches data loads it)

        found = await core.database.read(
            lambda reader: domains.stored_domain(reader, tenant_of(reader, tenant), name)
        )  # fmt: skip
        if by_hand is None:
            await domain_proofs(core).verify(_OPERATOR, found)
            return
        now = core.now()
        await core.database.write(lambda tx: domains.confirm(tx, _OPERATOR, found, why=by_hand, now=now))

    _try(config, data, use)
    print(f"{name} is proven for {tenant}.")


@domain.command(epilog="Example: doorward domain remove acme acme.example")
@about(tenant="TENANT", name="DOMAIN")
def remove(*, tenant: str, name: str, config: Path | None, data: Path | None) -> None:
    """Take DOMAIN from TENANT. What held for its people holds no more."""

    async def use(core: "Core") -> None:
        now = core.now()
        await core.database.write(lambda tx: domains.remove(tx, _OPERATOR, tenant_of(tx, tenant), name, now=now))

    _try(config, data, use)
    print(f"{name} is no longer {tenant}'s.")


@domain.command(name="list", epilog="Example: doorward domain list acme --json")
@click.argument("tenant", metavar="TENANT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_domains(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which domains are TENANT's, how each was proven, and what holds for its people."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(
            lambda reader: [
                domains.described(reader, each)
                for each in mail_domains.domains_of_tenant(reader, tenant_of(reader, tenant).id)
            ]
        )

    found = _try(config, data, use)
    if as_json:
        print(json.dumps({"tenant": tenant, "domains": found}))
        return
    for each in found:
        state = f"proven ({each['proven_by']})" if each["proven_at"] else "not proven"
        rules = [f"sso {each['sso']}" if each["sso"] else "", f"join {each['join']}" if each["join"] else ""]
        print("  ".join(part for part in (each["domain"], state, *rules) if part))


def _try(config: Path | None, data: Path | None, use: Callable[[Any], Awaitable[T]]) -> T:
    try:
        return with_core(settings_of(config, data), use)
    except DomainRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong
