"""Credentials and rights as of the start of each call, and nothing older (J12 to J16, K25, K26, D3)."""

import asyncio
import os
from dataclasses import replace
from typing import Never

import pytest
from tests.gateway.deployment import ACME, READ, S1, S2, WRITE, server, user
from tests.gateway.recorder import Recorder, Request, default, result, stream
from tests.gateway.world import PUBLIC, SEALER, World

from doorward.credentials import key_rotation
from doorward.model import SECOND, Resource, ResourceId, Status
from doorward.storage import accounts, api_keys, connections, permissions, servers
from doorward.storage.opening import open_database

pytestmark = pytest.mark.anyio

METADATA = f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource'


async def test_J16_without_a_credential_the_challenge_has_no_error(world: World, recorder: Recorder) -> None:
    for headers in ({}, {"authorization": "Bearer"}):
        response = await world.post(None, {}, headers=headers)
        assert response.status_code == 401
        challenge = response.headers["www-authenticate"]
        assert "error" not in challenge
        assert f'{METADATA}/mcp"' in challenge
        assert 'scope="documents:read documents:write"' in challenge
        assert response.json()["error"]["data"]["code"] == "DW-301"
    for method in ("GET", "HEAD", "DELETE"):
        response = await world.http.request(method, "/mcp")
        assert response.status_code == 401
        assert METADATA in response.headers["www-authenticate"]
    assert recorder.requests == []


async def test_J16_every_bad_credential_is_the_same_401(world: World, recorder: Recorder) -> None:
    key, token = await world.key("bob"), await world.token("bob", READ)
    bad = (
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        "dw_unknown",
        token[:-4] + "AAAA",
        "x.y.z",
        "garbage",
        "dws_" + "a" * 49,
    )
    answers = [await world.call(one, "echo") for one in bad]
    assert {response.status_code for response in answers} == {401}
    # A wrong checksum is told: whoever holds the key can see it without asking anybody.
    assert [response.json()["error"]["data"]["code"] for response in answers] == ["DW-304"] * 2 + ["DW-305"] * 4
    assert len({response.text for response in answers}) == 2
    assert len({response.headers["www-authenticate"] for response in answers}) == 1
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    two = [("authorization", f"Bearer {key}"), ("authorization", f"Bearer {token}")]
    assert (await world.http.post("/mcp", json={}, headers=two)).status_code == 400
    assert (await world.post(None, {}, headers={"authorization": f"Basic {key}"})).status_code == 401
    assert recorder.requests == []


async def test_a_browser_gets_a_page_with_the_challenge(world: World) -> None:
    response = await world.http.get("/mcp", headers={"accept": "text/html,*/*"})
    assert (response.status_code, response.headers["content-type"]) == (401, "text/html")
    assert METADATA in response.headers["www-authenticate"]


async def test_J13_a_credential_is_good_at_its_own_url_only(world: World, recorder: Recorder) -> None:
    short, own = await world.token("bob", READ), await world.token("bob", READ, path="/acme/mcp")
    key, foreign = await world.key("bob"), await world.key("mallory")
    listing = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for path, good in {
        "/mcp": {short, key, foreign},
        "/acme/mcp": {own, key},
        "/globex/mcp": {foreign},
        "/other": {key, foreign},
    }.items():
        for token in (short, own, key, foreign):
            response = await world.post(token, listing, path=path)
            assert response.status_code == (200 if token in good else 401), (path, token)


async def test_unknown_tenants_answer_like_known_ones(world: World) -> None:
    key = await world.key("bob")
    for token in (None, key):
        known, unknown = [await world.post(token, {}, path=f"/{tenant}/mcp") for tenant in ("globex", "nosuch")]
        assert known.status_code == unknown.status_code == 401
        assert known.text == unknown.text
        challenges = [response.headers["www-authenticate"] for response in (known, unknown)]
        assert challenges[0].replace("globex", "nosuch") == challenges[1]


async def test_J12_what_ends_a_credential_ends_it_on_the_next_call(world: World) -> None:
    async def alive(token: str) -> bool:
        return (await world.call(token, "echo")).status_code == 200

    key = await world.key("bob")
    assert await alive(key)
    stored = await world.database.read_long(lambda reader: api_keys.api_keys_of_user(reader, user("bob").id)[0])
    await world.database.write(lambda tx: api_keys.revoke_api_key(tx, ACME.id, stored.id, world.clock()))
    assert not await alive(key)

    token = await world.token("bob", READ)
    assert await alive(token)
    await world.database.write(
        lambda tx: connections.revoke_connection(
            tx, connections.connections_of_user(tx, user("bob").id)[0].id, world.clock(), "test"
        )
    )
    assert not await alive(token)

    key = await world.key("bob")
    assert await alive(key)
    disabled = replace(user("bob"), status=Status.DISABLED)
    await world.database.write(lambda tx: accounts.update_user(tx, disabled))
    assert not await alive(key)


