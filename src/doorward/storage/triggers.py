"""The triggers that stamp revisions: whatever the compiled live state reads cannot change unseen.

A revision is a random 64-bit number, compared by equality: a counter would repeat after a restore, and old rights would
pass as new. Stamped is what can take something away; an added OAuth client cannot (registration is open to anybody, who
could otherwise throw away everybody's compiled state at will), and when a key was last used is not a right.
"""

from collections.abc import Iterator
from typing import Final

from doorward.storage import schema
from doorward.storage.statements import SQLITE

_ALL: Final = ("INSERT", "UPDATE", "DELETE")

_BY_TENANT: Final = {
    table.name: _ALL
    for table in (
        schema.memberships,
        schema.role_bindings,
        schema.role_placements,
        schema.roles,
        schema.role_permissions,
        schema.resources,
        schema.tenant_servers,
        schema.tool_overrides,
        schema.connections,
        schema.api_keys,
        schema.old_key_secrets,
        schema.tenants,
    )
}
_GLOBALLY: Final = {
    schema.users.name: _ALL,
    schema.servers.name: _ALL,
    schema.upstream_secrets.name: _ALL,
    schema.server_paths.name: _ALL,
    schema.tool_rules.name: _ALL,
    schema.known_tools.name: _ALL,
    schema.permission_catalogue.name: _ALL,
    schema.clients.name: ("UPDATE", "DELETE"),
    schema.signing_keys.name: _ALL,
    schema.revoked_access_tokens.name: ("INSERT",),
}
# Updates of these columns alone change no right.
_HARMLESS: Final = {
    schema.clients.name: {"registered_at"},
    schema.users.name: {"password_hash"},
    schema.connections.name: {"revoked_reason", "label"},
    schema.api_keys.name: {"told_until", "last_used_at", "last_used_ip", "last_used_client"},
}

GLOBAL_ROW: Final = "INSERT INTO revisions (scope, value) VALUES ('', 0)"

_SQLITE_NEW: Final = "random()"
_POSTGRESQL_NEW: Final = (
    "('x' || encode(substring(sha256(uuid_send(gen_random_uuid())) FROM 1 FOR 8), 'hex'))::bit(64)::bigint"
)

_POSTGRESQL_FUNCTIONS: Final = (
    # A row that this transaction stamped already needs no second stamp: thousands of imported rows make one.
    f"""CREATE FUNCTION doorward_stamp(stamped text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE revisions SET value = {_POSTGRESQL_NEW} WHERE scope = stamped AND xmin <> pg_current_xact_id()::xid;
END $$""",  # noqa: S608  (names of our own schema)
    """CREATE FUNCTION doorward_stamp_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM doorward_stamp('');
  RETURN NULL;
END $$""",
    """CREATE FUNCTION doorward_stamp_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN PERFORM doorward_stamp(OLD.tenant_id); END IF;
  IF TG_OP <> 'DELETE' THEN PERFORM doorward_stamp(NEW.tenant_id); END IF;
  RETURN NULL;
END $$""",
    f"""CREATE FUNCTION doorward_stamp_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO revisions (scope, value) VALUES (NEW.id, {_POSTGRESQL_NEW}) ON CONFLICT (scope) DO NOTHING;
    PERFORM doorward_stamp(NEW.id);
  ELSE
    PERFORM doorward_stamp(OLD.id);
  END IF;
  RETURN NULL;
END $$""",  # noqa: S608
)


def trigger_ddl(dialect: str) -> list[str]:
    """Return the statements that make the triggers, and the row of the global revision, in ``dialect``."""
    if dialect == SQLITE:
        return [GLOBAL_ROW, *_sqlite()]
    return [GLOBAL_ROW, *_POSTGRESQL_FUNCTIONS, *_postgresql()]


def stamped() -> Iterator[tuple[str, str, str | None]]:
    """Yield ``(table, operation, columns or None)`` of every trigger there is, global ones first."""
    for table, operations in (_GLOBALLY | _BY_TENANT).items():
        for operation in operations:
            yield table, operation, _columns(table) if operation == "UPDATE" else None


def _columns(table: str) -> str | None:
    if table not in _HARMLESS:
        return None
    return ", ".join(
        column.name for column in schema.metadata.tables[table].columns if column.name not in _HARMLESS[table]
    )


def _event(operation: str, columns: str | None) -> str:
    return f"{operation} OF {columns}" if columns else operation


def _sqlite() -> Iterator[str]:
    # No INSERT OR REPLACE in here: the conflict clause of the statement that fired the trigger would replace it.
    for table, operation, columns in stamped():
        name = f"stamp_{table}_{operation.lower()}"
        yield f"CREATE TRIGGER {name} AFTER {_event(operation, columns)} ON {table} BEGIN {_body(table, operation)} END"


def _body(table: str, operation: str) -> str:
    change = f"UPDATE revisions SET value = {_SQLITE_NEW} WHERE scope"  # noqa: S608
    if table in _GLOBALLY:
        return f"{change} = '';"
    column = "id" if table == schema.tenants.name else "tenant_id"
    sides = {"INSERT": f"(NEW.{column})", "DELETE": f"(OLD.{column})", "UPDATE": f"(OLD.{column}, NEW.{column})"}
    first = ""
    if table == schema.tenants.name and operation == "INSERT":
        first = (
            "INSERT INTO revisions SELECT NEW.id, 0 WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE scope = NEW.id); "
        )
    return f"{first}{change} IN {sides[operation]};"


def _postgresql() -> Iterator[str]:
    for table, operation, columns in stamped():
        function = "doorward_stamp_tenant" if table == schema.tenants.name else "doorward_stamp_row"
        each, function = ("STATEMENT", "doorward_stamp_all") if table in _GLOBALLY else ("ROW", function)
        yield (
            f"CREATE TRIGGER stamp_{table}_{operation.lower()} AFTER {_event(operation, columns)} ON {table}"
            f" FOR EACH {each} EXECUTE FUNCTION {function}()"
        )
