"""A flood of registrations costs the one who floods (security E8, E7; clients' pain C18)."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from tests.authserver.deployment import PUBLIC_URL
from tests.authserver.world import World, az, basic, is_token_error

from doorward.authserver import registration, throttle
from doorward.protocol.client_metadata import MAX_BODY
from doorward.storage.housekeeping import tidy
from doorward.storage.statements import Statement
from doorward.web.requester import Requester
from support.budget_clock import count_by

pytestmark = pytest.mark.anyio

COUNT = Statement("SELECT count(*) AS count FROM clients WHERE kind = 'dynamic'")
CLAUDE = {"client_name": "Claude Code", "redirect_uris": ["http://localhost:3118/callback"]}


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    count_by(monkeypatch, world.clock)
    return world


async def ask(world: World, path: str, content: bytes, address: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=world.app, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        return await http.post(path, content=content, headers=headers)


async def register(
    world: World, body: dict[str, Any], address: str = "198.51.100.1", forwarded: str | None = None
) -> httpx2.Response:
    headers = {"content-type": "application/json"} | ({} if forwarded is None else {"x-forwarded-for": forwarded})
    return await ask(world, "/oauth/clients/register", json.dumps(body).encode(), address, **headers)


def new(number: int) -> dict[str, Any]:
    return CLAUDE | {"client_name": f"Flood {number}"}


async def stored(world: World) -> int:
    return int((await world.database.read(lambda reader: reader.all(COUNT)))[0].count)


def is_throttled(answer: httpx2.Response, most: int) -> None:
    is_token_error(answer, "temporarily_unavailable", 429)
    assert "DW-149" in answer.json()["error_description"]
    assert 0 < int(answer.headers["retry-after"]) <= most


async def test_E8_a_flood_from_one_address_is_told_when_to_come_back(world: World) -> None:
    before = await stored(world)
    answers = [await register(world, new(number)) for number in range(100)]
    assert [answer.status_code for answer in answers].count(201) == registration.PER_MINUTE
    is_throttled(answers[-1], 60)
    assert await stored(world) == before + registration.PER_MINUTE, "what is refused leaves nothing"
    browser = await world.browser_of("alice")
    assert "code" in await browser.answer(az()), "people connect meanwhile"
    assert (await register(world, new(0), "198.51.100.2")).status_code == 201
    world.clock.forward(int(answers[-1].headers["retry-after"]) + 1)
    assert (await register(world, new(1001))).status_code == 201


async def test_E8_an_hour_of_patience_does_not_fill_the_table_either(world: World) -> None:
    made = 0
    for minute in range(10):
        for number in range(registration.PER_MINUTE):
            made += (await register(world, new(minute * 100 + number))).status_code == 201
        world.clock.forward(61)
    assert made == registration.PER_HOUR
    is_throttled(await register(world, new(5000)), 3600)


async def test_E8_an_address_that_is_only_said_is_no_other_address(world: World) -> None:
    answers = [await register(world, new(number), forwarded=f"203.0.113.{number}") for number in range(100)]
    assert [answer.status_code for answer in answers].count(201) == registration.PER_MINUTE


async def test_E8_one_64_of_ipv6_is_one_address(world: World) -> None:
    answers = [await register(world, new(number), f"2001:db8:1:2::{number:x}") for number in range(40)]
    assert [answer.status_code for answer in answers].count(201) == registration.PER_MINUTE
    assert (await register(world, new(99), "2001:db8:1:3::1")).status_code == 201


async def test_E8_many_addresses_meet_a_ceiling_and_known_clients_do_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "PER_HOUR_FROM_ALL", 30)
    world.rebuild()
    known = (await register(world, CLAUDE)).json()["client_id"]
    answers = [await register(world, new(number), f"203.0.113.{number}") for number in range(100)]
    assert [answer.status_code for answer in answers].count(201) == 29
    is_throttled(answers[-1], 3600)
    again = await register(world, CLAUDE | {"redirect_uris": ["http://localhost:9/callback"]}, "203.0.113.7")
    assert (again.status_code, again.json()["client_id"]) == (201, known)


async def test_E8_the_same_public_client_registers_as_often_as_it_likes_from_a_shared_address(world: World) -> None:
    first = (await register(world, CLAUDE)).json()["client_id"]
    for number in range(registration.PER_MINUTE):
        await register(world, new(number))
    is_throttled(await register(world, new(99)), 60)
    ids = {(await register(world, CLAUDE)).json()["client_id"] for _ in range(200)}
    assert ids == {first}


async def test_E8_a_confidential_client_is_a_new_record_each_time(world: World) -> None:
    body = {
        "client_name": "Web",
        "redirect_uris": ["https://app.example/cb"],
        "token_endpoint_auth_method": "client_secret_post",
    }
    answers = [await register(world, body) for _ in range(registration.PER_MINUTE + 1)]
    assert [answer.status_code for answer in answers[:-1]] == [201] * registration.PER_MINUTE
    is_throttled(answers[-1], 60)


async def test_E8_what_is_malformed_spends_nothing(world: World) -> None:
    for _ in range(registration.PER_MINUTE + 1):
        is_token_error(await register(world, {"redirect_uris": []}), "invalid_redirect_uri")
    assert (await register(world, CLAUDE)).status_code == 201


async def test_E8_behind_a_trusted_proxy_each_caller_has_a_budget(world: World) -> None:
    world.rebuild(requester=Requester(["10.0.0.0/8"]))
    for number in range(registration.PER_MINUTE):
        assert (await register(world, new(number), "10.0.0.1", "203.0.113.1")).status_code == 201
    is_throttled(await register(world, new(98), "10.0.0.2", "9.9.9.9, 203.0.113.1"), 60)
    assert (await register(world, new(99), "10.0.0.1", "203.0.113.2")).status_code == 201


async def test_C27_behind_a_trusted_proxy_each_caller_guesses_for_itself(world: World) -> None:
    world.rebuild(requester=Requester(["10.0.0.0/8"]))
    form = urlencode({"grant_type": "client_credentials"}).encode()

    async def guess(secret: str, forwarded: str) -> int:
        sent = {
            "authorization": basic("machine", secret),
            "content-type": "application/x-www-form-urlencoded",
            "x-forwarded-for": forwarded,
        }
        return (await ask(world, "/oauth/token", form, "10.0.0.1", **sent)).status_code

    for _ in range(throttle.PER_CLIENT):
        assert await guess("wrong", "203.0.113.1") == 401
    assert await guess("wrong", "203.0.113.1") == 429
    assert await guess(world.secrets["machine"], "203.0.113.2") == 200


async def test_E7_a_registration_of_more_than_16_kib_is_refused(world: World) -> None:
    room = MAX_BODY - len(json.dumps(CLAUDE | {"x": ""}))
    assert MAX_BODY == 16 * 1024
    assert (await register(world, CLAUDE | {"x": "a" * room})).status_code == 201
    is_token_error(await register(world, CLAUDE | {"x": "a" * (room + 1)}), "invalid_client_metadata")


async def test_E8_a_client_that_registers_now_and_then_keeps_its_id_and_one_that_stays_away_does_not(
    world: World,
) -> None:
    first = (await register(world, CLAUDE)).json()["client_id"]
    other = (await register(world, new(1))).json()["client_id"]
    world.clock.forward(5 * 86_400)
    assert (await register(world, CLAUDE)).json()["client_id"] == first
    world.clock.forward(5 * 86_400)
    await tidy(world.database, world.clock())
    assert (await register(world, CLAUDE)).json()["client_id"] == first
    assert (await register(world, new(1))).json()["client_id"] != other
    names = [event.name for event in await world.events()]
    assert names.count("client:registered") == 3


async def test_E8_a_client_that_somebody_connected_is_there_for_ever(world: World) -> None:
    client = (await register(world, CLAUDE)).json()["client_id"]
    redirect = CLAUDE["redirect_uris"][0]
    code = await world.code(params=az(client_id=client, redirect_uri=redirect))
    assert (await world.redeem(code, client_id=client, redirect_uri=redirect)).status_code == 200
    world.clock.forward(1000 * 86_400)
    await tidy(world.database, world.clock())
    assert (await register(world, CLAUDE)).json()["client_id"] == client


async def test_C16_tidying_up_does_not_make_a_replayed_token_an_unknown_one(world: World) -> None:
    first = (await world.connect())["refresh_token"]
    living = (await world.refresh(first)).json()["refresh_token"]
    world.clock.forward(20 * 86_400)
    living = (await world.refresh(living)).json()["refresh_token"]
    world.clock.forward(20 * 86_400)
    await tidy(world.database, world.clock())
    is_token_error(await world.refresh(first), "invalid_grant")
    assert (await world.connections())[0].revoked_at is not None
    is_token_error(await world.refresh(living), "invalid_grant")
