"""The device authorization grant from the first request to the token (RFC 8628; security C24, C31, H5)."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from tests.authserver import device_world as devices
from tests.authserver.deployment import GLOBEX_ONLY, MCP, PUBLIC_URL, tenant, user
from tests.authserver.device_world import BOX, OTHER_TV, TV, Device, type_code
from tests.authserver.world import Browser, World, az, is_page, is_token_error

from doorward.authserver.http import device as device_pages
from doorward.model import ClientId, Status
from doorward.protocol.token import DEVICE_CODE
from doorward.storage import accounts, clients, device_requests
from doorward.storage.database import Transaction
from doorward.storage.statements import Statement
from support.budget_clock import count_by
from support.rows import without_membership

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


async def requests_stored(world: World) -> int:
    count = Statement("SELECT count(*) AS count FROM device_requests")
    return int((await world.database.read(lambda reader: reader.all(count)))[0].count)


async def approved(world: World, device: Device, name: str = "alice", **changed: object) -> Browser:
    """Somebody types the device's code and approves."""
    browser = await world.browser_of(name)
    page = await devices.consent(browser, await device.begin())
    response = await browser.submit(page, **changed)
    assert response.headers["location"] == "/device/approved", response.text
    return browser


@pytest.mark.requirement("B16", "C22")
async def test_a_device_shows_a_code_its_person_approves_and_it_stays_connected(world: World) -> None:
    device = await devices.device(world)
    code = await device.begin()
    assert device.codes is not None
    assert device.codes["verification_uri"] == f"{PUBLIC_URL}/device"
    assert device.codes["verification_uri_complete"] == f"{PUBLIC_URL}/device?user_code={code}"
    assert (device.codes["expires_in"], device.codes["interval"]) == (600, 5)
    is_token_error(await device.poll(), "authorization_pending")
    browser = await world.browser_of("alice")
    page = await devices.consent(browser, code)
    for words in ("Harbour TV", code, "Asked from", "127.0.0.1:8080/mcp", "Acme", "somebody sent you this code"):
        assert words in page.text, words
    assert "Verified" not in page.text
    response = await browser.submit(page, scope=["documents:read", "offline_access"])
    done = await browser.follow(response)
    assert "Go back to your device" in done.text
    answer = await device.poll()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["scope"] == "documents:read"
    assert await world.works(tokens["access_token"])
    connection = (await world.connections())[0]
    assert (connection.resource, connection.declined, connection.user_id) == (
        MCP,
        {"documents:write"},
        user("alice").id,
    )
    refreshed = await world.refresh(tokens["refresh_token"], client_id="tv")
    assert await world.works(refreshed.json()["access_token"])


@pytest.mark.parametrize("path", ["/oauth/device_authorization", "/device_authorization"])
async def test_B3_the_guessed_path_answers_like_the_advertised_one(world: World, path: str) -> None:
    device = await devices.device(world)
    assert (await device.ask(path)).status_code == 200
    is_token_error(await device.ask(path, client_id="nobody-knows"), "invalid_client", 401)
    async with world.client() as http:
        assert (await http.get(path)).status_code == 405


async def test_ruling_8_metadata_lists_the_endpoint_and_the_grant(world: World) -> None:
    async with world.client() as http:
        found = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert found["device_authorization_endpoint"] == f"{PUBLIC_URL}/oauth/device_authorization"
    assert DEVICE_CODE in found["grant_types_supported"]


