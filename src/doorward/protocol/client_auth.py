"""How a client says who it is (OAuth 2.1 section 2.4, RFC 6749 section 2.3.1, RFC 7521 section 4.2)."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from doorward.model import Client, ClientAuthMethod, ClientId
from doorward.protocol import client_assertion, faults
from doorward.protocol.client_assertion import Assertion
from doorward.protocol.errors import OAuthError
from doorward.protocol.signed_jwt import BadAssertion
from doorward.protocol.token import TokenForm

MAX_HEADER = 8 * 1024
CHALLENGE = 'Basic realm="token", charset="UTF-8"'

_BASIC = re.compile(r"basic +(\S+)", re.IGNORECASE)
_CLIENT_ID = re.compile(r"[\x20-\x7e]{1,2048}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedClient:
    """What a client presented, by which method; nothing is verified yet."""

    client_id: ClientId
    secret: str | None = field(repr=False)
    method: ClientAuthMethod
    assertion: Assertion | None = None
    """Never looked at again once ``proven``."""
    proven: bool = False
    """Whether the assertion was verified and used up; never set by what a request holds."""


def parse_client_credentials(authorization: str | None, form: TokenForm) -> PresentedClient:
    """Read the client's credentials from the Authorization header's value and the form.

    One method only: a second secret or an assertion beside another method is ``invalid_request``. The same
    ``client_id`` in the body beside Basic is no second method (the Python SDK sends it). Nothing usable is
    ``invalid_client`` with status 401, and with ``WWW-Authenticate`` where the header was used.
    """
    if authorization:
        return _basic(authorization, form)
    if form.values.keys() & {"client_assertion", "client_assertion_type"}:
        return _asserted(form)
    client_id = form.values.get("client_id")
    if client_id is None or _CLIENT_ID.fullmatch(client_id) is None:
        raise _unauthenticated("no usable client_id")
    secret = form.values.get("client_secret")
    method = ClientAuthMethod.NONE if secret is None else ClientAuthMethod.SECRET_POST
    return PresentedClient(client_id=ClientId(client_id), secret=secret, method=method)


def require_registered_method(client: Client, presented: PresentedClient) -> None:
    """Refuse another method than the registered one. Raises ``OAuthError`` ``invalid_client``, status 401.

    That is: no secret for a confidential client (C7), a secret for a public one, post instead of basic (C8). A client
    whose document says ``none`` and where its keys are may sign who it is (ChatGPT does where that is offered); then the
    assertion has to be right.
    """
    signs = presented.method is ClientAuthMethod.PRIVATE_KEY_JWT and client.jwks_uri is not None
    if client.auth_method is not presented.method and not signs:
        used_header = presented.method is ClientAuthMethod.SECRET_BASIC
        raise _unauthenticated(f"{presented.method} instead of {client.auth_method}", basic=used_header)


def refusal(presented: PresentedClient, reason: str) -> OAuthError:
    """Return the one answer for an unknown client, a disabled one and a wrong secret."""
    return _unauthenticated(reason, basic=presented.method is ClientAuthMethod.SECRET_BASIC)


def _asserted(form: TokenForm) -> PresentedClient:
    """Read ``private_key_jwt``: the client is the assertion's ``sub``, and a ``client_id`` beside it must be the same."""
    if "client_secret" in form.values:
        raise _ambiguous("assertion and secret")
    if form.values.get("client_assertion_type") != client_assertion.TYPE:
        raise _unauthenticated("another client_assertion_type")
    try:
        assertion = client_assertion.read(form.values.get("client_assertion", ""))
    except BadAssertion as wrong:
        raise _unauthenticated(f"assertion: {wrong}") from None
    client_id = assertion.client_id
    if form.values.get("client_id", client_id) != client_id or _CLIENT_ID.fullmatch(client_id) is None:
        raise _unauthenticated("assertion of another client than client_id")
    return PresentedClient(
        client_id=ClientId(client_id), secret=None, method=ClientAuthMethod.PRIVATE_KEY_JWT, assertion=assertion
    )


def _basic(authorization: str, form: TokenForm) -> PresentedClient:
    found = _BASIC.fullmatch(authorization) if len(authorization) <= MAX_HEADER else None
    if found is None:
        raise _unauthenticated("an Authorization header that is not Basic", basic=True)
    if form.values.keys() & {"client_secret", "client_assertion", "client_assertion_type"}:
        raise _ambiguous("Basic and credentials in the body")
    client_id, secret = _decode(found[1])
    if form.values.get("client_id", client_id) != client_id:
        raise _ambiguous("two client ids")
    # `id:` is how some public clients fill a header they cannot leave out: no secret was presented.
    method = ClientAuthMethod.SECRET_BASIC if secret else ClientAuthMethod.NONE
    return PresentedClient(client_id=ClientId(client_id), secret=secret or None, method=method)


def _decode(payload: str) -> tuple[str, str]:
    """Undo base64 and then form-encoding of each half (RFC 6749 section 2.3.1; security C9)."""
    try:
        text = base64.b64decode(payload, validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        decoded = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _unauthenticated("malformed Basic credentials", basic=True) from None
    if not colon or _CLIENT_ID.fullmatch(decoded[0]) is None:
        raise _unauthenticated("malformed Basic credentials", basic=True)
    return decoded


def _unauthenticated(reason: str, *, basic: bool = False) -> OAuthError:
    header = CHALLENGE if basic else None
    return OAuthError(
        faults.CLIENT_AUTHENTICATION, "invalid_client", reason=reason, status=401, www_authenticate=header
    )


def _ambiguous(reason: str) -> OAuthError:
    return OAuthError(faults.CLIENT_AUTHENTICATION_AMBIGUOUS, "invalid_request", reason=reason)
