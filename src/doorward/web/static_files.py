"""Styles, script and icon: read once, named by their content, kept by browsers for a year.

A changed file has a new URL, so that no page ever meets an old style (and none needs revalidation).
"""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
})  # fmt: skip
_FOREVER: Final = "public, max-age=31536000, immutable"
_HASH_LENGTH: Final = 16


class StaticFiles:
    """Serves the files of ``static/`` beside this module under ``/static/{hash}/{name}``."""

    def __init__(self) -> None:
        self._content: dict[str, tuple[bytes, str]] = {}
        self._urls: dict[str, str] = {}
        for file in files("doorward.web").joinpath("static").iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind is not None:
                self._add(file.name, file.read_bytes(), kind)

    def _add(self, name: str, content: bytes, kind: str) -> None:
        digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
        self._urls[name] = f"/static/{digest}/{name}"
        self._content[f"{digest}/{name}"] = (content, kind)

    def url(self, name: str) -> str:
        """Return the path of a file. Raises ``KeyError`` for one that does not exist: a fault in a template."""
        return self._urls[name]

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/static/{digest}/{name}", self._serve)]

    async def _serve(self, request: Request) -> Response:
        found = self._content.get(f"{request.path_params['digest']}/{request.path_params['name']}")
        if found is None:
            raise HTTPException(404)
        content, kind = found
        # An SVG opened by itself is a document of our origin: it gets to run nothing.
        headers = {"Cache-Control": _FOREVER, "Content-Security-Policy": "default-src 'none'; sandbox"}
        return Response(content, media_type=kind, headers=headers)
