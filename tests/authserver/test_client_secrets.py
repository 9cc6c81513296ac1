"""Secrets of confidential clients: guessed at (security C27), and replaced without a gap (C28)."""

import os
from urllib.parse import urlencode

import httpx2
import pytest
from tests.authserver.deployment import MCP, PUBLIC_URL
from tests.authserver.world import FINGERPRINTER, World, basic, is_token_error

from doorward.authserver import throttle
from doorward.credentials.client_secrets import (
    MAX_LIVE,
    NewSecret,
    SecretRefused,
    add_client_secret,
    retire_client_secret,
    secrets_of,
)
from doorward.model import ClientId, Instant

pytestmark = pytest.mark.anyio

MACHINE = ClientId("machine")


async def ask(world: World, secret: str, address: str = "192.0.2.1", client_id: str = "machine") -> httpx2.Response:
    transport = httpx2.ASGITransport(app=world.app, client=(address, 4711))
    headers = {
        "authorization": basic(client_id, secret),
        "content-type": "application/x-www-form-urlencoded",
    }
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        form = urlencode({"grant_type": "client_credentials", "resource": MCP})
        return await http.post("/oauth/token", content=form, headers=headers)


def throttled(answer: httpx2.Response) -> bool:
    if answer.status_code != 429:
        return False
    is_token_error(answer, "temporarily_unavailable", 429)
    assert 0 < int(answer.headers["retry-after"]) <= throttle.WINDOW
    return True


async def test_C27_who_guesses_secrets_has_to_wait_and_the_good_client_elsewhere_has_not(world: World) -> None:
    for _ in range(throttle.PER_CLIENT):
        is_token_error(await ask(world, "wrong"), "invalid_client", 401)
    assert throttled(await ask(world, "wrong"))
    assert throttled(await ask(world, world.secrets["machine"])), "a right guess is not told from a wrong one"
    assert (await ask(world, world.secrets["machine"], "192.0.2.2")).status_code == 200
    assert (await ask(world, world.secrets["upstream"], client_id="upstream")).status_code == 400, "another client"
    world.clock.forward(throttle.WINDOW)
    assert (await ask(world, world.secrets["machine"])).status_code == 200


async def test_C27_a_client_that_was_let_in_shares_its_address_with_a_guesser(world: World) -> None:
    assert (await ask(world, world.secrets["machine"], "192.0.2.9")).status_code == 200
    for _ in range(throttle.PER_CLIENT + 1):
        await ask(world, "wrong")
    assert throttled(await ask(world, "wrong"))
    assert (await ask(world, world.secrets["machine"])).status_code == 200


async def test_C27_invented_clients_are_counted_by_address(world: World) -> None:
    for number in range(throttle.PER_ADDRESS):
        is_token_error(await ask(world, "wrong", client_id=f"invented{number}"), "invalid_client", 401)
    assert throttled(await ask(world, "wrong", client_id="one more"))
    assert not throttled(await ask(world, "wrong", "192.0.2.2", client_id="one more"))


async def test_C27_a_wrong_secret_now_and_then_is_forgiven_by_the_right_one(world: World) -> None:
    for _ in range(3):
        for _ in range(throttle.PER_CLIENT - 1):
            is_token_error(await ask(world, "wrong"), "invalid_client", 401)
        assert (await ask(world, world.secrets["machine"])).status_code == 200


async def test_C27_what_is_counted_does_not_grow_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_COUNTS", 4)
    monkeypatch.setattr(throttle, "MAX_KNOWN", 1)
    for number in range(20):
        await ask(world, "wrong", f"192.0.2.{number}")
    assert len(world.server._tokens.throttle._counts) <= 4
    for name in ("machine", "upstream"):
        await ask(world, world.secrets[name], client_id=name)
    assert len(world.server._tokens.throttle._known) == 1


async def add(world: World) -> NewSecret:
    return await world.database.write(
        lambda tx: add_client_secret(
            tx, MACHINE, now=world.clock.now, entropy=os.urandom, fingerprinter=FINGERPRINTER, cause=None
        )
    )


async def retire(world: World, secret_id: str, seconds: int, client_id: str = "machine") -> None:
    now = world.clock.now
    until = Instant(now + seconds * 1_000_000)
    await world.database.write(
        lambda tx: retire_client_secret(tx, ClientId(client_id), secret_id, until, now=now, cause=None)
    )


async def test_C28_the_old_secret_works_until_its_overlap_ends(world: World) -> None:
    old = world.secrets["machine"]
    world.clock.forward(1)
    new = await add(world)
    for secret in (old, new.text):
        assert (await ask(world, secret)).status_code == 200
    first, second = await world.database.read(lambda reader: secrets_of(reader, MACHINE))
    assert second == new.secret
    await retire(world, first.id, 3600)
    world.clock.forward(3599)
    assert (await ask(world, old)).status_code == 200
    world.clock.forward(1)
    is_token_error(await ask(world, old), "invalid_client", 401)
    assert (await ask(world, new.text)).status_code == 200
    names = {event.name for event in await world.events()}
    assert {"client_secret:created", "client_secret:retired"} <= names
    assert new.text not in repr(new) + str([event.detail for event in await world.events()])


async def test_C28_an_end_is_never_put_off(world: World) -> None:
    (only,) = await world.database.read(lambda reader: secrets_of(reader, MACHINE))
    await retire(world, only.id, 60)
    for seconds in (61, 60):
        with pytest.raises(SecretRefused, match="ends earlier"):
            await retire(world, only.id, seconds)
    await retire(world, only.id, 0)
    is_token_error(await ask(world, world.secrets["machine"]), "invalid_client", 401)
    with pytest.raises(SecretRefused, match="ends earlier"):
        await retire(world, only.id, 60)


async def test_a_secret_that_nobody_has_and_a_client_that_has_none_are_refused(world: World) -> None:
    for client_id, secret_id, words in (
        ("machine", "nothing", "has no secret"),
        ("nobody", "x", "no client"),
        ("c1", "x", "uses no secret"),
        ("keyed", "x", "uses no secret"),
    ):
        with pytest.raises(SecretRefused, match=words):
            await retire(world, secret_id, 0, client_id)
    for _ in range(MAX_LIVE - 1):
        await add(world)
    with pytest.raises(SecretRefused, match="Retire one first"):
        await add(world)
