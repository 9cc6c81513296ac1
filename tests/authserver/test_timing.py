"""Answers that must not be told apart by the time that they take (A30, F12): equal work, and medians of one size."""

import httpx2
import pytest
from tests.authserver.test_client_documents import UNUSABLE, Live
from tests.authserver.world import World, az, is_page

from support.effort import ratio, statements
from support.https_server import HOST, https_server, trust

pytestmark = pytest.mark.anyio
FAR = 4
"""Medians of equal work; a connection more, or a wait for one, is many times that."""
GONE = az(client_id="gone", redirect_uri="https://gone.example/cb")


async def test_A30_an_unknown_and_a_disabled_client_cost_the_same(world: World) -> None:
    async def asked(params: object) -> httpx2.Response:
        response = await world.browser().open(params)  # type: ignore[arg-type]
        is_page(response, "DW-102")
        return response

    unknown = az(client_id="nobody-knows", redirect_uri="https://gone.example/cb")
    for params in (unknown, GONE):
        await asked(params)
    costs = []
    for params in (unknown, GONE):
        with statements(world.database) as cost:
            await asked(params)
        costs.append(cost)
    of_unknown, of_disabled = costs
    assert of_disabled
    assert not any(each.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN")) for each in of_unknown + of_disabled)
    # A row that is there is kept in memory: looking for one that is not is a read by its key each time, and no more.
    assert len(of_unknown) - len(of_disabled) <= 2, of_unknown
    assert await ratio(lambda: asked(unknown), lambda: asked(GONE)) < FAR


async def test_F12_what_listens_inside_is_told_neither_by_words_nor_by_time(make_world: object) -> None:
    async with https_server(trust(HOST)[0]) as vendor:
        live = Live(make_world, vendor)  # type: ignore[arg-type]
        before = vendor.connections

        async def opened(address: str) -> None:
            live.restart()
            live.addresses = [address]
            is_page(await live.open(), UNUSABLE)

        # One that is this very machine by another name, where the vendor's port is open, and one where nothing can be.
        assert await ratio(lambda: opened("0.0.0.0"), lambda: opened("10.255.255.1"), 7) < FAR
        assert await ratio(lambda: opened("169.254.169.254"), lambda: opened("fd00::1"), 7) < FAR
        assert vendor.connections == before, "nothing was connected to, so nothing can be measured"
