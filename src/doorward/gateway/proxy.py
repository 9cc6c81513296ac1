"""The gateway's ASGI app: authenticate, decide, forward, narrow, stream.

Raw ASGI, no framework and no middleware: this is the hot path. The order is fixed: web page, endpoint, credential, body,
message, decision; nothing is forwarded before the last, and what is forwarded is the re-encoding of what was decided.
"""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from doorward.credentials.authenticate import Unauthenticated
from doorward.gateway import answers
from doorward.gateway.access import View
from doorward.gateway.approval_gate import ApprovalGate
from doorward.gateway.approvals.asking import Terms
from doorward.gateway.arrivals import Arrivals
from doorward.gateway.asgi_exchange import AsgiExchange
from doorward.gateway.call import upstream_refusal
from doorward.gateway.call_log import printable
from doorward.gateway.catalogue import Catalogue
from doorward.gateway.direct_exchange import DirectExchange, Wire
from doorward.gateway.door import Door
from doorward.gateway.exchange import AsgiApp, Departed, Exchange, Receive, Refusal, Scope, Send
from doorward.gateway.external_bearers import ExternalBearers, ExternalUnavailable
from doorward.gateway.forward import Forwarder
from doorward.gateway.head import Head, KnownHeads
from doorward.gateway.held import HeldSessions
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.http_pool import HttpPool
from doorward.gateway.identity import Identities, IdentityIssuer, InTenant
from doorward.gateway.live import Authenticate, Caller, LiveState
from doorward.gateway.messages import Messages, Touch
from doorward.gateway.offer import Tool
from doorward.gateway.origins import Origins, preflight
from doorward.gateway.outside import Outside
from doorward.gateway.rates import Ceilings
from doorward.gateway.relay import WholeRelay
from doorward.gateway.relay_streams import StreamRelay
from doorward.gateway.session_requests import SessionRequests
from doorward.gateway.sessions import Binding
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.streams import Streams
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import Rejected
from doorward.gateway.upstream_auth import OpenSecret, UpstreamAuth
from doorward.gateway.upstream_oauth.calls import Accounts
from doorward.gateway.upstream_oauth.grants import NotLinked
from doorward.gateway.upstreams import Upstreams
from doorward.gateway.waiting import Waiting
from doorward.gateway.watch import SECONDS as WATCH_SECONDS
from doorward.gateway.watch import Watch
from doorward.model import Entropy, Instant, Server, Sighting
from doorward.protocol import faults
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.jsonrpc import INTERNAL_ERROR
from doorward.protocol.mcp import MODERN_VERSION
from doorward.provisioning.sightings import sight
from doorward.provisioning.tools import SeenTool, remember
from doorward.storage.database import Database, StorageUnavailable
from doorward.storage.events import CallEvent
from doorward.web import request_id
from doorward.web.requester import Requester

BrowserPage = Callable[[Endpoint, str], AsgiApp]
"""``browser_page(endpoint, challenge)`` returns the app that answers a person's browser: HTML, status 401, the challenge
as its WWW-Authenticate."""
LOOK_AGAIN: Final = 0.9
"""Seconds between looks at open streams and at the registry: together with a look's own time, under one second."""
SWEEP_EVERY: Final = 60
"""Looks between sweeps of idle sessions."""
_UNAUTHORIZED, _METHOD_NOT_ALLOWED, _INTERNAL_SERVER_ERROR, _UNAVAILABLE = 401, 405, 500, 503
_ALLOW: Final = (b"allow", b"GET, POST, DELETE")

_log = structlog.get_logger("doorward.gateway")


