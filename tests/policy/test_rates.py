"""Counts in moving windows, and which limits hold for whom (feature D9)."""

import random

import pytest

from doorward.model import SECOND, CredentialKind, Principal, Rates, ServerId, TenantId, UserId
from doorward.policy.rates import DAY, MINUTE, PARTS, Limit, Of, Window, limits_of, merged, tool_limits

ALICE = Principal(
    user_id=UserId("u1"),
    user_email="alice@acme.example",
    user_name="Alice",
    tenant_id=TenantId("t1"),
    tenant_slug="acme",
    tenant_name="Acme",
    permissions=frozenset(),
    credential=CredentialKind.API_KEY,
    credential_id="k1",
    credential_name="ci",
    client_id=None,
    scopes=frozenset(),
    declined=frozenset(),
    can_step_up=False,
    resources=None,
    servers=frozenset(),
    expires_at=None,
)


def tried(window: Window, now: int, most: int) -> bool:
    window.turn(now)
    if window.wait(now, most):
        return False
    window.add()
    return True


@pytest.mark.parametrize("span", [MINUTE, DAY])
def test_no_stretch_of_the_span_holds_more_than_the_limit_wherever_it_begins(span: int) -> None:
    """The border of a fixed window lets twice as many through; callers here try just before and after every border."""
    rng = random.Random(20261121)
    for most in (1, 3, 20):
        window, now, taken = Window(span), rng.randrange(10**15), list[int]()
        for _ in range(3000):
            now += rng.choice((0, 1, span // PARTS, span // PARTS - 1, rng.randrange(span // 4), span - 1, span))
            if tried(window, now, most):
                taken.append(now)
            assert len([at for at in taken[-most - 1 :] if at > now - span]) <= most
        assert len(taken) > most


def test_the_time_to_wait_is_exact_and_less_than_a_part_over_the_span() -> None:
    rng = random.Random(7)
    window, now, taken = Window(MINUTE), 10**12, list[int]()
    for _ in range(2000):
        now += rng.randrange(3 * SECOND)
        window.turn(now)
        wait = window.wait(now, 10)
        if wait:
            assert now + wait - taken[-10] <= MINUTE + MINUTE // PARTS
            window.turn(now + wait - 1)
            assert window.wait(now + wait - 1, 10) == 1
            now += wait
        assert tried(window, now, 10)
        taken.append(now)


def test_with_a_lower_limit_than_before_more_has_to_leave() -> None:
    window = Window(MINUTE)
    for second in range(10):
        assert tried(window, 10**12 + second * SECOND, 10)
    now = 10**12 + 9 * SECOND
    assert window.wait(now, 2) > window.wait(now, 9) > 0
    assert window.wait(now, 11) == 0


def test_a_clock_that_goes_back_gives_nothing_back() -> None:
    window, now = Window(MINUTE), 10**15
    assert tried(window, now, 1)
    for jump in (-3600, -60, -1, 0, 30):
        assert not tried(window, now + jump * SECOND, 1)
    assert window.used == 1


def test_a_tenants_number_stands_above_the_deployments_and_zero_is_no_limit() -> None:
    rates = merged(
        Rates(user_per_minute=60, user_per_day=1000, tenant_per_minute=5), Rates(user_per_minute=10, user_per_day=0)
    )
    assert rates == Rates(user_per_minute=10, user_per_day=0, tenant_per_minute=5)
    assert limits_of(ALICE, rates) == (
        Limit(Of.USER, ("user", "minute", "t1", "u1"), MINUTE, 10),
        Limit(Of.TENANT, ("tenant", "minute", "t1"), MINUTE, 5),
    )
    assert limits_of(ALICE, Rates()) == ()


def test_a_key_a_user_a_tool_and_a_tenant_are_counted_by_themselves() -> None:
    rates = Rates(credential_per_day=1, user_per_day=2, tenant_per_day=3, tool_per_minute=4)
    found = [*limits_of(ALICE, rates), *tool_limits(ALICE, rates, ServerId("s1"), "drop")]
    assert [(limit.of, limit.span, limit.most) for limit in found] == [
        (Of.CREDENTIAL, DAY, 1), (Of.USER, DAY, 2), (Of.TENANT, DAY, 3), (Of.TOOL, MINUTE, 4),
    ]  # fmt: skip
    assert len({limit.key for limit in found}) == len(found)
