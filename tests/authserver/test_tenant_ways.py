"""A tenant that takes only some ways of signing in: nobody acts there who came by another (E1; H5)."""

from dataclasses import replace

import pytest
from tests.authserver.deployment import ACME_MCP, tenant
from tests.authserver.world import World, answer_of, az, is_page

from doorward.storage import accounts

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]


async def take_only(world: World, slug: str, *methods: str) -> None:
    changed = replace(tenant(slug), sign_in_methods=methods)
    await world.database.write(lambda tx: accounts.update_tenant(tx, changed))


@pytest.mark.parametrize("resource", ["short", "tenant"])
async def test_a_tenant_that_does_not_take_the_way_is_not_entered(world: World, resource: str) -> None:
    await take_only(world, "acme", "passkey", "corp")
    browser = await world.browser_of("bob")
    response = await browser.follow(await browser.open(az(**({"resource": ACME_MCP} if resource == "tenant" else {}))))
    is_page(response, "DW-449", status=403)
    assert "/sign-in?" in response.text, "there is a way on"


async def test_other_tenants_of_the_same_person_stay_open(world: World) -> None:
    await take_only(world, "acme", "passkey")
    browser = await world.browser_of("dave")
    page = await browser.consent()
    assert page.tenants() in ([], ["globex"])
    assert "code" in answer_of(await browser.submit(page))
    assert [each.tenant_id for each in await world.connections("dave")] == [tenant("globex").id]
    pinned = await browser.follow(await browser.open(az(resource=ACME_MCP)))
    is_page(pinned, "DW-449", status=403)


async def test_G4_a_form_for_a_tenant_that_was_closed_meanwhile_is_refused(world: World) -> None:
    browser = await world.browser_of("bob")
    page = await browser.consent()
    await take_only(world, "acme", "passkey")
    assert (await browser.submit(page)).status_code == 403
    assert await world.connections("bob") == []


async def test_its_owner_comes_in_with_a_password_all_the_same(world: World) -> None:
    await take_only(world, "acme", "passkey")
    browser = await world.browser_of("alice")
    assert "code" in await browser.answer()
