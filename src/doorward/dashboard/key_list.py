"""A person's API keys as the page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from doorward.model import SECOND, ApiKey, Instant, Permission, User, UserId
from doorward.storage import accounts, api_keys
from doorward.storage.database import Reader

SOON: Final = 7 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One row. ``state`` is ``active``, ``ending`` (within a week), ``expired`` or ``revoked``."""

    key: ApiKey
    tenant_name: str
    state: str

    @property
    def gone(self) -> bool:
        """Whether it has ended for good."""
        return self.state in {"expired", "revoked"}

    @property
    def may(self) -> list[tuple[str, str]]:
        """What it may do: resource, and the actions there in words."""
        return summary(self.key.scopes)


def summary(scopes: frozenset[Permission]) -> list[tuple[str, str]]:
    """Return ``[("documents", "read, write")]`` for ``{documents:read, documents:write}``."""
    pairs = sorted(scope.partition(":")[::2] for scope in scopes)
    return [
        (resource, ", ".join(action for _, action in each)) for resource, each in groupby(pairs, lambda pair: pair[0])
    ]


def listed(reader: Reader, user: User, now: Instant) -> Sequence[ListedKey]:
    """Return all keys of ``user`` in every tenant: those in use first, each part newest first."""
    names: dict[str, str] = {}
    rows = [_row(reader, key, names, now) for key in api_keys.api_keys_of_user(reader, user.id)]
    return sorted(rows, key=lambda row: row.gone)


def own_key(reader: Reader, user_id: UserId, key_id: str, now: Instant) -> ListedKey | None:
    """Return one key of this user; None for a foreign one as for one that does not exist (M1)."""
    mine = (key for key in api_keys.api_keys_of_user(reader, user_id) if key.id == key_id)
    key = next(mine, None)
    return None if key is None else _row(reader, key, {}, now)


def _row(reader: Reader, key: ApiKey, names: dict[str, str], now: Instant) -> ListedKey:
    if key.tenant_id not in names:
        tenant = accounts.tenant_by_id(reader, key.tenant_id)
        names[key.tenant_id] = "" if tenant is None else tenant.name
    return ListedKey(key, names[key.tenant_id], _state(key, now))


def _state(key: ApiKey, now: Instant) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    if key.expires_at <= now:
        return "expired"
    return "ending" if key.expires_at - now <= SOON else "active"
