"""Who we are to an authorization server: configured, by our metadata document, or registered (MCP authorization)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

from doorward.model import ClientAuthMethod
from doorward.protocol.outbound.authorization_server import AuthorizationServer
from doorward.protocol.outbound.reading import MAX_TEXT

NAME: Final = "Doorward"
GRANTS: Final = ("authorization_code", "refresh_token")
_PREFERRED: Final = (ClientAuthMethod.NONE, ClientAuthMethod.SECRET_POST, ClientAuthMethod.SECRET_BASIC)
"""OAuth 2.1 section 2.4.1: every server has the second; the Python SDK's takes Basic only with a client_id beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnClient:
    """What we are known as. ``secret`` is '' for a public client; PKCE is used either way."""

    client_id: str
    method: ClientAuthMethod = ClientAuthMethod.NONE
    secret: str = field(default="", repr=False)


def redirect_uri(public_url: str, slug: str) -> str:
    """Return where the browser comes back to: one for each server.

    An authorization server that sends its answer to another server's is not the one that was asked, whether or not it
    says ``iss`` (RFC 9700 section 4.4.2).
    """
    return f"{public_url}/upstreams/{slug}/callback"


def document_url(public_url: str, slug: str) -> str | None:
    """Return the ``client_id`` that is our metadata document's URL; None where ours is no https (CIMD section 3)."""
    return f"{public_url}/upstreams/{slug}/client.json" if public_url.startswith("https://") else None


def document(public_url: str, slug: str) -> dict[str, Any]:
    """Return our metadata document for one server (CIMD section 4)."""
    return {
        "client_id": document_url(public_url, slug),
        **_described(public_url, slug),
        "token_endpoint_auth_method": "none",
    }


def registration(public_url: str, slug: str, server: AuthorizationServer) -> dict[str, Any]:
    """Return what we register with (RFC 7591 section 2). Raises ``ValueError`` where it knows no method of ours."""
    method = next((each for each in _PREFERRED if each.value in server.auth_methods), None)
    if method is None:
        raise ValueError("no client authentication that we have")
    return {
        **_described(public_url, slug),
        "token_endpoint_auth_method": method.value,
        "application_type": "web" if public_url.startswith("https://") else "native",
    }


def registered(members: Mapping[str, Any]) -> OwnClient:
    """Return what we were registered as. Raises ``ValueError``."""
    client_id, secret = members.get("client_id"), members.get("client_secret") or ""
    if not isinstance(client_id, str) or not 0 < len(client_id) <= MAX_TEXT or not client_id.isprintable():
        raise ValueError("registration without a usable client_id")
    if not isinstance(secret, str) or len(secret) > MAX_TEXT or not secret.isprintable():
        raise ValueError("registration with an unusable client_secret")
    by_default = ClientAuthMethod.SECRET_BASIC if secret else ClientAuthMethod.NONE
    method = members.get("token_endpoint_auth_method", by_default.value)
    if method == ClientAuthMethod.NONE.value:
        return OwnClient(client_id=client_id)
    if method not in {each.value for each in _PREFERRED} or not secret:
        raise ValueError("registration with a client authentication that we do not have")
    return OwnClient(client_id=client_id, method=ClientAuthMethod(method), secret=secret)


def configured(client_id: str, secret: str, server: AuthorizationServer) -> OwnClient:
    """Return the client that an operator registered. Raises ``ValueError`` where the server knows no method for it."""
    if not secret:
        return OwnClient(client_id=client_id)  # Many servers leave `none` out of the list although they take it.
    method = next((each for each in _PREFERRED[1:] if each.value in server.auth_methods), None)
    if method is None:
        raise ValueError("no client authentication with a secret that we have")
    return OwnClient(client_id=client_id, method=method, secret=secret)


def shown(client: OwnClient) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Return what a form to the server has of the client, and its name and password for Basic (RFC 6749 section 2.3.1)."""
    if client.method is ClientAuthMethod.SECRET_BASIC:
        return {}, (quote_plus(client.client_id), quote_plus(client.secret))
    secret = {"client_secret": client.secret} if client.method is ClientAuthMethod.SECRET_POST else {}
    return {"client_id": client.client_id, **secret}, None


def _described(public_url: str, slug: str) -> dict[str, Any]:
    return {
        "client_name": f"{NAME} at {urlsplit(public_url).netloc}",
        "client_uri": public_url,
        "redirect_uris": [redirect_uri(public_url, slug)],
        "grant_types": list(GRANTS),
        "response_types": ["code"],
    }
