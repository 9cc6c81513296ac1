"""A database for each test, empty but for its schema, in both dialects: fixtures for all tests."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from doorward.storage.database import Database
from doorward.storage.opening import open_database
from doorward.storage.schema import metadata
from doorward.storage.triggers import GLOBAL_ROW
from support.postgres import fresh_schema

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """The URL of a migrated schema of our own."""
    with fresh_schema(postgres_url) as url:
        open_database(url, create=True)
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file; copying it is quicker than migrating again."""
    path = tmp_path_factory.mktemp("template") / "doorward.db"
    open_database(f"sqlite://{path}", create=True)
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    for part in sqlite_template.parent.iterdir():
        shutil.copy(part, tmp_path / part.name)
    return f"sqlite://{tmp_path / sqlite_template.name}"


@pytest.fixture
def postgresql_url(postgres_schema: str) -> str:
    names = [table.name for table in metadata.sorted_tables]
    # As a replica: no trigger, no reference is looked at.
    wipe = "; ".join(["SET session_replication_role = replica", *(f"DELETE FROM {name}" for name in names), GLOBAL_ROW])
    base, _, schema = postgres_schema.partition("?search_path=")
    with psycopg.connect(base, options=f"-c search_path={schema}", autocommit=True) as connection:
        connection.execute(wipe)
    return postgres_schema


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> str:
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = open_database(url, create=False)
    yield opened
    await opened.close()


@pytest.fixture
async def second(url: str) -> AsyncIterator[Database]:
    """Another program on the same database."""
    opened = open_database(url, create=False)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    opened = open_database(sqlite_url, create=False)
    yield opened
    await opened.close()


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[Database]:
    opened = open_database(postgresql_url, create=False)
    yield opened
    await opened.close()
