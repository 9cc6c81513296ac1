"""``doorward user``: the people of the deployment, their roles, and how they leave. Running servers follow at once."""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from doorward.accounts import leaving, members, new_password
from doorward.accounts.actors import OPERATOR, Actor
from doorward.accounts.members import Newcomer, Place, Wanted
from doorward.accounts.refused import PeopleRefused
from doorward.cli.errors import CommandFailed
from doorward.cli.invitation import place_of, send
from doorward.cli.named import tenant_of, user_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import Tenant, User, UserId
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction

if TYPE_CHECKING:
    from doorward.accounts.leaving import Left
    from doorward.bootstrap.core import Core

BY_HAND: Final = Actor(user_id=None, by=OPERATOR, cause=None)

T = TypeVar("T")


@click.group(epilog="Example: doorward user list")
def user() -> None:
    """List people, give them roles, deactivate and delete them."""


user.add_command(send, "invite")


@user.command(name="list", epilog="Example: doorward user list --tenant acme")
@click.option("--tenant", help="Slug: only its members, with their roles.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_users(*, tenant: str | None, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say who has an account, by address; deactivated ones too."""

    def look(reader: Reader) -> list[dict[str, Any]]:
        if tenant is not None:
            return [
                described(each.user, roles=each.roles) for each in members.members(reader, tenant_of(reader, tenant))
            ]
        return [described(each) for each in accounts.all_users(reader)]

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(look)

    found = attempt(config, data, use)
    if as_json:
        print(json.dumps({"users": found}))
        return
    for each in found:
        roles = "" if tenant is None else f"  {', '.join(each['roles']) or 'no role'}"
        print(f"{each['email']}  {each['name']}  {each['kind']}  {each['status']}{roles}")


@user.command(epilog="Example: doorward user show ines@acme.example")
@click.argument("email", metavar="EMAIL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def show(*, email: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say where EMAIL belongs and with which roles."""

    def look(reader: Reader) -> dict[str, Any]:
        found = user_of(reader, email)
        places = [(tenant, members.member_by(reader, tenant, found.id)) for tenant in tenants_of(reader, found.id)]
        return described(found) | {
            "tenants": [
                {"tenant": tenant.slug, "roles": list(each.roles), "at": [_words(place) for place in each.places]}
                for tenant, each in places
            ]
        }

    async def use(core: "Core") -> dict[str, Any]:
        return await core.database.read_long(look)

    found = attempt(config, data, use)
    if as_json:
        print(json.dumps(found))
        return
    print(f"{found['id']}  {found['email']}  {found['name']}  {found['kind']}  {found['status']}")
    for each in found["tenants"]:
        print(f"  {each['tenant']}: {', '.join([*each['roles'], *each['at']]) or 'no role'}")


@user.command(epilog="Example: doorward user create sam@acme.example --name Sam --tenant acme --role editor")
@click.argument("email", metavar="EMAIL")
@click.option("--name", help="Name. Default: what stands before the @.")
@click.option("--tenant", required=True, help="Slug of the tenant that they become a member of.")
@click.option("--role", "roles", multiple=True, help="Role there; repeated.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input. Default: they have none.")
@deployment
def create(  # noqa: PLR0913  (one option each)
    *, email: str, name: str | None, tenant: str, roles: tuple[str, ...], password_stdin: bool, config: Path | None,
    data: Path | None,
) -> None:  # fmt: skip
    """Make an account for EMAIL. Without a password they come in by an invitation, a link or a provider."""
    known_as = name or email.partition("@")[0]
    password = _password(email, known_as) if password_stdin else None

    async def use(core: "Core") -> User:
        hashed = None if password is None else await core.passwords.hash(password)
        newcomer = Newcomer(name=known_as, email=email, password_hash=hashed, roles=roles)
        made = await core.database.write(
            lambda tx: members.add_member(
                tx, tenant_of(tx, tenant), newcomer, BY_HAND, now=core.now(), entropy=core.entropy
            )
        )
        return made.user

    print(f"{attempt(config, data, use).email} has an account.")


@user.command(epilog="Example: doorward user roles sam@acme.example --tenant acme --role editor --at viewer=folder/f1")
@click.argument("email", metavar="EMAIL")
@click.option("--tenant", required=True, help="Slug.")
@click.option("--role", "names", multiple=True, help="Role in the whole tenant; repeated.")
@click.option("--at", "places", multiple=True, help="ROLE=TYPE/KEY: role at a resource and below; repeated.")
@click.option("--none", "nothing", is_flag=True, help="Take all roles away.")
@deployment
def roles(  # noqa: PLR0913  (one option each)
    *, email: str, tenant: str, names: tuple[str, ...], places: tuple[str, ...], nothing: bool, config: Path | None,
    data: Path | None,
) -> None:  # fmt: skip
    """Give EMAIL exactly these roles in a tenant; without --at those at resources stay."""
    if bool(names or places) == nothing:
        raise CommandFailed("say which roles: --role, --at, or --none.")
    at = [place_of(text) for text in places] if places or nothing else None

    def change(tx: Transaction, core: "Core") -> members.Member:
        here = tenant_of(tx, tenant)
        wanted = Wanted(roles=names, places=at)
        return members.set_roles(tx, here, user_of(tx, email).id, wanted, BY_HAND, now=core.now())

    async def use(core: "Core") -> members.Member:
        return await core.database.write(lambda tx: change(tx, core))

    found = attempt(config, data, use)
    held = [*found.roles, *(_words(place) for place in found.places)]
    print(f"{found.user.email} in {tenant}: {', '.join(held) or 'no role'}.")


@user.command(epilog="Example: doorward user remove sam@acme.example --tenant acme")
@click.argument("email", metavar="EMAIL")
@click.option("--tenant", required=True, help="Slug.")
@deployment
def remove(*, email: str, tenant: str, config: Path | None, data: Path | None) -> None:
    """Take EMAIL out of a tenant. All that they hold in it ends at once; elsewhere nothing changes."""

    async def use(core: "Core") -> "Left":
        return await core.database.write(
            lambda tx: leaving.leave_tenant(
                tx, user_of(tx, email).id, tenant_of(tx, tenant), BY_HAND, now=core.now()
            )
        )  # fmt: skip

    left = attempt(config, data, use)
    print(f"{left.user.email} is no member of {tenant} any more.{_told(left)}")


@user.command(epilog="Example: doorward user deactivate sam@acme.example")
@about(email="EMAIL")
def deactivate(*, email: str, config: Path | None, data: Path | None) -> None:
    """End all that EMAIL holds, everywhere: sessions, apps, keys, devices. Their next call is refused."""
    left = attempt(config, data, _ending(email, leaving.deactivate))
    print(f"{left.user.email} is deactivated.{_told(left)}")


@user.command(epilog="Example: doorward user activate sam@acme.example")
@about(email="EMAIL")
def activate(*, email: str, config: Path | None, data: Path | None) -> None:
    """Let EMAIL sign in again, with the roles they kept. What was ended stays ended."""
    left = attempt(config, data, _ending(email, leaving.activate))
    print(f"{left.user.email} is active.")


@user.command(epilog="Example: doorward user delete sam@acme.example --yes")
@click.argument("email", metavar="EMAIL")
@click.option("--yes", is_flag=True, help="Do not ask.")
@deployment
def delete(*, email: str, yes: bool, config: Path | None, data: Path | None) -> None:
    """End the account of EMAIL for ever. The audit log keeps what they did, and in one event who they were."""
    if not yes:
        click.confirm(f"Delete {email} for ever?", abort=True, err=True)
    left = attempt(config, data, _ending(email, leaving.delete))
    print(f"{left.user.email} is deleted.{_told(left)}")


def attempt(config: Path | None, data: Path | None, use: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``use`` on the deployment. Raises ``CommandFailed`` where a rule is against it."""
    try:
        return with_core(settings_of(config, data), use)
    except PeopleRefused as wrong:
        raise CommandFailed(f"{wrong.public} {wrong.fault.fix}") from wrong


def tenants_of(reader: Reader, user_id: UserId) -> list[Tenant]:
    """Return the tenants that somebody belongs to, disabled ones too."""
    every = accounts.all_tenants(reader)
    return [each for each in every if user_id in {user.id for user, _ in accounts.members_of_tenant(reader, each.id)}]


def described(found: User, *, roles: Sequence[str] | None = None) -> dict[str, Any]:
    """Return an account as ``--json`` shows it."""
    facts = {
        "id": found.id, "email": found.email, "name": found.name, "kind": found.kind.value, "status": found.status.value
    }  # fmt: skip
    return facts if roles is None else facts | {"roles": list(roles)}


def _ending(email: str, action: "Callable[..., Left]") -> "Callable[[Core], Awaitable[Left]]":
    async def use(core: "Core") -> "Left":
        return await core.database.write(lambda tx: action(tx, user_of(tx, email).id, BY_HAND, now=core.now()))

    return use


def _told(left: "Left") -> str:
    ended = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in left.ended.items())
    return f" Ended: {ended}." if ended else " They held nothing."


def _words(place: Place) -> str:
    return f"{place.role} at {place.type}/{place.key}"


def _password(email: str, name: str) -> str:
    text = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    why = new_password.why_not(text, email=email, name=name)
    if why is not None:
        raise CommandFailed(why)
    return text
