"""Which addresses an outbound request may go to (CIMD draft -02 section 8.6; RFC 6890; security F2, F3).

A list of our own: ``ipaddress.is_global`` is True for 6to4 relays, multicast, NAT64, 6to4, ISATAP and site-local
addresses (measured), and says something else from one Python to the next. Judged is what a name resolved to, never the
text of a URL: resolvers read numbers, octal and short forms as addresses that ``ipaddress`` cannot parse.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_LOOPBACK_4: Final = IPv4Network("127.0.0.0/8")
_DENIED_4: Final = (
    _LOOPBACK_4,
    *map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    ),
)  # fmt: skip
_GLOBAL_6: Final = IPv6Network("2000::/3")
"""All that is given out for unicast; whatever lies outside is special or does not exist."""
_DENIED_6: Final = tuple(
    # IETF assignments with Teredo and ORCHID, documentation twice, 6to4, AS112.
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)
_PRIVATE_4: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_6: Final = IPv6Network("fc00::/7")
"""An organisation's own network (RFC 1918, RFC 6598, RFC 4193). Link-local, where clouds keep secrets, is never among it."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
_LAST_32_BITS: Final = 0xFFFFFFFF


def refusal(address: str, *, allow_loopback: bool, allow_private: bool = False) -> str | None:
    """Return the private reason why nothing may be fetched from ``address``, or None if it may.

    An IPv4 address inside an IPv6 one is judged as what it is: mapped (RFC 4291), and NAT64's well-known prefix (RFC
    6052), by which networks without IPv4 reach the rest. All other embeddings (6to4, Teredo, ISATAP, compatible, local
    NAT64) are refused whatever they hold. ``allow_loopback`` is for development, ``allow_private`` for what the operator names.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return f"{address[:64]!r} is not an address"
    if allow_private and _is_private(ip):
        return None
    if isinstance(ip, IPv6Address):
        inner = embedded(ip)
        if inner is None:
            denied = _denied_6(ip, allow_loopback=allow_loopback)
            return f"{ip} is not a public address" if denied else None
        allow_loopback = allow_loopback and ip.ipv4_mapped is not None
        ip = inner
    return f"{address} is not a public address" if _denied_4(ip, allow_loopback=allow_loopback) else None


def first_refusal(addresses: Sequence[str], *, allow_loopback: bool, allow_private: bool = False) -> str | None:
    """Return the reason for the first address that is refused: one private answer refuses a name (security F4)."""
    reasons = (refusal(each, allow_loopback=allow_loopback, allow_private=allow_private) for each in addresses)
    return next((reason for reason in reasons if reason is not None), None)


def _is_private(ip: IPv4Address | IPv6Address) -> bool:
    return ip in _PRIVATE_6 if isinstance(ip, IPv6Address) else any(ip in network for network in _PRIVATE_4)


def embedded(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for: mapped (RFC 4291 2.5.5.2), or by NAT64 (RFC 6052)."""
    return IPv4Address(int(ip) & _LAST_32_BITS) if ip in _NAT64 else ip.ipv4_mapped


def _denied_4(ip: IPv4Address, *, allow_loopback: bool) -> bool:
    if allow_loopback and ip in _LOOPBACK_4:
        return False
    return any(ip in network for network in _DENIED_4)


def _denied_6(ip: IPv6Address, *, allow_loopback: bool) -> bool:
    if allow_loopback and ip.is_loopback:
        return False
    if ip not in _GLOBAL_6 or any(ip in network for network in _DENIED_6):
        return True
    return (int(ip) >> 32) & _LAST_32_BITS in _ISATAP
