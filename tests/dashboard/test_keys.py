"""The page of one's own API keys."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from doorward.model import ApiKey, Instant, ToolState, User
from doorward.storage import api_keys, events, known_tools, permissions
from doorward.storage.database import Reader
from doorward.storage.known_tools import KnownTool
from support.pages import CAROL, FINGERPRINTER, Browser, House, filled, form_of
from support.person import Form, Page
from support.rows import ACME, ALICE, BOB, HARBOUR, NOW

pytestmark = pytest.mark.anyio
DAY = 86_400_000_000


async def at_the_page(
    house: House, user: User = ALICE, path: str = "/settings/keys"
) -> tuple[Browser, httpx2.Response]:
    browser = house.browser()
    await browser.sign_in(user)
    return browser, await browser.get(path)


async def keys_of(house: House, user: User = ALICE) -> list[ApiKey]:
    def mine(reader: Reader) -> list[ApiKey]:
        return api_keys.api_keys_of_user(reader, user.id)

    return await house.database.read(mine)


async def make(house: House, browser: Browser, **values: str) -> httpx2.Response:
    form = form_of(await browser.get("/settings/keys"), "expiry")
    return await browser.post(form.action, filled(form, name="ci", **values))


def key_on(page: httpx2.Response) -> str:
    found = re.search(r"dw_[0-9A-Za-z]{62}", page.text)
    assert found
    return found[0]


async def test_the_first_page_leads_to_the_keys_and_these_to_the_sign_in(house: House) -> None:
    browser = house.browser()
    for path in ("/", "/settings"):
        assert (await browser.get(path)).headers["location"] == "/settings/keys"
    away = "/sign-in?next=%2Fsettings%2Fkeys"
    assert (await browser.get("/settings/keys")).headers["location"] == away
    assert (await browser.get("/settings/keys/x/revoke")).headers["location"] == away
    assert (await browser.post("/settings/keys", {"name": "x"})).headers["location"] == away
    assert (await browser.post("/settings/keys/x/revoke", {})).headers["location"] == away


@pytest.mark.requirement("C2")
async def test_I16_a_key_is_made_shown_once_and_known_by_its_ends_afterwards(house: House) -> None:
    browser, _ = await at_the_page(house)
    made = await make(house, browser)
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    text = key_on(made)
    assert "https://mcp.acme.example/acme/mcp" in made.text
    assert "curl -sS https://mcp.acme.example/acme/mcp" in made.text
    [key] = await keys_of(house)
    assert key.fingerprint == FINGERPRINTER.of(text)
    assert key.expires_at == NOW + 90 * DAY
    listed = (await browser.get("/settings/keys")).text
    assert text not in listed
    assert f"{key.prefix[:10]}…{key.last_four}" in listed
    names = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    assert [event.name for event in names] == ["api_key:created"]


async def test_the_form_ticks_what_is_usual_and_nothing_that_destroys(house: House) -> None:
    _, page = await at_the_page(house)
    boxes = {field.value: field.checked for field in form_of(page, "expiry").named("scope")}
    assert boxes == {"documents:read": True, "documents:write": True, "documents:delete": False}
    assert [field.value for field in form_of(page, "expiry").named("expiry") if field.checked] == ["90"]


@pytest.mark.requirement("C1")
async def test_a_key_may_do_what_was_ticked_for_as_long_as_was_chosen(house: House) -> None:
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    pairs = [(name, value) for name, value in filled(form, name="ci", expiry="never") if name != "scope"]
    await browser.post(form.action, [*pairs, ("scope", "documents:delete")])
    [key] = await keys_of(house)
    assert key.scopes == {"documents:delete"}
    assert key.expires_at is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Give the key a name"),
        ({"name": "x" * 65}, "Give the key a name"),
        ({"name": "a\u202eb"}, "Give the key a name"),
        ({"name": "\u3164"}, "Give the key a name"),
        ({"expiry": "36500"}, "Choose when the key ends"),
        ({"scope": ""}, "may not do this"),
        ({"scope": "documents:admin"}, "may not do this"),
        ({"scope": "users:*"}, "may not do this"),
        ({"scope": "<script>alert(1)</script>"}, "&lt;script&gt;"),
    ],
)
async def test_I6_what_cannot_be_is_said_at_its_place_and_nothing_is_made(
    house: House, change: dict[str, str], words: str
) -> None:
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    response = await browser.post(form.action, filled(form, **{"name": "my name", **change}))
    assert response.status_code == 422
    assert words in response.text
    assert await keys_of(house) == []
    kept = form_of(response, "expiry").named("name")[0].value
    assert kept == {"name": "my name", **change}["name"]


async def test_nothing_ticked_is_said_so(house: House) -> None:
    browser, page = await at_the_page(house)
    pairs = [pair for pair in filled(form_of(page, "expiry"), name="x") if pair[0] != "scope"]
    response = await browser.post("/settings/keys", pairs)
    assert response.status_code == 422
    assert "Choose at least one permission" in response.text


async def test_a_form_that_is_sent_twice_makes_one_key(house: House) -> None:
    browser, page = await at_the_page(house)
    pairs = filled(form_of(page, "expiry"), name="ci")
    assert (await browser.post("/settings/keys", pairs)).status_code == 200
    again = await browser.post("/settings/keys", pairs)
    assert again.status_code == 409
    assert "DW-416" in again.text
    assert not re.search(r"dw_[0-9A-Za-z]{62}", again.text)
    assert len(await keys_of(house)) == 1


async def test_a_refused_form_can_be_corrected_and_sent_again(house: House) -> None:
    browser, page = await at_the_page(house)
    pairs = filled(form_of(page, "expiry"), name="ci", scope="documents:admin")
    refused = await browser.post("/settings/keys", pairs)
    assert refused.status_code == 422
    again = [*(pair for pair in filled(form_of(refused, "expiry")) if pair[0] != "scope"), ("scope", "documents:read")]
    assert (await browser.post("/settings/keys", again)).status_code == 200


@pytest.mark.parametrize("nonce", ["", "x", "<script>", "a" * 200])
async def test_a_form_that_was_not_shown_makes_nothing(house: House, nonce: str) -> None:
    browser, page = await at_the_page(house)
    response = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", form=nonce))
    assert response.status_code == 400
    assert "DW-404" in response.text


@pytest.mark.parametrize("slug", ["globex", "nowhere", "", "' OR 1=1"])
async def test_M1_I6_a_key_for_a_tenant_that_is_not_ones_own_is_refused_alike(house: House, slug: str) -> None:
    browser, page = await at_the_page(house)
    response = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", tenant=slug))
    assert response.status_code == 400
    assert await keys_of(house) == []
    assert (await browser.get(f"/settings/keys?{urlencode({'tenant': slug})}")).status_code == 200


async def test_I6_whose_key_it_is_follows_from_the_session_alone(house: House) -> None:
    browser, page = await at_the_page(house, CAROL)
    form = form_of(page, "expiry")
    named = {"user_id": ALICE.id, "userId": ALICE.id, "owner": ALICE.email, "user": ALICE.email, "created_by": ALICE.id}
    made = await browser.post(form.action, [*filled(form, name="ci"), *named.items()])
    assert made.status_code == 200
    assert await keys_of(house) == []
    [key] = await keys_of(house, CAROL)
    assert (key.user_id, key.created_by) == (CAROL.id, CAROL.id)
    # Neither nobody nor a key makes a key.
    away = "/sign-in?next=%2Fsettings%2Fkeys"
    nobody = house.browser()
    for headers in ({}, {"authorization": f"Bearer {key_on(made)}"}):
        response = await nobody.post(form.action, [*filled(form, name="ci"), *named.items()], **headers)
        assert response.headers["location"] == away
    assert len(await keys_of(house, CAROL)) == 1


async def test_M5_a_form_of_another_site_makes_and_ends_nothing(house: House) -> None:
    browser, page = await at_the_page(house)
    pairs = filled(form_of(page, "expiry"), name="ci")
    assert (await browser.post("/settings/keys", pairs, site="cross-site")).status_code == 403
    await browser.post("/settings/keys", pairs)
    [key] = await keys_of(house)
    assert (await browser.post(f"/settings/keys/{key.id}/revoke", {}, site="same-site")).status_code == 403
    assert (await keys_of(house))[0].revoked_at is None


async def test_I6_rights_are_those_of_the_moment_of_making(house: House) -> None:
    browser, page = await at_the_page(house)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    response = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", scope="documents:write"))
    assert response.status_code == 422
    assert await keys_of(house) == []


async def test_somebody_in_two_tenants_chooses_and_sees_what_they_may_do_there(house: House) -> None:
    browser, acme = await at_the_page(house, CAROL)
    assert [field.value for field in form_of(acme, "expiry").named("tenant")] == ["acme", "globex"]
    globex = await browser.get("/settings/keys?tenant=globex")
    form = form_of(globex, "expiry")
    assert [field.value for field in form.named("scope")] == ["documents:read"]
    made = await browser.post(form.action, filled(form, name="ci"))
    assert "has no server yet" in made.text
    assert [key.tenant_id for key in await keys_of(house, CAROL)] == ["t-globex"]


async def test_somebody_without_tenant_or_role_is_told_what_is_missing(house: House) -> None:
    browser, page = await at_the_page(house, BOB)
    assert "No tenant yet" in page.text
    assert not [form for form in Page(page.text).forms if form.named("expiry")]
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ()))
    assert "You have no role in Acme" in (await browser.get("/settings/keys")).text


@pytest.mark.requirement("C5")
async def test_a_key_is_revoked_after_a_page_that_says_what_stops(house: House) -> None:
    browser, _ = await at_the_page(house)
    await make(house, browser)
    [key] = await keys_of(house)
    row = form_of_action(await browser.get("/settings/keys"), f"/settings/keys/{key.id}/revoke")
    assert row.method == "get"
    question = await browser.get(row.action)
    assert "Revoke ci?" in question.text
    assert "next call to Acme is refused" in question.text
    assert (await keys_of(house))[0].revoked_at is None
    form = form_of_action(question, row.action)
    assert form.method == "post"
    done = await browser.post(form.action, filled(form))
    assert done.status_code == 303
    page = await browser.get(done.headers["location"])
    assert "is revoked. Its next call is refused." in page.text
    assert 'class="gone"' in page.text
    assert f"/settings/keys/{key.id}/revoke" not in page.text
    assert (await browser.get(row.action)).headers["location"] == "/settings/keys"
    assert (await browser.post(form.action, {})).status_code == 303
    [revoked] = await keys_of(house)
    assert revoked.revoked_at == NOW


async def test_M1_I16_a_key_of_somebody_else_is_not_found_like_one_that_does_not_exist(house: House) -> None:
    alice, _ = await at_the_page(house)
    await make(house, alice)
    [key] = await keys_of(house)
    carol, _ = await at_the_page(house, CAROL)
    for key_id in (key.id, "0000000000000"):
        for response in (
            await carol.get(f"/settings/keys/{key_id}/revoke"),
            await carol.post(f"/settings/keys/{key_id}/revoke", {}),
        ):
            assert response.status_code == 404
            assert "DW-406" in response.text
    assert (await keys_of(house))[0].revoked_at is None
    assert (
        key.name
        not in (await carol.get(f"/settings/keys?revoked={key.id}")).text.partition("<main")[2].partition('id="new"')[0]
    )


@pytest.mark.requirement("C4")
async def test_the_list_says_when_keys_end_and_when_they_were_used(house: House) -> None:
    browser, _ = await at_the_page(house)
    await make(house, browser, expiry="7")
    await make(house, browser, expiry="30")
    assert "badge warn" in (await browser.get("/settings/keys")).text
    used = (await keys_of(house))[0]
    client = "curl/8 <b>" + "x" * 80
    await house.change(lambda tx: api_keys.touch_api_keys(tx, [(used.id, Instant(NOW + 5), "203.0.113.9", client)]))
    house.clock.forward(8 * 86_400)
    await browser.sign_in()
    page = (await browser.get("/settings/keys")).text
    assert "Expired" in page
    assert "1 in use, 1 ended" in page
    assert "curl/8 &lt;b&gt;x" in page
    assert "203.0.113.9" in page


async def test_M6_a_hostile_name_is_shown_as_text(house: House) -> None:
    browser, _ = await at_the_page(house)
    name = "<img src=x onerror=alert(1)>"
    form = form_of(await browser.get("/settings/keys"), "expiry")
    made = await browser.post(form.action, filled(form, name=name))
    page = await browser.get("/settings/keys")
    [key] = await keys_of(house)
    question = await browser.get(f"/settings/keys/{key.id}/revoke")
    for response in (made, page, question):
        assert "<img" not in response.text
        assert "&lt;img src=x onerror=alert(1)&gt;" in response.text


def form_of_action(response: httpx2.Response, action: str) -> Form:
    return next(form for form in Page(response.text).forms if form.action == action)


@pytest.mark.requirement("C2", "A5")
async def test_the_new_key_stands_in_the_steps_of_the_client_that_was_chosen(house: House) -> None:
    browser, page = await at_the_page(house)
    made = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", client="claude-code"))
    assert "Use it in Claude Code" in made.text
    assert "claude mcp add --transport http harbour" in made.text
    assert "Test it" in made.text
    assert key_on(made) in made.text
    offered = [field.value for field in form_of(page, "expiry").named("client")]
    assert "claude-code" in offered
    assert "" in offered
    _, page = await at_the_page(house)
    other = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", client="<nonsense>"))
    assert other.status_code in {200, 400}
    assert "&lt;nonsense" not in other.text


async def shown(browser: Any, page: Any, **values: Any) -> Any:
    return await browser.post("/settings/keys", filled(form_of(page, "expiry"), what="show", **values))


@pytest.mark.requirement("C1")
async def test_the_form_tells_what_the_key_could_do_and_makes_none(house: House) -> None:
    await house.change(offer_tools)
    browser, page = await at_the_page(house)
    told = await shown(browser, page, name="half typed", scope="documents:read")
    assert told.status_code == 200
    aside = " ".join(Page(told.text).text.split()).partition("This key")[2]
    assert aside.index("Read documents") < aside.index("cannot") < aside.index("Delete documents")
    assert "read_document" in aside
    assert "drop_document" not in aside
    assert form_of(told, "expiry").named("name")[0].value == "half typed"
    assert await keys_of(house) == []
    nothing = await shown(browser, page, scope="")
    assert "nothing yet" in nothing.text
    foreign = await shown(browser, page, place="project/nowhere")
    assert foreign.status_code == 200
    assert "There is no resource" in foreign.text


def offer_tools(tx: Any) -> None:
    for name, hints in (("read_document", {}), ("drop_document", {"destructiveHint": True})):
        known_tools.add_known(
            tx,
            KnownTool(
                server_id=HARBOUR.id, name=name, digest=name, first_seen=NOW, annotations=hints, state=ToolState.ALLOWED
            ),
        )


async def test_another_tenant_is_shown_before_a_key_is_made_there(house: House) -> None:
    browser, page = await at_the_page(house, CAROL)
    response = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci", tenant="globex"))
    assert response.status_code == 422
    assert "You chose another tenant" in response.text
    assert await keys_of(house, CAROL) == []
    made = await browser.post("/settings/keys", filled(form_of(response, "expiry")))
    assert made.status_code == 200
    assert [key.tenant_id for key in await keys_of(house, CAROL)] == ["t-globex"]


@pytest.mark.requirement("C6", "F2")
async def test_I6_an_administrator_makes_a_key_for_somebody_else_and_nobody_else_does(house: House) -> None:
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    browser, page = await at_the_page(house)
    pairs = filled(form_of(page, "expiry"), name="ci", for_whom=BOB.email, scope="documents:read")
    assert (await browser.post("/settings/keys", pairs)).status_code == 200
    [key] = await keys_of(house, BOB)
    assert (key.user_id, key.created_by) == (BOB.id, ALICE.id)
    bob, page = await at_the_page(house, BOB)
    assert form_of(page, "expiry").named("for_whom") == []
    pairs = filled(form_of(page, "expiry"), name="ci", for_whom=ALICE.email, scope="documents:read")
    refused = await bob.post("/settings/keys", pairs)
    assert refused.status_code == 422
    assert "Only an administrator" in refused.text
    assert await keys_of(house) == []
