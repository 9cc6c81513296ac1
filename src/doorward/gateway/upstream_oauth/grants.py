"""The tokens that the gateway uses for a person's calls, live: read at every call, refreshed by one at a time.

Nothing but the opened form of what a row holds is kept here, found by the sealed text itself: an account that is
unlinked, or linked anew, is another row at the next call, on every node.

A refresh token may be good once. So one coroutine of one node refreshes a version of a grant: it claims the row by a
conditional update, and the others wait for the next version. A refresh that fails by the way (network, garbage, our
database) destroys nothing; only the other side's ``invalid_grant`` ends a grant.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from doorward import audit
from doorward.credentials.secret import base64url
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.upstream_oauth.asking import Elsewhere
from doorward.gateway.upstream_oauth.exchange import Exchange, Rejected
from doorward.gateway.upstream_oauth.secrets import ClientSecrets
from doorward.gateway.upstream_oauth.tokens import Place, Safe, Tokens, tokens_of
from doorward.model import SECOND, Entropy, Instant, Server, UpstreamGrant
from doorward.protocol import faults
from doorward.protocol.outbound.client import OwnClient
from doorward.protocol.outbound.grant import Granted
from doorward.storage import upstream_grants
from doorward.storage.database import Database, StorageUnavailable, Transaction
from doorward.vault import Unsealed

EARLY: Final = 60 * SECOND
"""An access token is refreshed so long before its end, but never in the first four fifths of its life."""
CLAIM: Final = 30 * SECOND
"""Nobody else refreshes for so long; well over what a refresh may take. Then its node is taken for dead."""
FRESH: Final = 10 * SECOND
"""A token that is refused so soon after it was given is not replaced."""
PAUSE: Final = 5 * SECOND
"""After an attempt that failed by the way, so long nobody tries, while the access token is still good."""
WAIT: Final = 8.0
"""Seconds to wait for somebody else's refresh."""
LOOK: Final = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between looks; the last for ever."""
SAVES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to keep what a refresh brought, where our database does not answer."""
MAX_OPENED: Final = 10_000
_CLAIM_BYTES: Final = 12

_log = structlog.get_logger("doorward.gateway")


class NotLinked(UpstreamFailure):
    """There is nothing to call with: the person has to link an account, or link it again. ``reason`` is private."""

    def __init__(self, reason: str) -> None:
        super().__init__(UpstreamError.NOT_LINKED, reason)


