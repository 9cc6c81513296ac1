"""What a client is told of the person behind a connection: ID token and userinfo (OpenID Connect Core; C33)."""

from dataclasses import dataclass
from typing import Any

from doorward.credentials.authenticate import Authenticated
from doorward.credentials.signing_keys import InvalidToken, SigningKeys
from doorward.model import ClientId, UserId
from doorward.protocol import faults, id_token
from doorward.protocol.errors import BearerError
from doorward.protocol.scope import OPENID
from doorward.storage import accounts
from doorward.storage.database import Reader


def userinfo(reader: Reader, found: Authenticated) -> dict[str, Any]:
    """Return the members of the userinfo answer. Raises ``BearerError`` where the token was not granted ``openid``."""
    principal = found.principal
    user = accounts.user_by_id(reader, principal.user_id)
    if not principal.servers:
        # The server that was approved is none of the tenant any more: nothing comes through this connection (D3).
        raise BearerError(faults.CREDENTIAL_INVALID, reason=f"tenant {principal.tenant_id} has no such server now")
    if OPENID not in found.identity or user is None:
        raise BearerError(
            faults.OPENID_MISSING, reason="no openid in this token", status=403, error="insufficient_scope"
        )
    return id_token.userinfo(user, found.identity, {"tenant": principal.tenant_slug, "tenant_id": principal.tenant_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Whom an ID token of ours speaks of, and to whom."""

    user_id: UserId
    client_id: ClientId


def read_hint(keys: SigningKeys, text: str, issuer: str) -> Hint | None:
    """Return what an ``id_token_hint`` says, expired or not (RP-Initiated Logout section 2), or None: not ours."""
    try:
        claims = keys.verify(text, id_token.TYP)
    except InvalidToken:
        return None
    subject, audience = claims.get("sub"), claims.get("aud")
    if claims.get("iss") != issuer or not isinstance(subject, str) or not isinstance(audience, str):
        return None
    return Hint(user_id=UserId(subject), client_id=ClientId(audience))
