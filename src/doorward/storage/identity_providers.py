"""Identity providers: what the operator declared of each."""

from functools import lru_cache
from typing import Any, Final

from doorward.model import IdentityProvider, Instant, ProviderId, Status
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import identity_providers as table
from doorward.storage.statements import Row, insert, select, update

_FIXED: Final = {"id", "slug", "created_at"}
_INSERT: Final = insert(table)
_UPDATE: Final = update(table, [column for column in table.columns if column.name not in _FIXED], table.c.id)
_BY_SLUG: Final = select(table, table.c.slug)
_BY_ID: Final = select(table, table.c.id)
_ALL: Final = select(table, order=[table.c.name, table.c.slug])


def insert_provider(tx: Transaction, provider: IdentityProvider) -> None:
    """Add a provider. Raises ``Conflict`` where the slug is taken."""
    tx.run(_INSERT, _columns(provider))


def update_provider(tx: Transaction, provider: IdentityProvider) -> bool:
    """Store everything but id, slug and birth. False where there is no such provider."""
    return tx.run(_UPDATE, _columns(provider)) == 1


def provider_by_slug(reader: Reader, slug: str) -> IdentityProvider | None:
    """Return the provider, whatever its status."""
    return _found(reader.first(_BY_SLUG, {"slug": slug}))


def provider_by_id(reader: Reader, provider_id: ProviderId) -> IdentityProvider | None:
    """Return the provider, whatever its status."""
    return _found(reader.first(_BY_ID, {"id": provider_id}))


def all_providers(reader: Reader) -> list[IdentityProvider]:
    """Return all of them by name, disabled ones too."""
    return [_provider(row) for row in reader.all(_ALL)]


def _found(row: Row | None) -> IdentityProvider | None:
    return None if row is None else _provider(row)


def _columns(provider: IdentityProvider) -> dict[str, Any]:
    return {
        **records.columns(provider),
        "scopes": records.listed(provider.scopes),
        "domains": records.listed(provider.domains),
        "trust_email": int(provider.trust_email),
    }


@lru_cache(maxsize=256)
def _provider(row: Row) -> IdentityProvider:
    return IdentityProvider(
        id=ProviderId(row.id),
        slug=row.slug,
        name=row.name,
        template=row.template,
        issuer=row.issuer,
        client_id=row.client_id,
        secret=row.secret,
        scopes=records.texts(row.scopes),
        domains=records.texts(row.domains),
        trust_email=bool(row.trust_email),
        status=Status(row.status),
        created_at=Instant(row.created_at),
    )
