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
from doorward.storage import usage_folding
from doorward.storage.attempts import MAX_OF_MEMBERS, MAX_OF_STRANGERS
from doorward.storage.database import Conflict, Database, Reader
from doorward.storage.statements import Statement

DAY: Final = 24 * 3600 * SECOND
UNUSED_KEPT: Final = 7 * DAY
"""A client that registered itself and that nobody approved since is forgotten so long after it last registered."""
APPROVALS_KEPT: Final = 30 * DAY
"""Who approved what stays on the page for so long; in the audit log for longer."""
DAYS_COUNTED: Final = 31
"""What is told of the use of a key goes back so far."""
USAGE_DAYS: Final = 92
"""Use is told for up to 90 days, today included."""
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


def _oldest(table: str, moment: str) -> Kind:
    # Ids grow with time: no look at more than the first few, however many there are.
    first = f"id IN (SELECT id FROM {table} ORDER BY id LIMIT {CHUNK})"  # noqa: S608
    return _kind(table, table, ("id",), f"{first} AND at < :{moment}")


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
# Linked at the moment in which the person was disabled: unusable, and not to be kept.
_UNOWNED: Final = (
    "NOT EXISTS (SELECT 1 FROM users WHERE users.id = upstream_grants.user_id AND users.status = 'active')"
)
GRANTS: Final = Kind(
    "upstream_grants",
    ("tenant_id", "user_id", "server_id"),
    Statement(f"SELECT tenant_id, user_id, server_id FROM upstream_grants WHERE {_UNOWNED} LIMIT :most"),  # noqa: S608
    Statement(
        "DELETE FROM upstream_grants WHERE tenant_id = :tenant_id AND user_id = :user_id AND server_id = :server_id"  # noqa: S608
        f" AND {_UNOWNED}"
    ),
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
    _kind("sessions", "sessions", ("id",), "expires_at < :now OR idle_until < :now OR ended_at < :day_ago"),
    _kind("provider_sign_ins", "provider_sign_ins", ("state",), "expires_at < :now"),
    _kind("claimed_requests", "claimed_requests", ("id",), "expires_at < :now"),
    _kind("api_answers", "api_answers", ("caller", "route", "name"), "expires_at < :now"),
    _kind(
        "remembered_consents", "remembered_consents",
        ("user_id", "tenant_id", "client_id", "redirect_uri", "resource"), "expires_at < :now",
    ),
    _kind("links", "links", ("id",), "expires_at < :week_ago"),
    _kind("invitations", "invitations", ("id",), "expires_at < :quarter_ago"),
    _kind("outgoing_mail", "outgoing_mail", ("id",), "useless_at < :week_ago"),
    _kind("mail_budgets", "mail_budgets", ("name", "until"), "until < :now"),
    _kind("old_key_secrets", "old_key_secrets", ("fingerprint",), "ends_at < :day_ago"),
    _kind("credential_days", "credential_days", ("credential_id", "day"), "day < :first_day"),
    # The only statements that ever take something out of the logs: the oldest rows, once they are old enough.
    _oldest("audit_events", "audit_from"),
    _oldest("call_events", "calls_from"),
    _kind("device_requests", "device_requests", ("id",), "expires_at < :day_ago"),
    # Whoever asks and asks could fill a disk with what nobody decided.
    _kind(
        "approvals", "approvals", ("id",),
        "expires_at < :month_ago OR (decided_at IS NULL AND expires_at < :day_ago)",
    ),
    _kind("revoked_access_tokens", "revoked_access_tokens", ("jti",), "expires_at < :now"),
    _kind("signing_keys", "signing_keys", ("kid",), "verifies_until < :now"),
    _kind("attempts", "attempt_steps", ("id",), "at < :attempts_from"),
    ring("attempts_of_strangers", "tenant_id IS NULL AND user_id IS NULL", MAX_OF_STRANGERS),
    ring("attempts_of_members", "(tenant_id IS NOT NULL OR user_id IS NOT NULL)", MAX_OF_MEMBERS),
    _kind("upstream_requests", "upstream_requests", ("state",), "expires_at < :now"),
    GRANTS,
    _kind("used_assertions", "used_assertions", ("client_id", "jti"), "expires_at < :now"),
)  # fmt: skip


async def tidy(
    database: Database, now: Instant, *, attempts_days: int = 30, audit_days: int = 0, call_days: int = 0
) -> dict[str, int]:
    """Delete all that is dead at ``now``; return how many rows of which kind. Raises ``StorageUnavailable``.

    ``audit_days``, ``call_days``: how long the logs are kept; 0: for ever.
    """
    times = {
        "audit_from": now - audit_days * DAY if audit_days else 0,
        "calls_from": now - call_days * DAY if call_days else 0,
        "now": now, "day_ago": now - DAY, "week_ago": now - UNUSED_KEPT, "month_ago": now - APPROVALS_KEPT,
        "quarter_ago": now - 90 * DAY, "attempts_from": now - attempts_days * DAY,
        "first_day": (now - DAYS_COUNTED * DAY) // DAY,
    }  # fmt: skip
    done = {kind.name: await _tidy(database, kind, times) for kind in KINDS}
    done["usage_hours"], done["usage_sums"] = await usage_folding.forget(database, (now // DAY - USAGE_DAYS) * 24)
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
