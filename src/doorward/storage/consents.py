"""What people want to be approved without a page."""

from dataclasses import dataclass
from typing import Final

from doorward.model import ClientId, Instant, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import remembered_consents as remembered
from doorward.storage.statements import Row, delete, select, upsert

_KEY: Final = (
    remembered.c.user_id, remembered.c.tenant_id, remembered.c.client_id, remembered.c.redirect_uri,
    remembered.c.resource,
)  # fmt: skip
_BY_KEY: Final = select(remembered, *_KEY)
_OF_USER: Final = select(remembered, remembered.c.user_id, order=[remembered.c.client_id, remembered.c.resource])
_ANY: Final = select(
    remembered, remembered.c.user_id, remembered.c.client_id, remembered.c.redirect_uri, remembered.c.resource
)
_CHANGE: Final = (
    remembered.c.answered, remembered.c.granted, remembered.c.client_digest, remembered.c.expires_at,
)  # fmt: skip
_PUT: Final = upsert(remembered, _KEY, _CHANGE)
_FORGET: Final = delete(remembered, remembered.c.user_id, remembered.c.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedConsent:
    """One answer that stands for later pages. ``answered`` could be ticked then, ``granted`` was."""

    user_id: UserId
    tenant_id: TenantId
    client_id: ClientId
    redirect_uri: str
    resource: str
    answered: frozenset[str]
    granted: frozenset[str]
    client_digest: str
    """Of what the client was then (G8)."""
    expires_at: Instant


def remembered_consent(
    reader: Reader, *, user_id: UserId, tenant_id: TenantId, client_id: ClientId, redirect_uri: str, resource: str
) -> RememberedConsent | None:
    """Return what was remembered, whether it is over or not."""
    key = {
        "user_id": user_id,
        "tenant_id": tenant_id,
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "resource": resource,
    }
    row = reader.first(_BY_KEY, key)
    return None if row is None else _consent(row)


def any_remembered(
    reader: Reader, *, user_id: UserId, client_id: ClientId, redirect_uri: str, resource: str
) -> bool:  # fmt: skip
    """Say whether anything was remembered in any tenant, whether it is over or not."""
    key = {"user_id": user_id, "client_id": client_id, "redirect_uri": redirect_uri, "resource": resource}
    return reader.first(_ANY, key) is not None


def remembered_consents_of(reader: Reader, user_id: UserId) -> list[RememberedConsent]:
    """Return all that a person wants to be remembered, what is over too."""
    return [_consent(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def remember_consent(tx: Transaction, consent: RememberedConsent) -> None:
    """Write it down, in place of what stood there."""
    answered, granted = records.joined(consent.answered), records.joined(consent.granted)
    tx.run(_PUT, {**records.columns(consent), "answered": answered, "granted": granted})


def forget_consents(tx: Transaction, user_id: UserId, client_id: ClientId) -> bool:
    """Forget all answers of a user to a client, in every tenant. False where there was none."""
    return tx.run(_FORGET, {"user_id": user_id, "client_id": client_id}) > 0


def _consent(row: Row) -> RememberedConsent:
    return RememberedConsent(
        user_id=UserId(row.user_id),
        tenant_id=TenantId(row.tenant_id),
        client_id=ClientId(row.client_id),
        redirect_uri=row.redirect_uri,
        resource=row.resource,
        answered=frozenset(row.answered.split()),
        granted=frozenset(row.granted.split()),
        client_digest=row.client_digest,
        expires_at=Instant(row.expires_at),
    )
