"""Use, the log and the settings of a tenant over the management API: what is answered, and to which keys."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorward.audit import CallLog
from doorward.credentials.api_keys import create_api_key
from doorward.model import Instant, Permission, PermissionEntry, Resource, ResourceId, Tenant, User
from doorward.policy.permission import expand
from doorward.rights import MANAGE_TENANT, SEE_AUDIT, SEE_USAGE
from doorward.storage import accounts, events, permissions
from doorward.storage.database import Transaction
from doorward.storage.events import CallEvent
from support.management import management
from support.pages import BOB, CAROL, CATALOGUE, FINGERPRINTER, House, opened_house
from support.rows import ACME, ALICE, GLOBEX, HARBOUR, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
OURS = (SEE_USAGE, SEE_AUDIT, MANAGE_TENANT)
ALL = (*CATALOGUE, *(PermissionEntry(permission=each, words="x") for each in OURS))
FOLDER = ResourceId("res_folder")
PATHS = ("usage", "audit", "settings")


@dataclass
class Api:
    """The API inside a house of people, with a key for each of them."""

    house: House
    keys: dict[str, str]

    async def get(self, path: str, *, key: str = "alice", slug: str = "acme") -> Any:
        headers = {"authorization": f"Bearer {self.keys[key]}"}
        return await self.house.browser().client.get(f"/api/v1/tenants/{slug}/{path}", headers=headers)

    async def patch(self, body: Any, *, key: str = "alice", slug: str = "acme") -> Any:
        headers = {"authorization": f"Bearer {self.keys[key]}"}
        return await self.house.browser().client.patch(f"/api/v1/tenants/{slug}/settings", json=body, headers=headers)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_keys))


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.put_resources(
        tx, ACME.id, [Resource(id=FOLDER, tenant_id=ACME.id, type="folder", key="f1", name="F", parent_id=None)]
    )
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    return {
        "alice": _key(tx, ALICE, "a"),
        "read": _key(tx, ALICE, "r", scopes=frozenset({Permission("documents:read")})),
        "limited": _key(tx, ALICE, "l", resources=frozenset({FOLDER})),
        "viewer": _key(tx, BOB, "v"),
        "globex": _key(tx, CAROL, "g", tenant=GLOBEX),
    }


def _key(tx: Transaction, owner: User, name: str, *, tenant: Tenant = ACME, **narrowed: Any) -> str:
    rights = expand(("*:*",), [entry.permission for entry in ALL])
    return create_api_key(
        tx, owner=owner, tenant=tenant, created_by=owner.id, name=name, rights=rights, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, expires_at=None, cause=None, **{"scopes": None, "resources": None, **narrowed},
    ).text  # fmt: skip


async def called(api: Api, count: int, **changed: Any) -> None:
    log = CallLog(api.house.database)
    for number in range(count):
        log.add(
            CallEvent(
                at=Instant(NOW - number), tenant_id=ACME.id, user_id=ALICE.id, credential="api_key", credential_id="k",
                client_id=None, server_id=HARBOUR.id, method="tools/call", name="search", decision="allowed", reason="r",
                status=200, duration_us=9_000, request_id=f"req_{number}", address=f"192.0.2.{number}",
            )._replace(**changed)
        )  # fmt: skip
    await log.flush()


async def test_use_is_told_in_numbers(api: Api) -> None:
    await called(api, 5)
    await called(api, 2, name="delete", decision="denied")
    found = (await api.get("usage?days=7")).json()
    assert (found["calls"], found["denied"], found["p50_ms_at_most"], found["days"]) == (7, 2, 10, 7)
    assert [(line["id"], line["calls"]) for line in found["by_tool"]] == [("search", 5), ("delete", 2)]
    assert sum(point["calls"] for point in found["over_time"]) == 7
    assert len(found["over_time"]) == 7
    only = (await api.get("usage?tool=delete&by=user")).json()
    assert (only["calls"], [line["detail"] for line in only["by_user"]]) == (2, [ALICE.email])


async def test_the_log_is_told_page_by_page(api: Api) -> None:
    await called(api, 7)
    seen: list[str] = []
    mark = ""
    for _ in range(4):
        page = (await api.get(f"audit?list=calls&limit=3{mark and f'&after={mark}'}")).json()
        seen += [entry["request_id"] for entry in page["entries"]]
        mark = page["next"]
        if mark is None:
            break
    assert sorted(seen) == [f"req_{number}" for number in range(7)]
    denied = (await api.get("audit?list=calls&decision=denied")).json()
    assert denied == {"entries": [], "next": None}
    (there,) = (await api.get("audit?list=calls&address=192.0.2.4")).json()["entries"]
    assert (there["request_id"], there["address"]) == ("req_4", "192.0.2.4")
    day = (await api.get("audit?list=calls&since=2023-11-14&until=2023-11-14")).json()
    assert len(day["entries"]) == 7


async def test_what_holds_is_told_and_changed_and_the_change_is_in_the_log(api: Api) -> None:
    before = (await api.get("settings")).json()
    assert (before["name"], before["sign_in_methods"]) == ("Acme", None)
    answer = await api.patch(
        {"name": "Robots", "access_ttl": 600, "sign_in_methods": ["password"], "rates": {"user_per_day": 9}}
    )
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["name"], after["access_ttl"], after["sign_in_methods"]) == ("Robots", 600, ["password"])
    assert after["rates"]["user_per_day"] == 9
    stored = await api.house.database.read(lambda reader: accounts.tenant_by_id(reader, ACME.id))
    assert stored is not None
    assert (stored.name, stored.rates.user_per_day) == ("Robots", 9)
    found = await api.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    assert [event.actor_id for event in found if event.name == "tenant:changed"] == [ALICE.id]
    back = (await api.patch({"sign_in_methods": None, "access_ttl": None})).json()
    assert (back["name"], back["sign_in_methods"], back["access_ttl"]) == ("Robots", None, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("usage?days=8", None), ("usage?user=nobody@x.test", None), ("usage?more=1", None), ("audit?since=2023-02-30", None),
        ("audit?event=nosuch", None), ("audit?list=else", None), ("audit?address=here", None),
        ("", {"name": ""}), ("", {"name": " "}), ("", {"access_ttl": 1}), ("", {"sign_in_methods": []}),
        ("", {"sign_in_methods": ["nosuch"]}), ("", {"rates": {"nosuch": 1}}), ("", {"rates": {"user_per_day": -1}}), ("", {"x": 1}),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_with_its_place(api: Api, path: str, body: Any) -> None:
    answer = await (api.get(path) if body is None else api.patch(body))
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["errors"]
    assert (await api.get("settings")).json()["name"] == "Acme"


@pytest.mark.parametrize(
    ("key", "slug", "status"),
    [("read", "acme", 403), ("limited", "acme", 403), ("viewer", "acme", 403), ("globex", "acme", 404), ("alice", "globex", 404)],
)  # fmt: skip
async def test_M10_only_a_key_that_may_in_the_whole_tenant_is_answered(
    api: Api, key: str, slug: str, status: int
) -> None:
    for path in PATHS:
        answer = await api.get(path, key=key, slug=slug)
        assert answer.status_code == status, (path, answer.text)
    assert (await api.patch({"name": "Mine"}, key=key, slug=slug)).status_code == status
