"""Clients that people register: who may, what they may be, and what becomes of what was let in (B5)."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.authserver.world import FINGERPRINTER

from doorward.accounts import leaving
from doorward.accounts.actors import Actor
from doorward.authserver import client_makers, registered, registered_list
from doorward.authserver.client_makers import OPERATOR, ClientMaker, ClientRefused, ClientUnknown, ClientWork
from doorward.authserver.client_wishes import ClientWish
from doorward.model import (
    ClientAuthMethod,
    ClientId,
    Connection,
    ConnectionId,
    CredentialKind,
    Instant,
    Permission,
    Principal,
    Resource,
    ResourceId,
    Role,
    RoleId,
    Status,
    User,
    UserId,
)
from doorward.rights import REGISTER_CLIENTS
from doorward.storage import clients, connections, events, permissions
from support.pages import CAROL, PUBLIC_URL, ROBOT, House, opened_house
from support.rows import ACME, ALICE, BOB, CONNECTION, GLOBEX, NOW

pytestmark = pytest.mark.anyio
URI = "https://portal.example/cb"
PORTAL = ClientWish(name="Portal", redirect_uris=(URI,))
KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}  # fmt: skip
ALPHA = ResourceId("r-alpha")


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    """People, a tree, and a member who may register apps of his own."""
    async with opened_house(tmp_path) as house:
        await house.change(_furnish)
        yield house


def _furnish(tx: Any) -> None:
    permissions.put_resources(
        tx, ACME.id, [Resource(id=ALPHA, tenant_id=ACME.id, type="project", key="alpha", name="Alpha")]
    )
    own = Role(id=RoleId("r-dev"), tenant_id=ACME.id, name="dev", permissions=("documents:read", "clients:register"))
    admin = Role(
        id=RoleId("r-ca"), tenant_id=ACME.id, name="client-admin", permissions=("documents:read", "clients:manage")
    )
    permissions.put_role(tx, own)
    permissions.put_role(tx, admin)
    permissions.set_membership(tx, ACME.id, BOB.id, ("dev",))
    permissions.set_membership(tx, ACME.id, ROBOT.id, ("owner",))


async def done(house: House, user: User | None, use: Callable[[Any, ClientWork], Any], tenant: Any = ACME) -> Any:
    def run(tx: Any) -> Any:
        maker = OPERATOR if user is None else client_makers.person(tx, tenant.id, user.id)
        return use(tx, work(maker, tenant))

    return await house.change(run)


def work(maker: ClientMaker, tenant: Any = ACME) -> ClientWork:
    return ClientWork(tenant=tenant, maker=maker, now=NOW, entropy=os.urandom, fingerprinter=FINGERPRINTER, cause=None)


async def made(house: House, wish: ClientWish = PORTAL, user: User | None = ALICE) -> registered.Registered:
    found: registered.Registered = await done(house, user, lambda tx, work: registered.register(tx, wish, work))
    return found


async def refused(house: House, wish: ClientWish, user: User = ALICE) -> ClientRefused:
    before = await count(house)
    with pytest.raises(ClientRefused) as found:
        await made(house, wish, user)
    assert await count(house) == before, "half-written"
    return found.value


async def count(house: House) -> int:
    return len(await house.database.read(lambda reader: clients.newest_clients(reader, 1000)))


@pytest.mark.requirement("B5")
async def test_001_client_registering_a_public_client_has_its_name_uris_and_limits_and_no_secret(house: House) -> None:
    wish = replace(PORTAL, scopes=("*:read",), resources=(("project", "alpha"),))
    made_now = await made(house, wish)
    client = made_now.client
    assert made_now.secret is None
    assert (client.name, client.redirect_uris, client.auth_method) == ("Portal", (URI,), ClientAuthMethod.NONE)
    assert client.scope_limit == {Permission("documents:read")}
    assert (client.tenant_id, client.owner_id, client.resources) == (ACME.id, None, frozenset({ALPHA}))
    assert client.grant_types == {"authorization_code", "refresh_token"}
    event = (await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 1)))[0]
    assert (event.name, event.actor_id, event.subject) == ("client:added", ALICE.id, client.id)


@pytest.mark.requirement("B5")
@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_a_confidential_client_gets_a_secret_that_is_told_once(house: House, method: str) -> None:
    found = await made(house, replace(PORTAL, method=method))
    assert found.secret is not None
    assert found.secret not in repr(found)
    stored = await house.database.read(lambda r: clients.client_secrets_of(r, found.client.id))
    assert [each.fingerprint for each in stored] == [FINGERPRINTER.of(found.secret)]


async def test_a_client_with_keys_has_them_and_no_secret(house: House) -> None:
    found = await made(house, replace(PORTAL, method="private_key_jwt", jwks=json.dumps(KEYS)))
    assert found.secret is None
    assert found.client.jwks[0]["crv"] == "P-256"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "Por\u202etal"}, "name"),
        ({"method": "magic"}, "method"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": ("http://portal.example/cb",)}, "redirect_uris"),
        ({"redirect_uris": ("javascript:alert(1)",)}, "redirect_uris"),
        ({"redirect_uris": ("https://portal.example/*",)}, "redirect_uris"),
        ({"redirect_uris": tuple(f"{URI}{n}" for n in range(33))}, "redirect_uris"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("nothing:there",)}, "scopes"),
        ({"resources": ()}, "resources"),
        ({"resources": (("project", "beta"),)}, "resources"),
        ({"method": "private_key_jwt", "jwks": "{"}, "jwks"),
        ({"method": "private_key_jwt", "jwks": "[" * 9999}, "jwks"),
        ({"method": "private_key_jwt", "jwks": '{"keys": []}'}, "jwks"),
        ({"service_account": ROBOT.email}, "service_account"),
        ({"method": "client_secret_post", "service_account": ALICE.email}, "service_account"),
        ({"method": "client_secret_post", "service_account": "no@body.example"}, "service_account"),
    ],
)
async def test_what_is_wrong_is_told_by_field_and_nothing_is_made(house: House, change: Any, field: str) -> None:
    assert (await refused(house, replace(PORTAL, **change))).field == field


async def test_who_may_register_for_the_tenant_and_who_for_themselves(house: House) -> None:
    assert (await refused(house, PORTAL, BOB)).fault.code == "DW-492"
    mine = await made(house, replace(PORTAL, own=True), BOB)
    assert mine.client.owner_id == BOB.id
    with pytest.raises(ClientRefused):
        await done(house, CAROL, lambda tx, work: registered.register(tx, replace(PORTAL, own=True), work), GLOBEX)
    with pytest.raises(ClientRefused):
        await done(house, None, lambda tx, work: registered.register(tx, replace(PORTAL, own=True), work))


async def test_an_own_app_is_within_its_persons_rights_and_never_acts_by_itself(house: House) -> None:
    own = replace(PORTAL, own=True)
    assert (await refused(house, replace(own, scopes=("documents:delete",)), BOB)).fault.code == "DW-493"
    machine = replace(own, method="client_secret_post", service_account=ROBOT.email)
    assert (await refused(house, machine, BOB)).field == "service_account"
    assert (await refused(house, replace(own, redirect_uris=("nobodysapp:/cb",)), BOB)).field == "redirect_uris"
    assert (await made(house, replace(PORTAL, redirect_uris=("nobodysapp:/cb",)))).client.redirect_uris


async def test_I6_a_machine_never_may_more_than_whoever_sees_its_secret(house: House) -> None:
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("client-admin",)))
    wish = replace(PORTAL, method="client_secret_post", service_account=ROBOT.email, redirect_uris=())
    assert (await refused(house, replace(wish, scopes=("documents:delete",)), BOB)).fault.code == "DW-493"
    small = await made(house, wish, BOB)
    assert small.client.scope_limit == {Permission("documents:read")}, "written out, so that it never grows"
    assert small.client.grant_types == {"client_credentials"}
    big = await made(house, wish, ALICE)
    assert Permission("documents:delete") in (big.client.scope_limit or ())
    with pytest.raises(ClientRefused) as found:
        await done(house, BOB, lambda tx, work: registered.add_secret(tx, big.client.id, work))
    assert found.value.fault.code == "DW-493"
    assert await done(house, BOB, lambda tx, work: registered.add_secret(tx, small.client.id, work))


async def test_there_is_an_end_to_how_many(house: House) -> None:
    for _ in range(registered.MOST_OWN):
        await made(house, replace(PORTAL, own=True), BOB)
    assert (await refused(house, replace(PORTAL, own=True), BOB)).fault.code == "DW-495"
    assert await made(house)


@pytest.mark.parametrize(
    "use",
    [
        lambda tx, client, work: registered.change(tx, client, PORTAL, work),
        lambda tx, client, work: registered.set_status(tx, client, Status.DISABLED, work),
        registered.delete,
        registered.add_secret,
        lambda tx, client, work: registered.retire_secret(tx, client, "x", NOW, work),
        lambda tx, client, work: registered_list.facts(tx, work.tenant, work.maker, client, NOW),
    ],
    ids=["change", "disable", "delete", "add secret", "retire secret", "look"],
)
async def test_a_foreign_client_is_answered_like_none(house: House, use: Any) -> None:
    mine = await made(house, replace(PORTAL, method="client_secret_post"))
    for user, tenant, client in ((BOB, ACME, mine.client.id), (CAROL, GLOBEX, mine.client.id), (ALICE, ACME, "app_x")):
        with pytest.raises(ClientUnknown):
            await done(house, user, lambda tx, work, which=client: use(tx, ClientId(which), work), tenant)


async def test_a_client_is_changed_but_not_in_kind(house: House) -> None:
    client = (await made(house, replace(PORTAL, method="client_secret_post"))).client
    basic = replace(PORTAL, name="Gate", method="client_secret_basic", resources=(("project", "alpha"),))
    assert await done(house, ALICE, lambda tx, work: registered.change(tx, client.id, basic, work))
    assert not await done(house, ALICE, lambda tx, work: registered.change(tx, client.id, basic, work))
    stored = await house.database.read(lambda reader: clients.client_by_id(reader, client.id))
    assert stored is not None
    assert (stored.name, stored.resources, stored.tenant_id) == ("Gate", frozenset({ALPHA}), ACME.id)
    for method in ("none", "private_key_jwt"):
        wish = replace(PORTAL, method=method, jwks=json.dumps(KEYS))
        with pytest.raises(ClientRefused) as found:
            await done(house, ALICE, lambda tx, work, wish=wish: registered.change(tx, client.id, wish, work))
        assert found.value.field == "method"


@pytest.mark.requirement("B5")
async def test_C28_a_secret_follows_another_with_an_overlap_and_five_are_the_most(house: House) -> None:
    found = await made(house, replace(PORTAL, method="client_secret_post"))
    client = found.client.id
    for _ in range(4):
        await done(house, ALICE, lambda tx, work: registered.add_secret(tx, client, work))
    with pytest.raises(ClientRefused) as many:
        await done(house, ALICE, lambda tx, work: registered.add_secret(tx, client, work))
    assert many.value.field == "secret"
    first = (await house.database.read(lambda reader: clients.client_secrets_of(reader, client)))[0]
    later = Instant(NOW + 3_600_000_000)
    await done(house, ALICE, lambda tx, work: registered.retire_secret(tx, client, first.id, later, work))
    good = await house.database.read(lambda reader: clients.client_secret_fingerprints(reader, client, NOW))
    assert first.fingerprint in good
    good = await house.database.read(lambda reader: clients.client_secret_fingerprints(reader, client, later))
    assert first.fingerprint not in good
    assert len(good) == 4


@pytest.mark.requirement("D3")
async def test_deleting_ends_its_connections_and_secrets_for_ever_and_tells_their_people(house: House) -> None:
    found = await made(house, replace(PORTAL, method="client_secret_post"))
    theirs = connection(found.client.id)
    await house.change(lambda tx: connections.insert_connection(tx, theirs))
    assert await done(house, ALICE, lambda tx, work: registered.delete(tx, found.client.id, work)) == 1
    assert await done(house, ALICE, lambda tx, work: registered.delete(tx, found.client.id, work)) == 0
    gone = await house.database.read(lambda reader: connections.connection_by_id(reader, theirs.id))
    assert gone is not None
    assert gone.revoked_at == NOW
    stored = await house.database.read(lambda reader: clients.client_by_id(reader, found.client.id))
    assert stored is not None
    assert (stored.status, stored.deleted_at) == (Status.DISABLED, NOW)
    assert await house.database.read(lambda reader: clients.client_secrets_of(reader, found.client.id)) == []
    for use in (
        lambda tx, work: registered.set_status(tx, found.client.id, Status.ACTIVE, work),
        lambda tx, work: registered.add_secret(tx, found.client.id, work),
    ):
        with pytest.raises(ClientRefused) as ended:
            await done(house, ALICE, use)
        assert ended.value.fault.code == "DW-494"


@pytest.mark.requirement("security/M3")
async def test_nobody_looks_after_an_app_of_somebodys_own_by_a_key_that_they_made_for_them(house: House) -> None:
    own = await made(house, replace(PORTAL, own=True), BOB)
    rights = frozenset({REGISTER_CLIENTS, Permission("documents:read")})
    bob = Principal(
        user_id=BOB.id, user_email=BOB.email, user_name=BOB.name, tenant_id=ACME.id, tenant_slug=ACME.slug,
        tenant_name=ACME.name, permissions=rights, credential=CredentialKind.API_KEY, credential_id="k",
        credential_name="k", client_id=None, scopes=rights, declined=frozenset(), can_step_up=False, resources=None,
        servers=frozenset(), expires_at=None,
    )  # fmt: skip
    for known_to, is_own in ((frozenset({ALICE.id}), False), (frozenset[UserId](), True)):
        maker = client_makers.by_key(bob, known_to)
        assert maker.may_change(own.client) is is_own
        assert maker.makes is is_own


def connection(client_id: ClientId) -> Connection:
    return replace(CONNECTION, id=ConnectionId("n-portal"), client_id=client_id, user_id=BOB.id, activated_at=NOW, resource=f"{PUBLIC_URL}/mcp", expires_at=Instant(NOW + 10**12))  # fmt: skip


async def test_the_list_is_of_all_for_administrators_and_of_ones_own_for_others(house: House) -> None:
    ours, mine = await made(house), await made(house, replace(PORTAL, own=True), BOB)
    await house.change(lambda tx: connections.insert_connection(tx, connection(ours.client.id)))
    for user, wanted in ((ALICE, {ours.client.id, mine.client.id}), (BOB, {mine.client.id})):
        rows, following = await done(
            house, user, lambda tx, work: registered_list.listed(tx, ACME, work.maker, NOW, most=10)
        )
        assert {row.client.id for row in rows} == wanted
        assert following is None
    rows, following = await done(
        house, ALICE, lambda tx, work: registered_list.listed(tx, ACME, work.maker, NOW, most=1)
    )
    assert len(rows) == 1
    assert following is not None
    used = await done(house, ALICE, lambda tx, work: registered_list.facts(tx, ACME, work.maker, ours.client.id, NOW))
    assert (used.row.use.connections, used.row.use.people) == (1, 1)


async def test_who_leaves_leaves_no_app_of_their_own(house: House) -> None:
    ours, mine = await made(house), await made(house, replace(PORTAL, own=True), BOB)
    await house.change(
        lambda tx: leaving.leave_tenant(tx, BOB.id, ACME, Actor(user_id=None, by="test", cause=None), now=NOW)
    )
    for each, status in ((mine, Status.DISABLED), (ours, Status.ACTIVE)):
        stored = await house.database.read(lambda reader, which=each: clients.client_by_id(reader, which.client.id))
        assert stored is not None
        assert stored.status is status
