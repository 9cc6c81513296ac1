"""Roles of a tenant's own: made, changed, deleted; never beyond one's own rights, never from under somebody."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from doorward.accounts import invitations, members, roles
from doorward.accounts.actors import Actor
from doorward.accounts.members import Place, Wanted
from doorward.accounts.refused import PeopleRefused
from doorward.model import Cause, Invitation, MailDomain, Permission, Resource, ResourceId, Role, RoleId
from doorward.storage import events, mail_domains, permissions
from doorward.storage import invitations as stored_invitations
from doorward.storage.database import Database, Reader, Transaction
from support.rows import ACME, ALICE, BOB, GLOBEX, NOW, store_deployment

pytestmark = pytest.mark.anyio
BY_HAND = Actor(user_id=None, by="doorward role", cause=None)
AS_ALICE = Actor(user_id=ALICE.id, by="page", cause=Cause("req_1", "192.0.2.1"))
AS_BOB = Actor(user_id=BOB.id, by="page", cause=None)
HELPER = Role(id=RoleId("r-helper"), tenant_id=ACME.id, name="helper", permissions=("members:manage", "documents:read"))
FOREIGN = Role(id=RoleId("r-foreign"), tenant_id=GLOBEX.id, name="foreign", permissions=("documents:read",))
NODE = Resource(id=ResourceId("n-1"), tenant_id=ACME.id, type="project", key="p1", name="One")
SCRIBE = ("documents:read", "documents:write")


@pytest.fixture
async def deployed(database: Database) -> Database:
    """Alice owns Acme; Bob helps: he manages members, and reads."""

    def store(tx: Transaction) -> None:
        store_deployment(tx)
        permissions.put_role(tx, HELPER)
        permissions.put_role(tx, FOREIGN)
        permissions.set_membership(tx, ACME.id, BOB.id, ("helper",))
        permissions.put_resources(tx, ACME.id, [NODE])

    await database.write(store)
    return database


def make(name: str = "scribe", *patterns: str, actor: Actor = AS_ALICE) -> Callable[[Transaction], Role]:
    return lambda tx: roles.make(tx, ACME, name, patterns or SCRIBE, actor, now=NOW, entropy=os.urandom)


def change(name: str, *patterns: str, actor: Actor = AS_ALICE) -> Callable[[Transaction], Role]:
    return lambda tx: roles.change(tx, ACME, name, patterns, actor, now=NOW)


def remove(name: str, move_to: str | None = None, actor: Actor = AS_ALICE) -> Callable[[Transaction], roles.Removed]:
    return lambda tx: roles.remove(tx, ACME, name, actor, move_to=move_to, now=NOW)


def give(user: Any, *names: str, at: str = "") -> Callable[[Transaction], Any]:
    places = [Place(role=at, type="project", key="p1")] if at else None
    return lambda tx: members.set_roles(tx, ACME, user.id, Wanted(roles=names, places=places), BY_HAND, now=NOW)


async def refused(database: Database, use_case: Callable[[Transaction], Any]) -> tuple[str, str]:
    before = await database.read_long(everything)
    with pytest.raises(PeopleRefused) as found:
        await database.write(use_case)
    assert await database.read_long(everything) == before, "a refusal changes nothing"
    return found.value.code, found.value.field


def everything(reader: Reader) -> Any:
    held = permissions.placements_of_tenant(reader, ACME.id)
    return permissions.roles_of_tenant(reader, ACME.id), members.members(reader, ACME), held


async def test_a_role_is_made_given_at_a_node_changed_and_says_who_has_it(deployed: Database) -> None:
    made = await deployed.write(make("scribe", "documents:write", "documents:read", "documents:read"))
    assert (made.permissions, made.built_in) == (SCRIBE, False)
    await deployed.write(give(BOB, "helper", at="scribe"))
    held = await deployed.read_long(lambda reader: roles.holders(reader, ACME, made))
    assert [(each.user.email, each.everywhere, [node.key for node in each.nodes]) for each in held] == [
        (BOB.email, False, ["p1"])
    ]
    await deployed.write(give(BOB, "helper", "scribe", at="scribe"))
    listed = await deployed.read_long(lambda reader: roles.listed(reader, ACME))
    assert [(each.role.name, each.count) for each in listed] == [
        ("owner", 1), ("viewer", 0), ("helper", 1), ("scribe", 1)
    ]  # fmt: skip
    changed = await deployed.write(change("scribe", "documents:read"))
    assert (changed.id, changed.permissions) == (made.id, ("documents:read",))
    rights = await deployed.read_long(lambda reader: permissions.placed_permissions(reader, ACME.id, BOB.id))
    assert rights == {NODE.id: frozenset({"documents:read"})}
    told = await deployed.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    assert [event.name for event in told if event.subject == "scribe"] == ["role:changed", "role:changed"]
    assert told[0].actor_id == ALICE.id
    assert told[0].request_id == "req_1"
    assert told[0].detail == {"by": "page", "permissions": "documents:read"}


@pytest.mark.parametrize("name", ["", "Scribe", "1st", "a b", "é", "x" * 65, "owner", "admin", "helper", "a\n"])
async def test_a_name_that_cannot_be_is_told_at_its_field(deployed: Database, name: str) -> None:
    assert await refused(deployed, make(name)) == ("DW-471", "name")


@pytest.mark.parametrize("pattern", ["documents", "documents:none", "doc uments:read", "*", "**:read", "x:*:*", ""])
async def test_a_permission_that_is_none_is_told_at_its_field(deployed: Database, pattern: str) -> None:
    assert await refused(deployed, make("scribe", pattern)) == ("DW-471", "permissions")
    await deployed.write(make())
    assert await refused(deployed, change("scribe", "documents:read", pattern)) == ("DW-471", "permissions")


async def test_what_a_role_gives_already_may_stay_when_it_left_the_catalogue(deployed: Database) -> None:
    old = Role(id=RoleId("r-old"), tenant_id=ACME.id, name="old", permissions=("gone:read",))
    await deployed.write(lambda tx: permissions.put_role(tx, old))
    assert (await deployed.write(change("old", "gone:read", "documents:read"))).permissions[-1] == "gone:read"


async def test_M3_nobody_makes_changes_or_ends_more_than_they_have(deployed: Database) -> None:
    await deployed.write(make("reader", "documents:read", actor=AS_BOB))
    await deployed.write(make("writer", "documents:write"))
    for use_case in (
        make("mine", "documents:*", actor=AS_BOB),
        make("mine", "*:read", actor=AS_BOB),
        make("mine", "keys:manage", actor=AS_BOB),
        change("helper", "members:manage", "documents:write", actor=AS_BOB),
        change("writer", "documents:read", actor=AS_BOB),
        remove("writer", actor=AS_BOB),
    ):
        assert await refused(deployed, use_case) == ("DW-451", "permissions")
    await deployed.write(give(BOB, "viewer"))
    code, _ = await refused(deployed, make("mine", "documents:read", actor=AS_BOB))
    assert code == "DW-405"


async def test_M3_a_key_makes_no_role_beyond_what_it_is_good_for(deployed: Database) -> None:
    narrow = frozenset({Permission("members:manage"), Permission("documents:read")})
    by_key = Actor(user_id=ALICE.id, by="api key k", limit=narrow, cause=None)
    await deployed.write(make("reader", "documents:read", actor=by_key))
    for pattern in ("documents:write", "keys:manage", "*:*"):
        assert (await refused(deployed, make("more", pattern, actor=by_key)))[0] == "DW-451"
    no_members = Actor(user_id=ALICE.id, by="api key k", limit=frozenset({Permission("documents:read")}), cause=None)
    assert (await refused(deployed, make("more", "documents:read", actor=no_members)))[0] == "DW-405"


async def test_built_in_roles_are_neither_changed_nor_deleted(deployed: Database) -> None:
    for name in ("owner", "viewer"):
        assert (await refused(deployed, change(name, "documents:read")))[0] == "DW-473"
        assert (await refused(deployed, remove(name, actor=BY_HAND)))[0] == "DW-473"


async def test_M1_a_role_of_another_tenant_is_none(deployed: Database) -> None:
    for name in ("foreign", "r-foreign", "nosuch"):
        assert (await refused(deployed, change(name, "documents:read")))[0] == "DW-470"
        assert (await refused(deployed, remove(name)))[0] == "DW-470"
        await_in_use = remove("helper", move_to=name)
        assert (await refused(deployed, await_in_use))[0] == "DW-470"


async def test_a_role_in_use_is_refused_with_who_has_it_or_moves_them(deployed: Database) -> None:
    await deployed.write(make())
    await deployed.write(give(BOB, "helper", "scribe", "viewer", at="scribe"))
    with pytest.raises(PeopleRefused) as found:
        await deployed.write(remove("scribe"))
    assert (found.value.code, found.value.public) == ("DW-472", f"It is held by {BOB.email}.")
    for target in ("scribe", "owner"):
        assert await refused(deployed, remove("scribe", target)) == ("DW-471", "move_to")
    gone = await deployed.write(remove("scribe", "viewer"))
    assert (gone.moved, gone.moved_to) == ([BOB.id], "viewer")
    bob = await deployed.read_long(lambda reader: members.member_by(reader, ACME, BOB.id))
    assert (bob.roles, bob.places) == (("helper", "viewer"), (Place(role="viewer", type="project", key="p1"),))
    told = await deployed.read_long(lambda reader: events.recent_events(reader, ACME.id, 2))
    assert [(event.name, event.subject) for event in told] == [
        ("membership:changed", BOB.id),
        ("role:removed", "scribe"),
    ]
    assert await refused(deployed, remove("scribe")) == ("DW-470", "")


async def test_M3_nobody_moves_those_who_have_more_or_moves_them_to_more(deployed: Database) -> None:
    await deployed.write(make("reader", "documents:read"))
    await deployed.write(give(ALICE, "owner", "reader"))
    await deployed.write(make("low", "documents:read"))
    assert (await refused(deployed, remove("reader", "low", actor=AS_BOB)))[0] == "DW-451", "held by an owner"
    await deployed.write(give(ALICE, "owner"))
    await deployed.write(give(BOB, "helper", "reader"))
    assert (await refused(deployed, remove("reader", "viewer", actor=AS_BOB)))[0] == "DW-451", "viewer reads everything"
    assert (await deployed.write(remove("reader", "low", actor=AS_BOB))).moved == [BOB.id]


async def test_M3_nobody_takes_from_those_who_have_more_by_changing_their_role(deployed: Database) -> None:
    await deployed.write(make("reader", "documents:read"))
    await deployed.write(give(ALICE, "owner", "reader"))
    narrowed = change("reader", actor=AS_BOB)
    assert (await refused(deployed, narrowed))[0] == "DW-451", "held by an owner"
    await deployed.write(give(ALICE, "owner", at="reader"))
    assert (await refused(deployed, narrowed))[0] == "DW-451", "held by an owner at a node"
    await deployed.write(lambda tx: permissions.set_placements(tx, ACME.id, ALICE.id, ()))
    await deployed.write(give(BOB, "helper", "reader"))
    assert (await deployed.write(narrowed)).permissions == (), "his own, and nobody's above him"


async def test_M3_nobody_takes_from_an_owner_by_the_owners_own_key_that_others_know(deployed: Database) -> None:
    await deployed.write(make("reader", "documents:read"))
    await deployed.write(make("low", "documents:read"))
    await deployed.write(give(ALICE, "owner", "reader"))
    shared = replace(AS_ALICE, in_person=False)
    assert (await refused(deployed, change("reader", actor=shared)))[0] == "DW-451"
    assert (await refused(deployed, remove("reader", "low", actor=shared)))[0] == "DW-451"
    assert (await deployed.write(change("reader"))).permissions == (), "in person"


async def test_what_an_invitation_or_a_mail_domain_promises_is_in_use(deployed: Database) -> None:
    await deployed.write(make())
    guest = Invitation(
        id="inv_1", tenant_id=ACME.id, email="nina@new.test", roles=("scribe",), places=(), invited_by=ALICE.id,
        created_at=NOW, sent_at=NOW, expires_at=type(NOW)(NOW + 1),
    )  # fmt: skip
    await deployed.write(lambda tx: stored_invitations.insert_invitation(tx, guest))
    with pytest.raises(PeopleRefused, match="in use") as found:
        await deployed.write(remove("scribe", "viewer"))
    assert "nina@new.test" in found.value.public
    await deployed.write(lambda tx: invitations.revoke(tx, ACME, "inv_1", AS_ALICE, now=NOW))
    domain = MailDomain(domain="new.test", tenant_id=ACME.id, challenge="c", join_role="scribe", created_at=NOW)
    await deployed.write(lambda tx: mail_domains.insert_domain(tx, domain))
    assert (await refused(deployed, remove("scribe")))[0] == "DW-472"
    await deployed.write(lambda tx: mail_domains.remove_domain(tx, ACME.id, "new.test"))
    assert (await deployed.write(remove("scribe"))).moved == []


async def test_a_role_at_one_node_is_given_and_taken_alone(deployed: Database) -> None:
    place, at_none = Place(role="viewer", type="project", key="p1"), Place(role="viewer", type="project", key="p2")
    by = {"actor": AS_ALICE, "now": NOW}
    for _ in range(2):
        given = await deployed.write(lambda tx: members.give_at(tx, ACME, BOB.id, place, **by))
        assert (given.roles, given.places) == (("helper",), (place,))
    assert (await refused(deployed, lambda tx: members.give_at(tx, ACME, BOB.id, at_none, **by)))[0] == "DW-454"
    assert (await refused(deployed, lambda tx: members.take_at(tx, ACME, BOB.id, at_none, **by)))[0] == "DW-454"
    mine = Place(role="owner", type="project", key="p1")
    self_raise = members.give_at
    assert (await refused(deployed, lambda tx: self_raise(tx, ACME, BOB.id, mine, AS_BOB, now=NOW)))[0] == "DW-451"
    assert (await deployed.write(lambda tx: members.take_at(tx, ACME, BOB.id, place, **by))).places == ()
    told = await deployed.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    assert [event.name for event in told] == ["membership:changed"] * 2, "the second giving changed nothing"


async def test_of_giving_and_deleting_at_once_one_is_refused(deployed: Database, second: Database) -> None:
    for number in range(6):
        name = f"r{number}"
        await deployed.write(make(name, "documents:read"))
        done = await asyncio.gather(
            deployed.write(give(BOB, "helper", name)), second.write(remove(name)), return_exceptions=True
        )
        assert sum(isinstance(each, PeopleRefused) for each in done) == 1, done
        left = await deployed.read_long(everything)
        assert (name in {role.name for role in left[0]}) == isinstance(done[1], PeopleRefused)
