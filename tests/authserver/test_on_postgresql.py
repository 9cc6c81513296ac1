"""The same on PostgreSQL, where requests really run side by side (security C1, C4, C17; architecture section 2)."""

import os
from collections.abc import AsyncIterator

import anyio
import httpx2
import psycopg
import pytest
from tests.authserver.deployment import CIMD_URL, MCP, PUBLIC_URL, START, put_in_place, user
from tests.authserver.test_admission import say, say_host, say_redirect
from tests.authserver.test_attempts import ACME, call, of_tenant, steps
from tests.authserver.test_registration import registered
from tests.authserver.test_registration_management import manage
from tests.authserver.world import FINGERPRINTER, SEALER, Browser, World, az, basic

from doorward.accounts import notices
from doorward.model import Instant
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.housekeeping import DAY, tidy
from doorward.storage.opening import open_database
from doorward.web.attempt_log import AttemptLog
from support.assertions import EC, TYPE
from support.signing import key_ring

pytestmark = pytest.mark.anyio

CALLERS = 20


@pytest.fixture
async def world(empty_schema: str) -> AsyncIterator[World]:
    database = open_database(empty_schema, create=True)
    store, secrets = put_in_place(FINGERPRINTER, os.urandom)
    await database.write(store)
    keys = (await key_ring(database, SEALER, lambda: START)).current()
    yield World(database=database, keys=keys, secrets=secrets)
    await database.close()


async def test_C4_C17_parallel_requests_have_one_winner_and_one_successor(world: World) -> None:
    code = await world.code(params=az(scope="documents:read offline_access"))
    answers: list[httpx2.Response] = []

    async def redeem() -> None:
        answers.append(await world.redeem(code))

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(redeem)
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1, [answer.text for answer in answers]
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    assert await world.works(won[0]["access_token"])
    answers.clear()

    async def refresh() -> None:
        answers.append(await world.refresh(won[0]["refresh_token"]))

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(refresh)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    world.clock.forward(100)
    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(refresh)
    assert not await world.works(won[0]["access_token"])
    assert [event.name for event in await world.events()].count("refresh_token:replayed") == 1


