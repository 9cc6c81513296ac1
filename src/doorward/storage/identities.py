"""Who is who at an identity provider, and sign-ins that are on their way there."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from doorward.model import Fingerprint, Identity, Instant, ProviderId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import identities as table
from doorward.storage.schema import provider_sign_ins as started
from doorward.storage.statements import Row, Statement, delete, insert, select, update

_INSERT: Final = insert(table)
_ONE: Final = select(table, table.c.issuer, table.c.subject)
_OF_USER: Final = select(table, table.c.user_id, order=[table.c.created_at, table.c.issuer, table.c.subject])
_SEEN: Final = update(
    table, [table.c.provider_id, table.c.email, table.c.last_used_at], table.c.issuer, table.c.subject, table.c.user_id
)
_REMOVE: Final = delete(table, table.c.issuer, table.c.subject, table.c.user_id)

_START: Final = insert(started)
_STARTED: Final = Statement(
    sa.select(started).where(
        started.c.state == sa.bindparam("state"),
        started.c.browser == sa.bindparam("browser"),
        started.c.provider_id == sa.bindparam("provider_id"),
        started.c.expires_at > sa.bindparam("now"),
    )
)
_TAKE: Final = delete(started, started.c.state, started.c.browser, started.c.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSignIn:
    """A sign-in that was sent to a provider. Of ``state`` and ``browser`` only the fingerprints are known."""

    state: Fingerprint
    browser: Fingerprint
    provider_id: ProviderId
    sealed: str
    expires_at: Instant


def insert_identity(tx: Transaction, identity: Identity) -> None:
    """Tie a subject to a user. Raises ``Conflict`` where it is tied already, to whomever."""
    tx.run(_INSERT, records.columns(identity))


def identity(reader: Reader, issuer: str, subject: str) -> Identity | None:
    """Return whose this subject is."""
    row = reader.first(_ONE, {"issuer": issuer, "subject": subject})
    return None if row is None else _identity(row)


def identities_of_user(reader: Reader, user_id: UserId) -> list[Identity]:
    """Return all of a user's, oldest first."""
    return [_identity(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def seen_again(tx: Transaction, found: Identity) -> bool:
    """Store provider, address and time of the last use. False where it is not this user's any more."""
    return tx.run(_SEEN, records.columns(found)) == 1


def remove_identity(tx: Transaction, user_id: UserId, issuer: str, subject: str) -> bool:
    """Untie a subject from its user. False where it was not tied to this one."""
    return tx.run(_REMOVE, {"user_id": user_id, "issuer": issuer, "subject": subject}) == 1


def insert_sign_in(tx: Transaction, sign_in: ProviderSignIn) -> None:
    """Remember that somebody was sent to a provider."""
    tx.run(_START, records.columns(sign_in))


def take_sign_in(
    tx: Transaction, *, state: Fingerprint, browser: Fingerprint, provider_id: ProviderId, now: Instant
) -> ProviderSignIn | None:
    """Return the sign-in that this answer is about, for exactly one caller ever; None for every other."""
    key = {"state": state, "browser": browser, "provider_id": provider_id}
    row = tx.first(_STARTED, {**key, "now": now})
    if row is None or tx.run(_TAKE, key) != 1:
        return None
    return ProviderSignIn(
        state=Fingerprint(row.state), browser=Fingerprint(row.browser), provider_id=ProviderId(row.provider_id),
        sealed=row.sealed, expires_at=Instant(row.expires_at),
    )  # fmt: skip


def _identity(row: Row) -> Identity:
    return Identity(
        issuer=row.issuer,
        subject=row.subject,
        user_id=UserId(row.user_id),
        provider_id=ProviderId(row.provider_id),
        email=row.email,
        created_at=Instant(row.created_at),
        last_used_at=Instant(row.last_used_at),
    )
