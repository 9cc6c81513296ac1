"""A person's API keys as the page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from doorward.credentials.key_views import state_of
from doorward.model import SECOND, ApiKey, ApiKeyId, Instant, OldSecret, Permission, Tenant, User, UserId
from doorward.storage import accounts, api_key_lists, api_keys
from doorward.storage.api_key_lists import START, KeyState, UsedKey
from doorward.storage.database import Reader

SOON: Final = 7 * 86_400 * SECOND
PAGE: Final = 100
"""Keys on one page."""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One row. ``state`` is ``active``, ``ending`` (within a week), ``disabled``, ``expired`` or ``revoked``."""

    key: ApiKey
    tenant: Tenant | None
    state: str
    calls: int
    old: Sequence[OldSecret] = ()
    """Secrets that it had before and that are still good."""

    @property
    def tenant_name(self) -> str:
        """What people call its tenant."""
        return "" if self.tenant is None else self.tenant.name

    @property
    def gone(self) -> bool:
        """Whether it has ended for good."""
        return self.state in {"expired", "revoked"}

    @property
    def limits(self) -> list[str]:
        """What it is limited to, in a few words each."""
        key = self.key
        said = (
            (key.resources is not None, "Part of it"),
            (key.servers is not None, "Some servers"),
            (bool(key.networks), "Some addresses"),
        )
        return [words for limited, words in said if limited]

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


def listed(
    reader: Reader, user: User, now: Instant, after: tuple[int, str] = START
) -> tuple[Sequence[ListedKey], str | None]:
    """Return a page of the keys of ``user`` in every tenant, and where the next begins.

    Those in use first, each part newest first.
    """
    found = api_key_lists.keys_of_owner(reader, user.id, now=now, after=after, most=PAGE + 1)
    tenants: dict[str, Tenant | None] = {}
    rows = [_row(reader, each, tenants, now) for each in found[:PAGE]]
    last = found[PAGE - 1].key if len(found) > PAGE else None
    following = None if last is None else f"{last.created_at}-{last.id}"
    return sorted(rows, key=lambda row: row.gone), following


def own_key(reader: Reader, user_id: UserId, key_id: str, now: Instant) -> ListedKey | None:
    """Return one key of this user; None for a foreign one as for one that does not exist (M1)."""
    used = api_key_lists.used_key(reader, ApiKeyId(key_id), now)
    return None if used is None or used.key.user_id != user_id else _row(reader, used, {}, now)


def rows_of(reader: Reader, found: Sequence[UsedKey], now: Instant) -> list[ListedKey]:
    """Return keys as rows, in the order given."""
    tenants: dict[str, Tenant | None] = {}
    return [_row(reader, each, tenants, now) for each in found]


def _row(reader: Reader, used: UsedKey, tenants: dict[str, Tenant | None], now: Instant) -> ListedKey:
    key = used.key
    if key.tenant_id not in tenants:
        tenants[key.tenant_id] = accounts.tenant_by_id(reader, key.tenant_id)
    old = api_keys.old_secrets_of_key(reader, key.id, now) if key.rotated_at is not None else ()
    return ListedKey(key, tenants[key.tenant_id], _state(key, now), used.calls, old)


def _state(key: ApiKey, now: Instant) -> str:
    state = state_of(key, now)
    ending = key.expires_at is not None and key.expires_at - now <= SOON
    return "ending" if state is KeyState.ACTIVE and ending else state.value
