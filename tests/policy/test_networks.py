"""Where a key may be used from: one form of writing, one comparison, and nobody who is not known."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.policy.networks import MAX_NETWORKS, address, inside, network, networks


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.9/24 ", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8:0:1::/64", "2001:db8:0:1::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
    ],
)
def test_a_network_has_one_form(written: str, kept: str) -> None:
    assert network(written) == kept
    assert network(kept) == kept


@pytest.mark.parametrize(
    "wrong",
    ["", "here", "203.0.113.256", "203.0.113.0/33", "203.0.113.7-9", "0177.0.0.1", "1.2.3", "fe80::1%eth0", "a" * 5000],
)
def test_what_is_no_network_is_refused_in_short_words(wrong: str) -> None:
    with pytest.raises(ValueError, match="Write") as refused:
        network(wrong)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0", "1.2.3.4/0", "::ffff:0:0/96"])
def test_a_list_that_holds_everybody_is_refused_rather_than_kept(everybody: str) -> None:
    with pytest.raises(ValueError, match="is everybody"):
        network(everybody)


def test_each_is_kept_once_and_not_too_many() -> None:
    assert networks(["10.0.0.7", "10.0.0.7/32", "::ffff:10.0.0.7"]) == ("10.0.0.7/32",)
    with pytest.raises(ValueError, match="More than"):
        networks(f"10.0.0.{n}" for n in range(MAX_NETWORKS + 1))


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("203.0.113.9", True), ("203.0.114.0", False), ("2001:db8::1", True), ("2001:db8::2", False),
        ("::cb00:7109", False), (None, False),
    ],
)  # fmt: skip
def test_an_address_may_come_if_one_of_them_holds_it(address: str | None, may: bool) -> None:
    allowed = networks(["203.0.113.0/24", "2001:db8::1"])
    assert inside(None if address is None else ip_address(address), allowed) is may


def test_an_empty_list_is_from_anywhere() -> None:
    assert inside(None, ())


@given(st.ip_addresses(), st.ip_addresses())
def test_what_is_for_one_address_is_for_no_other(one: object, other: object) -> None:
    own = ip_address(str(one))
    mapped = getattr(own, "ipv4_mapped", None) or own
    allowed = (network(str(own)),) if str(own) not in {"0.0.0.0", "::"} else ()
    if allowed:
        assert inside(mapped, allowed)
        assert inside(ip_address(str(other)), allowed) is (ip_address(str(other)) == mapped)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_an_address_has_one_form(written: str, meant: str) -> None:
    assert address(written) == meant


@pytest.mark.parametrize("wrong", ["", "nowhere", "203.0.113.0/24", "203.0.113.256", "1" * 5000])
def test_what_is_no_address_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        address(wrong)
