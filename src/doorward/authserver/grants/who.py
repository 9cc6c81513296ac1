"""What goes with an access token where the client may know who the person is (OpenID Connect Core section 3.1.3.3)."""

from collections.abc import Collection
from dataclasses import replace

from doorward.authserver.grants.outcome import Granted
from doorward.model import Client
from doorward.protocol.id_token import SignedIn
from doorward.protocol.scope import OPENID
from doorward.storage import accounts
from doorward.storage.database import Reader


def with_identity(
    reader: Reader, granted: Granted, client: Client, *, nonce: str | None = None, asked: Collection[str] | None = None
) -> Granted:
    """Return ``granted`` with what this token tells of the person.

    ``asked`` are the scopes that a refresh narrows itself to, if any; the nonce is the first ID token's alone (OIDC
    Core section 12.2).
    """
    connection = granted.connection
    identity = connection.identity if not asked else connection.identity & set(asked)
    tenant = accounts.tenant_by_id(reader, connection.tenant_id)
    if OPENID not in identity or connection.authenticated_at is None or tenant is None:
        return granted
    facts = SignedIn(
        user_id=connection.user_id,
        client_id=client.id,
        tenant=tenant,
        authenticated_at=connection.authenticated_at,
        nonce=nonce,
        algorithm=client.id_token_signed_response_alg,
    )
    return replace(granted, identity=identity, signed_in=facts)
