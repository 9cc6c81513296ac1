"""Roles over the API: made, changed and deleted within one's own rights, and in force at the next request."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doorward.model import Permission, Role, RoleId
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import events, permissions
from doorward.storage.database import Transaction
from support.api_house import ALL, Api, code_of, key_of
from support.management import management
from support.pages import CAROL, opened_house
from support.rows import ACME, ALICE, BOB

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
ROLES = "/api/v1/tenants/acme/roles"
SCRIBE = {"name": "scribe", "permissions": ["documents:write", "documents:read"]}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_rows))


def _rows(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    keeper = Role(id=RoleId("r-keeper"), tenant_id=ACME.id, name="keeper", permissions=("members:*", "documents:read"))
    permissions.put_role(tx, keeper)
    permissions.set_membership(tx, ACME.id, BOB.id, ("keeper",))
    narrow = frozenset({MANAGE_MEMBERS, Permission("documents:read")})
    return {
        "alice": key_of(tx, ALICE), "bob": key_of(tx, BOB), "carol": key_of(tx, CAROL),
        "narrow": key_of(tx, ALICE, scopes=narrow),
    }  # fmt: skip


async def test_a_role_is_made_shown_changed_and_deleted_with_an_event_each(api: Api) -> None:
    made = await api.ask("POST", ROLES, SCRIBE)
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"], "name": "scribe", "built_in": False, "permissions": sorted(SCRIBE["permissions"]), "holders": [],
    }  # fmt: skip
    changed = await api.ask("PUT", f"{ROLES}/scribe/permissions", {"permissions": ["documents:read"]})
    assert changed.json()["permissions"] == ["documents:read"]
    assert (await api.ask("GET", f"{ROLES}/scribe")).json() == changed.json()
    listed = (await api.ask("GET", ROLES)).json()["roles"]
    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)
    assert {each["name"]: each["held_by"] for each in listed}["owner"] == 2
    assert (await api.ask("DELETE", f"{ROLES}/scribe")).json() == {"name": "scribe", "moved": 0, "moved_to": None}
    assert code_of(await api.ask("GET", f"{ROLES}/scribe")) == (404, "DW-470")
    log = await api.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 20))
    assert sum(event.name.startswith("role:") for event in log) == 3


async def test_nobody_gives_more_than_they_and_their_key_hold(api: Api) -> None:
    for key in ("bob", "narrow"):
        assert code_of(await api.ask("POST", ROLES, SCRIBE, key=key)) == (403, "DW-451"), key
        read_only = {"name": f"reader-{key}", "permissions": ["documents:read"]}
        assert (await api.ask("POST", ROLES, read_only, key=key)).status_code == 201
        more = {"permissions": ["documents:*"]}
        assert (await api.ask("PUT", f"{ROLES}/reader-{key}/permissions", more, key=key)).status_code == 403


async def test_a_role_that_is_held_goes_only_with_a_word_about_who_holds_it(api: Api) -> None:
    assert (await api.ask("POST", ROLES, {"name": "helper", "permissions": ["members:*"]})).status_code == 201
    member = f"/api/v1/tenants/acme/members/{BOB.id}/roles"
    assert (await api.ask("PUT", member, {"roles": ["helper"]})).status_code == 200
    assert (await api.ask("GET", ROLES, key="bob")).status_code == 200
    (holder,) = (await api.ask("GET", f"{ROLES}/helper")).json()["holders"]
    assert holder == {"id": BOB.id, "email": BOB.email, "everywhere": True, "at": []}
    assert code_of(await api.ask("DELETE", f"{ROLES}/helper")) == (409, "DW-472")
    gone = await api.ask("DELETE", f"{ROLES}/helper?move_to=viewer")
    assert gone.json() == {"name": "helper", "moved": 1, "moved_to": "viewer"}
    assert code_of(await api.ask("GET", ROLES, key="bob")) == (403, "DW-465"), "at the very next request"


@pytest.mark.parametrize("body", [{"name": "Bad Name", "permissions": []}, {"name": "owner", "permissions": []}])
async def test_what_cannot_be_a_role_is_told_at_its_place(api: Api, body: dict[str, object]) -> None:
    answer = await api.ask("POST", ROLES, body)
    assert code_of(answer) == (422, "DW-471")
    assert answer.json()["errors"][0]["pointer"] == "/name"


async def test_built_in_roles_stay(api: Api) -> None:
    for method, path, body in (("PUT", "/owner/permissions", {"permissions": []}), ("DELETE", "/owner", None)):
        assert code_of(await api.ask(method, ROLES + path, body)) == (409, "DW-473")
