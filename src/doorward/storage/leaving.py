"""What ends when somebody leaves, a tenant or altogether, and the owners that every tenant keeps.

Each function ends what one person holds in the tenant ``tenant_id``, or with None everywhere, and returns the ids of
what it ended. That a tenant keeps an owner is a condition of the statement itself; on PostgreSQL the caller
holds the tenants' rows, without which two owners could each leave because the other one was there.
"""

from dataclasses import dataclass
from typing import Final

from doorward.model import Instant, OwnerKind, Status, TenantId, UserId
from doorward.storage.database import Reader, Transaction
from doorward.storage.statements import POSTGRESQL, SQLITE, Statement

_OWNER: Final = "owner"
_HERE: Final = "user_id = :user_id AND (tenant_id = :tenant_id OR :tenant_id = '')"


@dataclass(frozen=True, slots=True)
class _Ending:
    """What there is, told before it is ended; whoever ends it holds what others would need to add to it."""

    find: Statement
    end: Statement


def _ending(table: str, where: str, change: str, name: str = "id") -> _Ending:
    find = Statement(f"SELECT {name} AS id FROM {table} WHERE {where}")  # noqa: S608  (constants)
    return _Ending(find, Statement(f"{change} WHERE {where}"))


_END_KEYS: Final = _ending("api_keys", f"{_HERE} AND revoked_at IS NULL", "UPDATE api_keys SET revoked_at = :now")
_END_CONNECTIONS: Final = _ending(
    "connections",
    f"{_HERE} AND revoked_at IS NULL",
    "UPDATE connections SET revoked_at = :now, revoked_reason = :reason",
)
_END_CLIENTS: Final = _ending(
    "clients",
    "owner_id = :user_id AND (tenant_id = :tenant_id OR :tenant_id = '') AND deleted_at IS NULL",
    "UPDATE clients SET status = 'disabled', deleted_at = :now",
)
_FORGET_CONSENTS: Final = _ending("remembered_consents", _HERE, "DELETE FROM remembered_consents", "client_id")
_UNLINK: Final = _ending("upstream_grants", _HERE, "DELETE FROM upstream_grants")
_CALL_BACK: Final = _ending("upstream_requests", _HERE, "DELETE FROM upstream_requests", "server_id")
_END_SESSIONS: Final = _ending(
    "sessions", "user_id = :user_id AND ended_at IS NULL", "UPDATE sessions SET ended_at = :now"
)
_END_LINKS: Final = _ending(
    "links", "user_id = :user_id AND used_at IS NULL AND ended_at IS NULL", "UPDATE links SET ended_at = :now"
)
_REVOKE_INVITATIONS: Final = _ending(
    "invitations",
    "invited_by = :user_id AND (tenant_id = :tenant_id OR :tenant_id = '') AND accepted_at IS NULL"
    " AND revoked_at IS NULL",
    "UPDATE invitations SET revoked_at = :now",
)
_END_APPROVALS: Final = _ending(
    "approvals",
    "(user_id = :user_id OR decided_by = :user_id) AND (tenant_id = :tenant_id OR :tenant_id = '')"
    " AND expires_at > :now",
    "UPDATE approvals SET expires_at = :now",
)
_FORGET_LINKS: Final = Statement("DELETE FROM links WHERE user_id = :user_id")
_FORGET_SESSIONS: Final = Statement("DELETE FROM sessions WHERE user_id = :user_id")
_FORGET_NOTICES: Final = Statement("DELETE FROM notices WHERE user_id = :user_id")
_FORGET_IDENTITIES: Final = Statement("DELETE FROM identities WHERE user_id = :user_id")
_FORGET_PASSKEYS: Final = Statement("DELETE FROM passkeys WHERE user_id = :user_id")
_FORGET_RECOVERY_CODES: Final = Statement("DELETE FROM recovery_codes WHERE user_id = :user_id")
_FORGET_MEMBERSHIPS: Final = Statement("DELETE FROM memberships WHERE user_id = :user_id")

