"""What each upstream offers, fetched with the gateway's own identity in a tenant, kept for a minute.

Where a server knows people by their own accounts, it is asked as the person, and what it says is that account's alone.

A name that is not known is looked for once more, at most once a second, before it is said not to exist; the same is
done for a name that is hidden, so that neither words nor time tell one from the other (K1).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.identity import Identities, InTenant, of_account
from doorward.gateway.offer import Governed, Offer, Tool, offer_of
from doorward.gateway.sessions import Identity
from doorward.gateway.sighting import sighting_of
from doorward.gateway.upstream import Envelope, Rejected, Upstream
from doorward.gateway.upstream_oauth.calls import by_account
from doorward.model import SECOND, Instant, Permission, PermissionEntry, Principal, Server, ServerId, Sighting, TenantId
from doorward.protocol.jsonrpc import METHOD_NOT_FOUND
from doorward.protocol.mcp import LEGACY_VERSIONS, MODERN_VERSION
from doorward.storage.database import StorageUnavailable

FRESH: Final = 60 * SECOND
KEPT: Final = 600 * SECOND
"""How long an offer serves while the upstream does not list it any more."""
AGAIN_AFTER: Final = 1 * SECOND
MAX_ENTRIES: Final = 4_000
MAX_LEARNED: Final = 1_000
MAX_PAGES: Final = 100
MAX_ITEMS: Final = 20_000

_LISTS: Final = (
    ("tools", "tools/list", "tools"),
    ("prompts", "prompts/list", "prompts"),
    ("resources", "resources/list", "resources"),
    ("resources", "resources/templates/list", "resourceTemplates"),
)
_MODERN: Final = Envelope(version=MODERN_VERSION)
NO_CAPABILITIES: Final[Mapping[str, Any]] = {}
CAPABLE: Final[Mapping[str, Any]] = {
    "roots": {"listChanged": True},
    "sampling": {"context": {}, "tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "tasks": {
        "list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}},
    },
}  # fmt: skip
"""All that a client may be able to do: some servers list a tool only to those who can answer what it asks."""


Key = tuple[ServerId, TenantId, str]
"""Server, tenant, and the linked account where the server knows people by theirs."""
Remember = Callable[[Server, Mapping[str, Tool], Instant], Coroutine[Any, Any, None]]
"""``remember(server, tools, now)`` stores versions of tools that were not seen before."""
Sight = Callable[[Server, Sighting, Instant], Awaitable[bool]]
"""``sight(server, sighting, now)`` stores what a server says of itself; False where it wants to be told again."""


@dataclass(slots=True)
class _Entry:
    governed: Governed
    fetched_at: Instant
    learned: dict[str, Tool] = field(default_factory=dict)
    """Tools that only clients are shown: their sessions say what they can do, the gateway's own can do nothing."""


