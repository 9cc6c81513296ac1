"""The timeline of attempts (A8; clients' pain C16): each step, where it stopped, whose it is, and what strangers may do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.authserver.deployment import ACME_MCP, tenant, user
from tests.authserver.test_registration import NATIVE, post, registered
from tests.authserver.world import World, az, tk

from doorward.authserver import attempts
from doorward.authserver.attempts import Attempt, State
from doorward.clients import stops
from doorward.model import Instant, RequestId, TenantId
from doorward.storage import housekeeping
from doorward.storage.attempts import AttemptStep, Step, insert_steps, newest_steps, steps_of_tenant
from doorward.storage.events import CallEvent
from doorward.storage.housekeeping import DAY, tidy
from doorward.web.attempt_log import OF_STRANGERS, PER_ADDRESS, AttemptLog, clean

pytestmark = pytest.mark.anyio

ACME, GLOBEX = tenant("acme").id, tenant("globex").id


async def of_tenant(world: World, where: TenantId = ACME) -> list[Attempt]:
    await world.server.attempts.flush()
    return await world.database.read_long(lambda reader: attempts.of_tenant(reader, where, world.clock()))


async def of_user(world: World, name: str = "alice") -> list[Attempt]:
    await world.server.attempts.flush()
    return await world.database.read_long(lambda reader: attempts.of_user(reader, user(name).id, world.clock()))


async def of_all(world: World) -> list[Attempt]:
    await world.server.attempts.flush()
    return await world.database.read_long(lambda reader: attempts.of_all(reader, world.clock()))


def steps(attempt: Attempt) -> list[Any]:
    return [each.step.step for each in attempt.seen]


def call(connection_id: str, at: Instant) -> CallEvent:
    return CallEvent(
        at=at, tenant_id=ACME, user_id=user("alice").id, credential="access_token", credential_id=connection_id,
        client_id="c1", server_id="srv_harbour", method="initialize", name=None, decision="allowed", reason="", status=200,
        duration_us=1, request_id="req_call",
    )  # fmt: skip


async def whole_way(world: World) -> str:
    """Discover, register, ask, approve and redeem; return the connection's id."""
    async with world.client() as http:
        await http.get("/.well-known/oauth-protected-resource/mcp")
        await http.get("/.well-known/oauth-authorization-server")
    client_id = (await registered(world, NATIVE))["client_id"]
    code = await world.code("alice", az(client_id=client_id))
    assert (await world.redeem(code, client_id=client_id)).status_code == 200
    return (await world.connections())[0].id  # type: ignore[no-any-return]


@pytest.mark.requirement("A8", "pains/C16")
async def test_an_attempt_is_followed_from_the_metadata_to_the_first_call(world: World) -> None:
    connection_id = await whole_way(world)
    (attempt,) = await of_tenant(world)
    assert steps(attempt) == ["metadata", "registered", "authorize", "consent", "approved", "token"]
    assert (attempt.state, attempt.last("connection_id")) == (State.WAITING, connection_id)
    assert [each.step.step for each in attempt.seen if each.likely] == ["metadata"]
    assert all(each.step.request_id.startswith("req_") for each in attempt.seen)
    world.clock.forward(301)
    (attempt,) = await of_tenant(world)
    assert (attempt.state, attempt.stopped_at, attempt.code) == (State.STOPPED, Step.CALLED, None)
    for _ in range(2):
        world.server.attempts.called(call(connection_id, world.clock()))
    (attempt,) = await of_tenant(world)
    assert steps(attempt)[-2:] == ["token", "called"]
    assert attempt.state is State.CONNECTED
    # Another process that sees the same connection later writes nothing more.
    again = AttemptLog(world.database, now=world.clock)
    again.called(call(connection_id, world.clock()))
    again.called(call("con_nobody-knows", world.clock()))
    await again.flush()
    (attempt,) = await of_tenant(world)
    assert steps(attempt).count(Step.CALLED) == 1
    (mine,) = await of_user(world)
    assert steps(mine) == steps(attempt)


@pytest.mark.requirement("A8")
async def test_each_place_where_it_can_stop_has_a_name_and_a_way_on(world: World) -> None:
    browser = await world.browser_of("alice")
    await browser.consent()
    world.clock.forward(1801)
    (asked,) = await of_tenant(world)
    assert (asked.state, asked.stopped_at) == (State.STOPPED, Step.CONSENT)
    await world.code("alice")
    assert (await of_tenant(world))[0].state is State.WAITING
    world.clock.forward(121)
    approved = (await of_tenant(world))[0]
    assert (approved.stopped_at, approved.code) == (Step.TOKEN, None)
    await browser.answer(answer="deny")
    denied = (await of_user(world))[0]
    assert (denied.state, denied.stopped_at) == (State.STOPPED, Step.CONSENT)
    assert denied.code is not None
    for attempt in (asked, approved):
        assert attempt.stopped_at is not None
        told = stops.advice(
            stopped_at=attempt.stopped_at, code=None, redirect_uri=None, client_id=None, name="Claude Code"
        )
        assert told is not None
        assert told.fix


