"""Our own program, furnished once and copied for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.clients.deployment import Deployment, furnish, running


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the deployment in it."""
    data = tmp_path_factory.mktemp("doctor") / "data"
    anyio.run(furnish, data)
    return data


@pytest.fixture
async def deployment(furnished: Path, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with running(furnished, tmp_path / "data") as found:
        yield found
