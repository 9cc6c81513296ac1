"""The migrations make what ``schema/`` says, and start-up knows a database that is not ours."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from doorward.storage import hot, migrate, schema, triggers
from doorward.storage.database import NotReady
from doorward.storage.opening import open_database
from doorward.storage.schema import per_dialect
from doorward.storage.statements import POSTGRESQL, SQLITE, Statement

OURS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
THEIRS = """
SELECT tgname, pg_get_triggerdef(t.oid), pg_get_functiondef(t.tgfoid) FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT tgisinternal AND c.relnamespace = current_schema()::regnamespace
ORDER BY tgname"""


@contextmanager
def _schema_of(base: str, name: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}; SET search_path = {name}")
        try:
            yield connection
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def _create_from_schema(connection: sa.Connection, dialect: str) -> None:
    per_dialect.metadata.create_all(connection)
    for statement in triggers.trigger_ddl(dialect):
        connection.exec_driver_sql(statement)


def _same(texts: list[tuple[str, ...]], without: str = "") -> list[tuple[str, ...]]:
    return [tuple(re.sub(r"\s+", " ", part.replace(without, "") if without else part) for part in row) for row in texts]


def test_the_newest_migration_is_the_one_that_start_up_expects() -> None:
    config = Config()
    config.set_main_option("script_location", migrate.SCRIPTS)
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_on_sqlite_the_migrations_make_the_schema(sqlite_url: str) -> None:
    migrated = sa.create_engine(f"sqlite:///{sqlite_url.removeprefix('sqlite://')}")
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), per_dialect.metadata) == []
        ours = [tuple(row) for row in connection.exec_driver_sql(OURS)]
        tables = _create_tables(connection)
    fresh = sa.create_engine("sqlite://")
    with fresh.connect() as connection:
        _create_from_schema(connection, SQLITE)
        assert _same(ours) == _same([tuple(row) for row in connection.exec_driver_sql(OURS)])
        assert tables == _create_tables(connection)
    migrated.dispose()
    fresh.dispose()


def _create_tables(connection: sa.Connection) -> dict[str, set[str]]:
    """The words of every CREATE, in any order: what ``compare_metadata`` leaves out (rowid, references) as well."""
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        " AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite%'"
    )
    return {name: set(re.split(r"[\s,()]+", text)) for name, text in found}


def test_on_postgresql_the_migrations_make_the_schema(postgres_schema: str, postgres_url: str) -> None:
    name = postgres_schema.partition("?search_path=")[2]
    with psycopg.connect(postgres_url, options=f"-c search_path={name}") as connection:
        engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=sa.StaticPool)
        with engine.connect() as wrapped:
            assert compare_metadata(MigrationContext.configure(wrapped), per_dialect.metadata) == []
            migrated = [tuple(row) for row in wrapped.exec_driver_sql(THEIRS)]
    other = f"fresh_{os.getpid()}"
    with _schema_of(postgres_url, other) as connection:
        engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=sa.StaticPool)
        with engine.connect() as wrapped:
            _create_from_schema(wrapped, POSTGRESQL)
            fresh = [tuple(row) for row in wrapped.exec_driver_sql(THEIRS)]
        assert _same(migrated, f"{name}.") == _same(fresh, f"{other}.")
        assert len(fresh) == len(list(triggers.stamped()))


def _hot() -> dict[str, Statement]:
    return {name: value for name, value in vars(hot).items() if isinstance(value, Statement)}


def test_there_are_at_most_ten_hot_statements() -> None:
    assert 0 < len(_hot()) <= 10


@pytest.mark.parametrize("name", sorted(_hot()))
def test_a_hot_statement_is_understood_by_both_dialects(name: str, sqlite_url: str, postgresql_url: str) -> None:
    statement = _hot()[name]
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"))) as connection:
        text = statement.plan(SQLITE).text
        params = dict.fromkeys(re.findall(r":([a-z_]+)", text), "1")
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
        # Every one is a look-up by a key, never a walk through the table.
        assert not [row for row in plan if row[3].startswith("SCAN")]
    base, _, path = postgresql_url.partition("?search_path=")
    with psycopg.connect(base, options=f"-c search_path={path}") as server:
        text = statement.plan(POSTGRESQL).text
        assert set(re.findall(r"%\(([a-z_]+)\)s", text)) == set(params)
        # PREPARE by name, as the server sees it: it infers a type for every parameter.
        numbered = text
        for number, param in enumerate(params, 1):
            numbered = numbered.replace(f"%({param})s", f"${number}")
        server.execute(f"PREPARE tried AS {numbered}")


def test_a_new_file_is_private_and_a_known_one_needs_no_alembic(tmp_path: Path) -> None:
    path = tmp_path / "new" / "doorward.db"
    program = f"""
import asyncio, os, sys
from doorward.storage.opening import open_database
from doorward.storage.schema import per_dialect
from doorward.storage import keys
async def main():
    database = open_database("sqlite://{path}", create=True)
    await database.write(lambda tx: keys.put_meta_once(tx, "a", "b"))
    for name in os.listdir("{path.parent}"):
        assert os.stat(os.path.join("{path.parent}", name)).st_mode & 0o77 == 0, name
    assert {{"doorward.db", "doorward.db-wal", "doorward.db-shm"}} <= set(os.listdir("{path.parent}"))
    await database.close()
    print("alembic" in sys.modules, "psycopg" in sys.modules)
os.umask(0)
asyncio.run(main())
"""
    said = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        for _ in range(2)
    ]
    assert [(run.stdout.split(), run.stderr) for run in said] == [(["True", "False"], ""), (["False", "False"], "")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # The last one folded its log away.
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["doorward.db"]


def test_what_is_missing_empty_newer_or_no_database_is_named(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(NotReady, match="no database there"):
        open_database(f"sqlite://{tmp_path}/none.db", create=False)
    (tmp_path / "empty.db").touch()
    with pytest.raises(NotReady, match="is empty"):
        open_database(f"sqlite://{tmp_path}/empty.db", create=False)
    (tmp_path / "text.db").write_text("no database at all " * 100)
    for create in (False, True):
        with pytest.raises(NotReady, match="cannot be used as a database"):
            open_database(f"sqlite://{tmp_path}/text.db", create=create)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for create in (False, True):
        with pytest.raises(NotReady, match="newer version"):
            open_database(sqlite_url, create=create)
    with pytest.raises(NotReady, match="'mysql' is not a database we know"):
        open_database("mysql://x", create=True)
    with pytest.raises(NotReady, match="names no file"):
        open_database("sqlite:///", create=True)


def test_an_empty_schema_of_postgresql_is_named(postgres_url: str) -> None:
    name = f"empty_{os.getpid()}"
    with _schema_of(postgres_url, name), pytest.raises(NotReady, match="is empty"):
        open_database(f"{postgres_url}?search_path={name}", create=False)


def test_two_programs_that_start_on_nothing_make_one_database(tmp_path: Path, postgres_url: str) -> None:
    name = f"together_{os.getpid()}"
    with _schema_of(postgres_url, name):
        for url in (f"sqlite://{tmp_path}/both.db", f"{postgres_url}?search_path={name}"):
            program = f"from doorward.storage.opening import open_database; open_database({url!r}, create=True)"
            runs = [
                subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) for _ in range(2)
            ]
            assert [(run.communicate(timeout=60)[1], run.returncode) for run in runs] == [("", 0)] * 2
