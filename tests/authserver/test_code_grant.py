"""Redeeming a code (security B5 to B10, C1 to C6, C22, C24)."""

from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest
from tests.authserver.deployment import ACME_MCP, C1, CIMD_URL, HARBOUR, MCP, tenant, user
from tests.authserver.world import CHALLENGE, VERIFIER, World, az, basic, is_token_error, tk

from doorward.credentials.secret import SecretKind, mint
from doorward.model import Permission, Status
from doorward.storage import accounts, clients, connections, permissions, servers
from doorward.storage.database import Transaction
from support.rows import without_membership

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("without", ["code_verifier", "code"])
async def test_B5_a_request_without_verifier_or_code_is_refused_and_spends_nothing(world: World, without: str) -> None:
    code = await world.code()
    is_token_error(await world.redeem(code, without={without}), "invalid_request")
    assert (await world.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "verifier",
    ["w" * 43 + "~._-", VERIFIER[:42], "v" * 129, VERIFIER + "é", VERIFIER + "+", VERIFIER.upper(), "v" * 43],
)
async def test_B7_a_wrong_verifier_is_refused(world: World, verifier: str) -> None:
    is_token_error(await world.redeem(await world.code(), code_verifier=verifier), "invalid_grant")


async def test_B8_the_challenge_is_no_verifier(world: World) -> None:
    is_token_error(await world.redeem(await world.code(), code_verifier=CHALLENGE), "invalid_grant")


async def test_B10_another_client_cannot_redeem_a_code_and_spends_nothing(world: World) -> None:
    code = await world.code()
    is_token_error(await world.redeem(code, client_id="c3"), "invalid_grant")
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    is_token_error(await world.token(form, authorization=basic("c2", world.secrets["c2"])), "invalid_grant")
    assert (await world.redeem(code)).status_code == 200


@pytest.mark.parametrize(("kept", "added"), [(-1, ""), (-7, "xxxxxxx"), (0, "x"), (None, "A"), (4, "")])
async def test_B11_a_damaged_code_is_refused(world: World, kept: int | None, added: str) -> None:
    is_token_error(await world.redeem((await world.code())[:kept] + added), "invalid_grant")


async def test_B11_a_code_that_nobody_was_given_is_refused(world: World) -> None:
    is_token_error(await world.redeem(mint(SecretKind.AUTHORIZATION_CODE, lambda n: b"x" * n)), "invalid_grant")


async def test_C1_a_code_that_comes_again_ends_what_it_gave(world: World) -> None:
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    world.clock.forward(3)
    again = await world.redeem(code)
    is_token_error(again, "invalid_grant")
    assert "DW-211" in again.json()["error_description"]
    assert not await world.works(tokens["access_token"])
    is_token_error(await world.refresh(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await world.redeem(code), "invalid_grant")
    names = [event.name for event in await world.events()]
    assert names[0] == "code:replayed"
    assert names.count("code:replayed") == 1


async def test_C1_a_replay_is_recognised_after_the_code_has_expired(world: World) -> None:
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    world.clock.forward(3000)
    is_token_error(await world.redeem(code), "invalid_grant")
    assert not await world.works(tokens["access_token"])


async def test_C1_a_request_sent_twice_within_two_seconds_ends_nothing(world: World) -> None:
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    world.clock.forward(2)
    is_token_error(await world.redeem(code), "invalid_grant")
    assert await world.works(tokens["access_token"])
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_C2_an_invalid_replay_ends_nothing(world: World) -> None:
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    world.clock.forward(10)
    wrong = [
        {"code_verifier": "w" * 43},
        {"client_id": "c3"},
        {"redirect_uri": "http://127.0.0.1:1/cb"},
    ]
    for change in wrong:
        is_token_error(await world.redeem(code, **change), "invalid_grant")
    is_token_error(await world.redeem(code[:-1]), "invalid_grant")
    is_token_error(await world.redeem(code, resource=ACME_MCP), "invalid_target")
    assert await world.works(tokens["access_token"])


async def test_C2_wrong_attempts_after_use_do_not_silence_a_true_replay(world: World) -> None:
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    world.clock.forward(10)
    for _ in range(7):
        await world.redeem(code, code_verifier="w" * 43)
    is_token_error(await world.redeem(code), "invalid_grant")
    assert not await world.works(tokens["access_token"])


async def test_C3_a_failed_attempt_does_not_spend_the_code(world: World) -> None:
    code = await world.code()
    for _ in range(4):
        is_token_error(await world.redeem(code, code_verifier="w" * 43), "invalid_grant")
    is_token_error(await world.redeem(code, resource=ACME_MCP), "invalid_target")
    assert (await world.redeem(code)).status_code == 200


async def test_C3_after_five_wrong_attempts_the_code_is_dead(world: World) -> None:
    code = await world.code()
    for _ in range(5):
        is_token_error(await world.redeem(code, code_verifier="w" * 43), "invalid_grant")
    is_token_error(await world.redeem(code), "invalid_grant")


async def test_C4_of_fifty_parallel_redemptions_one_wins_and_nothing_ends(world: World) -> None:
    code, answers = await world.code(), []

    async def redeem() -> None:
        answers.append(await world.redeem(code))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(redeem)
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.json()["error"] for answer in answers if answer not in won} == {"invalid_grant"}
    assert await world.works(won[0].json()["access_token"])


