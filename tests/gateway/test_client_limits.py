"""A client that is limited reaches no further with any of its tokens, also with those that it had before (B5, B12)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.deployment import CLIENT, DOCUMENT, FOLDER, OTHER_FOLDER, READ, WRITE
from tests.gateway.recorder import Recorder
from tests.gateway.world import World

from doorward.model import Instant, Status
from doorward.storage import clients

pytestmark = pytest.mark.anyio


async def limited(world: World, **limits: Any) -> None:
    await world.database.write(lambda tx: clients.update_client(tx, replace(CLIENT, **limits)))


def refused(answer: Any) -> bool:
    return "isError" in answer.text and '"isError":true' in answer.text.replace(" ", "")


@pytest.mark.requirement("B5")
async def test_a_limit_to_a_folder_holds_for_tokens_that_were_given_before_it(world: World, recorder: Recorder) -> None:
    token = await world.token("bob", READ, WRITE)
    for folder in ("f1", "f2"):
        assert not refused(await world.call(token, "write_note", {"folder": folder}))
    await limited(world, tenant_id="t-acme", resources=frozenset({FOLDER}))
    recorder.forget()
    assert refused(await world.call(token, "write_note", {"folder": "f2"}))
    assert recorder.seen() == []
    assert not refused(await world.call(token, "write_note", {"folder": "f1"}))


async def test_what_was_approved_for_one_folder_is_not_widened_with_the_client(world: World) -> None:
    token = await world.token("bob", READ, WRITE, resources=frozenset({FOLDER}))
    for limit in (frozenset({FOLDER, OTHER_FOLDER}), None, frozenset({FOLDER})):
        await limited(world, resources=limit)
        assert refused(await world.call(token, "write_note", {"folder": "f2"}))
        assert not refused(await world.call(token, "write_note", {"folder": "f1"}))
    await limited(world, resources=frozenset({OTHER_FOLDER}))
    assert (await world.call(token, "echo")).status_code == 401, "nowhere at all"
    await limited(world, resources=frozenset({DOCUMENT}))
    assert refused(await world.call(token, "write_note", {"folder": "f1"})), "the limit lies below what was approved"


@pytest.mark.requirement("B12")
async def test_a_limit_of_permissions_counts_at_the_next_call_and_is_not_asked_to_step_up(world: World) -> None:
    token = await world.token("bob", READ, WRITE)
    assert (await world.call(token, "echo")).status_code == 200
    assert "write_note" in await world.listed(token)
    await limited(world, scope_limit=frozenset({READ}))
    assert "write_note" not in await world.listed(token)
    answer = await world.call(token, "write_note", {"folder": "f1"})
    assert answer.status_code != 403, "a step-up could never end"
    assert "isError" in answer.text or "error" in answer.json()
    await limited(world, scope_limit=None)
    assert "write_note" in await world.listed(token)


async def test_a_client_of_another_tenant_or_a_deleted_one_is_refused_at_once(world: World) -> None:
    token = await world.token("bob", READ)
    for limits in ({"tenant_id": "t-globex"}, {"status": Status.DISABLED, "deleted_at": Instant(1)}):
        await limited(world, **limits)
        assert (await world.call(token, "echo")).status_code == 401
