"""Where servers may be that tenants add for themselves (security L19; F2 to F5).

A name is looked up, every address is judged, and one that was judged is connected to: nobody is asked again between
(F4). Public addresses only, by TLS; other networks only where the operator lists them, there also without TLS. Where
clouds keep the secrets of their machines nothing is ever sent.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.web import addresses
from doorward.web.lookups import Lookups, Resolver, TooManyLookups, resolve

Network = IPv4Network | IPv6Network

NEVER: Final[Sequence[Network]] = tuple(
    # Link-local, with the metadata services of most clouds; those that lie elsewhere: Azure, Alibaba, AWS over IPv6.
    map(ip_network, ("169.254.0.0/16", "fe80::/10", "168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::/32"))
)
MAX_ADDRESSES: Final = 4
_HTTPS: Final = 443
_FIRST_FREE: Final = 1024
_PLAIN: Final = 80


class Outside:
    """``networks`` are what the operator allows besides public addresses, as texts like ``10.1.2.0/24``."""

    def __init__(self, networks: Iterable[str] = (), *, resolver: Resolver = resolve) -> None:
        self._networks = tuple(ip_network(text, strict=False) for text in networks)
        self._lookups = Lookups(resolver)

    async def addresses(self, host: str, port: int, *, tls: bool) -> Sequence[str]:
        """Return the addresses of ``host``: all may be connected to, or none. Raises ``UpstreamFailure``."""
        if not port_ok(port):
            raise UpstreamFailure(UpstreamError.UNREACHABLE, f"port {port} is that of something else than the web")
        try:
            found = await self._lookups.addresses(host, port)
        except TooManyLookups as full:
            raise UpstreamFailure(UpstreamError.BUSY, str(full)) from full
        except (OSError, ValueError) as wrong:
            raise UpstreamFailure(UpstreamError.UNREACHABLE, f"cannot look {host} up: {wrong}") from wrong
        reasons = [self._refusal(each, tls=tls) for each in found]
        refused = next((reason for reason in reasons if reason is not None), None)
        if refused is not None or not found:
            raise UpstreamFailure(UpstreamError.UNREACHABLE, f"{host}: {refused or 'no address'}")
        return found[:MAX_ADDRESSES]

    def _refusal(self, address: str, *, tls: bool) -> str | None:
        try:
            ip = ip_address(address)
        except ValueError:
            return f"{address[:64]!r} is not an address"
        # In whatever spelling: where an IPv4 address is written as one of IPv6, it is that one that is asked.
        ip = (addresses.embedded(ip) or ip) if isinstance(ip, IPv6Address) else ip
        if any(ip in network for network in NEVER):
            return f"{address} is never asked"
        if any(ip in network for network in self._networks):
            return None
        if not tls:
            return f"{address} is not listed, so only TLS goes there"
        return addresses.refusal(address, allow_loopback=False)


def port_ok(port: int) -> bool:
    """Say whether a web server may be at ``port``: not where mail, names or shells are spoken."""
    return port in {_HTTPS, _PLAIN} or port >= _FIRST_FREE