async def test_a_device_that_registers_itself_needs_no_redirect_uri(world: World) -> None:
    async with world.client() as http:
        body = {"client_name": "Kiosk", "grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []}
        answer = await http.post("/oauth/clients/register", json=body)
        nameless = await http.post("/oauth/clients/register", json={"grant_types": [DEVICE_CODE]})
        useless = await http.post(
            "/oauth/clients/register", json={"client_name": "x", "grant_types": ["refresh_token"]}
        )
    assert answer.status_code == 201, answer.text
    registered = answer.json()
    assert registered["grant_types"] == sorted([DEVICE_CODE, "refresh_token"])
    assert (registered["redirect_uris"], registered["response_types"]) == ([], [])
    device = Device(world, replace(TV, id=ClientId(registered["client_id"])))
    await approved(world, device)
    assert (await device.poll()).status_code == 200
    is_page(await world.browser().open(az(client_id=registered["client_id"])), "DW-104")
    for refused in (nameless, useless):
        assert refused.status_code == 400
        assert refused.json()["error"] == "invalid_client_metadata"


async def test_C7_C8_a_confidential_client_proves_itself_to_begin_and_to_ask(world: World) -> None:
    device = await devices.device(world, BOX)
    await device.begin()
    assert device.codes is not None
    for path, more in (
        ("/oauth/device_authorization", {}),
        ("/oauth/token", {"grant_type": DEVICE_CODE, "device_code": device.codes["device_code"]}),
    ):
        is_token_error(await world.token({"client_id": "box"} | more, path), "invalid_client", 401)
        is_token_error(
            await world.token({"client_id": "box", "client_secret": "wrong"} | more, path), "invalid_client", 401
        )
    await approved(world, device)
    assert "refresh_token" not in (await device.poll()).json()


@pytest.mark.parametrize("client_id", ["c1", "c3"])
async def test_C14_a_client_without_the_grant_begins_nothing(world: World, client_id: str) -> None:
    device = await devices.device(world)
    is_token_error(await device.ask(client_id=client_id), "unauthorized_client")
    is_token_error(
        await world.token({"grant_type": DEVICE_CODE, "device_code": "dwd_x", "client_id": client_id}),
        "unauthorized_client",
    )
    assert await requests_stored(world) == 0


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "nothing:known"}, "invalid_scope"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"client_id": "gone"}, "invalid_client"),
    ],
)
async def test_a_request_that_is_refused_stores_nothing(world: World, changed: dict[str, str], error: str) -> None:
    device = await devices.device(world)
    is_token_error(await device.ask(**changed), error, 401 if error == "invalid_client" else 400)
    assert await requests_stored(world) == 0


@pytest.mark.parametrize("resource", ["", PUBLIC_URL, f"{MCP}/"])
async def test_B8_without_a_resource_the_short_url_is_meant(world: World, resource: str) -> None:
    device = await devices.device(world)
    await device.begin(resource=resource, scope="")
    assert device.codes is not None
    browser = await world.browser_of("alice")
    await browser.submit(await devices.consent(browser, device.codes["user_code"]))
    tokens = (await device.poll()).json()
    assert tokens["scope"] == "documents:read documents:write"
    assert (await world.connections())[0].resource == MCP
    is_token_error(await device.poll(resource=GLOBEX_ONLY), "invalid_target")


async def test_a_device_that_asks_too_often_is_told_to_slow_down_and_waits_five_seconds_more(world: World) -> None:
    device = await devices.device(world)
    await device.begin()
    is_token_error(await device.poll(), "authorization_pending")
    for wait, told in ((5, "authorization_pending"), (1, "slow_down"), (5, "slow_down"), (15, "authorization_pending"),
                       (15, "authorization_pending"), (10, "slow_down"), (20, "authorization_pending")):  # fmt: skip
        world.clock.forward(wait)
        is_token_error(await device.poll(), told)


