"""Users, tenants, who belongs where, and failed sign-ins."""

from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from doorward.model import (
    SECOND,
    Instant,
    KeyMakers,
    KeyPolicy,
    Membership,
    NeverEnding,
    OwnerKind,
    Rates,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import memberships, role_bindings, roles, tenants, upstream_grants, users
from doorward.storage.schema import sign_in_failures as failures
from doorward.storage.statements import POSTGRESQL, SQLITE, Row, Statement, delete, insert, select, update

FAILURES_KEPT: Final = 24 * 3600 * SECOND
"""Failed sign-ins older than this are forgotten."""

_USER: Final = tuple(column for column in users.columns if column is not users.c.password_hash)
_INSERT_USER: Final = insert(users)
_USER_BY_EMAIL: Final = Statement(sa.select(*_USER).where(users.c.email == sa.bindparam("email")))
_USER_BY_ID: Final = Statement(sa.select(*_USER).where(users.c.id == sa.bindparam("id")))
_HELD: Final = sa.select(*_USER).where(users.c.id == sa.bindparam("id"))
_HELD_USER: Final = Statement({SQLITE: _HELD, POSTGRESQL: _HELD.with_for_update(read=True)})
_CHANGING_USER: Final = Statement({SQLITE: _HELD, POSTGRESQL: _HELD.with_for_update()})
_USERS: Final = Statement(sa.select(*_USER).where(users.c.deleted_at.is_(None)).order_by(users.c.email))
_UPDATE_USER: Final = update(users, [users.c.email, users.c.name, users.c.kind, users.c.status], users.c.id)
_UNLINK: Final = delete(upstream_grants, upstream_grants.c.user_id)
_CHANGE_EMAIL: Final = Statement(
    sa.update(users)
    .where(users.c.id == sa.bindparam("user_id"), users.c.email == sa.bindparam("expected"))
    .values(email=sa.bindparam("new"))
)
_PASSWORD_HASH: Final = Statement(sa.select(users.c.password_hash).where(users.c.id == sa.bindparam("id")))
_REPLACE_PASSWORD_HASH: Final = Statement(
    sa.update(users)
    .where(
        users.c.id == sa.bindparam("user_id"),
        users.c.password_hash.is_not_distinct_from(sa.bindparam("expected", type_=sa.Text)),
    )
    .values(password_hash=sa.bindparam("new"))
)
_DROP_PASSWORD: Final = Statement(
    sa.update(users)
    .where(users.c.id == sa.bindparam("id"), users.c.password_hash.is_not(None))
    .values(password_hash=sa.null())
)

_INSERT_TENANT: Final = insert(tenants)
_TENANT_BY_SLUG: Final = select(tenants, tenants.c.slug)
_TENANT_BY_ID: Final = select(tenants, tenants.c.id)
_UPDATE_TENANT: Final = update(
    tenants,
    [
        tenants.c.slug,
        tenants.c.name,
        tenants.c.access_ttl,
        tenants.c.rates,
        tenants.c.sign_in_methods,
        tenants.c.key_policy,
        tenants.c.status,
    ],
    tenants.c.id,
)
_TENANTS: Final = select(tenants, order=[tenants.c.name, tenants.c.slug])

_BOUND: Final = sa.and_(
    role_bindings.c.tenant_id == memberships.c.tenant_id, role_bindings.c.user_id == memberships.c.user_id
)
_WITH_ROLE: Final = memberships.outerjoin(role_bindings, _BOUND).outerjoin(roles, roles.c.id == role_bindings.c.role_id)
_MEMBERSHIPS_OF_USER: Final = Statement(
    sa.select(*tenants.columns, roles.c.name.label("role"))
    .select_from(_WITH_ROLE.join(tenants, tenants.c.id == memberships.c.tenant_id))
    .where(memberships.c.user_id == sa.bindparam("user_id"), tenants.c.status == Status.ACTIVE.value)
    .order_by(tenants.c.name, tenants.c.id, roles.c.name)
)
_MEMBERS_OF_TENANT: Final = Statement(
    sa.select(*_USER, roles.c.name.label("role"))
    .select_from(_WITH_ROLE.join(users, users.c.id == memberships.c.user_id))
    .where(memberships.c.tenant_id == sa.bindparam("tenant_id"))
    .order_by(users.c.email, roles.c.name)
)

_INSERT_FAILURE: Final = insert(failures)
_FORGET_FAILURES: Final = delete(failures, failures.c.at < sa.bindparam("before"))
_CLEAR_FAILURES: Final = delete(failures, failures.c.email)
_TAKE_BACK_FAILURE: Final = delete(failures, failures.c.email, failures.c.at)
_FAILURES: Final = Statement(
    sa.select(sa.func.count().label("count")).where(
        failures.c.email == sa.bindparam("email"), failures.c.at >= sa.bindparam("since")
    )
)


def insert_user(tx: Transaction, user: User, password_hash: str | None) -> None:
    """Add a user. Raises ``Conflict`` where the id or the e-mail address is taken."""
    tx.run(_INSERT_USER, {**records.columns(user), "password_hash": password_hash})


def user_by_email(reader: Reader, email: str) -> User | None:
    """Return the user of this (lower-case) address, whatever the status."""
    return _user(reader.first(_USER_BY_EMAIL, {"email": email}))


def user_by_id(reader: Reader, user_id: UserId) -> User | None:
    """Return the user, whatever the status."""
    return reader.kept(("user", user_id), lambda: _user(reader.first(_USER_BY_ID, {"id": user_id})))


def all_users(reader: Reader) -> list[User]:
    """Return everybody by address, deactivated users too, but for those who are deleted."""
    return [user for user in map(_user, reader.all(_USERS)) if user is not None]


def held_user(tx: Transaction, user_id: UserId) -> User | None:
    """Return the user as they are, and keep others from changing them until the end: to give them something."""
    return _user(tx.first(_HELD_USER, {"id": user_id}))


def changing_user(tx: Transaction, user_id: UserId) -> User | None:
    """Return the user as they are, for this transaction alone until its end: to take something from them.

    Of two that each leave the last but one of something, the second sees what the first has left.
    """
    return _user(tx.first(_CHANGING_USER, {"id": user_id}))


def update_user(tx: Transaction, user: User) -> bool:
    """Store address, name, kind and status. False where there is no such user. Raises ``Conflict``.

    Who is disabled has no linked accounts any more: what they gave us elsewhere is forgotten with it.
    """
    if user.status is not Status.ACTIVE:
        tx.run(_UNLINK, {"user_id": user.id})
    return tx.run(_UPDATE_USER, records.columns(user)) == 1


def change_email(tx: Transaction, user_id: UserId, *, expected: str, new: str) -> bool:
    """Store another address if it is still the one that was seen. Raises ``Conflict`` where somebody has it."""
    return tx.run(_CHANGE_EMAIL, {"user_id": user_id, "expected": expected, "new": new}) == 1


def password_hash(reader: Reader, user_id: UserId) -> str | None:
    """Return the stored hash, or None where there is no password or no user."""
    row = reader.first(_PASSWORD_HASH, {"id": user_id})
    return None if row is None else row.password_hash


def replace_password_hash(tx: Transaction, user_id: UserId, *, expected: str | None, new: str) -> bool:
    """Store ``new`` if the hash is still the one that was seen; hashing runs outside the transaction."""
    return tx.run(_REPLACE_PASSWORD_HASH, {"user_id": user_id, "expected": expected, "new": new}) == 1


def drop_password(tx: Transaction, user_id: UserId) -> bool:
    """Take the password away. False where there was none."""
    return tx.run(_DROP_PASSWORD, {"id": user_id}) == 1


def insert_tenant(tx: Transaction, tenant: Tenant) -> None:
    """Add a tenant. Raises ``Conflict`` where id or slug is taken."""
    tx.run(_INSERT_TENANT, _columns(tenant))


def tenant_by_slug(reader: Reader, slug: str) -> Tenant | None:
    """Return the tenant, whatever its status."""
    row = reader.first(_TENANT_BY_SLUG, {"slug": slug})
    return None if row is None else _tenant(row)


def tenant_by_id(reader: Reader, tenant_id: TenantId) -> Tenant | None:
    """Return the tenant, whatever its status."""
    row = reader.first(_TENANT_BY_ID, {"id": tenant_id})
    return None if row is None else _tenant(row)


def update_tenant(tx: Transaction, tenant: Tenant) -> bool:
    """Store slug, name, rates, ways of signing in and status. False where there is no such tenant. Raises ``Conflict``."""
    return tx.run(_UPDATE_TENANT, _columns(tenant)) == 1


def all_tenants(reader: Reader) -> list[Tenant]:
    """Return all tenants by name, disabled ones too."""
    return [_tenant(row) for row in reader.all(_TENANTS)]


def memberships_of_user(reader: Reader, user_id: UserId) -> list[tuple[Tenant, Membership]]:
    """Return where a user belongs: active tenants only, by name."""
    found: dict[TenantId, tuple[Tenant, list[str]]] = {}
    for row in reader.all(_MEMBERSHIPS_OF_USER, {"user_id": user_id}):
        _tenant_found, names = found.setdefault(TenantId(row.id), (_tenant(row), []))
        if row.role is not None:
            names.append(row.role)
    return [
        (tenant, Membership(tenant_id=tenant.id, user_id=user_id, roles=tuple(names)))
        for tenant, names in found.values()
    ]


def members_of_tenant(reader: Reader, tenant_id: TenantId) -> list[tuple[User, Membership]]:
    """Return the members by e-mail address, disabled users too."""
    found: dict[UserId, tuple[User, list[str]]] = {}
    for row in reader.all(_MEMBERS_OF_TENANT, {"tenant_id": tenant_id}):
        user = _user(row)
        if user is None:
            continue
        _user_found, names = found.setdefault(user.id, (user, []))
        if row.role is not None:
            names.append(row.role)
    return [
        (user, Membership(tenant_id=tenant_id, user_id=user.id, roles=tuple(names))) for user, names in found.values()
    ]


def record_sign_in_failure(tx: Transaction, email: str, now: Instant) -> int:
    """Remember a failed sign-in; return how many this address has had in the last ``FAILURES_KEPT``, with this one.

    Counted for addresses that nobody has, too: otherwise throttling would tell which exist.
    """
    tx.run(_FORGET_FAILURES, {"before": now - FAILURES_KEPT})
    tx.run(_INSERT_FAILURE, {"email": email, "at": now})
    return sign_in_failures(tx, email, Instant(now - FAILURES_KEPT))


def take_back_sign_in_failure(tx: Transaction, email: str, at: Instant) -> None:
    """Forget what was remembered for an address at this instant."""
    tx.run(_TAKE_BACK_FAILURE, {"email": email, "at": at})


def clear_sign_in_failures(tx: Transaction, email: str) -> None:
    """Forget the failures of an address, after it signed in."""
    tx.run(_CLEAR_FAILURES, {"email": email})


def sign_in_failures(reader: Reader, email: str, since: Instant) -> int:
    """Return how many sign-ins of this address failed at ``since`` or later."""
    row = reader.first(_FAILURES, {"email": email, "since": since})
    return 0 if row is None else int(row.count)


@lru_cache(maxsize=4096)
def _user(row: Row | None) -> User | None:
    if row is None:
        return None
    return User(
        id=UserId(row.id),
        email=row.email,
        name=row.name,
        kind=OwnerKind(row.kind),
        status=Status(row.status),
        created_at=Instant(row.created_at),
        deleted_at=row.deleted_at,
    )


def _columns(tenant: Tenant) -> dict[str, Any]:
    said = {name: number for name, number in records.columns(tenant.rates).items() if number is not None}
    methods = None if tenant.sign_in_methods is None else records.listed(tenant.sign_in_methods)
    policy = {name: value for name, value in records.columns(tenant.key_policy).items() if value is not None}
    return {
        **records.columns(tenant), "rates": records.mapped(said), "sign_in_methods": methods,
        "key_policy": records.mapped(policy),
    }  # fmt: skip


def _key_policy(said: dict[str, Any]) -> KeyPolicy:
    never = said.get("never")
    return KeyPolicy(
        max_days=said.get("max_days"),
        never=None if never is None else NeverEnding(never),
        create=KeyMakers(said["create"]),
    )


@lru_cache(maxsize=1024)
def _tenant(row: Row) -> Tenant:
    return Tenant(
        id=TenantId(row.id),
        slug=row.slug,
        name=row.name,
        access_ttl=row.access_ttl,
        rates=Rates(**records.mapping(row.rates)),
        sign_in_methods=None if row.sign_in_methods is None else records.texts(row.sign_in_methods),
        key_policy=_key_policy(records.mapping(row.key_policy)),
        status=Status(row.status),
        created_at=Instant(row.created_at),
    )
