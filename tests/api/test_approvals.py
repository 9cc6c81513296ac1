"""The API of approvals: whose key sees and decides what, and that no key speaks for a person."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.credentials.api_keys import create_api_key, revoke_api_key
from doorward.model import ApiKeyId, Approvers, Permission, PermissionEntry, Tenant, User
from doorward.policy.permission import expand
from doorward.rights import DECIDE_CALLS as DECIDE
from doorward.storage import events, permissions
from doorward.storage.database import Transaction
from doorward.storage.statements import Statement
from support.asking import asked
from support.management import management
from support.pages import CAROL, CATALOGUE, FINGERPRINTER, TERMS, House, opened_house
from support.rows import ACME, ALICE, GLOBEX, HARBOUR, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D8")]
ALL = (*CATALOGUE, PermissionEntry(permission=DECIDE, words="Decide about calls"))
DELETE = Permission("documents:delete")
BY_OTHERS = Approvers(permissions=frozenset({DECIDE}), by_another=True)
WHAT = {"document_id": "doc-1"}


@dataclass
class Api:
    """The API inside a house of people, with a key for each of them."""

    house: House
    keys: dict[str, str]

    async def get(self, path: str = "", *, key: str = "alice", slug: str = "acme") -> httpx2.Response:
        return await self._send("GET", path, key, slug)

    async def post(self, path: str, *, key: str = "alice", slug: str = "acme") -> httpx2.Response:
        return await self._send("POST", path, key, slug)

    async def _send(self, method: str, path: str, key: str, slug: str) -> httpx2.Response:
        sent = {"authorization": f"Bearer {self.keys.get(key, key)}", "accept": "application/json"}
        return await self.house.browser().client.request(
            method, f"/api/v1/tenants/{slug}/approvals{path}", headers=sent
        )

    async def ask(self, user: User = CAROL, tenant: Tenant = ACME, **more: Any) -> str:
        given = {"terms": TERMS, "now": self.house.clock(), "arguments": WHAT, "approvers": BY_OTHERS, **more}
        found = await self.house.change(lambda tx: asked(tx, user, tenant, HARBOUR, **given))
        return str(found)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_keys))


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    made = {
        "alice": _key(tx, ALICE, "a"),
        "carol": _key(tx, CAROL, "c"),
        "decides": _key(tx, ALICE, "d", scopes=frozenset({DECIDE})),
        "deletes": _key(tx, ALICE, "r", scopes=frozenset({DELETE})),
        "globex": _key(tx, CAROL, "g", tenant=GLOBEX),
        "revoked": _key(tx, ALICE, "x"),
    }
    assert revoke_api_key(tx, tenant_id=ACME.id, key_id=id_of(made["revoked"]), by=None, now=NOW, cause=None)
    return made


def id_of(text: str) -> ApiKeyId:
    return ApiKeyId(text.partition("_")[2][:13])


def _key(tx: Transaction, owner: User, name: str, *, tenant: Tenant = ACME, **narrowed: Any) -> str:
    rights = expand(("*:*",), [entry.permission for entry in ALL])
    given = {"scopes": None, "resources": None, "created_by": owner.id, **narrowed}
    return create_api_key(
        tx, owner=owner, tenant=tenant, name=name, rights=rights, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, expires_at=None, cause=None, **given,
    ).text  # fmt: skip


async def test_a_key_with_the_right_sees_decides_and_leaves_an_event(api: Api) -> None:
    one = await api.ask()
    api.house.clock.forward(1)
    two = await api.ask(arguments={"document_id": "doc-2"})
    listed = (await api.get()).json()
    assert [each["id"] for each in listed["waiting"]] == [one, two]
    assert "arguments" not in listed["waiting"][0]
    shown = (await api.get(f"/{one}")).json()
    assert (shown["arguments"], shown["tool"], shown["user"], shown["may_decide"]) == (
        WHAT, "delete_document", CAROL.email, True,
    )  # fmt: skip
    for approval_id, way, state in ((one, "approve", "approved"), (two, "deny", "denied")):
        done = await api.post(f"/{approval_id}/{way}")
        assert (done.status_code, done.json()["state"], done.json()["decided_by"]) == (200, state, ALICE.email)
        again = await api.post(f"/{approval_id}/approve")
        assert again.status_code == 409
        assert "DW-366" in again.json()["detail"]
    assert await api.ask() == "", "the approved call passes"
    after = (await api.get()).json()
    assert {each["id"]: each["state"] for each in after["over"]} == {one: "used", two: "denied"}
    found = await api.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    (event,) = [each for each in found if each.name == "approval:approved"]
    assert event.detail["by"] == f"api key {id_of(api.keys['alice'])}"


async def test_no_key_speaks_for_the_callers_own_person(api: Api) -> None:
    """An agent holds a key: it must not be able to approve what its person was to look at."""
    own = await api.ask(ALICE, approvers=Approvers())
    shown = await api.get(f"/{own}")
    assert shown.json()["may_decide"] is False
    refused = await api.post(f"/{own}/approve")
    assert refused.status_code == 403
    assert "DW-367" in refused.json()["detail"]
    assert await api.ask(ALICE, approvers=Approvers()) == own, "still waiting"


async def test_no_key_approves_a_call_of_its_owners(api: Api) -> None:
    """An agent may hold two keys of its person, or make itself a second one."""
    by_right = Approvers(permissions=frozenset({DECIDE}))
    mine = await api.ask(ALICE, approvers=by_right, key=id_of(api.keys["alice"]))
    for key in ("alice", "decides"):
        assert (await api.post(f"/{mine}/approve", key=key)).status_code == 403


async def test_whoever_asks_approves_with_no_key_that_they_made_for_a_colleague(api: Api) -> None:
    made = await api.house.change(lambda tx: _key(tx, ALICE, "for Alice", created_by=CAROL.id))
    call = await api.ask(CAROL)
    assert (await api.post(f"/{call}/approve", key=made)).status_code == 404
    assert (await api.post(f"/{call}/approve", key="alice")).status_code == 200


@pytest.mark.parametrize("end", ["revoked_at", "disabled_at", "expires_at"])
async def test_what_a_key_approved_falls_with_the_key(api: Api, end: str) -> None:
    waits = await api.ask()
    assert (await api.post(f"/{waits}/approve")).status_code == 200
    change = Statement(f"UPDATE api_keys SET {end} = :now WHERE id = :id")
    await api.house.change(lambda tx: tx.run(change, {"now": NOW, "id": id_of(api.keys["alice"])}))
    assert await api.ask() not in {"", waits}, "asked anew"


async def test_a_key_needs_what_the_rule_asks_for_beside_the_right_to_decide(api: Api) -> None:
    wanted = await api.ask(approvers=Approvers(permissions=frozenset({DELETE})))
    assert (await api.post(f"/{wanted}/approve", key="deletes")).status_code == 403, "the right to decide is missing"
    assert (await api.post(f"/{wanted}/approve", key="decides")).status_code == 404, "the rule's permission is missing"
    assert (await api.post(f"/{wanted}/approve")).status_code == 200


async def test_others_tenants_calls_look_like_missing_ones(api: Api) -> None:
    await api.house.change(lambda tx: permissions.set_membership(tx, GLOBEX.id, CAROL.id, ("viewer",)))
    foreign = await api.ask(CAROL, GLOBEX, approvers=Approvers(permissions=frozenset({DECIDE})))
    for path in (f"/{foreign}", "/ap_" + "A" * 22, "/x"):
        assert (await api.get(path)).status_code == 404
        assert (await api.post(f"{path}/approve")).status_code == 404
        assert (await api.post(f"{path}/deny", key="carol")).status_code == 404
    for slug in ("globex", "nobody"):
        assert (await api.get(slug=slug)).status_code == 404
    assert (await api.get(slug="globex", key="globex")).status_code == 403, "a viewer decides nothing"
    for key in ("revoked", "dw_nonsense", ""):
        assert (await api.get(key=key)).status_code == 401


async def test_whoever_lost_the_right_decides_nothing(api: Api) -> None:
    wanted = await api.ask()
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (await api.get()).status_code == 403
    assert (await api.post(f"/{wanted}/approve")).status_code == 403
    assert await api.ask() == wanted