_OWNS: Final = (
    "SELECT held.tenant_id AS id FROM role_bindings AS held"  # noqa: S608
    f" JOIN roles AS role ON role.id = held.role_id AND role.name = '{_OWNER}'"
    " JOIN tenants ON tenants.id = held.tenant_id"
    f" WHERE held.user_id = :user_id AND tenants.status = '{Status.ACTIVE}'"
    " AND NOT EXISTS (SELECT 1 FROM role_bindings AS other"
    f" JOIN roles AS owning ON owning.id = other.role_id AND owning.name = '{_OWNER}'"
    " JOIN users AS person ON person.id = other.user_id"
    " WHERE other.tenant_id = held.tenant_id AND other.user_id <> :user_id"
    f" AND person.status = '{Status.ACTIVE}' AND person.kind = '{OwnerKind.PERSON}')"
)
"""The active tenants that have no other owner: somebody who can sign in and speak for all of it."""
_SOLE: Final = Statement(_OWNS + " ORDER BY held.tenant_id")
_LIVING: Final = f"EXISTS (SELECT 1 FROM users WHERE id = :user_id AND status = '{Status.ACTIVE}')"  # noqa: S608
_KEEPS_OWNER: Final = f"NOT ({_LIVING} AND EXISTS ({_OWNS} AND held.tenant_id = :tenant_id))"
_KEEPS_OWNERS: Final = f"NOT EXISTS ({_OWNS})"
_DISABLE: Final = Statement(
    f"UPDATE users SET status = '{Status.DISABLED}'"  # noqa: S608
    f" WHERE id = :user_id AND status = '{Status.ACTIVE}' AND {_KEEPS_OWNERS}"
)
_ENABLE: Final = Statement(
    f"UPDATE users SET status = '{Status.ACTIVE}'"  # noqa: S608
    f" WHERE id = :user_id AND status = '{Status.DISABLED}' AND deleted_at IS NULL"
)
_ERASE: Final = Statement(
    f"UPDATE users SET status = '{Status.DISABLED}', email = :email, name = :name, password_hash = NULL,"  # noqa: S608
    f" deleted_at = :now WHERE id = :user_id AND deleted_at IS NULL AND (status <> '{Status.ACTIVE}' OR {_KEEPS_OWNERS})"
)
_REMOVE_MEMBER: Final = Statement(
    f"DELETE FROM memberships WHERE tenant_id = :tenant_id AND user_id = :user_id AND {_KEEPS_OWNER}"  # noqa: S608
)
_TAKE_OWNER: Final = Statement(
    "DELETE FROM role_bindings WHERE tenant_id = :tenant_id AND user_id = :user_id"  # noqa: S608
    f" AND role_id IN (SELECT id FROM roles WHERE tenant_id = :tenant_id AND name = '{_OWNER}') AND {_KEEPS_OWNER}"
)
_PLACES: Final = "SELECT tenant_id AS id FROM memberships WHERE user_id = :user_id ORDER BY tenant_id"
_LOCK: Final = "SELECT id FROM users WHERE id = :user_id"
_LOCK_USER: Final = Statement({SQLITE: _LOCK, POSTGRESQL: "SELECT id FROM users WHERE id = %(user_id)s FOR UPDATE"})
_TENANTS_OF_USER: Final = Statement(_PLACES)


def lock_user(tx: Transaction, user_id: UserId) -> list[TenantId]:
    """Keep others from giving this user anything, hold all tenants that they belong to, and return these.

    First the user: then nobody can make them an owner elsewhere meanwhile.
    """
    tx.first(_LOCK_USER, {"user_id": user_id})
    places = tenants_of_user(tx, user_id)
    for tenant_id in places:
        tx.lock_tenant(tenant_id, for_rights=True)
    return places


def tenants_of_user(reader: Reader, user_id: UserId) -> list[TenantId]:
    """Return every tenant that a user belongs to, disabled ones too."""
    return [TenantId(row.id) for row in reader.all(_TENANTS_OF_USER, {"user_id": user_id})]


def tenants_without_another_owner(reader: Reader, user_id: UserId) -> list[TenantId]:
    """Return the active tenants whose one owner this user is."""
    return [TenantId(row.id) for row in reader.all(_SOLE, {"user_id": user_id})]


def disable_user(tx: Transaction, user_id: UserId) -> bool:
    """Disable an active user. False where they were not active, or a tenant would be left without an owner."""
    return tx.run(_DISABLE, {"user_id": user_id}) == 1


def enable_user(tx: Transaction, user_id: UserId) -> bool:
    """Let a disabled user be active again. False where they were active, or are deleted."""
    return tx.run(_ENABLE, {"user_id": user_id}) == 1


def erase_user(tx: Transaction, user_id: UserId, *, email: str, name: str, now: Instant) -> bool:
    """Leave nothing of a user but the row that others refer to. False where it was, or an owner would be missing."""
    return tx.run(_ERASE, {"user_id": user_id, "email": email, "name": name, "now": now}) == 1


def remove_member(tx: Transaction, tenant_id: TenantId, user_id: UserId) -> bool:
    """Take a user out of a tenant. False where they were not in it, or it would be left without an owner."""
    return tx.run(_REMOVE_MEMBER, {"tenant_id": tenant_id, "user_id": user_id}) == 1


