"""Every noun comes back as it was stored, in both dialects."""

from dataclasses import replace

import pytest

from doorward.model import (
    ApiKeyId,
    ClientId,
    ClientSecret,
    ConnectionId,
    Fingerprint,
    Instant,
    Membership,
    OwnerKind,
    Placement,
    Rates,
    RequestId,
    Resource,
    ResourceId,
    RoleId,
    ServerId,
    Status,
    TenantId,
    UserId,
)
from doorward.storage import (
    accounts,
    api_keys,
    claims,
    clients,
    connections,
    events,
    issued,
    keys,
    permissions,
    servers,
)
from doorward.storage import sessions as stored_sessions
from doorward.storage.database import Conflict, Database, Transaction, Unstorable
from support.rows import (
    ACME,
    ALICE,
    BOB,
    CATALOGUE,
    CLIENT,
    CODE,
    CONNECTION,
    GLOBEX,
    HARBOUR,
    KEY,
    LATER,
    NOW,
    OWNER,
    READ,
    REFRESH,
    SESSION,
    VIEWER,
    refresh_token,
    store_deployment,
    without_membership,
)

pytestmark = pytest.mark.anyio


async def test_users_come_back_and_are_found_by_address(database: Database) -> None:
    service = replace(BOB, kind=OwnerKind.SERVICE, status=Status.DISABLED, name="Böb 🚢")

    def store(tx: Transaction) -> None:
        accounts.insert_user(tx, ALICE, "hash")
        accounts.insert_user(tx, service, None)

    await database.write(store)
    assert await database.read(lambda r: accounts.user_by_email(r, ALICE.email)) == ALICE
    assert await database.read(lambda r: accounts.user_by_id(r, BOB.id)) == service
    assert await database.read(lambda r: accounts.user_by_email(r, "nobody@acme.test")) is None
    assert await database.read(lambda r: accounts.password_hash(r, ALICE.id)) == "hash"
    assert await database.read(lambda r: accounts.password_hash(r, BOB.id)) is None
    changed = replace(ALICE, name="Alice B", status=Status.DISABLED)
    assert await database.write(lambda tx: accounts.update_user(tx, changed))
    assert await database.read(lambda r: accounts.user_by_id(r, ALICE.id)) == changed
    assert not await database.write(
        lambda tx: accounts.update_user(tx, replace(ALICE, id=UserId("u-none"), email="x@y"))
    )


async def test_an_address_is_taken_once(database: Database) -> None:
    await database.write(lambda tx: accounts.insert_user(tx, ALICE, None))
    with pytest.raises(Conflict):
        await database.write(lambda tx: accounts.insert_user(tx, replace(BOB, email=ALICE.email), None))
    assert await database.read(lambda r: accounts.user_by_id(r, BOB.id)) is None


async def test_a_password_hash_is_replaced_only_if_it_is_the_one_that_was_seen(database: Database) -> None:
    def replaced(expected: str | None, new: str) -> bool:
        return accounts.replace_password_hash(tx_of[0], ALICE.id, expected=expected, new=new)

    tx_of: list[Transaction] = []

    def try_all(tx: Transaction) -> list[bool]:
        tx_of.append(tx)
        return [replaced("wrong", "b"), replaced(None, "b"), replaced("a", "b"), replaced("a", "c"), replaced("b", "c")]

    await database.write(lambda tx: accounts.insert_user(tx, ALICE, "a"))
    assert await database.write(try_all) == [False, False, True, False, True]
    await database.write(lambda tx: accounts.insert_user(tx, BOB, None))
    assert await database.write(lambda tx: accounts.replace_password_hash(tx, BOB.id, expected=None, new="first"))


