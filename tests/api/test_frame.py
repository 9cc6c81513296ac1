"""What holds for every route of the management API: credentials, sessions, repeated requests, pages of lists, faults."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from doorward.api.marks import PAGING
from doorward.credentials.api_keys import revoke_api_key
from doorward.model import ApiKeyId
from doorward.rights import MANAGE_KEYS, MANAGE_MEMBERS
from doorward.storage import accounts, permissions
from doorward.storage.database import Transaction
from doorward.storage.statements import Statement
from support.api_house import ALL, ME, Api, code_of, key_of, send
from support.management import management
from support.pages import CAROL, opened_house
from support.rows import ACME, ALICE, BOB, GLOBEX, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
MEMBERS, KEYS = "/api/v1/tenants/acme/members", "/api/v1/tenants/acme/keys"
ROBOT = {"name": "Robot"}
DAY = 86_400


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_house(tmp_path) as house:
        house.more += await management(house.database, house.clock)
        house.__post_init__()
        yield Api(house, await house.change(_keys))


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    return {
        "alice": key_of(tx, ALICE),
        "members": key_of(tx, ALICE, scopes=frozenset({MANAGE_MEMBERS})),
        "carol": key_of(tx, CAROL),
        "globex": key_of(tx, CAROL, GLOBEX),
    }


async def test_a_key_is_told_who_it_is_and_what_it_may(api: Api) -> None:
    found = (await api.ask("GET", ME, key="members")).json()
    assert (found["through"], found["csrf"], found["user"]["email"]) == ("key", None, ALICE.email)
    assert found["tenants"] == [{"slug": "acme", "name": "Acme", "roles": ["owner"], "may": ["members:manage"]}]
    # Carol is in two tenants; her key is in one.
    assert [each["slug"] for each in (await api.ask("GET", ME, key="carol")).json()["tenants"]] == ["acme"]


async def test_a_session_reads_and_changes_with_the_token_that_it_was_told(api: Api) -> None:
    tab = await api.signed_in(CAROL)
    found = (await tab.ask("GET", ME)).json()
    assert (found["through"], found["key"]) == ("session", None)
    assert {each["slug"]: bool(each["may"]) for each in found["tenants"]} == {"acme": True, "globex": False}
    made = await tab.ask("POST", "/api/v1/tenants/acme/service-accounts", ROBOT)
    assert (made.status_code, made.json()["name"]) == (201, "Robot")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_M5_a_request_with_key_and_cookie_is_refused_whichever_is_good(api: Api, method: str) -> None:
    tab = await api.signed_in()
    for credential in (f"Bearer {api.keys['alice']}", "Bearer dw_wrong", "Basic eA==", ""):
        answer = await tab.ask(method, MEMBERS, ROBOT if method == "POST" else None, authorization=credential)
        if method == "POST":
            answer = await tab.ask("POST", "/api/v1/tenants/acme/service-accounts", ROBOT, authorization=credential)
        assert code_of(answer) == (400, "DW-460"), credential


async def test_M5_neither_credential_stands_in_for_the_other(api: Api) -> None:
    tab = await api.signed_in()
    session = api.house.cookies.session_name
    cookie = tab.client.cookies[session]
    assert code_of(await api.ask("GET", ME, key=cookie)) == (401, "DW-469")
    fresh = api.house.browser().client
    answer = await send(fresh, "GET", ME, None, {"cookie": f"{session}={api.keys['alice']}"})
    assert code_of(answer) == (401, "DW-403")
    assert code_of(await send(fresh, "GET", ME, None, {})) == (401, "DW-469")
    assert "Bearer" in (await send(fresh, "GET", ME, None, {})).headers["www-authenticate"]


async def test_M5_no_other_site_changes_or_reads_anything_by_a_session(api: Api) -> None:
    tab = await api.signed_in()
    path = "/api/v1/tenants/acme/service-accounts"
    for site in ("cross-site", "same-site", "none"):
        assert code_of(await tab.ask("POST", path, ROBOT, sec_fetch_site=site)) == (403, "DW-408"), site
    for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        assert (await tab.ask("POST", path, b"a=b", content_type=kind)).status_code == 415
    assert code_of(await tab.ask("GET", ME, sec_fetch_site="cross-site")) == (403, "DW-408")
    for origin in ("null", "https://evil.example"):
        headers = {"origin": origin, "doorward-csrf": tab.csrf}
        assert code_of(await send(tab.client, "POST", path, ROBOT, headers)) == (403, "DW-408"), origin
    assert code_of(await send(tab.client, "POST", path, ROBOT, {"doorward-csrf": tab.csrf})) == (403, "DW-408")
    for token in ("", "x", (await api.signed_in(CAROL)).csrf):
        assert code_of(await tab.ask("POST", path, ROBOT, doorward_csrf=token)) == (403, "DW-466"), token
    assert len((await tab.ask("GET", MEMBERS)).json()["members"]) == 3, "nothing was made"


async def test_H23_a_change_by_session_wants_a_recent_proof_unless_it_only_takes_away(api: Api) -> None:
    tab = await api.signed_in()
    key = (await tab.ask("POST", KEYS, {"name": "one", "expires": "7d"})).json()
    api.house.clock.forward(601)
    assert code_of(await tab.ask("POST", KEYS, {"name": "two"})) == (403, "DW-467")
    assert (await tab.ask("POST", f"{KEYS}/{key['id']}/revoke")).json()["state"] == "revoked"
    assert (await tab.ask("GET", KEYS)).status_code == 200


async def test_what_a_person_may_is_looked_at_live(api: Api) -> None:
    tab = await api.signed_in(CAROL)
    assert (await tab.ask("GET", KEYS)).status_code == 200
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    assert code_of(await tab.ask("GET", KEYS)) == (403, "DW-465")
    await api.house.disable(CAROL)
    assert code_of(await tab.ask("GET", KEYS)) == (401, "DW-403")


async def test_a_tenant_that_does_not_take_the_way_of_a_session_gives_it_nothing(api: Api) -> None:
    await api.house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    tab = await api.signed_in(BOB)
    await api.house.change(lambda tx: accounts.update_tenant(tx, replace(ACME, sign_in_methods=("link",))))
    assert code_of(await tab.ask("GET", KEYS)) == (403, "DW-449")
    assert (await tab.ask("GET", ME)).json()["tenants"] == []


async def test_M4_what_is_not_known_is_refused_with_its_name_and_nothing_happens(api: Api) -> None:
    for name in ("id", "tenant_id", "is_admin", "email_verified", "a/b~c", "\u202e" + "x" * 500):
        answer = await api.ask("POST", "/api/v1/tenants/acme/service-accounts", {**ROBOT, name: True})
        assert code_of(answer) == (422, "DW-461")
        (fault,) = answer.json()["errors"]
        shown = name.replace("~", "~0").replace("/", "~1").replace("\u202e", "?")[:60]
        assert fault == {"pointer": f"/{shown}", "detail": "is not known here"}
    answer = await api.ask("GET", f"{KEYS}?limit=1&tenant=globex&limit=2")
    assert code_of(answer) == (422, "DW-461")
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/tenant", "/limit"}
    assert len((await api.ask("GET", MEMBERS)).json()["members"]) == 3


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name":1,"name":2}', b"\xff", b"[" * 9000, b'{"name":NaN}', b'{"name":1e999}']
)
async def test_what_is_no_json_is_400(api: Api, body: bytes) -> None:
    answer = await api.ask("POST", "/api/v1/tenants/acme/service-accounts", body)
    assert code_of(answer) == (400, "DW-461")


@pytest.mark.parametrize("days", ["30", "30.0", "3e1"])
async def test_a_whole_number_is_one_however_it_is_written(api: Api, days: str) -> None:
    policy = "/api/v1/tenants/acme/key-policy"
    answer = await api.ask("PUT", policy, b'{"max_days": %s}' % days.encode(), content_type="application/json")
    assert (answer.status_code, answer.text.partition('"max_days":')[2][:3]) == (200, "30,")
    assert code_of(await api.ask("PUT", policy, b'{"max_days": 30.5}')) == (422, "DW-461")


async def test_the_same_request_again_is_done_once_and_answered_the_same(api: Api) -> None:
    sent = [await api.ask("POST", "/api/v1/tenants/acme/service-accounts", ROBOT, idempotency_key="k-1") for _ in "123"]
    assert {answer.status_code for answer in sent} == {201}
    assert len({answer.text for answer in sent}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in sent] == [None, "true", "true"]
    assert len((await api.ask("GET", MEMBERS)).json()["members"]) == 4


async def test_M13_a_secret_is_told_once_and_not_kept(api: Api) -> None:
    wish = {"name": "nightly build", "expires": "7d"}
    first = (await api.ask("POST", KEYS, wish, idempotency_key="k-1")).json()
    again = (await api.ask("POST", KEYS, wish, idempotency_key="k-1")).json()
    assert first["key"].startswith("dw_")
    assert again == {**first, "key": None}
    kept = Statement("SELECT * FROM api_answers")
    (row,) = await api.house.database.read(lambda reader: reader.all(kept))
    assert not any(text in str(row) for text in (first["key"], ALICE.email, "nightly"))


async def test_a_key_of_a_request_is_good_for_that_request_caller_and_route_only(api: Api) -> None:
    path = "/api/v1/tenants/acme/service-accounts"
    assert (await api.ask("POST", path, ROBOT, idempotency_key="k-1")).status_code == 201
    assert code_of(await api.ask("POST", path, {"name": "Other"}, idempotency_key="k-1")) == (422, "DW-462")
    assert (await api.ask("POST", path, ROBOT, idempotency_key="k-1", key="carol")).status_code == 201
    assert (await api.ask("POST", KEYS, {"name": "a", "expires": "7d"}, idempotency_key="k-1")).status_code == 201
    assert (await api.ask("POST", path, ROBOT, idempotency_key="k-2")).status_code == 201
    assert len((await api.ask("GET", MEMBERS)).json()["members"]) == 6
    for wrong in ("", "x" * 201, "a b"):
        assert code_of(await api.ask("POST", path, ROBOT, idempotency_key=wrong)) == (422, "DW-461")


async def test_a_refusal_is_not_kept_and_a_right_that_is_gone_repeats_nothing(api: Api) -> None:
    path = "/api/v1/tenants/acme/service-accounts"
    refused = {"name": "R", "roles": ["nobody-has-this"]}
    assert (await api.ask("POST", path, refused, idempotency_key="k-1")).status_code == 422
    assert (await api.ask("POST", path, ROBOT, idempotency_key="k-1")).status_code == 201
    key = ApiKeyId(api.keys["alice"][3:16])
    await api.house.change(
        lambda tx: revoke_api_key(tx, tenant_id=ACME.id, key_id=key, by=ALICE.id, now=NOW, cause=None)
    )
    assert code_of(await api.ask("POST", path, ROBOT, idempotency_key="k-1")) == (401, "DW-469")


async def test_an_answer_is_forgotten_after_a_day(api: Api) -> None:
    path = "/api/v1/tenants/acme/service-accounts"
    assert (await api.ask("POST", path, ROBOT, idempotency_key="k-1")).status_code == 201
    api.house.clock.forward(DAY)
    again = await api.ask("POST", path, ROBOT, idempotency_key="k-1")
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)


async def test_two_at_once_make_one(api: Api) -> None:
    found: list[int] = []

    async def one() -> None:
        answer = await api.ask("POST", "/api/v1/tenants/acme/service-accounts", ROBOT, idempotency_key="k-1")
        found.append(answer.status_code)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(one)
    assert set(found) <= {201, 409}
    assert 201 in found
    assert len((await api.ask("GET", MEMBERS)).json()["members"]) == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_no_row_comes_twice_or_never_while_rows_are_added_and_ended(api: Api, limit: int) -> None:
    names = [f"k{number}" for number in range(11)]
    for name in names:
        api.house.clock.forward(number_of(name) % 2)  # some at the very same moment
        assert (await api.ask("POST", KEYS, {"name": name, "expires": "7d"})).status_code == 201
    seen: list[str] = []
    after = ""
    while True:
        page = (await api.ask("GET", f"{KEYS}?limit={limit}{after}")).json()
        assert len(page["keys"]) <= limit
        seen += [each["name"] for each in page["keys"]]
        await api.ask("POST", KEYS, {"name": f"new{len(seen)}", "expires": "7d"})
        if page["keys"][-1]["name"] in names:
            await api.ask("POST", f"{KEYS}/{page['keys'][-1]['id']}/revoke")
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    old = [name for name in seen if name in names]
    assert sorted(old) == sorted(names)
    assert len(set(seen) - {"test"}) == len([name for name in seen if name != "test"])


def number_of(name: str) -> int:
    return int(name[1:])


async def test_a_mark_is_good_for_its_caller_list_and_query_only(api: Api) -> None:
    page = (await api.ask("GET", f"{KEYS}?limit=1&state=active")).json()
    mark = page["next"]
    assert (await api.ask("GET", f"{KEYS}?limit=2&state=active&after={mark}")).status_code == 200
    for path, key in (
        (f"{KEYS}?limit=1&after={mark}", "alice"),
        (f"{KEYS}?state=active&after={mark}", "carol"),
        (f"{MEMBERS}?after={mark}", "alice"),
        (f"{KEYS}?state=active&after={mark[:-2]}AA", "alice"),
        (f"{KEYS}?state=active&after=AAAA", "alice"),
        (f"{KEYS}?state=active&after=", "alice"),
    ):
        assert (await api.ask("GET", path, key=key)).json()["code"] in {"DW-468", "DW-461"}, path
    assert {"after", "limit"} == PAGING
    for limit in ("0", "201", "-1", "x", "1.0", "9" * 30, ""):
        assert code_of(await api.ask("GET", f"{KEYS}?limit={limit}")) == (422, "DW-461")


async def test_N16_the_description_is_for_whoever_has_a_good_credential(api: Api) -> None:
    path = "/api/v1/openapi.json"
    for key in ("alice", "members", "globex"):
        assert (await api.ask("GET", path, key=key)).json()["openapi"].startswith("3.1")
    assert code_of(await send(api.house.browser().client, "GET", path, None, {})) == (401, "DW-469")
    assert code_of(await api.ask("GET", path, key="dw_x")) == (401, "DW-469")


async def test_a_key_for_keys_only_is_told_what_it_lacks(api: Api) -> None:
    answer = await api.ask("GET", KEYS, key="members")
    assert code_of(answer) == (403, "DW-465")
    assert MANAGE_KEYS in answer.json()["detail"]
