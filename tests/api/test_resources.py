"""The resource API over its own surface: who may push, what is refused and how, and what a push changes."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from doorward.credentials.api_keys import create_api_key, revoke_api_key
from doorward.credentials.secret import Fingerprinter
from doorward.model import (
    ApiKeyId,
    Instant,
    OwnerKind,
    Permission,
    PermissionEntry,
    ResourceId,
    Role,
    RoleId,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.policy.permission import expand
from doorward.storage import accounts, events, permissions
from doorward.storage.database import Database, Transaction
from doorward.storage.opening import open_database
from support.management import management

pytestmark = pytest.mark.anyio

NOW = Instant(1_800_000_000_000_000)
CATALOGUE = ("documents:read", "resources:manage")
ACME, GLOBEX = TenantId("ten_acme"), TenantId("ten_globex")


def node(kind: str, key: str, parent: tuple[str, str] | None = None, name: str | None = None) -> dict[str, Any]:
    """Return a node as the API takes it."""
    above = None if parent is None else {"type": parent[0], "key": parent[1]}
    return {"type": kind, "key": key, "name": name or key, "parent": above}


TREE = [
    node("folder", "f1", ("project", "p1")),
    node("workspace", "w1"),
    node("project", "p1", ("workspace", "w1")),
    node("project", "p2", ("workspace", "w1")),
]


@dataclass
class Api:
    """The API over a database of its own."""

    database: Database
    http: httpx2.AsyncClient
    keys: Callable[..., str]

    async def send(self, method: str, body: Any, *, key: str | None = None, slug: str = "acme", **more: Any) -> Any:
        headers = {"content-type": "application/json", "authorization": f"Bearer {key or self.keys()}"}
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return await self.http.request(
            method, f"/api/v1/tenants/{slug}/resources", content=content, headers=headers | more.pop("headers", {})
        )

    async def tree(self, tenant: TenantId = ACME) -> dict[str, str | None]:
        """Return key → parent's key."""
        rows = await self.database.read_long(lambda reader: permissions.resources_of_tenant(reader, tenant))
        names = {row.id: row.key for row in rows}
        return {row.key: None if row.parent_id is None else names[row.parent_id] for row in rows}

    async def events(self) -> list[events.AuditEvent]:
        found = await self.database.read_long(lambda reader: events.recent_events(reader, ACME, 100))
        return [event for event in found if event.name == "resources:changed"]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with open_api(f"sqlite:///{tmp_path / 'doorward.db'}") as opened:
        yield opened


