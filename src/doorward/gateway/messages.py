"""A POST: one MCP message, from its bytes to the answer."""

import re
from collections.abc import Callable
from typing import Any, Final

from doorward.credentials.authenticate import Unauthenticated
from doorward.gateway import answers
from doorward.gateway.access import Challenge, Forward, Verdict, View, judge
from doorward.gateway.answers import Answer as OwnAnswer
from doorward.gateway.call import BAD_GATEWAY, Call, outgoing, rpc_refusal, thing, upstream_refusal
from doorward.gateway.catalogue import Catalogue
from doorward.gateway.door import Door, challenge_header
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.forward import Forwarder
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.identity import Identities
from doorward.gateway.live import Caller, LiveState
from doorward.gateway.offer import Governed
from doorward.gateway.param_headers import PREFIX, mismatch
from doorward.gateway.rates import Ceilings
from doorward.gateway.sessions import Binding, Identity
from doorward.gateway.upstream import Envelope, Rejected
from doorward.model import ApiKeyId, CredentialKind, Instant, Server
from doorward.protocol import faults, jsonrpc, mcp
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import INVALID_REQUEST
from doorward.protocol.mcp import HEADER_MISMATCH, Era
from doorward.storage.events import CallEvent

Touch = Callable[[ApiKeyId, Instant, str | None, str | None], None]
"""``touch(key, when, address, client)``: an API key was used. Must not block."""
OK, ACCEPTED, FORBIDDEN, NOT_FOUND, UNSUPPORTED_TYPE = 200, 202, 403, 404, 415
MAX_LOGGED: Final = 200
_PARAM: Final = re.compile(PREFIX.encode()).match
BODY_WITH_HEAD: Final = 1_000
"""Microseconds within which a body counts as having come with its head."""


