"""The members API over the whole program: who may, what is refused and how, and what a change changes."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.bootstrap.core import Core, open_core
from doorward.bootstrap.program import build
from doorward.credentials.api_keys import create_api_key
from doorward.model import Permission
from doorward.policy.permission import expand
from doorward.provisioning.apply import execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.settings import Settings
from doorward.storage import accounts, permissions
from doorward.storage.database import Transaction

pytestmark = pytest.mark.anyio

DOCUMENT: dict[str, Any] = {
    "permissions": [{"permission": name} for name in ("members:manage", "documents:read", "documents:write")],
    "users": [{"email": f"{name}@acme.example", "name": name.capitalize()} for name in ("olga", "adam", "vera", "gus")],
    "tenants": [
        {
            "slug": "acme",
            "roles": [{"name": "people", "permissions": ["members:*", "documents:read"]}],
            "resources": [{"type": "folder", "key": "f1"}],
            "members": [
                {"user": "olga@acme.example", "roles": ["owner"]},
                {"user": "adam@acme.example", "roles": ["people"]},
                {"user": "vera@acme.example", "roles": ["viewer"]},
            ],
        },
        {"slug": "globex", "members": [{"user": "gus@acme.example", "roles": ["owner"]}]},
    ],
}


@dataclass
class Api:
    core: Core
    http: httpx2.AsyncClient
    ids: dict[str, str]
    keys: dict[str, str]

    async def send(self, method: str, path: str, body: Any = None, *, key: str = "olga", slug: str = "acme") -> Any:
        headers = {"authorization": f"Bearer {self.keys.get(key, key)}", "content-type": "application/json"}
        more = {} if body is None else {"content": json.dumps(body)}
        return await self.http.request(method, f"/api/v1/tenants/{slug}/{path}", headers=headers, **more)

    async def roles(self, who: str, key: str, *names: str, **more: Any) -> Any:
        return await self.send("PUT", f"members/{self.ids[who]}/roles", {"roles": list(names), **more}, key=key)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    core = await open_core(replace(Settings(), data_dir=tmp_path), create=True)
    ids, keys = await core.database.write(lambda tx: _people(tx, core))
    transport = httpx2.ASGITransport(app=await build(core))
    async with httpx2.AsyncClient(transport=transport, base_url=core.settings.public_url) as http:
        yield Api(core, http, ids, keys)
    await core.close()


def _people(tx: Transaction, core: Core) -> tuple[dict[str, str], dict[str, str]]:
    execute(
        tx, parse(read_json(json.dumps(DOCUMENT))), {}, now=core.now(), entropy=os.urandom, fingerprinter=core.fingerprinter
    )  # fmt: skip
    ids, keys = {}, {}
    catalogue = [entry.permission for entry in permissions.catalogue(tx)]
    for name, slug in (("olga", "acme"), ("adam", "acme"), ("vera", "acme"), ("gus", "globex")):
        user, tenant = accounts.user_by_email(tx, f"{name}@acme.example"), accounts.tenant_by_slug(tx, slug)
        assert user is not None
        assert tenant is not None
        ids[name] = user.id
        rights = expand(permissions.role_permissions(tx, tenant.id, user.id), catalogue)
        for scopes, label in ((None, name), (frozenset({Permission("documents:read")}), f"{name} narrow")):
            keys[label] = create_api_key(
                tx, owner=user, tenant=tenant, created_by=user.id, name=label, scopes=scopes, resources=None,
                expires_at=None, rights=rights, now=core.now(), entropy=os.urandom, fingerprinter=core.fingerprinter, cause=None,
            ).text  # fmt: skip
    return ids, keys


@pytest.mark.requirement("F4", "E2")
async def test_members_are_listed_changed_and_taken_out(api: Api) -> None:
    listed = (await api.send("GET", "members")).json()["members"]
    assert [(each["name"], each["roles"]) for each in listed] == [
        ("Adam", ["people"]), ("Olga", ["owner"]), ("Vera", ["viewer"]),
    ]  # fmt: skip
    at = [{"role": "editor", "type": "folder", "key": "f1"}]
    changed = await api.roles("vera", "olga", "people", at=at)
    assert (changed.status_code, changed.json()["roles"], changed.json()["at"]) == (200, ["people"], at)
    kept = await api.roles("vera", "olga", "viewer")
    assert kept.json()["at"] == at
    shown = await api.send("GET", "members/vera@acme.example")
    assert shown.json() == kept.json()
    gone = await api.send("DELETE", f"members/{api.ids['vera']}")
    assert (gone.status_code, gone.json()) == (200, {"ended": {"api_keys": 2}})
    assert (await api.send("GET", f"members/{api.ids['vera']}")).status_code == 404
    assert (await api.send("GET", "members", key="vera")).status_code == 401


@pytest.mark.requirement("E2")
async def test_an_account_is_deactivated_activated_and_deleted(api: Api) -> None:
    path = f"members/{api.ids['adam']}"
    assert (await api.send("POST", f"{path}/deactivate")).json() == {"ended": {"api_keys": 2}}
    assert (await api.send("GET", "members", key="adam")).status_code == 401
    assert (await api.send("GET", path)).json()["status"] == "disabled"
    assert (await api.send("POST", f"{path}/activate")).json() == {"ended": {}}
    assert (await api.send("GET", "members", key="adam")).status_code == 401, "what ended stays ended"
    assert (await api.send("DELETE", f"{path}/account")).status_code == 200
    assert (await api.send("GET", path)).status_code == 404


@pytest.mark.requirement("C6")
async def test_a_service_account_is_made_with_no_more_than_its_maker_has(api: Api) -> None:
    made = await api.send("POST", "service-accounts", {"name": "Deploy", "roles": ["people"]}, key="adam")
    assert (made.status_code, made.json()["kind"], made.json()["roles"]) == (201, "service", ["people"])
    beyond = await api.send("POST", "service-accounts", {"name": "Deploy", "roles": ["editor"]}, key="adam")
    assert (beyond.status_code, "DW-451" in beyond.json()["detail"]) == (403, True)
    assert len((await api.send("GET", "members")).json()["members"]) == 4


async def test_M3_the_api_gives_nobody_more_than_key_and_owner_have(api: Api) -> None:
    for answer in (
        await api.roles("adam", "adam", "owner"),
        await api.roles("vera", "adam", "editor"),
        await api.roles("olga", "adam"),
        await api.send("DELETE", f"members/{api.ids['olga']}", key="adam"),
        await api.send("POST", f"members/{api.ids['olga']}/deactivate", key="adam"),
        await api.send("DELETE", f"members/{api.ids['olga']}/account", key="adam"),
    ):
        assert (answer.status_code, "DW-451" in answer.json()["detail"]) == (403, True)
    for key in ("vera", "olga narrow", "adam narrow"):
        assert (await api.send("GET", "members", key=key)).status_code == 403
    assert (await api.send("GET", "members", key="gus")).status_code == 404
    assert (await api.send("GET", "members", key="dw_nonsense")).status_code == 401
    last = await api.roles("olga", "olga", "viewer")
    assert (last.status_code, "DW-450" in last.json()["detail"]) == (409, True)


async def test_M1_nobody_of_another_tenant_is_seen_or_touched(api: Api) -> None:
    stranger, nobody = api.ids["gus"], "usr_nobody"
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/deactivate"), ("POST", "/activate"), ("DELETE", "/account"),
    ):  # fmt: skip
        answers = [await api.send(method, f"members/{who}{path}") for who in (stranger, nobody)]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
    body = {"roles": []}
    answers = [await api.send("PUT", f"members/{who}/roles", body) for who in (stranger, nobody)]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    "body",
    [[], {}, {"roles": "owner"}, {"roles": [1]}, {"roles": [], "at": {}}, {"roles": [], "more": 1}, {"roles": ["nosuch"]},
     {"roles": ["\x00"]}, {"roles": [], "at": [{"role": "viewer", "type": "folder"}]}, {"roles": ["x"] * 201},
     {"roles": [], "at": [{"role": "viewer", "type": "folder", "key": "nosuch"}]}, {"roles": ["\ud800"]}],
)  # fmt: skip
async def test_a_body_that_says_no_roles_is_refused_with_its_place(api: Api, body: Any) -> None:
    answer = await api.send("PUT", f"members/{api.ids['vera']}/roles", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    for wrong in ([], {"name": ""}, {"name": "\u202e"}, {"name": "A", "email": "x@y.z"}, {"name": "A", "roles": "x"}):
        assert (await api.send("POST", "service-accounts", wrong)).status_code == 422
