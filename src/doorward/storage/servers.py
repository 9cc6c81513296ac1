"""The MCP servers behind the gateway, their paths and rules, and which tenant has enabled which."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from doorward.model import (
    AuthKind,
    Instant,
    ProcessPer,
    ResourceArgument,
    RuleKind,
    Server,
    ServerId,
    Status,
    StdioCommand,
    TenantId,
    ToolRule,
    ToolState,
    UpstreamCredential,
    Vetting,
)
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import (
    known_tools,
    server_paths,
    server_sightings,
    tenant_servers,
    tenants,
    tool_overrides,
    tool_rules,
)
from doorward.storage.schema import servers as table
from doorward.storage.statements import Row, Statement, delete, insert, select, upsert

_PUT: Final = upsert(
    table,
    [table.c.slug],
    [
        table.c.name,
        table.c.upstream,
        table.c.stdio,
        table.c.direct,
        table.c.auth,
        table.c.builtin_tools,
        table.c.new_tools,
        table.c.changed_tools,
        table.c.status,
    ],
)
_BY_SLUG: Final = select(table, table.c.slug)
_BY_STATUS: Final = select(table, table.c.status, order=[table.c.slug])
_ALL: Final = Statement(sa.select(table).where(table.c.removed_at.is_(None)).order_by(table.c.slug))
_PATHS: Final = select(server_paths, order=[server_paths.c.position])
_RULES: Final = select(tool_rules, order=[tool_rules.c.position])
_PATHS_OF: Final = select(server_paths, server_paths.c.server_id, order=[server_paths.c.position])
_RULES_OF: Final = select(tool_rules, tool_rules.c.server_id, order=[tool_rules.c.position])
_KNOWN_COLUMNS: Final = (known_tools.c.server_id, known_tools.c.name, known_tools.c.digest, known_tools.c.state)
_KNOWN: Final = Statement(sa.select(*_KNOWN_COLUMNS))
_KNOWN_OF: Final = Statement(sa.select(*_KNOWN_COLUMNS).where(known_tools.c.server_id == sa.bindparam("server_id")))
_CLEAR_PATHS: Final = delete(server_paths, server_paths.c.server_id)
_CLEAR_RULES: Final = delete(tool_rules, tool_rules.c.server_id)
_ADD_PATH: Final = insert(server_paths)
_ADD_RULE: Final = insert(tool_rules)
_HAD: Final = (
    # What the operator declared and the tenant enabled, and what the tenant added for itself.
    sa.select(tenant_servers.c.tenant_id, tenant_servers.c.server_id)
    .union_all(
        sa.select(table.c.tenant_id, table.c.id.label("server_id")).where(
            table.c.tenant_id.is_not(None), table.c.removed_at.is_(None)
        )
    )
    .subquery()
)
_DECLARED: Final = select(tenant_servers, tenant_servers.c.tenant_id)
_ENABLED: Final = Statement(sa.select(_HAD.c.server_id).where(_HAD.c.tenant_id == sa.bindparam("tenant_id")))
_ENABLED_AND_ACTIVE: Final = Statement(
    sa.select(_HAD.c.server_id)
    .join(table, table.c.id == _HAD.c.server_id)
    .where(
        _HAD.c.tenant_id == sa.bindparam("tenant_id"),
        _HAD.c.server_id == sa.bindparam("server_id"),
        table.c.status == Status.ACTIVE.value,
    )
)
_USERS: Final = Statement(
    sa.select(_HAD.c.server_id, tenants.c.id.label("tenant_id"), tenants.c.slug, tenants.c.name)
    .join(tenants, tenants.c.id == _HAD.c.tenant_id)
    .where(tenants.c.status == Status.ACTIVE.value)
    .order_by(tenants.c.slug.desc())
)
_REMOVE: Final = Statement(
    sa.update(table)
    .where(
        table.c.id == sa.bindparam("server_id"),
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.removed_at.is_(None),
    )
    .values(
        slug="removed:" + table.c.id, upstream="", auth=sa.null(), status=Status.DISABLED.value,
        removed_at=sa.bindparam("at_time"),
    )
)  # fmt: skip
_CLEAR_KNOWN: Final = delete(known_tools, known_tools.c.server_id)
_CLEAR_SEEN: Final = delete(server_sightings, server_sightings.c.server_id)
_CLEAR_OVERRIDES: Final = delete(tool_overrides, tool_overrides.c.server_id)
_DISABLE_ALL: Final = delete(tenant_servers, tenant_servers.c.tenant_id)
_ENABLE: Final = insert(tenant_servers)


def put_server(tx: Transaction, server: Server) -> None:
    """Add the server, or change the one of that slug, which keeps its id; paths and rules are replaced.

    Raises ``Conflict`` where a path is another server's.
    """
    tx.run(
        _PUT,
        {
            "id": server.id,
            "slug": server.slug,
            "name": server.name,
            "upstream": server.upstream,
            "stdio": None if server.stdio is None else json.dumps(asdict(server.stdio)),
            "direct": server.direct,
            "auth": None if server.auth is None else json.dumps(asdict(server.auth)),
            "builtin_tools": int(server.builtin_tools),
            "new_tools": server.new_tools.value,
            "changed_tools": server.changed_tools.value,
            "status": server.status.value,
            "tenant_id": server.tenant_id,
            "removed_at": None,
        },
    )
    row = tx.first(_BY_SLUG, {"slug": server.slug})
    server_id = server.id if row is None else row.id
    tx.run(_CLEAR_PATHS, {"server_id": server_id})
    tx.run(_CLEAR_RULES, {"server_id": server_id})
    for position, path in enumerate(server.paths):
        tx.run(_ADD_PATH, {"path": path, "server_id": server_id, "position": position})
    for position, rule in enumerate(server.rules):
        tx.run(_ADD_RULE, _rule_columns(server_id, position, rule))


def servers(reader: Reader) -> list[Server]:
    """Return the active servers by slug, with paths and rules in their order."""
    return list(reader.kept("servers", lambda: _active(reader)))


def all_servers(reader: Reader) -> list[Server]:
    """Return the servers by slug, disabled ones too."""
    return list(
        _servers(
            tuple(reader.all(_ALL)), tuple(reader.all(_PATHS)), tuple(reader.all(_RULES)), tuple(reader.all(_KNOWN))
        )
    )


def server_by_slug(reader: Reader, slug: str) -> Server | None:
    """Return the server, whatever its status."""
    row = reader.first(_BY_SLUG, {"slug": slug})
    if row is None:
        return None
    of = {"server_id": row.id}
    return _server(row, reader.all(_PATHS_OF, of), reader.all(_RULES_OF, of), reader.all(_KNOWN_OF, of))


def set_tenant_servers(tx: Transaction, tenant_id: TenantId, server_ids: Sequence[ServerId]) -> None:
    """Enable exactly these servers for the tenant. Raises ``Conflict`` for one that does not exist."""
    tx.run(_DISABLE_ALL, {"tenant_id": tenant_id})
    for server_id in dict.fromkeys(server_ids):
        tx.run(_ENABLE, {"tenant_id": tenant_id, "server_id": server_id})


def servers_of_tenant(reader: Reader, tenant_id: TenantId) -> frozenset[ServerId]:
    """Return the ids of the servers that the tenant has enabled, whatever their status."""
    return reader.kept(
        ("servers of", tenant_id),
        lambda: frozenset(ServerId(row.server_id) for row in reader.all(_ENABLED, {"tenant_id": tenant_id})),
        tenant_id,
    )


def own_servers(reader: Reader, tenant_id: TenantId) -> list[Server]:
    """Return the servers that the tenant added for itself, by slug, disabled ones too."""
    return [server for server in all_servers(reader) if server.tenant_id == tenant_id]


def remove_server(tx: Transaction, tenant_id: TenantId, server_id: ServerId, now: Instant) -> bool:
    """Take a tenant's own server away with all that was known and said of it. False where it is not there.

    A row stays for the connections that were made to it; nothing finds it.
    """
    if tx.run(_REMOVE, {"server_id": server_id, "of_tenant": tenant_id, "at_time": now}) != 1:
        return False
    for statement in (_CLEAR_PATHS, _CLEAR_RULES, _CLEAR_KNOWN, _CLEAR_SEEN, _CLEAR_OVERRIDES):
        tx.run(statement, {"server_id": server_id})
    return True


def declared_servers_of_tenant(reader: Reader, tenant_id: TenantId) -> frozenset[ServerId]:
    """Return the same without those that the tenant added for itself."""
    return frozenset(ServerId(row.server_id) for row in reader.all(_DECLARED, {"tenant_id": tenant_id}))


def forget_tools(tx: Transaction, server_id: ServerId) -> None:
    """Forget what a server was seen to offer and to say of itself: it is another one."""
    tx.run(_CLEAR_KNOWN, {"server_id": server_id})
    tx.run(_CLEAR_SEEN, {"server_id": server_id})


def enabled(reader: Reader, tenant_id: TenantId, server_id: ServerId) -> bool:
    """Say whether the tenant has enabled the server and the server is active."""
    place = {"tenant_id": tenant_id, "server_id": server_id}
    look = lambda: reader.first(_ENABLED_AND_ACTIVE, place) is not None  # noqa: E731
    return reader.kept(("enabled", tenant_id, server_id), look, tenant_id)


def a_user_of_each(reader: Reader) -> Mapping[ServerId, tuple[TenantId, str, str]]:
    """Return id, slug and name of one active tenant for each server that has one: the first by slug."""
    return {ServerId(row.server_id): (TenantId(row.tenant_id), row.slug, row.name) for row in reader.all(_USERS)}


def _active(reader: Reader) -> tuple[Server, ...]:
    active = reader.all(_BY_STATUS, {"status": Status.ACTIVE.value})
    return _servers(tuple(active), tuple(reader.all(_PATHS)), tuple(reader.all(_RULES)), tuple(reader.all(_KNOWN)))


@lru_cache(maxsize=4)  # equal rows are the same servers: nothing is remembered of what the rows say now
def _servers(
    rows: tuple[Row, ...], paths: tuple[Row, ...], rules: tuple[Row, ...], known: tuple[Row, ...]
) -> tuple[Server, ...]:
    return tuple(_server(row, paths, rules, known) for row in rows)


def _server(row: Row, paths: Sequence[Row], rules: Sequence[Row], known: Sequence[Row]) -> Server:
    return Server(
        id=ServerId(row.id),
        slug=row.slug,
        name=row.name,
        paths=tuple(each.path for each in paths if each.server_id == row.id),
        upstream=row.upstream,
        rules=tuple(_rule(each) for each in rules if each.server_id == row.id),
        builtin_tools=bool(row.builtin_tools),
        new_tools=Vetting(row.new_tools),
        changed_tools=Vetting(row.changed_tools),
        known=_known(row.id, known),
        status=Status(row.status),
        stdio=None if row.stdio is None else _stdio(json.loads(row.stdio)),
        direct=row.direct,
        auth=None if row.auth is None else _auth(json.loads(row.auth)),
        tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
    )


def _known(server_id: str, rows: Sequence[Row]) -> Mapping[str, Mapping[str, ToolState]]:
    found: dict[str, dict[str, ToolState]] = {}
    for row in rows:
        if row.server_id == server_id:
            found.setdefault(row.name, {})[row.digest] = ToolState(row.state)
    return found


def _stdio(kept: dict[str, Any]) -> StdioCommand:
    pairs = {name: tuple((key, value) for key, value in kept[name]) for name in ("env", "secrets")}
    texts = {name: tuple(kept[name]) for name in ("command", "relays")}
    return StdioCommand(**{**kept, **pairs, **texts, "per": ProcessPer(kept["per"])})


def _auth(kept: dict[str, Any]) -> UpstreamCredential:
    return UpstreamCredential(**{**kept, "kind": AuthKind(kept["kind"]), "scopes": tuple(kept.get("scopes", ()))})


def _rule(row: Row) -> ToolRule:
    return ToolRule(
        kind=RuleKind(row.kind),
        match=row.match,
        requires=records.permissions(row.requires),
        resources=tuple(ResourceArgument(pointer=pointer, type=kind) for pointer, kind in json.loads(row.resources)),
        approval=None if row.approval is None else records.read_approvers(row.approval),
    )


def _rule_columns(server_id: str, position: int, rule: ToolRule) -> dict[str, object]:
    return {
        "server_id": server_id,
        "position": position,
        "kind": rule.kind.value,
        "match": rule.match,
        "requires": records.joined(rule.requires),
        "resources": json.dumps([[argument.pointer, argument.type] for argument in rule.resources]),
        "approval": None if rule.approval is None else records.approvers(rule.approval),
    }
