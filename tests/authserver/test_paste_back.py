"""The address that a person carries to an app on another machine (feature B16)."""

import re
import shlex
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.authserver import device_world as devices
from tests.authserver.deployment import PUBLIC_URL
from tests.authserver.world import REDIRECT, STATE, World, answer_of, az, is_page

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B16", "C22")]

SHOW = "show_url"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def address_of(html: str) -> str:
    found = re.search(r"<textarea[^>]* readonly[^>]*>([^<]*)</textarea>", html)
    assert found, html
    return unescape(found[1])


async def test_the_page_shows_the_address_that_the_redirect_would_have_gone_to(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(az(scope="documents:read documents:write")), SHOW)
    assert response.status_code == 200
    address = address_of(response.text)
    assert address.startswith(f"{REDIRECT}?")
    answer = dict(parse_qsl(urlsplit(address).query))
    assert (answer["state"], answer["iss"]) == (STATE, PUBLIC_URL)
    tokens = await world.redeem(answer["code"])
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["scope"] == "documents:read documents:write"
    command = re.search(r'<pre id="command"[^>]*>([^<]*)</pre>', response.text)
    assert command
    assert shlex.split(unescape(command[1])) == ["curl", address]


async def test_the_code_stays_on_the_page(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(), SHOW)
    code = dict(parse_qsl(urlsplit(address_of(response.text)).query))["code"]
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "location" not in response.headers
    assert code not in str(response.headers)
    assert not re.search(rf'(?:href|src|action)="[^"]*{code}', response.text)
    assert code not in repr(await world.events())
    for warning in ("Send it to nobody", "works once, for 5 minutes"):
        assert warning in " ".join(response.text.split())


async def test_a_shown_code_lives_five_minutes_and_a_redirected_one_as_configured(world: World) -> None:
    browser = await world.browser_of("alice")
    shown = address_of((await browser.submit(await browser.consent(), SHOW)).text)
    late = address_of((await browser.submit(await browser.consent(), SHOW)).text)
    redirected = await browser.answer()
    world.clock.forward(61)
    assert (await world.redeem(redirected["code"])).status_code == 400
    world.clock.forward(238)
    assert (await world.redeem(dict(parse_qsl(urlsplit(shown).query))["code"])).status_code == 200
    world.clock.forward(1)
    assert (await world.redeem(dict(parse_qsl(urlsplit(late).query))["code"])).status_code == 400


async def test_only_a_loopback_address_is_shown(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(client_id="c2", redirect_uri="https://app.example/cb"))
    is_page(await browser.submit(page, SHOW), "DW-122")
    device = await devices.device(world)
    is_page(await browser.submit(await devices.consent(browser, await device.begin()), SHOW), "DW-122")
    assert await world.connections() == []


async def test_G5_an_address_is_shown_once(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    assert (await browser.submit(page, SHOW)).status_code == 200
    for answer in (SHOW, "approve"):
        is_page(await browser.submit(page, answer), "DW-121")


async def test_G3_showing_the_address_decides_nothing_differently(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(scope="documents:read"))
    is_page(await browser.submit(page, SHOW, scope=["documents:read", "documents:delete"]), "DW-122")
    again = await browser.submit(page, SHOW, scope=[])
    assert again.status_code == 422
    assert "Choose at least one permission" in again.text
    other = await world.browser_of("bob")
    is_page(await other.submit(page, SHOW), "DW-122")
    assert await world.connections() == []


async def test_the_ordinary_answer_stays_a_plain_redirect(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent())
    assert response.status_code == 303
    assert response.text == ""
    assert "code" in answer_of(response)
