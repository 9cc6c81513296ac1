"""Discovery documents and the key set, at every form that clients probe (B6)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.authserver import discovery
from doorward.authserver.http.answers import GET, NO_STORE
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.services import Services
from doorward.authserver.http.trail import trail
from doorward.protocol.discovery import JWKS_PATH
from doorward.storage.attempts import Step

METADATA_CACHE: Final = {"Cache-Control": "public, max-age=60"}
"""Short: what the documents say changes with the configuration, and old signing keys must not linger (D8)."""
_OF_RESOURCE: Final = "/.well-known/oauth-protected-resource"


class MetadataEndpoints:
    """All well-known documents. ``registration`` and ``documents`` say which kinds of clients may come by themselves."""

    def __init__(self, services: Services, *, registration: bool, documents: bool) -> None:
        self._with, self._open, self._cimd = services, registration, documents

    def routes(self, machine: MachinePaths) -> list[Route]:
        """Return the routes of the documents."""
        return machine.routes(
            self._with.trails.noted(self._document),
            GET,
            JWKS_PATH,
            "/.well-known/{rest:path}",
            "/{inner:path}/.well-known/{rest:path}",
        )

    async def _document(self, request: Request) -> Response:
        path = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1").partition("?")[0]
        found = await self._with.database.read(
            lambda reader: discovery.document(
                reader,
                path,
                public_url=self._with.public_url,
                registration=self._open,
                documents=self._cimd,
                keys=self._with.keys.look(reader),
            )
        )
        if found is None:
            return JSONResponse({"error": "not_found"}, 404, headers=NO_STORE)
        if path != JWKS_PATH:
            mine = trail(request)
            mine.step = Step.METADATA
            mine.path = path.removeprefix(_OF_RESOURCE) if path.startswith(_OF_RESOURCE + "/") else None
        return JSONResponse(found, headers=METADATA_CACHE)
