"""Two small ASGI layers around an MCP endpoint: 503 where the bearer could not be checked, 403 where it may not."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doorward.sdk.permissions import Requirement
from doorward.sdk.verifiers import trouble

MAX_LOOKED_AT: Final = 4 * 1024 * 1024
"""Bytes of a request that are read to find the tool it calls; of a longer one the tool itself refuses."""
RETRY_AFTER: Final = b"2"
_UNQUOTABLE: Final = re.compile(r'[^\x20-\x7e]|["\\]')

Needed = Callable[[str], Awaitable[Requirement | None]]
"""What the tool of that name needs; None for no such tool."""


class Answers:
    """The outermost layer: a 401 that only means "could not be checked" becomes a 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told: list[str] = []
        dropped = False

        async def honest(message: Message) -> None:
            nonlocal dropped
            if message["type"] == "http.response.start" and message["status"] == 401 and told:  # noqa: PLR2004
                dropped = True
                words = {
                    "error": "temporarily_unavailable",
                    "error_description": "The credential cannot be checked now.",
                }
                await _answer(send, 503, words, (b"retry-after", RETRY_AFTER))
            elif not dropped:
                await send(message)

        state = trouble.set(told)
        try:
            await self._app(scope, receive, honest)
        finally:
            trouble.reset(state)


class StepUp:
    """The innermost layer: a call whose tool needs more than the token has is answered as RFC 6750 section 3.1 says.

    Clients then ask the person for what is missing. It only looks: the tool checks again by itself, so that a message
    which is read in two ways gains nothing.
    """

    def __init__(self, app: ASGIApp, *, needed: Needed, metadata_url: str) -> None:
        self._app = app
        self._needed = needed
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        user = scope.get("user")
        if scope["type"] != "http" or scope["method"] != "POST" or not isinstance(user, AuthenticatedUser):
            await self._app(scope, receive, send)
            return
        body, received = await _body(receive)
        tool = _called(body)
        requirement = None if tool is None else await self._needed(tool)
        if requirement is not None and not requirement.permissions <= set(user.scopes):
            await self._refuse(send, requirement)
            return
        await self._app(scope, _again(received, receive), send)

    async def _refuse(self, send: Send, requirement: Requirement) -> None:
        scopes = " ".join(sorted(requirement.permissions))
        said = {"error": "insufficient_scope", "error_description": f"This needs {scopes}.", "scope": scopes}
        parameters = {**said, "resource_metadata": self._metadata_url}
        challenge = ", ".join(f'{name}="{_UNQUOTABLE.sub("", value)}"' for name, value in parameters.items())
        await _answer(send, 403, said, (b"www-authenticate", f"Bearer {challenge}".encode()))


async def _body(receive: Receive) -> tuple[bytes, list[Message]]:
    """Return what was read of the body, nothing of it where it is too long, and the messages it came in."""
    received: list[Message] = []
    size = 0
    while True:
        message = await receive()
        received.append(message)
        size += len(message.get("body", b""))
        if size > MAX_LOOKED_AT:
            return b"", received
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(each.get("body", b"") for each in received), received


def _again(received: list[Message], receive: Receive) -> Receive:
    waiting = iter(received)

    async def replay() -> Message:
        return next(waiting, None) or await receive()

    return replay


def _called(body: bytes) -> str | None:
    """Return the name of the tool that a message calls."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return None
    name = (message.get("params") or {}).get("name") if isinstance(message.get("params") or {}, dict) else None
    return name if isinstance(name, str) else None


async def _answer(send: Send, status: int, said: dict[str, str], header: tuple[bytes, bytes]) -> None:
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), header]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
