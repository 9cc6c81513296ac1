"""Makes the library that counts budgets read a test's clock: it takes none."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from limits.storage import memory

from doorward.model import SECOND, Instant


def count_by(monkeypatch: pytest.MonkeyPatch, now: Callable[[], Instant]) -> None:
    """Let windows move with ``now``."""
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now() / SECOND))