class Gateway:
    """See ``owns`` for what to send here; ``start`` before the first request, ``stop`` after the last.

    ``knocked(exchange, code)`` is told of who is sent away without a good credential; it must not block.
    ``session_key`` is secret and the same on every node. ``body_limit`` and ``upstream_body_limit`` are bytes,
    ``upstream_timeout`` is seconds until an upstream's first byte, ``watch_every`` seconds between looks at each server.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        database: Database,
        authenticate: Authenticate,
        issuer: IdentityIssuer,
        public_url: str,
        now: Callable[[], Instant],
        entropy: Entropy,
        session_key: bytes,
        allowed_origins: Iterable[str],
        body_limit: int,
        record: Callable[[CallEvent], None],
        touch: Touch,
        knocked: Callable[[Exchange, str | None], None] = lambda _exchange, _code: None,
        requester: Requester | None = None,
        browser_page: BrowserPage,
        ceilings: Ceilings,
        open_secret: OpenSecret,
        approvals: Terms,
        external: ExternalBearers | None = None,
        accounts: Accounts | None = None,
        outside: Outside | None = None,
        upstream_timeout: float = 60.0,
        upstream_body_limit: int = 32 * 1024 * 1024,
        watch_every: float = WATCH_SECONDS,
    ) -> None:
        self.heads = KnownHeads()
        """Of short messages, for the connections that they come on."""
        self._now = now
        self._entropy = entropy
        self._request_ids = request_id.RequestIds(entropy)
        self._knocked = knocked
        self._browser_page = browser_page
        self._pool = HttpPool(first_byte_timeout=upstream_timeout, body_limit=upstream_body_limit)
        self._judged = HttpPool(
            first_byte_timeout=upstream_timeout, body_limit=upstream_body_limit, outside=outside or Outside()
        )
        self._database = database
        self._live = LiveState(
            database=database, authenticate=authenticate, public_url=public_url, now=now, external=external
        )
        self._arrivals = Arrivals(self._live.look, self._answer)
        self._origins = Origins(public_url, allowed_origins)
        self._door = Door(
            live=self._live, public_url=public_url, origins=self._origins, requester=requester or Requester()
        )
        auth = UpstreamAuth(lambda: self._live.registry.secrets, open_secret)
        self._stdio = StdioServers(entropy=entropy, timeout=upstream_timeout, auth=auth)
        upstream = Upstreams(self._pool, self._judged, self._stdio, auth, accounts)
        binding = Binding(session_key)
        self.resting = upstream.resting
        """``resting(server)``: it could not be connected to several times in a row."""
        identities = Identities(issuer, now=now, entropy=entropy)
        self._catalogue = Catalogue(upstream, identities, self._remember_tools, self._sight, now)
        self._watch = Watch(database=database, live=self._live, catalogue=self._catalogue)
        self._held = HeldSessions(upstream)
        self._streams, self._waiting = Streams(self._look), Waiting()
        tasks = Tasks(binding)
        whole = WholeRelay(binding, self._catalogue, tasks)
        relay = StreamRelay(whole=whole, binding=binding, streams=self._streams, tasks=tasks, heard=self._watch.heard)
        self._messages = Messages(
            identities=identities,
            catalogue=self._catalogue,
            forwarder=Forwarder(
                upstream=upstream, held=self._held, whole=whole, streams=relay, waiting=self._waiting, tasks=tasks
            ),
            gate=ApprovalGate(database=database, binding=binding, terms=approvals, public_url=public_url),
            binding=binding,
            tasks=tasks,
            door=self._door,
            live=self._live,
            now=now,
            ceilings=ceilings,
            body_limit=body_limit,
            record=record,
            touch=touch,
            public_url=public_url,
            accounts=accounts,
        )
        self._accounts = accounts
        self._sessions = SessionRequests(
            upstream=upstream, identities=identities, binding=binding, relay=relay, streams=ceilings.streams
        )
        self._rates = ceilings.rates
        self._watch_every = watch_every
        self._tasks: list[asyncio.Task[None]] = []

    def owns(self, path: str) -> bool:
        """Say whether an undecoded URL path is an MCP endpoint's, by its form: tenants need not exist (decision 0077.8)."""
        return self._live.registry.find(path) is not None

    async def owns_by_now(self, path: str) -> bool:
        """Say the same of the servers that there are at this moment: one may have been added by another program."""
        try:
            await self._live.refresh()
        except StorageUnavailable:
            return False
        return self.owns(path)

    async def look_at(self, server: Server, like: InTenant) -> None:
        """Look at what a server offers, for a tenant, and wait until that has been seen. Raises ``StorageUnavailable``."""
        registry = await self._live.refresh()
        known = next((each for each in registry.endpoints.servers if each.id == server.id), None)
        if known is not None:
            await self._catalogue.looked(known, like, registry.words)

    async def start(self) -> None:
        """Read the registry and begin to look after open streams. Raises ``StorageUnavailable``."""
        await self._live.refresh()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._look_after()), loop.create_task(self._watch_servers())]

    async def stop(self) -> None:
        """Close streams, sessions' connections and the pool."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._streams.close()
        await self._catalogue.stop()
        await self._stdio.close()
        await self._pool.close()
        await self._judged.close()
        if self._accounts is not None:
            await self._accounts.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request at an endpoint."""
        await self._answer(AsgiExchange(scope, receive, send, request_id.assign(scope, self._entropy)))

    def direct(
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        head: Head,
        body: bytes,
        client: str | None,
    ) -> DirectExchange:
        """Take a POST that came whole, at a path that ``owns`` says is ours; it is answered in this turn of the loop."""
        exchange = DirectExchange(wire, head, body, client, self._request_ids.new())
        self._arrivals.add(exchange, loop)
        return exchange

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._serve(exchange)
        except Departed:
            return
        except Refusal as refusal:
            await self._refuse(exchange, refusal)
        except StorageUnavailable as gone:
            # K26: what cannot be decided is not allowed.
            unavailable = Refusal(_UNAVAILABLE, INTERNAL_ERROR, faults.STORAGE_UNAVAILABLE, reason=str(gone))
            await self._refuse(exchange, unavailable)
        except ExternalUnavailable as silent:
            # Not a 401: the bearer may be good, and a client would throw it away.
            unavailable = Refusal(_UNAVAILABLE, INTERNAL_ERROR, faults.EXTERNAL_UNAVAILABLE, reason=str(silent))
            await self._refuse(exchange, unavailable)
        except Exception as error:  # noqa: BLE001  (N12: the server below would log its message, which may quote a secret)
            where = f"{type(error).__name__} {_place(error)}"
            await self._refuse(
                exchange, Refusal(_INTERNAL_SERVER_ERROR, INTERNAL_ERROR, faults.UNEXPECTED, reason=where)
            )
        finally:
            exchange.finish()

    async def _serve(self, exchange: Exchange) -> None:
        self._door.check_page(exchange)
        if exchange.method == "OPTIONS":
            await self._preflight(exchange)
            return
        endpoint = self._live.registry.find(exchange.path)
        if endpoint is None:
            await self._live.refresh()  # It may have been added a moment ago.
            endpoint = self._door.endpoint(exchange)
        try:
            token = self._door.token(exchange, endpoint)
            started = self._now()
            caller = self._door.known_caller(exchange, endpoint, started)
            if caller is None:
                caller, endpoint = await self._door.caller(token, exchange, started)
        except Unauthenticated as why:
            self._knocked(exchange, faults.CREDENTIAL_INVALID.code)
            raise self._door.refused(endpoint, why) from why
        except Refusal as refusal:
            if await self._shown_a_page(exchange, endpoint, refusal):
                return
            raise
        if exchange.method == "POST":
            await self._messages.serve(exchange, token, caller, endpoint, started)
        else:
            await self._serve_session(exchange, token, caller, endpoint, started)

    async def _shown_a_page(self, exchange: Exchange, endpoint: Endpoint, refusal: Refusal) -> bool:
        """Take note of who comes without a credential; say whether it was a person, and was shown a page instead."""
        if refusal.fault is faults.CREDENTIAL_MISSING:
            self._knocked(exchange, None)
        if isinstance(exchange, AsgiExchange) and refusal.status == _UNAUTHORIZED and _is_browser(exchange):
            page = self._browser_page(endpoint, self._door.challenge(endpoint))
            await page(exchange.scope, exchange.receive, exchange.send)
            return True
        return False

    async def _serve_session(
        self, exchange: Exchange, token: str, caller: Caller, endpoint: Endpoint, started: Instant
    ) -> None:
        modern = exchange.one(b"mcp-protocol-version") == MODERN_VERSION
        if exchange.method not in {"GET", "DELETE"} or modern or b"mcp-session-id" not in exchange.headers:
            # Decision 0077.14: 2026-07-28 has only POST, and the older revisions need a session for the others.
            raise Refusal(_METHOD_NOT_ALLOWED, -32600, faults.HTTP_METHOD, headers=(_ALLOW,))
        self._rates.spend(caller, None)
        view = await self._view(caller, endpoint, started)
        if exchange.method == "GET":
            await self._sessions.open_stream(exchange, token, caller, view)
        else:
            await self._sessions.end(exchange, caller, view)

    async def _look(self, token: str, exchange: Exchange) -> tuple[Caller, View]:
        now = self._now()
        caller, endpoint = await self._door.caller(token, exchange, now)
        return caller, await self._view(caller, endpoint, now)

    async def _view(self, caller: Caller, endpoint: Endpoint, now: Instant) -> View:
        try:
            return await self._messages.view(caller, endpoint.server, now)
        except NotLinked as missing:
            # A stream brings nothing of a server that cannot be asked; a client goes on without one.
            raise Refusal(_METHOD_NOT_ALLOWED, -32600, faults.NOT_LINKED, reason=missing.reason) from missing
        except (UpstreamFailure, Rejected) as failure:
            raise upstream_refusal(failure, None) from failure

    async def _remember_tools(self, server: Server, tools: Mapping[str, Tool], now: Instant) -> None:
        seen = [SeenTool(name, tool.digest, tool.annotations, tool.said) for name, tool in tools.items()]
        await self._database.write(lambda tx: remember(tx, server.slug, seen, now))

    async def _sight(self, server: Server, said: Sighting, now: Instant) -> bool:
        return await self._database.write(lambda tx: sight(tx, server.slug, said, now))

    async def _watch_servers(self) -> None:
        while True:
            await asyncio.sleep(self._watch_every)
            with contextlib.suppress(StorageUnavailable):
                await self._watch.look()

    async def _preflight(self, exchange: Exchange) -> None:
        origin = exchange.one(b"origin")
        allowed = origin is not None and self._origins.allows(origin)
        await exchange.answer(204, b"", preflight(exchange.one(b"access-control-request-headers")) if allowed else ())

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        # The only place that keeps why: a refusal before there is a caller and a message makes no call event.
        (_log.info if refusal.status < _INTERNAL_SERVER_ERROR else _log.error)(
            "refused", code=refusal.fault.code, reason=printable(refusal.reason), request_id=exchange.request_id,
            method=exchange.method, path=printable(exchange.path),
        )  # fmt: skip
        if exchange.started:
            return
        message = refusal.message or answers.error(refusal.request_id, refusal.code, refusal.fault)
        await exchange.answer_message(refusal.status, message, *refusal.headers)

    async def _look_after(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                await asyncio.gather(self._streams.look_again(), self._waiting.look_again(self._messages.look))
                await self._live.refresh()
                await self._stdio.sweep()
            except StorageUnavailable:
                pass  # Open streams are closed by then; the registry is looked at again at every call.
            except Exception as error:  # noqa: BLE001  (whatever it is, no stream may stay open undecided)
                # No message: it may quote a secret.
                _log.error("unexpected", kind=type(error).__name__)
                self._streams.close()
            looks += 1
            if looks % SWEEP_EVERY == 0:
                self._rates.sweep()
                await self._held.sweep(self._now())


def _place(error: Exception) -> str:
    """Return where in the code an error was raised; neither its message nor any value."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno} {last.name}"


def _is_browser(exchange: Exchange) -> bool:
    """Say whether a person is looking: a GET that would like HTML, and no credential."""
    wanted = exchange.one(b"accept") or ""
    return exchange.method == "GET" and "text/html" in wanted and b"authorization" not in exchange.headers
