"""Mail domains: which tenant says that one is its own, who has proven it, and what follows for its people."""

from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, MailDomain, ProviderId, TenantId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import mail_domains as table
from doorward.storage.statements import Row, Statement, delete, insert, select, update

_INSERT: Final = insert(table)
_ONE: Final = select(table, table.c.tenant_id, table.c.domain)
_OF_TENANT: Final = select(table, table.c.tenant_id, order=[table.c.domain])
_PROVEN: Final = Statement(
    sa.select(table).where(table.c.domain == sa.bindparam("domain"), table.c.proven_at.is_not(None))
)
_RULES: Final = update(table, [table.c.provider_id, table.c.join_role], table.c.tenant_id, table.c.domain)
_PROVE: Final = update(
    table, [table.c.proven_at, table.c.proven_by, table.c.checked_at, table.c.missing_since], table.c.tenant_id,
    table.c.domain, table.c.challenge, table.c.proven_at.is_(None),
)  # fmt: skip
_CHECKED: Final = update(
    table, [table.c.checked_at, table.c.missing_since], table.c.tenant_id, table.c.domain, table.c.challenge,
    table.c.proven_at.is_not(None),
)  # fmt: skip
_LAPSE: Final = Statement(
    sa.update(table)
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.domain == sa.bindparam("of_domain"),
        table.c.missing_since == sa.bindparam("seen_missing"),
        table.c.proven_at.is_not(None),
    )
    .values(proven_at=sa.null(), proven_by=sa.null())
)
_DUE: Final = Statement(
    sa.select(table)
    .where(
        table.c.proven_by == "dns",
        sa.or_(table.c.checked_at.is_(None), table.c.checked_at < sa.bindparam("before")),
    )
    .order_by(table.c.checked_at)
    .limit(100)
)
_REMOVE: Final = delete(table, table.c.tenant_id, table.c.domain)


def insert_domain(tx: Transaction, domain: MailDomain) -> None:
    """Add what a tenant says. Raises ``Conflict`` where it says so already."""
    tx.run(_INSERT, records.columns(domain))


def domain_of_tenant(reader: Reader, tenant_id: TenantId, domain: str) -> MailDomain | None:
    """Return what a tenant says of a domain."""
    row = reader.first(_ONE, {"tenant_id": tenant_id, "domain": domain})
    return None if row is None else _domain(row)


def domains_of_tenant(reader: Reader, tenant_id: TenantId) -> list[MailDomain]:
    """Return a tenant's domains by name."""
    return [_domain(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def proven_domain(reader: Reader, domain: str) -> MailDomain | None:
    """Return whose domain this is by proof; one tenant's at most."""
    row = reader.first(_PROVEN, {"domain": domain})
    return None if row is None else _domain(row)


def set_rules(tx: Transaction, domain: MailDomain) -> bool:
    """Store through whom its people come, and their role. False where it is gone."""
    return tx.run(_RULES, records.columns(domain)) == 1


def prove_domain(tx: Transaction, domain: MailDomain, *, by: str, now: Instant) -> bool:
    """Have it proven, once. Raises ``Conflict`` where another tenant has proven it."""
    key = {"tenant_id": domain.tenant_id, "domain": domain.domain, "challenge": domain.challenge}
    return tx.run(_PROVE, {**key, "proven_at": now, "proven_by": by, "checked_at": now, "missing_since": None}) == 1


def checked(tx: Transaction, domain: MailDomain, *, missing_since: Instant | None, now: Instant) -> bool:
    """Remember that its record was looked for. False where it is not proven any more."""
    key = {"tenant_id": domain.tenant_id, "domain": domain.domain, "challenge": domain.challenge}
    return tx.run(_CHECKED, {**key, "checked_at": now, "missing_since": missing_since}) == 1


def lapse(tx: Transaction, domain: MailDomain) -> bool:
    """Take the proof away, while the record is missing since the moment that ``domain`` says."""
    return (
        tx.run(_LAPSE, {
            "of_tenant": domain.tenant_id, "of_domain": domain.domain, "seen_missing": domain.missing_since,
        })
        == 1
    )  # fmt: skip


def due_domains(reader: Reader, before: Instant) -> list[MailDomain]:
    """Return domains proven by a record that was last looked for earlier than ``before``; 100 at most."""
    return [_domain(row) for row in reader.all(_DUE, {"before": before})]


def remove_domain(tx: Transaction, tenant_id: TenantId, domain: str) -> bool:
    """Forget what a tenant says. False where it was gone before."""
    return tx.run(_REMOVE, {"tenant_id": tenant_id, "domain": domain}) == 1


def _domain(row: Row) -> MailDomain:
    return MailDomain(
        tenant_id=TenantId(row.tenant_id),
        domain=row.domain,
        challenge=row.challenge,
        provider_id=None if row.provider_id is None else ProviderId(row.provider_id),
        join_role=row.join_role,
        created_at=Instant(row.created_at),
        proven_at=row.proven_at,
        proven_by=row.proven_by,
        checked_at=row.checked_at,
        missing_since=row.missing_since,
    )
