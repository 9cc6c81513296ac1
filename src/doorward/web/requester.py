"""Where a request comes from: as a key for budgets, and exactly, for keys that are good from some addresses only."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Final

import structlog
from starlette.requests import Request

from doorward.policy.networks import Address

MAX_HOPS: Final = 16
"""Proxies of one's own that a request may have come through; what stands further left is not looked at."""

MAX_KEPT: Final = 200
"""Characters of ``X-Forwarded-For`` whose meaning is kept for the next request that says the same."""

_log = structlog.get_logger("doorward.web")


class Requester:
    """Knows the operator's own proxies, as addresses or networks. Raises ``ValueError`` where one is neither."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)
        self._warned = False
        self._told = lru_cache(maxsize=4096)(self._work_out)

    def of(self, request: Request) -> str:
        """Return the caller's address as a key for a budget; of IPv6 the /64, which is what one household has.

        Never for a decision about rights: that takes ``exactly``. It is the connection's, unless that is a trusted proxy: then the right-most address of ``X-Forwarded-For`` that
        is none. What stands left of it anybody may have written (E8). ``Forwarded`` (RFC 7239) is not read.
        """
        address = _peer("" if request.client is None else request.client.host)
        if address is None:
            return "unknown"
        if self._is_trusted(address):
            for hop in self._hops(request.headers.getlist("x-forwarded-for")):
                if hop is None:
                    break
                address = hop
        elif "x-forwarded-for" in request.headers and not address.is_global:
            self._warn(address)
        return str(address) if address.version == 4 else str(IPv6Network((int(address) >> 64 << 64, 64)))  # noqa: PLR2004

    def exactly(self, peer: str | None, forwarded: Sequence[str]) -> Address | None:
        """Return the caller's one address, for a decision about rights; None where it is not known.

        ``peer`` is the connection's, ``forwarded`` the values of ``X-Forwarded-For``. A trusted proxy that does not say
        for whom it asks, or says it in words that cannot be read, asks for nobody.
        """
        address = _peer(peer or "")
        if address is None or not self._is_trusted(address):
            return address
        hops = list(self._hops(forwarded))
        return None if len(hops) == MAX_HOPS and hops[-1] is not None and self._is_trusted(hops[-1]) else hops[-1]

    def told(self, peer: str | None, forwarded: Sequence[str]) -> str | None:
        """Return where a request came from, for people; the connection's own address where it is not known exactly."""
        if not self._trusted:
            return _peer_as_text(peer or "") or peer
        said = tuple(forwarded)
        # What strangers write fills no memory: long headers are read anew.
        return self._told(peer, said) if sum(map(len, said)) <= MAX_KEPT else self._work_out(peer, said)

    def _work_out(self, peer: str | None, forwarded: tuple[str, ...]) -> str | None:
        address = self.exactly(peer, forwarded)
        return peer if address is None else _written(address)

    def _hops(self, forwarded: Sequence[str]) -> Iterator[Address | None]:
        """Yield the addresses of ``X-Forwarded-For`` from the right, to the first that is no proxy of ours or unreadable."""
        for hop in islice(reversed(",".join(forwarded).split(",")), MAX_HOPS):
            address = _address(_without_port(hop.strip()))
            yield address
            if address is None or not self._is_trusted(address):
                return

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


@lru_cache(maxsize=4096)
def _peer_as_text(text: str) -> str | None:
    address = _peer(text)
    return None if address is None else _written(address)


def _written(address: Address) -> str:
    # Without the zone, in which a header may hold any text.
    return str(address).partition("%")[0]


def _without_port(text: str) -> str:
    """Return the address of ``192.0.2.1:4711`` or ``[2001:db8::1]:4711``, as some proxies write it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
