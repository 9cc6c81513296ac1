"""One server node per SQLite file; commands beside it are fine."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from doorward.storage import accounts
from doorward.storage.database import AlreadyServed, Database, NotReady
from doorward.storage.opening import hold_node_lock
from support.rows import ACME

HOLDER = """
import sys, time
from doorward.storage.opening import hold_node_lock
with hold_node_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_node_is_refused_until_the_first_is_gone_however_it_went(sqlite_url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, sqlite_url], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "held\n"
        with pytest.raises(AlreadyServed, match="another doorward serves it"):
            hold_node_lock(sqlite_url)
        node.send_signal(signal.SIGKILL)
    with hold_node_lock(sqlite_url), pytest.raises(AlreadyServed):
        hold_node_lock(sqlite_url)
    with hold_node_lock(sqlite_url):
        pass


@pytest.mark.anyio
async def test_a_command_writes_beside_a_node(sqlite_url: str, database: Database, second: Database) -> None:
    with hold_node_lock(sqlite_url):
        await second.write(lambda tx: accounts.insert_tenant(tx, ACME))
        assert await database.read(lambda r: accounts.tenant_by_id(r, ACME.id)) == ACME


def test_postgresql_takes_any_number_of_nodes() -> None:
    url = "postgresql://127.0.0.1/x"
    with hold_node_lock(url), hold_node_lock(url):
        pass


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=f"^{tmp_path}/none: no such directory. Run `doorward init`"):
        hold_node_lock(f"sqlite:///{tmp_path}/none/doorward.db")
