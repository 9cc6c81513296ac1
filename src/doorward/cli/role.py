"""``doorward role``: the roles of a tenant, who has them, and where. Running servers follow at the next call."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from doorward.accounts import members, roles
from doorward.accounts.actors import Actor
from doorward.accounts.members import Place
from doorward.accounts.roles import Holder
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of, user_of
from doorward.cli.options import deployment
from doorward.cli.user import attempt
from doorward.model import Role, Tenant
from doorward.storage.database import Reader, Transaction

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core

_BY_HAND = Actor(user_id=None, by="doorward role", cause=None)
_NAME = click.argument("name", metavar="NAME")
_TENANT = click.option("--tenant", required=True, help="Slug.")
_PERMISSIONS = click.option(
    "--permission", "patterns", multiple=True, help="Like documents:read or documents:*; repeated."
)
_AT = click.option("--at", "at", required=True, help="TYPE/KEY: the resource; the role holds there and below.")

T = TypeVar("T")


@click.group(epilog="Example: doorward role create scribe --tenant acme --permission documents:write")
def role() -> None:
    """Make roles, say what they give, and who has them where."""


@role.command(name="list", epilog="Example: doorward role list --tenant acme")
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_roles(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which roles there are, what they give and how many have them."""
    found = _look(config, data, tenant, roles.listed)
    if as_json:
        print(json.dumps({"tenant": tenant, "roles": [described(each.role, each.count) for each in found]}))
        return
    for each in found:
        given = " ".join(each.role.permissions) or "nothing"
        print(
            f"{each.role.name}  {'built in' if roles.is_built_in(each.role) else 'own'}  held by {each.count}  {given}"
        )


@role.command(epilog="Example: doorward role show scribe --tenant acme")
@_NAME
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def show(*, name: str, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say what NAME gives, and who has it where."""

    def look(reader: Reader, here: Tenant) -> tuple[Role, list[Holder]]:
        found = roles.role_by(reader, here, name)
        return found, roles.holders(reader, here, found)

    found, holders = _look(config, data, tenant, look)
    if as_json:
        print(json.dumps(described(found, len(holders)) | {"holders": [holder_of(each) for each in holders]}))
        return
    print(f"{found.name}  {' '.join(found.permissions) or 'nothing'}")
    for each in holders:
        where = ["everywhere"] if each.everywhere else []
        print(f"  {each.user.email}: {', '.join([*where, *(f'{node.type}/{node.key}' for node in each.nodes)])}")


@role.command(epilog="Example: doorward role create scribe --tenant acme --permission documents:write")
@_NAME
@_TENANT
@_PERMISSIONS
@deployment
def create(*, name: str, tenant: str, patterns: tuple[str, ...], config: Path | None, data: Path | None) -> None:
    """Make a role NAME that gives these permissions."""

    def work(tx: Transaction, here: Tenant, core: "Core") -> Role:
        return roles.make(tx, here, name, patterns, _BY_HAND, now=core.now(), entropy=core.entropy)

    print(f"{_do(config, data, tenant, work).name} is made.")


@role.command(epilog="Example: doorward role change scribe --tenant acme --permission 'documents:*'")
@_NAME
@_TENANT
@_PERMISSIONS
@deployment
def change(*, name: str, tenant: str, patterns: tuple[str, ...], config: Path | None, data: Path | None) -> None:
    """Let NAME give exactly these permissions: the next call of whoever has it is decided by them."""
    done = _do(
        config, data, tenant,
        lambda tx, here, core: roles.change(tx, here, name, patterns, _BY_HAND, now=core.now()),
    )  # fmt: skip
    print(f"{done.name} gives {' '.join(done.permissions) or 'nothing'}.")


@role.command(epilog="Example: doorward role delete scribe --tenant acme --move-to viewer")
@_NAME
@_TENANT
@click.option("--move-to", help="Role that those who have it get in its place. Default: refused where somebody has it.")
@deployment
def delete(*, name: str, tenant: str, move_to: str | None, config: Path | None, data: Path | None) -> None:
    """Delete the role NAME of the tenant's own."""
    gone = _do(
        config, data, tenant,
        lambda tx, here, core: roles.remove(tx, here, name, _BY_HAND, move_to=move_to, now=core.now()),
    )  # fmt: skip
    told = f" {len(gone.moved)} moved to {gone.moved_to}." if gone.moved else ""
    print(f"{gone.role.name} is deleted.{told}")


@role.command(epilog="Example: doorward role give scribe sam@acme.example --tenant acme --at project/atlas")
@_NAME
@click.argument("email", metavar="EMAIL")
@_TENANT
@_AT
@deployment
def give(*, name: str, email: str, tenant: str, at: str, config: Path | None, data: Path | None) -> None:
    """Give EMAIL the role NAME at a resource; for the whole tenant see `doorward user roles`."""
    place = _place(name, at)
    _do(
        config, data, tenant,
        lambda tx, here, core: members.give_at(tx, here, user_of(tx, email).id, place, _BY_HAND, now=core.now()),
    )  # fmt: skip
    print(f"{email} is {name} at {at}.")


@role.command(epilog="Example: doorward role take scribe sam@acme.example --tenant acme --at project/atlas")
@_NAME
@click.argument("email", metavar="EMAIL")
@_TENANT
@_AT
@deployment
def take(*, name: str, email: str, tenant: str, at: str, config: Path | None, data: Path | None) -> None:
    """Take the role NAME at a resource from EMAIL, at once."""
    place = _place(name, at)
    _do(
        config, data, tenant,
        lambda tx, here, core: members.take_at(tx, here, user_of(tx, email).id, place, _BY_HAND, now=core.now()),
    )  # fmt: skip
    print(f"{email} is not {name} at {at} any more.")


def described(found: Role, count: int) -> dict[str, Any]:
    """Return a role as ``--json`` shows it."""
    return {
        "id": found.id, "name": found.name, "built_in": roles.is_built_in(found),
        "permissions": list(found.permissions), "held_by": count,
    }  # fmt: skip


def holder_of(holder: Holder) -> dict[str, Any]:
    """Return who has a role, as ``--json`` shows it."""
    return {
        "id": holder.user.id, "email": holder.user.email, "everywhere": holder.everywhere,
        "at": [{"type": node.type, "key": node.key} for node in holder.nodes],
    }  # fmt: skip


def _place(name: str, at: str) -> Place:
    kind, _, key = at.partition("/")
    if not kind or not key:
        raise CommandFailed("--at must be TYPE/KEY, like folder/f1.")
    return Place(role=name, type=kind, key=key)


def _look(config: Path | None, data: Path | None, slug: str, look: Callable[[Reader, Tenant], T]) -> T:
    async def use(core: "Core") -> T:
        return await core.database.read_long(lambda reader: look(reader, tenant_of(reader, slug)))

    return attempt(config, data, use)


def _do(config: Path | None, data: Path | None, slug: str, work: "Callable[[Transaction, Tenant, Core], T]") -> T:
    async def use(core: "Core") -> T:
        return await core.database.write(lambda tx: work(tx, tenant_of(tx, slug), core))

    return attempt(config, data, use)
