"""What all tests share."""

from collections.abc import Iterator

import pytest

from support.postgres import postgres


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the program does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database; use a schema of your own in it."""
    with postgres() as url:
        yield url
