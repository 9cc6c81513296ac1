"""What a token is good for at this moment, told to whom it concerns (RFC 7662; security D4)."""

import os
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from tests.authserver.deployment import ACME_MCP, GLOBEX_ONLY, HARBOUR, MCP, PUBLIC_URL, VAULT, tenant, user
from tests.authserver.world import FINGERPRINTER, World, az, basic, is_token_error, tk

from doorward.authserver.introspection import KeptAnswers
from doorward.credentials.api_keys import create_api_key, revoke_api_key
from doorward.credentials.key_changes import rotate_api_key
from doorward.credentials.key_makers import OPERATOR
from doorward.credentials.signing_keys import SigningKey, SigningKeys
from doorward.model import Client, ClientId, Instant, Permission, Resource, ResourceId, ServerId, Status, TenantId
from doorward.policy.permission import expand
from doorward.storage import accounts, clients, connections, permissions, servers
from doorward.storage.database import Transaction
from support.rows import without_membership

pytestmark = pytest.mark.anyio

WEB = "https://app.example/cb"
INACTIVE = {"active": False}
C1 = ClientId("c1")


async def ask(
    world: World, token: str, client_id: str = "upstream", path: str = "/oauth/introspect", **more: str
) -> dict[str, Any]:
    header = basic(client_id, world.secrets[client_id])
    answer = await world.token({"token": token} | more, path=path, authorization=header)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    assert None not in found.values()
    return found


async def web_tokens(world: World, name: str = "alice", **changed: str) -> dict[str, Any]:
    """Return the tokens of C2, a confidential client."""
    code = await world.code(name, az(client_id="c2", redirect_uri=WEB, **changed))
    form = {name: value for name, value in tk(code).items() if name != "client_id"} | {"redirect_uri": WEB}
    form |= {name: value for name, value in changed.items() if name == "resource"}
    answer = await world.token(form, authorization=basic("c2", world.secrets["c2"]))
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def key_of(world: World, name: str, slug: str = "acme", **more: Any) -> Any:
    def make(tx: Transaction) -> Any:
        catalogue = [entry.permission for entry in permissions.catalogue(tx)]
        rights = expand(permissions.role_permissions(tx, tenant(slug).id, user(name).id), catalogue)
        wish = {"scopes": None, "resources": None, "expires_at": None} | more
        return create_api_key(
            tx, owner=user(name), tenant=tenant(slug), created_by=user(name).id, name="ci", rights=rights,
            now=world.clock.now, fingerprinter=FINGERPRINTER, prefix="dw", entropy=os.urandom, cause=None, **wish,
        )  # fmt: skip

    return await world.database.write(make)


@pytest.mark.requirement("B9")
@pytest.mark.parametrize("path", ["/oauth/introspect", "/introspect"])
async def test_D4_a_server_learns_what_a_token_for_it_is_good_for(world: World, path: str) -> None:
    token = (await world.connect(params=az(scope="documents:read documents:write")))["access_token"]
    now = world.clock.now // 1_000_000
    assert await ask(world, token, path=path) == {
        "active": True,
        "scope": "documents:read documents:write",
        "client_id": "c1",
        "token_type": "Bearer",
        "iss": PUBLIC_URL,
        "sub": "usr_alice",
        "aud": MCP,
        "iat": now,
        "exp": now + 3600,
        "tenant": "ten_acme",
        "tenant_slug": "acme",
        "credential": "access_token",
        "username": "alice@example.test",
    }


async def test_D4_a_client_may_ask_about_its_own_tokens_and_learns_no_address(world: World) -> None:
    tokens = await web_tokens(world)
    found = await ask(world, tokens["access_token"], "c2")
    assert (found["active"], found["scope"], found["client_id"]) == (True, "documents:read", "c2")
    assert not {"username", "tenant_slug"} & found.keys()
    found = await ask(world, tokens["refresh_token"], "c2")
    assert (found["active"], found["scope"], found["credential"]) == (True, "documents:read", "refresh_token")
    assert "token_type" not in found


async def test_D4_what_is_foreign_is_answered_like_garbage(world: World) -> None:
    tokens, own = await world.connect(), await web_tokens(world)
    key = (await key_of(world, "alice")).text
    for asking in ("c2", "posting", "machine", "other-upstream"):
        for token in (tokens["access_token"], tokens["refresh_token"], key, "garbage", "dw_x", "dwr_x", "a.b.c"):
            if asking == "posting":
                form = {"token": token, "client_id": asking, "client_secret": world.secrets[asking]}
                assert (await world.token(form, path="/oauth/introspect")).json() == INACTIVE
            else:
                assert await ask(world, token, asking) == INACTIVE, (asking, token[:8])
    # A refresh token is a matter between its client and us: no server is told of it.
    assert await ask(world, own["refresh_token"], "upstream") == INACTIVE
    assert await ask(world, own["refresh_token"], "machine") == INACTIVE


