"""Nobody gives more rights than they have (M3), nor a key more than it may: the pure part."""

import pytest
from tests.policy.world import CATALOGUE

from doorward.model import Permission
from doorward.policy.authority import Authority


def authority(*patterns: str, limit: frozenset[Permission] | None = None) -> Authority:
    return Authority(patterns=frozenset(patterns), owner=False, limit=limit)


@pytest.mark.parametrize(
    ("mine", "wanted", "covers"),
    [
        (("*:*",), ("*:*", "documents:read"), True),
        (("documents:*",), ("documents:read", "documents:*"), True),
        (("documents:*",), ("*:read",), False),
        (("*:read",), ("tasks:read", "*:read"), True),
        (("*:read",), ("tasks:write",), False),
        (("documents:read", "tasks:read"), ("*:read",), False),
        (tuple(CATALOGUE), ("*:*",), False),
        (("documents:read",), ("documents:read", "tasks:read"), False),
        (("documents:read",), (), True),
        ((), ("documents:read",), False),
    ],
)
def test_M3_patterns_are_within_patterns_not_within_what_they_mean_today(
    mine: tuple[str, ...], wanted: tuple[str, ...], covers: bool
) -> None:
    assert authority(*mine).covers(wanted, CATALOGUE) is covers


def test_M3_a_key_gives_no_more_than_it_is_good_for() -> None:
    limited = authority("*:*", limit=frozenset({Permission("documents:read")}))
    assert limited.covers(["documents:read"], CATALOGUE)
    assert not limited.covers(["documents:write"], CATALOGUE)
    assert not limited.covers(["*:read"], CATALOGUE)
