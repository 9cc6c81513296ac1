"""What a person's browser gets at an MCP URL: a page that says what the URL is for (decision 0077.14)."""

from starlette.types import ASGIApp, Receive, Scope, Send

from doorward.model import Entropy
from doorward.protocol.endpoints import Endpoint
from doorward.web import request_id
from doorward.web.pages import Pages

UNAUTHORIZED = 401


class McpPage:
    """Makes the page for the gateway, which is no part of the pages' app."""

    def __init__(self, *, pages: Pages, entropy: Entropy) -> None:
        self._pages = pages
        self._entropy = entropy

    def app(self, endpoint: Endpoint, challenge: str) -> ASGIApp:
        """Return the app that answers one browser at ``endpoint``: status 401, with the challenge all the same."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            name = request_id.assign(scope, self._entropy)
            response = self._pages.render(
                "mcp.html", status=UNAUTHORIZED, server=endpoint.public_name, url=endpoint.url, request_id=name
            )
            response.headers["WWW-Authenticate"] = challenge
            await response(scope, receive, send)

        return answer
