"""Fixtures of these tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.provisioning.deployment import Deployment


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """Yield an empty deployment."""
    made = Deployment(f"sqlite:///{tmp_path / 'doorward.db'}")
    yield made
    await made.close()


@pytest.fixture
async def on_postgresql(empty_schema: str) -> AsyncIterator[Deployment]:
    """Yield an empty deployment in a schema of its own."""
    made = Deployment(empty_schema)
    yield made
    await made.close()
