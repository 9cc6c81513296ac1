"""Lists of API keys, page by page, with how often each was used lately. A page costs the same however many there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.model import ApiKey, ApiKeyId, Instant, TenantId, UserId
from doorward.storage.api_keys import key_of
from doorward.storage.credential_days import MONTH
from doorward.storage.database import Reader, Transaction
from doorward.storage.housekeeping import DAY
from doorward.storage.statements import Row, Statement

START: Final = (1 << 62, "\U0010ffff")
"""Before the newest key."""


class KeyState(StrEnum):
    """What may be asked for; each key is in one of them."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class UsedKey:
    """A key, and how many messages came with it in the last ``MONTH`` days."""

    key: ApiKey
    calls: int


CALLS: Final = (
    "(SELECT COALESCE(SUM(calls), 0) FROM credential_days WHERE credential_id = api_keys.id AND day > :since)"
)
_ENDED: Final = "expires_at IS NOT NULL AND expires_at <= :now"
STATES: Final[Mapping[KeyState, str]] = {
    KeyState.ACTIVE: f"revoked_at IS NULL AND disabled_at IS NULL AND NOT ({_ENDED})",
    KeyState.DISABLED: f"revoked_at IS NULL AND disabled_at IS NOT NULL AND NOT ({_ENDED})",
    KeyState.EXPIRED: f"revoked_at IS NULL AND {_ENDED}",
    KeyState.REVOKED: "revoked_at IS NOT NULL",
}
_WHOSE: Final = ("tenant_id = :tenant_id", "user_id = :user_id", "tenant_id = :tenant_id AND user_id = :user_id")


def _page(whose: str, state: str) -> Statement:
    return Statement(
        f"SELECT api_keys.*, {CALLS} AS calls FROM api_keys WHERE {whose} AND {state}"  # noqa: S608  (constants)
        " AND (created_at, id) < (:after_at, :after_id) ORDER BY created_at DESC, id DESC LIMIT :most"
    )


_PAGES: Final = {
    (whose, state): _page(whose, "1 = 1" if state is None else STATES[state])
    for whose in _WHOSE
    for state in (None, *KeyState)
}
_ONE: Final = Statement(f"SELECT api_keys.*, {CALLS} AS calls FROM api_keys WHERE id = :id")  # noqa: S608
_LONGER: Final = Statement(
    "SELECT COUNT(*) AS count FROM api_keys WHERE tenant_id = :tenant_id AND revoked_at IS NULL"
    " AND (expires_at IS NULL OR (expires_at > :now AND expires_at - COALESCE(rotated_at, created_at) > :most))"
)
# Each end has its own marks, so a key with another end is told of anew.
_UNTOLD: Final = (
    "revoked_at IS NULL AND disabled_at IS NULL AND (told_until IS NULL OR told_until < expires_at - :before)"
    " AND COALESCE(rotated_at, created_at) < expires_at - :before"
)
_ENDING: Final = Statement(
    f"SELECT * FROM api_keys WHERE expires_at > :now AND expires_at <= :until AND {_UNTOLD}"  # noqa: S608
    " ORDER BY expires_at, id LIMIT :most"
)
_TOLD: Final = Statement(
    "UPDATE api_keys SET told_until = expires_at - :before WHERE id = :id AND expires_at = :expires_at"  # noqa: S608
    f" AND {_UNTOLD}"
)


def keys_of_tenant(  # noqa: PLR0913  (what a list can be asked for)
    reader: Reader, tenant_id: TenantId, *, now: Instant, owner: UserId | None = None, state: KeyState | None = None,
    after: tuple[int, str] = START, most: int = 50,
) -> list[UsedKey]:  # fmt: skip
    """Return keys of a tenant, newest first, after the key that was made at that moment and has that id."""
    whose, who = _WHOSE[0] if owner is None else _WHOSE[2], {"tenant_id": tenant_id, "user_id": owner}
    return _used(reader, whose, state, who, now, after_at=after[0], after_id=after[1], most=most)


def keys_of_owner(
    reader: Reader, user_id: UserId, *, now: Instant, after: tuple[int, str] = START, most: int = 50
) -> list[UsedKey]:
    """Return keys of an owner in all tenants, newest first."""
    who = {"user_id": user_id}
    return _used(reader, _WHOSE[1], None, who, now, after_at=after[0], after_id=after[1], most=most)


def used_key(reader: Reader, key_id: ApiKeyId, now: Instant) -> UsedKey | None:
    """Return one key with its use, whosesoever it is: whether it may be told is for the caller to ask."""
    row = reader.first(_ONE, {"id": key_id, "since": since(now)})
    return None if row is None else used(row)


def living_longer(reader: Reader, tenant_id: TenantId, days: int, now: Instant) -> int:
    """Return how many living keys of a tenant were made, or got their secret, for more than so many days."""
    row = reader.first(_LONGER, {"tenant_id": tenant_id, "most": days * DAY, "now": now})
    return 0 if row is None else int(row.count)


def ending_keys(reader: Reader, *, now: Instant, days: int, most: int) -> list[ApiKey]:
    """Return keys that end within so many days, of which nobody was told at that mark, soonest first.

    Not those that were made, or got their secret, for no longer.
    """
    before = days * DAY
    params = {"now": now, "until": now + before, "before": before, "most": most}
    return [key_of(row) for row in reader.all(_ENDING, params)]


def told_of_end(tx: Transaction, key: ApiKey, *, days: int) -> bool:
    """Note that people are told at this mark. False where they were, or the key is not as it was. Changes no right."""
    return tx.run(_TOLD, {"id": key.id, "expires_at": key.expires_at, "before": days * DAY}) == 1


def _used(
    reader: Reader, whose: str, state: KeyState | None, who: Mapping[str, object], now: Instant, **page: object
) -> list[UsedKey]:
    params = {**who, **page, "now": now, "since": since(now)}
    return [used(row) for row in reader.all(_PAGES[whose, state], params)]


def since(now: Instant) -> int:
    """Return the first day whose calls count."""
    return now // DAY - MONTH


def used(row: Row) -> UsedKey:
    """Return the key of a row with its calls."""
    return UsedKey(key_of(row), int(row.calls))
