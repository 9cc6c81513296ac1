"""Fixtures of these tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from tests.provisioning.deployment import Deployment


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """Yield an empty deployment."""
    made = Deployment(f"sqlite:///{tmp_path / 'doorward.db'}")
    yield made
    await made.close()


@pytest.fixture
async def on_postgresql(postgres_url: str) -> AsyncIterator[Deployment]:
    """Yield an empty deployment in a schema of its own."""
    schema = f"provisioning_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        made = Deployment(f"{postgres_url}?search_path={schema}")
        yield made
        await made.close()
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
