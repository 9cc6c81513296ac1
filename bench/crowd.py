"""Fill a deployment's database with 1 000 tenants, 10 000 users and 100 000 keys that nobody uses."""

import sqlite3
from pathlib import Path

TENANTS, USERS, KEYS = 1_000, 10_000, 100_000
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"


def fill(database: Path) -> None:
    """Copy the first tenant, user and key of the file over and over, each under a name of its own."""
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
    with connection:
        _copies(connection, "tenants", TENANTS, {"id": "'t' || n", "slug": "'crowd-' || n"})
        _copies(connection, "users", USERS, {"id": "'u' || n", "email": "'u' || n || '@example.com'"})
        tenant, user = f"'t' || (n % {TENANTS} + 1)", f"'u' || (n % {USERS} + 1)"
        _copies(connection, "memberships", USERS, {"tenant_id": tenant, "user_id": user})
        owner = {"tenant_id": tenant, "user_id": user, "created_by": user}
        _copies(connection, "api_keys", KEYS, {"id": "'k' || n", "fingerprint": "'f' || n", **owner})
    connection.close()


def _copies(connection: sqlite3.Connection, table: str, count: int, own: dict[str, str]) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(own.get(name, f"first.{name}") for name in columns)
    connection.execute(
        f"{_NUMBERS} INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {values} FROM (SELECT * FROM {table} LIMIT 1) AS first, numbers",
        {"count": count},
    )
