"""``PUT`` and ``PATCH /api/v1/tenants/{slug}/resources``: a product pushes the tree of its resources.

``PUT {"resources": [node…]}`` describes the whole tree, ``PATCH {"put": [node…], "remove": [name…]}`` a change. A name
is ``{"type", "key"}``, a node ``{"type", "key", "name", "parent": name or null}``. Both answer
``{"put", "removed", "total"}`` (counts) and may be repeated. The key, and its owner, need ``resources:manage``.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.api.keys import Authenticate, allowed
from doorward.api.problems import Problem
from doorward.api.requests import bearer, read_json
from doorward.api.tree_document import TreePatch, parse_patch, parse_tree
from doorward.model import Instant, Permission, Principal
from doorward.provisioning.resource_tree import Pusher, TreeChange, TreeNode, TreeRefused, change_tree, replace_tree
from doorward.storage.database import Database, Reader, StorageUnavailable, Transaction
from doorward.web import request_id

PATH: Final = "/api/v1/tenants/{slug}/resources"
PERMISSION: Final = Permission("resources:manage")
"""Not ``write``: an editor's ``*:write`` must not move the nodes that limit other people's keys."""


class ResourcesApi:
    """The surface. ``authenticate_api_key(reader, text)`` returns the key's live principal or raises ``Unauthenticated``."""

    def __init__(
        self,
        *,
        database: Database,
        authenticate_api_key: Authenticate,
        now: Callable[[], Instant],
    ) -> None:
        self._database = database
        self._authenticate = authenticate_api_key
        self._now = now

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._answer, methods=["PUT", "PATCH"])]

    async def _answer(self, request: Request) -> Response:
        try:
            change = await self._push(request)
        except Problem as problem:
            return problem.response()
        except StorageUnavailable:
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "The data cannot be reached. Try again.", headers={"Retry-After": "1"}
            ).response()
        return JSONResponse(
            {"put": change.put, "removed": change.removed, "total": change.total}, headers={"Cache-Control": "no-store"}
        )

    async def _push(self, request: Request) -> TreeChange:
        token, slug = bearer(request), request.path_params["slug"]
        # The key is looked at before the body, so that nobody without one makes us read and parse 4 MiB.
        await self._database.read(lambda reader: self._allowed(reader, token, slug))
        document = await read_json(request)
        wanted = parse_tree(document) if request.method == "PUT" else parse_patch(document)
        name = request_id.of(request)
        return await self._database.write(
            partial(self._write, token=token, slug=slug, wanted=wanted, now=self._now(), name=name)
        )

    def _write(
        self, tx: Transaction, *, token: str, slug: str, wanted: list[TreeNode] | TreePatch, now: Instant, name: str
    ) -> TreeChange:
        # Asked again in the transaction of the change: a key that was revoked meanwhile changes nothing.
        principal = self._allowed(tx, token, slug)
        pusher = Pusher(
            tenant_id=principal.tenant_id, actor_id=principal.user_id, credential_id=principal.credential_id, now=now,
            request_id=name,
        )  # fmt: skip
        try:
            if isinstance(wanted, TreePatch):
                return change_tree(tx, wanted.put, wanted.remove, pusher)
            return replace_tree(tx, wanted, pusher)
        except TreeRefused as refused:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, refused.public) from refused

    def _allowed(self, reader: Reader, token: str, slug: str) -> Principal:
        return allowed(
            reader, self._authenticate, token, slug=slug, permission=PERMISSION,
            limited="A key that is limited to a part of the tree cannot change the tree.",
        )  # fmt: skip
