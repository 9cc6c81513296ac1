"""Signing keys for tests. An RSA pair takes a while to find, so all tests of a process share one."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from doorward.credentials import key_rotation
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.signing_keys import ALGORITHMS
from doorward.model import Instant
from doorward.storage import keys as stored
from doorward.storage.database import Database
from doorward.storage.keys import SigningKeyRow
from doorward.vault import Sealer


async def key_ring(database: Database, sealer: Sealer, now: Callable[[], Instant]) -> KeyRing:
    """Store one key of each algorithm and return the ring."""
    for row in rows(sealer):
        made = replace(row, created_at=now(), signs_from=now())
        await database.write(partial(stored.insert_signing_key, row=made))
    ring = KeyRing(database=database, sealer=sealer, now=now)
    await ring.refresh()
    return ring


@cache
def rows(sealer: Sealer) -> tuple[SigningKeyRow, ...]:
    """Return a pair of each algorithm, sealed."""
    return tuple(key_rotation.draw(each, sealer=sealer, entropy=os.urandom) for each in ALGORITHMS)