async def test_a_question_that_is_early_still_gets_what_was_approved(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    code = await device.begin()
    is_token_error(await device.poll(), "authorization_pending")
    await browser.submit(await devices.consent(browser, code))
    assert (await device.poll()).status_code == 200


async def test_a_waiting_device_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    device = await devices.device(world)
    await device.begin()

    async def never(*_: object) -> None:
        raise AssertionError("a write")

    monkeypatch.setattr(type(world.database), "write", never)
    for _ in range(3):
        is_token_error(await device.poll(), "authorization_pending")
        world.clock.forward(6)


async def test_a_denial_is_told_to_the_device(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    page = await devices.consent(browser, await device.begin())
    response = await browser.submit(page, "deny")
    assert response.headers["location"] == "/device/denied"
    assert "stays out" in (await browser.follow(response)).text
    for _ in range(2):
        is_token_error(await device.poll(), "access_denied")
    assert await world.connections() == []
    assert (await world.events())[0].name == "connection:denied"


async def test_a_code_lives_ten_minutes(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    code = await device.begin()
    world.clock.forward(599)
    is_token_error(await device.poll(), "authorization_pending")
    page = await devices.consent(browser, code)
    world.clock.forward(1)
    is_token_error(await device.poll(), "expired_token")
    is_page(await browser.submit(page), "DW-121")
    assert (await type_code(browser, code)).status_code == 422
    assert await world.connections() == []


async def test_an_approval_that_nobody_fetched_in_time_is_worth_nothing(world: World) -> None:
    device = await devices.device(world)
    await approved(world, device)
    world.clock.forward(600)
    is_token_error(await device.poll(), "expired_token")


async def test_C31_wrong_expired_and_used_codes_look_the_same(world: World) -> None:
    device = await devices.device(world)
    expired = await device.begin()
    world.clock.forward(600)
    browser = await approved(world, device)
    assert device.codes is not None
    used = device.codes["user_code"]
    answers = [await type_code(browser, code) for code in ("BBBB-BBBB", expired, used, "not a code", "")]
    assert {answer.status_code for answer in answers} == {422}
    assert len({answer.text.replace(answer.headers["x-request-id"], "") for answer in answers}) == 1
    assert "This code does not work" in answers[0].text


async def test_C31_guessing_is_held_off_per_account_and_per_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_by(monkeypatch, world.clock)
    device = await devices.device(world)
    code = await device.begin()
    guesser = await world.browser_of("mallory")
    for _ in range(device_pages.WRONG_PER_MINUTE):
        assert (await type_code(guesser, "BBBB-BBBB")).status_code == 422
    held = await type_code(guesser, code)
    assert held.status_code == 429
    assert 0 < int(held.headers["retry-after"]) <= 60
    # Another account goes on from the same address until the address has guessed too often.
    other = await world.browser_of("dave")
    for _ in range(device_pages.WRONG_PER_MINUTE):
        assert (await type_code(other, "BBBB-BBBB")).status_code == 422
    third = await world.browser_of("bob")
    for _ in range(device_pages.WRONG_PER_MINUTE_FROM_ONE - 2 * device_pages.WRONG_PER_MINUTE):
        assert (await type_code(third, "BBBB-BBBB")).status_code == 422
    assert (await type_code(await world.browser_of("alice"), code)).status_code == 429
    world.clock.forward(61)
    assert (await type_code(guesser, code)).status_code == 303


async def test_C31_nobody_guesses_without_signing_in(world: World) -> None:
    device = await devices.device(world)
    code = await device.begin()
    browser = world.browser()
    for path in ("/device", f"/device?user_code={code}"):
        response = await browser.http.get(path)
        assert response.status_code == 303
        assert parse_qs(urlsplit(response.headers["location"]).query)["next"] == [path]
    response = await type_code(browser, code.lower())
    assert parse_qs(urlsplit(response.headers["location"]).query)["next"] == [f"/device?user_code={code}"]
    assert (await type_code(browser, "<script>")).headers["location"] == "/sign-in?next=%2Fdevice"
    pairs = [("user_code", code)]
    is_page(await browser.post("/device", pairs, **{"sec-fetch-site": "cross-site"}), "DW-408", 403)


async def test_C31_the_link_with_the_code_in_it_asks_nothing_less(world: World) -> None:
    device = await devices.device(world)
    await device.begin()
    assert device.codes is not None
    browser = await world.browser_of("alice")
    page = await browser.http.get(device.codes["verification_uri_complete"])
    assert page.status_code == 200
    assert f'value="{device.codes["user_code"]}"' in page.text
    assert "My device shows this code" in page.text
    is_token_error(await device.poll(), "authorization_pending")
    assert 'name="user_code" value=""' in (await browser.http.get("/device?user_code=%22%3E%3Cscript%3E")).text


async def test_C31_a_device_request_is_answered_once_and_by_whom_it_was_shown_to(world: World) -> None:
    device = await devices.device(world)
    code = await device.begin()
    alice, bob = await world.browser_of("alice"), await world.browser_of("bob")
    hers, his = await devices.consent(alice, code), await devices.consent(bob, code)
    # Another session than the one that the page was shown in.
    is_page(await bob.submit(hers), "DW-122")
    await alice.sign_out()
    await alice.sign_in("mallory")
    is_page(await alice.submit(hers), "DW-122", 403)
    assert (await bob.submit(his)).headers["location"] == "/device/approved"
    await alice.sign_in("alice")
    for answer in ("approve", "deny"):
        is_page(await alice.submit(hers, answer), "DW-121")
        is_page(await bob.submit(his, answer), "DW-121")
    assert await world.connections("alice") == []
    assert (await world.connections("bob"))[0].user_id == user("bob").id


async def test_C31_another_client_gets_nothing_and_spends_nothing(world: World) -> None:
    device, other = await devices.device(world), await devices.device(world, OTHER_TV)
    await device.begin()
    other.codes = device.codes
    is_token_error(await other.poll(), "invalid_grant")
    assert device.codes is not None
    browser = await world.browser_of("alice")
    await browser.submit(await devices.consent(browser, device.codes["user_code"]))
    is_token_error(await other.poll(), "invalid_grant")
    is_token_error(await device.poll(device_code="dwd_nonsense"), "invalid_grant")
    is_token_error(await device.poll(device_code=""), "invalid_request")
    assert (await device.poll()).status_code == 200


async def test_C4_of_many_parallel_questions_one_wins_and_nothing_ends(world: World) -> None:
    device = await devices.device(world)
    await approved(world, device)
    answers: list[httpx2.Response] = []

    async def poll() -> None:
        answers.append(await device.poll())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(poll)
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    assert await world.works(won[0]["access_token"])


async def test_C1_a_used_device_code_that_comes_back_later_ends_what_it_gave(world: World) -> None:
    device = await devices.device(world)
    await approved(world, device)
    tokens = (await device.poll()).json()
    world.clock.forward(1)
    is_token_error(await device.poll(), "invalid_grant")
    assert await world.works(tokens["access_token"])
    world.clock.forward(5)
    is_token_error(await device.poll(), "invalid_grant")
    assert not await world.works(tokens["access_token"])
    assert (await world.events())[0].name == "code:replayed"


def _disable_user(tx: Transaction) -> None:
    accounts.update_user(tx, replace(user("alice"), status=Status.DISABLED))


def _disable_tenant(tx: Transaction) -> None:
    accounts.update_tenant(tx, replace(tenant("acme"), status=Status.DISABLED))


def _disable_client(tx: Transaction) -> None:
    clients.update_client(tx, replace(TV, status=Status.DISABLED))


def _leave(tx: Transaction) -> None:
    without_membership(tx, tenant("acme").id, user("alice").id)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (_disable_user, "invalid_grant"),
        (_disable_tenant, "invalid_grant"),
        (_leave, "invalid_grant"),
        (_disable_client, "invalid_client"),
    ],
)
async def test_C24_H5_an_approval_dies_with_its_user_tenant_membership_and_client(
    world: World, end: Callable[[Transaction], None], error: str
) -> None:
    device = await devices.device(world)
    await approved(world, device)
    await world.database.write(end)
    is_token_error(await device.poll(), error, 401 if error == "invalid_client" else 400)


async def test_H5_a_user_who_is_disabled_while_the_page_is_open_approves_nothing(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    page = await devices.consent(browser, await device.begin())
    await world.database.write(_disable_user)
    assert (await browser.submit(page)).headers["location"].startswith("/sign-in")
    assert (await type_code(browser, "BBBB-BBBB")).headers["location"].startswith("/sign-in")
    is_token_error(await device.poll(), "authorization_pending")


async def test_a_client_that_loses_the_grant_or_is_disabled_is_not_approved(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    code = await device.begin()
    page = await devices.consent(browser, code)
    for changed, fault in (
        (replace(TV, grant_types=frozenset({"authorization_code"})), "DW-246"),
        (replace(TV, status=Status.DISABLED), "DW-102"),
    ):
        await world.database.write(lambda tx, client=changed: clients.update_client(tx, client))
        is_page(await browser.submit(page), fault)
        assert (await type_code(browser, code)).status_code == 422
    assert await world.connections() == []


async def test_B11_a_device_gets_the_same_question_with_tenants_and_each_device_is_one_of_its_own(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("dave")
    page = await devices.consent(browser, await device.begin())
    assert page.tenants() == ["acme", "globex"]
    again = await browser.submit(page, tenant="globex")
    assert again.status_code == 422
    shown = devices.consent_of(again)
    await browser.submit(shown, scope=["documents:write"])
    assert (await device.poll()).json()["scope"] == "documents:write"
    browser = await world.browser_of("dave")
    second = await devices.consent(browser, await device.begin())
    switched = devices.consent_of(await browser.submit(second, "show", tenant="globex"))
    # The browser is not on the device: nothing that was approved in it before is this device's.
    assert 'class="badge accent">new' not in switched.html
    await browser.submit(switched, scope=["documents:read"])
    assert (await device.poll()).json()["scope"] == "documents:read"
    living = [each for each in await world.connections("dave") if each.revoked_at is None]
    assert sorted(" ".join(each.scopes) for each in living) == ["documents:read", "documents:write"]
    assert {each.browser for each in living} == {None}


async def test_G3_what_was_not_on_the_page_is_refused_for_devices_too(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    page = await devices.consent(browser, await device.begin())
    is_page(await browser.submit(page, scope=["documents:read", "documents:delete"]), "DW-122")
    is_page(await browser.submit(page, scope=["documents:read"], user_code="BBBB-BBBB"), "DW-122")
    is_token_error(await device.poll(), "authorization_pending")


async def test_codes_are_stored_as_keyed_hashes_and_named_nowhere(world: World) -> None:
    device = await devices.device(world)
    await approved(world, device)
    await device.poll()
    assert device.codes is not None
    secrets = (device.codes["device_code"], device.codes["user_code"], device.codes["user_code"].replace("-", ""))
    fingerprint = devices.FINGERPRINTER.of(secrets[0])
    stored = await world.database.read(lambda r: device_requests.device_request_by_device_code(r, fingerprint))
    assert stored is not None
    trail = await world.events()
    assert [event.name for event in trail][:3] == ["connection:activated", "connection:approved", "device:asked"]
    for secret in secrets:
        assert secret not in repr((stored, trail))


async def test_new_requests_have_a_budget_per_address(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    count_by(monkeypatch, world.clock)
    device = await devices.device(world)
    answers = [await device.ask() for _ in range(21)]
    assert {answer.status_code for answer in answers[:20]} == {200}
    is_token_error(answers[20], "temporarily_unavailable", 429)
    assert 0 < int(answers[20].headers["retry-after"]) <= 60
    assert await requests_stored(world) == 20


async def test_two_codes_are_never_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["WDJBMJHT", "WDJBMJHT", "BBBBBBBB"])
    monkeypatch.setattr("doorward.protocol.device.new_user_code", lambda _: next(drawn))
    device = await devices.device(world)
    assert [await device.begin(), await device.begin()] == ["WDJB-MJHT", "BBBB-BBBB"]


async def test_C24_another_account_keeps_the_devices_request(world: World) -> None:
    device = await devices.device(world)
    browser = await world.browser_of("alice")
    page = await devices.consent(browser, await device.begin())
    assert "switch=1" in page.html
    await browser.sign_out()
    to_sign_in = (await browser.submit(page)).headers["location"]
    back = parse_qs(urlsplit(to_sign_in).query)["next"][0]
    await browser.sign_in("bob")
    again = devices.consent_of(await browser.http.get(back))
    assert (await browser.submit(again)).headers["location"] == "/device/approved"
    await device.poll()
    assert (await world.connections("bob"))[0].activated_at is not None


async def test_B20_a_known_vendors_id_is_no_badge_where_nothing_proves_it(make_world: Callable[..., World]) -> None:
    world = make_world(bundled_documents=None)
    vendor = replace(TV, id=ClientId("claude-like"), name="Claude Code", client_uri="https://claude.ai")
    device = await devices.device(world, vendor)
    page = await devices.consent(await world.browser_of("alice"), await device.begin())
    assert "Not verified" in page.text
    assert "It names claude.ai as its site" in page.text
