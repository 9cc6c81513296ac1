"""``POST /api/v1/tenants/{slug}/explain``: why a call is allowed or denied, as if made now (``product.md`` D7).

The body is ``{"user", "server"}`` with one of ``tool``, ``resource`` and ``prompt``, and as one likes ``arguments`` (an
object) and ``key`` or ``connection``; the answer is what ``doorward explain --json`` prints. The key, and its owner,
need ``decisions:explain``.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.api.keys import Authenticate, allowed
from doorward.api.problems import Problem
from doorward.api.requests import bearer, read_json
from doorward.gateway.why import EXPLAIN, Asked, CannotExplain, arguments_of, described, explain_for
from doorward.model import Instant, Principal, RuleKind
from doorward.storage.database import Database, Reader, StorageUnavailable, Transaction
from doorward.web import request_id

PATH: Final = "/api/v1/tenants/{slug}/explain"
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,2000}")
_KINDS: Final = frozenset(kind.value for kind in RuleKind)
_MAY: Final = frozenset({"user", "server", "key", "connection", "arguments"}) | _KINDS


class ExplainApi:
    """The surface. ``authenticate_api_key(reader, text)`` returns the key's live principal or raises ``Unauthenticated``."""

    def __init__(
        self, *, database: Database, authenticate_api_key: Authenticate, now: Callable[[], Instant]
    ) -> None:  # fmt: skip
        self._database = database
        self._authenticate = authenticate_api_key
        self._now = now

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            found = await self._explained(request)
        except Problem as problem:
            return problem.response()
        except StorageUnavailable:
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "The data cannot be reached. Try again.", headers={"Retry-After": "1"}
            ).response()
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    async def _explained(self, request: Request) -> dict[str, Any]:
        token, slug = bearer(request), request.path_params["slug"]
        # The key is looked at before the body, so that nobody without one makes us read and parse 4 MiB.
        await self._database.read(lambda reader: self._allowed(reader, token, slug))
        asked = parse_asked(await read_json(request), slug)
        work = partial(self._work, token=token, asked=asked, request_id=request_id.of(request), now=self._now())
        return await self._database.write(work)

    def _work(self, tx: Transaction, *, token: str, asked: Asked, request_id: str, now: Instant) -> dict[str, Any]:
        # Asked again in the transaction that answers: a key that was revoked meanwhile learns nothing.
        principal = self._allowed(tx, token, asked.tenant)
        try:
            explanation = explain_for(
                tx, asked, actor_id=principal.user_id, by=f"api key {principal.credential_id}", now=now,
                request_id=request_id,
            )  # fmt: skip
        except CannotExplain as wrong:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Nothing can be explained: {wrong}.") from wrong
        return described(explanation, asked.kind)

    def _allowed(self, reader: Reader, token: str, slug: str) -> Principal:
        return allowed(
            reader, self._authenticate, token, slug=slug, permission=EXPLAIN,
            limited="A key that is limited to a part of the tree cannot ask about the tenant's members.",
        )  # fmt: skip


def parse_asked(document: Any, slug: str) -> Asked:
    """Return the question in a body. Raises ``Problem`` (422) with the place of each fault (RFC 6901)."""
    if not isinstance(document, dict):
        raise _bad([("", "must be an object")])
    things = sorted(_KINDS & document.keys())
    faults = [(f"/{name}", "is needed") for name in ("user", "server") if name not in document]
    faults += [
        (f"/{name}", "must be a text of at most 2000 characters without control characters")
        for name in sorted(document.keys() & (_MAY - {"arguments"}))
        if not (isinstance(document[name], str) and _TEXT.fullmatch(document[name]))
    ]
    if len(things) != 1:
        faults.append(("", "needs one of tool, resource and prompt"))
    if {"key", "connection"} <= document.keys():
        faults.append(("", "may name key or connection, not both"))
    if document.keys() - _MAY:
        # Unknown names are not echoed: they are the sender's text, of any length.
        faults.append(("", "has an unknown member"))
    if faults:
        raise _bad(faults)
    return Asked(
        tenant=slug, email=document["user"], server=document["server"], kind=RuleKind(things[0]),
        name=document[things[0]], arguments=_arguments(document), key=document.get("key"),
        connection=document.get("connection"),
    )  # fmt: skip


def _arguments(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments, which must be what a call may carry."""
    if "arguments" not in document:
        return None
    try:
        return arguments_of(json.dumps(document["arguments"]))
    except (ValueError, RecursionError) as wrong:
        raise _bad([("/arguments", "must be an object that a call may carry")]) from wrong


def _bad(faults: list[tuple[str, str]]) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The body does not ask about a call.", errors=faults)
