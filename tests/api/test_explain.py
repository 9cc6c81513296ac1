"""The explaining API over its own surface: who may ask, what is answered, and that nobody else's house is told of."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from doorward.credentials.api_keys import create_api_key, revoke_api_key
from doorward.model import (
    ApiKeyId,
    Permission,
    PermissionEntry,
    Resource,
    ResourceId,
    Role,
    RoleId,
    ServerId,
    Tenant,
    User,
)
from doorward.policy.permission import expand
from doorward.rights import EXPLAIN_DECISIONS
from doorward.storage import events, permissions, servers
from doorward.storage.database import Transaction
from doorward.storage.permissions import Placement
from support.management import management
from support.pages import BOB, CAROL, CATALOGUE, FINGERPRINTER, House, opened_house
from support.rows import ACME, ALICE, GLOBEX, HARBOUR, NOW, without_membership

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D7")]
ALL = (*CATALOGUE, PermissionEntry(permission=EXPLAIN_DECISIONS, words="Ask why a call is allowed or denied"))
ASKED = {"user": ALICE.email, "server": "harbour", "prompt": "greet"}
FOLDER = ResourceId("res_folder")


@dataclass
class Api:
    """The API inside a house of people, with a key for each of them."""

    house: House
    keys: dict[str, str]

    async def ask(self, body: Any, *, key: str = "alice", slug: str = "acme", **headers: str) -> Any:
        sent = {"content-type": "application/json", "authorization": f"Bearer {self.keys.get(key, key)}", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.house.browser().client.post(f"/api/v1/tenants/{slug}/explain", content=content, headers=sent)

    async def told_of(self) -> list[events.AuditEvent]:
        found = await self.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 100))
        return [event for event in found if event.name == "decision:explained"]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_keys))


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.put_resources(tx, ACME.id, [_folder()])
    permissions.put_role(
        tx, Role(id=RoleId("r-asker"), tenant_id=ACME.id, name="asker", permissions=("decisions:explain",))
    )
    permissions.set_membership(tx, ACME.id, BOB.id, ())
    permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="asker", resource_id=FOLDER)])
    hidden = replace(HARBOUR, id=ServerId("s-hidden"), slug="hidden", name="Hidden", paths=("/hidden",))
    servers.put_server(tx, hidden)
    made = {
        "alice": _key(tx, ALICE, "a"),
        "read": _key(tx, ALICE, "r", scopes=frozenset({Permission("documents:read")})),
        "limited": _key(tx, ALICE, "l", resources=frozenset({FOLDER})),
        "placed": _key(tx, BOB, "p"),
        "viewer": _key(tx, CAROL, "v", tenant=GLOBEX),
        "revoked": _key(tx, ALICE, "x"),
    }
    assert revoke_api_key(tx, tenant_id=ACME.id, key_id=_id(made["revoked"]), by=None, now=NOW, cause=None)
    return made


def _folder() -> Resource:
    return Resource(id=FOLDER, tenant_id=ACME.id, type="folder", key="f1", name="F", parent_id=None)


def _id(text: str) -> ApiKeyId:
    return ApiKeyId(text.partition("_")[2][:13])


def _key(tx: Transaction, owner: User, name: str, *, tenant: Tenant = ACME, **narrowed: Any) -> str:
    rights = expand(("*:*",), [entry.permission for entry in ALL])
    return create_api_key(
        tx, owner=owner, tenant=tenant, created_by=owner.id, name=name, rights=rights, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, expires_at=None, cause=None, **{"scopes": None, "resources": None, **narrowed},
    ).text  # fmt: skip


@pytest.mark.requirement("pains/C25")
async def test_a_decision_is_explained_and_looking_at_others_is_an_event(api: Api) -> None:
    answer = await api.ask(ASKED)
    assert answer.status_code == 200
    found = answer.json()
    assert (found["decision"], found["reason"], found["remedy"]) == ("allowed", None, None)
    assert [step["stage"] for step in found["steps"]] == [
        "credential",
        "server",
        "rule",
        "right",
        "scope",
        "place",
        "approval",
    ]
    assert await api.told_of() == []  # about herself
    found = (await api.ask({**ASKED, "key": _id(api.keys["read"])})).json()
    assert (found["decision"], found["reason"]) == ("denied", "scope")
    assert "documents:write" in found["remedy"]
    assert (await api.ask({**ASKED, "user": CAROL.email})).json()["decision"] == "allowed"
    (event,) = await api.told_of()
    assert (event.actor_id, event.subject, event.detail["server"]) == (ALICE.id, CAROL.email, "harbour")
    assert event.detail["by"] == f"api key {_id(api.keys['alice'])}"
    assert event.request_id is not None
    assert event.request_id.startswith("req_")
    assert api.keys["read"] not in str(event)


async def test_arguments_name_a_place(api: Api) -> None:
    body = {"user": ALICE.email, "server": "harbour", "tool": "read_page", "arguments": {"id": "nowhere"}}
    assert (await api.ask(body)).json()["reason"] == "unresolvable"
    ended = {**ASKED, "key": _id(api.keys["revoked"])}
    assert (await api.ask(ended)).json()["reason"] == "credential"


@pytest.mark.parametrize("key", ["", "nothing", "revoked"])
async def test_without_a_live_api_key_the_answer_is_401(api: Api, key: str) -> None:
    answer = await api.ask(ASKED, key=key)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["read", "limited", "placed"])
async def test_key_and_owner_need_the_permission_at_the_tenant(api: Api, key: str) -> None:
    answer = await api.ask(ASKED, key=key)
    assert answer.status_code == 403
    assert await api.told_of() == []


async def test_an_owner_without_the_right_cannot_ask_with_a_key_that_holds_it(api: Api) -> None:
    assert (await api.ask(ASKED, key="viewer", slug="globex")).status_code == 403
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (await api.ask(ASKED)).status_code == 403


async def test_a_foreign_tenant_answers_like_a_missing_one(api: Api) -> None:
    foreign, missing = await api.ask(ASKED, slug="globex"), await api.ask(ASKED, slug="nobody")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content


async def test_people_and_servers_elsewhere_are_told_like_missing_ones(api: Api) -> None:
    """Whether an address has an account in another tenant, or the deployment another server, is not told."""
    await api.house.change(lambda tx: without_membership(tx, ACME.id, CAROL.id))
    for more in ({}, {"key": _id(api.keys["viewer"])}, {"connection": "con_x"}):
        told = [
            (await api.ask({**ASKED, "user": user, **more})).text.replace(user, "")
            for user in (CAROL.email, "no@x.test")
        ]
        assert told[0] == told[1], more
    told = [(await api.ask({**ASKED, "server": slug})).text.replace(slug, "") for slug in ("hidden", "absent")]
    assert told[0] == told[1]
    assert '"status": 422' in told[0]
    assert await api.told_of() == []


BAD: list[Any] = [
    None, [], 1, {}, {**ASKED, "tool": "x"}, {"user": "a", "server": "b"}, {**ASKED, "more": 1},
    {**ASKED, "user": 1}, {**ASKED, "user": ""}, {**ASKED, "user": "a\x00b"}, {**ASKED, "prompt": "\ud800"},
    {**ASKED, "prompt": "x" * 2001}, {**ASKED, "key": None}, {**ASKED, "key": "a", "connection": "b"},
    {**ASKED, "arguments": []}, {**ASKED, "arguments": {"a": "\ud800"}}, {**ASKED, "arguments": None},
    {**ASKED, "arguments": {"a": json.loads("[" * 300 + "]" * 300)}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
async def test_another_form_is_refused_with_the_place_of_each_fault(api: Api, body: Any) -> None:
    answer = await api.ask(body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


async def test_what_is_no_strict_json_is_refused(api: Api) -> None:
    huge = json.dumps(ASKED)[:-1].encode() + b', "arguments": {"a": 1e999}}'
    for raw in (
        b"",
        b"{",
        b"\xff",
        b'{"user":1,"user":2}',
        b"NaN",
        b"[" * 100_000,
        b'{"user":' + b"9" * 5000 + b"}",
        huge,
    ):
        assert (await api.ask(raw)).status_code == 400
    assert (await api.ask(ASKED, **{"content-type": "text/plain"})).status_code == 415