class Catalogue:
    """Offers by server and tenant (resources, and whatever else, may differ between tenants)."""

    def __init__(
        self, upstream: Upstream, identities: Identities, remember: Remember, sight: Sight, now: Callable[[], Instant]
    ) -> None:
        self._remember = remember
        self._sight = sight
        self._now = now
        self._sighted: dict[ServerId, Sighting] = {}
        self._noted: set[tuple[ServerId, str, str]] = set()
        self._notes: set[asyncio.Task[None]] = set()
        self._upstream = upstream
        self._identities = identities
        self._entries: dict[Key, _Entry] = {}
        self._asked_at: dict[Key, Instant] = {}
        self._fetches: dict[Key, asyncio.Task[Governed]] = {}
        self._legacy: set[str] = set()
        """Upstream URLs that do not speak 2026-07-28."""

    def known(self, server: Server, tenant_id: TenantId, now: Instant) -> Governed | None:
        """Return what ``governed`` does without an account, or None where there is more to do than to look."""
        entry = self._entries.get((server.id, tenant_id, ""))
        fresh = entry is not None and entry.governed.server is server and now - entry.fetched_at <= FRESH
        return entry.governed if fresh and entry is not None else None

    async def governed(
        self, server: Server, principal: Principal, words: Mapping[Permission, PermissionEntry], now: Instant,
        account: str = "",
    ) -> Governed:  # fmt: skip
        """Return the server joined with its offer. Raises ``UpstreamFailure`` and ``Rejected`` where it is not known.

        ``account`` is the linked account of ``principal``, where the server knows people by theirs.
        """
        if server.tenant_id is not None and server.id not in principal.servers:
            return Governed(server, Offer(), account)  # Another tenant's server is not even asked.
        key = server.id, principal.tenant_id, account
        entry = self._entries.get(key)
        if entry is None or entry.governed.server.upstream != server.upstream or now - entry.fetched_at > KEPT:
            return await self._fetch(key, server, principal, words, now)
        if entry.governed.server is not server:
            entry.governed = Governed(server, entry.governed.offer, account)  # Its rules may have changed.
        if now - entry.fetched_at > FRESH and self._may_ask(key, now):
            _ = self._start(key, server, principal, words, now)
        return entry.governed

    async def again(
        self, governed: Governed, principal: Principal, words: Mapping[Permission, PermissionEntry], now: Instant
    ) -> Governed:
        """Return the offer as it is now, for a name that ``governed`` does not show; the same where it cannot be had."""
        key = governed.server.id, principal.tenant_id, governed.account
        if key not in self._fetches and not self._may_ask(key, now):
            return governed
        try:
            return await self._fetch(key, governed.server, principal, words, now)
        except (UpstreamFailure, Rejected):
            return governed

    def look(self, server: Server, like: InTenant, words: Mapping[Permission, PermissionEntry]) -> None:
        """Look at what the upstream says and offers by now, whether anybody calls it or not; in the background.

        Not where it knows people by their own accounts: nobody's is used unasked.
        """
        if not by_account(server):
            self._look((server.id, like.tenant_id, ""), server, like, words)

    async def looked(self, server: Server, like: InTenant, words: Mapping[Permission, PermissionEntry]) -> None:
        """Look now, and wait until what there is has been seen; whatever comes of it."""
        if by_account(server):
            return
        with contextlib.suppress(UpstreamFailure, Rejected, StorageUnavailable):
            await asyncio.shield(self._start((server.id, like.tenant_id, ""), server, like, words, self._now()))

    def changed(self, governed: Governed, principal: Principal, words: Mapping[Permission, PermissionEntry]) -> None:
        """Look again at a server that says that its lists have changed."""
        self._look((governed.server.id, principal.tenant_id, governed.account), governed.server, principal, words)

    def learn(self, governed: Governed, principal: Principal, tools: Mapping[str, Tool]) -> None:
        """Take over what a list that passed by said of its tools, so that the next call is judged by it (K27)."""
        self._note(governed.server, tools)
        entry = self._entries.get((governed.server.id, principal.tenant_id, governed.account))
        if entry is not None and entry.governed is governed:
            entry.learned |= {name: tool for name, tool in tools.items() if name not in governed.offer.tools}
            while len(entry.learned) > MAX_LEARNED:
                del entry.learned[next(iter(entry.learned))]
            known = {**governed.offer.tools, **tools}
            entry.governed = Governed(governed.server, replace(governed.offer, tools=known), governed.account)

    async def stop(self) -> None:
        """End fetches under way."""
        tasks = [*self._fetches.values(), *self._notes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(
        self, key: Key, server: Server, like: InTenant, words: Mapping[Permission, PermissionEntry]
    ) -> None:  # fmt: skip
        now = self._now()
        if self._may_ask(key, now):
            # It may have been renewed, and speak a newer revision.
            self._legacy.discard(server.upstream)
            _ = self._start(key, server, like, words, now)

    def _note(self, server: Server, tools: Mapping[str, Tool]) -> None:
        """Have versions remembered that only a client was shown: else nobody could approve them."""
        unseen = {name: tool for name, tool in _unseen(server, tools).items() if self._is_new(server.id, name, tool)}
        if unseen:
            task = asyncio.get_running_loop().create_task(self._remember(server, unseen, self._now()))
            self._notes.add(task)
            task.add_done_callback(self._noted_done)

    def _noted_done(self, task: "asyncio.Task[None]") -> None:
        self._notes.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at: what storage did not take is noted again when the gateway itself is shown it.

    def _may_ask(self, key: Key, now: Instant) -> bool:
        return now - self._asked_at.get(key, 0) >= AGAIN_AFTER

    async def _fetch(
        self,
        key: Key,
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
        key: Key,
        server: Server,
        like: InTenant,
        words: Mapping[Permission, PermissionEntry],
        now: Instant,
    ) -> "asyncio.Task[Governed]":
        running = self._fetches.get(key)
        if running is not None:
            return running
        _make_room(self._asked_at)
        self._asked_at[key] = now
        if isinstance(like, Principal) and by_account(server):
            identity = of_account(like)
        else:
            identity = self._identities.of_gateway(server, like, words)
        task = asyncio.get_running_loop().create_task(self._read(key, server, identity, now))
        self._fetches[key] = task
        task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: Key, task: "asyncio.Task[Governed]") -> None:
        self._fetches.pop(key, None)
        if not task.cancelled():
            task.exception()  # Looked at, so that a refresh in the background fails quietly: the next call asks again.

    async def _read(
        self, key: Key, server: Server, identity: Identity, now: Instant
    ) -> Governed:  # fmt: skip
        said, lists = await self._lists(server, identity)
        await self._note_sighting(server, said, now)
        offer = offer_of(lists["tools"], lists["prompts"], lists["resources"], lists["resourceTemplates"])
        before = self._entries.get(key)
        same = before is not None and before.governed.server.upstream == server.upstream
        learned = (
            {name: tool for name, tool in before.learned.items() if name not in offer.tools} if before and same else {}
        )
        governed = Governed(server, replace(offer, tools={**learned, **offer.tools}), key[2])
        if unseen := _unseen(server, governed.offer.tools):
            await self._remember(server, unseen, now)
            self._forget_older(key, unseen)
        _make_room(self._entries)
        self._entries[key] = _Entry(governed, now, learned)
        return governed

    def _forget_older(self, key: Key, unseen: Mapping[str, Tool]) -> None:
        """What is new in one tenant is looked for in all before their next call."""
        new = {name: tool for name, tool in unseen.items() if self._is_new(key[0], name, tool)}
        for other, entry in list(self._entries.items()):
            known = entry.governed.offer.tools
            if other != key and other[0] == key[0] and any(known.get(name, tool) != tool for name, tool in new.items()):
                del self._entries[other]

    def _is_new(self, server_id: ServerId, name: str, tool: Tool) -> bool:
        """Say so once of each version: a server may change at every look, and only so many are remembered."""
        if len(self._noted) > MAX_ITEMS:
            self._noted.clear()
        before = len(self._noted)
        self._noted.add((server_id, name, tool.digest))
        return len(self._noted) > before

    async def _note_sighting(self, server: Server, said: Sighting, now: Instant) -> None:
        if self._sighted.get(server.id) != said:
            # Nothing is decided by it, so what storage does not take is told again the next time.
            with contextlib.suppress(StorageUnavailable):
                if await self._sight(server, said, now):
                    self._sighted[server.id] = said

    async def _lists(self, server: Server, identity: Identity) -> tuple[Sighting, Mapping[str, list[Any]]]:
        if server.upstream not in self._legacy:
            try:
                described, _ = await self._upstream.ask(server, "server/discover", {}, _MODERN, identity)
                lists = await self._all(server, described, _MODERN, identity)
                return sighting_of(described, MODERN_VERSION), lists
            except Rejected as rejected:
                if rejected.status in {401, 403}:
                    raise
        envelope, described = await open_session(self._upstream, server, identity, CAPABLE)
        self._legacy.add(server.upstream)
        try:
            lists = await self._all(server, described, envelope, identity)
            return sighting_of(described, envelope.version), lists
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


async def open_session(
    upstream: Upstream, server: Server, identity: Identity, capabilities: Mapping[str, Any] = NO_CAPABILITIES
) -> tuple[Envelope, dict[str, Any]]:
    """Open an upstream session of the older revisions; return what to send with its messages, and what it said.

    ``capabilities`` are those of a client. ``session_id`` is None where the upstream keeps none. Raises ``UpstreamFailure`` and ``Rejected``.
    """
    hello = {
        "protocolVersion": LEGACY_VERSIONS[0],
        "capabilities": capabilities,
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


def _unseen(server: Server, tools: Mapping[str, Tool]) -> dict[str, Tool]:
    return {name: tool for name, tool in tools.items() if tool.digest not in server.known.get(name, {})}


def _make_room(cache: dict[Key, Any]) -> None:
    if len(cache) >= MAX_ENTRIES:
        cache.pop(next(iter(cache)))
