"""Servers, tools and overrides over the API: the use cases of the page, and nothing told that it does not tell (F4)."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorward.credentials.api_keys import create_api_key
from doorward.model import PermissionEntry, Role, RoleId
from doorward.provisioning.tools import SeenTool, remember
from doorward.rights import EXPLAIN_DECISIONS, MANAGE_SERVERS
from doorward.storage import permissions
from support.pages import CAROL
from support.rows import ACME, ALICE
from support.whole import Whole, opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
BASE = "/api/v1/tenants/acme"
SECRET = "nobody-reads-this"
URL = "https://wiki.example/mcp"
WIKI = {"name": "wiki", "title": "Wiki", "url": URL, "auth": "bearer", "secret": SECRET}
SCOPES = frozenset({MANAGE_SERVERS, EXPLAIN_DECISIONS})
LESS = Role(id=RoleId("r-less"), tenant_id=ACME.id, name="less", permissions=("documents:read",))


@dataclass
class Api:
    whole: Whole
    keys: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "alice", base: str = BASE) -> Any:
        client = self.whole.browser().client
        headers = {"authorization": f"Bearer {self.keys[key]}", "accept": "application/json"}
        return await client.request(method, base + path, json=body, headers=headers)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_whole(tmp_path) as whole:
        entries = [PermissionEntry(permission=each, words=each) for each in SCOPES]
        await whole.change(lambda tx: permissions.put_catalogue(tx, entries))
        keys = {}
        for name, user in (("alice", ALICE), ("carol", CAROL)):
            made = await whole.database.write(
                lambda tx, user=user: create_api_key(  # type: ignore[misc]
                    tx,
                    owner=user,
                    tenant=ACME,
                    created_by=user.id,
                    name="k",
                    scopes=SCOPES,
                    resources=None,
                    expires_at=None,
                    rights=SCOPES,
                    now=whole.clock(),
                    entropy=os.urandom,
                    fingerprinter=whole.core.fingerprinter,
                    prefix="dw",
                    cause=None,
                )
            )
            keys[name] = made.text
        yield Api(whole, keys)


async def test_M13_a_server_is_added_changed_disabled_and_removed_and_its_credential_is_never_answered(
    api: Api,
) -> None:
    made = await api.ask("POST", "/servers", WIKI)
    assert made.status_code == 201, made.text
    assert made.json() == {
        "slug": "acme_wiki", "name": "Wiki", "urls": [f"{api.whole.public_url}/acme/own/wiki"], "address": URL,
        "auth": "bearer", "status": "active",
    }  # fmt: skip
    listed = await api.ask("GET", "/servers")
    assert [row["slug"] for row in listed.json()["servers"]] == ["acme_wiki", "harbour"]
    wanted = {"title": "W", "url": "https://thief.example/mcp", "auth": "bearer"}
    moved = await api.ask("PUT", "/servers/acme_wiki", wanted)
    assert moved.status_code == 422
    assert moved.json()["errors"][0]["pointer"] == "/secret"
    changed = await api.ask("PUT", "/servers/acme_wiki", wanted | {"url": URL})
    assert changed.json()["name"] == "W"
    off = await api.ask("PUT", "/servers/acme_wiki/status", {"status": "disabled"})
    assert off.json()["status"] == "disabled"
    assert (await api.ask("PUT", "/servers/harbour/status", {"status": "disabled"})).status_code == 409
    for answer in (made, listed, moved, changed, off):
        assert SECRET not in answer.text
    assert (await api.ask("DELETE", "/servers/acme_wiki")).json() == {"removed": "acme_wiki"}
    assert (await api.ask("DELETE", "/servers/acme_wiki")).status_code == 404


async def test_tools_are_reviewed_by_the_version_that_was_seen(api: Api) -> None:
    await api.ask("POST", "/servers", WIKI)
    tools = [SeenTool("get", "d1", {"readOnlyHint": True}, {"description": "Get"})]
    await api.whole.change(lambda tx: remember(tx, "acme_wiki", tools, api.whole.clock()))
    (tool,) = (await api.ask("GET", "/servers/acme_wiki/tools")).json()["tools"]
    assert tool["state"] == "held"
    body = {"name": "get", "state": "allowed", "version": tool["version"]}
    assert (await api.ask("POST", "/servers/acme_wiki/review", body | {"version": "d0"})).status_code == 409
    assert (await api.ask("POST", "/servers/acme_wiki/review", body | {"name": "none"})).status_code == 404
    assert (await api.ask("POST", "/servers/harbour/review", body)).status_code == 409
    assert (await api.ask("POST", "/servers/acme_wiki/review", body)).json() == {"changed": 1}
    (tool,) = (await api.ask("GET", "/servers/acme_wiki/tools")).json()["tools"]
    assert tool["state"] == "allowed"


async def test_overrides_are_added_listed_and_taken_back(api: Api) -> None:
    said = {
        "server": "harbour",
        "kind": "tool",
        "match": "read_*",
        "deny": True,
        "subject": "user",
        "whom": CAROL.email,
    }
    added = await api.ask("POST", "/overrides", said)
    assert added.status_code == 201, added.text
    assert added.json()["says"] == f"read_* denied for user {CAROL.email}"
    (row,) = (await api.ask("GET", "/overrides")).json()["overrides"]
    assert (row["server"], row["whom"], row["effect"]) == ("harbour", CAROL.email, "deny")
    for wrong in ({"whom": "x@y.test"}, {"require": ["a:b"]}, {"match": "a b"}, {"server": "none"}, {"approval": 1}):
        assert (await api.ask("POST", "/overrides", said | wrong)).status_code in {404, 422}
    assert (await api.ask("DELETE", f"/overrides/{row['id']}")).json() == {"removed": row["id"]}
    assert (await api.ask("DELETE", f"/overrides/{row['id']}")).status_code == 404


async def test_a_key_needs_the_right_and_another_tenant_is_none(api: Api) -> None:
    await api.whole.change(lambda tx: permissions.put_role(tx, LESS))
    await api.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("less",)))
    for method, path, body in (("POST", "/servers", WIKI), ("GET", "/overrides", None)):
        assert (await api.ask(method, path, body, key="carol")).status_code == 403
        assert (await api.ask(method, path, body, base="/api/v1/tenants/globex")).status_code in {403, 404}