@asynccontextmanager
async def open_api(url: str) -> AsyncIterator[Api]:
    database = open_database(url, create=True)
    fingerprinter = Fingerprinter(b"f" * 32)
    made = await database.write(lambda tx: people_and_keys(tx, fingerprinter))
    routes = await management(database, lambda: NOW, fingerprinter=fingerprinter)
    transport = httpx2.ASGITransport(app=Starlette(routes=routes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://door") as http:
        yield Api(database, http, lambda which="push": made[which])
    await database.close()


def people_and_keys(tx: Transaction, fingerprinter: Fingerprinter) -> dict[str, str]:
    """Make two tenants with a product account and a reader each, and the keys the tests need."""
    permissions.put_catalogue(tx, [PermissionEntry(permission=Permission(p), words=p) for p in CATALOGUE])
    made: dict[str, str] = {}
    for tenant_id, slug in ((ACME, "acme"), (GLOBEX, "globex")):
        tenant = Tenant(id=tenant_id, slug=slug, name=slug, created_at=NOW)
        accounts.insert_tenant(tx, tenant)
        for name, patterns in (("product", ("resources:manage", "documents:read")), ("reader", ("*:read",))):
            user = User(
                id=UserId(f"{slug}-{name}"),
                email=f"{name}@{slug}.example",
                name=name,
                kind=OwnerKind.SERVICE,
                created_at=NOW,
            )
            accounts.insert_user(tx, user, None)
            permissions.put_role(
                tx, Role(id=RoleId(f"{slug}-{name}"), tenant_id=tenant_id, name=name, permissions=patterns)
            )
            permissions.set_membership(tx, tenant_id, user.id, (name,))
            made[f"{slug}-{name}"] = key(
                tx, fingerprinter, tenant, user, name, expand(patterns, map(Permission, CATALOGUE))
            )
    product = accounts.user_by_id(tx, UserId("acme-product"))
    acme = accounts.tenant_by_slug(tx, "acme")
    assert product is not None
    assert acme is not None
    everything = expand(("*:*",), map(Permission, CATALOGUE))
    made["push"] = made["acme-product"]
    made["narrow scope"] = key(
        tx, fingerprinter, acme, product, "x", everything, scopes=frozenset({Permission("documents:read")})
    )
    permissions.put_resources(tx, ACME, [])
    made["narrow tree"] = key(
        tx, fingerprinter, acme, product, "y", everything, resources=frozenset({ResourceId("res_x")})
    )
    made["revoked"] = key(tx, fingerprinter, acme, product, "z", everything)
    shown = made["revoked"].partition("_")[2][:13]
    assert revoke_api_key(tx, tenant_id=ACME, key_id=ApiKeyId(shown), by=None, now=NOW, cause=None)
    return made


def key(
    tx: Transaction, fingerprinter: Fingerprinter, tenant: Tenant, user: User, name: str, rights: frozenset[Permission],
    *, scopes: frozenset[Permission] | None = None, resources: frozenset[ResourceId] | None = None,
) -> str:  # fmt: skip
    return create_api_key(
        tx, owner=user, tenant=tenant, created_by=user.id, name=name, scopes=scopes, resources=resources, expires_at=None,
        rights=rights, now=NOW, entropy=os.urandom, fingerprinter=fingerprinter, cause=None,
    ).text  # fmt: skip


@pytest.mark.requirement("D10")
async def test_a_whole_tree_is_put_in_any_order_and_a_repetition_changes_nothing(api: Api) -> None:
    first = await api.send("PUT", {"resources": TREE})
    assert (first.status_code, first.json()) == (200, {"put": 4, "removed": 0, "total": 4})
    assert await api.tree() == {"w1": None, "p1": "w1", "p2": "w1", "f1": "p1"}
    before = await api.database.revisions(ACME)
    again = await api.send("PUT", {"resources": list(reversed(TREE))})
    assert again.json() == {"put": 0, "removed": 0, "total": 4}
    assert await api.database.revisions(ACME) == before
    assert len(await api.events()) == 1


async def test_a_put_removes_what_it_does_not_name(api: Api) -> None:
    await api.send("PUT", {"resources": TREE})
    answer = await api.send("PUT", {"resources": [TREE[1], TREE[3]]})
    assert answer.json() == {"put": 0, "removed": 2, "total": 2}
    assert await api.tree() == {"w1": None, "p2": "w1"}
    assert (await api.send("PUT", {"resources": []})).json() == {"put": 0, "removed": 2, "total": 0}


async def test_a_change_adds_renames_moves_and_removes_at_once(api: Api) -> None:
    await api.send("PUT", {"resources": TREE})
    before = await api.database.revisions(ACME)
    change = {
        "put": [node("folder", "f1", ("project", "p2"), "Moved"), node("folder", "f2", ("folder", "f1"))],
        "remove": [{"type": "project", "key": "p1"}, {"type": "project", "key": "never"}],
    }
    answer = await api.send("PATCH", change)
    assert answer.json() == {"put": 2, "removed": 1, "total": 4}
    assert await api.tree() == {"w1": None, "p2": "w1", "f1": "p2", "f2": "f1"}
    assert await api.database.revisions(ACME) != before
    assert (await api.send("PATCH", change)).json() == {"put": 0, "removed": 0, "total": 4}
    event = (await api.events())[0]
    assert (event.actor_id, event.detail["put"], event.detail["removed"]) == ("acme-product", "2", "1")


async def test_a_node_keeps_its_id_and_a_recreated_one_gets_it_again(api: Api) -> None:
    async def ids() -> dict[str, str]:
        rows = await api.database.read_long(lambda reader: permissions.resources_of_tenant(reader, ACME))
        return {row.key: row.id for row in rows}

    await api.send("PUT", {"resources": TREE})
    first = await ids()
    await api.send("PUT", {"resources": [replace_name(item) for item in TREE]})
    assert await ids() == first
    await api.send("PUT", {"resources": []})
    await api.send("PUT", {"resources": TREE})
    assert await ids() == first


def replace_name(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "name": f"New {item['name']}"}


@pytest.mark.requirement("D10")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([node("project", "p", ("workspace", "nowhere"))], "would not exist"),
        ([node("folder", "a", ("folder", "b")), node("folder", "b", ("folder", "a"))], "its own ancestor"),
        ([node("folder", "a", ("folder", "a"))], "its own ancestor"),
        ([node("folder", "a"), node("folder", "a")], "given twice"),
    ],
)
async def test_a_tree_that_cannot_be_is_refused_and_nothing_changes(api: Api, body: Any, words: str) -> None:
    await api.send("PUT", {"resources": TREE})
    before = await api.tree()
    answer = await api.send("PUT", {"resources": body})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert await api.tree() == before


