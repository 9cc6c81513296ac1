"""Requests that OAuth clients send to machine paths: who says to send them, and their body."""

from starlette.requests import Request

from doorward.protocol import faults
from doorward.protocol.client_auth import PresentedClient, parse_client_credentials
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import MAX_BODY, TokenForm, parse_token_request


async def read_form(request: Request) -> TokenForm:
    """Return the form. Raises ``OAuthError``."""
    body = await read_body(request, MAX_BODY)
    return parse_token_request(request.headers.get("content-type"), body, request.scope["query_string"])


async def read_client_request(request: Request) -> tuple[TokenForm, PresentedClient]:
    """Return the form and the client that it names; nothing is verified yet. Raises ``OAuthError``."""
    sent = await read_form(request)
    return sent, presented_client(request, sent)


def presented_client(request: Request, sent: TokenForm) -> PresentedClient:
    """Return the client that a request names; nothing is verified yet. Raises ``OAuthError``."""
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        reason = f"{len(headers)} Authorization headers"
        raise OAuthError(faults.CLIENT_AUTHENTICATION_AMBIGUOUS, "invalid_request", reason=reason)
    return parse_client_credentials(headers[0] if headers else None, sent)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, or as much of it as shows that it is longer than ``limit`` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            break
    return bytes(body)
