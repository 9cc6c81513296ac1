"""Each kind of change that takes a right away, and the way back; also a program that makes them beside the server.

usage: python -m tests.gateway.revocations DATABASE-URL, then lines ``take NAME`` or ``give NAME``; it answers ``done``.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.gateway.deployment import (
    ACME,
    ADMIN,
    CLIENT,
    FOLDER,
    OTHER_FOLDER,
    ROLES,
    RULES,
    S1,
    S2,
    START,
    WRITE,
    server,
    user,
)

from doorward.model import Placement, Resource, ResourceId, Role, RoleId, Status
from doorward.storage import accounts, api_keys, clients, connections, permissions, servers
from doorward.storage.database import Transaction
from doorward.storage.opening import open_database
from support.rows import without_membership

Change = Callable[[Transaction], object]
BOBS, CAROLS = frozenset({"bob key", "bob token"}), frozenset({"carol key", "carol token"})
EVERYBODY, TOKENS = BOBS | CAROLS, frozenset({"bob token", "carol token"})
NODE = Resource(
    id=ResourceId("r-three"), tenant_id=ACME.id, type="folder", key="f3", name="Three", parent_id=FOLDER
)  # fmt: skip
"""What every call is about. Bob is an editor everywhere, Carol is one in the folder above it."""


@dataclass(frozen=True)
class Case:
    """``hits``: whose call it makes impossible. ``give`` is None where there is no way back."""

    take: Change
    give: Change | None
    hits: frozenset[str]


def _role(granted: tuple[str, ...]) -> Change:
    role = Role(id=RoleId("acme-editor"), tenant_id=ACME.id, name="editor", permissions=granted)
    return lambda tx: permissions.put_role(tx, role)


def _roles_of_bob(*names: str) -> Change:
    return lambda tx: permissions.set_membership(tx, ACME.id, user("bob").id, names)


def _places_of_carol(*nodes: ResourceId) -> Change:
    places = [Placement(role="editor", resource_id=node) for node in nodes]
    return lambda tx: permissions.set_placements(tx, ACME.id, user("carol").id, places)


def _bob_is(status: Status) -> Change:
    return lambda tx: accounts.update_user(tx, replace(user("bob"), status=status))


def _tenant_is(status: Status) -> Change:
    return lambda tx: accounts.update_tenant(tx, replace(ACME, status=status))


def _client_is(status: Status) -> Change:
    return lambda tx: clients.update_client(tx, replace(CLIENT, status=status))


def _upstream(tx: Transaction) -> str:
    return next(one.upstream for one in servers.all_servers(tx) if one.id == S1)


def _server_is(status: Status) -> Change:
    return lambda tx: servers.put_server(tx, replace(server(_upstream(tx)), status=status))


def _rules(*, strict: bool) -> Change:
    changed = tuple(replace(rule, requires=frozenset({ADMIN})) if rule.match == "write_*" else rule for rule in RULES)
    return lambda tx: servers.put_server(tx, replace(server(_upstream(tx)), rules=changed if strict else RULES))


def _path(*, gone: bool) -> Change:
    usual = server("").paths
    return lambda tx: servers.put_server(
        tx, replace(server(_upstream(tx)), paths=("/elsewhere", "/{tenant}/elsewhere") if gone else usual)
    )


def _node_below(parent: ResourceId | None) -> Change:
    return lambda tx: permissions.put_resources(tx, ACME.id, [replace(NODE, parent_id=parent)])


def _keys_of_bob_end(tx: Transaction) -> object:
    return [
        api_keys.revoke_api_key(tx, ACME.id, key.id, START) for key in api_keys.api_keys_of_user(tx, user("bob").id)
    ]


def _keys_of_bob_are(*, disabled: bool) -> Change:
    def change(tx: Transaction) -> object:
        keys = api_keys.api_keys_of_user(tx, user("bob").id)
        if disabled:
            return [api_keys.disable_api_key(tx, ACME.id, key.id, START, by=None) for key in keys]
        return [api_keys.enable_api_key(tx, ACME.id, key.id, disabled_at=START) for key in keys]

    return change


def _keys_of_bob_are_for(*networks: str) -> Change:
    return lambda tx: [
        api_keys.change_api_key(tx, replace(key, networks=networks))
        for key in api_keys.api_keys_of_user(tx, user("bob").id)
    ]


def _connections_of_bob_end(tx: Transaction) -> object:
    return [
        connections.revoke_connection(tx, one.id, START, "test")
        for one in connections.connections_of_user(tx, user("bob").id)
    ]


def _connections_of_bob_lose_a_scope(tx: Transaction) -> object:
    living = connections.connections_of_user(tx, user("bob").id)
    return [connections.change_scopes(tx, one.id, one.scopes - {WRITE}) for one in living]


CASES: dict[str, Case] = {
    "permission": Case(_role(("documents:read",)), _role(ROLES["editor"]), EVERYBODY),
    "role": Case(_roles_of_bob("viewer"), _roles_of_bob("editor"), BOBS),
    "placement": Case(_places_of_carol(OTHER_FOLDER), _places_of_carol(FOLDER), CAROLS),
    "membership": Case(lambda tx: without_membership(tx, ACME.id, user("bob").id), _roles_of_bob("editor"), BOBS),
    "user": Case(_bob_is(Status.DISABLED), _bob_is(Status.ACTIVE), BOBS),
    "key disabled": Case(_keys_of_bob_are(disabled=True), _keys_of_bob_are(disabled=False), frozenset({"bob key"})),
    "key for elsewhere": Case(
        _keys_of_bob_are_for("203.0.113.0/24"), _keys_of_bob_are_for("127.0.0.0/8", "::1/128"), frozenset({"bob key"})
    ),
    "key": Case(_keys_of_bob_end, None, frozenset({"bob key"})),
    "grant": Case(_connections_of_bob_end, None, frozenset({"bob token"})),
    "grant narrowed": Case(_connections_of_bob_lose_a_scope, None, frozenset({"bob token"})),
    "client": Case(_client_is(Status.DISABLED), _client_is(Status.ACTIVE), TOKENS),
    "tool rule": Case(_rules(strict=True), _rules(strict=False), EVERYBODY),
    "server disabled": Case(_server_is(Status.DISABLED), _server_is(Status.ACTIVE), EVERYBODY),
    "server taken from the tenant": Case(
        lambda tx: servers.set_tenant_servers(tx, ACME.id, [S2]),
        lambda tx: servers.set_tenant_servers(tx, ACME.id, [S1, S2]),
        EVERYBODY,
    ),
    "server at another path": Case(_path(gone=True), _path(gone=False), EVERYBODY),
    "tenant": Case(_tenant_is(Status.DISABLED), _tenant_is(Status.ACTIVE), EVERYBODY),
    "resource moved": Case(_node_below(OTHER_FOLDER), _node_below(FOLDER), EVERYBODY),
    "resource removed": Case(
        lambda tx: permissions.remove_resources(tx, ACME.id, [NODE.id]), _node_below(FOLDER), EVERYBODY
    ),
}


def prepare(tx: Transaction) -> None:
    """Store what the cases start from."""
    permissions.put_resources(tx, ACME.id, [NODE])
    _places_of_carol(FOLDER)(tx)


async def _main(url: str) -> None:
    database = open_database(url, create=False)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, _, name = line.strip().partition(" ")
        case = CASES[name]
        change = case.take if what == "take" else case.give
        assert change is not None
        await database.write(change)
        print("done", flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
