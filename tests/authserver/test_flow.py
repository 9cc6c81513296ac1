"""The way that works: from a client's first request to tokens, and what a person sees on it."""

import pytest
from tests.authserver.deployment import PUBLIC_URL
from tests.authserver.world import STATE, World, az

pytestmark = pytest.mark.anyio


async def test_a_person_approves_and_the_client_gets_tokens(world: World) -> None:
    browser = await world.browser_of("alice")
    answer = await browser.answer(az(scope="documents:read documents:write"))
    assert answer["state"] == STATE
    assert answer["iss"] == PUBLIC_URL
    response = await world.redeem(answer["code"])
    tokens = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "documents:read documents:write"
    assert tokens["refresh_token"].startswith("dwr_")
    assert await world.works(tokens["access_token"])
