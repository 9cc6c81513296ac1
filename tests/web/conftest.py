"""A house per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.pages import House, opened_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The pages, with a database of their own."""
    async with opened_house(tmp_path) as house:
        yield house