async def test_tenants_come_back_by_slug_id_and_name(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.read(lambda r: accounts.tenant_by_slug(r, "acme")) == ACME
    assert await database.read(lambda r: accounts.tenant_by_id(r, GLOBEX.id)) == GLOBEX
    assert await database.read(lambda r: accounts.tenant_by_slug(r, "nowhere")) is None
    assert await database.read_long(accounts.all_tenants) == [ACME, GLOBEX]
    closed = replace(ACME, status=Status.DISABLED)
    assert await database.write(lambda tx: accounts.update_tenant(tx, closed))
    assert await database.read(lambda r: accounts.tenant_by_id(r, ACME.id)) == closed
    assert not await database.write(lambda tx: accounts.update_tenant(tx, replace(ACME, id=TenantId("t"), slug="zzz")))


async def test_a_tenant_keeps_what_it_says_of_rates_and_a_change_of_it_is_seen(database: Database) -> None:
    await database.write(store_deployment)
    said = replace(ACME, rates=Rates(user_per_minute=60, tool_per_day=0))
    before = await database.revisions(ACME.id)
    assert await database.write(lambda tx: accounts.update_tenant(tx, said))
    assert await database.read(lambda r: accounts.tenant_by_id(r, ACME.id)) == said
    assert await database.revisions(ACME.id) != before


async def test_memberships_name_their_roles_and_only_active_tenants(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: permissions.set_membership(tx, GLOBEX.id, ALICE.id, ()))
    assert await database.read(lambda r: accounts.memberships_of_user(r, ALICE.id)) == [
        (ACME, Membership(tenant_id=ACME.id, user_id=ALICE.id, roles=("owner",))),
        (GLOBEX, Membership(tenant_id=GLOBEX.id, user_id=ALICE.id, roles=())),
    ]
    await database.write(lambda tx: accounts.update_tenant(tx, replace(GLOBEX, status=Status.DISABLED)))
    found = await database.read(lambda r: accounts.memberships_of_user(r, ALICE.id))
    assert [tenant.slug for tenant, _ in found] == ["acme"]
    members = await database.read_long(lambda r: accounts.members_of_tenant(r, ACME.id))
    assert [(user, place.roles) for user, place in members] == [(ALICE, ("owner",)), (BOB, ("viewer",))]


async def test_sessions_end_by_hand_and_by_time(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: stored_sessions.insert_session(tx, SESSION))
    other = replace(SESSION, id="session-2", fingerprint=Fingerprint("session-2"))  # type: ignore[arg-type]
    await database.write(lambda tx: stored_sessions.insert_session(tx, other))

    async def alive(fingerprint: str, now: Instant = NOW) -> bool:
        found = await database.read(lambda r: stored_sessions.session_by_fingerprint(r, Fingerprint(fingerprint), now))
        return found is not None

    assert await database.read(lambda r: stored_sessions.session_by_fingerprint(r, SESSION.fingerprint, NOW)) == SESSION
    assert not await alive("session-fp", LATER)
    assert await database.write(lambda tx: stored_sessions.end_session(tx, SESSION.id, NOW))
    assert not await database.write(lambda tx: stored_sessions.end_session(tx, SESSION.id, NOW))
    assert not await alive("session-fp")
    assert await alive("session-2")
    assert await database.write(lambda tx: stored_sessions.end_sessions_of_user(tx, ALICE.id, NOW)) == 1
    assert not await alive("session-2")


async def test_failed_sign_ins_are_counted_for_a_day_and_cleared(database: Database) -> None:
    async def fail(at: int) -> int:
        return await database.write(lambda tx: accounts.record_sign_in_failure(tx, "x@y.test", Instant(at)))

    assert [await fail(NOW), await fail(NOW + 1)] == [1, 2]
    assert await database.read(lambda r: accounts.sign_in_failures(r, "x@y.test", Instant(NOW + 1))) == 1
    assert await database.read(lambda r: accounts.sign_in_failures(r, "other@y.test", NOW)) == 0
    assert await fail(NOW + accounts.FAILURES_KEPT + 1) == 2
    await database.write(lambda tx: accounts.clear_sign_in_failures(tx, "x@y.test"))
    assert await database.read(lambda r: accounts.sign_in_failures(r, "x@y.test", Instant(0))) == 0


async def test_the_catalogue_is_changed_entry_by_entry(database: Database) -> None:
    await database.write(lambda tx: permissions.put_catalogue(tx, CATALOGUE))
    await database.write(lambda tx: permissions.put_catalogue(tx, [replace(CATALOGUE[0], words="Look")]))
    found = await database.read(permissions.catalogue)
    assert found == [replace(CATALOGUE[0], words="Look"), CATALOGUE[1]]


async def test_a_role_keeps_its_id_and_gets_new_permissions(database: Database) -> None:
    await database.write(store_deployment)
    again = replace(VIEWER, id=RoleId("r-other"), permissions=("documents:read", "*:list", "*:list"))
    await database.write(lambda tx: permissions.put_role(tx, again))
    found = await database.read(lambda r: permissions.roles_of_tenant(r, ACME.id))
    assert found == [OWNER, replace(VIEWER, permissions=("*:list", "documents:read"))]
    assert await database.read(lambda r: permissions.role_permissions(r, ACME.id, BOB.id)) == {
        "*:list",
        "documents:read",
    }
    await database.write(lambda tx: permissions.put_role(tx, replace(VIEWER, permissions=())))
    assert await database.read(lambda r: permissions.role_permissions(r, ACME.id, BOB.id)) == frozenset()


async def test_rights_need_an_active_user_an_active_tenant_and_a_role_there(database: Database) -> None:
    async def rights(tenant: TenantId = ACME.id) -> frozenset[str]:
        return await database.read(lambda r: permissions.role_permissions(r, tenant, ALICE.id))

    await database.write(store_deployment)
    assert await rights() == {"*:*"}
    assert await rights(GLOBEX.id) == frozenset()
    await database.write(lambda tx: accounts.update_user(tx, replace(ALICE, status=Status.DISABLED)))
    assert await rights() == frozenset()
    await database.write(lambda tx: accounts.update_user(tx, ALICE))
    await database.write(lambda tx: accounts.update_tenant(tx, replace(ACME, status=Status.DISABLED)))
    assert await rights() == frozenset()
    await database.write(lambda tx: accounts.update_tenant(tx, ACME))
    await database.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer", "owner")))
    assert await rights() == {"*:*", "*:read"}
    await database.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ()))
    assert await rights() == frozenset()
    assert await database.write(lambda tx: without_membership(tx, ACME.id, ALICE.id))
    assert not await database.write(lambda tx: without_membership(tx, ACME.id, ALICE.id))


