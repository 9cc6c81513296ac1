"""N4, D8: signing keys come and go with overlap, and an emergency needs none. Two nodes over one database."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from joserfc import jws

from doorward.credentials import key_rotation
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.key_rotation import KeyRefused, Overlap
from doorward.credentials.signing_keys import ALGORITHMS, ES256, RS256, InvalidToken, KeyState
from doorward.model import SECOND, Instant
from doorward.storage import housekeeping
from doorward.storage.database import Database
from doorward.storage.keys import SigningKeyRow, signing_keys
from doorward.storage.opening import open_database
from doorward.vault import Sealer, Unsealed
from support.signing import rows

pytestmark = pytest.mark.anyio

START = Instant(1_790_000_000_000_000)
SEALER = Sealer(bytes(range(32)))
OVERLAP = Overlap(before=3600, after=7200)
CLAIMS = {"sub": "u1"}


class Nodes:
    """Two nodes, each with its own ring and its own handle of the one database, on one clock."""

    def __init__(self, path: Path) -> None:
        self.now = START
        url = f"sqlite:///{path / 'doorward.db'}"
        self.first = open_database(url, create=True)
        self.second = open_database(url, create=False)
        self.here, self.there = self._ring(self.first), self._ring(self.second)

    def _ring(self, database: Database) -> KeyRing:
        return KeyRing(database=database, sealer=SEALER, now=lambda: self.now)

    def forward(self, seconds: int) -> None:
        self.now = Instant(self.now + seconds * SECOND)

    async def rotate(
        self, algorithm: str = ES256, overlap: Overlap = OVERLAP, fresh: SigningKeyRow | None = None
    ) -> str:
        fresh = fresh or self.draw(algorithm)
        assert await self.first.write(lambda tx: key_rotation.rotate(tx, fresh, overlap=overlap, now=self.now))
        return fresh.kid

    async def revoke(self, kid: str, algorithm: str = ES256) -> str | None:
        spare = self.draw(algorithm)
        return await self.first.write(lambda tx: key_rotation.revoke(tx, kid, spare=spare, now=self.now))

    @staticmethod
    def draw(algorithm: str) -> SigningKeyRow:
        if algorithm == RS256:
            return next(row for row in rows(SEALER) if row.algorithm == RS256)
        return key_rotation.draw(algorithm, sealer=SEALER, entropy=os.urandom)

    async def published(self) -> list[str]:
        return [key["kid"] for key in (await self.there.refresh()).jwks()["keys"]]

    async def verifies(self, token: str) -> bool:
        """Ask the other node."""
        try:
            (await self.there.refresh()).verify(token, "at+jwt")
        except InvalidToken:
            return False
        return True

    async def signed(self) -> str:
        return (await self.here.refresh()).sign(CLAIMS, "at+jwt")


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    made = Nodes(tmp_path)
    yield made
    await made.first.close()
    await made.second.close()


def kid_of(nodes: Nodes, token: str) -> str:
    return next(key.kid for key in nodes.here.current().ring if _verifies(nodes, token, key.kid))


def _verifies(nodes: Nodes, token: str, kid: str) -> bool:
    return bool(jws.extract_compact(token.encode()).headers()["kid"] == kid)


async def test_N4_a_new_key_is_known_before_it_signs_and_an_old_one_as_long_as_its_tokens_live(nodes: Nodes) -> None:
    # Announced in the same moment, and the younger one's name comes first: the order is the keys', not their names'.
    younger, older = sorted([nodes.draw(ES256), nodes.draw(ES256)], key=lambda row: row.kid)
    old = await nodes.rotate(fresh=older)
    token = await nodes.signed()
    new = await nodes.rotate(fresh=younger)
    assert await nodes.published() == [old, new]
    assert [(await nodes.there.refresh()).state(kid) for kid in (old, new)] == [KeyState.ACTIVE, KeyState.NEXT]
    assert kid_of(nodes, await nodes.signed()) == old
    nodes.forward(OVERLAP.before)
    assert kid_of(nodes, await nodes.signed()) == new
    assert [(await nodes.there.refresh()).state(kid) for kid in (old, new)] == [KeyState.RETIRED, KeyState.ACTIVE]
    assert await nodes.verifies(token)
    nodes.forward(OVERLAP.after)
    assert await nodes.published() == [new]
    assert not await nodes.verifies(token)
    nodes.forward(1)
    assert (await housekeeping.tidy(nodes.first, nodes.now))["signing_keys"] == 1
    assert [row.kid for row in await nodes.first.read(signing_keys)] == [new]


async def test_N4_an_emergency_revocation_works_at_once_on_the_other_node(nodes: Nodes) -> None:
    old = await nodes.rotate()
    token = await nodes.signed()
    assert await nodes.verifies(token)
    heir = await nodes.revoke(old)
    assert heir is not None
    assert await nodes.published() == [heir]
    assert not await nodes.verifies(token)
    assert await nodes.verifies(await nodes.signed())
    with pytest.raises(KeyRefused, match="already"):
        await nodes.revoke(old)
    with pytest.raises(KeyRefused, match="no key"):
        await nodes.revoke("nonsense")


async def test_N4_an_announced_key_steps_in_for_a_revoked_one(nodes: Nodes) -> None:
    old, new = await nodes.rotate(), await nodes.rotate()
    assert await nodes.revoke(old) == new
    assert (await nodes.there.refresh()).state(new) is KeyState.ACTIVE
    assert await nodes.published() == [new]


async def test_N4_a_revoked_announcement_is_announced_anew_and_a_revoked_old_key_needs_no_heir(nodes: Nodes) -> None:
    old, announced = await nodes.rotate(), await nodes.rotate()
    again = await nodes.revoke(announced)
    assert again is not None
    ring = await nodes.there.refresh()
    assert [ring.state(old), ring.state(again)] == [KeyState.ACTIVE, KeyState.NEXT]
    nodes.forward(OVERLAP.before)
    assert kid_of(nodes, await nodes.signed()) == again
    assert await nodes.revoke(old) is None
    assert await nodes.published() == [again]


async def test_N4_without_a_spare_the_last_key_stays(nodes: Nodes) -> None:
    only = await nodes.rotate()
    for spare in (None, nodes.draw(RS256)):
        with pytest.raises(KeyRefused, match="spare"):
            await nodes.first.write(lambda tx, spare=spare: key_rotation.revoke(tx, only, spare=spare, now=nodes.now))  # type: ignore[misc]
    assert await nodes.published() == [only]


async def test_N4_two_nodes_announce_one_key(nodes: Nodes) -> None:
    """A rotation that is under way is not begun again, and each algorithm is followed up by itself."""
    await nodes.rotate()
    rsa = await nodes.rotate(RS256)
    assert await nodes.first.read(lambda reader: key_rotation.due(reader, every=60, now=nodes.now)) == []
    nodes.forward(60)
    assert await nodes.first.read(lambda reader: key_rotation.due(reader, every=60, now=nodes.now)) == list(ALGORITHMS)
    await nodes.rotate()
    assert await nodes.first.read(lambda reader: key_rotation.due(reader, every=60, now=nodes.now)) == [RS256]
    with pytest.raises(KeyRefused, match="announced"):
        await nodes.rotate()
    assert await nodes.first.read(key_rotation.missing) == []
    ring = await nodes.there.refresh()
    assert ring.verify(ring.sign(CLAIMS, "JWT", RS256), "JWT") == CLAIMS
    assert ring.state(rsa) is KeyState.ACTIVE
    assert ring.state("nonsense") is None


async def test_D8_both_kinds_of_keys_are_published_without_a_private_member(nodes: Nodes) -> None:
    await nodes.rotate()
    await nodes.rotate(RS256)
    members = {key["kty"]: set(key) for key in (await nodes.there.refresh()).jwks()["keys"]}
    shared = {"kty", "use", "alg", "kid"}
    assert members == {"EC": shared | {"crv", "x", "y"}, "RSA": shared | {"n", "e"}}


async def test_N1_private_halves_are_sealed_to_their_row(nodes: Nodes) -> None:
    kid = await nodes.rotate()
    row = (await nodes.first.read(signing_keys))[0]
    assert b'"d"' not in row.sealed_private
    moved = SigningKeyRow(
        kid="other", algorithm=ES256, public_jwk=row.public_jwk, sealed_private=row.sealed_private, created_at=START,
        signs_from=START,
    )  # fmt: skip
    await nodes.first.write(lambda tx: key_rotation.stored.insert_signing_key(tx, moved))
    with pytest.raises(Unsealed):
        await nodes.here.refresh()
    assert kid != "other"
