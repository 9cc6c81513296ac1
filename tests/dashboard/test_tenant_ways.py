"""A tenant that takes only some ways of signing in: its pages do nothing for who came by another (E1; H5)."""

from dataclasses import replace

import pytest
from tests.dashboard.test_apps import MINE, ONE, connected, stored
from tests.dashboard.test_keys import keys_of

from doorward.accounts.sessions import Came
from doorward.model import ConnectionId
from doorward.storage import accounts
from support.pages import CAROL, Browser, House, filled, form_of
from support.rows import ACME, GLOBEX

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]


async def came_by(house: House, means: str) -> Browser:
    """Return the browser of Carol, who owns Acme and is a viewer in Globex, after she came by ``means``."""
    begun = await house.database.write(
        lambda tx: house.entering.begin(tx, CAROL.id, Came(cause=None), means=means, now=house.clock())
    )  # fmt: skip
    assert begun is not None
    browser = house.browser()
    browser.client.cookies.set(house.cookies.session_name, begun.cookie_text, domain="mcp.acme.example", path="/")
    return browser


async def close(house: House) -> None:
    changed = replace(ACME, sign_in_methods=("passkey", "corp"))
    await house.database.write(lambda tx: accounts.update_tenant(tx, changed))


async def make(browser: Browser, slug: str) -> int:
    form = form_of(await browser.get(f"/settings/keys?tenant={slug}"), "expiry")
    response = await browser.post(form.action, filled(form, name="ci", scope="documents:read"))
    assert ("DW-449" in response.text) == (response.status_code == 403)
    return response.status_code


async def test_no_key_is_made_in_it_and_elsewhere_as_always(house: House) -> None:
    await close(house)
    browser = await came_by(house, "link")
    assert await make(browser, ACME.slug) == 403
    assert await make(browser, GLOBEX.slug) == 200
    assert [key.tenant_id for key in await keys_of(house, CAROL)] == [GLOBEX.id]
    assert await make(await came_by(house, "passkey"), ACME.slug) == 200


async def test_its_administration_is_not_seen(house: House) -> None:
    browser = await came_by(house, "link")
    assert (await browser.get("/settings/why")).status_code == 200
    await close(house)
    assert (await browser.get("/settings/why")).status_code == 403
    shown = await browser.get("/settings/attempts?tenant=acme")
    assert "everybody" not in shown.text.lower()
    verdict = {"tenant": "acme", "answer": "deny", "what": "host", "value": "app.example", "client": "c"}
    assert (await browser.post("/settings/attempts", verdict)).status_code == 403


async def test_its_owner_comes_by_a_password_all_the_same(house: House) -> None:
    await close(house)
    assert await make(await came_by(house, "password"), ACME.slug) == 200


async def test_what_its_people_connected_is_neither_seen_nor_ended(house: House) -> None:
    await connected(house)
    browser = await came_by(house, "link")
    assert (await browser.get(ONE)).status_code == 200
    await close(house)
    assert MINE.id not in (await browser.get("/settings/apps?tenant=acme")).text
    for answer in (await browser.get(ONE), await browser.post(f"{ONE}/disconnect", {"whose": "everybody"})):
        assert (answer.status_code, "DW-449" in answer.text) == (403, True)
    assert (await stored(house)).revoked_at is None


async def test_one_disconnects_ones_own_app_and_nobody_elses_with_it(house: House) -> None:
    await connected(house, replace(MINE, id=ConnectionId("n-carols"), user_id=CAROL.id))
    browser = await came_by(house, "link")
    await close(house)
    own = "/settings/apps/n-carols/disconnect"
    assert (await browser.post(own, {"whose": "everybody"})).status_code == 403
    assert (await browser.post(own, {"whose": "one"})).status_code == 303
    assert (await stored(house)).revoked_at is None
    assert (await stored(house, ConnectionId("n-carols"))).revoked_at is not None
