"""Bring an upstream's answer to the client: checked, narrowed, and with no header of the upstream's own.

An answer must carry the id that was asked with; anything that is no MCP answer becomes a 502 (K19, K20). Event streams
are in ``relay_streams.py``.
"""

from collections.abc import Awaitable
from typing import Any

from doorward.gateway.call import BAD_GATEWAY, Call, incoming, upstream_refusal
from doorward.gateway.catalogue import Catalogue
from doorward.gateway.exchange import PLAIN
from doorward.gateway.head import Header
from doorward.gateway.http_connection import Answer
from doorward.gateway.lenient_json import decoded, written
from doorward.gateway.lists import ListCache, response
from doorward.gateway.narrow import narrow, news
from doorward.gateway.seen import Shown, linked, shown_in_list
from doorward.gateway.sessions import Binding
from doorward.gateway.task_messages import comes_as_it_is, coming
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import Rejected
from doorward.protocol import mcp

OK, ACCEPTED, BAD_REQUEST, SERVER_ERROR = 200, 202, 400, 500


class WholeRelay:
    """Answers that come in one piece, and single responses out of streams."""

    def __init__(self, binding: Binding, catalogue: Catalogue, tasks: Tasks) -> None:
        self._binding = binding
        self._tasks = tasks
        self._catalogue = catalogue
        self._lists = ListCache()

    def relay(self, call: Call, answer: Answer, headers: list[Header]) -> Awaitable[None]:
        """Answer the client, once what this returns is awaited. Raises ``Refusal``, with nothing sent."""
        status = BAD_GATEWAY if answer.status >= SERVER_ERROR else answer.status
        body = self.response(call, answer.body) if status < BAD_REQUEST else _error(call, answer)
        return call.exchange.answer(status, body, (*PLAIN, *headers) if headers else PLAIN)

    async def acknowledge(self, call: Call, answer: Answer) -> None:
        """Answer a notification, or a response of the client's."""
        answer.close()
        if answer.status >= BAD_REQUEST:
            reason = f"upstream refused a notification with {answer.status}"
            raise upstream_refusal(Rejected(answer.status, reason), call.ask.id)
        await call.exchange.answer(ACCEPTED, b"", ())

    def session(self, call: Call, answer: Answer) -> list[Header]:
        """Return the header that gives a client its new session, wrapped for it alone (K21)."""
        session_id = answer.headers.get(b"mcp-session-id") if isinstance(call.ask, mcp.Initialize) else None
        if session_id is None:
            return []
        wrapped = self._binding.wrap_session(
            call.view.principal, call.server.id, session_id.decode("latin-1"), opens_urls=call.opens_urls
        )
        return [(b"mcp-session-id", wrapped.encode())]

    def cached(self, call: Call, body: bytes) -> bytes | None:
        """Return the client's bytes for a list that was narrowed before for the same eyes."""
        return self._lists.get(call, body) if _is_offer(call.ask) else None

    def response(self, call: Call, body: bytes, message: dict[str, Any] | None = None) -> bytes:
        """Return the client's bytes for one response; ``message`` is ``body`` decoded, where that was done already.

        Raises ``Refusal`` for anything but the one response that was asked for.
        """
        a_call = type(call.ask) is mcp.CallTool
        if message is None and not a_call and (cached := self.cached(call, body)) is not None:
            return cached
        message = message or decoded(body)
        if (
            message is None
            or message.get("id") != call.message.get("id")
            or ("result" in message) == ("error" in message)
        ):
            raise upstream_refusal(Rejected(OK, "upstream answered something else than was asked"), call.ask.id)
        result = message.get("result")
        if not isinstance(result, dict):
            return body if call.held is None else written({**message, "id": call.ask.id})
        seen = result if comes_as_it_is(call, result) else self._seen(call, result)
        if b"resource_link" in body or b"\\u" in body:
            self._note_links(call, result)
        if seen is result and call.held is None:
            return body
        encoded = written(seen)
        if _is_offer(call.ask):
            shown = self._learn(call, result)
            if "nextCursor" not in seen:  # A cursor is one caller's; the rest is the same for all who see the same.
                self._lists.put(call, body, encoded, shown)
        return response(call.ask.id, encoded)

    def _learn(self, call: Call, result: dict[str, Any]) -> Shown | None:
        """Take over what a list shows that was not known; return what is for this caller alone."""
        shown = shown_in_list(call.ask, result, call.view.governed.offer)
        if shown is not None:
            call.view.seen.note(*shown)
        if tools := news(call.ask, result, call.view):
            self._catalogue.learn(call.view.governed, call.view.principal, tools)
        return shown

    def _note_links(self, call: Call, result: dict[str, Any]) -> None:
        # Of a finished task of 2026-07-28 the call's own result is within.
        inner = result.get("result") if isinstance(call.ask, mcp.UseTask) else None
        whole = inner if isinstance(inner, dict) else result
        if links := linked(call.ask, whole, call.server, call.view.principal):
            call.view.seen.note("resources", links)

    def _seen(self, call: Call, result: dict[str, Any]) -> dict[str, Any]:
        try:
            narrowed = coming(call, self._tasks, narrow(call.ask, result, call.view))
            return incoming(call, self._binding, narrowed)
        except Rejected as rejected:
            raise upstream_refusal(rejected, call.ask.id) from rejected


def _is_offer(ask: mcp.Ask) -> bool:
    """Say whether it lists what the server offers, which is the same for all who may see the same."""
    return isinstance(ask, mcp.Listing) and not isinstance(ask, mcp.ListTasks)


def refuse_foreign(call: Call, answer: Answer) -> None:
    """Refuse what is no MCP answer: a refusal of our identity, a redirect, a page, a compressed body.

    Raises ``Refusal`` 502. 401 must not become a challenge, which would tell the client to sign in elsewhere.
    """
    if answer.ordinary:
        return
    kind = answer.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    problem = None
    if answer.status in {401, 403} or 300 <= answer.status < BAD_REQUEST:  # noqa: PLR2004
        problem = f"upstream answered {answer.status}"
    elif answer.headers.get(b"content-encoding", b"identity") != b"identity":
        problem = "upstream compressed its answer unasked"  # L13: nothing here inflates.
    elif answer.body and kind != b"application/json":
        problem = f"upstream answered {answer.status} with {kind[:60]!r}"
    if problem is not None:
        answer.close()
        raise upstream_refusal(Rejected(answer.status, problem), call.ask.id)


def _error(call: Call, answer: Answer) -> bytes:
    message = decoded(answer.body)
    error = None if message is None else message.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise upstream_refusal(Rejected(answer.status, f"upstream answered {answer.status}"), call.ask.id)
    # Errors of the transport itself come with another id or none; there is only one request they can be about.
    return written({"jsonrpc": "2.0", "id": call.ask.id, "error": error})
