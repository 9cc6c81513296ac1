"""The way in: a URL becomes an open database, of the one kind whose driver is then loaded."""

from contextlib import AbstractContextManager

from doorward.storage import node_lock
from doorward.storage.database import Database, NotReady


def open_database(url: str, *, create: bool) -> Database:
    """Open ``sqlite:///absolute/path`` or ``postgresql://…``; with ``create`` it is made, or migrated, where needed.

    Raises ``NotReady`` where it is missing, of another version or cannot be reached.
    """
    if url.startswith("sqlite:///"):
        from doorward.storage import sqlite  # noqa: PLC0415  (only the driver in use is loaded)

        return sqlite.open_file(sqlite.path_of(url), create=create)
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from doorward.storage import postgresql  # noqa: PLC0415
        except ModuleNotFoundError as missing:
            raise NotReady(
                f"database.url: the driver {missing.name} is not installed. Run `pip install 'psycopg[binary]'`."
            ) from missing
        return postgresql.open_server(url, create=create)
    scheme = url.partition(":")[0]
    raise NotReady(f"database.url: {scheme!r} is not a database we know. Use sqlite:///path or postgresql://….")


def hold_node_lock(url: str) -> AbstractContextManager[object]:
    """Hold the right to serve this database while the returned context is open; taken at once, not on entering.

    SQLite serves one node (commands beside it are fine); PostgreSQL any number. Raises ``AlreadyServed``.
    """
    return node_lock.hold(url)