async def test_a_parent_goes_only_with_its_children(api: Api) -> None:
    await api.send("PUT", {"resources": TREE})
    alone = await api.send("PATCH", {"remove": [{"type": "project", "key": "p1"}]})
    assert alone.status_code == 422
    both = [{"type": "project", "key": "p1"}, {"type": "folder", "key": "f1"}]
    assert (await api.send("PATCH", {"remove": both})).json()["removed"] == 2
    contradiction = await api.send("PATCH", {"put": [TREE[1]], "remove": [{"type": "workspace", "key": "w1"}]})
    assert contradiction.status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        [], 1, None, {}, {"resources": {}}, {"resources": [1]}, {"resources": [{}]}, {"resources": [], "more": 1},
        {"resources": [{"type": "Project", "key": "p", "name": "x"}]},
        {"resources": [{"type": "project", "key": "a b", "name": "x"}]},
        {"resources": [{"type": "project", "key": "p\u0000", "name": "x"}]},
        {"resources": [{"type": "project", "key": "p", "name": ""}]},
        {"resources": [{"type": "project", "key": "p", "name": "a\nb"}]},
        {"resources": [{"type": "project", "key": "p", "name": "\ud800"}]},
        {"resources": [{"type": "project", "key": "p", "name": "x" * 201}]},
        {"resources": [{"type": "project", "key": 1, "name": "x"}]},
        {"resources": [{"type": "project", "key": "p", "name": "x", "parent": "w1"}]},
        {"resources": [{"type": "project", "key": "p", "name": "x", "parent": {"type": "w"}}]},
        {"resources": [{"type": "project", "key": "p", "name": "x", "id": "mine"}]},
        {"resources": [node("project", str(number)) for number in range(10_001)]},
    ],
)  # fmt: skip
async def test_another_form_is_refused_with_the_place_of_each_fault(api: Api, body: Any) -> None:
    answer = await api.send("PUT", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["errors"]
    assert all(set(error) == {"pointer", "detail"} for error in problem["errors"])
    assert await api.tree() == {}


async def test_many_nodes_added_by_changes_stay_below_the_limit(api: Api) -> None:
    nodes = [node("project", str(number)) for number in range(10_000)]
    assert (await api.send("PUT", {"resources": nodes})).json()["total"] == 10_000
    assert (await api.send("PATCH", {"put": [node("project", "more")]})).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b'{"resources": [], "resources": []}', b'{"resources": [NaN]}', b'{"resources": Infinity}',
        b"[" * 100_000,
    ],
)  # fmt: skip
async def test_what_is_not_strict_json_is_a_400_that_quotes_nothing(api: Api, body: bytes) -> None:
    answer = await api.send("PUT", body)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Bad Request"


