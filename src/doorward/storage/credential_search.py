"""Searching all keys and connections of a tenant, page by page, newest first. No page looks at more than it must."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward.model import Connection, Instant, TenantId
from doorward.storage.api_key_lists import CALLS, START, STATES, KeyState, UsedKey, since, used
from doorward.storage.connections import connection_of
from doorward.storage.database import Reader
from doorward.storage.statements import Statement

LIVING: Final = "living"
ENDED: Final = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for; an empty text is everything. ``state`` is a ``KeyState``, or ``living`` or ``ended``."""

    person: str = ""
    """Part of a name or of an address."""
    what: str = ""
    """Part of what a key or a client is called."""
    state: str = ""
    after: tuple[int, str] = START


_PERSON: Final = (
    " AND EXISTS (SELECT 1 FROM users WHERE users.id = {table}.user_id"
    " AND (LOWER(users.email) LIKE :person ESCAPE '!' OR LOWER(users.name) LIKE :person ESCAPE '!'))"
)
_KEY: Final = (
    " AND (LOWER(name) LIKE :what ESCAPE '!' OR LOWER(prefix) LIKE :what ESCAPE '!' OR last_four LIKE :what ESCAPE '!'"
    " OR LOWER(COALESCE(last_used_client, '')) LIKE :what ESCAPE '!')"
)
_CLIENT: Final = (
    " AND (LOWER(COALESCE(label, '')) LIKE :what ESCAPE '!' OR EXISTS (SELECT 1 FROM clients"
    " WHERE clients.id = connections.client_id"
    " AND (LOWER(clients.name) LIKE :what ESCAPE '!' OR LOWER(clients.id) LIKE :what ESCAPE '!')))"
)
_PAGE: Final = " AND (created_at, id) < (:after_at, :after_id) ORDER BY created_at DESC, id DESC LIMIT :most"
_LIVES: Final = "revoked_at IS NULL AND expires_at > :now"
_CONNECTION_STATES: Final[Mapping[str, str]] = {
    "": "activated_at IS NOT NULL",
    LIVING: f"activated_at IS NOT NULL AND {_LIVES}",
    ENDED: f"activated_at IS NOT NULL AND NOT ({_LIVES})",
}
_KEY_STATES: Final[Mapping[str, str]] = {"": "1 = 1", **{state.value: sql for state, sql in STATES.items()}}


def _keys(state: str, *, person: bool, what: bool) -> Statement:
    narrowed = (_PERSON.format(table="api_keys") if person else "") + (_KEY if what else "")
    return Statement(
        f"SELECT api_keys.*, {CALLS} AS calls FROM api_keys"  # noqa: S608  (constants)
        f" WHERE tenant_id = :tenant_id AND {state}{narrowed}{_PAGE}"
    )


def _connections(state: str, *, person: bool, what: bool) -> Statement:
    narrowed = (_PERSON.format(table="connections") if person else "") + (_CLIENT if what else "")
    return Statement(
        f"SELECT * FROM connections WHERE tenant_id = :tenant_id AND {state}{narrowed}{_PAGE}"  # noqa: S608  (constants)
    )


_EACH: Final = [(person, what) for person in (False, True) for what in (False, True)]
_KEY_PAGES: Final = {
    (name, *which): _keys(sql, person=which[0], what=which[1]) for name, sql in _KEY_STATES.items() for which in _EACH
}
_CONNECTION_PAGES: Final = {
    (name, *which): _connections(sql, person=which[0], what=which[1])
    for name, sql in _CONNECTION_STATES.items()
    for which in _EACH
}


def search_keys(reader: Reader, tenant_id: TenantId, search: Search, *, now: Instant, most: int) -> list[UsedKey]:
    """Return keys of a tenant that fit. An unknown state is every state."""
    state = search.state if search.state in set(KeyState) else ""
    plan = _KEY_PAGES[state, bool(search.person), bool(search.what)]
    params = {**_params(tenant_id, search, now, most), "since": since(now)}
    return [used(row) for row in reader.all(plan, params)]


def search_connections(
    reader: Reader, tenant_id: TenantId, search: Search, *, now: Instant, most: int
) -> list[Connection]:
    """Return connections in a tenant that fit. An unknown state is every state."""
    state = search.state if search.state in _CONNECTION_STATES else ""
    plan = _CONNECTION_PAGES[state, bool(search.person), bool(search.what)]
    return [connection_of(row) for row in reader.all(plan, _params(tenant_id, search, now, most))]


def _params(tenant_id: TenantId, search: Search, now: Instant, most: int) -> dict[str, object]:
    return {
        "tenant_id": tenant_id, "now": now, "person": _part(search.person), "what": _part(search.what),
        "after_at": search.after[0], "after_id": search.after[1], "most": most,
    }  # fmt: skip


def _part(text: str) -> str:
    """Return a LIKE pattern of a text as it is written: its signs mean themselves."""
    written = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{written}%"
