"""What is kept by revision is never older than a read of the rows would be (decision 0035)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doorward.model import (
    Instant,
    OwnerKind,
    Permission,
    PermissionEntry,
    Role,
    RoleId,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.storage import accounts, permissions
from doorward.storage.database import Database, Transaction
from doorward.storage.kept import Kept
from doorward.storage.opening import open_database
from doorward.storage.statements import Statement
from support.rows import without_membership

pytestmark = pytest.mark.anyio
ROLE = Role(id=RoleId("rol_1"), tenant_id=TenantId("ten_1"), name="reader", permissions=("documents:*",))
NAMES = ("one", "two", "three")


def entry(name: str) -> PermissionEntry:
    return PermissionEntry(permission=Permission(name), words=name, is_default=False, destructive=False)


def add(tx: Transaction, name: str) -> None:
    permissions.put_catalogue(tx, [entry(name)])


async def names(database: Database) -> list[str]:
    return [each.permission for each in await database.read(permissions.catalogue)]


async def names_in_a_write(database: Database) -> list[str]:
    return [each.permission for each in await database.write(permissions.catalogue)]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Database, Database]]:
    """Two programs with one file."""
    url = f"sqlite://{tmp_path / 'doorward.db'}"
    first, second = open_database(url, create=True), open_database(url, create=False)
    yield first, second
    await first.close()
    await second.close()


async def test_C23_what_anybody_committed_is_seen_by_the_next_read_and_write(pair: tuple[Database, Database]) -> None:
    here, there = pair
    for number, name in enumerate(NAMES):
        before = sorted(NAMES[:number])
        assert await names(here) == await names_in_a_write(here) == before
        await (here, there)[number % 2].write(lambda tx, name=name: add(tx, name))  # type: ignore[misc]
        after = sorted(NAMES[: number + 1])
        assert await names(here) == await names_in_a_write(here) == await names(there) == after


async def test_a_transaction_sees_its_own_changes_and_nobody_else_those_that_were_undone(
    pair: tuple[Database, Database],
) -> None:
    here, _ = pair
    await here.write(lambda tx: add(tx, "one"))
    seen: list[list[str]] = []

    def fails(tx: Transaction) -> None:
        permissions.catalogue(tx)
        add(tx, "two")
        seen.append([each.permission for each in permissions.catalogue(tx)])
        raise LookupError

    def looks(tx: Transaction) -> None:
        seen.append([each.permission for each in permissions.catalogue(tx)])

    done = await asyncio.gather(
        here.write(fails), here.write(looks), here.write(lambda tx: add(tx, "zwei")), here.write(looks),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(done[0], LookupError)
    assert seen == [["one", "two"], ["one"], ["one", "zwei"]]
    assert await names(here) == ["one", "zwei"]


async def test_a_change_that_returns_its_rows_is_seen_by_its_transaction_too(pair: tuple[Database, Database]) -> None:
    here, _ = pair
    await here.write(lambda tx: add(tx, "one"))
    change = Statement("UPDATE permission_catalogue SET words = 'else' WHERE permission = 'one' RETURNING words")

    def words(tx: Transaction) -> list[str]:
        before = permissions.catalogue(tx)[0].words
        changed = tx.first(change)
        assert changed is not None
        return [before, changed.words, permissions.catalogue(tx)[0].words]

    assert await here.write(words) == ["one", "else", "else"]


async def test_C23_rights_of_a_tenant_are_kept_by_its_revision(pair: tuple[Database, Database]) -> None:
    here, there = pair
    tenant, user = TenantId("ten_1"), UserId("usr_1")

    def furnish(tx: Transaction) -> None:
        accounts.insert_tenant(
            tx, Tenant(id=tenant, slug="acme", name="Acme", status=Status.ACTIVE, created_at=Instant(1))
        )
        someone = User(
            id=user, email="a@example.com", name="A", kind=OwnerKind.PERSON, status=Status.ACTIVE, created_at=Instant(1)
        )
        accounts.insert_user(tx, someone, None)
        permissions.put_role(tx, ROLE)
        permissions.set_membership(tx, tenant, user, ("reader",))

    async def rights() -> set[str]:
        look = lambda reader: permissions.permissions_anywhere(reader, tenant, user)  # noqa: E731
        one, other = await here.read(look), await here.write(look)
        assert one == other
        return set(one)

    await here.write(furnish)
    assert await rights() == {"documents:*"}
    await there.write(lambda tx: permissions.set_membership(tx, tenant, user, ()))
    assert await rights() == set()
    await here.write(lambda tx: permissions.set_membership(tx, tenant, user, ("reader",)))
    assert await rights() == {"documents:*"}
    blocked = await here.read(lambda reader: accounts.user_by_id(reader, user))
    assert blocked is not None
    await there.write(lambda tx: without_membership(tx, tenant, user))
    assert await rights() == set()


def test_what_is_not_there_is_not_kept_and_the_oldest_goes_first() -> None:
    kept, read = Kept(most=2), iter("abcdef")
    assert kept.get("nobody", (1, 0), lambda: None) is None
    assert kept.get("nobody", (1, 0), lambda: "somebody") == "somebody"
    assert [kept.get(key, (1, 0), lambda: next(read)) for key in ("x", "y", "y", "x")] == ["a", "b", "b", "a"]
    assert kept.get("nobody", (1, 0), lambda: next(read)) == "c"
    assert kept.get("y", (2, 0), lambda: next(read)) == "d"