def take_owner_role(tx: Transaction, tenant_id: TenantId, user_id: UserId) -> bool:
    """Take the owner's role from a member. False where they had it not, or the tenant would be left without an owner."""
    return tx.run(_TAKE_OWNER, {"tenant_id": tenant_id, "user_id": user_id}) == 1


def end_api_keys(tx: Transaction, user_id: UserId, tenant_id: TenantId | None, now: Instant) -> list[str]:
    """Revoke what keys there are; return their ids."""
    return _ended(tx, _END_KEYS, user_id, tenant_id, {"now": now})


def end_connections(
    tx: Transaction, user_id: UserId, tenant_id: TenantId | None, now: Instant, reason: str
) -> list[str]:
    """End what connections there are, with their codes, tokens and devices; return their ids."""
    return _ended(tx, _END_CONNECTIONS, user_id, tenant_id, {"now": now, "reason": reason})


def forget_consents(tx: Transaction, user_id: UserId, tenant_id: TenantId | None) -> list[str]:
    """Forget what clients were to be let in without being asked; return their ids."""
    return _ended(tx, _FORGET_CONSENTS, user_id, tenant_id, {})


def unlink_accounts(tx: Transaction, user_id: UserId, tenant_id: TenantId | None) -> list[str]:
    """Forget what accounts are linked at servers, and what is on its way to be; return the ids of the former."""
    _ended(tx, _CALL_BACK, user_id, tenant_id, {})
    return _ended(tx, _UNLINK, user_id, tenant_id, {})


def end_sessions(tx: Transaction, user_id: UserId, now: Instant) -> list[str]:
    """End all browser sessions; return their ids."""
    return _ended(tx, _END_SESSIONS, user_id, None, {"now": now})


def end_links(tx: Transaction, user_id: UserId, now: Instant) -> list[str]:
    """End all mailed links about the account that nobody used; return their ids."""
    return _ended(tx, _END_LINKS, user_id, None, {"now": now})


def revoke_invitations(tx: Transaction, user_id: UserId, tenant_id: TenantId | None, now: Instant) -> list[str]:
    """Take back what this user invited others to and nobody accepted; return the invitations' ids."""
    return _ended(tx, _REVOKE_INVITATIONS, user_id, tenant_id, {"now": now})


def end_own_clients(tx: Transaction, user_id: UserId, tenant_id: TenantId | None, now: Instant) -> list[str]:
    """Delete the clients that this user registered for themselves; return their ids."""
    return _ended(tx, _END_CLIENTS, user_id, tenant_id, {"now": now})


def end_approvals(tx: Transaction, user_id: UserId, tenant_id: TenantId | None, now: Instant) -> list[str]:
    """End the approvals that this user's calls wait for or have, and those that they gave; return their ids."""
    return _ended(tx, _END_APPROVALS, user_id, tenant_id, {"now": now})


def forget_links(tx: Transaction, user_id: UserId) -> None:
    """Delete all mailed links about the account."""
    tx.run(_FORGET_LINKS, {"user_id": user_id})


def forget_sessions(tx: Transaction, user_id: UserId) -> None:
    """Delete all browser sessions, ended ones too."""
    tx.run(_FORGET_SESSIONS, {"user_id": user_id})


def forget_notices(tx: Transaction, user_id: UserId) -> None:
    """Delete what the person was to be told."""
    tx.run(_FORGET_NOTICES, {"user_id": user_id})


def forget_identities(tx: Transaction, user_id: UserId) -> None:
    """Untie a user from whom providers say they are: then a new account of theirs can be."""
    tx.run(_FORGET_IDENTITIES, {"user_id": user_id})


def forget_passkeys(tx: Transaction, user_id: UserId) -> None:
    """Delete all passkeys and recovery codes."""
    tx.run(_FORGET_PASSKEYS, {"user_id": user_id})
    tx.run(_FORGET_RECOVERY_CODES, {"user_id": user_id})


def forget_memberships(tx: Transaction, user_id: UserId) -> None:
    """Take a user out of every tenant."""
    tx.run(_FORGET_MEMBERSHIPS, {"user_id": user_id})


def _ended(
    tx: Transaction, ending: _Ending, user_id: UserId, tenant_id: TenantId | None, more: dict[str, object]
) -> list[str]:
    bound = {"user_id": user_id, "tenant_id": tenant_id or "", **more}
    found = sorted({row.id for row in tx.all(ending.find, bound)})
    if found:
        tx.run(ending.end, bound)
    return found
