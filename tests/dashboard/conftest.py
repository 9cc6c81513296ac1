"""A house per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.dashboard.people import Town, more_people

from support.pages import House, opened_house
from support.rows import BOB
from support.whole import opened_whole


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The pages, with a database of their own."""
    async with opened_house(tmp_path) as house:
        yield house


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """The whole program, with Alice and Bob signed in just now."""
    async with opened_whole(tmp_path) as whole:
        await whole.change(more_people)
        alice, bob = whole.browser(), whole.browser()
        await alice.sign_in()
        await bob.sign_in(BOB)
        yield Town(whole, alice, bob)
