"""A client that has a connection asks again: the whole result is shown, and nothing else is issued (B17)."""

from dataclasses import replace

import pytest
from tests.authserver.deployment import ACME_MCP, tenant, user
from tests.authserver.world import Browser, World, answer_of, az, is_page

from doorward.storage import connections, permissions

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B17")]
NEW = 'class="badge accent">new'


async def connect(browser: Browser, asked: str, **changed: object) -> dict[str, str]:
    code = answer_of(await browser.submit(await browser.consent(az(scope=asked)), **changed))["code"]
    response = await browser.world.redeem(code)
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


async def test_the_page_shows_what_the_client_has_and_what_is_new(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read projects:read")
    page = await browser.consent(az(scope="documents:write"))
    assert page.shown() == page.ticked() == {"documents:read", "documents:write", "projects:read"}
    assert page.html.count(NEW) == 1
    assert NEW in page.html[page.html.index('value="documents:write"') : page.html.index('value="documents:read"')]


async def test_what_was_approved_is_what_the_token_says(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read projects:read")
    tokens = await connect(browser, "documents:write")
    assert set(tokens["scope"].split()) == {"documents:read", "documents:write", "projects:read"}
    again = (await world.refresh(tokens["refresh_token"])).json()
    assert again["scope"] == tokens["scope"]


async def test_a_client_that_asks_for_nothing_new_is_asked_about_that_only(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read documents:write")
    page = await browser.consent(az(scope="documents:read"))
    assert page.shown() == {"documents:read"}
    assert NEW not in page.html
    tokens = await connect(browser, "documents:read")
    assert tokens["scope"] == "documents:read"


async def test_what_destroys_stays_ticked_where_the_client_has_it_and_not_where_it_is_new(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read", scope="documents:read")
    page = await browser.consent(az(scope="documents:delete documents:write"))
    assert page.ticked() == {"documents:read", "documents:write"}
    answer = answer_of(await browser.submit(page, scope=["documents:read", "documents:delete"]))
    await world.redeem(answer["code"])
    assert "documents:delete" in (await browser.consent(az(scope="projects:read"))).ticked()


async def test_what_is_unticked_is_taken_from_the_connection_it_had(world: World) -> None:
    browser = await world.browser_of("alice")
    first = await connect(browser, "documents:read documents:write")
    page = await browser.consent(az(scope="projects:read"))
    await browser.submit(page, scope=["documents:read", "projects:read"])
    now, before = sorted(await world.connections(), key=lambda each: each.activated_at is not None)
    assert now.scopes == {"documents:read", "projects:read"}
    assert before.scopes == {"documents:read"}
    assert before.declined == now.declined == {"documents:write"}
    assert await world.works(first["access_token"])
    refreshed = (await world.refresh(first["refresh_token"])).json()
    assert refreshed["scope"] == "documents:read"
    narrowed = [event for event in await world.events() if event.name == "connection:narrowed"]
    assert [(event.subject, event.detail["taken"], event.detail["by"]) for event in narrowed] == [
        (before.id, "documents:write", now.id)
    ]


async def test_a_connection_of_which_nothing_is_left_ends(world: World) -> None:
    browser = await world.browser_of("alice")
    first = await connect(browser, "documents:read")
    page = await browser.consent(az(scope="projects:read"))
    await browser.submit(page, scope=["projects:read"])
    assert not await world.works(first["access_token"])
    assert (await world.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_the_connection_on_another_device_is_neither_shown_nor_touched(world: World) -> None:
    laptop, desktop = await world.browser_of("alice"), await world.browser_of("alice")
    first = await connect(laptop, "documents:read documents:write")
    page = await desktop.consent(az(scope="documents:read projects:read"))
    assert page.shown() == {"documents:read", "projects:read"}
    assert NEW not in page.html
    await connect(desktop, "documents:read projects:read", scope="projects:read")
    refreshed = (await world.refresh(first["refresh_token"])).json()
    assert set(refreshed["scope"].split()) == {"documents:read", "documents:write"}


async def test_the_old_connection_goes_on_when_the_new_one_takes_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    first = await connect(browser, "documents:read")
    second = await connect(browser, "documents:write")
    for tokens in (first, second):
        assert await world.works(tokens["access_token"])
        assert (await world.refresh(tokens["refresh_token"])).status_code == 200
    assert not [event for event in await world.events() if event.name in {"connection:narrowed", "connection:revoked"}]


@pytest.mark.parametrize("other", ["user", "client", "url", "ended", "expired"])
async def test_connections_of_somebody_or_something_else_are_not_shown(world: World, other: str) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read")
    params = az(scope="documents:write")
    if other == "user":
        await browser.sign_in("bob")
    elif other == "client":
        params = az(scope="documents:write", client_id="c3", redirect_uri="https://evil.example/cb")
    elif other == "url":
        params = az(scope="documents:write", resource=ACME_MCP)
    elif other == "ended":
        mine = (await world.connections())[0]
        await world.database.write(lambda tx: connections.revoke_connection(tx, mine.id, world.clock(), "test"))
    else:
        world.clock.forward(181 * 86_400)
        await browser.sign_in("alice")
    page = await browser.consent(params)
    assert page.shown() == {"documents:write"}
    assert NEW not in page.html


async def test_denying_takes_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read")
    await browser.submit(await browser.consent(az(scope="documents:write")), "deny")
    assert [each.scopes for each in await world.connections()] == [{"documents:read"}]


async def test_nothing_that_is_not_on_the_page_is_issued(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read")
    page = await browser.consent(az(scope="documents:write"))
    is_page(await browser.submit(page, scope=["documents:read", "projects:read"]), "DW-122", 400)


async def test_what_the_client_lost_meanwhile_is_granted_as_the_page_said(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read")
    page = await browser.consent(az(scope="documents:write"))
    mine = (await world.connections())[0]
    await world.database.write(lambda tx: connections.revoke_connection(tx, mine.id, world.clock(), "test"))
    code = answer_of(await browser.submit(page))["code"]
    granted = (await world.redeem(code)).json()["scope"]
    assert set(granted.split()) == page.ticked() == {"documents:read", "documents:write"}


async def test_a_role_that_was_lowered_bounds_what_is_shown_as_held(world: World) -> None:
    browser = await world.browser_of("alice")
    await connect(browser, "documents:read documents:write")
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, ("viewer",))
    )
    page = await browser.consent(az(scope="projects:read"))
    assert "documents:write" in page.shown() - page.ticked()
    answer = answer_of(await browser.submit(page))
    assert set((await world.redeem(answer["code"])).json()["scope"].split()) == {"documents:read", "projects:read"}
    before = next(each for each in await world.connections() if "documents:write" in each.scopes)
    assert replace(before, scopes=frozenset()).declined == frozenset()
