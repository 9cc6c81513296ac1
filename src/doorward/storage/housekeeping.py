"""Forgetting what nobody needs any more: unused registrations, and what has outlived its time.

Found by long reads beside the event loop, deleted by key in small transactions: nothing waits for a scan. What is found
stays dead, or its deletion asks again. Used codes and refresh tokens stay until their connection's absolute end, also
when it is revoked: their second use must still be told from an unknown token (C16).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from doorward.model import SECOND, Instant
from doorward.storage.attempts import MAX_OF_MEMBERS, MAX_OF_STRANGERS
from doorward.storage.database import Conflict, Database, Reader
from doorward.storage.statements import Statement

DAY: Final = 24 * 3600 * SECOND
UNUSED_KEPT: Final = 7 * DAY
"""A client that registered itself and that nobody approved since is forgotten so long after it last registered."""
CHUNK: Final = 100
"""Rows in one transaction."""

_log = structlog.get_logger("doorward.housekeeping")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of row: ``keys`` are the columns that ``find`` returns and ``forget`` takes."""

    name: str
    keys: tuple[str, ...]
    find: Statement
    forget: Statement


def _kind(name: str, table: str, keys: tuple[str, ...], dead: str, *, source: str | None = None) -> Kind:
    """Return a kind whose rows stay dead once ``dead`` holds for them."""
    columns = ", ".join(f"{table}.{key}" for key in keys)
    equal = " AND ".join(f"{key} = :{key}" for key in keys)
    return Kind(
        name,
        keys,
        Statement(f"SELECT {columns} FROM {source or table} WHERE {dead} LIMIT :most"),  # noqa: S608  (constants)
        Statement(f"DELETE FROM {table} WHERE {equal}"),  # noqa: S608
    )


def ring(name: str, whose: str, most: int) -> Kind:
    """Return the steps of attempts that are beyond the newest ``most`` of their ring."""
    newest = f"SELECT id FROM attempt_steps WHERE {whose} ORDER BY id DESC LIMIT 1 OFFSET {most}"  # noqa: S608
    return _kind(name, "attempt_steps", ("id",), f"{whose} AND id <= ({newest})")


# An administrator's word about a client (disabled, limited) is kept. An approval counts as use, redeemed or not.
_UNUSED: Final = (
    "kind = 'dynamic' AND status = 'active' AND scope_limit IS NULL AND access_ttl IS NULL AND registered_at < :week_ago"
    " AND NOT EXISTS (SELECT 1 FROM connections WHERE connections.client_id = clients.id)"
    " AND NOT EXISTS (SELECT 1 FROM client_verdicts WHERE client_verdicts.client_id = clients.id)"
)
CLIENTS: Final = Kind(
    "clients",
    ("id",),
    Statement(f"SELECT id FROM clients WHERE {_UNUSED} LIMIT :most"),  # noqa: S608
    Statement(f"DELETE FROM clients WHERE id = :id AND {_UNUSED}"),  # noqa: S608
)
KINDS: Final = (
    CLIENTS,
    _kind(
        "codes", "authorization_codes", ("fingerprint",),
        "connections.expires_at < :now"
        " OR (authorization_codes.used_at IS NULL AND authorization_codes.expires_at < :day_ago)",
        source="authorization_codes JOIN connections ON connections.id = authorization_codes.connection_id",
    ),
    _kind(
        "refresh_tokens", "refresh_tokens", ("fingerprint",), "connections.expires_at < :now",
        source="refresh_tokens JOIN connections ON connections.id = refresh_tokens.connection_id",
    ),
    _kind("sessions", "sessions", ("id",), "expires_at < :now OR ended_at < :day_ago"),
    _kind("claimed_requests", "claimed_requests", ("id",), "expires_at < :now"),
    _kind(
        "remembered_consents", "remembered_consents",
        ("user_id", "tenant_id", "client_id", "redirect_uri", "resource"), "expires_at < :now",
    ),
    _kind("device_requests", "device_requests", ("id",), "expires_at < :day_ago"),
    _kind("revoked_access_tokens", "revoked_access_tokens", ("jti",), "expires_at < :now"),
    _kind("signing_keys", "signing_keys", ("kid",), "verifies_until < :now"),
    _kind("attempts", "attempt_steps", ("id",), "at < :attempts_from"),
    ring("attempts_of_strangers", "tenant_id IS NULL AND user_id IS NULL", MAX_OF_STRANGERS),
    ring("attempts_of_members", "(tenant_id IS NOT NULL OR user_id IS NOT NULL)", MAX_OF_MEMBERS),
    _kind("used_assertions", "used_assertions", ("client_id", "jti"), "expires_at < :now"),
)  # fmt: skip


async def tidy(database: Database, now: Instant, *, attempts_days: int = 30) -> dict[str, int]:
    """Delete all that is dead at ``now``; return how many rows of which kind. Raises ``StorageUnavailable``."""
    times = {
        "now": now, "day_ago": now - DAY, "week_ago": now - UNUSED_KEPT, "attempts_from": now - attempts_days * DAY,
    }  # fmt: skip
    done = {kind.name: await _tidy(database, kind, times) for kind in KINDS}
    if any(done.values()):
        _log.info("tidied", **{name: count for name, count in done.items() if count})
    return done


async def _tidy(database: Database, kind: Kind, times: Mapping[str, int]) -> int:
    total = 0
    while True:
        keys = await database.read_long(lambda reader: _find(reader, kind, times))
        if not keys:
            return total
        try:
            done = await database.write(lambda tx: tx.run(kind.forget, keys))  # noqa: B023  (awaited before they change)
        except Conflict:
            # Somebody approved one of these clients at this moment: another turn.
            return total
        total += done
        if len(keys) < CHUNK or done == 0:
            return total


def _find(reader: Reader, kind: Kind, times: Mapping[str, int]) -> list[dict[str, object]]:
    rows = reader.all(kind.find, {**times, "most": CHUNK})
    # In one order on every node: two that delete the same rows wait for each other and never in a circle.
    return sorted(({**times, **{key: getattr(row, key) for key in kind.keys}} for row in rows), key=str)