async def test_J12_expiry_is_looked_at_at_every_call(world: World) -> None:
    key, token = await world.key("bob", lifetime=60), await world.token("bob", READ)
    for one in (key, token):
        assert (await world.call(one, "echo")).status_code == 200
    world.clock.offset += 700_000_000
    for one in (key, token):
        assert (await world.call(one, "echo")).status_code == 401


async def test_N4_J12_a_revoked_signing_key_ends_its_tokens_on_the_next_call(world: World, recorder: Recorder) -> None:
    """Another program revokes: this process is told by nothing but the revision."""
    key, token = await world.key("bob"), await world.token("bob", READ)
    assert (await world.call(token, "echo")).status_code == 200
    old = {each["kid"] for each in world.ring.current().jwks()["keys"] if each["alg"] == "ES256"}.pop()
    spare = key_rotation.draw("ES256", sealer=SEALER, entropy=os.urandom)
    await world.database.write(lambda tx: key_rotation.revoke(tx, old, spare=spare, now=world.clock()))
    before = len(recorder.requests)
    assert (await world.call(token, "echo")).status_code == 401
    assert len(recorder.requests) == before
    # What is signed for an upstream is signed by the heir, for callers too who need no key of ours.
    assert (await world.call(key, "echo")).status_code == 200
    assert spare.kid in {each["kid"] for each in world.ring.current().jwks()["keys"]}
    assert world.ring.current().state(old) is None


async def test_K25_a_role_taken_away_counts_on_the_next_call(world: World) -> None:
    bob = await world.key("bob")
    assert (await world.call(bob, "write_note", {"folder": "f1"})).status_code == 200
    await world.role("bob", "viewer")
    assert (await world.call(bob, "write_note", {"folder": "f1"})).status_code == 400
    await world.role("bob", "nobody")
    assert await world.listed(bob) == ["whoami", "connection_info"]
    await world.role("bob", "editor")
    assert (await world.call(bob, "write_note", {"folder": "f1"})).status_code == 200


