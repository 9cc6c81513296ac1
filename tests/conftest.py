"""What all tests share."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support.postgres import postgres

# A busy machine is slow, not wrong: pytest-timeout is the deadline.
settings.register_profile("doorward", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("doorward")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the program does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database; use a schema of your own in it."""
    with postgres() as url:
        yield url
