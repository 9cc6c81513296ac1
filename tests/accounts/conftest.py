"""A house per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.mailing import Post, opened_post
from support.pages import House, opened_house
from support.postgres import fresh_schema


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The pages, with a database of their own."""
    async with opened_house(tmp_path) as house:
        yield house


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """A house that sends mail."""
    async with opened_post(tmp_path) as post:
        yield post


@pytest.fixture(params=["sqlite", "postgresql"])
async def either_post(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Post]:
    """The same, on each database."""
    if request.param == "sqlite":
        async with opened_post(tmp_path) as post:
            yield post
        return
    with fresh_schema(request.getfixturevalue("postgres_url")) as url:
        async with opened_post(tmp_path, url) as post:
            yield post
