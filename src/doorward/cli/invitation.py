"""``doorward invitation``: inviting people into a tenant by mail (feature E2)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from doorward.accounts import invitations
from doorward.accounts.actors import Actor
from doorward.accounts.invitations import Guest, InvitationRefused, Sent
from doorward.accounts.members import Place
from doorward.accounts.refused import PeopleRefused
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import Instant, Tenant
from doorward.storage import permissions
from doorward.storage.database import Reader, Transaction

if TYPE_CHECKING:
    from doorward.accounts.mailed import Mailing
    from doorward.bootstrap.core import Core

BY_HAND: Final = Actor(user_id=None, by="doorward invitation", cause=None)

T = TypeVar("T")


@click.group(epilog="Example: doorward invitation send sam@acme.example --tenant acme --role editor")
def invitation() -> None:
    """Invite people into a tenant by mail. A running server sends the mail, and sees every change at once."""


@invitation.command(epilog="Example: doorward invitation send sam@acme.example --tenant acme --at editor=folder/f1")
@click.argument("email", metavar="EMAIL")
@click.option("--tenant", required=True, help="Slug.")
@click.option("--role", "roles", multiple=True, help="Role in the whole tenant; repeated.")
@click.option("--at", "places", multiple=True, help="ROLE=TYPE/KEY: role at a resource and below; repeated.")
@deployment
def send(
    *, email: str, tenant: str, roles: tuple[str, ...], places: tuple[str, ...], config: Path | None, data: Path | None
) -> None:
    """Invite EMAIL. Without mail, the link is printed: hand it to that person and to nobody else."""
    guest = Guest(email=email, roles=roles, places=[place_of(text) for text in places])

    def work(tx: Transaction, here: Tenant, mailing: "Mailing", now: Instant) -> Sent:
        return invitations.invite(tx, here, guest, BY_HAND, mailing, now=now)

    _say(*_change(config, data, tenant, work))


@invitation.command(name="list", epilog="Example: doorward invitation list --tenant acme --json")
@click.option("--tenant", required=True, help="Slug.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_invitations(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say who is invited, and what became of it."""
    from doorward.api.invitations import described  # noqa: PLC0415  (only this command needs the API's form)

    def look(reader: Reader, now: Instant) -> list[dict[str, Any]]:
        here = tenant_of(reader, tenant)
        nodes = permissions.resources_of_tenant(reader, here.id)
        return [described(each, nodes, now) for each in invitations.listed(reader, here, BY_HAND)]

    async def use(core: "Core") -> list[dict[str, Any]]:
        now = core.now()
        return await core.database.read_long(lambda reader: look(reader, now))

    found = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"tenant": tenant, "invitations": found}))
        return
    for each in found:
        roles = [*each["roles"], *(f"{place['role']} at {place['type']}/{place['key']}" for place in each["at"])]
        print(f"{each['id']}  {each['email']}  {each['state']}  {', '.join(roles) or 'no role'}")


@invitation.command(epilog="Example: doorward invitation resend inv_3f… --tenant acme")
@click.argument("invitation_id", metavar="ID")
@click.option("--tenant", required=True, help="Slug.")
@deployment
def resend(*, invitation_id: str, tenant: str, config: Path | None, data: Path | None) -> None:
    """Send a new link for the invitation ID; the old one ends."""

    def work(tx: Transaction, here: Tenant, mailing: "Mailing", now: Instant) -> Sent:
        return invitations.send_again(tx, here, invitation_id, BY_HAND, mailing, now=now)

    _say(*_change(config, data, tenant, work))


@invitation.command(epilog="Example: doorward invitation revoke inv_3f… --tenant acme")
@click.argument("invitation_id", metavar="ID")
@click.option("--tenant", required=True, help="Slug.")
@deployment
def revoke(*, invitation_id: str, tenant: str, config: Path | None, data: Path | None) -> None:
    """Take the invitation ID back, at once."""

    def work(tx: Transaction, here: Tenant, _mailing: "Mailing", now: Instant) -> str:
        return invitations.revoke(tx, here, invitation_id, BY_HAND, now=now).email

    email, _ = _change(config, data, tenant, work)
    print(f"{email} is not invited to {tenant} any more.")


def _say(sent: Sent, mail_on: bool) -> None:  # noqa: FBT001  (one answer of two)
    invited = sent.invitation
    if mail_on:
        print(f"{invited.email} is invited ({invited.id}); a running server sends the mail.")
    else:
        print(f"{invited.email} is invited ({invited.id}). Mail is off: give this link to them, and to nobody else.")
        print(sent.url)


def _change(
    config: Path | None, data: Path | None, slug: str, work: "Callable[[Transaction, Tenant, Mailing, Instant], T]"
) -> tuple[T, bool]:
    async def use(core: "Core") -> tuple[T, bool]:
        from doorward.bootstrap.mailed import mailing_of  # noqa: PLC0415  (only what changes data loads it)

        mailing, now = mailing_of(core), core.now()
        return (
            await core.database.write(lambda tx: work(tx, tenant_of(tx, slug), mailing, now)),
            mailing.outbox.on,
        )

    try:
        return with_core(settings_of(config, data), use)
    except (InvitationRefused, PeopleRefused) as wrong:
        raise CommandFailed(f"{wrong.public} {wrong.fault.fix}") from wrong


def place_of(text: str) -> Place:
    """Return ``ROLE=TYPE/KEY``. Raises ``CommandFailed``."""
    role, _, node = text.partition("=")
    kind, _, key = node.partition("/")
    if not role or not kind or not key:
        raise CommandFailed("--at must be ROLE=TYPE/KEY, like viewer=folder/f1.")
    return Place(role=role, type=kind, key=key)