async def test_G5_a_form_sent_many_times_at_once_answers_once(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    answers: list[httpx2.Response] = []

    async def approve() -> None:
        answers.append(await browser.submit(page))

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(approve)
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * (CALLERS - 1)
    assert len(await world.connections()) == 1


@pytest.mark.parametrize("grant", ["code", "refresh"])
async def test_C23_C24_no_grant_wins_against_a_deactivation_that_was_answered(
    world: World, empty_schema: str, grant: str
) -> None:
    code = await world.code()
    token = code if grant == "code" else (await world.redeem(code)).json()["refresh_token"]
    answers: list[httpx2.Response] = []

    async def ask() -> None:
        answers.append(await (world.redeem(token) if grant == "code" else world.refresh(token)))

    base, _, schema = empty_schema.partition("?search_path=")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    async with await psycopg.AsyncConnection.connect(base) as other, anyio.create_task_group() as group:
        await other.execute(f"SET search_path TO {schema}")
        await other.execute("SELECT id FROM tenants FOR UPDATE")
        group.start_soon(ask)
        with anyio.fail_after(10):
            while not answers and (await (await other.execute(waiting)).fetchone() or (0,))[0] == 0:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert not answers, "it looks at the rights before it has the lock that changes of rights take"
        await other.execute("UPDATE users SET status = 'disabled' WHERE id = 'usr_alice'")
        await other.commit()
    assert answers[0].json()["error"] == "invalid_grant"


async def test_a_client_of_a_document_is_written_down_once_however_many_approve_it(world: World) -> None:
    browsers = [await world.browser_of(name) for name in ("alice", "bob", "carol", "dave")]
    answers: list[dict[str, str]] = []

    async def approve(browser: Browser) -> None:
        answers.append(await browser.answer(az(client_id=CIMD_URL)))

    async with anyio.create_task_group() as group:
        for browser in browsers:
            group.start_soon(approve, browser)
    assert all("code" in answer for answer in answers)


async def test_a_machine_that_asks_many_times_at_once_has_one_connection_with_all_it_was_given(world: World) -> None:
    header = basic("machine", world.secrets["machine"])
    wanted = ("documents:read", "documents:write", "projects:read")
    answers: list[httpx2.Response] = []

    async def ask(scope: str) -> None:
        form = {"grant_type": "client_credentials", "resource": MCP, "scope": scope}
        answers.append(await world.token(form, authorization=header))

    async with anyio.create_task_group() as group:
        for number in range(CALLERS):
            group.start_soon(ask, wanted[number % len(wanted)])
    assert {answer.status_code for answer in answers} == {200}
    (connection,) = await world.connections("robot")
    assert connection.scopes == set(wanted)
    assert all([await world.works(answer.json()["access_token"]) for answer in answers])


async def test_C29_an_assertion_that_is_sent_many_times_at_once_is_good_once(world: World) -> None:
    now = world.clock.now // 1_000_000
    said = {"iss": "keyed", "sub": "keyed", "aud": PUBLIC_URL, "exp": now + 60, "jti": "once"}
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": EC.sign(said)}
    answers: list[httpx2.Response] = []

    async def ask() -> None:
        answers.append(await world.token(form))

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(ask)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (CALLERS - 1)


async def test_C15_C17_two_nodes_share_a_successor_and_end_what_is_replayed_late(
    world: World, empty_schema: str
) -> None:
    node = open_database(empty_schema, create=False)
    try:
        second = World(database=node, keys=world.keys, secrets=world.secrets, clock=world.clock)
        other, first = await world.connect(), await world.connect()
        answers: list[httpx2.Response] = []

        async def once(place: World) -> None:
            answers.append(await place.refresh(first["refresh_token"]))

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(once, (world, second)[number % 2])
        assert [answer.status_code for answer in answers] == [200] * 8
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        world.clock.forward(61)
        answers.clear()
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(once, (world, second)[number % 2])
        assert {answer.json()["error"] for answer in answers} == {"invalid_grant"}
        for place in (world, second):
            assert not await place.works(first["access_token"])
            assert await place.works(other["access_token"])
        assert (await second.refresh(other["refresh_token"])).status_code == 200
        assert [event.name for event in await world.events()].count("refresh_token:replayed") == 1
        told = await node.read(lambda reader: notices.waiting(reader, user("alice").id))
        assert len(told) == 1
    finally:
        await node.close()


async def test_B17_a_step_up_narrows_while_the_old_token_is_being_refreshed(world: World) -> None:
    browser = await world.browser_of("alice")
    code = (await browser.answer(az(scope="documents:read documents:write")))["code"]
    first = (await world.redeem(code)).json()
    page = await browser.consent(az(scope="projects:read"))

    async def approve() -> None:
        assert (await browser.submit(page, scope=["documents:read", "projects:read"])).status_code == 303

    async def refresh() -> None:
        assert (await world.refresh(first["refresh_token"])).status_code == 200

    async with anyio.create_task_group() as group:
        group.start_soon(approve)
        for _ in range(8):
            group.start_soon(refresh)
    assert (await world.refresh(first["refresh_token"])).json()["scope"] == "documents:read"


async def test_verdicts_registrations_and_attempts_work_there_too(world: World) -> None:
    uri = "https://cloud.example/cb"
    body = {"client_name": "Cloud", "redirect_uris": [uri], "token_endpoint_auth_method": "client_secret_basic"}
    one = await registered(world, body)
    await world.code("alice", az(client_id=one["client_id"], redirect_uri=uri))
    connection = next(each for each in await world.connections() if each.client_id == one["client_id"])
    await world.server.attempts.flush()
    token = AttemptStep(
        at=world.clock(), step=Step.TOKEN, request_id="req_t", connection_id=connection.id, tenant_id=ACME,
        user_id=user("alice").id, client_id=one["client_id"],
    )  # fmt: skip
    world.server.attempts.note(token)
    for _ in range(2):
        log = AttemptLog(world.database, now=world.clock)
        log.called(call(connection.id, world.clock()))
        await world.server.attempts.flush()
        await log.flush()
    (attempt,) = await of_tenant(world)
    assert steps(attempt) == ["registered", "authorize", "consent", "approved", "token", "called"]
    assert await say_host(world, "cloud.example", ACME, allowed=False) == 1
    assert await say_redirect(world, "c1", "https://new.example/cb", allowed=False) == 0
    assert await say(world, "c1", ACME, allowed=False) == 0
    changed = await manage(world, "PUT", one, body | {"client_id": one["client_id"], "client_name": "Other"})
    assert changed.status_code == 200
    assert (await manage(world, "DELETE", changed.json())).status_code == 204
    assert (await tidy(world.database, Instant(world.clock() + 40 * DAY)))["attempts"] == len(attempt.seen)
