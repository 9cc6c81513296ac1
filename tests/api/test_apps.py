"""Connected apps, words about clients, attempts and servers over the API: whose, and what a change does at once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doorward.model import ConnectionId, Instant, Permission, ServerId, ToolState
from doorward.storage import attempts, clients, connections, events, known_tools, permissions, servers
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.database import Transaction
from doorward.storage.known_tools import KnownTool
from support.api_house import ALL, Api, code_of, key_of
from support.management import management
from support.pages import CAROL, opened_house
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, HARBOUR, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
MINE, THEIRS = "/api/v1/me/connections", "/api/v1/tenants/acme/connections"
VERDICTS, ATTEMPTS = "/api/v1/tenants/acme/client-verdicts", "/api/v1/tenants/acme/attempts"
SERVERS = "/api/v1/tenants/acme/servers"
READ, WRITE = map(Permission, ("documents:read", "documents:write"))
BOBS = replace(CONNECTION, id=ConnectionId("n-bob"), user_id=BOB.id, activated_at=NOW, scopes=frozenset({READ, WRITE}))
ALICES = replace(BOBS, id=ConnectionId("n-alice"), user_id=ALICE.id)
WAITING = replace(BOBS, id=ConnectionId("n-waiting"), activated_at=None)
ELSEWHERE = replace(BOBS, id=ConnectionId("n-elsewhere"), user_id=CAROL.id, tenant_id=GLOBEX.id)
OTHER = replace(HARBOUR, id=ServerId("s-other"), slug="other", paths=("/other",))


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_rows))


def _rows(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    clients.insert_client(tx, CLIENT, canonical_key=None, secret_fingerprint=None)
    for each in (BOBS, ALICES, WAITING, ELSEWHERE):
        connections.insert_connection(tx, each)
    servers.put_server(tx, OTHER)
    return {"alice": key_of(tx, ALICE), "bob": key_of(tx, BOB), "carol": key_of(tx, CAROL)}


async def is_over(api: Api, connection: Any) -> bool:
    found = await api.house.database.read(lambda reader: connections.connection_by_id(reader, connection.id))
    return found is not None and found.revoked_at is not None


async def names(api: Api) -> list[str]:
    log = await api.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 20))
    return [event.name for event in log if event.name.startswith(("connection:", "client:"))]


async def test_a_person_sees_narrows_names_and_ends_their_own_apps_only(api: Api) -> None:
    tab = await api.signed_in(BOB)
    (one,) = (await tab.ask("GET", MINE)).json()["connections"]
    assert (one["id"], one["user"], one["scopes"], one["state"]) == (BOBS.id, BOB.email, [READ, WRITE], "connected")
    changed = await tab.ask("PATCH", f"{MINE}/{BOBS.id}", {"keep": [READ], "name": "Laptop"})
    assert (changed.json()["scopes"], changed.json()["name"]) == ([READ], "Laptop")
    widened = await tab.ask("PATCH", f"{MINE}/{BOBS.id}", {"keep": [READ, WRITE]})
    assert widened.json()["scopes"] == [READ], "what was taken away does not come back"
    assert (await tab.ask("PATCH", f"{MINE}/{BOBS.id}", {"keep": ["other:thing"]})).status_code == 409
    assert (await tab.ask("DELETE", f"{MINE}/{BOBS.id}")).json() == {"id": BOBS.id, "state": "ended"}
    assert await is_over(api, BOBS)
    assert (await tab.ask("PATCH", f"{MINE}/{BOBS.id}", {"name": "x"})).status_code == 409
    assert (await tab.ask("GET", MINE)).json()["connections"][0]["state"] == "ended"
    assert await names(api) == ["connection:revoked", "connection:narrowed"]


@pytest.mark.parametrize("other", [ALICES, ELSEWHERE])
async def test_M1_somebody_elses_app_is_nobodys_in_ones_own_list(api: Api, other: Any) -> None:
    """Alice looks after the apps of Acme, but these are not hers."""
    for user in (BOB, ALICE):
        tab = await api.signed_in(user)
        if user.id != other.user_id:
            for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
                assert code_of(await tab.ask(method, f"{MINE}/{other.id}", body)) == (404, "DW-464"), (
                    user.name,
                    method,
                )
    assert not await is_over(api, other)


async def test_an_agent_with_a_key_does_not_end_its_persons_other_apps(api: Api) -> None:
    for method, path in (("GET", MINE), ("DELETE", f"{MINE}/{BOBS.id}"), ("GET", "/api/v1/me/attempts")):
        assert code_of(await api.ask(method, path, key="bob")) == (403, "DW-465"), path
    assert not await is_over(api, BOBS)


async def test_an_administrator_ends_what_others_let_in_by_key_and_they_are_told(api: Api) -> None:
    listed = (await api.ask("GET", THEIRS)).json()["connections"]
    assert {each["id"] for each in listed} == {BOBS.id, ALICES.id}, "what was never activated is nothing yet"
    assert (await api.ask("PATCH", f"{THEIRS}/{BOBS.id}", {"keep": [READ]})).json()["scopes"] == [READ]
    assert (await api.ask("DELETE", f"{THEIRS}/{BOBS.id}")).status_code == 200
    assert await is_over(api, BOBS)
    page = await (await _browser(api)).get("/settings/apps")
    assert "An administrator" in page.text, "Bob is told"
    assert code_of(await api.ask("GET", THEIRS, key="bob")) == (403, "DW-465")
    assert code_of(await api.ask("DELETE", f"{THEIRS}/{ELSEWHERE.id}", key="carol")) == (404, "DW-464")
    assert not await is_over(api, ELSEWHERE)


async def _browser(api: Api) -> Any:
    browser = api.house.browser()
    await browser.sign_in(BOB)
    return browser


async def test_the_apps_of_a_tenant_come_page_by_page_each_once(api: Api) -> None:
    def many(tx: Transaction) -> None:
        for number in range(7):
            at = Instant(NOW + number // 2)  # some at the very same moment
            connections.insert_connection(tx, replace(BOBS, id=ConnectionId(f"n-{number}"), created_at=at))

    await api.house.change(many)
    seen, after = [], ""
    while True:
        page = (await api.ask("GET", f"{THEIRS}?limit=2{after}")).json()
        seen += [each["id"] for each in page["connections"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 9


async def test_a_denial_ends_what_the_client_has_and_an_approval_lets_it_in_again(api: Api) -> None:
    denied = await api.ask("POST", VERDICTS, {"client": CLIENT.id, "allowed": False})
    assert denied.json() == {"ended": 3}, "the one that waits for its code, too"
    assert await is_over(api, BOBS)
    assert not await is_over(api, ELSEWHERE), "another tenant's word is its own"
    (said,) = (await api.ask("GET", VERDICTS)).json()["verdicts"]
    assert (said["tenant"], said["kind"], said["client"], said["allowed"]) == ("acme", "client", CLIENT.id, False)
    assert said["decided_by"] == ALICE.email
    assert (await api.ask("POST", VERDICTS, {"client": CLIENT.id, "allowed": True})).json() == {"ended": 0}
    assert (await api.ask("POST", VERDICTS, {"host": "claude.ai", "allowed": True})).status_code == 200
    both = {"client": CLIENT.id, "redirect_uri": "https://p.example/cb", "allowed": True}
    assert (await api.ask("POST", VERDICTS, both)).status_code == 200
    assert len((await api.ask("GET", VERDICTS)).json()["verdicts"]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"allowed": True}, {"client": "c-one"}, {"client": "c-one", "host": "a.example", "allowed": True},
        {"host": "a.example", "redirect_uri": "https://a.example/", "allowed": True}, {"host": "x y", "allowed": True},
        {"client": "nobody", "allowed": True}, {"client": "c-one", "redirect_uri": "javascript:x", "allowed": True},
        {"client": "c-one", "allowed": "yes"},
    ],
)  # fmt: skip
async def test_what_cannot_be_said_of_a_client_is_refused(api: Api, body: Any) -> None:
    assert (await api.ask("POST", VERDICTS, body)).status_code == 422
    assert (await api.ask("GET", VERDICTS)).json()["verdicts"] == []


async def test_attempts_are_told_to_who_made_them_and_to_who_looks_after_clients(api: Api) -> None:
    step = AttemptStep(
        at=NOW, step=Step.CONSENT, code="DW-120", request_id="req_1", flow="f", tenant_id=ACME.id, user_id=BOB.id,
        client_id=CLIENT.id, client_name="<b>App", address="192.0.2.7",
    )  # fmt: skip
    await api.house.change(lambda tx: attempts.insert_steps(tx, [step]))
    (one,) = (await api.ask("GET", ATTEMPTS)).json()["attempts"]
    assert (one["state"], one["stopped_at"], one["code"], one["user"]) == ("stopped", "consent", "DW-120", BOB.email)
    assert [each["step"] for each in one["steps"]] == ["consent"]
    own = await api.signed_in(BOB)
    assert (await own.ask("GET", "/api/v1/me/attempts")).json()["attempts"] == [one]
    assert (await own.ask("GET", f"/api/v1/me/attempts/{one['id']}")).json() == one
    other = await api.signed_in(CAROL)
    assert code_of(await other.ask("GET", f"/api/v1/me/attempts/{one['id']}")) == (404, "DW-464")
    assert code_of(await own.ask("GET", ATTEMPTS)) == (403, "DW-465")


async def test_members_see_their_tenants_servers_and_nobody_their_insides(api: Api) -> None:
    found = await api.ask("GET", SERVERS, key="bob")
    assert found.json()["servers"] == [
        {
            "slug": "harbour",
            "name": "Harbour",
            "urls": [f"{api.house.public_url}/mcp", f"{api.house.public_url}/acme/mcp"],
        }
    ]
    assert HARBOUR.upstream not in found.text
    assert code_of(await api.ask("GET", f"{SERVERS}/other")) == (404, "DW-464"), "not enabled here"
    tool = KnownTool(
        server_id=HARBOUR.id, name="read_one", digest="d1", first_seen=NOW, annotations={"title": "<script>"},
        state=ToolState.HELD,
    )  # fmt: skip
    await api.house.change(lambda tx: known_tools.add_known(tx, tool))
    (told,) = (await api.ask("GET", f"{SERVERS}/harbour/tools")).json()["tools"]
    assert (told["name"], told["state"], told["annotations"]) == ("read_one", "held", {"title": "<script>"})
    assert code_of(await api.ask("GET", f"{SERVERS}/harbour/tools", key="bob")) == (403, "DW-465")
