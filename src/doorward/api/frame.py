"""The one way of a request through the management API, whatever its route.

Who asks is looked at before the body is read, so that nobody without a credential makes us read and parse 4 MiB; and
again in the transaction that answers, so that a key or a right that was taken away meanwhile changes and learns nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.api import once, shapes
from doorward.api.call import Call, Caller, Mark, Page, Parts
from doorward.api.callers import Callers, Shown
from doorward.api.marks import Marks, place
from doorward.api.once import Answered, Once, Ticket
from doorward.api.problems import Problem, not_as_described, not_ready
from doorward.api.requests import decode, read_body, require_json
from doorward.api.route import USUAL, ApiRoute
from doorward.model import Cause, Instant
from doorward.storage import accounts
from doorward.storage.database import Reader, StorageUnavailable, Unstorable
from doorward.web import causes

NO_STORE: Final = {"Cache-Control": "no-store"}
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request that has been read: its route, its caller as they were when it came, and what it says."""

    route: ApiRoute
    shown: Shown
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    after: Mark | None
    place: bytes
    ticket: Ticket | None
    cause: Cause
    prepared: Any = None


class Frame:
    """Serves ``ApiRoute`` records."""

    def __init__(self, parts: Parts, callers: Callers) -> None:
        self._parts, self._callers = parts, callers
        self._marks = Marks(parts.sealer, parts.entropy)
        self._once = Once(sealer=parts.sealer, entropy=parts.entropy, fingerprinter=parts.fingerprinter)

    def routes(self, records: Iterable[ApiRoute]) -> list[Route]:
        """Return one route for each path, with all its methods."""
        paths: dict[str, dict[str, ApiRoute]] = {}
        for record in records:
            paths.setdefault(record.path, {})[record.method] = record
        return [
            Route(path, answering(partial(self._answer, methods)), methods=list(methods))
            for path, methods in paths.items()
        ]

    async def _answer(self, methods: Mapping[str, ApiRoute], request: Request) -> Response:
        route = methods["GET" if request.method == "HEAD" else request.method]
        try:
            return await self._done(route, request)
        except tuple(route.refusals) as refused:
            tell = next(tell for kind, tell in route.refusals.items() if isinstance(refused, kind))
            raise tell(refused) from refused

    async def _done(self, route: ApiRoute, request: Request) -> Response:
        asked = await self._read(route, request)
        with self._once.working(asked.ticket):
            if not route.changes:
                status, body = await self._parts.database.read_long(partial(self._look, asked))
                return _json(status, body)
            replayed, (status, body) = await self._parts.database.write(partial(self._change, asked))
        return _json(status, body, once.REPLAYED if replayed else {})

    async def _read(self, route: ApiRoute, request: Request) -> _Asked:
        shown, now, path = self._callers.shown(request, changes=route.changes), self._parts.now(), request.path_params
        caller = await self._parts.database.read(
            lambda reader: self._callers.admit(reader, shown, route, path.get("slug"), now)
        )
        query, faults = shapes.read_query(route.asks, request.query_params.multi_items())
        if faults:
            raise not_as_described("The query is not what this address takes.", faults)
        bound = place(caller, f"{route.method} {request.url.path}", query)
        after = self._marks.open(query["after"], bound) if route.pages and "after" in query else None
        raw, body = await _body(route, request)
        ticket = self._ticket(route, request, caller, raw)
        prepared = None if route.prepare is None else await route.prepare(self._parts, path, body)
        return _Asked(
            route=route, shown=shown, path=path, query=query, body=body, after=after, place=bound, ticket=ticket,
            cause=causes.of(request), prepared=prepared,
        )  # fmt: skip

    def _ticket(self, route: ApiRoute, request: Request, caller: Caller, raw: bytes) -> Ticket | None:
        key = once.key_of(request.headers.getlist(once.HEADER)) if route.takes_key else None
        if key is None:
            return None
        return self._once.ticket(caller, route, key, (request.url.path, request.url.query, raw))

    def _change(self, asked: _Asked, tx: Any) -> tuple[bool, Answered]:
        call = self._call(asked, tx)
        kept = None if asked.ticket is None else self._once.before(tx, asked.ticket, call.now)
        if kept is not None:
            return True, kept
        status, body = self._used(asked, call)
        if asked.ticket is not None:
            self._once.keep(tx, asked.ticket, asked.route, body)
        return False, (status, body)

    def _look(self, asked: _Asked, reader: Reader) -> Answered:
        return self._used(asked, self._call(asked, reader))

    def _used(self, asked: _Asked, call: Call) -> Answered:
        found = asked.route.use(call)
        if isinstance(found, Page):
            mark = None if found.mark is None else self._marks.seal(found.mark, asked.place)
            found = {str(asked.route.pages): list(found.items), "next": mark}
        return asked.route.status.value, found

    def _call(self, asked: _Asked, tx: Any) -> Call:
        now: Instant = self._parts.now()
        slug = asked.path.get("slug")
        caller = self._callers.admit(tx, asked.shown, asked.route, slug, now)
        return Call(
            tx=tx, parts=self._parts, caller=caller, path=asked.path, query=asked.query, body=asked.body, now=now,
            of_tenant=None if slug is None else accounts.tenant_by_slug(tx, slug), after=asked.after,
            most=asked.query.get("limit", USUAL), cause=asked.cause, prepared=asked.prepared,
        )  # fmt: skip


def answering(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers problems, and 503 where nothing can be said."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return problem.response()
        except StorageUnavailable:
            return not_ready().response()
        except Unstorable:
            return not_as_described("The request holds a character that cannot be stored.").response()

    return answer


async def _body(route: ApiRoute, request: Request) -> tuple[bytes, Any]:
    """Return the body as it came, and as it was read. Raises ``Problem``."""
    if route.body is None:
        return b"", None
    require_json(request)
    raw = await read_body(request)
    body = decode(raw)
    faults = shapes.read(route.body, body)
    if faults:
        raise not_as_described("The body is not what this address takes.", faults)
    return raw, body


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(body, HTTPStatus(status), headers={**NO_STORE, **(headers or {})})