class Grants:
    """One per process."""

    def __init__(
        self, *, database: Database, exchange: Exchange, secrets: ClientSecrets, safe: Safe,
        now: Callable[[], Instant], entropy: Entropy,
    ) -> None:  # fmt: skip
        self._database, self._exchange, self._secrets, self._safe = database, exchange, secrets, safe
        self._now, self._entropy = now, entropy
        self._opened: dict[Place, tuple[str, Tokens]] = {}
        self._running: dict[tuple[Place, str, int], asyncio.Task[UpstreamGrant]] = {}
        self._paused: dict[tuple[Place, str, int], Instant] = {}

    async def linked(self, place: Place, server: Server) -> str:
        """Return which account calls are made with: an id that no other account has. Raises ``NotLinked``."""
        return (await self._row(place, server))[0].id

    async def token(self, place: Place, server: Server) -> str:
        """Return the access token to call with. Raises ``NotLinked``, ``UpstreamFailure``."""
        return (await self._ready(place, server))[1].access_token

    async def renewed(self, place: Place, server: Server, refused: str) -> str:
        """Return another access token than ``refused``, which the server did not take. Raises as ``token``."""
        grant, tokens = await self._row(place, server)
        if tokens.access_token != refused:
            return tokens.access_token  # Somebody refreshed meanwhile.
        if not tokens.refresh_token or grant.rejected_at is not None:
            raise NotLinked("the server refuses a token that cannot be refreshed")
        if self._now() - grant.refreshed_at < FRESH:
            # Another one would be refused like this one; asking for one at every call would only wear out the grant.
            raise NotLinked("the server refuses a fresh token")
        return self._open(await self._refreshed(grant, tokens, server)).access_token

    async def stop(self) -> None:
        """Wait for refreshes under way: what they bring may be good once only."""
        if self._running:
            await asyncio.wait(set(self._running.values()))

    async def _ready(self, place: Place, server: Server) -> tuple[UpstreamGrant, Tokens]:
        grant, tokens = await self._row(place, server)
        now, ends = self._now(), tokens.expires_at
        if ends is None or now < ends - min(EARLY, (ends - grant.refreshed_at) // 5):
            return grant, tokens
        if not tokens.refresh_token or grant.rejected_at is not None:
            if now < ends:
                return grant, tokens
            raise NotLinked("the access token has ended and cannot be refreshed")
        if now < ends:
            self._in_the_background(grant, tokens, server)
            return grant, tokens
        renewed = await self._refreshed(grant, tokens, server)
        return renewed, self._open(renewed)

    async def _row(self, place: Place, server: Server) -> tuple[UpstreamGrant, Tokens]:
        grant = await self._database.read(lambda reader: upstream_grants.grant_of(reader, *place))
        if grant is None:
            raise NotLinked("no account is linked")
        declared = "" if server.auth is None else server.auth.authorization_server
        if grant.upstream != server.upstream or (declared and declared != grant.issuer):
            # What was given for one URL goes to no other, whoever declares it.
            raise NotLinked("linked for another declaration of the server")
        return grant, self._open(grant)

    def _open(self, grant: UpstreamGrant) -> Tokens:
        place = _place(grant)
        sealed, known = self._opened.get(place, ("", None))
        if known is None or sealed != grant.sealed:
            try:
                known = self._safe.open_tokens(grant.sealed, place)
            except Unsealed as wrong:
                raise NotLinked("sealed with another key, or for another place") from wrong
            if len(self._opened) >= MAX_OPENED:
                self._opened.clear()
            self._opened[place] = (grant.sealed, known)
        return known

    def _in_the_background(self, grant: UpstreamGrant, tokens: Tokens, server: Server) -> None:
        if not self._pausing(grant):
            _ = self._start(grant, tokens, server)

    def _pausing(self, grant: UpstreamGrant) -> bool:
        return self._paused.get(_version(grant), 0) > self._now()

    async def _refreshed(self, grant: UpstreamGrant, tokens: Tokens, server: Server) -> UpstreamGrant:
        if self._pausing(grant):
            raise UpstreamFailure(UpstreamError.RENEWING, "failed a moment ago", retry_after=PAUSE / SECOND)
        # Shielded: one caller that leaves must not end what the others wait for, or lose what it brings.
        return await asyncio.shield(self._start(grant, tokens, server))

    def _start(self, grant: UpstreamGrant, tokens: Tokens, server: Server) -> "asyncio.Task[UpstreamGrant]":
        version = _version(grant)
        running = self._running.get(version)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._refresh(grant, tokens, server))
            self._running[version] = running
            running.add_done_callback(lambda done: self._done(version, done))
        return running

    def _done(self, version: tuple[Place, str, int], task: "asyncio.Task[UpstreamGrant]") -> None:
        self._running.pop(version, None)
        if not task.cancelled() and task.exception() is not None:
            now = self._now()
            self._paused = {each: until for each, until in self._paused.items() if until > now}
            self._paused[version] = Instant(now + PAUSE)

    async def _refresh(self, grant: UpstreamGrant, tokens: Tokens, server: Server) -> UpstreamGrant:
        claim, now = base64url(self._entropy(_CLAIM_BYTES)), self._now()
        take = partial(upstream_grants.claim_refresh, grant=grant, claim=claim, now=now, until=Instant(now + CLAIM))
        if not await self._database.write(take):
            return await self._by_somebody_else(grant)
        try:
            client = await self._secrets.client(tokens.terms, server)
            granted = await self._exchange.refresh(tokens, client, asker=grant.user_id)
        except Rejected as rejected:
            return await self._rejected(grant, str(rejected))
        except Elsewhere as away:
            await self._database.write(partial(upstream_grants.release_refresh, grant=grant, claim=claim))
            _log.warning("linked account not refreshed", server=server.slug, reason=away.reason)
            raise _later(away) from away
        return await self._kept(grant, tokens, granted, client)

    async def _kept(
        self, grant: UpstreamGrant, before: Tokens, granted: Granted, client: OwnClient
    ) -> UpstreamGrant:  # fmt: skip
        now = self._now()
        tokens = tokens_of(granted, before.terms, now, before=before)
        sealed = self._safe.seal_tokens(tokens, _place(grant))
        scopes = grant.scopes if granted.scopes is None else granted.scopes
        keep = partial(upstream_grants.refreshed, grant=grant, sealed=sealed, scopes=scopes, now=now)
        if not await self._saved(keep) and await self._read(grant) is None:
            # Unlinked while it was refreshed: the other side was told of the old tokens at most.
            await self._exchange.revoke(tokens, client, asker=grant.user_id)
        return await self._now_there(grant)

    async def _saved(self, keep: Callable[[Transaction], bool]) -> bool:
        for pause in SAVES:
            try:
                return await self._database.write(keep)
            except StorageUnavailable:
                # The old refresh token may be used up: what is in our hands now is all there is.
                await asyncio.sleep(pause)
        return await self._database.write(keep)

    async def _rejected(self, grant: UpstreamGrant, reason: str) -> UpstreamGrant:
        """Return a newer version, if somebody has made one; else note that there will be none. Raises ``NotLinked``."""
        now = self._now()
        await self._database.write(lambda tx: _note_rejection(tx, grant, now))
        found = await self._now_there(grant)
        if found.version == grant.version:
            raise NotLinked(reason)
        return found

    async def _by_somebody_else(self, grant: UpstreamGrant) -> UpstreamGrant:
        waited, looks = 0.0, 0
        while waited < WAIT:
            there = await self._database.read(lambda reader: upstream_grants.grant_and_claim(reader, grant))
            if there is None or there[0].id != grant.id:
                raise NotLinked("unlinked meanwhile")
            found, until = there
            if found.version != grant.version:
                return found
            if found.rejected_at is not None:
                raise NotLinked("the other side rejected it")
            if until is None or until <= self._now():
                break
            pause = LOOK[min(looks, len(LOOK) - 1)]
            await asyncio.sleep(pause)
            waited, looks = waited + pause, looks + 1
        raise UpstreamFailure(UpstreamError.RENEWING, "somebody else refreshes it", retry_after=1.0)

    async def _now_there(self, grant: UpstreamGrant) -> UpstreamGrant:
        found = await self._read(grant)
        if found is None or found.id != grant.id:
            raise NotLinked("unlinked meanwhile")
        return found

    async def _read(self, grant: UpstreamGrant) -> UpstreamGrant | None:
        return await self._database.read(lambda reader: upstream_grants.grant_of(reader, *_place(grant)))


def _note_rejection(tx: Transaction, grant: UpstreamGrant, now: Instant) -> None:
    if upstream_grants.reject(tx, grant, now):
        audit.record(
            tx, name="upstream_account:rejected", at=now, tenant_id=grant.tenant_id, actor_id=grant.user_id,
            subject=grant.server_id, detail={"issuer": grant.issuer}, cause=None,
        )  # fmt: skip


def _later(away: Elsewhere) -> UpstreamFailure:
    if away.fault is faults.LINK_CLIENT_REFUSED:
        return UpstreamFailure(UpstreamError.CLIENT_REFUSED, away.reason)
    if away.fault is faults.UPSTREAM_CREDENTIAL:
        return UpstreamFailure(UpstreamError.CREDENTIAL, away.reason)
    return UpstreamFailure(UpstreamError.RENEWING, away.reason, retry_after=PAUSE / SECOND)


def _place(grant: UpstreamGrant) -> Place:
    return grant.tenant_id, grant.user_id, grant.server_id


def _version(grant: UpstreamGrant) -> tuple[Place, str, int]:
    return _place(grant), grant.id, grant.version