async def test_a_role_at_a_node_gives_its_patterns_there_and_goes_with_the_node(database: Database) -> None:
    async def placed() -> dict[ResourceId, frozenset[str]]:
        return await database.read(lambda r: permissions.placed_permissions(r, ACME.id, BOB.id))

    await database.write(store_deployment)
    node = _node("a")
    await database.write(lambda tx: permissions.put_resources(tx, ACME.id, [node]))
    place = Placement(role="owner", resource_id=node.id)
    await database.write(lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, [place, place]))
    assert await database.read(lambda r: permissions.placements_of_tenant(r, ACME.id)) == {BOB.id: (place,)}
    assert await placed() == {node.id: frozenset({"*:*"})}
    anywhere = await database.read(lambda r: permissions.permissions_anywhere(r, ACME.id, BOB.id))
    assert anywhere == {"*:*", "*:read"}
    assert await database.read(lambda r: permissions.role_permissions(r, ACME.id, BOB.id)) == {"*:read"}
    await database.write(lambda tx: accounts.update_user(tx, replace(BOB, status=Status.DISABLED)))
    assert await placed() == {}
    await database.write(lambda tx: accounts.update_user(tx, BOB))
    for wrong in (Placement(role="boss", resource_id=node.id), Placement(role="owner", resource_id=ResourceId("x"))):
        with pytest.raises(LookupError):
            await database.write(lambda tx, wrong=wrong: permissions.set_placements(tx, ACME.id, BOB.id, [wrong]))
    assert await placed() == {node.id: frozenset({"*:*"})}
    await database.write(lambda tx: permissions.remove_resources(tx, ACME.id, [node.id]))
    assert await placed() == {}


async def test_an_unknown_role_changes_nothing(database: Database) -> None:
    await database.write(store_deployment)
    with pytest.raises(LookupError, match="no role 'admin'"):
        await database.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer", "admin")))
    assert await database.read(lambda r: permissions.role_permissions(r, ACME.id, ALICE.id)) == {"*:*"}


def _node(key: str, parent: str | None = None, node_id: str | None = None, tenant: TenantId = ACME.id) -> Resource:
    above = None if parent is None else ResourceId(parent)
    return Resource(
        id=ResourceId(node_id or f"id-{key}"),
        tenant_id=tenant,
        type="folder",
        key=key,
        name=key.upper(),
        parent_id=above,
    )


