"""What each upstream offers, fetched with the gateway's own identity in a tenant, kept for a minute.

A name that is not known is looked for once more, at most once a second, before it is said not to exist; the same is
done for a name that is hidden, so that neither words nor time tell one from the other (K1).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.identity import Identities
from doorward.gateway.offer import Governed, Tool, offer_of
from doorward.gateway.sessions import Identity
from doorward.gateway.upstream import Envelope, Rejected, Upstream
from doorward.model import SECOND, Instant, Permission, PermissionEntry, Principal, Server, ServerId, TenantId
from doorward.protocol.jsonrpc import METHOD_NOT_FOUND
from doorward.protocol.mcp import LEGACY_VERSIONS, MODERN_VERSION

FRESH: Final = 60 * SECOND
KEPT: Final = 600 * SECOND
"""How long an offer serves while the upstream does not list it any more."""
AGAIN_AFTER: Final = 1 * SECOND
MAX_ENTRIES: Final = 4_000
MAX_PAGES: Final = 100
MAX_ITEMS: Final = 20_000

_LISTS: Final = (
    ("tools", "tools/list", "tools"),
    ("prompts", "prompts/list", "prompts"),
    ("resources", "resources/list", "resources"),
    ("resources", "resources/templates/list", "resourceTemplates"),
)
_MODERN: Final = Envelope(version=MODERN_VERSION)


Remember = Callable[[Server, Mapping[str, Tool], Instant], Awaitable[None]]
"""``remember(server, tools, now)`` stores versions of tools that were not seen before."""


@dataclass(slots=True)
class _Entry:
    governed: Governed
    fetched_at: Instant


class Catalogue:
    """Offers by server and tenant (resources, and whatever else, may differ between tenants)."""

    def __init__(self, upstream: Upstream, identities: Identities, remember: Remember) -> None:
        self._remember = remember
        self._upstream = upstream
        self._identities = identities
        self._entries: dict[tuple[ServerId, TenantId], _Entry] = {}
        self._asked_at: dict[tuple[ServerId, TenantId], Instant] = {}
        self._fetches: dict[tuple[ServerId, TenantId], asyncio.Task[Governed]] = {}
        self._legacy: set[str] = set()
        """Upstream URLs that do not speak 2026-07-28."""

    async def governed(
        self, server: Server, principal: Principal, words: Mapping[Permission, PermissionEntry], now: Instant
    ) -> Governed:
        """Return the server joined with its offer. Raises ``UpstreamFailure`` and ``Rejected`` where it is not known."""
        key = server.id, principal.tenant_id
        entry = self._entries.get(key)
        if entry is None or entry.governed.server.upstream != server.upstream or now - entry.fetched_at > KEPT:
            return await self._fetch(key, server, principal, words, now)
        if entry.governed.server is not server:
            entry.governed = Governed(server, entry.governed.offer)  # Its rules may have changed.
        if now - entry.fetched_at > FRESH and self._may_ask(key, now):
            _ = self._start(key, server, principal, words, now)
        return entry.governed

    async def again(
        self, governed: Governed, principal: Principal, words: Mapping[Permission, PermissionEntry], now: Instant
    ) -> Governed:
        """Return the offer as it is now, for a name that ``governed`` does not show; the same where it cannot be had."""
        key = governed.server.id, principal.tenant_id
        if key not in self._fetches and not self._may_ask(key, now):
            return governed
        try:
            return await self._fetch(key, governed.server, principal, words, now)
        except (UpstreamFailure, Rejected):
            return governed

    def learn(self, governed: Governed, principal: Principal, tools: Mapping[str, Tool]) -> None:
        """Take over what a list that passed by said of its tools, so that the next call is judged by it (K27)."""
        entry = self._entries.get((governed.server.id, principal.tenant_id))
        if entry is not None and entry.governed is governed:
            known = {**governed.offer.tools, **tools}
            entry.governed = Governed(governed.server, replace(governed.offer, tools=known))

    async def stop(self) -> None:
        """End fetches under way."""
        for task in list(self._fetches.values()):
            task.cancel()
        await asyncio.gather(*self._fetches.values(), return_exceptions=True)

    def _may_ask(self, key: tuple[ServerId, TenantId], now: Instant) -> bool:
        return now - self._asked_at.get(key, 0) >= AGAIN_AFTER

    async def _fetch(
        self,
        key: tuple[ServerId, TenantId],
        server: Server,
        principal: Principal,
        words: Mapping[Permission, PermissionEntry],
        now: Instant,
    ) -> Governed:
        task = self._start(key, server, principal, words, now)
        # Shielded: one caller that leaves must not end the fetch that others wait for.
        return await asyncio.shield(task)

    def _start(
        self,
        key: tuple[ServerId, TenantId],
        server: Server,
        principal: Principal,
        words: Mapping[Permission, PermissionEntry],
        now: Instant,
    ) -> "asyncio.Task[Governed]":
        running = self._fetches.get(key)
        if running is not None:
            return running
        _make_room(self._asked_at)
        self._asked_at[key] = now
        identity = self._identities.of_gateway(server, principal, words)
        task = asyncio.get_running_loop().create_task(self._read(key, server, identity, now))
        self._fetches[key] = task
        task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: tuple[ServerId, TenantId], task: "asyncio.Task[Governed]") -> None:
        self._fetches.pop(key, None)
        if not task.cancelled():
            task.exception()  # Looked at, so that a refresh in the background fails quietly: the next call asks again.

    async def _read(
        self, key: tuple[ServerId, TenantId], server: Server, identity: Identity, now: Instant
    ) -> Governed:  # fmt: skip
        lists = await self._lists(server, identity)
        governed = Governed(
            server, offer_of(lists["tools"], lists["prompts"], lists["resources"], lists["resourceTemplates"])
        )
        unseen = {
            name: tool for name, tool in governed.offer.tools.items() if tool.digest not in server.known.get(name, {})
        }
        if unseen:
            await self._remember(server, unseen, now)
        _make_room(self._entries)
        self._entries[key] = _Entry(governed, now)
        return governed

    async def _lists(self, server: Server, identity: Identity) -> Mapping[str, list[Any]]:
        if server.upstream not in self._legacy:
            try:
                described, _ = await self._upstream.ask(server, "server/discover", {}, _MODERN, identity)
                return await self._all(server, described, _MODERN, identity)
            except Rejected as rejected:
                if rejected.status in {401, 403}:
                    raise
        envelope, described = await open_session(self._upstream, server, identity)
        self._legacy.add(server.upstream)
        try:
            return await self._all(server, described, envelope, identity)
        except Rejected:
            self._legacy.discard(server.upstream)
            raise
        finally:
            if envelope.session_id is not None:
                (await self._upstream.delete(server, envelope, identity)).close()

    async def _all(
        self, server: Server, described: Mapping[str, Any], envelope: Envelope, identity: Identity
    ) -> Mapping[str, list[Any]]:
        capabilities = described.get("capabilities")
        offered = capabilities if isinstance(capabilities, dict) else {}
        return {
            member: await self._pages(server, method, member, envelope, identity) if capability in offered else []
            for capability, method, member in _LISTS
        }

    async def _pages(
        self, server: Server, method: str, member: str, envelope: Envelope, identity: Identity
    ) -> list[Any]:  # fmt: skip
        items: list[Any] = []
        params: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            try:
                result, _headers = await self._upstream.ask(server, method, params, envelope, identity)
            except Rejected as rejected:
                if rejected.code == METHOD_NOT_FOUND:
                    break  # `resources` without templates, for example.
                raise
            page = result.get(member)
            items += page if isinstance(page, list) else []
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str) or cursor == params.get("cursor") or len(items) > MAX_ITEMS:
                break
            params = {"cursor": cursor}
        return items


async def open_session(upstream: Upstream, server: Server, identity: Identity) -> tuple[Envelope, dict[str, Any]]:
    """Open an upstream session of the older revisions; return what to send with its messages, and what it said.

    ``session_id`` is None where the upstream keeps none. Raises ``UpstreamFailure`` and ``Rejected``.
    """
    hello = {
        "protocolVersion": LEGACY_VERSIONS[0],
        "capabilities": {},
        "clientInfo": {"name": "doorward", "version": "1"},
    }
    described, headers = await upstream.ask(server, "initialize", hello, Envelope(version=None), identity)
    version, session_id = described.get("protocolVersion"), headers.get(b"mcp-session-id")
    envelope = Envelope(
        version=version if version in LEGACY_VERSIONS else None,
        session_id=None if session_id is None else session_id.decode("latin-1"),
    )
    await upstream.tell(server, "notifications/initialized", envelope, identity)
    return envelope, described


def _make_room(cache: dict[tuple[ServerId, TenantId], Any]) -> None:
    if len(cache) >= MAX_ENTRIES:
        cache.pop(next(iter(cache)))