async def test_C5_a_code_expires(world: World) -> None:
    code = await world.code()
    world.clock.forward(60)
    is_token_error(await world.redeem(code), "invalid_grant")


@pytest.mark.parametrize(
    "redirect_uri", ["http://127.0.0.1:53112/cb", "http://localhost:53111/cb", "https://evil.example/cb"]
)
async def test_C6_the_redirect_is_compared_where_it_is_sent(world: World, redirect_uri: str) -> None:
    code = await world.code()
    is_token_error(await world.redeem(code, redirect_uri=redirect_uri), "invalid_grant")
    assert (await world.redeem(code, without={"redirect_uri"})).status_code == 200


@pytest.mark.parametrize("resource", [ACME_MCP, "https://other.example/mcp", "x"])
async def test_C22_another_resource_is_an_invalid_target(world: World, resource: str) -> None:
    is_token_error(await world.redeem(await world.code(), resource=resource), "invalid_target")


async def test_C22_two_resources_are_an_invalid_target_and_the_same_twice_is_one(world: World) -> None:
    code = await world.code()
    is_token_error(await world.token([*tk(code).items(), ("resource", ACME_MCP)]), "invalid_target")
    assert (await world.token([*tk(code).items(), ("resource", MCP)])).status_code == 200


async def test_C22_without_a_resource_the_token_is_for_the_approved_one(world: World) -> None:
    tokens = (await world.redeem(await world.code(params=az(resource=ACME_MCP)), without={"resource"})).json()
    assert world.keys.verify(tokens["access_token"], "at+jwt")["aud"] == ACME_MCP


def _disable_user(tx: Transaction) -> None:
    accounts.update_user(tx, replace(user("alice"), status=Status.DISABLED))


def _remove_member(tx: Transaction) -> None:
    without_membership(tx, tenant("acme").id, user("alice").id)


def _take_roles(tx: Transaction) -> None:
    permissions.set_membership(tx, tenant("acme").id, user("alice").id, ())


def _disable_tenant(tx: Transaction) -> None:
    accounts.update_tenant(tx, replace(tenant("acme"), status=Status.DISABLED))


def _withdraw_server(tx: Transaction) -> None:
    servers.set_tenant_servers(tx, tenant("acme").id, [])


def _disable_server(tx: Transaction) -> None:
    servers.put_server(tx, replace(HARBOUR, status=Status.DISABLED))


def _disable_client(tx: Transaction) -> None:
    clients.update_client(tx, replace(C1, status=Status.DISABLED))


def _limit_client(tx: Transaction) -> None:
    clients.update_client(tx, replace(C1, scope_limit=frozenset({Permission("projects:read")})))


def _revoke_connection(tx: Transaction) -> None:
    for connection in connections.connections_of_user(tx, user("alice").id):
        connections.revoke_connection(tx, connection.id, connection.created_at, "by its user")


TAKEN_AWAY = [
    (_disable_user, "invalid_grant"),
    (_remove_member, "invalid_grant"),
    (_take_roles, "invalid_grant"),
    (_disable_tenant, "invalid_grant"),
    (_withdraw_server, "invalid_grant"),
    (_disable_server, "invalid_grant"),
    (_limit_client, "invalid_grant"),
    (_revoke_connection, "invalid_grant"),
    (_disable_client, "invalid_client"),
]


@pytest.mark.parametrize(("take_away", "error"), TAKEN_AWAY)
async def test_C24_what_was_taken_away_since_consent_is_not_given(
    world: World, take_away: Callable[[Transaction], None], error: str
) -> None:
    code = await world.code()
    await world.database.write(take_away)
    is_token_error(await world.redeem(code), error, 401 if error == "invalid_client" else 400)


async def test_C24_a_lowered_role_narrows_what_is_given(world: World) -> None:
    code = await world.code(params=az(scope="documents:read documents:write"))
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, ("viewer",))
    )
    assert (await world.redeem(code)).json()["scope"] == "documents:read"


async def test_C24_a_document_that_was_unpinned_since_consent_is_nobody(make_world: Callable[..., World]) -> None:
    world = make_world()
    code = await world.code(params=az(client_id=CIMD_URL))
    without = World(
        database=world.database,
        keys=world.keys,
        secrets=world.secrets,
        options={"pinned_documents": {}},
        clock=world.clock,
    )
    is_token_error(await without.redeem(code, client_id=CIMD_URL), "invalid_client", 401)


async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(world: World) -> None:
    params = az(client_id="two", redirect_uri="https://a.example/cb")
    code = await world.code(params=params)
    tokens = (await world.redeem(code, client_id="two", redirect_uri="https://a.example/cb")).json()
    assert "refresh_token" not in tokens
    assert tokens["expires_in"] == 3600


async def test_offline_access_that_was_unticked_gives_one_access_token_and_no_more(world: World) -> None:
    params = az(scope="documents:read offline_access")
    tokens = await world.connect(params=params, scope=["documents:read"])
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "documents:read"
    kept = await world.connect(params=params)
    assert "refresh_token" in kept
    assert kept["scope"] == "documents:read"
    brief = min(await world.connections(), key=lambda connection: connection.expires_at)
    assert brief.expires_at - brief.created_at < 2 * 3600 * 1_000_000


async def test_an_access_token_never_outlives_its_connection(make_world: Callable[..., World]) -> None:
    world = make_world(refresh_absolute=100)
    tokens = await world.connect()
    assert tokens["expires_in"] == 100
