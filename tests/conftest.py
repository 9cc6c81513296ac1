"""What all tests share."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from doorward.storage import postgresql_connection
from support.postgres import fresh_schema, postgres

# A busy machine is slow, not wrong: pytest-timeout is the deadline.
settings.register_profile("doorward", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("doorward")

PURE = {"protocol", "policy"}
pytest_plugins = ("support.databases",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure coverage where it is asked for: of the pure packages, by their own tests. It costs the others a third."""
    for item in items:
        if item.path.parent.name not in PURE:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Forget how a command that ran in this process set the log up: else later tests find theirs empty."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def _patience_with_postgresql() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgresql_connection, "CONNECT_SECONDS", 60)
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the program does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database; use a schema of your own in it."""
    with postgres() as url:
        yield url


@pytest.fixture
def empty_schema(postgres_url: str) -> Iterator[str]:
    """The URL of an empty schema of PostgreSQL, for one test."""
    with fresh_schema(postgres_url) as url:
        yield url
