"""Programs that act by themselves (RFC 6749 section 4.4; product B15; security C14)."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.authserver.deployment import ACME_MCP, GLOBEX_ONLY, HARBOUR, KEYED, MACHINE, MCP, server, tenant, user
from tests.authserver.world import FINGERPRINTER, PUBLIC_URL, World, basic, is_token_error

from doorward.model import ClientAuthMethod, ClientId, ClientKind, OwnerKind, Permission, Status, Tenant
from doorward.storage import accounts, clients, connections, permissions, servers
from doorward.storage.database import Transaction
from support.rows import without_membership

pytestmark = pytest.mark.anyio


async def ask(world: World, client_id: str = "machine", **form: str) -> httpx2.Response:
    header = basic(client_id, world.secrets[client_id])
    return await world.token({"grant_type": "client_credentials"} | form, authorization=header)


async def granted(world: World, **form: str) -> dict[str, Any]:
    answer = await ask(world, **({"resource": MCP} | form))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()  # type: ignore[no-any-return]


def said_by(token: str) -> Mapping[str, Any]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))  # type: ignore[no-any-return]


@pytest.mark.requirement("B15")
async def test_a_machine_gets_what_its_account_may_do_and_no_refresh_token(world: World) -> None:
    tokens = await granted(world)
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}
    assert tokens["scope"] == "documents:read documents:write projects:read"
    assert tokens["expires_in"] == 3600
    assert await world.works(tokens["access_token"])
    claims = said_by(tokens["access_token"])
    assert (claims["aud"], claims["sub"], claims["client_id"]) == (MCP, "usr_robot", "machine")
    assert claims["tenant"] == "ten_acme"


async def test_B12_scopes_are_what_is_asked_within_the_clients_limit_and_the_live_rights(world: World) -> None:
    assert (await granted(world, scope="openid documents:read documents:delete x:y"))["scope"] == "documents:read"
    for beyond in ("documents:delete", "no:such"):
        is_token_error(await ask(world, resource=MCP, scope=beyond), "invalid_scope")
    is_token_error(await ask(world, resource=MCP, scope='a"b'), "invalid_scope")
    limited = replace(MACHINE, scope_limit=frozenset({Permission("documents:write"), Permission("documents:delete")}))
    before = (await granted(world))["access_token"]
    await world.database.write(lambda tx: clients.update_client(tx, limited))
    assert (await granted(world))["scope"] == "documents:write"
    (connection,) = await world.connections("robot")
    assert connection.scopes == {"documents:write"}, "what was given before the limit is good for no more than that"
    assert await world.works(before)


@pytest.mark.parametrize(
    ("resource", "audience"),
    [(MCP, MCP), (f"{MCP}/", MCP), (MCP.replace("http", "HTTP"), MCP), (ACME_MCP, ACME_MCP), ("", ACME_MCP)],
)
async def test_B8_a_token_is_for_one_server_url(world: World, resource: str, audience: str) -> None:
    tokens = await granted(world, resource=resource)
    assert said_by(tokens["access_token"])["aud"] == audience


@pytest.mark.parametrize(
    "resource", [GLOBEX_ONLY, f"{PUBLIC_URL}/globex/mcp", f"{PUBLIC_URL}/nothing", "https://evil.example/mcp", "x"]
)
async def test_C22_another_tenants_or_no_server_is_an_invalid_target(world: World, resource: str) -> None:
    is_token_error(await ask(world, resource=resource), "invalid_target")


async def test_C22_without_resource_the_tenant_must_have_one_server(world: World) -> None:
    second = server("second", "/second")

    def add(tx: Transaction) -> None:
        servers.put_server(tx, second)
        servers.set_tenant_servers(tx, tenant("acme").id, [HARBOUR.id, second.id])

    await world.database.write(add)
    is_token_error(await ask(world), "invalid_target")
    await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []))
    is_token_error(await ask(world), "invalid_target")
    is_token_error(await ask(world, resource=MCP), "invalid_target")


async def test_one_connection_carries_all_tokens_of_a_client_for_a_server(world: World) -> None:
    first = await granted(world, scope="documents:read")
    second = await granted(world, scope="documents:write")
    await granted(world, resource=ACME_MCP)
    found = {connection.resource: connection for connection in await world.connections("robot")}
    assert found.keys() == {MCP, ACME_MCP}
    assert len(await world.connections("robot")) == 2
    assert said_by(first["access_token"])["connection"] == said_by(second["access_token"])["connection"]
    assert found[MCP].scopes == {"documents:read", "documents:write"}
    events = [event for event in await world.events() if event.name == "connection:activated"]
    assert len(events) == 2
    assert said_by(first["access_token"])["scope"] == "documents:read", "a token has the scopes it was asked for"


async def test_parallel_requests_share_one_connection(world: World) -> None:
    answers = await asyncio.gather(*(ask(world, resource=MCP) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await world.connections("robot")) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda tx: accounts.update_user(tx, replace(user("robot"), status=Status.DISABLED)), "invalid_grant"),
        (lambda tx: accounts.update_tenant(tx, replace(tenant("acme"), status=Status.DISABLED)), "invalid_grant"),
        (lambda tx: without_membership(tx, tenant("acme").id, user("robot").id), "invalid_grant"),
        (lambda tx: permissions.set_membership(tx, tenant("acme").id, user("robot").id, ()), "invalid_scope"),
        (lambda tx: clients.update_client(tx, replace(MACHINE, status=Status.DISABLED)), "invalid_client"),
    ],
    ids=["user disabled", "tenant disabled", "not a member", "no role", "client disabled"],
)
async def test_C23_a_machines_tokens_die_with_what_they_stand_on(world: World, change: Any, error: str) -> None:
    token = (await granted(world))["access_token"]
    await world.database.write(change)
    assert not await world.works(token)
    is_token_error(await ask(world, resource=MCP), error, 401 if error == "invalid_client" else 400)


async def test_an_ended_connection_ends_its_tokens_and_the_client_may_come_again(world: World) -> None:
    token = (await granted(world))["access_token"]
    (connection,) = await world.connections("robot")
    now = world.clock.now
    await world.database.write(lambda tx: connections.revoke_connection(tx, connection.id, now, "disconnected"))
    assert not await world.works(token)
    again = (await granted(world))["access_token"]
    assert await world.works(again)
    assert not await world.works(token)


async def test_C14_only_a_registered_confidential_client_with_an_account_acts_by_itself(world: World) -> None:
    is_token_error(await world.token({"grant_type": "client_credentials", "client_id": "c1"}), "unauthorized_client")
    is_token_error(await ask(world, "c2", resource=MCP), "unauthorized_client")
    is_token_error(await ask(world, "upstream", resource=MCP), "unauthorized_client")
    for number, wrong in enumerate([
        replace(MACHINE, service_account=None),
        replace(MACHINE, kind=ClientKind.DYNAMIC),
        replace(MACHINE, auth_method=ClientAuthMethod.NONE),
    ]):  # fmt: skip
        again = replace(wrong, id=ClientId(f"again{number}"))
        await world.database.write(
            lambda tx, again=again: clients.insert_client(  # type: ignore[misc]
                tx, again, canonical_key=None, secret_fingerprint=FINGERPRINTER.of(again.id)
            )
        )
        sent = {"grant_type": "client_credentials", "client_id": again.id, "resource": MCP}
        public = again.auth_method is ClientAuthMethod.NONE
        headers = {} if public else {"authorization": basic(again.id, again.id)}
        is_token_error(await world.token(sent, **headers), "unauthorized_client")


async def test_C14_an_account_that_is_a_person_or_in_two_tenants_is_refused(world: World) -> None:
    await world.database.write(lambda tx: accounts.update_user(tx, replace(user("robot"), kind=OwnerKind.PERSON)))
    is_token_error(await ask(world, resource=MCP), "invalid_grant")
    await world.database.write(lambda tx: accounts.update_user(tx, user("robot")))

    def join(tx: Transaction) -> None:
        permissions.set_membership(tx, tenant("globex").id, user("robot").id, ("viewer",))

    await world.database.write(join)
    is_token_error(await ask(world, resource=MCP), "invalid_grant")
    away: Tenant = replace(tenant("acme"), status=Status.DISABLED)
    await world.database.write(lambda tx: accounts.update_tenant(tx, away))
    # It belongs to one active tenant again, and not to that which it was given for.
    is_token_error(await ask(world, resource=MCP), "invalid_grant")


async def test_a_posted_secret_and_a_limit_in_another_tenant(world: World) -> None:
    form = {"grant_type": "client_credentials", "client_id": "roving", "client_secret": world.secrets["roving"]}
    is_token_error(await world.token(form), "invalid_target")
    answer = await world.token(form | {"resource": GLOBEX_ONLY})
    assert answer.json()["scope"] == "documents:read"
    assert said_by(answer.json()["access_token"])["tenant"] == "ten_globex"


async def test_a_machine_cannot_ask_a_person(world: World) -> None:
    browser = await world.browser_of("alice")
    for client in (MACHINE, KEYED):
        answer = await browser.open([("client_id", client.id), ("redirect_uri", "http://127.0.0.1/cb")])
        assert answer.status_code == 400
        assert "location" not in answer.headers
