"""Where a call came from, as the log of calls tells it: the same on both ways, behind a proxy and with forged headers."""

import asyncio
from dataclasses import replace

import pytest
from tests.gateway.recorder import Recorder
from tests.gateway.test_direct import chunked, one_answer, open_connection, short, talk
from tests.gateway.world import World

from doorward.web.requester import Requester

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
FORGED = "X-Forwarded-For: 203.0.113.9"


def behind(world: World, *proxies: str) -> World:
    """Return a gateway on the same database whose operator trusts these."""
    return replace(world, options={**world.options, "requester": Requester(proxies)}, calls=world.calls)


@pytest.mark.parametrize("tool", ["echo", "no_such_tool"])
async def test_I15_both_ways_tell_the_connection_s_address_and_no_forged_one(
    world: World, recorder: Recorder, tool: str
) -> None:
    async with world.running():
        key = await world.key("bob")
        await talk(world, short(key, tool, FORGED))
        await talk(world, chunked(key, tool).replace(b"\r\n\r\n", f"\r\n{FORGED}\r\n\r\n".encode(), 1))
    assert [(call.name, call.address) for call in world.calls] == [(tool, "127.0.0.1")] * 2


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (["X-Forwarded-For: 1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        (["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9:4711"], "203.0.113.9"),
        (["X-Forwarded-For: 2001:db8:1:2::9"], "2001:db8:1:2::9"),
        (["X-Forwarded-For: ::ffff:203.0.113.9"], "203.0.113.9"),
        (["X-Forwarded-For: 203.0.113.9, nobody"], "127.0.0.1"),
        (["X-Forwarded-For: fe80::1%<script>"], "fe80::1"),
        ([f"X-Forwarded-For: {'1.1.1.1, ' * 100}203.0.113.9"], "203.0.113.9"),
        ([], "127.0.0.1"),
    ],
)
async def test_I15_behind_a_trusted_proxy_it_is_whom_that_names_on_both_ways(
    world: World, recorder: Recorder, lines: list[str], address: str
) -> None:
    more = "".join(f"\r\n{line}" for line in lines)
    async with behind(world, "127.0.0.1").running() as proxied:
        key = await world.key("bob")
        await talk(proxied, short(key, "echo", *lines))
        await talk(proxied, chunked(key, "echo").replace(b"\r\n\r\n", f"{more}\r\n\r\n".encode(), 1))
    assert [call.address for call in world.calls] == [address] * 2


async def test_I15_one_connection_of_a_proxy_brings_calls_of_many(world: World, recorder: Recorder) -> None:
    """Heads that come again are not parsed again; each still tells whose it is."""
    people = ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2"]
    async with behind(world, "127.0.0.1").running() as proxied:
        key = await world.key("bob")
        async with open_connection(proxied) as (reader, writer), asyncio.timeout(10):
            for person in people:
                writer.write(short(key, "echo", f"X-Forwarded-For: {person}"))
                await one_answer(reader)
    assert [call.address for call in world.calls] == people