async def test_a_tree_is_stored_in_any_order_and_keeps_its_ids(database: Database) -> None:
    await database.write(store_deployment)
    nodes = [_node("c", "id-b"), _node("b", "id-a"), _node("a")]
    await database.write(lambda tx: permissions.put_resources(tx, ACME.id, nodes))
    assert await database.read(lambda r: permissions.resources_of_tenant(r, ACME.id)) == nodes[::-1]
    renamed = [_node("a", node_id="fresh-a"), _node("b", "fresh-a", node_id="fresh-b")]
    await database.write(lambda tx: permissions.put_resources(tx, ACME.id, renamed))
    assert await database.read(lambda r: permissions.resources_of_tenant(r, ACME.id)) == nodes[::-1]


async def test_a_removed_node_takes_with_it_what_is_below(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(
        lambda tx: permissions.put_resources(tx, ACME.id, [_node("a"), _node("b", "id-a"), _node("c", "id-b")])
    )
    assert await database.write(lambda tx: permissions.remove_resources(tx, ACME.id, [ResourceId("id-b")])) == 1
    assert await database.read(lambda r: permissions.resources_of_tenant(r, ACME.id)) == [_node("a")]


async def test_a_tree_does_not_reach_into_another_tenant(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: permissions.put_resources(tx, ACME.id, [_node("a")]))
    with pytest.raises(Conflict):
        await database.write(
            lambda tx: permissions.put_resources(tx, GLOBEX.id, [_node("g", "id-a", tenant=GLOBEX.id)])
        )
    with pytest.raises(Conflict):
        await database.write(
            lambda tx: permissions.put_resources(tx, GLOBEX.id, [_node("g", node_id="id-a", tenant=GLOBEX.id)])
        )
    assert await database.write(lambda tx: permissions.remove_resources(tx, GLOBEX.id, [ResourceId("id-a")])) == 0
    assert await database.read(lambda r: permissions.resources_of_tenant(r, ACME.id)) == [_node("a")]


async def test_a_server_comes_back_with_rules_in_their_order(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.read(servers.servers) == [HARBOUR]
    changed = replace(HARBOUR, id=ServerId("s-other"), paths=("/mcp",), rules=HARBOUR.rules[::-1], builtin_tools=False)
    await database.write(lambda tx: servers.put_server(tx, changed))
    kept = replace(changed, id=HARBOUR.id)
    assert await database.read(lambda r: servers.server_by_slug(r, "harbour")) == kept
    await database.write(lambda tx: servers.put_server(tx, replace(changed, status=Status.DISABLED)))
    assert await database.read(servers.servers) == []
    assert await database.read(lambda r: servers.server_by_slug(r, "harbour")) == replace(kept, status=Status.DISABLED)
    assert await database.read(lambda r: servers.server_by_slug(r, "other")) is None


async def test_a_path_belongs_to_one_server(database: Database) -> None:
    await database.write(store_deployment)
    with pytest.raises(Conflict):
        await database.write(lambda tx: servers.put_server(tx, replace(HARBOUR, id=ServerId("s2"), slug="second")))
    assert await database.read(servers.servers) == [HARBOUR]


async def test_a_tenant_has_the_servers_it_enabled(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.read(lambda r: servers.servers_of_tenant(r, ACME.id)) == {HARBOUR.id}
    assert await database.read(lambda r: servers.enabled(r, ACME.id, HARBOUR.id))
    assert await database.read(lambda r: servers.servers_of_tenant(r, GLOBEX.id)) == frozenset()
    await database.write(lambda tx: servers.set_tenant_servers(tx, ACME.id, []))
    assert await database.read(lambda r: servers.servers_of_tenant(r, ACME.id)) == frozenset()
    with pytest.raises(Conflict):
        await database.write(lambda tx: servers.set_tenant_servers(tx, ACME.id, [ServerId("s-none")]))


async def test_the_same_registration_is_the_same_client(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.read(lambda r: clients.client_by_id(r, CLIENT.id)) == CLIENT
    twin = replace(CLIENT, id=ClientId("c-two"), created_at=LATER)
    secret = Fingerprint("secret")
    stored = await database.write(
        lambda tx: clients.insert_client(tx, twin, canonical_key="canonical", secret_fingerprint=secret)
    )
    assert stored == CLIENT
    assert await database.read(lambda r: clients.client_by_id(r, twin.id)) is None
    other = await database.write(
        lambda tx: clients.insert_client(tx, twin, canonical_key=None, secret_fingerprint=secret)
    )
    assert other == twin
    assert await database.read(lambda r: clients.client_secret_fingerprints(r, twin.id, NOW)) == [secret]
    with pytest.raises(Conflict):
        await database.write(lambda tx: clients.insert_client(tx, twin, canonical_key=None, secret_fingerprint=None))


async def test_a_client_is_changed(database: Database) -> None:
    await database.write(store_deployment)
    changed = replace(CLIENT, name="New", scope_limit=None, status=Status.DISABLED, redirect_uris=())
    assert await database.write(lambda tx: clients.update_client(tx, changed))
    assert await database.read(lambda r: clients.client_by_id(r, CLIENT.id)) == changed
    assert not await database.write(lambda tx: clients.update_client(tx, replace(changed, id=ClientId("c-none"))))


async def test_a_machines_client_comes_back_whole(database: Database) -> None:
    await database.write(store_deployment)
    key = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}
    machine = replace(
        CLIENT, jwks=(key,), service_account=ALICE.id, service_tenant=ACME.id, introspects=frozenset({HARBOUR.id})
    )
    await database.write(lambda tx: clients.update_client(tx, machine))
    assert await database.read(lambda r: clients.client_by_id(r, CLIENT.id)) == machine


async def test_C28_secrets_follow_one_another_with_an_overlap(database: Database) -> None:
    await database.write(store_deployment)
    first, second = (
        ClientSecret(id=name, client_id=CLIENT.id, fingerprint=Fingerprint(f"hash of {name}"), created_at=NOW)
        for name in ("one", "two")
    )

    def rotate(tx: Transaction) -> tuple[bool, bool]:
        clients.insert_client_secret(tx, first)
        clients.insert_client_secret(tx, second)
        return (
            clients.retire_client_secret(tx, CLIENT.id, "one", LATER),
            clients.retire_client_secret(tx, ClientId("c-none"), "two", LATER),
        )

    assert await database.write(rotate) == (True, False)
    before = await database.read(lambda r: clients.client_secret_fingerprints(r, CLIENT.id, NOW))
    after = await database.read(lambda r: clients.client_secret_fingerprints(r, CLIENT.id, LATER))
    assert (before, after) == ([first.fingerprint, second.fingerprint], [second.fingerprint])
    stored = await database.read(lambda r: clients.client_secrets_of(r, CLIENT.id))
    assert stored == [replace(first, expires_at=LATER), second]


async def test_C29_an_assertion_is_used_once_until_it_is_forgotten(database: Database) -> None:
    async def use(client_id: str, now: Instant, expires_at: Instant) -> bool:
        return await database.write(
            lambda tx: clients.use_assertion(tx, ClientId(client_id), "jti", now=now, expires_at=expires_at)
        )

    assert await use("one", NOW, LATER)
    assert not await use("one", NOW, LATER)
    assert not await use("one", LATER, LATER)
    assert await use("two", NOW, LATER)
    assert await use("one", Instant(LATER + 1), Instant(LATER + 2))


async def test_a_connection_is_activated_once_and_revoked_for_ever(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.read(lambda r: connections.connection_by_id(r, CONNECTION.id)) == CONNECTION

    def all_once(tx: Transaction) -> list[bool]:
        return [
            connections.activate_connection(tx, CONNECTION.id, NOW),
            connections.activate_connection(tx, CONNECTION.id, LATER),
            connections.revoke_connection(tx, CONNECTION.id, LATER, "disconnected"),
            connections.revoke_connection(tx, CONNECTION.id, LATER, "again"),
            connections.activate_connection(tx, CONNECTION.id, LATER),
        ]

    assert await database.write(all_once) == [True, False, True, False, False]
    ended = replace(CONNECTION, activated_at=NOW, revoked_at=LATER, revoked_reason="disconnected")
    assert await database.read(lambda r: connections.connections_of_user(r, ALICE.id)) == [ended]


async def test_a_whole_tenant_and_an_empty_narrowing_are_not_the_same(database: Database) -> None:
    await database.write(store_deployment)
    for name, resources in (("whole", None), ("none", frozenset[ResourceId]())):
        other = replace(CONNECTION, id=ConnectionId(name), resources=resources)
        await database.write(lambda tx, other=other: connections.insert_connection(tx, other))  # type: ignore[misc]
        found = await database.read(lambda r, name=name: connections.connection_by_id(r, ConnectionId(name)))  # type: ignore[misc]
        assert found == other


async def test_codes_and_refresh_tokens_come_back(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: issued.insert_code(tx, CODE))
    assert await database.read(lambda r: issued.code_by_fingerprint(r, CODE.fingerprint)) == CODE
    assert await database.read(lambda r: issued.code_by_fingerprint(r, Fingerprint("no"))) is None
    assert await database.write(lambda tx: issued.use_code(tx, CODE.fingerprint, LATER))
    used = await database.read(lambda r: issued.code_by_fingerprint(r, CODE.fingerprint))
    assert used == replace(CODE, used_at=LATER)
    assert [await database.write(lambda tx: issued.fail_code(tx, CODE.fingerprint)) for _ in range(2)] == [1, 2]
    assert await database.write(lambda tx: issued.fail_code(tx, Fingerprint("no"))) == 0
    assert await database.write(lambda tx: issued.insert_refresh_token(tx, REFRESH))
    assert not await database.write(lambda tx: issued.insert_refresh_token(tx, REFRESH))
    child = refresh_token(1, parent=0)
    assert await database.write(lambda tx: issued.insert_refresh_token(tx, child))
    assert await database.read(lambda r: issued.refresh_token_by_fingerprint(r, child.fingerprint)) == child
    assert await database.read(lambda r: issued.refresh_token_by_fingerprint(r, Fingerprint("no"))) is None


async def test_a_request_is_claimed_once(database: Database) -> None:
    async def claim(name: str, now: Instant = NOW) -> bool:
        return await database.write(lambda tx: claims.claim_request(tx, RequestId(name), now, LATER))

    assert [await claim("a"), await claim("a"), await claim("b")] == [True, False, True]


async def test_a_revoked_access_token_is_refused_until_it_expires(database: Database) -> None:
    await database.write(store_deployment)
    assert await database.write(lambda tx: issued.revoke_access_token(tx, "jti-1", CONNECTION.id, LATER))
    assert not await database.write(lambda tx: issued.revoke_access_token(tx, "jti-1", CONNECTION.id, LATER))
    assert await database.read(lambda r: issued.access_token_revoked(r, "jti-1"))
    assert not await database.read(lambda r: issued.access_token_revoked(r, "jti-2"))
    after = Instant(LATER + 1)
    await database.write(lambda tx: issued.revoke_access_token(tx, "jti-3", CONNECTION.id, after, now=after))
    assert not await database.read(lambda r: issued.access_token_revoked(r, "jti-1"))


async def test_api_keys_come_back_and_end_for_ever(database: Database) -> None:
    await database.write(store_deployment)
    newer = replace(
        KEY, id=ApiKeyId("k-two"), fingerprint=Fingerprint("key-2"), created_at=LATER, resources=frozenset()
    )
    for key in (KEY, newer):
        await database.write(lambda tx, key=key: api_keys.insert_api_key(tx, key))  # type: ignore[misc]
    assert await database.read(lambda r: api_keys.api_key_by_fingerprint(r, KEY.fingerprint)) == KEY
    assert await database.read(lambda r: api_keys.api_key_by_id(r, ACME.id, KEY.id)) == KEY
    assert await database.read(lambda r: api_keys.api_key_by_id(r, GLOBEX.id, KEY.id)) is None
    assert not await database.write(lambda tx: api_keys.revoke_api_key(tx, GLOBEX.id, KEY.id, NOW))
    assert await database.write(lambda tx: api_keys.revoke_api_key(tx, ACME.id, KEY.id, LATER))
    assert not await database.write(lambda tx: api_keys.revoke_api_key(tx, ACME.id, KEY.id, LATER))
    found = await database.read(lambda r: api_keys.api_keys_of_user(r, ALICE.id))
    assert found == [newer, replace(KEY, revoked_at=LATER)]


async def test_the_last_use_of_a_key_only_moves_forward(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, KEY))
    uses = [(KEY.id, LATER, "192.0.2.1", "client/2"), (KEY.id, NOW, None, None)]
    await database.write(lambda tx: api_keys.touch_api_keys(tx, uses))
    await database.write(lambda tx: api_keys.touch_api_keys(tx, []))
    used = replace(KEY, last_used_at=LATER, last_used_ip="192.0.2.1", last_used_client="client/2")
    assert await database.read(lambda r: api_keys.api_key_by_id(r, ACME.id, KEY.id)) == used


async def test_keys_and_facts_of_the_deployment_come_back(database: Database) -> None:
    row = keys.SigningKeyRow(
        kid="kid-1",
        algorithm="ES256",
        public_jwk="{}",
        sealed_private=bytes(range(256)),
        created_at=NOW,
        signs_from=LATER,
    )
    await database.write(lambda tx: keys.insert_signing_key(tx, row))
    assert await database.read(keys.signing_keys) == [row]
    assert await database.write(lambda tx: keys.put_meta_once(tx, "name", "first"))
    assert not await database.write(lambda tx: keys.put_meta_once(tx, "name", "second"))
    assert await database.read(lambda r: keys.meta(r, "name")) == "first"
    assert await database.read(lambda r: keys.meta(r, "other")) is None


async def test_events_come_back_newest_first(database: Database) -> None:
    def event(number: int, tenant: TenantId | None) -> events.AuditEvent:
        return events.AuditEvent(
            at=Instant(NOW + number), tenant_id=tenant, actor_id=None, name="user:changed", subject=f"s{number}",
            detail={"a": "ü"}, request_id="r", address="2001:db8::7",
        )  # fmt: skip

    def call(number: int) -> events.CallEvent:
        return events.CallEvent(
            at=Instant(NOW + number), tenant_id=ACME.id, user_id=ALICE.id, credential="api_key", credential_id=KEY.id,
            client_id=None, server_id=HARBOUR.id, method="tools/call", name=None, decision="allowed", reason="rule",
            status=200, duration_us=5, request_id="r", address="192.0.2.7",
        )  # fmt: skip

    stored = [event(1, ACME.id), event(2, None), event(3, ACME.id)]
    await database.write(lambda tx: events.insert_events(tx, stored))
    await database.write(lambda tx: events.insert_calls(tx, [call(1), call(2), call(3)]))
    await database.write(lambda tx: events.insert_calls(tx, []))
    assert await database.read_long(lambda r: events.recent_events(r, None, 2)) == [stored[2], stored[1]]
    assert await database.read_long(lambda r: events.recent_events(r, ACME.id, 9)) == [stored[2], stored[0]]
    assert await database.read_long(lambda r: events.recent_calls(r, ACME.id, 2)) == [call(3), call(2)]
    assert await database.read_long(lambda r: events.events_of_request(r, "r")) == stored
    assert await database.read_long(lambda r: events.events_of_request(r, "another")) == []
    assert await database.read_long(lambda r: events.calls_of_request(r, "r")) == [call(1), call(2), call(3)]
    assert await database.read_long(lambda r: events.calls_of_request(r, "r", newest=2)) == [call(2), call(3)]
    assert await database.read_long(lambda r: events.calls_of_request(r, "another")) == []


async def test_text_that_cannot_be_stored_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(Unstorable):
        await database.read(lambda r: accounts.user_by_email(r, "half \ud800 a pair"))
    with pytest.raises(Unstorable):
        await database.write(lambda tx: accounts.insert_user(tx, replace(ALICE, name="\udfff"), None))


async def test_scopes_are_stored_as_a_set(database: Database) -> None:
    await database.write(store_deployment)
    empty = replace(KEY, scopes=frozenset())
    await database.write(lambda tx: api_keys.insert_api_key(tx, empty))
    found = await database.read(lambda r: api_keys.api_key_by_fingerprint(r, KEY.fingerprint))
    assert found is not None
    assert found.scopes == frozenset()
    assert READ not in found.scopes
