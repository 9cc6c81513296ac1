"""Rows that nobody asks about: a million living connections with their refresh tokens, and as many API keys."""

import sqlite3
from pathlib import Path

SECOND = 1_000_000
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
_CONNECTIONS = f"""{_NUMBERS}
INSERT INTO connections (id, tenant_id, user_id, client_id, server_id, resource, scopes, declined, asked, identity, redirect_uri,
  created_at, expires_at, activated_at)
SELECT 'con_seed_' || i, :tenant, :user, 'app', :server, 'http://127.0.0.1/mcp', 'bench:read', '', 'bench:read', '',
  'http://127.0.0.1:9/cb', :now, :end, :now FROM n"""
_REFRESH_TOKENS = f"""{_NUMBERS}
INSERT INTO refresh_tokens (fingerprint, connection_id, tenant_id, client_id, kid, created_at, expires_at)
SELECT lower(hex(randomblob(32))), 'con_seed_' || i, :tenant, 'app', '1', :now, :end FROM n"""
_API_KEYS = f"""{_NUMBERS}
INSERT INTO api_keys (id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, networks,
  created_at)
SELECT 'key_seed_' || i, :tenant, :user, :user, 'seed ' || i, 'dw_seed', 'seed', lower(hex(randomblob(32))), 'bench:read',
  '[]', :now FROM n"""


def fill(folder: Path, count: int) -> None:
    """Add ``count`` of each to the database of a deployment that is not running."""
    with sqlite3.connect(folder / "doorward-data" / "doorward.db") as connection:
        tenant, server = _one(connection, "SELECT id FROM tenants"), _one(connection, "SELECT id FROM servers")
        user = _one(connection, "SELECT id FROM users WHERE email LIKE 'guest0@%'")
        now = int(_one(connection, "SELECT unixepoch()")) * SECOND
        # Each row would stamp its tenant's revision; nobody reads it meanwhile.
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        rows = {
            "count": count,
            "tenant": tenant,
            "server": server,
            "user": user,
            "now": now,
            "end": now + 10**7 * SECOND,
        }
        for statement in (_CONNECTIONS, _REFRESH_TOKENS, _API_KEYS):
            connection.execute(statement, rows)
        for _, text in triggers:
            connection.execute(text)
    connection.close()


def _one(connection: sqlite3.Connection, text: str) -> str:
    return str(connection.execute(text).fetchone()[0])
