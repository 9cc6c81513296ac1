"""Signing keys (their private halves only sealed), and facts about the database."""

from dataclasses import dataclass
from typing import Final

from doorward.model import Instant
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import meta as table
from doorward.storage.schema import signing_keys as stored_keys
from doorward.storage.statements import Statement, insert, insert_if_absent, select, update

_OLDEST_FIRST: Final = (stored_keys.c.created_at, stored_keys.c.signs_from, stored_keys.c.algorithm, stored_keys.c.kid)
"""Those of one moment in an order that does not depend on their names, which are random."""
_KEYS: Final = select(stored_keys, order=_OLDEST_FIRST)
_INSERT_KEY: Final = insert(stored_keys)
_SUCCEED_KEY: Final = update(
    stored_keys,
    [stored_keys.c.verifies_until],
    stored_keys.c.kid,
    stored_keys.c.verifies_until.is_(None),
    stored_keys.c.revoked_at.is_(None),
)
_REVOKE_KEY: Final = update(
    stored_keys, [stored_keys.c.revoked_at], stored_keys.c.kid, stored_keys.c.revoked_at.is_(None)
)
_PROMOTE_KEY: Final = update(
    stored_keys, [stored_keys.c.signs_from], stored_keys.c.kid, stored_keys.c.revoked_at.is_(None)
)
_REVISION: Final = Statement("SELECT value FROM revisions WHERE scope = ''")
_META: Final = select(table, table.c.name)
_PUT_META: Final = insert_if_absent(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRow:
    """A stored key pair. ``sealed_private`` opens only with the key file (``vault.py``)."""

    kid: str
    algorithm: str
    public_jwk: str
    sealed_private: bytes
    created_at: Instant
    signs_from: Instant
    verifies_until: Instant | None = None
    """Set once a younger key was announced; the row goes after it."""
    revoked_at: Instant | None = None


def signing_keys(reader: Reader) -> list[SigningKeyRow]:
    """Return all keys, oldest first, retired and revoked ones too."""
    return [
        SigningKeyRow(
            kid=row.kid,
            algorithm=row.algorithm,
            public_jwk=row.public_jwk,
            sealed_private=bytes(row.sealed_private),
            created_at=Instant(row.created_at),
            signs_from=Instant(row.signs_from),
            verifies_until=row.verifies_until,
            revoked_at=row.revoked_at,
        )
        for row in reader.all(_KEYS)
    ]


def insert_signing_key(tx: Transaction, row: SigningKeyRow) -> None:
    """Add a key pair. Raises ``Conflict`` where the ``kid`` is taken."""
    tx.run(_INSERT_KEY, records.columns(row))


def succeed_signing_key(tx: Transaction, kid: str, verifies_until: Instant) -> bool:
    """Let a key verify until then and no longer. False where that was decided before, or it is revoked."""
    return tx.run(_SUCCEED_KEY, {"kid": kid, "verifies_until": verifies_until}) == 1


def revoke_signing_key(tx: Transaction, kid: str, now: Instant) -> bool:
    """Take a key out for ever. False where it is out."""
    return tx.run(_REVOKE_KEY, {"kid": kid, "revoked_at": now}) == 1


def promote_signing_key(tx: Transaction, kid: str, signs_from: Instant) -> bool:
    """Let an announced key sign earlier. False where it is revoked."""
    return tx.run(_PROMOTE_KEY, {"kid": kid, "signs_from": signs_from}) == 1


def global_revision(reader: Reader) -> int:
    """Return the revision that changes with every signing key (and much else)."""
    row = reader.first(_REVISION)
    return 0 if row is None else int(row.value)


def meta(reader: Reader, name: str) -> str | None:
    """Return a fact about the database."""
    row = reader.first(_META, {"name": name})
    return None if row is None else row.value


def put_meta_once(tx: Transaction, name: str, value: str) -> bool:
    """Store a fact that never changes. False, and nothing changed, where it is stored."""
    return tx.run(_PUT_META, {"name": name, "value": value}) == 1
