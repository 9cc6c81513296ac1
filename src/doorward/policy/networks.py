"""The networks that a key may be used from, as text in one form each, and whether an address lies in one (C1). Pure."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_NETWORKS: Final = 50
_IPV4_MAPPED: Final = 96
"""Bits before the IPv4 address in ``::ffff:0:0/96``."""


def address(text: str) -> str:
    """Return one address in its one form, ``203.0.113.7``. Raises ``ValueError`` with words for people."""
    short = text.strip()[:60]
    try:
        found = ip_address(short)
    except ValueError as wrong:
        raise ValueError(f"{short!r} is no address. Write it like 203.0.113.7 or 2001:db8::7.") from wrong
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def network(text: str) -> str:
    """Return an address or a network in its one form, ``203.0.113.0/24``. Raises ``ValueError`` with words for people."""
    short = text.strip()[:60]
    try:
        found = _plain(ip_network(short, strict=False))
    except ValueError as wrong:
        raise ValueError(f"{short!r} is no address or network. Write it like 203.0.113.7 or 203.0.113.0/24") from wrong
    if "%" in short:
        raise ValueError(f"{short!r} names an interface. Write the address alone")
    if found.prefixlen == 0:
        raise ValueError(f"{short!r} is everybody. Leave the list empty where a key may be used from anywhere")
    return str(found)


def networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each of them once, in its one form. Raises ``ValueError``."""
    found = tuple(dict.fromkeys(network(text) for text in texts))
    if len(found) > MAX_NETWORKS:
        raise ValueError(f"More than {MAX_NETWORKS} addresses. Write networks, like 203.0.113.0/24")
    return found


def inside(address: Address | None, allowed: tuple[str, ...]) -> bool:
    """Say whether ``address`` may come with what is for ``allowed`` (empty: for anywhere). An unknown one may not."""
    if not allowed:
        return True
    return address is not None and any(address in each for each in _parsed(allowed))


@lru_cache(maxsize=4096)
def _parsed(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(each) for each in allowed)


def _plain(found: Network) -> Network:
    """Return an IPv4 network that is written as IPv6 as what it is: addresses are compared in that form."""
    if isinstance(found, IPv6Network) and found.prefixlen >= _IPV4_MAPPED:
        inner = found.network_address.ipv4_mapped
        if inner is not None:
            return IPv4Network((int(inner), found.prefixlen - _IPV4_MAPPED))
    return found
