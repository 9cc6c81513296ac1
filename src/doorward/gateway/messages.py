"""A POST: one MCP message, from its bytes to the answer."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from doorward.credentials.authenticate import Unauthenticated
from doorward.gateway import answers
from doorward.gateway.access import AskFirst, Challenge, Forward, Verdict, View, judge
from doorward.gateway.answers import Answer as OwnAnswer
from doorward.gateway.approval_gate import ApprovalGate
from doorward.gateway.call import Call, outgoing, rpc_refusal
from doorward.gateway.call_log import MAX_LOGGED, call_event, ended, note_end
from doorward.gateway.catalogue import Catalogue
from doorward.gateway.door import Door, challenge_header
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.forward import Forwarder
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.identity import Identities
from doorward.gateway.link_first import STATE, Way, link_first
from doorward.gateway.live import EMPTY_TREE, Caller, LiveState
from doorward.gateway.offer import Governed, Offer
from doorward.gateway.opens_urls import capabilities_of, opens_urls
from doorward.gateway.own_tools import described
from doorward.gateway.param_headers import mismatch
from doorward.gateway.rates import Ceilings
from doorward.gateway.seen import SeenByCallers
from doorward.gateway.sessions import Binding
from doorward.gateway.task_messages import goes_as_it_came, going
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import Envelope, Rejected
from doorward.gateway.upstream_oauth.calls import Accounts, by_account
from doorward.gateway.upstream_oauth.grants import NotLinked
from doorward.gateway.upstream_oauth.linking import LIFETIME
from doorward.gateway.verdicts import verdict_on
from doorward.model import CredentialKind, Instant, Server
from doorward.protocol import faults, jsonrpc, mcp
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import INVALID_REQUEST, Decoded
from doorward.protocol.mcp import HEADER_MISMATCH, MODERN_VERSION, Era
from doorward.storage.events import CallEvent

Touch = Callable[[CredentialKind, str, Instant, str | None, str | None], None]
"""``touch(kind, id, when, address, client)``: a credential was used. Must not block."""
OK, ACCEPTED, FORBIDDEN, NOT_FOUND, UNSUPPORTED_TYPE = 200, 202, 403, 404, 415
_NO_ENVELOPE: Final = Envelope(version=None)
_MODERN: Final = Envelope(version=MODERN_VERSION)
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
        gate: ApprovalGate,
        binding: Binding,
        tasks: Tasks,
        door: Door,
        live: LiveState,
        now: Callable[[], Instant],
        ceilings: Ceilings,
        body_limit: int,
        record: Callable[[CallEvent], None],
        touch: Touch,
        public_url: str,
        accounts: Accounts | None,
    ) -> None:
        self._identities = identities
        self._catalogue = catalogue
        self._forwarder = forwarder
        self._gate = gate
        self._binding = binding
        self._tasks = tasks
        self._door = door
        self._live = live
        self._now = now
        self._ceilings = ceilings
        self._body_limit = body_limit
        self._record = record
        self._touch = touch
        self._seen = SeenByCallers()
        self._public_url = public_url
        self._accounts = accounts

    async def serve(self, exchange: Exchange, token: str, caller: Caller, endpoint: Endpoint, started: Instant) -> None:
        """Answer the request, or raise ``Refusal``."""
        _check_type(exchange)
        body = exchange.whole
        if body is None or len(body) > self._body_limit:
            body = await exchange.body(self._body_limit)
            arrived = self._now()
            if arrived - started > BODY_WITH_HEAD:
                # A body held back for long must not be judged by the rights of the moment its head came.
                started = arrived
                caller, endpoint = await self._again(token, exchange, endpoint, started)
        came, ask = _read(exchange, body)
        self._note_use(exchange, caller, started)
        call = Call(exchange, token, caller, endpoint.server, ask, came, came[0], _NO_ENVELOPE, started)
        try:
            self._ceilings.rates.spend(caller, ask.id)
            self._prepare(call, endpoint)
            view = self._known_view(caller, endpoint.server, started)
            call.view = view or await self.view(caller, endpoint.server, started)
            if view is None and self._now() - started > BODY_WITH_HEAD:
                # Nor may the time that an upstream takes to say what it offers.
                endpoint = await self._renew(call, endpoint)
            verdict = verdict_on(call.ask, call.caller, call.view)
            if type(verdict) is Forward:
                self._check(call)
                await self._forward(call, verdict)
            else:
                await self._decided(call, endpoint, verdict)
        except NotLinked as missing:
            await self._link_first(call, missing)
        except (UpstreamFailure, Rejected, JsonRpcError) as failure:
            raise ended(call, failure) from failure
        except Refusal as refusal:
            note_end(call, refusal)
            raise
        finally:
            call.leave_place()
            self._record(call_event(call, self._now()))

    def _prepare(self, call: Call, endpoint: Endpoint) -> None:
        call.server = endpoint.server
        if isinstance(call.ask, (mcp.UseTask, mcp.Listen)):
            call.ask = self._tasks.opened(call.ask, call.caller.principal, endpoint.server.id)
        if isinstance(call.ask, mcp.Initialize) or by_account(endpoint.server):
            self._note_client(call)
        call.envelope = self._envelope(call.exchange, call.caller, endpoint.server, call.ask)

    async def _renew(self, call: Call, endpoint: Endpoint) -> Endpoint:
        """Look at credential, rights and rules again, after something else was waited for."""
        now = self._now()
        call.caller, endpoint = await self._again(call.token, call.exchange, endpoint, now)
        self._prepare(call, endpoint)
        call.view = await self.view(call.caller, endpoint.server, now)
        return endpoint

    def _known_view(self, caller: Caller, server: Server, now: Instant) -> View | None:
        """Return what ``view`` does, or None where that takes more than to look."""
        if server.auth is not None and by_account(server):
            return None
        principal = caller.principal
        tree = self._live.known_tree(caller, server)
        governed = self._catalogue.known(server, principal.tenant_id, now)
        if tree is None or governed is None:
            return None
        seen = self._seen.of(caller.key, server.id)
        return View(principal, governed, tree, now, self._live.registry.words, seen, self._public_url)

    async def view(self, caller: Caller, server: Server, now: Instant) -> View:
        """Return all that a decision needs.

        Raises ``UpstreamFailure``, ``NotLinked`` among them, ``Rejected``, ``StorageUnavailable``.
        """
        principal = caller.principal
        if by_account(server) and server.id not in principal.servers:
            return self._bare(caller, server, now)  # Nobody is sent to link an account where they may not call.
        account = await self._account(caller, server)
        tree = await self._live.tree(caller, server)
        words = self._live.registry.words
        governed = await self._catalogue.governed(server, principal, words, now, account)
        seen = self._seen.of(caller.key, server.id)
        return View(principal, governed, tree, now, words, seen, self._public_url)

    async def _account(self, caller: Caller, server: Server) -> str:
        """Return the linked account to call ``server`` with; '' where it knows people otherwise. Raises ``NotLinked``."""
        if not by_account(server):
            return ""
        if self._accounts is None:
            raise NotLinked("no accounts are kept here")
        return await self._accounts.linked(caller.principal, server)

    def _bare(self, caller: Caller, server: Server, now: Instant) -> View:
        """Return a view of a server of which nothing is known."""
        governed, words = Governed(server, Offer()), self._live.registry.words
        return View(caller.principal, governed, EMPTY_TREE, now, words, public_url=self._public_url)

    async def look(self, call: Call) -> tuple[Caller, View]:
        """Return what a waiting call is decided by now; its upstream, which may be busy with it, is not asked."""
        caller = await self._live.still(call.caller, call.token, call.started)
        self._door.check_address(caller, call.exchange)
        endpoint = self._live.registry.find(call.exchange.path)
        if endpoint is None:
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SERVER_UNKNOWN, reason="the server is gone")
        account = await self._account(caller, endpoint.server)
        if caller is call.caller:
            return caller, call.view
        before, tree = call.view, await self._live.tree(caller, endpoint.server)
        governed = Governed(endpoint.server, before.governed.offer, account)
        return caller, before._replace(
            principal=caller.principal, governed=governed, tree=tree, words=self._live.registry.words
        )

    async def _again(
        self, token: str, exchange: Exchange, endpoint: Endpoint, now: Instant
    ) -> tuple[Caller, Endpoint]:  # fmt: skip
        try:
            return await self._door.caller(token, exchange, now)
        except Unauthenticated as why:
            raise self._door.refused(endpoint, why) from why

    def _envelope(self, exchange: Exchange, caller: Caller, server: Server, ask: mcp.Ask) -> Envelope:
        presented = exchange.head.session
        if ask.era is Era.MODERN:
            params = exchange.head.params
            return Envelope(version=ask.version, params=params) if params else _MODERN
        if presented is None or isinstance(ask, mcp.Initialize):
            return Envelope(version=ask.version)
        session_id = self._binding.unwrap_session(caller.principal, server.id, presented)
        if session_id is None:
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="session", request_id=ask.id)
        return Envelope(version=ask.version, session_id=session_id or None)

    def _note_client(self, call: Call) -> None:
        """Know whether the client opens addresses, and take out what we gave it to bring back."""
        params, principal = _params_of(call), call.caller.principal
        session = call.exchange.head.session or ""
        told = self._binding.opens_urls(principal, call.server.id, session)
        call.opens_urls = told or opens_urls(capabilities_of(call.ask, params))
        presented = params.get("requestState")
        request = (STATE, call.name or "")
        ours = isinstance(presented, str) and self._binding.unwrap_state(
            principal, call.server.id, request, presented, self._now()
        )
        if ours == STATE:
            kept = {name: value for name, value in params.items() if name not in {"requestState", "inputResponses"}}
            call.message, call.asked_to_link = {**call.message, "params": kept}, True

    async def _link_first(self, call: Call, missing: NotLinked) -> None:
        """Answer somebody who has to link an account before anything can be passed on."""
        principal, server = call.caller.principal, call.server
        until = Instant(self._now() + LIFETIME)
        way = Way(
            url=f"{self._public_url}/upstreams/{server.slug}/connect?tenant={principal.tenant_slug}",
            opens_urls=call.opens_urls,
            asked_before=call.asked_to_link,
            state=self._binding.wrap_state(principal, server.id, (STATE, call.name or ""), STATE, until),
            id=call.exchange.request_id,
        )
        answer = link_first(call.ask, self._bare(call.caller, server, call.started), way)
        call.decision, call.reason = answer.decision, f"{answer.reason} ({missing.reason})"
        own = self._binding.wrap_session(principal, server.id, "", opens_urls=call.opens_urls)
        session = [(b"mcp-session-id", own.encode())] if isinstance(call.ask, mcp.Initialize) else []
        await call.exchange.answer_message(answer.status, answer.message, *session)

    async def _decided(self, call: Call, endpoint: Endpoint, verdict: Verdict) -> None:
        if isinstance(verdict, OwnAnswer) and verdict.hidden:
            verdict, endpoint = await self._looked_again(call, endpoint, verdict)
        match verdict:
            case Forward():
                self._check(call)
                await self._forward(call, verdict)
            case AskFirst():
                await self._ask_first(call, endpoint, verdict)
            case _:
                if isinstance(verdict, OwnAnswer) and verdict.called:
                    self._check(call)
                await self._answer(call, endpoint, verdict)

    async def _answer(self, call: Call, endpoint: Endpoint, verdict: OwnAnswer | Challenge) -> None:
        match verdict:
            case OwnAnswer():
                call.decision, call.reason = verdict.decision, verdict.reason
                await call.exchange.answer_message(verdict.status, verdict.message)
            case Challenge(scopes=scopes, reason=reason):
                call.decision, call.reason = "reachable", reason
                challenge = self._door.challenge(endpoint, error="insufficient_scope", scopes=scopes)
                message = answers.error(call.ask.id, answers.INSUFFICIENT_SCOPE, faults.SCOPE_INSUFFICIENT)
                await call.exchange.answer_message(FORBIDDEN, message, challenge_header(challenge))

    async def _ask_first(self, call: Call, endpoint: Endpoint, before: AskFirst) -> None:
        """Have the call approved, then send it on. All that could refuse it comes before its approval is spent."""
        self._check(call)
        going(call, self._tasks, outgoing(call, self._binding))
        call.take_place(self._ceilings.calls)
        verdict: Forward | OwnAnswer | Challenge | None = await self._gate.claim(call, before, self._now())
        if verdict is None:
            # Rights that went while that was written must not outlive it.
            endpoint = await self._renew(call, endpoint)
            verdict = self._gate.still(call, before, judge(call.ask, call.view))
        if isinstance(verdict, Forward):
            await self._send(call, verdict)
        else:
            await self._answer(call, endpoint, verdict)

    def _check(self, call: Call) -> None:
        self._check_params(call)
        if isinstance(call.ask, mcp.CallTool):
            self._ceilings.rates.spend_on_tool(call.caller, call.server.id, call.ask.name, call.ask.id)

    def _forward(self, call: Call, verdict: Forward) -> Coroutine[Any, Any, None]:
        """Take a place, which is given back at the end of ``serve``, and send the message once this is awaited."""
        call.take_place(self._ceilings.streams if isinstance(call.ask, mcp.Listen) else self._ceilings.calls)
        return self._send(call, verdict)

    def _send(self, call: Call, verdict: Forward) -> Coroutine[Any, Any, None]:
        call.reason, call.uris, call.tasks, call.within = verdict.rule, verdict.uris, verdict.tasks, verdict.within
        if not goes_as_it_came(call.message):
            call.message = going(call, self._tasks, outgoing(call, self._binding))
        identity = self._identities.of(call.caller, call.server, verdict.within, call.view.tree, call.view.now)
        return self._forwarder.forward(call, identity, repeatable=verdict.repeatable)

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
        tool = described(call.view.governed, call.ask.name)
        if not tool.param_headers:
            return
        wrong = mismatch(tool.param_headers, call.ask.arguments, call.envelope.params)
        if wrong is not None:
            raise JsonRpcError(faults.HEADER_MISMATCH, HEADER_MISMATCH, reason=wrong, request_id=call.ask.id)

    def _note_use(self, exchange: Exchange, caller: Caller, now: Instant) -> None:
        principal = caller.principal
        address = exchange.came_from = self._door.came_from(exchange)
        if principal.credential is not CredentialKind.API_KEY:
            # Only of keys is it told where they are used: a connection is one client on one device.
            self._touch(principal.credential, principal.credential_id, now, None, None)
            return
        agent = exchange.head.agent
        self._touch(principal.credential, principal.credential_id, now, address, agent and agent[:MAX_LOGGED])


def _check_type(exchange: Exchange) -> None:
    """Refuse what does not say that it is plain JSON. Raises ``Refusal`` 415."""
    head = exchange.head
    if not head.plain_json:
        reason = f"content type {head.media_type[:60]!r}"
        raise Refusal(UNSUPPORTED_TYPE, INVALID_REQUEST, faults.CONTENT_TYPE, reason=reason)


def _read(exchange: Exchange, body: bytes) -> tuple[Decoded, mcp.Ask]:
    """Return the message in a body, and what it asks for. Raises ``Refusal``."""
    head = exchange.head
    try:
        came = jsonrpc.decode(body)
        ask = mcp.read(
            came[0],
            protocol_version=head.protocol_version,
            mcp_method=head.mcp_method,
            mcp_name=head.mcp_name,
        )
    except JsonRpcError as error:
        raise rpc_refusal(error) from error
    return came, ask


def _params_of(call: Call) -> Mapping[str, Any]:
    params = call.message.get("params")
    return params if isinstance(params, dict) else {}
