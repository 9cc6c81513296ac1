"""Whether a database is at our revision, and bringing it there. Alembic is loaded only if it is not."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from doorward.storage.database import NotReady
from doorward.storage.schema import HEAD
from doorward.storage.sqlite_connection import connect

if TYPE_CHECKING:
    import psycopg

SCRIPTS: Final = "doorward.storage:migrations"
_MIGRATION_LOCK: Final = 0x646F6F7277617264
"""An advisory lock of ours: "doorward"."""


def ensure_sqlite(path: Path, *, create: bool) -> None:
    """Check the file's revision; with ``create`` make or migrate it. Raises ``NotReady``, ``sqlite3.Error``."""
    with contextlib.closing(connect(path)) as connection:
        if check(_sqlite_revision(connection), str(path), create=create):
            return
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        # Batch mode copies tables; references are checked again by the next connection.
        connection.execute("PRAGMA foreign_keys=OFF")
        with _transaction("sqlite://", connection, "BEGIN IMMEDIATE") as transaction:
            if not check(_sqlite_revision(connection), str(path), create=create):
                upgrade(transaction)


def ensure_postgresql(connection: "psycopg.Connection", *, create: bool) -> None:
    """Check the schema's revision; with ``create`` make or migrate it. Raises ``NotReady``, ``psycopg.Error``."""
    where = f"{connection.info.host}/{connection.info.dbname}"
    if check(_postgresql_revision(connection), where, create=create):
        return
    lock = f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"
    with _transaction("postgresql+psycopg://", connection, lock) as transaction:
        if not check(_postgresql_revision(connection), where, create=create):
            upgrade(transaction)


@contextlib.contextmanager
def _transaction(dialect: str, connection: Any, lock: str) -> Iterator[sa.Connection]:
    """Hold ``lock`` for one transaction: several programs may start at once, and the second finds all done.

    The engine rolls back when it first sees a connection, so the lock is taken through it and not before it.
    """
    engine = sa.create_engine(dialect, creator=lambda: connection, poolclass=sa.StaticPool)
    try:
        with engine.connect() as wrapped:
            wrapped.exec_driver_sql(lock).close()
            yield wrapped
            wrapped.commit()
    except sa.exc.DBAPIError as error:
        raise error.orig or error from error


def check(revision: str | None, where: str, *, create: bool) -> bool:
    """Say whether ``revision`` is ours; if not, whether it may be made so. Raises ``NotReady``."""
    if revision == HEAD:
        return True
    if revision is not None and revision > HEAD:
        raise NotReady(f"{where}: written by a newer version of doorward. Install that version, or restore a backup.")
    if not create:
        what = "is empty" if revision is None else "is of an older version"
        raise NotReady(f"{where}: {what}. Run `doorward init`, or start the server once, to bring it up to date.")
    return False


def upgrade(connection: sa.Connection) -> None:
    """Run the migrations that are missing in the transaction that ``connection`` is in."""
    from alembic import command  # noqa: PLC0415  (start-up stays quick without it)
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", SCRIPTS)
    command.upgrade(config, "head")


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    try:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return str(rows[0][0]) if rows else None


def _postgresql_revision(connection: "psycopg.Connection") -> str | None:
    if connection.execute("SELECT to_regclass('alembic_version')").fetchall()[0][0] is None:
        return None
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(rows[0][0]) if rows else None
