"""A gateway over a database and an upstream of its own for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.gateway.deployment import START, put_in_place, server
from tests.gateway.recorder import Recorder
from tests.gateway.sdk_upstream import SdkUpstream
from tests.gateway.world import World

from doorward.credentials.signing_keys import SigningKeys
from doorward.storage import servers
from doorward.storage.opening import open_database
from doorward.vault import Sealer
from support.signing import key_ring

SEALER = Sealer(bytes(range(32)))


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SigningKeys]:
    """A database file with the deployment in it; copying it is quicker than making it again."""
    path = tmp_path_factory.mktemp("gateway") / "doorward.db"

    async def furnish() -> SigningKeys:
        database = open_database(f"sqlite://{path}", create=True)
        await database.write(lambda tx: put_in_place(tx, "http://127.0.0.1:9/mcp"))
        ring = (await key_ring(database, SEALER, lambda: START)).current()
        await database.close()
        return ring

    return path, anyio.run(furnish)


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    """An upstream that records."""
    upstream = Recorder()
    await upstream.start()
    yield upstream
    await upstream.stop()


async def _world(furnished: tuple[Path, SigningKeys], folder: Path, upstream: str) -> World:
    template, keys = furnished
    path = folder / "doorward.db"
    shutil.copy(template, path)
    database = open_database(f"sqlite://{path}", create=False)
    for server_id in ("s1", "s2"):
        await database.write(lambda tx, one=server_id: servers.put_server(tx, server(upstream, one)))
    return World(database=database, keys=keys, upstream=upstream)


@pytest.fixture
async def world(furnished: tuple[Path, SigningKeys], tmp_path: Path, recorder: Recorder) -> AsyncIterator[World]:
    """A gateway in front of the recording upstream."""
    made = await _world(furnished, tmp_path, recorder.url)
    async with made.running():
        yield made
    await made.database.close()


@pytest.fixture
async def sdk() -> AsyncIterator[SdkUpstream]:
    """An upstream made with the official SDK, of both eras."""
    async with SdkUpstream().running() as upstream:
        yield upstream


@pytest.fixture
async def sdk_world(furnished: tuple[Path, SigningKeys], tmp_path: Path, sdk: SdkUpstream) -> AsyncIterator[World]:
    """A gateway in front of the SDK's upstream."""
    made = await _world(furnished, tmp_path, sdk.url)
    async with made.running():
        yield made
    await made.database.close()
