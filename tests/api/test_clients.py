"""The API of registered apps: who may, what is told once, what a limit and a deletion come to (B5, F4)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.api.test_frame import api

from doorward.model import Instant, Resource, ResourceId
from doorward.rights import MANAGE_CLIENTS
from doorward.storage import api_keys, clients, connections, permissions
from support.api_house import RIGHTS, Api, code_of, key_of
from support.rows import ACME, ALICE, BOB, CONNECTION, HARBOUR, NOW

__all__ = ["api"]
pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B5", "F4")]
PATH = "/api/v1/tenants/acme/clients"
URI = "https://portal.example/cb"
PORTAL: dict[str, Any] = {"name": "Portal", "redirect_uris": [URI]}


async def made(api: Api, **more: Any) -> dict[str, Any]:
    answer = await api.ask("POST", PATH, {**PORTAL, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def furnished(api: Api) -> None:
    node = Resource(id=ResourceId("r-alpha"), tenant_id=ACME.id, type="project", key="alpha", name="Alpha")
    await api.house.change(lambda tx: permissions.put_resources(tx, ACME.id, [node]))


async def test_an_app_is_registered_with_limits_and_its_secret_told_once(api: Api) -> None:
    await furnished(api)
    nodes = [{"type": "project", "key": "alpha"}]
    told = await made(api, auth_method="client_secret_post", scopes=["documents:read"], resources=nodes)
    assert told["secret"].startswith("dwk_")
    assert (told["type"], told["scopes"], told["resources"]) == ("confidential", ["documents:read"], nodes)
    shown = await api.ask("GET", f"{PATH}/{told['id']}")
    assert shown.json() == {name: value for name, value in told.items() if name != "secret"}
    assert (await made(api))["secret"] is None
    listed = (await api.ask("GET", f"{PATH}?limit=1")).json()
    assert len(listed["clients"]) == 1
    rest = (await api.ask("GET", f"{PATH}?limit=1&after={listed['next']}")).json()
    assert listed["clients"][0]["id"] != rest["clients"][0]["id"]
    assert told["secret"] not in str(listed) + str(rest)


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"name": " "}, "/name"),
        ({"redirect_uris": ["http://portal.example/cb"]}, "/redirect_uris"),
        ({"redirect_uris": []}, "/redirect_uris"),
        ({"auth_method": "magic"}, "/auth_method"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["nothing:there"]}, "/scopes"),
        ({"resources": [{"type": "project", "key": "gone"}]}, "/resources"),
        ({"auth_method": "private_key_jwt", "jwks": "{"}, "/jwks"),
        ({"service_account": "no@body.example"}, "/service_account"),
        ({"owner": ALICE.email}, "/owner"),
    ],
)
async def test_M4_what_is_wrong_is_told_at_its_place_and_nothing_is_made(api: Api, wrong: Any, at: str) -> None:
    answer = await api.ask("POST", PATH, {**PORTAL, **wrong})
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [at]
    assert (await api.ask("GET", PATH)).json()["clients"] == []


@pytest.mark.requirement("D3")
async def test_it_is_replaced_disabled_and_ended_for_ever(api: Api) -> None:
    told = await made(api, auth_method="client_secret_post")
    one = f"{PATH}/{told['id']}"
    replaced = {**PORTAL, "name": "Gate", "auth_method": "client_secret_basic"}
    assert (await api.ask("PUT", one, replaced)).json()["name"] == "Gate"
    assert code_of(await api.ask("PUT", one, PORTAL)) == (422, "DW-491")
    for disabled, state in ((True, "disabled"), (False, "active")):
        assert (await api.ask("PATCH", one, {"disabled": disabled})).json()["state"] == state
    more = (await api.ask("POST", f"{one}/secrets")).json()
    assert more["secret"].startswith("dwk_")
    old = next(each["id"] for each in more["secrets"])
    ended = (await api.ask("POST", f"{one}/secrets/{old}/retire", {"in": "now"})).json()
    assert sorted(each["good"] for each in ended["secrets"]) == [False, True]
    used = replace(CONNECTION, client_id=told["id"], user_id=BOB.id, activated_at=NOW, expires_at=Instant(NOW + 10**12))
    await api.house.change(lambda tx: connections.insert_connection(tx, used))
    assert (await api.ask("GET", one)).json()["connections"] == 1
    for _ in range(2):
        gone = (await api.ask("DELETE", one)).json()
        assert (gone["state"], gone["connections"], gone["secrets"]) == ("deleted", 0, [])
    assert code_of(await api.ask("PATCH", one, {"disabled": False})) == (409, "DW-494")
    assert code_of(await api.ask("POST", f"{one}/secrets")) == (409, "DW-494")


async def test_I6_a_key_registers_no_machine_that_may_more_than_the_key(api: Api) -> None:
    account = (
        await api.ask("POST", "/api/v1/tenants/acme/service-accounts", {"name": "Job", "roles": ["owner"]})
    ).json()
    small = await api.house.change(
        lambda tx: key_of(
            tx, ALICE, scopes=frozenset({MANAGE_CLIENTS} | {each for each in RIGHTS if each.endswith("s:read")})
        )
    )
    wish = {"name": "Job", "auth_method": "client_secret_post", "service_account": account["email"]}
    answer = await api.ask("POST", PATH, {**wish, "scopes": ["documents:delete"]}, key=small)
    assert code_of(answer) == (403, "DW-493")
    told = (await api.ask("POST", PATH, wish, key=small)).json()
    assert "documents:delete" not in told["scopes"]
    assert (told["service_account"], told["grant_types"]) == (account["email"], ["client_credentials"])


async def test_M1_apps_of_the_operator_and_of_others_are_none(api: Api) -> None:
    told = await made(api)
    stored = await api.house.database.read(lambda reader: clients.client_by_id(reader, told["id"]))
    assert stored is not None
    for foreign in (replace(stored, tenant_id=None), replace(stored, tenant_id="t-globex")):
        await api.house.change(lambda tx, to=foreign: clients.update_client(tx, to))
        for method, path, body in (("GET", "", None), ("DELETE", "", None), ("POST", "/secrets", None)):
            answers = [await api.ask(method, f"{PATH}/{each}{path}", body) for each in (told["id"], "app_none")]
            assert {answer.status_code for answer in answers} == {404}
            assert answers[0].text.replace(told["id"], "") == answers[1].text.replace("app_none", "")
    assert (await api.ask("GET", PATH, key="members")).status_code == 403


async def test_a_keys_servers_are_changed(api: Api) -> None:
    key = (await api.ask("POST", "/api/v1/tenants/acme/keys", {"name": "ci", "scopes": ["documents:read"]})).json()
    one = f"/api/v1/tenants/acme/keys/{key['id']}"
    assert (await api.ask("PATCH", one, {"servers": [HARBOUR.slug]})).json()["servers"] == [HARBOUR.slug]
    for wrong in ([], ["vault"], [7]):
        assert (await api.ask("PATCH", one, {"servers": wrong})).status_code == 422
    stored = await api.house.database.read(lambda reader: api_keys.api_key_by_id(reader, ACME.id, key["id"]))
    assert stored is not None
    assert stored.servers == {HARBOUR.id}
    assert (await api.ask("PATCH", one, {"servers": None})).json()["servers"] is None
