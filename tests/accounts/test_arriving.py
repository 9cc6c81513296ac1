"""Invitations that wait for somebody who comes through a provider: accepted by a proven address only (E1, E2; H18 to H20)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.accounts.test_provider_sign_in import Street, built, refused, signed_in

from doorward.model import Instant, Invitation, Placement, ResourceId, Tenant, User, UserId
from doorward.storage import accounts, invitations, permissions
from doorward.storage.database import Reader
from support.rows import ACME, ALICE, BOB, GLOBEX, NOW
from support.sign_in_rules import put_proven_domain

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1", "E2")]
ERIN = "erin@acme.test"
PROVEN = {"email": ERIN, "email_verified": True}
A_WEEK = 7 * 86_400 * 1_000_000


def invitation(tenant: Tenant = ACME, **more: Any) -> Invitation:
    said = {
        "id": f"inv_{tenant.slug}", "tenant_id": tenant.id, "email": ERIN, "roles": ("viewer",), "places": (),
        "invited_by": None, "created_at": NOW, "sent_at": NOW, "expires_at": Instant(NOW + A_WEEK),
    }  # fmt: skip
    return Invitation(**(said | more))


async def invite(street: Street, *waiting: Invitation) -> None:
    for each in waiting:
        await street.house.database.write(lambda tx, each=each: invitations.insert_invitation(tx, each))


async def belongs(street: Street, email: str = ERIN) -> dict[str, tuple[str, ...]] | None:
    """Return the roles of whoever has this address, by tenant; None where nobody has it."""

    def look(reader: Reader) -> dict[str, tuple[str, ...]] | None:
        user = accounts.user_by_email(reader, email)
        if user is None:
            return None
        return {tenant.slug: place.roles for tenant, place in accounts.memberships_of_user(reader, user.id)}

    found: dict[str, tuple[str, ...]] | None = await street.house.database.read_long(look)
    return found


async def accepted(street: Street, waiting: Invitation) -> bool:
    found = await street.house.database.read(lambda reader: invitations.invitation_by_id(reader, waiting.id))
    return found is not None and found.accepted_at is not None


@pytest.fixture
async def either(tmp_path: Path, url: str) -> AsyncIterator[Street]:
    """On both databases: the provider speaks for acme.test."""
    async with built(tmp_path, url) as street:
        await street.redeclare(domains=("acme.test",))
        yield street


@pytest.fixture
async def street(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Street]:
    async with built(tmp_path, sqlite_url) as street:
        await street.redeclare(domains=("acme.test",))
        yield street


async def test_who_is_invited_and_unknown_comes_in_by_a_proven_address(either: Street) -> None:
    await invite(either, invitation(), invitation(GLOBEX))
    either.idp.person |= PROVEN
    browsers = [either.house.browser() for _ in range(3)]
    answers = await asyncio.gather(*map(either.come, browsers))
    assert all(map(signed_in, answers)), "also of three at once"
    assert await belongs(either) == {"acme": ("viewer",), "globex": ("viewer",)}
    assert await accepted(either, invitation())
    assert {"invitation:accepted", "membership:changed", "identity:connected"} <= set(await either.events())


@pytest.mark.parametrize(
    "person",
    [{"email": ERIN}, {"email": ERIN, "email_verified": "true"}, {"email": ERIN, "email_verified": False},
     {"email": "erin@other.test", "email_verified": True}, {"email_verified": True}],
    ids=["not said", "a text", "false", "another address", "none"],
)  # fmt: skip
async def test_H18_an_address_that_is_not_proven_accepts_nothing(street: Street, person: dict[str, Any]) -> None:
    await invite(street, invitation())
    street.idp.person |= person
    refused(await street.come(), "DW-445", 403)
    assert await belongs(street) is None
    assert not await accepted(street, invitation())


async def test_H18_a_provider_that_does_not_speak_for_the_domain_accepts_nothing(street: Street) -> None:
    await street.redeclare(domains=("other.test",))
    await invite(street, invitation())
    street.idp.person |= PROVEN
    refused(await street.come(), "DW-445", 403)
    assert not await accepted(street, invitation())


@pytest.mark.parametrize(
    "changed",
    [{"expires_at": NOW}, {"revoked_at": NOW}, {"accepted_at": NOW}, {"invited_by": UserId("usr_gone")},
     {"invited_by": BOB.id}, {"roles": ("no-such-role",)},
     {"places": (Placement(role="viewer", resource_id=ResourceId("gone")),)}],
    ids=["expired", "taken back", "accepted", "by nobody", "by a stranger", "a role that is gone", "a node that is gone"],
)  # fmt: skip
async def test_H20_an_invitation_that_holds_no_more_lets_nobody_in(street: Street, changed: dict[str, Any]) -> None:
    if changed.get("invited_by") == "usr_gone":
        gone = User(id=UserId("usr_gone"), email="gone@acme.test", name="Gone", created_at=NOW)
        await street.house.database.write(lambda tx: accounts.insert_user(tx, gone, None))
    await invite(street, invitation(**changed))
    street.idp.person |= PROVEN
    refused(await street.come(), "DW-445", 403)
    assert await belongs(street) is None


async def test_H21_a_tenant_that_does_not_take_the_provider_gets_nobody_through_it(street: Street) -> None:
    await street.house.database.write(
        lambda tx: accounts.update_tenant(tx, replace(ACME, sign_in_methods=("password",)))
    )
    await invite(street, invitation())
    street.idp.person |= PROVEN
    refused(await street.come(), "DW-445", 403)
    assert not await accepted(street, invitation())


async def test_who_has_an_account_and_belongs_nowhere_accepts_by_signing_in(either: Street) -> None:
    erin = User(id=UserId("usr_erin"), email=ERIN, name="Erin", created_at=NOW)
    await either.house.database.write(lambda tx: accounts.insert_user(tx, erin, None))
    await either.connected(erin)
    either.idp.person |= {"email": "erin@else.test", "email_verified": True}
    await invite(either, invitation())
    assert signed_in(await either.come())
    assert await belongs(either) == {}, "the provider told another address, which proves nothing of this one"
    either.idp.person |= PROVEN
    assert signed_in(await either.come(either.house.browser()))
    assert await belongs(either) == {"acme": ("viewer",)}


async def test_who_is_a_member_somewhere_is_put_nowhere_else_unasked(street: Street) -> None:
    await street.connected(ALICE)
    waiting = invitation(GLOBEX, email=ALICE.email)
    await invite(street, waiting)
    street.idp.person |= {"email": ALICE.email, "email_verified": True}
    assert signed_in(await street.come())
    assert set(await belongs(street, ALICE.email) or {}) == {"acme"}
    assert not await accepted(street, waiting)


async def test_of_an_invitation_and_a_domain_whose_people_may_join_the_invitation_says_as_what(street: Street) -> None:
    provider = await street.house.database.write(lambda tx: street.idp.declare(tx, domains=("acme.test",)))
    await street.house.database.write(
        lambda tx: put_proven_domain(tx, ACME, "acme.test", provider_id=provider.id, join_role="viewer")
    )
    await invite(street, invitation(roles=("owner",)))
    street.idp.person |= PROVEN
    assert signed_in(await street.come())
    assert await belongs(street) == {"acme": ("owner",)}


async def test_M3_who_invited_and_lost_the_right_since_invited_nobody(street: Street) -> None:
    await invite(street, invitation(invited_by=ALICE.id))
    await street.house.database.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    street.idp.person |= PROVEN
    refused(await street.come(), "DW-445", 403)
