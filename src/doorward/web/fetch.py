"""The one guarded way out to URLs that strangers name (CIMD draft -02 section 8.6; security F2 to F7, F13, F14).

Resolve first, judge every address, connect to a judged one: between the check and the connection nobody is asked
again (F4). https only, GET only (POST where the operator names the URL), nothing followed, no proxy, no cookies, few bytes, five seconds in all. How often is
bounded per asker, per host and per address, so that nobody makes us knock at somebody's door (F13).
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from doorward.model import SECOND, Instant
from doorward.web import addresses, https_get
from doorward.web.budgets import MinuteBudget
from doorward.web.https_get import Failure, Fetched, FetchFailed, Target
from doorward.web.lookups import MAX_LOOKUPS, Lookups, Resolver, TooManyLookups, resolve

DEADLINE: Final = 5.0
"""Seconds, from the first look-up to the last byte, waiting for a free slot included."""
MAX_BYTES: Final = 5 * 1024
MAX_AT_ONCE: Final = 16
MAX_AT_ONCE_PER_HOST: Final = 2
MAX_ADDRESSES: Final = 4
PER_ASKER: Final = 10
PER_HOST: Final = 20
PER_ADDRESS: Final = 60
"""Fetches per minute. Many vendors share the addresses of one delivery network."""
FORGET: Final = 30 * SECOND
"""How long a network failure stands for the next attempt at the same URL."""
MAX_FAILURES: Final = 1000

_URL: Final = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*)"
)
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_HOST: Final = 253
_LONGEST_LABEL: Final = 63
_PORTS: Final = frozenset({443, 8443, *range(49_152, 65_536)})


class TooManyFetches(Exception):  # noqa: N818  (a state of ours, answered 429)
    """A budget is spent or all slots are taken; nothing was sent. The message is private."""


def target_of(url: str) -> Target | None:
    """Return where ``url`` leads, or None where it is not one that is ever fetched: no name, no https, odd port."""
    found = _URL.fullmatch(url)
    if found is None or _NUMERIC.fullmatch(found["host"].rpartition(".")[2]) is not None:
        return None
    host, port = found["host"], int(found["port"] or https_get.HTTPS)
    if len(host) > _LONGEST_HOST or max(map(len, host.split("."))) > _LONGEST_LABEL or port not in _PORTS:
        return None
    return Target(host=host, port=port, path=found["path"])


class Fetcher:
    """Fetches small documents. Belongs to one event loop; ``tls`` is made at the first use where none is given."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        now: Callable[[], Instant],
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        allow_loopback: bool = False,
        allow_private: bool = False,
        deadline: float = DEADLINE,
        per_minute: int | None = None,
    ) -> None:
        self._now, self._tls = now, tls
        self._allow_loopback, self._allow_private, self._deadline = allow_loopback, allow_private, deadline
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        # Where the operator names the hosts, all of it is for few of them, and a lost connection says little.
        self._at_once_per_host = MAX_AT_ONCE_PER_HOST if per_minute is None else MAX_AT_ONCE
        self._forget = FORGET if per_minute is None else SECOND
        self._hosts: dict[str, int] = {}
        self._lookups = Lookups(resolver, most=MAX_LOOKUPS)
        self._by_asker = MinuteBudget(per_minute or PER_ASKER, now=now)
        self._by_host = MinuteBudget(per_minute or PER_HOST, now=now)
        self._by_address = MinuteBudget(per_minute or PER_ADDRESS, now=now)
        self._failed: dict[str, tuple[Instant, FetchFailed]] = {}

    async def get(
        self, url: str, *, asker: str, headers: Mapping[str, str] | None = None, limit: int = MAX_BYTES,
        body: bytes | None = None, statuses: Collection[int] = https_get.FOUND,
    ) -> Fetched:  # fmt: skip
        """Return the document at ``url``. ``asker`` is on whose account: an address or a user; ASCII ``headers``.

        Another status than ``statuses`` is a failure.

        Raises ``FetchFailed``, ``TooManyFetches``.
        """
        target = target_of(url)
        if target is None:
            raise FetchFailed(Failure.ANSWER, f"not a URL to fetch: {url[:200]!r}")
        self._raise_recent(url)
        self._spend(target, asker)
        self._hosts[target.host] = self._hosts.get(target.host, 0) + 1
        try:
            return await self._in_time(target, headers or {}, limit, body, statuses)
        except FetchFailed as failed:
            self._remember(url, failed)
            raise
        finally:
            self._hosts[target.host] -= 1
            if not self._hosts[target.host]:
                del self._hosts[target.host]

    def _spend(self, target: Target, asker: str) -> None:
        if self._hosts.get(target.host, 0) >= self._at_once_per_host:
            raise TooManyFetches(f"{self._at_once_per_host} fetches from {target.host} are running")
        if not self._by_asker.spend(asker):
            raise TooManyFetches(f"budget of {asker} is spent")
        if not self._by_host.spend(target.host):
            raise TooManyFetches(f"budget for {target.host} is spent")

    async def _in_time(
        self, target: Target, headers: Mapping[str, str], limit: int, body: bytes | None, statuses: Collection[int]
    ) -> Fetched:
        waiting = True
        try:
            async with asyncio.timeout(self._deadline), self._slots:
                waiting = False
                found = await self._judged(target)
                return await https_get.get(
                    target, found, headers, tls=self._context(), limit=limit, seconds=self._deadline, body=body,
                    statuses=statuses,
                )  # fmt: skip
        except TimeoutError:
            if waiting:
                raise TooManyFetches(f"{MAX_AT_ONCE} fetches are running") from None
            raise FetchFailed(Failure.NETWORK, f"{target.host} took longer than {self._deadline} s") from None

    async def _judged(self, target: Target) -> Sequence[str]:
        """Return the addresses of the target; all of them may be asked, or none is."""
        found = await self._resolve(target)
        refused = addresses.first_refusal(found, allow_loopback=self._allow_loopback, allow_private=self._allow_private)
        if refused is not None or not found:
            raise FetchFailed(Failure.ANSWER, f"{target.host}: {refused or 'no address'}")
        found = found[:MAX_ADDRESSES]
        # Many names can lead to one machine: names cost nothing where somebody owns a zone.
        if not all([self._by_address.spend(each) for each in found]):  # noqa: C419  (each is charged)
            raise TooManyFetches(f"budget for the addresses of {target.host} is spent")
        return found

    async def _resolve(self, target: Target) -> Sequence[str]:
        try:
            return await self._lookups.addresses(target.host, target.port)
        except TooManyLookups as full:
            raise TooManyFetches(str(full)) from full
        except (OSError, ValueError) as wrong:
            raise FetchFailed(Failure.NETWORK, f"{target.host}: {wrong}") from wrong

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _raise_recent(self, url: str) -> None:
        until, failed = self._failed.get(url, (Instant(0), None))
        if failed is not None and self._now() < until:
            raise FetchFailed(failed.kind, f"{failed.reason} (a moment ago)")

    def _remember(self, url: str, failed: FetchFailed) -> None:
        if failed.kind is not Failure.NETWORK:
            return
        now = self._now()
        if len(self._failed) >= MAX_FAILURES:
            self._failed = {each: kept for each, kept in self._failed.items() if kept[0] > now}
        if len(self._failed) < MAX_FAILURES:
            self._failed[url] = (Instant(now + self._forget), failed)
