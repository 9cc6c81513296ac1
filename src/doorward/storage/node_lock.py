"""One server node per SQLite file: two would each keep live state and rate limits of their own."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from doorward.storage.database import AlreadyServed, NotReady


class NodeLock:
    """A held advisory lock (``flock``) on a file; the system lets go of it when the process ends, however it ends."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def hold(url: str) -> NodeLock:
    """Take the lock of ``url``'s file. Raises ``AlreadyServed``, ``NotReady``; a PostgreSQL URL needs no lock."""
    if not url.startswith("sqlite:///"):
        return NodeLock(None)
    from doorward.storage.sqlite import path_of  # noqa: PLC0415  (only the driver in use is loaded)

    return hold_file(path_of(url))


def hold_file(database: Path) -> NodeLock:
    """Take the lock beside the database file. Raises ``AlreadyServed``, ``NotReady``."""
    try:
        descriptor = os.open(f"{database}.node", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError as error:
        raise NotReady(
            f"{database.parent}: no such directory. Run `doorward init`, or name the right data directory."
        ) from error
    except OSError as error:
        raise NotReady(f"{database}.node: cannot be opened ({error.strerror}). Check the data directory.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        os.close(descriptor)
        raise AlreadyServed(
            f"{database}: another doorward serves it. Stop that one, or use PostgreSQL for several nodes."
        ) from taken
    return NodeLock(descriptor)
