"""Deactivating, deleting, leaving: what is held ends, an owner stays, and nobody acts beyond their own rights."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from doorward.accounts import leaving, members
from doorward.accounts.actors import OPERATOR, Actor
from doorward.accounts.entering import Entering
from doorward.accounts.leaving import Left
from doorward.accounts.members import Newcomer, Place, Wanted
from doorward.accounts.refused import PeopleRefused
from doorward.accounts.sessions import Came, Lifetimes
from doorward.credentials.secret import Fingerprinter
from doorward.gateway.approvals.asking import Terms
from doorward.gateway.approvals.desk import Viewer, decide
from doorward.model import (
    Approvers,
    Fingerprint,
    OwnerKind,
    Permission,
    Resource,
    ResourceId,
    Role,
    RoleId,
    SessionId,
    Status,
    User,
    UserId,
)
from doorward.storage import accounts, api_keys, connections, events, notices, permissions, sessions
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.notices import Notice
from doorward.vault import Sealer
from support.asking import asked
from support.rows import ACME, ALICE, BOB, CONNECTION, GLOBEX, HARBOUR, KEY, NOW, SESSION, VIEWER, store_deployment

pytestmark = pytest.mark.anyio
ROUNDS = 8
BY_HAND = Actor(user_id=None, by=OPERATOR, cause=None)
IN_PERSON = Actor(user_id=ALICE.id, by="page", cause=None)
AS_BOB = Actor(user_id=BOB.id, by="page", cause=None)
ADMIN = Role(id=RoleId("r-admin"), tenant_id=ACME.id, name="admin", permissions=("members:*", "documents:*"))
NODE = Resource(id=ResourceId("n-1"), tenant_id=ACME.id, type="folder", key="f1", name="One")


def entropy(count: int) -> bytes:
    return b"e" * count


async def deployed(database: Database) -> None:
    """Alice owns Acme, Bob views it; Alice holds one thing of each kind."""
    await database.write(store_deployment)

    def more(tx: Transaction) -> None:
        permissions.put_role(tx, ADMIN)
        permissions.put_resources(tx, ACME.id, [NODE])
        hold_everything(tx, 0)

    await database.write(more)


def hold_everything(tx: Transaction, number: int) -> None:
    key = replace(KEY, id=type(KEY.id)(f"k-{number}"), fingerprint=Fingerprint(f"key-{number}"))
    api_keys.insert_api_key(tx, key)
    one = replace(SESSION, id=SessionId(f"s-{number}"), fingerprint=Fingerprint(f"session-{number}"))
    sessions.insert_session(tx, one)
    if number:
        connections.insert_connection(tx, replace(CONNECTION, id=type(CONNECTION.id)(f"n-{number}")))


def alive(reader: Reader, user_id: UserId = ALICE.id) -> list[str]:
    """Return all that this user could use if they were let in again: read straight from the rows."""
    keys = [key.id for key in api_keys.api_keys_of_user(reader, user_id) if key.revoked_at is None]
    grants = [one.id for one in connections.connections_of_user(reader, user_id) if one.revoked_at is None]
    return [*keys, *grants, *(one.id for one in sessions.sessions_of_user(reader, user_id, NOW))]


def status(reader: Reader, user_id: UserId = ALICE.id) -> Status:
    user = accounts.user_by_id(reader, user_id)
    assert user is not None
    return user.status


async def second_owner(database: Database) -> None:
    await database.write(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("owner",)))


async def refused(database: Database, use_case: Callable[[Transaction], Any]) -> PeopleRefused:
    with pytest.raises(PeopleRefused) as found:
        await database.write(use_case)
    return found.value


async def names_of_events(database: Database) -> list[str]:
    return [event.name for event in await database.read_long(lambda reader: events.recent_events(reader, None, 50))]


@pytest.mark.requirement("E2")
async def test_one_action_ends_all_that_somebody_holds_and_activation_brings_nothing_back(database: Database) -> None:
    await deployed(database)
    await second_owner(database)
    left = await database.write(lambda tx: leaving.deactivate(tx, ALICE.id, BY_HAND, now=NOW))
    assert left.ended == {"sessions": 1, "api_keys": 1, "connections": 1}
    assert await database.read(alive) == []
    assert await database.read(status) is Status.DISABLED
    again = await database.write(lambda tx: leaving.deactivate(tx, ALICE.id, BY_HAND, now=NOW))
    assert again.ended == {}
    # What slipped in while nobody looked: issued in a transaction that had read the account before it was disabled.
    await database.write(lambda tx: hold_everything(tx, 7))
    await database.write(lambda tx: leaving.activate(tx, ALICE.id, BY_HAND, now=NOW))
    assert await database.read(status) is Status.ACTIVE
    assert await database.read(alive) == []
    roles = await database.read(lambda reader: permissions.roles_at_tenant(reader, ACME.id, ALICE.id))
    assert roles == ("owner",)
    assert await names_of_events(database) == ["user:activated", "user:deactivated", "user:deactivated"]


@pytest.mark.requirement("E2")
async def test_a_deleted_account_leaves_an_id_and_one_event_that_says_who_it_was(database: Database) -> None:
    await deployed(database)
    await second_owner(database)
    notice = Notice(id="n", user_id=ALICE.id, kind="client:denied", detail={}, at=NOW)
    await database.write(lambda tx: notices.insert_notice(tx, notice))
    await database.write(lambda tx: leaving.delete(tx, ALICE.id, BY_HAND, now=NOW))
    gone = await database.read(lambda reader: accounts.user_by_id(reader, ALICE.id))
    assert gone is not None
    assert (gone.status, gone.deleted_at) == (Status.DISABLED, NOW)
    assert ALICE.email not in gone.email
    assert ALICE.name not in gone.name
    assert await database.read(lambda reader: accounts.password_hash(reader, ALICE.id)) is None
    assert await database.read(alive) == []
    assert await database.read(lambda reader: api_keys.api_keys_of_user(reader, ALICE.id)) != [], "revoked, and kept"
    assert await database.read(lambda reader: notices.waiting_notices(reader, ALICE.id)) == []
    assert not await database.read(lambda reader: permissions.is_member(reader, ACME.id, ALICE.id))
    event = (await database.read_long(lambda reader: events.recent_events(reader, None, 1)))[0]
    assert (event.name, event.subject, event.detail["who"]) == ("user:deleted", ALICE.id, ALICE.email)
    for use_case in (leaving.activate, leaving.deactivate, leaving.delete):
        wrong = await refused(database, lambda tx, do=use_case: do(tx, ALICE.id, BY_HAND, now=NOW))  # type: ignore[misc]
        assert wrong.code == "DW-453"
    again = replace(ALICE, id=UserId("u-alice-2"))
    await database.write(lambda tx: accounts.insert_user(tx, again, None))
    assert await database.read(lambda reader: alive(reader, again.id)) == []


async def test_who_leaves_one_tenant_holds_nothing_there_and_everything_elsewhere(database: Database) -> None:
    await deployed(database)
    await second_owner(database)

    def elsewhere(tx: Transaction) -> None:
        permissions.set_membership(tx, GLOBEX.id, ALICE.id, ())
        there = replace(KEY, id=type(KEY.id)("k-there"), tenant_id=GLOBEX.id, fingerprint=Fingerprint("there"))
        api_keys.insert_api_key(tx, there)

    await database.write(elsewhere)
    left = await database.write(lambda tx: leaving.leave_tenant(tx, ALICE.id, ACME, IN_PERSON, now=NOW))
    assert left.ended == {"api_keys": 1, "connections": 1}
    assert await database.read(alive) == ["k-there", "s-0"]
    assert not await database.read(lambda reader: permissions.is_member(reader, ACME.id, ALICE.id))
    assert await database.read(status) is Status.ACTIVE


@pytest.mark.parametrize(
    "action",
    [
        lambda tx: leaving.deactivate(tx, ALICE.id, BY_HAND, now=NOW),
        lambda tx: leaving.delete(tx, ALICE.id, BY_HAND, now=NOW),
        lambda tx: leaving.leave_tenant(tx, ALICE.id, ACME, IN_PERSON, now=NOW),
        lambda tx: members.set_roles(tx, ACME, ALICE.id, Wanted(roles=["viewer"]), BY_HAND, now=NOW),
    ],
    ids=["deactivate", "delete", "leave", "roles"],
)
async def test_M3_a_tenant_keeps_its_last_owner(database: Database, action: Callable[[Transaction], Any]) -> None:
    await deployed(database)
    assert (await refused(database, action)).code == "DW-450"
    assert await database.read(status) is Status.ACTIVE
    assert len(await database.read(alive)) == 3
    # Somebody who cannot sign in speaks for nobody.
    robot = User(id=UserId("u-r"), email="r@acme.test", name="R", kind=OwnerKind.SERVICE, created_at=NOW)
    await database.write(lambda tx: accounts.insert_user(tx, robot, None))
    await database.write(lambda tx: permissions.set_membership(tx, ACME.id, robot.id, ("owner",)))
    assert (await refused(database, action)).code == "DW-450"
    await second_owner(database)
    await database.write(lambda tx: accounts.update_user(tx, replace(BOB, status=Status.DISABLED)))
    assert (await refused(database, action)).code == "DW-450"
    await database.write(lambda tx: accounts.update_user(tx, BOB))
    await database.write(action)


async def test_two_owners_who_end_each_other_leave_one(database: Database, second: Database) -> None:
    await deployed(database)

    def by(actor: User, other: User, how: str) -> Callable[[Transaction], Left | members.Member]:
        mine = Actor(user_id=actor.id, by="page", cause=None)
        ways: dict[str, Callable[[Transaction], Left | members.Member]] = {
            "leave": lambda tx: leaving.leave_tenant(tx, other.id, ACME, mine, now=NOW),
            "deactivate": lambda tx: leaving.deactivate(tx, other.id, BY_HAND, now=NOW),
            "roles": lambda tx: members.set_roles(tx, ACME, other.id, Wanted(roles=()), mine, now=NOW),
        }
        return ways[how]

    for number in range(ROUNDS):
        for how in ("leave", "deactivate", "roles"):

            def both(tx: Transaction) -> None:
                for user in (ALICE, BOB):
                    accounts.update_user(tx, user)
                    permissions.set_membership(tx, ACME.id, user.id, ("owner",))

            await database.write(both)
            one, other = (ALICE, BOB) if number % 2 else (BOB, ALICE)
            found = await asyncio.gather(
                database.write(by(one, other, how)), second.write(by(other, one, how)), return_exceptions=True
            )
            assert sorted(isinstance(each, PeopleRefused) for each in found) == [False, True], (how, found)
            assert await owners(database) == 1


async def owners(database: Database) -> int:
    def count(reader: Reader) -> int:
        people = accounts.members_of_tenant(reader, ACME.id)
        return sum(user.status is Status.ACTIVE and "owner" in place.roles for user, place in people)

    return await database.read_long(count)


async def test_who_is_being_deactivated_becomes_no_owner_and_gets_no_session(
    database: Database, second: Database
) -> None:
    await deployed(database)
    entering = Entering(fingerprinter=Fingerprinter(b"k" * 32), entropy=entropy, lifetimes=Lifetimes())
    for number in range(ROUNDS):
        await database.write(lambda tx: accounts.update_user(tx, BOB))

        def enter(tx: Transaction, number: int = number) -> object:
            salted = Entering(
                fingerprinter=Fingerprinter(b"k" * 32), entropy=lambda count: bytes([number]) * count,
                lifetimes=Lifetimes(),
            )  # fmt: skip
            return salted.begin(tx, BOB.id, Came(cause=None), means="password", now=NOW)

        await asyncio.gather(
            database.write(lambda tx: leaving.deactivate(tx, BOB.id, BY_HAND, now=NOW)), second.write(enter)
        )
        assert await database.read(lambda reader: alive(reader, BOB.id)) == []
    assert (
        await database.write(lambda tx: entering.begin(tx, BOB.id, Came(cause=None), means="passkey", now=NOW)) is None
    )
    wanted = Wanted(roles=["owner"])
    assert (
        await refused(database, lambda tx: members.set_roles(tx, ACME, BOB.id, wanted, BY_HAND, now=NOW))
    ).code == "DW-454"


async def test_M3_nobody_gives_or_touches_more_than_they_have(database: Database) -> None:
    await deployed(database)
    carol = User(id=UserId("u-carol"), email="carol@acme.test", name="Carol", created_at=NOW)

    def more(tx: Transaction) -> None:
        accounts.insert_user(tx, carol, None)
        permissions.set_membership(tx, ACME.id, BOB.id, ("admin",))
        permissions.set_membership(tx, ACME.id, carol.id, ("viewer",))

    await database.write(more)

    def give(
        actor: Actor, user: User, *roles: str, at: tuple[Place, ...] | None = None
    ) -> Callable[[Transaction], Any]:
        return lambda tx: members.set_roles(tx, ACME, user.id, Wanted(roles=roles, places=at), actor, now=NOW)

    # `*:read` is more than `documents:*`: it will read what is added tomorrow.
    for wrong in (
        give(AS_BOB, carol, "owner"),
        give(AS_BOB, BOB, "admin", "owner"),
        give(AS_BOB, ALICE, "admin"),
        give(AS_BOB, carol, "viewer", at=(Place(role="owner", type="folder", key="f1"),)),
        lambda tx: leaving.leave_tenant(tx, ALICE.id, ACME, AS_BOB, now=NOW),
        lambda tx: leaving.leave_tenant(tx, carol.id, ACME, AS_BOB, now=NOW),
        lambda tx: leaving.deactivate(tx, ALICE.id, AS_BOB, tenant=ACME, now=NOW),
    ):
        assert (await refused(database, wrong)).code == "DW-451"
    await database.write(give(IN_PERSON, carol))
    member = await database.write(give(AS_BOB, carol, "admin", at=(Place(role="admin", type="folder", key="f1"),)))
    assert (member.roles, member.places) == (("admin",), (Place(role="admin", type="folder", key="f1"),))
    limited = Actor(user_id=ALICE.id, by="key", limit=frozenset({Permission("members:manage")}), cause=None)
    assert (await refused(database, give(limited, carol, "viewer"))).code == "DW-451"
    unlimited = replace(limited, limit=frozenset({Permission("documents:read")}))
    assert (await refused(database, give(unlimited, carol))).code == "DW-405"
    assert (
        await refused(database, give(Actor(user_id=carol.id, by="page", cause=None), BOB, "owner"))
    ).code == "DW-451"


async def test_a_tenant_ends_an_account_only_where_it_is_its_own(database: Database) -> None:
    await deployed(database)
    await database.write(lambda tx: permissions.set_membership(tx, GLOBEX.id, BOB.id, ()))
    for use_case in (leaving.deactivate, leaving.activate, leaving.delete):

        def both(tx: Transaction, do: Callable[..., Left] = use_case) -> Left:
            return do(tx, BOB.id, IN_PERSON, tenant=ACME, now=NOW)

        assert (await refused(database, both)).code == "DW-452"
    stranger = User(id=UserId("u-x"), email="x@globex.test", name="X", created_at=NOW)
    await database.write(lambda tx: accounts.insert_user(tx, stranger, None))
    for unknown in (stranger.id, UserId("u-nobody")):
        wrong = await refused(
            database, lambda tx, who=unknown: leaving.deactivate(tx, who, IN_PERSON, tenant=ACME, now=NOW)  # type: ignore[misc]
        )  # fmt: skip
        assert (wrong.code, wrong.reason) == ("DW-453", "no such member")
    # Without a tenant only the operator speaks.
    assert (await refused(database, lambda tx: leaving.delete(tx, BOB.id, IN_PERSON, now=NOW))).code == "DW-453"


@pytest.mark.requirement("C6")
async def test_a_service_account_is_made_with_roles_and_never_signs_in(database: Database) -> None:
    await deployed(database)
    await database.write(lambda tx: permissions.put_role(tx, VIEWER))
    robot = Newcomer(name="CI", kind=OwnerKind.SERVICE, roles=["viewer"])
    made = await database.write(lambda tx: members.add_member(tx, ACME, robot, IN_PERSON, now=NOW, entropy=entropy))
    assert made.user.email.endswith("@acme.invalid")
    assert made.roles == ("viewer",)
    people = await database.read_long(lambda reader: members.members(reader, ACME, kind=OwnerKind.SERVICE))
    assert [each.user.id for each in people] == [made.user.id]
    with_password = replace(robot, password_hash="$argon2id$")
    for wrong in (with_password, replace(robot, roles=["nosuch"]), replace(robot, name="\u202e"),
                  Newcomer(name="P", email=BOB.email), Newcomer(name="P", email="no address")):  # fmt: skip

        def add(tx: Transaction, wanted: Newcomer = wrong) -> object:
            return members.add_member(tx, ACME, wanted, IN_PERSON, now=NOW, entropy=lambda n: b"f" * n)

        assert (await refused(database, add)).code == "DW-454"


@pytest.mark.requirement("D8")
async def test_approvals_that_somebody_has_or_gave_end_with_them(database: Database) -> None:
    await deployed(database)
    await second_owner(database)
    terms = Terms(sealer=Sealer(b"s" * 32), entropy=os.urandom)
    others = Approvers(permissions=frozenset({Permission("approvals:decide")}))

    def ask(tx: Transaction, user: User, number: int) -> str:
        return asked(tx, user, ACME, HARBOUR, terms=terms, now=NOW, arguments={"n": number}, approvers=others)

    def begin(tx: Transaction) -> list[str]:
        ids = [ask(tx, user, number) for user in (ALICE, BOB) for number in (1, 2)]
        viewer = Viewer(user_id=ALICE.id, through="page", cause=None)
        decide(tx, ids[2], viewer, terms, approve=True, now=NOW)
        return ids

    mine, mine_too, given, others_own = await database.write(begin)
    left = await database.write(lambda tx: leaving.deactivate(tx, ALICE.id, BY_HAND, now=NOW))
    assert left.ended["approvals"] == 3
    await database.write(lambda tx: leaving.activate(tx, ALICE.id, BY_HAND, now=NOW))
    again = [await database.write(lambda tx, n=n: ask(tx, ALICE, n)) for n in (1, 2)]  # type: ignore[misc]
    assert not {mine, mine_too} & set(again)
    assert await database.write(lambda tx: ask(tx, BOB, 1)) not in {given, ""}, "not by who has left since"
    assert await database.write(lambda tx: ask(tx, BOB, 2)) == others_own