async def test_D4_a_server_is_told_nothing_of_another_servers_tokens(world: World) -> None:
    there = await web_tokens(world, "mallory", resource=GLOBEX_ONLY)
    assert await ask(world, there["access_token"], "upstream") == INACTIVE
    assert (await ask(world, there["access_token"], "other-upstream"))["active"] is True
    assert (await ask(world, there["access_token"], "c2"))["active"] is True


async def test_D4_who_proves_nothing_is_told_nothing(world: World) -> None:
    token = (await world.connect())["access_token"]
    sent = {"token": token}
    for form, headers in (
        (sent, {}),
        (sent | {"client_id": "c1"}, {}),
        (sent | {"client_id": "upstream"}, {}),
        (sent, {"authorization": basic("upstream", "wrong")}),
        (sent, {"authorization": basic("nobody", "wrong")}),
        (sent, {"authorization": f"Bearer {token}"}),
    ):
        is_token_error(await world.token(form, path="/oauth/introspect", **headers), "invalid_client", 401)
    header = basic("upstream", world.secrets["upstream"])
    is_token_error(await world.token({}, path="/oauth/introspect", authorization=header), "invalid_request")
    async with world.client() as http:
        answer = await http.get(f"/oauth/introspect?token={token}", headers={"authorization": header})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: accounts.update_user(tx, replace(user("alice"), status=Status.DISABLED)),
        lambda tx: accounts.update_tenant(tx, replace(tenant("acme"), status=Status.DISABLED)),
        lambda tx: without_membership(tx, tenant("acme").id, user("alice").id),
        lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []),
        lambda tx: servers.put_server(tx, replace(HARBOUR, status=Status.DISABLED)),
    ],
    ids=["user", "tenant", "membership", "server of the tenant", "server"],
)
async def test_D3_what_was_taken_away_is_inactive_at_the_next_question(world: World, change: Any) -> None:
    tokens, key = await web_tokens(world), (await key_of(world, "alice")).text
    asked = [("upstream", tokens["access_token"]), ("c2", tokens["access_token"]), ("c2", tokens["refresh_token"])]
    asked.append(("upstream", key))
    for asking, token in asked * 3:
        assert (await ask(world, token, asking))["active"] is True
    await world.database.write(change)
    for asking, token in asked:
        assert await ask(world, token, asking) == INACTIVE, (asking, token[:5])


async def test_a_url_that_is_served_no_more_makes_its_tokens_inactive(world: World) -> None:
    token = (await world.connect())["access_token"]
    await world.database.write(lambda tx: servers.put_server(tx, replace(HARBOUR, paths=("/{tenant}/mcp",))))
    assert await ask(world, token) == INACTIVE


async def test_lower_rights_narrow_the_scope(world: World) -> None:
    tokens = await web_tokens(world, scope="documents:read documents:write")
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, ("viewer",))
    )
    for asking, token in (("upstream", tokens["access_token"]), ("c2", tokens["refresh_token"])):
        assert (await ask(world, token, asking))["scope"] == "documents:read"


async def test_revoked_expired_and_used_tokens_are_inactive(world: World) -> None:
    tokens = await web_tokens(world)
    header = basic("c2", world.secrets["c2"])
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    second = (await world.token(refresh, authorization=header)).json()
    assert await ask(world, tokens["refresh_token"], "c2") == INACTIVE
    assert (await ask(world, second["refresh_token"], "c2"))["active"] is True
    await world.token({"token": tokens["access_token"]}, path="/oauth/revoke", authorization=header)
    assert await ask(world, tokens["access_token"]) == INACTIVE
    assert (await ask(world, second["access_token"]))["active"] is True
    world.clock.forward(3600)
    assert await ask(world, second["access_token"]) == INACTIVE
    assert (await ask(world, second["refresh_token"], "c2"))["active"] is True
    (connection,) = await world.connections()
    now = world.clock.now
    await world.database.write(lambda tx: connections.revoke_connection(tx, connection.id, now, "disconnected"))
    assert await ask(world, second["refresh_token"], "c2") == INACTIVE
    third = await web_tokens(world)
    world.clock.forward(31 * 86_400)
    assert await ask(world, third["refresh_token"], "c2") == INACTIVE


async def test_an_api_key_is_known_where_it_works(world: World) -> None:
    made = await key_of(world, "bob", scopes=frozenset({Permission("documents:read")}))
    found = await ask(world, made.text)
    assert (found["active"], found["scope"], found["credential"]) == (True, "documents:read", "api_key")
    assert (found["sub"], found["key_id"], found["tenant_slug"]) == ("usr_bob", made.key.id, "acme")
    assert not {"aud", "client_id", "exp"} & found.keys()
    # acme has not enabled the vault; globex has.
    assert await ask(world, made.text, "other-upstream") == INACTIVE
    assert (await ask(world, (await key_of(world, "mallory", "globex")).text, "other-upstream"))["active"] is True
    now = world.clock.now
    await world.database.write(
        lambda tx: revoke_api_key(tx, tenant_id=made.key.tenant_id, key_id=made.key.id, by=None, now=now, cause=None)
    )
    assert await ask(world, made.text) == INACTIVE


