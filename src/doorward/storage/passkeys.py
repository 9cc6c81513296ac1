"""Passkeys and recovery codes. What may happen once is one conditional statement; its row count is the truth."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from doorward.model import Fingerprint, Instant, Passkey, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import passkeys, recovery_codes
from doorward.storage.statements import Row, Statement, delete, insert, select, update

_INSERT: Final = insert(passkeys)
_BY_CREDENTIAL: Final = select(passkeys, passkeys.c.credential_id)
_OF_USER: Final = select(passkeys, passkeys.c.user_id, order=[passkeys.c.created_at, passkeys.c.id])
_RENAME: Final = update(passkeys, [passkeys.c.name], passkeys.c.user_id, passkeys.c.id)
_REMOVE: Final = delete(passkeys, passkeys.c.user_id, passkeys.c.id)
# Forward only: of two that say the same number one is a copy. Those that do not count say 0 for ever.
_USE: Final = Statement(
    "UPDATE passkeys SET sign_count = :sign_count, last_used_at = :now WHERE id = :id AND disabled_at IS NULL"
    " AND (sign_count < :sign_count OR (sign_count = 0 AND :sign_count = 0))"
)
_DISABLE: Final = update(passkeys, [passkeys.c.disabled_at], passkeys.c.id, passkeys.c.disabled_at.is_(None))

_INSERT_CODE: Final = insert(recovery_codes)
_FORGET_CODES: Final = delete(recovery_codes, recovery_codes.c.user_id)
_USE_CODE: Final = update(
    recovery_codes, [recovery_codes.c.used_at], recovery_codes.c.fingerprint, recovery_codes.c.user_id,
    recovery_codes.c.used_at.is_(None),
)  # fmt: skip
_CODES_LEFT: Final = Statement(
    sa.select(sa.func.count().label("count")).where(
        recovery_codes.c.user_id == sa.bindparam("user_id"), recovery_codes.c.used_at.is_(None)
    )
)


def insert_passkey(tx: Transaction, passkey: Passkey) -> None:
    """Add a passkey. Raises ``Conflict`` where its credential is known, whoever's it is."""
    tx.run(_INSERT, {**records.columns(passkey), "transports": records.listed(passkey.transports)})


def passkey_by_credential(reader: Reader, credential_id: str) -> Passkey | None:
    """Return the passkey, disabled ones too."""
    row = reader.first(_BY_CREDENTIAL, {"credential_id": credential_id})
    return None if row is None else _passkey(row)


def passkeys_of_user(reader: Reader, user_id: UserId) -> list[Passkey]:
    """Return all of a user's, oldest first, disabled ones too."""
    return [_passkey(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def use_passkey(tx: Transaction, passkey_id: str, *, sign_count: int, now: Instant) -> bool:
    """Remember a use. False where it is disabled or gone, or its counter did not go on."""
    return tx.run(_USE, {"id": passkey_id, "sign_count": sign_count, "now": now}) == 1


def disable_passkey(tx: Transaction, passkey_id: str, now: Instant) -> bool:
    """Let it let nobody in any more. False where it was so before."""
    return tx.run(_DISABLE, {"id": passkey_id, "disabled_at": now}) == 1


def rename_passkey(tx: Transaction, user_id: UserId, passkey_id: str, name: str) -> bool:
    """Give it another name. False where it is none of this user's."""
    return tx.run(_RENAME, {"user_id": user_id, "id": passkey_id, "name": name}) == 1


def remove_passkey(tx: Transaction, user_id: UserId, passkey_id: str) -> bool:
    """Delete it. False where it is none of this user's."""
    return tx.run(_REMOVE, {"user_id": user_id, "id": passkey_id}) == 1


def replace_recovery_codes(tx: Transaction, user_id: UserId, codes: Sequence[Fingerprint], now: Instant) -> None:
    """Let these be the only ones of a user."""
    tx.run(_FORGET_CODES, {"user_id": user_id})
    tx.run(
        _INSERT_CODE, [{"fingerprint": each, "user_id": user_id, "created_at": now, "used_at": None} for each in codes]
    )


def use_recovery_code(tx: Transaction, user_id: UserId, code: Fingerprint, now: Instant) -> bool:
    """Mark a code used. True for exactly one caller ever."""
    return tx.run(_USE_CODE, {"user_id": user_id, "fingerprint": code, "used_at": now}) == 1


def recovery_codes_left(reader: Reader, user_id: UserId) -> int:
    """Return how many codes were not used."""
    row = reader.first(_CODES_LEFT, {"user_id": user_id})
    return 0 if row is None else int(row.count)


def _passkey(row: Row) -> Passkey:
    return Passkey(
        id=row.id,
        user_id=UserId(row.user_id),
        credential_id=row.credential_id,
        public_key=row.public_key,
        sign_count=row.sign_count,
        transports=records.texts(row.transports),
        name=row.name,
        created_at=Instant(row.created_at),
        last_used_at=row.last_used_at,
        disabled_at=row.disabled_at,
    )
