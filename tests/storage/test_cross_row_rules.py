"""Rules that span rows hold against two programs at once, because a use case locks its tenant first."""

import asyncio
import threading
from dataclasses import replace

import pytest

from doorward.model import ApiKey, ApiKeyId, Fingerprint, Status, TenantId, UserId
from doorward.storage import accounts, api_keys, permissions
from doorward.storage.database import Database, Transaction
from support.rows import ACME, ALICE, BOB, KEY, NOW, store_deployment, without_membership

pytestmark = pytest.mark.anyio

ROUNDS = 15


def _owners(tx: Transaction) -> int:
    return sum("owner" in place.roles for _user, place in accounts.members_of_tenant(tx, ACME.id))


class Together:
    """Makes two use cases on PostgreSQL really overlap: each waits, a moment at most, until the other is there too."""

    def __init__(self, database: Database) -> None:
        self._barrier = threading.Barrier(2) if database.dialect == "postgresql" else None

    def wait(self) -> None:
        if self._barrier is not None and not self._barrier.broken:
            try:
                self._barrier.wait(0.5)
            except threading.BrokenBarrierError:
                return  # The other waits for our lock: that is the point.


async def test_the_last_owner_stays(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    for _ in range(ROUNDS):

        def two_owners(tx: Transaction) -> None:
            for user in (ALICE, BOB):
                permissions.set_membership(tx, ACME.id, user.id, ("owner",))

        await database.write(two_owners)
        together = Together(database)

        def leave(tx: Transaction, user: UserId, together: Together = together) -> bool:
            together.wait()
            tx.lock_tenant(ACME.id, for_rights=True)
            if _owners(tx) < 2:
                return False
            return without_membership(tx, ACME.id, user)

        left = await asyncio.gather(
            database.write(lambda tx: leave(tx, ALICE.id)),
            second.write(lambda tx: leave(tx, BOB.id)),
        )
        assert sorted(left) == [False, True]
        assert await database.write(_owners) == 1


async def test_nothing_is_issued_in_a_tenant_that_is_being_closed(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    for number in range(ROUNDS):
        await database.write(lambda tx: accounts.update_tenant(tx, ACME))
        key = replace(KEY, id=ApiKeyId(f"k-{number}"), fingerprint=Fingerprint(f"key-{number}"))
        together = Together(database)

        def issue(tx: Transaction, key: ApiKey = key, together: Together = together) -> bool:
            together.wait()
            tx.lock_tenant(ACME.id, for_rights=False)
            tenant = accounts.tenant_by_id(tx, ACME.id)
            if tenant is None or tenant.status is not Status.ACTIVE:
                return False
            api_keys.insert_api_key(tx, key)
            return True

        def close(tx: Transaction, together: Together = together) -> None:
            together.wait()
            tx.lock_tenant(ACME.id, for_rights=True)
            accounts.update_tenant(tx, replace(ACME, status=Status.DISABLED))
            for key in api_keys.api_keys_of_user(tx, ALICE.id):
                api_keys.revoke_api_key(tx, ACME.id, key.id, NOW)

        await asyncio.gather(database.write(issue), second.write(close))
        keys = await database.read(lambda r: api_keys.api_keys_of_user(r, ALICE.id))
        assert [key for key in keys if key.revoked_at is None] == []


async def test_two_that_block_each_other_are_run_again(postgresql: Database) -> None:
    await postgresql.write(store_deployment)
    together, runs = threading.Barrier(2), []

    def cross(tx: Transaction, first: TenantId, then: TenantId) -> None:
        runs.append(first)
        tx.lock_tenant(first, for_rights=True)
        if len(runs) <= 2:
            together.wait(5)
        tx.lock_tenant(then, for_rights=True)

    globex = TenantId("t-globex")
    await asyncio.gather(
        postgresql.write(lambda tx: cross(tx, ACME.id, globex)),
        postgresql.write(lambda tx: cross(tx, globex, ACME.id)),
    )
    assert len(runs) == 3
