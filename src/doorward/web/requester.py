"""Where a request comes from, as a key for budgets; never for a decision about rights."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Final

import structlog
from starlette.requests import Request

MAX_HOPS: Final = 16
"""Proxies of one's own that a request may have come through; what stands further left is not looked at."""

_log = structlog.get_logger("doorward.web")

Address = IPv4Address | IPv6Address


class Requester:
    """Knows the operator's own proxies, as addresses or networks. Raises ``ValueError`` where one is neither."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)
        self._warned = False

    def of(self, request: Request) -> str:
        """Return the caller's address; of IPv6 the /64, which is what one household has.

        It is the connection's, unless that is a trusted proxy: then the right-most address of ``X-Forwarded-For`` that
        is none. What stands left of it anybody may have written (E8). ``Forwarded`` (RFC 7239) is not read.
        """
        address = _peer("" if request.client is None else request.client.host)
        if address is None:
            return "unknown"
        if self._is_trusted(address):
            address = self._forwarded_for(request, address)
        elif "x-forwarded-for" in request.headers and not address.is_global:
            self._warn(address)
        return str(address) if address.version == 4 else str(IPv6Network((int(address) >> 64 << 64, 64)))  # noqa: PLR2004

    def _forwarded_for(self, request: Request, proxy: Address) -> Address:
        hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        for hop in islice(reversed(hops), MAX_HOPS):
            address = _address(_without_port(hop.strip()))
            if address is None:
                break
            proxy = address
            if not self._is_trusted(address):
                break
        return proxy

    def _warn(self, proxy: Address) -> None:
        """Say once that everybody behind what looks like the operator's own proxy shares one budget."""
        if not self._warned:
            self._warned = True
            _log.warning("all callers behind this proxy count as one; see server.trusted_proxies", proxy=str(proxy))

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(text: str) -> Address | None:
    """Return an address; an IPv4 one that comes mapped into IPv6 is the same caller's."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found if isinstance(found, IPv4Address) else found.ipv4_mapped or found


_peer: Final = lru_cache(maxsize=4096)(_address)
"""For the few hosts that connections come from; what a header says could fill the memory."""


def _without_port(text: str) -> str:
    """Return the address of ``192.0.2.1:4711`` or ``[2001:db8::1]:4711``, as some proxies write it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
