"""The ring as it is now, on every node: looked at again whenever the revision says that something changed.

A revoked key is out at the next call (N4): whoever verifies asks with the same reader that the rest of the decision is
made with, and the revision is read before the rows, so that old keys can never pass under a new revision.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import base64_to_int

from doorward.credentials.signing_keys import ES256, SigningKey, SigningKeys
from doorward.model import Instant, TenantId
from doorward.storage import keys as stored
from doorward.storage.database import Database, Reader
from doorward.vault import Sealer

SEAL_LABEL: Final = "signing-key"
_NO_TENANT: Final = TenantId("")


class KeyRing:
    """One per process. ``first`` is what was loaded already, if anything."""

    def __init__(
        self, *, database: Database, sealer: Sealer, now: Callable[[], Instant], first: Sequence[SigningKey] = ()
    ) -> None:
        self._database, self._sealer, self._now = database, sealer, now
        self._ring = tuple(first)
        self._stamp: int | None = None
        self._made: tuple[SigningKeys, Instant, Instant | None] | None = None
        """The keys of the ring, and from when until when they are these."""

    def current(self) -> SigningKeys:
        """Return the ring as it was last looked at, for this moment."""
        now = self._now()
        if self._made is not None:
            keys, since, until = self._made
            if keys.ring is self._ring and since <= now and (until is None or now < until):
                return keys
        keys = SigningKeys(self._ring, now)
        self._made = keys, now, keys.changes_after(now)
        return keys

    def look(self, reader: Reader) -> SigningKeys:
        """Return the ring as it is now."""
        stamp = stored.global_revision(reader)
        if stamp != self._stamp:
            self._ring, self._stamp = load(reader, sealer=self._sealer, known=self._ring), stamp
        return self.current()

    async def refresh(self) -> SigningKeys:
        """Return the ring as it is now, where nothing else is read. Raises ``StorageUnavailable``."""
        stamp, _ = await self._database.revisions(_NO_TENANT)
        return self.current() if stamp == self._stamp else await self._database.read(self.look)


def load(reader: Reader, *, sealer: Sealer, known: Sequence[SigningKey] = ()) -> tuple[SigningKey, ...]:
    """Return all keys that were not revoked, oldest first. ``known`` ones are not opened again."""
    opened = {key.kid: key.key for key in known}
    return tuple(
        SigningKey(
            row.kid,
            opened.get(row.kid) or _open(row, sealer),
            row.algorithm,
            row.signs_from,
            row.verifies_until,
        )
        for row in sorted(stored.signing_keys(reader), key=lambda row: row.created_at)
        if row.revoked_at is None
    )


def _open(row: stored.SigningKeyRow, sealer: Sealer) -> ECKey | RSAKey:
    members = json.loads(sealer.open(SEAL_LABEL, row.sealed_private.decode(), aad=row.kid.encode()))
    return ECKey.import_key(members) if row.algorithm == ES256 else RSAKey.import_key(_rsa(members))


def _rsa(members: Mapping[str, str]) -> rsa.RSAPrivateKey:
    """Return an RSA key from its JWK members (RFC 7518 section 6.3).

    Whether its primes are primes was checked when it was made, and the seal says that it is that one: checking it
    again took 65 ms of each start.
    """
    n, e, d, p, q, dp, dq, qi = (base64_to_int(members[name]) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi"))
    numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
