"""The API of a tenant's keys over its own surface: who may, never beyond whom, and what is told."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorward.api.keys import KeyDoor
from doorward.credentials.api_keys import create_api_key
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.model import (
    SECOND,
    ApiKeyId,
    Instant,
    PermissionEntry,
    Resource,
    ResourceId,
    Role,
    RoleId,
    User,
)
from doorward.policy.permission import expand
from doorward.rights import MANAGE_KEYS
from doorward.storage import accounts, api_keys, events, permissions
from doorward.storage.database import Transaction
from doorward.vault import Sealer
from doorward.web.requester import Requester
from support.management import management
from support.pages import BOB, CAROL, CATALOGUE, FINGERPRINTER, ROBOT, House, opened_house
from support.rows import ACME, ALICE, HARBOUR, NOW, without_membership
from support.signing import key_ring

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("C6")]
ALL = (*CATALOGUE, PermissionEntry(permission=MANAGE_KEYS, words="Look after the keys of everybody"))
RIGHTS = expand(("*:*",), [entry.permission for entry in ALL])
READ, WRITE, DELETE = (entry.permission for entry in CATALOGUE)
DAY = 86_400 * SECOND
WISH: dict[str, Any] = {"name": "ci", "user": ROBOT.email}


@dataclass
class Api:
    """The API inside a house of people, with keys for some of them."""

    house: House
    door: Door
    keys: dict[str, str]
    touched: list[Any]

    async def send(self, method: str, path: str = "", body: Any = None, *, key: str = "alice", **more: Any) -> Any:
        slug, base = more.pop("slug", "acme"), more.pop("base", "keys")
        headers = {"authorization": f"Bearer {self.keys.get(key, key)}"}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"/api/v1/tenants/{slug}/{base}{path}"
        client = self.house.browser().client
        return await client.request(method, url, content=content, headers={**headers, **more.pop("headers", {})})

    async def make(self, **wish: Any) -> dict[str, Any]:
        answer = await self.send("POST", body={**WISH, **wish})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def works(self, key: str) -> bool:
        try:
            await self.house.database.read(
                lambda reader: self.door.admit(reader, key, now=self.house.clock(), address=None)
            )
        except Unauthenticated:
            return False
        return True

    async def told(self) -> list[str]:
        found = await self.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 100))
        return [event.name for event in reversed(found)]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        ring = await key_ring(house.database, Sealer(b"s" * 32), house.clock)
        door = Door(issuer="https://door.example", keys=ring.look, fingerprinter=FINGERPRINTER, prefix="dw")
        touched: list[Any] = []
        at_the_door = KeyDoor(
            door=door, requester=Requester(["192.0.2.7"]), touch=lambda *use: touched.append(use), now=house.clock
        )
        house.more += await management(house.database, house.clock, authenticate=at_the_door)
        house.__post_init__()
        yield Api(house, door, await house.change(_keys), touched)


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.put_resources(
        tx, ACME.id,
        [
            Resource(id=ResourceId("res-p"), tenant_id=ACME.id, type="project", key="p1", name="P"),
            Resource(id=ResourceId("res-f"), tenant_id=ACME.id, type="folder", key="f1", name="F", parent_id=ResourceId("res-p")),
        ],
    )  # fmt: skip
    for name, patterns in {
        "worker": ("documents:read", "documents:write"),
        "keeper": ("keys:manage", "documents:read"),
    }.items():
        permissions.put_role(tx, Role(id=RoleId(f"r-{name}"), tenant_id=ACME.id, name=name, permissions=patterns))
    permissions.set_membership(tx, ACME.id, ROBOT.id, ("worker",))
    permissions.set_membership(tx, ACME.id, BOB.id, ("keeper",))
    return {
        "alice": _key(tx, ALICE),
        "short": _key(tx, ALICE, expires_at=Instant(NOW + 10 * DAY)),
        "narrow": _key(tx, ALICE, scopes=frozenset({MANAGE_KEYS, READ})),
        "reader": _key(tx, ALICE, scopes=frozenset({READ})),
        "placed": _key(tx, ALICE, resources=frozenset({ResourceId("res-p")})),
        "server": _key(tx, ALICE, servers=frozenset({HARBOUR.id})),
        "away": _key(tx, ALICE, networks=("203.0.113.0/24",)),
        "bob": _key(tx, BOB),
    }


def _key(tx: Transaction, owner: User, **sides: Any) -> str:
    return create_api_key(
        tx, owner=owner, tenant=ACME, created_by=owner.id, name="made before", rights=RIGHTS, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, cause=None, **{"scopes": None, "resources": None, "expires_at": None, **sides},
    ).text  # fmt: skip


async def test_a_key_is_made_for_a_service_account_and_told_once(api: Api) -> None:
    made = await api.make(
        scopes=["read", "documents:write"], resources=[{"type": "project", "key": "p1"}], servers=["harbour"],
        addresses=["203.0.113.9/24"], expires="30d",
    )  # fmt: skip
    key = await api.house.database.read(lambda reader: api_keys.api_key_by_id(reader, ACME.id, ApiKeyId(made["id"])))
    assert key is not None
    assert (key.user_id, key.created_by) == (ROBOT.id, ALICE.id)
    assert (key.scopes, key.resources) == ({READ, WRITE}, {"res-p"})
    assert (key.servers, key.networks, key.expires_at) == ({HARBOUR.id}, ("203.0.113.0/24",), NOW + 30 * DAY)
    shown = (await api.send("GET", f"/{made['id']}")).json()
    assert "key" not in shown
    assert {**shown, "key": made["key"]} == made
    assert (shown["user"], shown["created_by"], shown["state"]) == (ROBOT.email, ALICE.email, "active")
    assert (shown["resources"], shown["servers"]) == ([{"type": "project", "key": "p1"}], ["harbour"])
    assert made["key"] not in (await api.send("GET")).text
    assert (await api.told())[-1] == "api_key:created"


@pytest.mark.parametrize("key", ["", "nothing", "dw_" + "0" * 62])
async def test_without_a_live_key_the_answer_is_401(api: Api, key: str) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/x"),
        ("PATCH", "/x"),
        ("POST", "/x/rotate"),
        ("POST", "/x/revoke"),
    ):
        answer = await api.send(method, path, body=WISH if method != "GET" else None, key=key)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_a_key_from_elsewhere_is_none_here_either(api: Api) -> None:
    here, gone = await api.send("GET", key="away"), await api.send("GET", key="dw_" + "0" * 62)
    assert (here.status_code, here.text) == (401, gone.text)
    answer = await api.send("GET", key="away", headers={"x-forwarded-for": "203.0.113.5"})
    assert answer.status_code == 401, "nobody trusts this proxy"


async def test_the_use_of_a_key_is_noted_once_for_each_request(api: Api) -> None:
    await api.send("GET", headers={"user-agent": "tool/1"})
    assert [(use[1], use[4]) for use in api.touched] == [(api.keys["alice"].partition("_")[2][:13], "tool/1")]


@pytest.mark.parametrize("key", ["reader", "placed", "server"])
async def test_I7_a_key_without_the_permission_or_limited_is_refused(api: Api, key: str) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("PATCH", "/x"), ("POST", "/x/rotate"), ("POST", "/x/revoke")):
        assert (await api.send(method, path, body=WISH if method != "GET" else None, key=key)).status_code == 403
    assert (await api.send("PUT", body={}, base="key-policy", key=key)).status_code == 403


async def test_I6_a_key_never_reaches_further_than_its_owner(api: Api) -> None:
    answer = await api.send("POST", body={**WISH, "scopes": ["documents:delete"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "DW-422")
    assert answer.json()["errors"][0]["pointer"] == "/scopes"
    assert (await api.make())["scopes"] == ["documents:read", "documents:write"]
    assert (await api.make(scopes=["*:*"]))["scopes"] == ["documents:read", "documents:write"]


async def test_I6_nor_further_than_whoever_makes_it(api: Api) -> None:
    """Bob may look after keys and read; he must not come to write by making a key for somebody who may."""
    for maker in ("bob", "narrow"):
        for body in (
            {**WISH, "scopes": ["documents:write"]},
            {"name": "x", "user": ALICE.email, "scopes": ["documents:delete"]},
        ):
            answer = await api.send("POST", body=body, key=maker)
            assert (answer.status_code, answer.json()["code"]) == (403, "DW-422"), (maker, body)
        everything = await api.send("POST", body={"name": "x", "user": ALICE.email}, key=maker)
        assert everything.json()["scopes"] == ["documents:read", "keys:manage"]
    # Nor by giving a key that may more another secret, which he would see.
    strong = await api.make(user=ALICE.email)
    for maker in ("bob", "narrow"):
        answer = await api.send("POST", f"/{strong['id']}/rotate", body={}, key=maker)
        assert (answer.status_code, answer.json()["code"]) == (403, "DW-422")
    assert await api.works(strong["key"])


async def test_I6_a_key_that_is_made_with_a_key_ends_with_it_at_the_latest(api: Api) -> None:
    for expires in ("never", "90d", "11d"):
        answer = await api.send("POST", body={**WISH, "expires": expires}, key="short")
        assert (answer.status_code, answer.json()["code"]) == (403, "DW-422")
    assert (await api.send("POST", body={**WISH, "expires": "10d"}, key="short")).status_code == 201
    lasting = await api.make(expires="never")
    for body in ({}, {"expires": "never"}, {"expires": "90d"}):
        assert (await api.send("POST", f"/{lasting['id']}/rotate", body=body, key="short")).status_code == 403
    assert (await api.send("POST", f"/{lasting['id']}/rotate", body={"expires": "9d"}, key="short")).status_code == 200


async def test_I6_people_who_are_not_here_are_told_alike(api: Api) -> None:
    await api.house.change(lambda tx: without_membership(tx, ACME.id, CAROL.id))
    answers = [await api.send("POST", body={"name": "x", "user": user}) for user in (CAROL.email, "nobody@x.test")]
    assert {answer.status_code for answer in answers} == {422}
    assert answers[0].text == answers[1].text
    lists = [await api.send("GET", f"?user={user}") for user in (CAROL.email, "nobody@x.test")]
    assert lists[0].json() == lists[1].json() == {"keys": [], "next": None}


async def test_I16_M1_a_foreign_key_and_none_are_one_answer(api: Api) -> None:
    other = await api.house.change(_foreign)
    before = await api.told()
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"disabled": True}), ("POST", "/rotate", {}), ("POST", "/revoke", None),
    ):  # fmt: skip
        answers = [await api.send(method, f"/{name}{path}", body) for name in (other, "0000000000000", "' OR 1=1")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
    assert (await api.send("GET", slug="globex")).status_code == 404
    assert await api.told() == before
    assert other not in (await api.send("GET")).text


def _foreign(tx: Transaction) -> str:
    globex = accounts.tenant_by_slug(tx, "globex")
    assert globex is not None
    return create_api_key(
        tx, owner=CAROL, tenant=globex, created_by=CAROL.id, name="x", rights=RIGHTS, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, scopes=None, resources=None, expires_at=None, cause=None,
    ).key.id  # fmt: skip


@pytest.mark.requirement("C5", "C8")
async def test_a_key_is_rotated_disabled_enabled_changed_and_revoked(api: Api) -> None:
    made = await api.make()
    path = f"/{made['id']}"
    rotated = (await api.send("POST", f"{path}/rotate", {"keep": "1h"})).json()
    assert (rotated["id"], len(rotated["old_secrets"])) == (made["id"], 1)
    assert await api.works(made["key"])
    assert await api.works(rotated["key"])
    assert (await api.send("PATCH", path, {"disabled": True})).json()["state"] == "disabled"
    assert not await api.works(rotated["key"])
    assert (await api.send("POST", f"{path}/rotate", {})).status_code == 409
    changed = (await api.send("PATCH", path, {"disabled": False, "name": "new", "addresses": ["10.0.0.0/8"]})).json()
    assert (changed["state"], changed["name"], changed["addresses"]) == ("active", "new", ["10.0.0.0/8"])
    assert not await api.works(rotated["key"]), "from an unknown address"
    await api.send("PATCH", path, {"addresses": []})
    assert await api.works(rotated["key"])
    for _ in range(2):
        assert (await api.send("POST", f"{path}/revoke")).json()["state"] == "revoked"
    assert (await api.works(made["key"]), await api.works(rotated["key"])) == (False, False)
    for method, more, body in (
        ("PATCH", "", {"disabled": False}),
        ("POST", "/rotate", {}),
        ("PATCH", "", {"name": "x"}),
    ):
        answer = await api.send(method, f"{path}{more}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "DW-425")
    names = [name for name in await api.told() if name.startswith("api_key")]
    assert names[-6:] == [
        "api_key:rotated", "api_key:disabled", "api_key:changed", "api_key:enabled", "api_key:changed", "api_key:revoked",
    ]  # fmt: skip


async def test_a_list_is_read_page_by_page_and_by_state(api: Api) -> None:
    for number in range(5):
        made = await api.make(name=f"n{number}")
        api.house.clock.forward(1)
    await api.send("POST", f"/{made['id']}/revoke")
    names: list[str] = []
    after = ""
    while True:
        page = (await api.send("GET", f"?user={ROBOT.email}&limit=2{after}")).json()
        names += [key["name"] for key in page["keys"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert names == ["n4", "n3", "n2", "n1", "n0"]
    assert [key["name"] for key in (await api.send("GET", "?state=revoked")).json()["keys"]] == ["n4"]
    for wrong in (
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?after=1",
        "?after=' OR",
        "?state=all",
        "?more=1",
        "?user=%00",
        "?limit=²",
    ):
        answer = await api.send("GET", wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"]


@pytest.mark.requirement("C8")
async def test_a_policy_holds_from_then_on_for_whom_it_says(api: Api) -> None:
    async def policy(**said: Any) -> Any:
        return await api.send("PUT", body=said, base="key-policy")

    lasting = await api.make(expires="never")
    done = (await policy(max_days=30, create="administrators")).json()
    assert done == {"max_days": 30, "never": "administrators", "create": "administrators", "living_longer": 8}
    assert (await api.send("GET", base="key-policy")).json() == done
    assert await api.works(lasting["key"])
    answer = await api.send("POST", body={**WISH, "expires": "31d"})
    assert (answer.status_code, answer.json()["code"]) == (403, "DW-421")
    assert (await api.send("POST", body={**WISH, "expires": "never"})).status_code == 201
    await policy(never="nobody")
    assert (await api.send("POST", body={**WISH, "expires": "never"})).json()["code"] == "DW-421"
    for wrong in (
        {"max_days": 0}, {"max_days": 1.5}, {"max_days": True}, {"never": "all"}, {"create": 1}, {"more": 1}, [],
        {"max_days": 9, "never": "members"}, {"max_days": 10**12},
    ):  # fmt: skip
        assert (await api.send("PUT", body=wrong, base="key-policy")).status_code == 422, wrong
    assert (await api.told()).count("tenant:changed") == 2


BAD: list[Any] = [
    None, [], 1, {}, {"user": ROBOT.email}, {**WISH, "more": 1}, {**WISH, "name": 1}, {**WISH, "name": ""},
    {**WISH, "name": "x" * 65}, {**WISH, "name": "a\u202eb"}, {**WISH, "name": "\ud800"}, {**WISH, "user": None},
    {**WISH, "scopes": "read"}, {**WISH, "scopes": []}, {**WISH, "scopes": [1]}, {**WISH, "scopes": None},
    {**WISH, "servers": []}, {**WISH, "servers": ["none"]}, {**WISH, "resources": []}, {**WISH, "resources": ["p1"]},
    {**WISH, "resources": [{"type": "project"}]}, {**WISH, "resources": [{"type": "project", "key": "p2"}]},
    {**WISH, "resources": [{"type": "project", "key": "p1", "more": 1}]}, {**WISH, "addresses": ["x"]},
    {**WISH, "addresses": ["0.0.0.0/0"]}, {**WISH, "addresses": [f"10.0.0.{n}" for n in range(60)]},
    {**WISH, "expires": "soon"}, {**WISH, "expires": 30}, {**WISH, "expires": "2001-01-01"}, {**WISH, "expires": "٣d"},
    {**WISH, "servers": ["x"] * 500},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
async def test_another_form_is_refused_with_the_place_of_each_fault(api: Api, body: Any) -> None:
    answer = await api.send("POST", body=json.dumps(body).encode())
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert "api_key:created" not in (await api.told())[8:]


async def test_bad_changes_and_rotations_change_nothing(api: Api) -> None:
    made = await api.make()
    for path, method, bodies in (
        ("", "PATCH", [{}, [], {"disabled": 1}, {"disabled": None}, {"addresses": ["x"]}, {"name": " "}, {"more": 1}]),
        ("/rotate", "POST", [[], {"keep": "2h"}, {"keep": 1}, {"keep": []}, {"expires": "x"}, {"more": 1}]),
    ):
        for body in bodies:
            assert (await api.send(method, f"/{made['id']}{path}", body)).status_code == 422, body
    assert await api.works(made["key"])
    assert (await api.send("POST", f"/{made['id']}/rotate", b"{")).status_code == 400
    allow = (await api.send("DELETE", f"/{made['id']}")).headers["allow"]
    assert {"GET", "PATCH"} <= set(allow.replace(" ", "").split(","))


async def test_a_key_for_a_place_needs_a_part_of_it(api: Api) -> None:
    """Of the tree one learns what one has a part in, and keys for other places are not made."""
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, ROBOT.id, ()))
    await api.house.change(
        lambda tx: permissions.set_placements(
            tx, ACME.id, ROBOT.id, [permissions.Placement(role="worker", resource_id=ResourceId("res-f"))]
        )
    )
    assert (await api.make(resources=[{"type": "folder", "key": "f1"}]))["resources"] == [
        {"type": "folder", "key": "f1"}
    ]
    outside = await api.send("POST", body={**WISH, "resources": [{"type": "project", "key": "p1"}]})
    missing = await api.send("POST", body={**WISH, "resources": [{"type": "project", "key": "p9"}]})
    assert outside.status_code == missing.status_code == 422
    assert outside.text.replace("p1", "p9") == missing.text


async def test_rights_that_are_gone_end_the_right_to_make_keys(api: Api) -> None:
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (await api.send("POST", body=WISH)).status_code == 403
    assert (await api.send("GET", key=api.keys["reader"])).status_code == 403
