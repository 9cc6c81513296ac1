"""Before any message is read: which endpoint, which web page, which credential (RFC 6750, RFC 9728; J12 to J18).

Every way of having no valid credential is the same 401 with the same challenge, and never falls through to anonymous.
Unknown tenants answer like known ones (ruling 8), since the path alone decides.
"""

from typing import Final

from doorward.credentials.authenticate import Unauthenticated
from doorward.gateway.exchange import Exchange, Header, Refusal
from doorward.gateway.live import Caller, LiveState, Registry
from doorward.gateway.origins import Origins, cors
from doorward.model import SECOND, Instant
from doorward.protocol import bearer, faults
from doorward.protocol.discovery import resource_metadata_url
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.errors import BearerError
from doorward.protocol.faults import Fault

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, MISDIRECTED = 401, 403, 404, 421
CLOCK_SKEW: Final = 60 * SECOND
"""How far another node's clock may be ahead when it issues what this node checks."""
_AUTHENTICATION_NEEDED: Final = -32001


class Door:
    """One per gateway."""

    def __init__(self, *, live: LiveState, public_url: str, origins: Origins) -> None:
        self._live = live
        self._public_url = public_url
        self._origins = origins

    def check_page(self, exchange: Exchange) -> None:
        """Refuse a foreign page that sends a credential, and add the CORS headers for any other. Raises ``Refusal``."""
        if not self._origins.host_ok(exchange.one(b"host")):
            raise Refusal(MISDIRECTED, -32600, faults.HOST_REFUSED, reason="Host is not loopback")
        origin = exchange.one(b"origin")
        if origin is None:
            return
        if self._origins.allows(origin):
            exchange.shared += cors(origin)
        elif b"authorization" in exchange.headers:
            raise Refusal(FORBIDDEN, -32600, faults.ORIGIN_REFUSED, reason=f"origin {origin[:200]!r}")

    def endpoint(self, exchange: Exchange) -> Endpoint:
        """Return the endpoint of the request. Raises ``Refusal`` 404."""
        endpoint = self._live.registry.find(exchange.path)
        if endpoint is None:
            raise Refusal(NOT_FOUND, -32600, faults.SERVER_UNKNOWN, reason="no server at this path")
        return endpoint

    def token(self, exchange: Exchange, endpoint: Endpoint) -> str:
        """Return the one bearer credential of the request. Raises ``Refusal`` 401, or 400 for two."""
        try:
            token = bearer.read(exchange.raw(b"authorization"))
        except BearerError as wrong:
            challenge = self.challenge(endpoint, error=wrong.error)
            raise _refused(wrong.status, wrong.fault, wrong.reason, challenge) from wrong
        if token is None:
            # RFC 6750 section 3.1: no error code where nothing was presented.
            raise _refused(UNAUTHORIZED, faults.CREDENTIAL_MISSING, "no credential", self.challenge(endpoint))
        return token

    async def caller(self, token: str, path: str, now: Instant) -> tuple[Caller, Endpoint]:
        """Return who presents ``token`` at ``path``, as of now. Raises ``Unauthenticated``, ``Refusal`` 404."""
        caller = await self._live.caller(token)
        endpoint = self._live.registry.find(path)
        if endpoint is None:
            raise Refusal(NOT_FOUND, -32600, faults.SERVER_UNKNOWN, reason="the server is gone")
        _check(caller, endpoint, now)
        return caller, endpoint

    def refused(self, endpoint: Endpoint, why: Unauthenticated) -> Refusal:
        """Return the one answer for every presented credential that is not good."""
        challenge = self.challenge(endpoint, error="invalid_token")
        return _refused(UNAUTHORIZED, faults.CREDENTIAL_INVALID, why.reason, challenge)

    def challenge(
        self, endpoint: Endpoint, *, error: str | None = None, scopes: frozenset[str] | None = None
    ) -> str:  # fmt: skip
        """Return a WWW-Authenticate value: for ``scopes``, else for the default set."""
        registry: Registry = self._live.registry
        return bearer.challenge(
            resource_metadata=resource_metadata_url(self._public_url, endpoint.path),
            scope=registry.default_scopes if scopes is None else sorted(scopes),
            error=error,
        )


def challenge_header(value: str) -> Header:
    """Return a WWW-Authenticate header."""
    return b"www-authenticate", value.encode("latin-1")


def _refused(status: int, fault: Fault, reason: str, challenge: str) -> Refusal:
    return Refusal(status, _AUTHENTICATION_NEEDED, fault, reason=reason, headers=(challenge_header(challenge),))


def _check(caller: Caller, endpoint: Endpoint, now: Instant) -> None:
    """Check what depends on the moment and on the URL. Raises ``Unauthenticated``."""
    principal = caller.principal
    if principal.expires_at is not None and principal.expires_at <= now:
        raise Unauthenticated("the credential has expired")
    if caller.not_before > now + CLOCK_SKEW:
        raise Unauthenticated("the credential is from the future")
    if caller.audience is not None and caller.audience != endpoint.url:
        raise Unauthenticated("the token is for another URL")
    if endpoint.tenant_slug is not None and endpoint.tenant_slug != principal.tenant_slug:
        raise Unauthenticated("the credential is of another tenant")