async def test_D4_a_key_is_active_only_where_that_can_be_known(world: World) -> None:
    """Which address showed a key is known to the server that asks, and one for another server is not its business."""
    anywhere = await key_of(world, "bob")
    assert (await ask(world, anywhere.text))["active"] is True
    assert await ask(world, (await key_of(world, "bob", networks=("127.0.0.0/8",))).text) == INACTIVE
    assert await ask(world, (await key_of(world, "bob", servers=frozenset({ServerId("none")}))).text) == INACTIVE

    def rotate(tx: Transaction) -> Any:
        return rotate_api_key(
            tx, anywhere.key.id, tenant=tenant("acme"), maker=OPERATOR, overlap=60, now=world.clock.now,
            entropy=os.urandom, fingerprinter=FINGERPRINTER, prefix="dw", cause=None,
        )  # fmt: skip

    fresh = await world.database.write(rotate)
    old = await ask(world, anywhere.text)
    assert (old["active"], old["exp"]) == (True, world.clock.now // 1_000_000 + 60)
    assert "exp" not in await ask(world, fresh.text)
    world.clock.forward(60)
    assert (await ask(world, anywhere.text), (await ask(world, fresh.text))["active"]) == (INACTIVE, True)


async def test_a_narrowed_credential_says_to_which_subtrees(world: World) -> None:
    node = Resource(id=ResourceId("r1"), tenant_id=tenant("acme").id, type="project", key="alpha", name="Alpha")
    await world.database.write(lambda tx: permissions.put_resources(tx, tenant("acme").id, [node]))
    made = await key_of(world, "bob", resources=frozenset({node.id}))
    assert (await ask(world, made.text))["resources"] == [{"type": "project", "key": "alpha"}]


async def test_a_machines_token_is_told_of_like_a_persons(world: World) -> None:
    form = {"grant_type": "client_credentials", "resource": ACME_MCP}
    token = (await world.token(form, authorization=basic("machine", world.secrets["machine"]))).json()["access_token"]
    for asking in ("machine", "upstream"):
        found = await ask(world, token, asking)
        assert (found["active"], found["sub"], found["aud"]) == (True, "usr_robot", ACME_MCP)


async def test_a_client_that_protects_no_server_any_more_is_told_nothing(world: World) -> None:
    token = (await world.connect())["access_token"]

    def change(tx: Transaction) -> None:
        stored = clients.client_by_id(tx, ClientId("upstream"))
        assert isinstance(stored, Client)
        clients.update_client(tx, replace(stored, introspects=frozenset({VAULT.id})))

    await world.database.write(change)
    assert await ask(world, token) == INACTIVE


async def test_what_is_kept_of_an_answer_is_kept_for_that_client_and_until_anything_changed(world: World) -> None:
    tokens, key = await web_tokens(world), await key_of(world, "alice")
    access = tokens["access_token"]
    for _ in range(3):
        assert "username" in await ask(world, access, "upstream")
        assert "username" not in await ask(world, access, "c2")
        assert (await ask(world, key.text))["active"] is True
    wrong = basic("upstream", "wrong")
    is_token_error(
        await world.token({"token": access}, path="/oauth/introspect", authorization=wrong), "invalid_client", 401
    )
    revoked = await world.token({"token": access}, path="/revoke", authorization=basic("c2", world.secrets["c2"]))
    assert revoked.status_code == 200
    assert await ask(world, access, "upstream") == INACTIVE
    assert await ask(world, access, "c2") == INACTIVE
    assert (await ask(world, key.text))["active"] is True


async def test_a_kept_answer_ends_with_its_token(world: World) -> None:
    access = (await web_tokens(world))["access_token"]
    for _ in range(3):
        assert (await ask(world, access))["active"] is True
    world.clock.forward(3600)
    assert await ask(world, access) == INACTIVE


def test_the_oldest_kept_answer_makes_room_and_refusals_take_none() -> None:
    keys, stamp, acme = SigningKeys([SigningKey("k", ECKey.generate_key("P-256"))]), (1, 2), TenantId("t")
    kept = KeptAnswers(limit=2)
    for token in ("a", "b", "c"):
        kept.keep(
            token, C1, {"active": True, "tenant": "t", "credential": "api_key"}, stamp=stamp, tenant_id=acme, keys=keys
        )
    kept.keep("d", C1, {"active": False}, stamp=stamp, tenant_id=acme, keys=keys)
    kept.keep(
        "e", C1, {"active": True, "tenant": "t", "credential": "refresh_token"}, stamp=stamp, tenant_id=acme, keys=keys
    )
    found = {token: kept.find(token, C1, stamp=stamp, keys=keys, now=Instant(0)) for token in "abcde"}
    assert [token for token, answer in found.items() if answer is not None] == ["b", "c"]
    assert kept.find("c", C1, stamp=(1, 3), keys=keys, now=Instant(0)) is None
    assert kept.find("c", C1, stamp=stamp, keys=SigningKeys(keys.ring), now=Instant(0)) is None
    assert kept.find("c", ClientId("c2"), stamp=stamp, keys=keys, now=Instant(0)) is None
