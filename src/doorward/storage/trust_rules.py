"""Trust rules: which tokens of other issuers stand for a service account of a tenant."""

from collections.abc import Mapping
from typing import Final

from doorward.model import ClientId, Instant, ServerId, TenantId, TrustRule, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import trust_rules as table
from doorward.storage.statements import Row, delete, insert, select, update

_FIXED: Final = {"id", "tenant_id", "created_at"}
_INSERT: Final = insert(table)
_BY_NAME: Final = select(table, table.c.tenant_id, table.c.name)
_OF_TENANT: Final = select(table, table.c.tenant_id, order=[table.c.name])
_OF_ISSUER: Final = select(table, table.c.issuer, order=[table.c.created_at, table.c.id])
_UPDATE: Final = update(table, [column for column in table.columns if column.name not in _FIXED], table.c.id)
_PIN: Final = update(table, [table.c.pinned, table.c.pinned_at], table.c.id, table.c.pinned.is_(None))
_DELETE: Final = delete(table, table.c.id)


def insert_rule(tx: Transaction, rule: TrustRule) -> None:
    """Add a rule. Raises ``Conflict``: the name is taken, or client, tenant or account does not exist."""
    tx.run(_INSERT, _columns(rule))


def update_rule(tx: Transaction, rule: TrustRule) -> bool:
    """Store everything but id, tenant and birth. False where there is no such rule."""
    return tx.run(_UPDATE, _columns(rule)) == 1


def remove_rule(tx: Transaction, rule_id: ClientId) -> bool:
    """Remove a rule. False where it was gone before."""
    return tx.run(_DELETE, {"id": rule_id}) == 1


def pin_rule(tx: Transaction, rule_id: ClientId, pinned: Mapping[str, str], now: Instant) -> bool:
    """Decide a pending rule's pins. True for exactly one caller ever."""
    return tx.run(_PIN, {"id": rule_id, "pinned": records.mapped(pinned), "pinned_at": now}) == 1


def rule_by_name(reader: Reader, tenant_id: TenantId, name: str) -> TrustRule | None:
    """Return a tenant's rule of this name."""
    row = reader.first(_BY_NAME, {"tenant_id": tenant_id, "name": name})
    return None if row is None else _rule(row)


def rules_of_tenant(reader: Reader, tenant_id: TenantId) -> list[TrustRule]:
    """Return a tenant's rules by name."""
    return [_rule(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def rules_of_issuer(reader: Reader, issuer: str) -> list[TrustRule]:
    """Return all tenants' rules about exactly this issuer, oldest first."""
    return [_rule(row) for row in reader.all(_OF_ISSUER, {"issuer": issuer})]


def _columns(rule: TrustRule) -> dict[str, object]:
    return {
        **records.columns(rule),
        "claims": records.mapped(rule.claims),
        "pins": records.listed(rule.pins),
        "pinned": None if rule.pinned is None else records.mapped(rule.pinned),
        "scopes": None if rule.scopes is None else records.joined(rule.scopes),
        "resources": records.narrowed(rule.resources),
        "servers": None if rule.servers is None else records.listed(sorted(rule.servers)),
        "single_use": int(rule.single_use),
        "jwks": records.key_list(rule.jwks),
    }


def _rule(row: Row) -> TrustRule:
    return TrustRule(
        id=ClientId(row.id),
        tenant_id=TenantId(row.tenant_id),
        name=row.name,
        issuer=row.issuer,
        audience=row.audience,
        claims=records.mapping(row.claims),
        pins=records.texts(row.pins),
        pinned=None if row.pinned is None else records.mapping(row.pinned),
        user_id=UserId(row.user_id),
        scopes=None if row.scopes is None else records.permissions(row.scopes),
        resources=records.subtrees(row.resources),
        servers=None if row.servers is None else frozenset(map(ServerId, records.texts(row.servers))),
        lifetime=row.lifetime,
        single_use=bool(row.single_use),
        jwks_uri=row.jwks_uri,
        jwks=records.keys(row.jwks),
        created_at=Instant(row.created_at),
        pinned_at=row.pinned_at,
    )
