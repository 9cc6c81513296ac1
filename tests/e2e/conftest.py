"""One demo for all end-to-end tests that do not change who may do what."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running_demo import Demo, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo, shared by the tests that only use it."""
    with running_demo(Path(tmp_path_factory.mktemp("demo")) / "data") as running:
        yield running


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """A running demo for one test that changes it."""
    with running_demo(tmp_path / "data") as running:
        yield running
