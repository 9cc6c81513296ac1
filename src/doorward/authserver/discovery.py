"""Which discovery document a path gets (feature B6; decision 0077.8 and .13; security D5 to D8).

URLs come from the configured public URL, never from the request. A document about a tenant's URL is given whether the
tenant exists or not: the form of the path is all that is looked at.
"""

from typing import Any

from doorward.credentials.signing_keys import SigningKeys
from doorward.model import PermissionEntry, Server
from doorward.policy.rules import OWN_PERMISSIONS
from doorward.protocol import discovery as metadata
from doorward.protocol.discovery import DocumentKind
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.storage import permissions, servers
from doorward.storage.database import Reader


def document(
    reader: Reader, path: str, *, public_url: str, registration: bool, documents: bool, keys: SigningKeys
) -> dict[str, Any] | None:
    """Return the document at an undecoded URL path, in any form that clients probe, or None: there is none."""
    wanted = metadata.well_known(path)
    if wanted is None:
        return None
    if wanted.kind is DocumentKind.JWKS:
        return keys.jwks()
    endpoints = Endpoints(public_url=public_url, servers=servers.servers(reader))
    endpoint = endpoints.find(wanted.inner) if wanted.inner else endpoints.short()
    if wanted.inner and endpoint is None:
        return None
    catalogue = permissions.catalogue(reader)
    if wanted.kind is DocumentKind.PROTECTED_RESOURCE:
        return None if endpoint is None else _protected_resource(endpoint, catalogue, public_url)
    scopes = [entry.permission for entry in catalogue]
    return metadata.authorization_server_metadata(public_url, scopes, registration=registration, documents=documents)


def default_scopes(catalogue: list[PermissionEntry], server: Server) -> tuple[str, ...]:
    """Return what an ordinary login at ``server`` asks for: listed in metadata, and taken where a client names no scope."""
    if server.tenant_id is not None:
        return tuple(entry.permission for entry in OWN_PERMISSIONS)
    return tuple(entry.permission for entry in catalogue if entry.is_default)


def _protected_resource(endpoint: Endpoint, catalogue: list[PermissionEntry], public_url: str) -> dict[str, Any]:
    scopes = default_scopes(catalogue, endpoint.server)
    return metadata.protected_resource_metadata(endpoint.url, public_url, scopes, endpoint.public_name)