async def test_who_never_signed_in_is_seen_by_the_operator_only(world: World) -> None:
    nobody = world.browser()
    await nobody.follow(await nobody.open(az()))
    (attempt,) = await of_all(world)
    assert steps(attempt) == ["authorize", "sign_in"]
    world.clock.forward(1801)
    assert (await of_all(world))[0].stopped_at is Step.SIGN_IN
    assert not await of_tenant(world)
    # Whoever signs in takes the whole request with them: it is one.
    await nobody.sign_in("alice")
    world.clock.forward(-1801)
    await nobody.consent()
    own = await of_user(world)
    assert all(each.last("user_id") == user("alice").id for each in own)


async def test_a_token_that_was_refused_and_a_refresh_that_failed_belong_to_their_connection(world: World) -> None:
    code = await world.code("alice")
    await world.redeem(code, code_verifier="w" * 43)
    (attempt,) = await of_tenant(world)
    assert (attempt.stopped_at, attempt.state) == (Step.TOKEN, State.STOPPED)
    assert (attempt.code or "").startswith("DW-2")
    tokens = (await world.redeem(code)).json()
    world.server.attempts.called(call((await world.connections())[0].id, world.clock()))
    assert (await of_tenant(world))[0].state is State.CONNECTED
    await world.refresh(tokens["refresh_token"])
    world.clock.forward(3600)
    assert (await of_tenant(world))[0].state is State.CONNECTED
    await world.refresh(tokens["refresh_token"])
    (attempt,) = await of_tenant(world)
    assert (attempt.state, attempt.stopped_at) == (State.STOPPED, Step.REFRESHED)
    # Another client's try with the token it found is none of this tenant's attempts.
    before = len(attempt.seen)
    await world.refresh(tokens["refresh_token"], client_id="c3")
    await world.token(tk("dwc_" + "0" * 49) | {"client_id": "c1"})
    assert len((await of_tenant(world))[0].seen) == before


@pytest.mark.requirement("B3")
async def test_what_waits_for_an_administrator_is_the_tenants_attempt(make_world: Callable[..., World]) -> None:
    world = make_world(registration_policy="approved")
    client_id = (await registered(world, NATIVE))["client_id"]
    bob = await world.browser_of("bob")
    page = await bob.follow(await bob.open(az(client_id=client_id)))
    assert page.status_code == 403
    (attempt,) = await of_tenant(world)
    assert (attempt.stopped_at, attempt.code) == (Step.CONSENT, "DW-135")
    assert attempt.last("client_name") == "Tool"
    request_id = attempt.seen[-1].step.request_id
    assert request_id in page.text
    assert not await of_tenant(world, GLOBEX)


async def test_an_unregistered_redirect_is_an_attempt_of_whom_it_is_certain_to_be(world: World) -> None:
    """With one tenant, or one in the URL, it is that tenant's; else only the person sees it."""
    for name, changed, where in (
        ("bob", {}, ACME), ("dave", {"resource": ACME_MCP}, ACME), ("dave", {}, None), ("mallory", {"resource": ACME_MCP}, GLOBEX),
    ):  # fmt: skip
        uri = f"https://new.example/{name}{len(changed)}"
        browser = await world.browser_of(name)
        assert (await browser.open(az(redirect_uri=uri, **changed))).status_code == 400
        found = {
            each.last("redirect_uri") for tenant_id in (ACME, GLOBEX) for each in await of_tenant(world, tenant_id)
        }
        assert (uri in found) is (where is not None)
        if where is not None:
            assert uri in {each.last("redirect_uri") for each in await of_tenant(world, where)}
        assert uri in {each.last("redirect_uri") for each in await of_user(world, name)}
    stranger = world.browser()
    await stranger.open(az(redirect_uri="https://phish.example/cb"))
    seen = {each.last("redirect_uri") for where in (ACME, GLOBEX) for each in await of_tenant(world, where)}
    assert "https://phish.example/cb" not in seen


