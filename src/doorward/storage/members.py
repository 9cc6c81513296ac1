"""A tenant's members page by page: who they are, what they hold in it, and when it was last used."""

from dataclasses import dataclass
from typing import Final

from doorward.model import Instant, OwnerKind, Resource, ResourceId, Status, TenantId, User, UserId
from doorward.storage.database import Reader
from doorward.storage.statements import Row, Statement

_KEY: Final = "k.tenant_id = :tenant_id AND k.user_id = u.id"
_CONNECTION: Final = "n.tenant_id = :tenant_id AND n.user_id = u.id"
_NOW: Final = "(k.expires_at IS NULL OR k.expires_at > :now)"
# Of somebody who is elsewhere too, a browser session does not say for which tenant it was used (decision 0065).
_ELSEWHERE: Final = "SELECT 1 FROM memberships AS e WHERE e.user_id = u.id AND e.tenant_id <> :tenant_id"
_COLUMNS: Final = (
    "u.id, u.email, u.name, u.kind, u.status, u.created_at, u.deleted_at,"  # noqa: S608  (constants)
    f" (SELECT COUNT(*) FROM api_keys AS k WHERE {_KEY} AND k.revoked_at IS NULL AND {_NOW}) AS live_keys,"
    f" (SELECT COUNT(*) FROM connections AS n WHERE {_CONNECTION} AND n.activated_at IS NOT NULL"
    " AND n.revoked_at IS NULL AND n.expires_at > :now) AS live_connections,"
    f" (SELECT MAX(k.last_used_at) FROM api_keys AS k WHERE {_KEY}) AS key_at,"
    " (SELECT MAX(d.last_at) FROM connections AS n JOIN credential_days AS d ON d.credential_id = n.id"
    f" WHERE {_CONNECTION}) AS connection_at,"
    f" (SELECT MAX(s.last_used_at) FROM sessions AS s WHERE s.user_id = u.id AND NOT EXISTS ({_ELSEWHERE})) AS session_at"
)
_FROM: Final = "FROM memberships AS m JOIN users AS u ON u.id = m.user_id WHERE m.tenant_id = :tenant_id"
_LIKE: Final = "(LOWER(u.email) LIKE :like ESCAPE '!' OR LOWER(u.name) LIKE :like ESCAPE '!')"
_PAGE: Final = Statement(
    f"SELECT {_COLUMNS} {_FROM} AND u.email > :after AND (:kind = '' OR u.kind = :kind) AND {_LIKE}"
    " ORDER BY u.email LIMIT :most"
)
_ONE: Final = Statement(f"SELECT {_COLUMNS} {_FROM} AND u.id = :user_id")
_COUNT: Final = Statement(f"SELECT COUNT(*) AS count {_FROM} AND (:kind = '' OR u.kind = :kind) AND {_LIKE}")
_PLACES: Final = Statement(
    "SELECT roles.name AS role, r.id, r.type, r.key, r.name, r.parent_id FROM role_placements AS p"
    " JOIN roles ON roles.id = p.role_id JOIN resources AS r ON r.id = p.resource_id"
    " WHERE p.tenant_id = :tenant_id AND p.user_id = :user_id ORDER BY roles.name, r.name, r.id"
)
_AT: Final = Statement(
    "SELECT p.user_id, roles.name, p.resource_id FROM role_placements AS p JOIN roles ON roles.id = p.role_id"
    " JOIN users ON users.id = p.user_id WHERE p.tenant_id = :tenant_id AND p.resource_id = :resource_id"
    " ORDER BY users.email, roles.name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberUse:
    """A member with what they hold in one tenant; ``last_at`` is when they, or one of these, were last there."""

    user: User
    keys: int
    connections: int
    last_at: Instant | None


def members_page(  # noqa: PLR0913  (what a list can be asked for)
    reader: Reader, tenant_id: TenantId, *, text: str = "", kind: OwnerKind | None = None, after: str = "", most: int,
    now: Instant,
) -> list[MemberUse]:  # fmt: skip
    """Return members whose address or name holds ``text``, by address, after the address ``after``."""
    bound = {**_searched(tenant_id, text, kind), "after": after, "most": most, "now": now}
    return [_use(row) for row in reader.all(_PAGE, bound)]


def member_use(reader: Reader, tenant_id: TenantId, user_id: UserId, now: Instant) -> MemberUse | None:
    """Return one member, or None where they are none."""
    row = reader.first(_ONE, {"tenant_id": tenant_id, "user_id": user_id, "now": now})
    return None if row is None else _use(row)


def count_members(reader: Reader, tenant_id: TenantId, *, text: str = "", kind: OwnerKind | None = None) -> int:
    """Return how many ``members_page`` would find."""
    row = reader.first(_COUNT, _searched(tenant_id, text, kind))
    return 0 if row is None else int(row.count)


def nodes_of(reader: Reader, tenant_id: TenantId, user_id: UserId) -> list[tuple[str, Resource]]:
    """Return the roles that one member has at nodes, each with its node."""
    rows = reader.all(_PLACES, {"tenant_id": tenant_id, "user_id": user_id})
    return [
        (
            row.role,
            Resource(
                id=ResourceId(row.id), tenant_id=tenant_id, type=row.type, key=row.key, name=row.name,
                parent_id=row.parent_id and ResourceId(row.parent_id),
            ),
        )
        for row in rows
    ]  # fmt: skip


def placements_at(reader: Reader, tenant_id: TenantId, resource_id: ResourceId) -> list[tuple[UserId, str]]:
    """Return who has which role at one node itself, by address."""
    rows = reader.all(_AT, {"tenant_id": tenant_id, "resource_id": resource_id})
    return [(UserId(row.user_id), row.name) for row in rows]


def _searched(tenant_id: TenantId, text: str, kind: OwnerKind | None) -> dict[str, object]:
    plain = text.lower()
    for mark in "!%_":
        plain = plain.replace(mark, f"!{mark}")
    return {"tenant_id": tenant_id, "like": f"%{plain}%", "kind": "" if kind is None else kind.value}


def _use(row: Row) -> MemberUse:
    user = User(
        id=UserId(row.id), email=row.email, name=row.name, kind=OwnerKind(row.kind), status=Status(row.status),
        created_at=Instant(row.created_at), deleted_at=row.deleted_at,
    )  # fmt: skip
    seen = [each for each in (row.key_at, row.connection_at, row.session_at) if each is not None]
    return MemberUse(
        user=user, keys=int(row.live_keys), connections=int(row.live_connections),
        last_at=Instant(max(seen)) if seen else None,
    )  # fmt: skip
