"""Budgets: moving windows per address and for all, in bounded memory (security E8, H4)."""

import pytest
from limits.storage import MemoryStorage

from doorward.model import SECOND, Instant
from doorward.web import budgets
from doorward.web.budgets import AddressBudget
from support.budget_clock import count_by


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = Instant(1_790_000_000 * SECOND)

    def __call__(self) -> Instant:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now = Instant(self.now + int(seconds * SECOND))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    count_by(monkeypatch, clock)
    return clock


def spent(budget: AddressBudget, times: int, address: str = "192.0.2.1") -> int:
    """Spend as often as may be, ``times`` at most, and return how often that was."""
    for done in range(times):
        if budget.wait(address):
            return done
        budget.spend(address)
    return times


def test_an_address_has_so_many_in_any_minute_and_is_told_how_long_to_wait(clock: Clock) -> None:
    budget = AddressBudget(per_minute=3, per_hour=100, now=clock)
    assert spent(budget, 1) == 1
    clock.forward(40)
    assert spent(budget, 5) == 2
    assert budget.wait("192.0.2.1") == 20
    assert spent(budget, 5, "192.0.2.2") == 3
    clock.forward(20.5)
    assert spent(budget, 5) == 1
    assert budget.wait("192.0.2.1") == 40
    clock.forward(0.9)
    assert budget.wait("192.0.2.1") == 39


def test_and_so_many_in_any_hour(clock: Clock) -> None:
    budget = AddressBudget(per_minute=3, per_hour=5, now=clock)
    assert spent(budget, 9) == 3
    clock.forward(61)
    assert spent(budget, 9) == 2
    assert budget.wait("192.0.2.1") == 3600 - 61
    clock.forward(3600 - 60)
    assert spent(budget, 9) == 3


def test_all_addresses_together_have_so_many_in_an_hour(clock: Clock) -> None:
    budget = AddressBudget(per_minute=3, per_hour=5, per_hour_from_all=10, now=clock)
    assert sum(spent(budget, 1, f"192.0.2.{number}") for number in range(50)) == 10
    assert budget.wait("198.51.100.1") == 3600
    clock.forward(3601)
    assert budget.wait("198.51.100.1") == 0


def test_what_is_remembered_of_addresses_is_bounded_and_the_count_of_all_stays(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "MAX_ADDRESSES", 4)
    budget = AddressBudget(per_minute=1, per_hour=5, per_hour_from_all=11, now=clock)
    for number in range(10):
        budget.spend(f"192.0.2.{number}")
        kept = budget._ones.storage
        assert isinstance(kept, MemoryStorage)
        assert len(kept.events) <= 2 * 4
    assert budget.wait("192.0.2.9") > 0
    assert spent(budget, 5, "198.51.100.1") == 1
    assert budget.wait("198.51.100.2") == 3600
