"""Several nodes over one database, SQLite and PostgreSQL: one refresh at a time, and none that is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.gateway.recorder import Recorder
from tests.linked.test_calls import linked_key, shown, told_to_link

from doorward.accounts.holdings import Leaving, end_all
from doorward.gateway.upstream_oauth import grants as live
from doorward.model import SECOND, Instant, Status
from doorward.storage import accounts, upstream_grants
from doorward.storage.schema import upstream_requests
from doorward.storage.statements import select
from support.elsewhere import Elsewhere
from support.linked_house import House, copied, declared, document, opened
from support.rows import without_membership

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]


@pytest.fixture(params=["sqlite", "postgresql"])
async def nodes(
    request: pytest.FixtureRequest, furnished: Path, tmp_path: Path, there: Elsewhere, wiki: Recorder
) -> AsyncIterator[list[House]]:
    """Two nodes of one deployment."""
    async with AsyncExitStack() as stack:
        folder, url = tmp_path / "data", ""
        if request.param == "sqlite":
            copied(furnished, folder)
        else:
            url = request.getfixturevalue("empty_schema")
        made = [await stack.enter_async_context(opened(folder, database=url)) for _ in range(2)]
        await made[0].apply(document(wiki.url, there.issuer) if url else declared(wiki.url, there.issuer))
        yield made


def later(nodes: list[House], seconds: float) -> None:
    for node in nodes:
        node.clock.forward(seconds)


async def test_calls_at_two_nodes_refresh_once(nodes: list[House], there: Elsewhere, wiki: Recorder) -> None:
    key = await linked_key(nodes[0], there)
    for node in nodes:
        assert (await node.call(key)).status_code == 200
    wiki.forget()
    later(nodes, 7200)
    answers = await asyncio.gather(*(node.call(key, text=str(number)) for number in range(4) for node in nodes))
    assert [answer.status_code for answer in answers] == [200] * 8, [answer.text for answer in answers]
    assert len(there.seen("/token")) == 2
    assert len(set(shown(wiki))) == 1


async def test_a_node_that_died_while_it_refreshed_holds_up_the_others_for_half_a_minute(
    nodes: list[House], there: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAIT", 0.1)
    key, node = await linked_key(nodes[0], there), nodes[1]
    later(nodes, 7200)
    now = node.clock()
    claim = partial(
        upstream_grants.claim_refresh, grant=(await node.grants())[0], claim="of the dead", now=now,
        until=Instant(now + live.CLAIM),
    )  # fmt: skip
    assert await node.core.database.write(claim)
    assert not await node.core.database.write(claim)
    answer = await node.call(key)
    assert (answer.status_code, "DW-513" in answer.text) == (503, True)
    assert len(there.seen("/token")) == 1
    later(nodes, live.CLAIM / SECOND + 1)
    assert (await node.call(key)).status_code == 200
    assert len(there.seen("/token")) == 2


async def test_what_a_refresh_brings_after_the_account_was_unlinked_is_given_back(
    nodes: list[House], there: Elsewhere
) -> None:
    alice, key = await nodes[1].visitor("alice"), await linked_key(nodes[0], there)
    later(nodes, 7200)
    there.hold = asyncio.Event()
    calling = asyncio.create_task(nodes[0].call(key))
    while len(there.seen("/token")) < 2:  # noqa: ASYNC110  (a real socket tells it by this alone)
        await asyncio.sleep(0.01)
    assert (await alice.post("/settings/upstreams/acme/wiki/unlink")).status_code == 303
    there.hold.set()
    told_to_link(await calling)
    assert await nodes[0].grants() == []
    assert set(there.refresh) <= set(there.revoked)


async def test_what_is_unlinked_at_one_node_is_gone_at_the_other(nodes: list[House], there: Elsewhere) -> None:
    key = await linked_key(nodes[0], there)
    assert (await nodes[1].call(key)).status_code == 200
    alice = await nodes[0].visitor("alice")
    await alice.post("/settings/upstreams/acme/wiki/unlink")
    told_to_link(await nodes[1].call(key))


async def test_whoever_leaves_has_nothing_linked(nodes: list[House], there: Elsewhere) -> None:
    house = nodes[0]
    for name in ("alice", "bob", "carol"):
        await linked_key(house, there, name)
    await (await house.visitor("carol")).begin("globex")
    people = {name: await house.user(name) for name in ("alice", "bob", "carol")}
    place = (await house.grants())[0].tenant_id
    write = house.core.database.write
    await write(lambda tx: accounts.update_user(tx, replace(people["alice"], status=Status.DISABLED)))
    await write(lambda tx: without_membership(tx, place, people["bob"].id))
    gone = Leaving(user_id=people["carol"].id, tenant_id=None, now=house.clock(), reason="user:deactivated")
    ended = await write(lambda tx: end_all(tx, gone))
    assert len(ended["linked_accounts"]) == 1
    assert await house.grants() == []
    assert await house.core.database.read_long(lambda reader: reader.all(select(upstream_requests))) == []