async def test_K25_a_change_by_another_program_counts_on_the_next_call(world: World) -> None:
    bob = await world.key("bob")
    assert (await world.call(bob, "echo")).status_code == 200
    other = open_database(f"sqlite://{world.database._path}", create=False)  # type: ignore[attr-defined]
    await other.write(lambda tx: permissions.set_membership(tx, ACME.id, user("bob").id, ()))
    assert (await world.call(bob, "echo")).status_code == 400
    await other.write(lambda tx: permissions.set_membership(tx, ACME.id, user("bob").id, ("editor",)))
    await other.write(lambda tx: servers.set_tenant_servers(tx, ACME.id, []))
    response = await world.call(bob, "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (403, "DW-405")
    await other.close()


async def test_rules_that_change_count_on_the_next_call(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    assert (await world.call(bob, "echo")).status_code == 200
    stricter = replace(server(recorder.url), rules=(replace(server("").rules[2], match="*"),))
    await world.database.write(lambda tx: servers.put_server(tx, stricter))
    assert (await world.call(bob, "echo")).status_code == 400
    assert await world.listed(bob) == ["whoami", "connection_info"]
    assert stricter.id == S1


async def test_a_node_that_moves_in_the_tree_counts_on_the_next_call(world: World) -> None:
    bob = await world.key("bob", WRITE, resources=frozenset({ResourceId("r-folder")}))
    new = Resource(id=ResourceId("r-new"), tenant_id=ACME.id, type="folder", key="f3", name="Three")
    ask = lambda: world.call(bob, "write_note", {"folder": "f3"})  # noqa: E731
    assert (await ask()).json()["result"]["isError"] is True
    inside = replace(new, parent_id=ResourceId("r-folder"))
    await world.database.write(lambda tx: permissions.put_resources(tx, ACME.id, [inside]))
    assert (await ask()).json()["result"]["isError"] is False
    await world.database.write(lambda tx: permissions.put_resources(tx, ACME.id, [new]))
    assert (await ask()).json()["result"]["isError"] is True


@pytest.mark.parametrize("known", [False, True], ids=["first-offer", "looked-again"])
async def test_K25_a_role_taken_away_while_the_upstream_says_what_it_offers_counts(
    world: World, recorder: Recorder, known: bool
) -> None:
    """The offer takes as long as the upstream likes: what was allowed before must not be done after."""
    bob = await world.key("bob")
    recorder.answer = lambda request: (
        result(request, {"tools": []}) if request.method == "tools/list" else default(request)
    )
    if known:
        await world.listed(bob)
        world.clock.offset += 2 * SECOND

    recorder.forget()
    recorder.answer = lambda request: b"" if request.method == "server/discover" else default(request)
    request = asyncio.ensure_future(world.call(bob, "write_note", {"folder": "f1"}))
    await recorder.came(1, "server/discover")
    await world.role("bob", "nobody")
    recorder.answer = default
    (waiting,) = recorder.open
    waiting.write(default(recorder.requests[-1]))
    assert (await request).status_code == 400
    assert recorder.seen() == []


async def test_K26_without_storage_nothing_is_allowed(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    assert (await world.call(bob, "echo")).status_code == 200
    recorder.forget()
    await world.database.close()
    response = await world.call(bob, "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (503, "DW-501")
    assert recorder.requests == []


async def test_what_nobody_foresaw_is_answered_and_tells_no_secret(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_reader: object, token: str, **_: object) -> Never:
        message = f"cannot read {token}"
        raise ValueError(message)

    world.gateway._live._authenticate = broken  # type: ignore[assignment]
    response = await world.call("a-secret-token", "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (500, "DW-599")
    said = capfd.readouterr()
    assert "test_live.py" in said.out + said.err
    assert "a-secret-token" not in response.text + caplog.text + said.out + said.err


async def test_an_open_stream_ends_within_a_second_of_losing_its_right(world: World, recorder: Recorder) -> None:
    def waiting(request: Request) -> bytes:
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
        return stream(progress, ends=False) if request.method == "tools/call" else default(request)

    recorder.answer = waiting
    bob = await world.key("bob")
    request = asyncio.ensure_future(world.call(bob, "echo"))
    await recorder.came(1, "tools/call")
    await world.role("bob", "nobody")
    changed = asyncio.get_running_loop().time()
    response = await request
    assert asyncio.get_running_loop().time() - changed < 1.5
    assert response.text.count("data: ") == 2
    assert "DW-405" in response.text


async def test_K18_a_stream_that_cannot_be_decided_does_not_keep_the_others_open(
    world: World, recorder: Recorder
) -> None:
    """One upstream moves to an address that never says what it offers; the other's caller loses her right."""

    def waiting(request: Request) -> bytes:
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
        return stream(progress, ends=False) if request.method == "tools/call" else default(request)

    recorder.answer = waiting
    silent = Recorder()
    silent.answer = lambda _: b""
    await silent.start()
    bob, alice = await world.key("bob"), await world.key("alice")
    params = {"name": "echo", "arguments": {}}
    stuck = asyncio.ensure_future(world.modern(alice, "tools/call", params, path="/other"))
    taken = asyncio.ensure_future(world.modern(bob, "tools/call", params))
    await recorder.came(2, "tools/call")
    await world.database.write(lambda tx: servers.put_server(tx, server(silent.url, S2)))
    await silent.came(1)
    await world.role("bob", "nobody")
    async with asyncio.timeout(5):
        assert "DW-405" in (await taken).text
        assert "DW-405" in (await stuck).text
    await silent.stop()


async def test_a_stream_that_may_go_on_is_left_alone(world: World, recorder: Recorder) -> None:
    def waiting(request: Request) -> bytes:
        ready = {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": {}},
        }
        return stream(ready, ends=False) if request.method == "subscriptions/listen" else default(request)

    recorder.answer = waiting
    bob = await world.key("bob")
    request = asyncio.ensure_future(
        world.modern(bob, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    )
    await world.role("carol", "nobody")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(request), 1.3)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_a_client_that_leaves_ends_the_upstreams_work(world: World, recorder: Recorder) -> None:
    held = asyncio.Event()

    def silent(request: Request) -> bytes:
        if request.method != "tools/call":
            return default(request)
        held.set()
        return b""

    recorder.answer = silent
    request = asyncio.ensure_future(world.call(await world.key("bob"), "echo"))
    await held.wait()
    before = len(recorder.open)
    request.cancel()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if len(recorder.open) < before:
            return
    pytest.fail("the upstream connection is still open")


async def test_use_of_keys_and_connections_is_noted(world: World) -> None:
    key = await world.key("bob")
    await world.call(key, "echo")
    await world.call(await world.token("bob", READ), "echo")
    assert [use[0] for use in world.touched] == ["api_key", "access_token"]
    assert world.touched[1][3:] == (None, None)
    _, _, _, address, client = world.touched[0]
    assert address == "127.0.0.1"
    assert client.startswith("python-httpx2")


async def test_a_call_leaves_one_line_without_arguments(world: World) -> None:
    await world.call(await world.token("bob", READ), "echo", {"text": "confidential"})
    (event,) = world.calls
    assert (event.method, event.name, event.decision, event.reason) == ("tools/call", "echo", "allowed", "echo")
    assert (event.user_id, event.client_id, event.server_id, event.status) == ("u-bob", "c1", "s1", 200)
    assert "confidential" not in str(event)
