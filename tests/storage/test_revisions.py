"""Whatever the live state reads cannot change unseen, whoever changes it."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from doorward.model import (
    ApiKeyId,
    ClientId,
    ConnectionId,
    Effect,
    Fingerprint,
    OldSecret,
    Override,
    Placement,
    Resource,
    ResourceId,
    RoleId,
    ServerId,
    ToolState,
    UserId,
)
from doorward.storage import (
    accounts,
    api_keys,
    clients,
    connections,
    hot,
    issued,
    keys,
    known_tools,
    overrides,
    permissions,
    servers,
    sessions,
    triggers,
    upstream_secrets,
)
from doorward.storage.database import Database, StorageUnavailable, Transaction
from doorward.storage.opening import open_database
from doorward.storage.statements import Statement
from support.rows import (
    ACME,
    ALICE,
    BOB,
    CATALOGUE,
    CLIENT,
    CONNECTION,
    GLOBEX,
    HARBOUR,
    KEY,
    LATER,
    NOW,
    SESSION,
    VIEWER,
    store_deployment,
    without_membership,
)

pytestmark = pytest.mark.anyio

NODE = Resource(id=ResourceId("d-1"), tenant_id=ACME.id, type="document", key="1", name="One")
OVERRIDE = Override(id="ovr-1", tenant_id=ACME.id, server_id=HARBOUR.id, match="*", effect=Effect.DENY)
KNOWN = known_tools.KnownTool(
    server_id=HARBOUR.id, name="echo", digest="one", first_seen=NOW, annotations={}, state=ToolState.ALLOWED
)
SIGNING_KEY = keys.SigningKeyRow(
    kid="kid", algorithm="ES256", public_jwk="{}", sealed_private=b"x", created_at=NOW, signs_from=NOW
)


def _text(text: str) -> Callable[[Transaction], int]:
    statement = Statement(text)
    return lambda tx: tx.run(statement)


OF_THE_TENANT: dict[str, Callable[[Transaction], object]] = {
    "tenants UPDATE": lambda tx: accounts.update_tenant(tx, replace(ACME, name="New")),
    "memberships INSERT": _text("INSERT INTO memberships (tenant_id, user_id) VALUES ('t-acme', 'u-extra')"),
    "memberships UPDATE": _text("UPDATE memberships SET user_id = 'u-extra' WHERE user_id = 'u-free'"),
    "memberships DELETE": lambda tx: without_membership(tx, ACME.id, BOB.id),
    "role_bindings INSERT": _text(
        "INSERT INTO role_bindings (tenant_id, user_id, role_id) VALUES ('t-acme', 'u-bob', 'r-owner')"
    ),
    "role_bindings UPDATE": _text("UPDATE role_bindings SET role_id = 'r-owner' WHERE user_id = 'u-bob'"),
    "role_bindings DELETE": _text("DELETE FROM role_bindings WHERE user_id = 'u-bob'"),
    "role_placements INSERT": lambda tx: permissions.set_placements(
        tx, ACME.id, ALICE.id, [Placement(role="viewer", resource_id=NODE.id)]
    ),
    "role_placements UPDATE": _text("UPDATE role_placements SET role_id = 'r-owner' WHERE user_id = 'u-bob'"),
    "role_placements DELETE": lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, []),
    "roles INSERT": lambda tx: permissions.put_role(
        tx, replace(VIEWER, id=RoleId("r-new"), name="new", permissions=())
    ),
    "roles UPDATE": _text("UPDATE roles SET name = 'other' WHERE id = 'r-viewer'"),
    "roles DELETE": _text("DELETE FROM roles WHERE id = 'r-viewer'"),
    "role_permissions INSERT": _text(
        "INSERT INTO role_permissions (role_id, permission, tenant_id) VALUES ('r-owner', 'x:y', 't-acme')"
    ),
    "role_permissions UPDATE": _text("UPDATE role_permissions SET permission = 'x:y' WHERE role_id = 'r-viewer'"),
    "role_permissions DELETE": _text("DELETE FROM role_permissions WHERE role_id = 'r-viewer'"),
    "resources INSERT": lambda tx: permissions.put_resources(
        tx, ACME.id, [replace(NODE, id=ResourceId("d-2"), key="2")]
    ),
    "resources UPDATE": lambda tx: permissions.put_resources(tx, ACME.id, [replace(NODE, name="Two")]),
    "resources DELETE": lambda tx: permissions.remove_resources(tx, ACME.id, [NODE.id]),
    "tenant_servers INSERT": _text("INSERT INTO tenant_servers (tenant_id, server_id) VALUES ('t-acme', 's-second')"),
    "tenant_servers UPDATE": _text("UPDATE tenant_servers SET server_id = 's-second' WHERE tenant_id = 't-acme'"),
    "tenant_servers DELETE": lambda tx: servers.set_tenant_servers(tx, ACME.id, []),
    "tool_overrides INSERT": lambda tx: overrides.add_override(tx, replace(OVERRIDE, id="ovr-2"), 1),
    "tool_overrides UPDATE": _text("UPDATE tool_overrides SET match = 'x' WHERE id = 'ovr-1'"),
    "tool_overrides DELETE": lambda tx: overrides.remove_override(tx, ACME.id, "ovr-1"),
    "connections INSERT": lambda tx: connections.insert_connection(tx, replace(CONNECTION, id=ConnectionId("n-2"))),
    "connections UPDATE": lambda tx: connections.revoke_connection(tx, CONNECTION.id, LATER, "x"),
    "connections DELETE": _text("DELETE FROM connections WHERE id = 'n-one'"),
    "old_key_secrets INSERT": _text(
        "INSERT INTO old_key_secrets (fingerprint, key_id, tenant_id, last_four, replaced_at, ends_at)"
        " VALUES ('older', 'k-one', 't-acme', 'abcd', 1, 2)"
    ),
    "old_key_secrets UPDATE": _text("UPDATE old_key_secrets SET ends_at = 0 WHERE fingerprint = 'old'"),
    "old_key_secrets DELETE": _text("DELETE FROM old_key_secrets WHERE fingerprint = 'old'"),
    "api_keys INSERT": lambda tx: api_keys.insert_api_key(
        tx, replace(KEY, id=ApiKeyId("k-2"), fingerprint=Fingerprint("key-2"))
    ),
    "api_keys UPDATE": lambda tx: api_keys.revoke_api_key(tx, ACME.id, KEY.id, LATER),
    "api_keys DELETE": _text("DELETE FROM api_keys WHERE id = 'k-one'"),
}

OF_ALL: dict[str, Callable[[Transaction], object]] = {
    "users INSERT": lambda tx: accounts.insert_user(tx, replace(ALICE, id=UserId("u-new"), email="new@x.test"), None),
    "users UPDATE": lambda tx: accounts.update_user(tx, replace(ALICE, name="New")),
    "users DELETE": _text("DELETE FROM users WHERE id = 'u-extra'"),
    "servers INSERT": _text(
        "INSERT INTO servers (id, slug, name, upstream, builtin_tools, new_tools, changed_tools, status)"
        " VALUES ('s-3', 'third', 'T', 'http://x', 1, 'allow', 'allow', 'active')"
    ),
    "servers UPDATE": _text("UPDATE servers SET upstream = 'http://y' WHERE id = 's-harbour'"),
    "servers DELETE": _text("DELETE FROM servers WHERE id = 's-second'"),
    "server_paths INSERT": _text("INSERT INTO server_paths (path, server_id, position) VALUES ('/p', 's-harbour', 9)"),
    "server_paths UPDATE": _text("UPDATE server_paths SET path = '/p' WHERE path = '/mcp'"),
    "server_paths DELETE": _text("DELETE FROM server_paths WHERE path = '/mcp'"),
    "tool_rules INSERT": _text(
        "INSERT INTO tool_rules (server_id, position, kind, \"match\", requires, resources) VALUES ('s-harbour', 9, 'tool', '*', '', '[]')"
    ),
    "tool_rules UPDATE": _text("UPDATE tool_rules SET requires = 'x:y' WHERE position = 0"),
    "tool_rules DELETE": _text("DELETE FROM tool_rules WHERE position = 0"),
    "known_tools INSERT": lambda tx: known_tools.add_known(tx, replace(KNOWN, digest="two")),
    "known_tools UPDATE": lambda tx: known_tools.set_state(tx, KNOWN, ToolState.HELD, "x", NOW),
    "known_tools DELETE": _text("DELETE FROM known_tools WHERE digest = 'one'"),
    "permission_catalogue INSERT": _text(
        "INSERT INTO permission_catalogue (permission, words, is_default, destructive) VALUES ('x:y', '', 1, 0)"
    ),
    "permission_catalogue UPDATE": lambda tx: permissions.put_catalogue(tx, [replace(CATALOGUE[0], words="New")]),
    "permission_catalogue DELETE": _text("DELETE FROM permission_catalogue"),
    "clients UPDATE": lambda tx: clients.update_client(tx, replace(CLIENT, name="New")),
    "clients DELETE": _text("DELETE FROM clients WHERE id = 'c-free'"),
    "signing_keys INSERT": lambda tx: keys.insert_signing_key(tx, replace(SIGNING_KEY, kid="kid-2")),
    "signing_keys UPDATE": _text("UPDATE signing_keys SET revoked_at = 5"),
    "signing_keys DELETE": _text("DELETE FROM signing_keys"),
    "upstream_secrets INSERT": lambda tx: upstream_secrets.put_secret(tx, "other", "sealed", LATER),
    "upstream_secrets UPDATE": lambda tx: upstream_secrets.put_secret(tx, "token", "sealed again", LATER),
    "upstream_secrets DELETE": lambda tx: upstream_secrets.remove_secret(tx, "token"),
    "revoked_access_tokens INSERT": lambda tx: issued.revoke_access_token(tx, "jti", CONNECTION.id, LATER),
}

HARMLESS: dict[str, Callable[[Transaction], object]] = {
    "a key was used": lambda tx: api_keys.touch_api_keys(tx, [(KEY.id, LATER, "192.0.2.1", "x")]),
    "a password was changed": lambda tx: accounts.replace_password_hash(
        tx, ALICE.id, expected="hash-of-alice", new="other"
    ),
    "somebody signed in": lambda tx: sessions.insert_session(tx, SESSION),
    "a sign-in failed": lambda tx: accounts.record_sign_in_failure(tx, "x@y", NOW),
    "a client registered": lambda tx: clients.insert_client(
        tx, replace(CLIENT, id=ClientId("c-new")), canonical_key="new", secret_fingerprint=None
    ),
    "a client registered again": lambda tx: clients.note_registration(tx, CLIENT.id, LATER),
}


def store_everything(tx: Transaction) -> None:
    store_deployment(tx)
    for name in ("extra", "free"):
        accounts.insert_user(tx, replace(ALICE, id=UserId(f"u-{name}"), email=f"{name}@x.test"), None)
    permissions.set_membership(tx, ACME.id, UserId("u-free"), ())
    permissions.put_resources(tx, ACME.id, [NODE])
    permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="viewer", resource_id=NODE.id)])
    overrides.add_override(tx, OVERRIDE, 0)
    known_tools.add_known(tx, KNOWN)
    second = replace(HARBOUR, id=ServerId("s-second"), slug="second", paths=("/second",), rules=())
    servers.put_server(tx, second)
    upstream_secrets.put_secret(tx, "token", "sealed", NOW)
    api_keys.insert_api_key(tx, KEY)
    fresh = replace(KEY, fingerprint=Fingerprint("new"))
    old = OldSecret(
        fingerprint=Fingerprint("old"),
        key_id=KEY.id,
        tenant_id=ACME.id,
        last_four="wxyz",
        replaced_at=NOW,
        ends_at=LATER,
    )
    api_keys.rotate_api_key(tx, fresh, seen=KEY.fingerprint, old=old)
    keys.insert_signing_key(tx, SIGNING_KEY)
    free = replace(CLIENT, id=ClientId("c-free"))
    clients.insert_client(tx, free, canonical_key=None, secret_fingerprint=None)


async def _all(database: Database) -> tuple[int, int, int]:
    (whole, acme), (_, globex) = await database.revisions(ACME.id), await database.revisions(GLOBEX.id)
    return whole, acme, globex


class Tried(Exception):  # noqa: N818
    """Undoes a change, so that the next one finds everything in its place."""


async def _stamped_by(database: Database, change: Callable[[Transaction], object]) -> set[str]:
    """Return which of the revisions a change moves: '' for the global one."""
    moved: set[str] = set()

    def stamped(tx: Transaction) -> None:
        before = _inside(tx)
        change(tx)
        moved.update(scope for scope, value in _inside(tx).items() if value != before[scope])
        raise Tried

    with pytest.raises(Tried):
        await database.write(stamped)
    return moved


def _inside(tx: Transaction) -> dict[str, int]:
    return {
        row.scope: row.value for tenant in (ACME, GLOBEX) for row in tx.all(hot.REVISIONS, {"tenant_id": tenant.id})
    }


async def test_every_change_of_rights_stamps_its_tenant_and_no_other(database: Database) -> None:
    await database.write(store_everything)
    for name, change in OF_THE_TENANT.items():
        assert await _stamped_by(database, change) == {ACME.id}, name


async def test_every_change_that_is_no_tenants_stamps_the_global_revision(database: Database) -> None:
    await database.write(store_everything)
    for name, change in OF_ALL.items():
        assert await _stamped_by(database, change) >= {""}, name
        assert GLOBEX.id not in await _stamped_by(database, change), name


async def test_a_row_that_moves_stamps_both_tenants(database: Database) -> None:
    await database.write(store_everything)
    move = _text("UPDATE api_keys SET tenant_id = 't-globex' WHERE id = 'k-one'")
    assert await _stamped_by(database, move) == {ACME.id, GLOBEX.id}


def test_every_trigger_there_is_was_tried() -> None:
    there = {f"{table} {operation}" for table, operation, _columns in triggers.stamped()}
    assert there - {"tenants INSERT", "tenants DELETE"} == set(OF_THE_TENANT) | set(OF_ALL)


async def test_a_tenant_has_a_revision_from_its_birth_and_a_new_one_after_its_end(database: Database) -> None:
    assert (await database.revisions(ACME.id))[1] == 0
    await database.write(lambda tx: accounts.insert_tenant(tx, ACME))
    born = (await database.revisions(ACME.id))[1]
    await database.write(_text("DELETE FROM tenants"))
    ended = (await database.revisions(ACME.id))[1]
    await database.write(lambda tx: accounts.insert_tenant(tx, ACME))
    assert len({0, born, ended, (await database.revisions(ACME.id))[1]}) == 4


async def test_what_takes_nothing_away_stamps_nothing(database: Database) -> None:
    await database.write(store_everything)
    before = await _all(database)
    for name, change in HARMLESS.items():
        await database.write(change)
        assert await _all(database) == before, name


async def test_what_was_undone_stamps_nothing(database: Database) -> None:
    await database.write(store_everything)
    before = await _all(database)

    def fails(tx: Transaction) -> None:
        permissions.set_membership(tx, ACME.id, ALICE.id, ())
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fails)
    assert await _all(database) == before


async def test_a_revision_never_comes_back(database: Database) -> None:
    await database.write(store_everything)
    seen = set()
    for number in range(50):
        await database.write(lambda tx, n=number: accounts.update_tenant(tx, replace(ACME, name=f"{n}")))  # type: ignore[misc]
        seen.add((await database.revisions(ACME.id))[1])
    assert len(seen) == 50
    # Random over the whole range, not a count: a restored backup would count the same numbers again.
    assert max(seen) - min(seen) > 2**60


async def test_another_program_is_noticed_at_once(sqlite: Database, sqlite_url: str) -> None:
    await sqlite.write(store_everything)
    before = await sqlite.revisions(ACME.id)
    assert sqlite.changed()
    assert not sqlite.changed()
    path = sqlite_url.removeprefix("sqlite://")
    program = f'import sqlite3; c = sqlite3.connect({path!r}); c.execute("DELETE FROM role_bindings"); c.commit()'
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True, timeout=20)
    assert sqlite.changed()
    assert (await sqlite.revisions(ACME.id))[1] != before[1]
    assert await sqlite.read(lambda r: permissions.role_permissions(r, ACME.id, ALICE.id)) == frozenset()


async def test_our_own_writes_are_noticed(sqlite: Database) -> None:
    await sqlite.write(store_everything)
    assert sqlite.changed()
    await sqlite.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ()))
    assert sqlite.changed()


async def test_a_half_read_cursor_is_an_error_and_not_an_old_answer(sqlite: Database) -> None:
    await sqlite.write(store_everything)
    half_read = sqlite._connection.execute("SELECT name FROM users")  # type: ignore[attr-defined]
    half_read.fetchone()
    await sqlite.write(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ()))
    with pytest.raises(StorageUnavailable, match="interrupted"):
        sqlite.changed()
    half_read.close()
    again = sqlite._connection.execute("SELECT name FROM users")  # type: ignore[attr-defined]
    again.fetchone()
    with pytest.raises(StorageUnavailable, match="interrupted"):
        await sqlite.revisions(ACME.id)
    again.close()
    assert sqlite.changed()


async def test_many_callers_share_a_query_and_none_sees_what_was_before_its_call(postgresql: Database) -> None:
    await postgresql.write(store_everything)
    rounds: list[list[str]] = []
    pool = postgresql._revisions.pool  # type: ignore[attr-defined]
    pool_run = pool.run

    async def counted(job: Callable[[psycopg.Connection], object], **more: int) -> object:
        rounds.append([])
        return await pool_run(job, **more)

    pool.run = counted
    answers = await asyncio.gather(*(postgresql.revisions(ACME.id) for _ in range(500)))
    assert len(set(answers)) == 1
    assert len(rounds) == 1

    async def change_and_ask(number: int) -> bool:
        before = await postgresql.revisions(ACME.id)
        name = f"name {number}"
        await postgresql.write(lambda tx: accounts.update_tenant(tx, replace(ACME, name=name)))
        return (await postgresql.revisions(ACME.id))[1] != before[1]

    assert all(await asyncio.gather(*(change_and_ask(number) for number in range(30))))


async def test_a_lost_server_is_unavailable_and_found_again(postgresql: Database, postgresql_url: str) -> None:
    await postgresql.write(store_everything)
    await postgresql.revisions(ACME.id)
    base = postgresql_url.partition("?")[0]
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'doorward' AND datname = current_database() AND query LIKE '%revisions%'"
        )
    # Stale connections are replaced without anybody noticing.
    assert (await postgresql.revisions(ACME.id))[1] != 0
    unreachable = replace_port(postgresql_url)
    with pytest.raises(Exception, match="PostgreSQL cannot be used"):
        open_database(unreachable, create=False)


def replace_port(url: str) -> str:
    """The same URL at a port where nobody listens."""
    return url.replace("127.0.0.1:5432", "127.0.0.1:1") if ":5432" in url else "postgresql://postgres@127.0.0.1:1/test"