async def test_no_secret_and_no_foreign_text_gets_into_an_attempt(world: World) -> None:
    agent = "evil\u202egnp\x1b[31m\u200b"
    async with world.client() as http:
        answer = await http.get(
            "/.well-known/oauth-protected-resource/mcp?code=dwc_secret", headers={"user-agent": agent.encode()}
        )
        assert answer.status_code == 200
    browser = await world.browser_of("alice")
    await browser.open(az(redirect_uri="javascript:alert(document.cookie)//dwc_secret"))
    code = await world.code("alice")
    await world.redeem(code)
    await world.server.attempts.flush()
    found = await world.database.read_long(lambda reader: newest_steps(reader, 100))
    text = repr(found)
    assert code not in text
    assert "dwc_secret" not in text
    assert "alert" not in text
    for bad in ("\u202e", "\x1b", "\u200b"):
        assert bad not in text
    assert clean("a\nb\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert len(clean("x" * 1000)) == 200


async def test_E8_strangers_cannot_push_out_what_belongs_to_a_tenant(world: World) -> None:
    await world.code("alice")
    await world.server.attempts.flush()
    log = AttemptLog(world.database, now=world.clock)
    for number in range(OF_STRANGERS * 2):
        log.note(_knock(world, f"198.51.100.{number % 200}", f"agent {number}"))
    for number in range(100):
        log.note(_knock(world, "203.0.113.9", f"agent {number}"))
    await log.flush()
    found = await world.database.read_long(lambda reader: newest_steps(reader, 5000))
    assert sum(step.step is Step.KNOCKED for step in found) == OF_STRANGERS
    quick = AttemptLog(world.database, now=world.clock)
    for number in range(100):
        quick.note(_knock(world, "203.0.113.9", f"agent {number}"))
        quick.note(_knock(world, "203.0.113.9", "agent 0"))
    await quick.flush()
    found = await world.database.read_long(lambda reader: newest_steps(reader, 5000))
    assert sum(step.address == "203.0.113.9" for step in found) == PER_ADDRESS
    assert len(await world.database.read_long(lambda reader: steps_of_tenant(reader, ACME, 100))) >= 2


def _knock(world: World, address: str, agent: str) -> AttemptStep:
    return AttemptStep(
        at=world.clock(), step=Step.KNOCKED, request_id="req_x", address=address, agent=agent, path="/mcp"
    )  # fmt: skip


async def test_what_was_near_in_time_and_place_is_shown_as_likely_and_only_for_the_same_server(world: World) -> None:
    address = "127.0.0.1"
    for path, agent in (("/globex/mcp", "a"), ("/mcp", "b"), ("/mcp", "far")):
        step = _knock(world, address if agent != "far" else "192.0.2.1", agent)
        world.server.attempts.note(replace(step, path=path))
    await (await world.browser_of("alice")).consent()
    (attempt,) = await of_tenant(world)
    assert [(each.step.agent, each.likely) for each in attempt.seen if each.step.step is Step.KNOCKED] == [("b", True)]
    assert "globex" not in repr(attempt)
    # Too long ago.
    world.clock.forward(601)
    await (await world.browser_of("alice")).consent()
    assert Step.KNOCKED not in steps((await of_tenant(world))[0])


async def test_clients_that_never_open_a_browser_are_shown_to_the_operator_by_caller(world: World) -> None:
    for agent in ("a", "b"):
        world.server.attempts.note(_knock(world, "192.0.2.1", agent))
    await post(world, {"client_name": "x"})
    found = await of_all(world)
    assert sorted(len(each.seen) for each in found) == [1, 1, 1]
    world.clock.forward(601)
    states = {(each.state, each.stopped_at) for each in await of_all(world)}
    assert states == {(State.STOPPED, Step.METADATA), (State.STOPPED, Step.REGISTERED)}


async def test_attempts_are_forgotten_after_their_days(world: World) -> None:
    await world.code("alice")
    assert await of_tenant(world)
    later = Instant(world.clock() + 8 * DAY)
    assert (await tidy(world.database, later, attempts_days=30))["attempts"] == 0
    assert (await tidy(world.database, later, attempts_days=7))["attempts"] > 0
    assert not await of_tenant(world)


async def test_the_rings_keep_the_newest_of_each(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = housekeeping.ring("few", "tenant_id IS NULL AND user_id IS NULL", 3)
    monkeypatch.setattr(housekeeping, "KINDS", (ring,))
    mine = replace(_knock(world, "", ""), tenant_id=ACME, flow=RequestId("req_1"))
    await world.database.write(lambda tx: insert_steps(tx, [mine, *(_knock(world, str(n), "") for n in range(10))]))
    assert (await tidy(world.database, world.clock()))["few"] == 7
    left = await world.database.read_long(lambda reader: newest_steps(reader, 100))
    assert [step.address for step in left] == ["9", "8", "7", ""]


def test_a_known_fault_of_a_client_stands_before_what_is_said_of_any() -> None:
    claude: dict[str, Any] = {
        "redirect_uri": "https://claude.ai/api/mcp/auth_callback",
        "client_id": "client_1",
        "name": "Claude",
    }
    liar = claude | {"redirect_uri": "https://claude.ai.evil.example/cb"}
    known = stops.advice(stopped_at="called", code=None, **claude)
    anyone = stops.advice(stopped_at="called", code=None, **liar)
    assert known is not None
    assert anyone is not None
    assert (known.known, anyone.known) == (True, False)
    assert stops.advice(stopped_at="consent", code="DW-135", **claude) is None
