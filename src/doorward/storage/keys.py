"""Signing keys (their private halves only sealed), the names of derivation keys, and facts about the database."""

from dataclasses import dataclass
from typing import Final

from doorward.model import Instant
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import derivation_keys
from doorward.storage.schema import meta as table
from doorward.storage.schema import signing_keys as stored_keys
from doorward.storage.statements import insert, insert_if_absent, select

_KEYS: Final = select(stored_keys, order=[stored_keys.c.created_at, stored_keys.c.kid])
_INSERT_KEY: Final = insert(stored_keys)
_DERIVATION: Final = select(derivation_keys, order=[derivation_keys.c.created_at, derivation_keys.c.kid])
_INSERT_DERIVATION: Final = insert_if_absent(derivation_keys)
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
    retired_at: Instant | None


def signing_keys(reader: Reader) -> list[SigningKeyRow]:
    """Return all keys, oldest first, retired ones too."""
    return [
        SigningKeyRow(
            kid=row.kid,
            algorithm=row.algorithm,
            public_jwk=row.public_jwk,
            sealed_private=bytes(row.sealed_private),
            created_at=Instant(row.created_at),
            retired_at=row.retired_at,
        )
        for row in reader.all(_KEYS)
    ]


def insert_signing_key(tx: Transaction, row: SigningKeyRow) -> None:
    """Add a key pair. Raises ``Conflict`` where the ``kid`` is taken."""
    tx.run(_INSERT_KEY, records.columns(row))


def derivation_kids(reader: Reader) -> list[str]:
    """Return the names of the keys that refresh successors are derived with, oldest first."""
    return [row.kid for row in reader.all(_DERIVATION)]


def insert_derivation_kid(tx: Transaction, kid: str, now: Instant) -> bool:
    """Add the name of a derivation key. False where it is known."""
    return tx.run(_INSERT_DERIVATION, {"kid": kid, "created_at": now, "retired_at": None}) == 1


def meta(reader: Reader, name: str) -> str | None:
    """Return a fact about the database."""
    row = reader.first(_META, {"name": name})
    return None if row is None else row.value


def put_meta_once(tx: Transaction, name: str, value: str) -> bool:
    """Store a fact that never changes. False, and nothing changed, where it is stored."""
    return tx.run(_PUT_META, {"name": name, "value": value}) == 1