async def test_a_body_over_four_mebibytes_is_a_413_declared_or_not(api: Api) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1024 * 1024

    headers = {"content-type": "application/json", "authorization": f"Bearer {api.keys()}"}
    path = "/api/v1/tenants/acme/resources"
    assert (await api.http.put(path, content=b" " * (4 * 1024 * 1024 + 1), headers=headers)).status_code == 413
    assert (await api.http.put(path, content=stream(), headers=headers)).status_code == 413


async def test_another_content_type_is_a_415(api: Api) -> None:
    answer = await api.send("PUT", {"resources": []}, headers={"content-type": "text/plain"})
    assert answer.status_code == 415


@pytest.mark.requirement("I2")
async def test_without_a_live_api_key_the_answer_is_401(api: Api) -> None:
    good = api.keys()
    damaged = good[:-1] + ("0" if good[-1] != "0" else "1")
    for text in ("x", damaged, api.keys("revoked"), "eyJhbGciOiJub25lIn0.e30."):
        answer = await api.send("PUT", {"resources": []}, key=text)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    for header in ("", "Basic dTpw", "Bearer", "Bearer "):
        answer = await api.send("PUT", {"resources": []}, headers={"authorization": header})
        assert answer.status_code == 401
        assert "error=" not in answer.headers["www-authenticate"]


async def test_two_authorization_headers_are_refused(api: Api) -> None:
    headers = [
        ("content-type", "application/json"), ("authorization", f"Bearer {api.keys()}"), ("authorization", "Bearer x"),
    ]  # fmt: skip
    answer = await api.http.put("/api/v1/tenants/acme/resources", content=b'{"resources": []}', headers=headers)
    assert answer.status_code == 401


async def test_another_tenant_answers_like_one_that_does_not_exist(api: Api) -> None:
    foreign = await api.send("PUT", {"resources": []}, slug="globex")
    missing = await api.send("PUT", {"resources": []}, slug="nobody")
    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert foreign.headers == missing.headers


async def test_I7_key_and_owner_both_need_the_permission_and_the_whole_tree(api: Api) -> None:
    for which in ("acme-reader", "narrow scope", "narrow tree"):
        answer = await api.send("PUT", {"resources": []}, key=api.keys(which))
        assert answer.status_code == 403, which


@pytest.mark.requirement("D3")
async def test_a_role_taken_away_stops_the_next_push(api: Api) -> None:
    await api.send("PUT", {"resources": TREE})
    await api.database.write(lambda tx: permissions.set_membership(tx, ACME, UserId("acme-product"), ()))
    assert (await api.send("PUT", {"resources": []})).status_code == 403
    assert len(await api.tree()) == 4


async def test_trees_of_tenants_do_not_mix_even_with_equal_keys(api: Api) -> None:
    await api.send("PUT", {"resources": TREE})
    await api.send("PUT", {"resources": TREE[1:2]}, key=api.keys("globex-product"), slug="globex")
    assert len(await api.tree()) == 4
    assert await api.tree(GLOBEX) == {"w1": None}


async def test_storage_that_is_gone_is_a_503_with_a_retry_hint(api: Api) -> None:
    await api.database.close()
    answer = await api.send("PUT", {"resources": []})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_trees_are_pushed_to_postgresql_too(empty_schema: str) -> None:
    async with open_api(empty_schema) as api:
        assert (await api.send("PUT", {"resources": TREE})).json() == {"put": 4, "removed": 0, "total": 4}
        assert (await api.send("PUT", {"resources": TREE})).json() == {"put": 0, "removed": 0, "total": 4}
        moved = {"put": [node("folder", "f1", ("project", "p2"))], "remove": [{"type": "project", "key": "p1"}]}
        assert (await api.send("PATCH", moved)).json() == {"put": 1, "removed": 1, "total": 3}
        assert await api.tree() == {"w1": None, "p2": "w1", "f1": "p2"}
        assert (await api.send("PUT", {"resources": []})).json() == {"put": 0, "removed": 3, "total": 0}
