"""Which addresses nothing is fetched from (security F2, F3; RFC 6890)."""

import pytest

from doorward.web.addresses import first_refusal, refusal


@pytest.mark.requirement("spec/CIMD3")
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254",
        "100.64.0.1", "100.127.255.255", "0.0.0.0", "192.88.99.1", "198.18.0.1", "198.19.255.255", "224.0.0.1",
        "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1",
        "::", "::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "2001:db8::1",
        "3fff::1", "5f00::1",
    ],
)  # fmt: skip
def test_F2_special_addresses_are_refused(address: str) -> None:
    assert refusal(address, allow_loopback=False) is not None


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::10.0.0.1", "::8.8.8.8", "64:ff9b::a00:1", "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1", "64:ff9b:1::808:808", "2002:a00:1::1", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2606:4700:1::5efe:a00:1", "2606:4700:1::200:5efe:a00:1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "",
    ],
)  # fmt: skip
def test_F3_addresses_inside_of_addresses_and_other_spellings_are_refused(address: str) -> None:
    assert refusal(address, allow_loopback=False) is not None


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_addresses_are_not(address: str) -> None:
    assert refusal(address, allow_loopback=False) is None


def test_F4_one_private_answer_refuses_all() -> None:
    assert first_refusal(["8.8.8.8", "2606:4700::1"], allow_loopback=False) is None
    assert first_refusal(["8.8.8.8", "::1"], allow_loopback=False) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_the_exception_of_development_is_for_loopback(address: str) -> None:
    assert refusal(address, allow_loopback=True) is None


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "64:ff9b::7f00:1", "2002:7f00:1::1"]
)
def test_and_for_nothing_else(address: str) -> None:
    assert refusal(address, allow_loopback=True) is not None


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "172.31.0.9", "192.168.1.1", "100.64.0.7", "fd12:3456::1"]
)  # fmt: skip
def test_an_organisations_own_network_is_asked_where_the_operator_says_so(address: str) -> None:
    assert refusal(address, allow_loopback=False, allow_private=True) is None
    assert refusal(address, allow_loopback=True) is not None


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "64:ff9b::a9fe:a9fe"]
)  # fmt: skip
def test_F2_where_clouds_keep_secrets_is_never_an_organisations_own_network(address: str) -> None:
    assert refusal(address, allow_loopback=False, allow_private=True) is not None
