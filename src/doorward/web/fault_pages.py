"""A page per fault, and their list: where the code on an error page leads."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.protocol.faults import FAULTS
from doorward.web import request_id
from doorward.web.pages import Pages


class FaultPages:
    """``/errors`` and ``/errors/{code}``."""

    def __init__(self, *, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route("/errors", self._index), Route("/errors/{code}", self._one)]

    async def _index(self, request: Request) -> Response:
        return self._pages.render(
            "faults.html", faults=[fault for _, fault in sorted(FAULTS.items())], request_id=request_id.of(request)
        )

    async def _one(self, request: Request) -> Response:
        fault = FAULTS.get(request.path_params["code"].upper())
        if fault is None:
            raise HTTPException(404)
        return self._pages.render("fault.html", fault=fault, request_id=request_id.of(request))
