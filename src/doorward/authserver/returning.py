"""Where a client may be answered beside what it registered: what its vendor is known to append (``clients/cimd``)."""

from dataclasses import replace

from doorward.clients import profiles
from doorward.model import Client, ClientKind
from doorward.protocol import redirect_uri


def with_appended(client: Client, requested: str | None) -> Client:
    """Return the client, for this request, with ``requested`` registered if only a known suffix sets it apart.

    For loopback addresses of clients that a known vendor's document describes, and for nobody else: there the path
    decides nothing, since whoever listens on the port gets every path (decision 0077.1; RFC 8252 section 8.3).
    """
    if requested is None or client.kind is not ClientKind.METADATA_DOCUMENT:
        return client
    base = profiles.without_appended(requested, client.id)
    if base is None or not redirect_uri.describe(requested).is_loopback:
        return client
    if not redirect_uri.matches(client.redirect_uris, base, any_loopback_port=True):
        return client
    return replace(client, redirect_uris=(*client.redirect_uris, requested))
