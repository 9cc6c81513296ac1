"""Refreshing (security C15 to C23, C25; features B2, B12)."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.authserver.deployment import ACME_MCP, MCP, tenant, user
from tests.authserver.test_code_grant import TAKEN_AWAY
from tests.authserver.world import World, az, basic, is_token_error, tk

from doorward.accounts import notices
from doorward.credentials.secret import SecretKind, mint
from doorward.storage import permissions
from doorward.storage.database import Transaction

pytestmark = pytest.mark.anyio

BOTH = "documents:read documents:write"


async def rotate(world: World, token: str, **changed: str) -> dict[str, Any]:
    response = await world.refresh(token, **changed)
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


@pytest.mark.requirement("B2")
async def test_a_refresh_gives_new_tokens_without_scope_or_resource(world: World) -> None:
    first = await world.connect(params=az(scope=BOTH))
    world.clock.forward(3600)
    second = await rotate(world, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == BOTH
    assert second["expires_in"] == 3600
    assert await world.works(second["access_token"])
    assert not await world.works(first["access_token"])
    assert world.keys.verify(second["access_token"], "at+jwt")["aud"] == MCP


async def test_C15_a_used_token_that_comes_back_after_its_window_ends_the_connection(world: World) -> None:
    other = await world.connect()
    first = await world.connect()
    second = await rotate(world, first["refresh_token"])
    world.clock.forward(61)
    again = await world.refresh(first["refresh_token"])
    is_token_error(again, "invalid_grant")
    assert "DW-213" in again.json()["error_description"]
    assert not await world.works(second["access_token"])
    is_token_error(await world.refresh(second["refresh_token"]), "invalid_grant")
    assert (await world.events())[0].name == "refresh_token:replayed"
    assert await world.works(other["access_token"])
    assert (await world.refresh(other["refresh_token"])).status_code == 200


async def test_C16_a_replay_in_an_ended_connection_is_still_only_a_refusal(world: World) -> None:
    first = await world.connect()
    await rotate(world, first["refresh_token"])
    world.clock.forward(61)
    for _ in range(2):
        is_token_error(await world.refresh(first["refresh_token"]), "invalid_grant")
    assert [event.name for event in await world.events()].count("refresh_token:replayed") == 1


async def test_C17_fifty_parallel_refreshes_share_one_successor(world: World) -> None:
    first, answers = await world.connect(), []

    async def refresh() -> None:
        answers.append(await rotate(world, first["refresh_token"]))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(refresh)
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 50
    assert all([await world.works(answer["access_token"]) for answer in answers])


async def test_C18_the_window_ends_when_the_successor_is_used(world: World) -> None:
    first = await world.connect()
    second = await rotate(world, first["refresh_token"])
    third = await rotate(world, second["refresh_token"])
    world.clock.forward(1)
    is_token_error(await world.refresh(first["refresh_token"]), "invalid_grant")
    assert not await world.works(third["access_token"])


async def test_C18_replays_do_not_prolong_the_window(world: World) -> None:
    first = await world.connect()
    await rotate(world, first["refresh_token"])
    for _ in range(3):
        world.clock.forward(20)
        await rotate(world, first["refresh_token"])
    world.clock.forward(1)
    is_token_error(await world.refresh(first["refresh_token"]), "invalid_grant")


async def test_C19_a_client_that_lost_the_answer_asks_again_and_goes_on(world: World) -> None:
    first = await world.connect()
    lost = await rotate(world, first["refresh_token"])
    world.clock.forward(59)
    again = await rotate(world, first["refresh_token"])
    assert again["refresh_token"] == lost["refresh_token"]
    assert again["access_token"] != lost["access_token"]
    assert await world.works(again["access_token"])
    world.clock.forward(3600)
    await rotate(world, again["refresh_token"])


async def test_C20_another_client_gets_nothing_and_ends_nothing(world: World) -> None:
    first = await world.connect()
    second = await rotate(world, first["refresh_token"])
    world.clock.forward(100)
    for token in (first["refresh_token"], second["refresh_token"]):
        is_token_error(await world.refresh(token, client_id="c3"), "invalid_grant")
    is_token_error(await world.refresh(second["refresh_token"], client_id="unknown"), "invalid_client", 401)
    assert await world.works(second["access_token"])
    await rotate(world, second["refresh_token"])


async def test_C20_a_confidential_clients_token_needs_its_secret(world: World) -> None:
    header = basic("c2", world.secrets["c2"])
    code = await world.code(params=az(client_id="c2", redirect_uri="https://app.example/cb"))
    form = {name: value for name, value in tk(code).items() if name not in {"client_id", "redirect_uri"}}
    token = (await world.token(form, authorization=header)).json()["refresh_token"]
    is_token_error(await world.refresh(token, client_id="c2"), "invalid_client", 401)
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert (await world.token(form, authorization=header)).status_code == 200


@pytest.mark.parametrize("scope", ["documents:delete", f"{BOTH} projects:read", "made:up", "documents:*"])
async def test_C21_more_than_was_approved_is_refused_and_rotates_nothing(world: World, scope: str) -> None:
    first = await world.connect(params=az(scope=BOTH))
    is_token_error(await world.refresh(first["refresh_token"], scope=scope), "invalid_scope")
    world.clock.forward(100)
    assert (await rotate(world, first["refresh_token"]))["scope"] == BOTH


async def test_C21_a_client_that_repeats_all_it_asked_for_keeps_what_was_approved(world: World) -> None:
    # Destructive scopes start unticked: were this refused, such a client would be logged out by every refresh.
    asked = f"{BOTH} documents:delete made:up"
    first = await world.connect(params=az(scope=asked))
    assert first["scope"] == BOTH
    assert (await rotate(world, first["refresh_token"], scope=asked))["scope"] == BOTH


async def test_C21_less_is_for_that_access_token_only(world: World) -> None:
    first = await world.connect(params=az(scope=BOTH))
    narrow = await rotate(world, first["refresh_token"], scope="documents:read")
    assert narrow["scope"] == "documents:read"
    assert (await rotate(world, narrow["refresh_token"], scope=""))["scope"] == BOTH


async def test_oidc_scopes_that_a_client_repeats_are_no_scopes(world: World) -> None:
    first = await world.connect(params=az(scope=f"{BOTH} offline_access"))
    assert (await rotate(world, first["refresh_token"], scope=f"{BOTH} offline_access openid"))["scope"] == BOTH


@pytest.mark.parametrize("resource", [ACME_MCP, "https://other.example", "x"])
async def test_C22_another_resource_is_refused_and_rotates_nothing(world: World, resource: str) -> None:
    first = await world.connect()
    is_token_error(await world.refresh(first["refresh_token"], resource=resource), "invalid_target")
    world.clock.forward(100)
    await rotate(world, first["refresh_token"], resource=MCP + "/")


@pytest.mark.parametrize(("take_away", "error"), TAKEN_AWAY)
async def test_C23_what_was_taken_away_is_not_given_again(
    world: World, take_away: Callable[[Transaction], None], error: str
) -> None:
    first = await world.connect()
    await world.database.write(take_away)
    is_token_error(await world.refresh(first["refresh_token"]), error, 401 if error == "invalid_client" else 400)


@pytest.mark.requirement("B12")
async def test_C23_a_lowered_role_narrows_and_a_raised_one_restores(world: World) -> None:
    first = await world.connect(params=az(scope=BOTH))

    def become(role: str) -> Callable[[Transaction], None]:
        return lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, (role,))

    await world.database.write(become("viewer"))
    second = await rotate(world, first["refresh_token"])
    assert second["scope"] == "documents:read"
    is_token_error(await world.refresh(second["refresh_token"], scope="documents:write"), "invalid_scope")
    await world.database.write(become("owner"))
    assert (await rotate(world, second["refresh_token"]))["scope"] == BOTH


async def test_C23_rights_that_come_later_widen_nothing(world: World) -> None:
    first = await world.connect("carol", az(scope=BOTH))
    assert first["scope"] == "documents:read"
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("carol").id, ("owner",))
    )
    assert (await rotate(world, first["refresh_token"]))["scope"] == "documents:read"


@pytest.mark.requirement("B2")
async def test_C25_a_connection_ends_however_often_it_is_refreshed(make_world: Callable[..., World]) -> None:
    world = make_world(refresh_absolute=5 * 3600, access_ttl=1800)
    token = (await world.connect())["refresh_token"]
    for _ in range(4):
        world.clock.forward(3600)
        token = (await rotate(world, token))["refresh_token"]
    world.clock.forward(3600)
    is_token_error(await world.refresh(token), "invalid_grant")


async def test_a_connection_that_is_not_refreshed_for_too_long_ends(world: World) -> None:
    token = (await world.connect())["refresh_token"]
    world.clock.forward(29 * 86_400)
    token = (await rotate(world, token))["refresh_token"]
    world.clock.forward(30 * 86_400)
    is_token_error(await world.refresh(token), "invalid_grant")


async def test_signing_out_does_not_end_a_connection(world: World) -> None:
    browser = await world.browser_of("alice")
    tokens = (await world.redeem((await browser.answer())["code"])).json()
    await browser.sign_out()
    await rotate(world, tokens["refresh_token"])


async def test_a_refresh_token_of_a_lost_derivation_key_is_refused(world: World) -> None:
    first = await world.connect()
    rules = world.server._services.token_rules
    rules.issuer._refresh_keys = {"k2": b"x" * 32}
    is_token_error(await world.refresh(first["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize(
    "text", ["x", "dwr_", mint(SecretKind.REFRESH_TOKEN, lambda n: b"y" * n), "\x00", "dwr_" + "A" * 49]
)
async def test_what_is_no_refresh_token_of_ours_is_refused(world: World, text: str) -> None:
    is_token_error(await world.refresh(text), "invalid_grant")


async def test_a_code_is_no_refresh_token_and_the_reverse(world: World) -> None:
    code = await world.code()
    is_token_error(await world.refresh(code), "invalid_grant")
    tokens = (await world.redeem(code)).json()
    is_token_error(await world.redeem(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await world.refresh(tokens["access_token"]), "invalid_grant")


async def test_no_token_request_leaves_a_secret_in_the_trail(world: World) -> None:
    first = await world.connect()
    await rotate(world, first["refresh_token"])
    world.clock.forward(100)
    await world.refresh(first["refresh_token"])
    trail = repr(await world.events())
    assert first["refresh_token"] not in trail
    assert "dwr_" not in trail
    assert "dwc_" not in trail


@pytest.mark.requirement("B14")
async def test_an_access_token_lives_as_long_as_the_deployment_says(make_world: Callable[..., World]) -> None:
    world = make_world(access_ttl=900)
    first = await world.connect()
    assert first["expires_in"] == 900
    world.clock.forward(899)
    assert await world.works(first["access_token"])
    world.clock.forward(1)
    assert not await world.works(first["access_token"])


@pytest.mark.requirement("B2")
async def test_C15_eight_at_once_share_a_successor_and_a_late_replay_is_told_to_the_person(world: World) -> None:
    other, first = await world.connect(), await world.connect()
    answers: list[Any] = []

    async def once() -> None:
        answers.append(await world.refresh(first["refresh_token"]))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(once)
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers) == 8
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await world.database.read(lambda reader: notices.waiting(reader, user("alice").id)) == []
    world.clock.forward(61)
    for _ in range(2):
        is_token_error(await world.refresh(first["refresh_token"]), "invalid_grant")
    assert not await world.works(answers[0].json()["access_token"])
    assert await world.works(other["access_token"])
    assert (await world.refresh(other["refresh_token"])).status_code == 200
    assert [event.name for event in await world.events()].count("refresh_token:replayed") == 1
    told = await world.database.read(lambda reader: notices.waiting(reader, user("alice").id))
    assert [each.headline for each in told] == ["Claude Code was disconnected from Acme"]
    assert await world.database.read(lambda reader: notices.waiting(reader, user("bob").id)) == []


async def test_C1_a_replayed_code_is_told_to_the_person(world: World) -> None:
    code = await world.code()
    await world.redeem(code)
    world.clock.forward(3)
    is_token_error(await world.redeem(code), "invalid_grant")
    (told,) = await world.database.read(lambda reader: notices.waiting(reader, user("alice").id))
    assert "code" in told.text


async def test_C23_scopes_of_which_nothing_is_left_end_the_refresh_and_not_the_connection(world: World) -> None:
    first = await world.connect()
    acme, alice = tenant("acme").id, user("alice").id
    await world.database.write(lambda tx: permissions.set_membership(tx, acme, alice, ()))
    refused = await world.refresh(first["refresh_token"])
    is_token_error(refused, "invalid_grant")
    await world.database.write(lambda tx: permissions.set_membership(tx, acme, alice, ("viewer",)))
    assert (await rotate(world, first["refresh_token"]))["scope"] == "documents:read"
