"""Where a request comes from: the connection's own address, unless the operator trusts a proxy (security E8)."""

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from doorward.web.requester import MAX_HOPS, Requester

PROXIES = Requester(["192.0.2.7", "10.0.0.0/8", "2001:db8:ffff::/48"])


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = None if peer is None else (peer, 4711)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a unix socket", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_E8_an_address_is_one_requester_and_of_ipv6_the_whole_64(peer: str | None, who: str) -> None:
    assert Requester().of(request(peer)) == who


@pytest.mark.parametrize("peer", ["198.51.100.1", "127.0.0.1"])
def test_E8_what_anybody_says_of_the_way_it_came_is_not_believed(peer: str) -> None:
    for requester in (Requester(), PROXIES):
        assert requester.of(request(peer, "203.0.113.9")) == peer


@pytest.mark.parametrize(
    ("forwarded", "who"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9:61234"], "203.0.113.9"),
        (["[2001:db8:1:2::9]:61234"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2::9"], "2001:db8:1:2::/64"),
        (["1.1.1.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (["1.1.1.1", "203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        (["203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9"),
        (["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        (["203.0.113.9, unknown"], "192.0.2.7"),
        (["203.0.113.9, "], "192.0.2.7"),
        ([], "192.0.2.7"),
        (["1.1.1.1," + ",".join(["10.1.2.3"] * MAX_HOPS)], "10.1.2.3"),
    ],
)
def test_E8_behind_a_trusted_proxy_the_right_most_stranger_counts(forwarded: list[str], who: str) -> None:
    assert PROXIES.of(request("192.0.2.7", *forwarded)) == who


def test_an_operator_who_forgot_to_name_the_proxy_is_told_once() -> None:
    requester = Requester()
    with capture_logs() as lines:
        requester.of(request("203.0.113.9"))
        requester.of(request("8.8.8.8", "1.1.1.1"))
        for _ in range(3):
            requester.of(request("127.0.0.1", "203.0.113.9"))
        PROXIES.of(request("10.0.0.1", "203.0.113.9"))
    assert [(line["log_level"], line["proxy"]) for line in lines] == [("warning", "127.0.0.1")]


@pytest.mark.parametrize(
    ("forwarded", "who"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["[2001:db8:1:2::9]:61234"], "2001:db8:1:2::9"),
        (["1.1.1.1, 203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9"),
        (["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        (["203.0.113.9, unknown"], None),
        (["203.0.113.9, unknown, 10.1.2.3"], None),
        (["unknown, 203.0.113.9"], "203.0.113.9"),
        ([""], None),
        ([], None),
        ([",".join(["10.1.2.3"] * (MAX_HOPS - 1))], "10.1.2.3"),
        (["1.1.1.1," + ",".join(["10.1.2.3"] * MAX_HOPS)], None),
    ],
)
def test_E8_for_rights_the_address_is_one_or_it_is_not_known(forwarded: list[str], who: str | None) -> None:
    """A proxy that does not say for whom it asks must not lend its own address to everybody."""
    found = PROXIES.exactly("192.0.2.7", forwarded)
    assert (None if found is None else str(found)) == who


def test_E8_for_rights_too_nobody_else_is_believed() -> None:
    for requester in (Requester(), PROXIES):
        assert str(requester.exactly("198.51.100.1", ["203.0.113.9"])) == "198.51.100.1"
        assert str(requester.exactly("2001:db8::9", [])) == "2001:db8::9"
        for nobody in (None, "", "a unix socket"):
            assert requester.exactly(nobody, ["203.0.113.9"]) is None
