"""Discovery documents (RFC 8414, RFC 9728, OpenID Connect Discovery) and every path clients look for them at.

The documents list what works in this version and nothing else (decision 0077.8). There is one issuer, without a path, equal
byte for byte in metadata, ``iss`` and ``authorization_servers`` (RFC 8414 section 3.3; clients compare strings).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from doorward.model import ClientAuthMethod
from doorward.protocol import id_token
from doorward.protocol.pkce import METHOD
from doorward.protocol.scope import IDENTITY_SCOPES, OFFLINE_ACCESS, OIDC_SCOPES
from doorward.protocol.signed_jwt import ALGORITHMS
from doorward.protocol.token import ALL_GRANT_TYPES

AUTHORIZATION_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"  # noqa: S105
REGISTRATION_PATH = "/oauth/clients/register"
REVOCATION_PATH = "/oauth/revoke"
INTROSPECTION_PATH = "/oauth/introspect"
DEVICE_AUTHORIZATION_PATH = "/oauth/device_authorization"
JWKS_PATH = "/oauth/jwks.json"
USERINFO_PATH = "/oauth/userinfo"
END_SESSION_PATH = "/oauth/logout"


class DocumentKind(StrEnum):
    """Which document a well-known path names; the value is the path's suffix (RFC 8615)."""

    PROTECTED_RESOURCE = "oauth-protected-resource"
    AUTHORIZATION_SERVER = "oauth-authorization-server"
    OPENID_CONFIGURATION = "openid-configuration"
    """Answered with the authorization server's document."""
    JWKS = "jwks.json"


@dataclass(frozen=True, slots=True)
class WellKnown:
    """A recognised well-known path. ``inner`` is the path it is about: '' for the origin, else like ``/acme/mcp``."""

    kind: DocumentKind
    inner: str


_KINDS = "|".join(re.escape(kind) for kind in DocumentKind)
_INNER = r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*"
_INSERTED = re.compile(rf"/\.well-known/(?P<kind>{_KINDS})(?P<inner>{_INNER})/?")
_APPENDED = re.compile(rf"(?P<inner>{_INNER})/\.well-known/(?P<kind>{_KINDS})/?")


def well_known(path: str) -> WellKnown | None:
    """Recognise an undecoded URL path in every form.

    At the root, with the path inserted after the suffix (RFC 8414 section 3.1, RFC 9728 section 3.1), with the suffix
    appended (OIDC Discovery section 4). None for everything else: percent-encoding, dot segments and nested well-known paths (qwen probes one) included.
    """
    if path == JWKS_PATH:
        return WellKnown(DocumentKind.JWKS, "")
    found = _INSERTED.fullmatch(path) or _APPENDED.fullmatch(path)
    return None if found is None else WellKnown(DocumentKind(found["kind"]), found["inner"])


def authorization_server_metadata(
    issuer: str, scopes: Iterable[str], *, registration: bool = True, documents: bool = True
) -> dict[str, Any]:
    """Return the authorization server's document (RFC 8414 section 2), without null members.

    ``scopes`` are the permissions anybody may ask for; those of OpenID Connect are added here and only here (decision 0077.7).
    ``registration`` says whether clients may register themselves, ``documents`` whether metadata documents count.
    """
    methods = [method.value for method in ClientAuthMethod]
    document: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZATION_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "revocation_endpoint": issuer + REVOCATION_PATH,
        "introspection_endpoint": issuer + INTROSPECTION_PATH,
        "device_authorization_endpoint": issuer + DEVICE_AUTHORIZATION_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(ALL_GRANT_TYPES),
        "code_challenge_methods_supported": [METHOD],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [m for m in methods if m != ClientAuthMethod.NONE],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "client_id_metadata_document_supported": documents,
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": [*sorted(set(scopes) - OIDC_SCOPES), *IDENTITY_SCOPES, OFFLINE_ACCESS],
        "userinfo_endpoint": issuer + USERINFO_PATH,
        "end_session_endpoint": issuer + END_SESSION_PATH,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(id_token.ALGORITHMS),
        "claims_supported": list(id_token.CLAIMS),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        # True where it is left out (OIDC Discovery section 3).
        "request_uri_parameter_supported": False,
    }
    return {**document, "registration_endpoint": issuer + REGISTRATION_PATH} if registration else document


def protected_resource_metadata(
    resource: str, issuer: str, scopes: Iterable[str], name: str, *, documentation: str | None = None
) -> dict[str, Any]:
    """Return one MCP server's document (RFC 9728 section 2). ``scopes`` is the default set of an ordinary login."""
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(set(scopes) - OIDC_SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }
    return document if documentation is None else {**document, "resource_documentation": documentation}


def resource_metadata_url(public_url: str, path: str) -> str:
    """Return where the document of the server at ``path`` is found (RFC 9728 section 3.1): the challenge names it."""
    return f"{public_url}/.well-known/{DocumentKind.PROTECTED_RESOURCE.value}{path}"
