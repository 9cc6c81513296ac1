"""A house, an authorization server of somebody else, and a server behind the door, for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.gateway.recorder import Recorder

from support.elsewhere import Elsewhere, elsewhere
from support.linked_house import House, copied, declared, document, names_lead_here, opened


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with people in it; copying it is quicker than making it again."""
    folder = tmp_path_factory.mktemp("linked") / "data"

    async def furnish() -> None:
        async with opened(folder) as house:
            await house.apply(document("http://127.0.0.1:9/mcp", "https://nowhere.test.example"))

    anyio.run(furnish)
    return folder


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names_lead_here(monkeypatch, tmp_path)


@pytest.fixture
async def there() -> AsyncIterator[Elsewhere]:
    """The authorization server that keeps people's accounts."""
    async with elsewhere() as server:
        yield server


@pytest.fixture
async def wiki(there: Elsewhere) -> AsyncIterator[Recorder]:
    """The MCP server behind the door. It takes whatever token it is shown, until a test says otherwise."""
    recorder = Recorder()
    await recorder.start()
    yield recorder
    await recorder.stop()


@pytest.fixture
async def house(furnished: Path, tmp_path: Path, there: Elsewhere, wiki: Recorder) -> AsyncIterator[House]:
    async with opened(copied(furnished, tmp_path / "data")) as made:
        await made.apply(declared(wiki.url, there.issuer))
        yield made