class Messages:
    """One per gateway."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        identities: Identities,
        catalogue: Catalogue,
        forwarder: Forwarder,
        binding: Binding,
        door: Door,
        live: LiveState,
        now: Callable[[], Instant],
        ceilings: Ceilings,
        body_limit: int,
        record: Callable[[CallEvent], None],
        touch: Touch,
    ) -> None:
        self._identities = identities
        self._catalogue = catalogue
        self._forwarder = forwarder
        self._binding = binding
        self._door = door
        self._live = live
        self._now = now
        self._ceilings = ceilings
        self._body_limit = body_limit
        self._record = record
        self._touch = touch

    async def serve(self, exchange: Exchange, token: str, caller: Caller, endpoint: Endpoint, started: Instant) -> None:
        """Answer the request, or raise ``Refusal``."""
        message, ask = await self._message(exchange)
        arrived = self._now()
        if arrived - started > BODY_WITH_HEAD:
            # A body held back for long must not be judged by the rights of the moment its head came.
            started = arrived
            caller, endpoint = await self._again(token, exchange.path, endpoint, started)
        self._note_use(exchange, caller, started)
        call = Call(
            exchange=exchange,
            token=token,
            caller=caller,
            server=endpoint.server,
            ask=ask,
            message=message,
            envelope=Envelope(version=ask.version),
            started=started,
        )
        try:
            self._ceilings.rates.spend(caller, ask.id)
            await self._prepare(call, endpoint, started)
            if self._now() - started > BODY_WITH_HEAD:
                # Nor may the time that an upstream takes to say what it offers.
                endpoint = await self._renew(call, endpoint)
            await self._decided(call, endpoint)
        except (UpstreamFailure, Rejected, JsonRpcError) as failure:
            raise _ended(call, failure) from failure
        except Refusal as refusal:
            _note_end(call, refusal)
            raise
        finally:
            self._log(call)

    async def _prepare(self, call: Call, endpoint: Endpoint, now: Instant) -> None:
        call.server = endpoint.server
        call.envelope = self._envelope(call.exchange, call.caller, endpoint.server, call.ask)
        call.view = await self.view(call.caller, endpoint.server, now)

    async def _renew(self, call: Call, endpoint: Endpoint) -> Endpoint:
        """Look at credential, rights and rules again, after something else was waited for."""
        now = self._now()
        call.caller, endpoint = await self._again(call.token, call.exchange.path, endpoint, now)
        await self._prepare(call, endpoint, now)
        return endpoint

    async def view(self, caller: Caller, server: Server, now: Instant) -> View:
        """Return all that a decision needs. Raises ``UpstreamFailure``, ``Rejected``, ``StorageUnavailable``."""
        tree = await self._live.tree(caller, server)
        words = self._live.registry.words
        governed = await self._catalogue.governed(server, caller.principal, words, now)
        return View(principal=caller.principal, governed=governed, tree=tree, now=now, words=words)

    async def look(self, call: Call) -> tuple[Caller, View]:
        """Return what a waiting call is decided by now; its upstream, which may be busy with it, is not asked."""
        caller = await self._live.still(call.caller, call.token, call.started)
        endpoint = self._live.registry.find(call.exchange.path)
        if endpoint is None:
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SERVER_UNKNOWN, reason="the server is gone")
        if caller is call.caller:
            return caller, call.view
        before, tree = call.view, await self._live.tree(caller, endpoint.server)
        governed = Governed(endpoint.server, before.governed.offer)
        return caller, View(caller.principal, governed, tree, before.now, self._live.registry.words)

    async def _message(self, exchange: Exchange) -> tuple[dict[str, Any], mcp.Ask]:
        kind = (exchange.one(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json" or b"content-encoding" in exchange.headers:
            raise Refusal(UNSUPPORTED_TYPE, INVALID_REQUEST, faults.CONTENT_TYPE, reason=f"content type {kind[:60]!r}")
        body = await exchange.body(self._body_limit)
        try:
            message = jsonrpc.decode(body)
            ask = mcp.read(
                message,
                protocol_version=exchange.one(b"mcp-protocol-version"),
                mcp_method=exchange.many(b"mcp-method"),
                mcp_name=exchange.many(b"mcp-name"),
            )
        except JsonRpcError as error:
            raise rpc_refusal(error) from error
        return message, ask

    async def _again(
        self, token: str, path: str, endpoint: Endpoint, now: Instant
    ) -> tuple[Caller, Endpoint]:  # fmt: skip
        try:
            return await self._door.caller(token, path, now)
        except Unauthenticated as why:
            raise self._door.refused(endpoint, why) from why

    def _envelope(self, exchange: Exchange, caller: Caller, server: Server, ask: mcp.Ask) -> Envelope:
        presented = exchange.one(b"mcp-session-id")
        if ask.era is Era.MODERN:
            return Envelope(version=ask.version, params=_params(exchange))
        if presented is None or isinstance(ask, mcp.Initialize):
            return Envelope(version=ask.version)
        session_id = self._binding.unwrap_session(caller.principal, server.id, presented)
        if session_id is None:
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="session", request_id=ask.id)
        return Envelope(version=ask.version, session_id=session_id)

    async def _decided(self, call: Call, endpoint: Endpoint) -> None:
        verdict = judge(call.ask, call.view)
        if isinstance(verdict, OwnAnswer) and verdict.hidden:
            verdict, endpoint = await self._looked_again(call, endpoint, verdict)
        match verdict:
            case OwnAnswer():
                call.decision, call.reason = verdict.decision, verdict.reason
                await call.exchange.answer_message(verdict.status, verdict.message)
            case Challenge(scopes=scopes, reason=reason):
                call.decision, call.reason = "reachable", reason
                challenge = self._door.challenge(endpoint, error="insufficient_scope", scopes=scopes)
                message = answers.error(call.ask.id, answers.INSUFFICIENT_SCOPE, faults.SCOPE_INSUFFICIENT)
                await call.exchange.answer_message(FORBIDDEN, message, challenge_header(challenge))
            case Forward(rule=rule, within=within, repeatable=repeatable, uris=uris):
                call.reason, call.uris = rule, uris
                self._check_params(call)
                if isinstance(call.ask, mcp.CallTool):
                    self._ceilings.rates.spend_on_tool(call.caller, call.server.id, call.ask.name, call.ask.id)
                call.message = outgoing(call, self._binding)
                identity = self._identities.of(call.caller, call.server, within, call.view.tree, call.view.now)
                await self._forward(call, identity, repeatable=repeatable)

    async def _forward(self, call: Call, identity: Identity, *, repeatable: bool) -> None:
        places = self._ceilings.streams if isinstance(call.ask, mcp.Listen) else self._ceilings.calls
        principal = call.caller.principal  # The call's own is looked up again while it waits.
        places.take(principal, call.ask.id)
        try:
            await self._forwarder.forward(call, identity, repeatable=repeatable)
        finally:
            places.give_back(principal)

    async def _looked_again(self, call: Call, endpoint: Endpoint, verdict: OwnAnswer) -> tuple[Verdict, Endpoint]:
        """Ask the upstream once more what it offers, before a name is said not to exist."""
        view = call.view
        governed = await self._catalogue.again(view.governed, view.principal, view.words, view.now)
        if governed is view.governed:
            return verdict, endpoint
        endpoint = await self._renew(call, endpoint)
        return judge(call.ask, call.view), endpoint

    def _check_params(self, call: Call) -> None:
        """Refuse an ``Mcp-Param-*`` header that says something else than its argument. Raises ``JsonRpcError``."""
        if not isinstance(call.ask, mcp.CallTool) or call.ask.era is not Era.MODERN:
            return
        tool = call.view.governed.offer.tools[call.ask.name]
        wrong = mismatch(tool.param_headers, call.ask.arguments, call.envelope.params)
        if wrong is not None:
            raise JsonRpcError(faults.HEADER_MISMATCH, HEADER_MISMATCH, reason=wrong, request_id=call.ask.id)

    def _note_use(self, exchange: Exchange, caller: Caller, now: Instant) -> None:
        principal = caller.principal
        if principal.credential is CredentialKind.API_KEY:
            agent = exchange.one(b"user-agent")
            self._touch(ApiKeyId(principal.credential_id), now, exchange.client, agent and agent[:MAX_LOGGED])

    def _log(self, call: Call) -> None:
        principal = call.caller.principal
        name = thing(call.ask)
        self._record(
            CallEvent(
                at=call.started,
                tenant_id=principal.tenant_id,
                user_id=principal.user_id,
                credential=principal.credential.value,
                credential_id=principal.credential_id,
                client_id=principal.client_id,
                server_id=call.server.id,
                method=printable(str(call.message.get("method", ""))),
                name=name and printable(name),
                decision=call.decision,
                reason=printable(call.reason),
                status=call.exchange.status,
                duration_us=self._now() - call.started,
                request_id=call.exchange.request_id,
            )
        )


def _ended(call: Call, failure: UpstreamFailure | Rejected | JsonRpcError) -> Refusal:
    refusal = rpc_refusal(failure) if isinstance(failure, JsonRpcError) else upstream_refusal(failure, call.ask.id)
    _note_end(call, refusal)
    return refusal


def _note_end(call: Call, refusal: Refusal) -> None:
    call.decision = "refused" if refusal.status < BAD_GATEWAY else "failed"
    call.reason = f"{refusal.fault.code}: {refusal.reason}"
    call.exchange.status = refusal.status


def printable(text: str) -> str:
    """Return ``text`` as it may stand in a log: short, and nothing that could forge a line or be unstorable."""
    short = text[:MAX_LOGGED]
    return short if short.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in short)


def _params(exchange: Exchange) -> list[tuple[str, str]]:
    """Return all ``Mcp-Param-*`` headers, repeated ones too."""
    if not any(map(_PARAM, exchange.headers)):
        return []
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in exchange.raw_headers if _PARAM(name)]
