"""What an authorization server says of itself (RFC 8414; OpenID Connect Discovery; MCP authorization, discovery)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from doorward.model import ClientAuthMethod
from doorward.protocol.discovery import DocumentKind
from doorward.protocol.outbound.reading import https_url, text_in, texts_in
from doorward.protocol.pkce import METHOD

_BY_DEFAULT: Final = (ClientAuthMethod.SECRET_BASIC.value,)
"""RFC 8414 section 2, where the member is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """What is used of its metadata; an endpoint that it does not have is ''."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    auth_methods: tuple[str, ...] = _BY_DEFAULT
    scopes: tuple[str, ...] = ()
    says_iss: bool = False
    """Every answer names the issuer (RFC 9207): one that does not is not its answer."""
    takes_documents: bool = False
    """It knows clients by their metadata documents (CIMD)."""


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Return where the metadata of ``issuer`` may be, in the order to look (RFC 8414 section 3.1, section 5)."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    oauth, openid = DocumentKind.AUTHORIZATION_SERVER.value, DocumentKind.OPENID_CONFIGURATION.value
    inserted = tuple(f"{origin}/.well-known/{kind}{path}" for kind in (oauth, openid))
    return (*inserted, f"{origin}{path}/.well-known/{openid}") if path else inserted


def read(members: Mapping[str, Any], issuer: str) -> AuthorizationServer:
    """Return what the document says. Raises ``ValueError``.

    ``issuer`` must be equal byte for byte (RFC 8414 section 3.3): otherwise one server could speak for another. A server
    that does not say that it knows PKCE with S256 is not used (MCP authorization, "Authorization Code Protection").
    """
    if members.get("issuer") != issuer:
        raise ValueError("metadata of another issuer")
    if METHOD not in texts_in(members, "code_challenge_methods_supported"):
        raise ValueError("no PKCE with S256")
    types = texts_in(members, "response_types_supported")
    if types and "code" not in types:
        raise ValueError("no response type code")
    return AuthorizationServer(
        issuer=issuer,
        authorization_endpoint=https_url(text_in(members, "authorization_endpoint"), "authorization_endpoint"),
        token_endpoint=https_url(text_in(members, "token_endpoint"), "token_endpoint"),
        registration_endpoint=_endpoint(members, "registration_endpoint"),
        revocation_endpoint=_endpoint(members, "revocation_endpoint"),
        auth_methods=texts_in(members, "token_endpoint_auth_methods_supported") or _BY_DEFAULT,
        scopes=texts_in(members, "scopes_supported"),
        says_iss=members.get("authorization_response_iss_parameter_supported") is True,
        takes_documents=members.get("client_id_metadata_document_supported") is True,
    )


def _endpoint(members: Mapping[str, Any], name: str) -> str:
    return https_url(text_in(members, name), name) if members.get(name) is not None else ""
