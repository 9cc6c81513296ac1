"""A PostgreSQL for the tests: the one that answers on this machine, else a throw-away cluster of our own."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.running_demo import free_port

LOCAL = "postgresql://postgres@127.0.0.1:5432/test"
START_SECONDS = 30


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a database that the tests may fill; without one, skip (outside CI) or fail (in CI)."""
    if answers(LOCAL):
        yield LOCAL
        return
    folder = binaries()
    if folder is None:
        reason = "PostgreSQL is neither running at 127.0.0.1:5432 nor installed: apt-get install postgresql"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    with cluster(folder) as url:
        yield url


@contextmanager
def fresh_schema(base: str) -> Iterator[str]:
    """Yield the URL of an empty schema of the database at ``base``; it goes when the block ends."""
    schema = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield f"{base}?search_path={schema}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


def answers(url: str) -> bool:
    """Tell whether ``url`` lets us in."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def binaries() -> Path | None:
    """Return the folder of the newest installed ``initdb``; Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in installed), key=lambda path: int(path.parent.name), default=None)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start a cluster in a temporary directory, and remove it afterwards."""
    # PostgreSQL refuses to run as root; Debian's package brings a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="doorward-postgres-") as text:
        home, port = Path(text), free_port()
        if user is not None:
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        data = str(home / "data")
        _run([folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], user)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {home} -c max_connections=200 -c fsync=off"
        control = [folder / "pg_ctl", "-D", data, "-s", "-w", "-t", str(START_SECONDS)]
        _run([*control, "-l", str(home / "log"), "-o", options, "start"], user)
        try:
            base = f"postgresql://postgres@127.0.0.1:{port}"
            with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE test")
            yield f"{base}/test"
        finally:
            _run([*control, "-m", "immediate", "stop"], user)


def _run(command: Sequence[str | Path], user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        timeout=START_SECONDS + 10, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
