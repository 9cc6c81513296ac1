"""Who may use the management API: a live API key of the tenant in the address, of an owner with the right."""

from collections.abc import Callable
from http import HTTPStatus

from doorward.api.problems import Problem
from doorward.credentials.authenticate import Unauthenticated
from doorward.model import CredentialKind, Permission, Principal
from doorward.storage.database import Reader

Authenticate = Callable[[Reader, str], Principal]
"""Returns a credential's live principal, or raises ``Unauthenticated``."""


def allowed(
    reader: Reader, authenticate: Authenticate, token: str, *, slug: str, permission: Permission, limited: str
) -> Principal:
    """Return who comes with ``token``, where key and owner both hold ``permission`` at the tenant ``slug``.

    What roles give at nodes of the tree does not count, and a key that is limited to nodes is told ``limited``. Raises
    ``Problem``: 401, 404 for another tenant, 403.
    """
    principal = _principal(reader, authenticate, token)
    if principal.tenant_slug != slug:
        # The same for a foreign tenant and one that does not exist (ruling 8).
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such tenant for this key.")
    if permission not in principal.permissions & principal.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, f"This key and its owner need the permission {permission}.")
    if principal.resources is not None:
        raise Problem(HTTPStatus.FORBIDDEN, limited)
    return principal


def _principal(reader: Reader, authenticate: Authenticate, token: str) -> Principal:
    try:
        principal = authenticate(reader, token)
    except Unauthenticated as refused:
        raise _unknown_key() from refused
    if principal.credential is not CredentialKind.API_KEY:
        # An access token is for the MCP server it names (RFC 8707), never for this API.
        raise _unknown_key()
    return principal


def _unknown_key() -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "This is not a valid API key.", headers=headers)
