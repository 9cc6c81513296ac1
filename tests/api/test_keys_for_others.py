"""A key that somebody made for a person who holds more: it never does what only that person does (M3)."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.accounts import notices
from doorward.bootstrap.core import open_core
from doorward.bootstrap.program import build
from doorward.credentials.api_keys import create_api_key
from doorward.credentials.secret import Fingerprinter
from doorward.model import ClientId, ConnectionId, Instant, UserId
from doorward.policy.permission import expand
from doorward.provisioning.apply import execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.rights import ADMINISTRATION
from doorward.settings import Settings
from doorward.storage import accounts, connections, permissions, servers
from doorward.storage.database import Database, Transaction
from support.rows import CONNECTION, HARBOUR, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("security/M3")]
NAMES = ("olga", "otto", "adam", "hr")
DOCUMENT: dict[str, Any] = {
    "permissions": [{"permission": name} for name in (*ADMINISTRATION, "documents:read")],
    "users": [{"email": f"{name}@acme.example", "name": name} for name in NAMES],
    "tenants": [
        {
            "slug": "acme",
            "roles": [{"name": "hr", "permissions": ["members:manage", "keys:manage"]}],
            "members": [
                {"user": "olga@acme.example", "roles": ["owner"]},
                {"user": "otto@acme.example", "roles": ["owner"]},
                {"user": "adam@acme.example", "roles": ["admin"]},
                {"user": "hr@acme.example", "roles": ["hr"]},
            ],
        }
    ],
}


@dataclass
class People:
    http: httpx2.AsyncClient
    database: Database
    ids: dict[str, str]
    keys: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, *, key: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.keys.get(key, key)}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body)
        return await self.http.request(method, f"/api/v1/tenants/acme/{path}", headers=headers, content=content)

    async def give(self, name: str, roles: list[str], *, key: str) -> int:
        return (await self.ask("PUT", f"members/{self.ids[name]}/roles", {"roles": roles}, key=key)).status_code

    async def made_for_olga(self, *, key: str, expires: str = "30d") -> str:
        wish = {"name": "x", "user": "olga@acme.example", "expires": expires}
        made = await self.ask("POST", "keys", wish, key=key)
        assert made.status_code == 201, made.text
        return str(made.json()["key"])


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    core = await open_core(replace(Settings(), data_dir=tmp_path), create=True)
    ids, keys = await core.database.write(lambda tx: _people(tx, core.fingerprinter, core.now()))
    app = await build(core)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url=core.settings.public_url
    ) as http:  # fmt: skip
        yield People(http, core.database, ids, keys)
    await core.close()


def _people(tx: Transaction, fingerprinter: Fingerprinter, now: Any) -> tuple[dict[str, str], dict[str, str]]:
    document = parse(read_json(json.dumps(DOCUMENT)))
    execute(tx, document, {}, now=now, entropy=os.urandom, fingerprinter=fingerprinter)
    tenant = accounts.tenant_by_slug(tx, "acme")
    assert tenant is not None
    catalogue = [entry.permission for entry in permissions.catalogue(tx)]
    ids, keys = {}, {}
    for name in NAMES:
        user = accounts.user_by_email(tx, f"{name}@acme.example")
        assert user is not None
        rights = expand(permissions.role_permissions(tx, tenant.id, user.id), catalogue)
        ids[name] = str(user.id)
        keys[name] = create_api_key(
            tx, owner=user, tenant=tenant, created_by=user.id, name=name, scopes=None, resources=None, expires_at=None,
            rights=rights, now=now, entropy=os.urandom, fingerprinter=fingerprinter, cause=None,
        ).text  # fmt: skip
    return ids, keys


async def test_nobody_becomes_an_owner_by_a_key_they_made_for_one(people: People) -> None:
    assert await people.give("adam", ["owner"], key="adam") == 403
    made = await people.made_for_olga(key="adam")
    assert await people.give("adam", ["owner"], key=made) == 403
    assert await people.give("adam", ["owner"], key="olga") == 200, "what she does with a key of her own"


async def test_nor_by_a_key_that_was_made_with_such_a_key(people: People) -> None:
    made = await people.made_for_olga(key=await people.made_for_olga(key="adam"), expires="7d")
    assert await people.give("adam", ["owner"], key=made) == 403


async def test_nobody_unmakes_an_owner_in_the_owners_own_name(people: People) -> None:
    assert await people.give("olga", [], key="hr") == 403
    made = await people.made_for_olga(key="hr")
    assert await people.give("olga", [], key=made) == 403
    assert await people.give("olga", ["viewer"], key="olga") == 200, "what everybody may take from themselves"


async def test_somebody_is_told_what_another_ended_with_a_key_of_theirs(people: People) -> None:
    olga, made = UserId(people.ids["olga"]), await people.made_for_olga(key="adam")
    clients_too = await people.ask(
        "POST", "clients", {"name": "P", "redirect_uris": ["https://p.example/"]}, key="adam"
    )
    client = ClientId(clients_too.json()["id"])

    def let_in(tx: Transaction) -> None:
        tenant = accounts.tenant_by_slug(tx, "acme")
        assert tenant is not None
        servers.put_server(tx, HARBOUR)
        for name in ("n-1", "n-2", "n-3"):
            one = replace(
                CONNECTION, id=ConnectionId(name), tenant_id=tenant.id, user_id=olga, client_id=client, activated_at=NOW, resources=None,
                expires_at=Instant(2**53),
            )  # fmt: skip
            connections.insert_connection(tx, one)

    await people.database.write(let_in)
    told = []
    for path, key in (("connections/n-1", "olga"), ("connections/n-2", made), (f"clients/{client}", made)):
        assert (await people.ask("DELETE", path, key=key)).status_code == 200
        told.append(len(await people.database.read(lambda reader: notices.waiting(reader, olga))))
    assert told == [0, 1, 2]
