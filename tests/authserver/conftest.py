"""An authorization server over a database of its own for each test."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.authserver.deployment import START, put_in_place
from tests.authserver.world import FINGERPRINTER, SEALER, World

from doorward.credentials.signing_keys import SigningKeys
from doorward.storage.opening import open_database
from support.signing import key_ring


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SigningKeys, dict[str, str]]:
    """A database file with the deployment in it; copying it is quicker than making it again."""
    path = tmp_path_factory.mktemp("authserver") / "doorward.db"
    store, secrets = put_in_place(FINGERPRINTER, os.urandom)

    async def furnish() -> SigningKeys:
        database = open_database(f"sqlite://{path}", create=True)
        await database.write(store)
        ring = (await key_ring(database, SEALER, lambda: START)).current()
        await database.close()
        return ring

    return path, anyio.run(furnish), secrets


@pytest.fixture
async def make_world(
    furnished: tuple[Path, SigningKeys, dict[str, str]], tmp_path: Path
) -> AsyncIterator[Callable[..., World]]:
    """Return a maker of worlds with other settings."""
    template, keys, secrets = furnished
    opened = []

    def make(**options: Any) -> World:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(template, path)
        database = open_database(f"sqlite://{path}", create=False)
        opened.append(database)
        return World(database=database, keys=keys, secrets=secrets, options=options)

    yield make
    for database in opened:
        await database.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
