"""Before any message is read: which endpoint, which web page, which credential (RFC 6750, RFC 9728; J12 to J18).

Every way of having no valid credential is the same 401 with the same challenge, and never falls through to anonymous.
Unknown tenants answer like known ones (decision 0077.8), since the path alone decides.
"""

from collections.abc import Sequence
from typing import Final

from doorward.credentials.authenticate import Damaged, Unauthenticated, require_address
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.head import Header
from doorward.gateway.live import Caller, LiveState, Registry
from doorward.gateway.origins import Origins, cors
from doorward.model import SECOND, Instant
from doorward.policy.networks import Address
from doorward.policy.rules import OWN_PERMISSIONS
from doorward.protocol import bearer, faults
from doorward.protocol.discovery import resource_metadata_url
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.errors import BearerError
from doorward.protocol.faults import Fault
from doorward.web.requester import Requester

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, MISDIRECTED = 401, 403, 404, 421
CLOCK_SKEW: Final = 60 * SECOND
"""How far another node's clock may be ahead when it issues what this node checks."""
_AUTHENTICATION_NEEDED: Final = -32001


class Door:
    """One per gateway."""

    def __init__(self, *, live: LiveState, public_url: str, origins: Origins, requester: Requester) -> None:
        self._live = live
        self._public_url = public_url
        self._origins = origins
        self._requester = requester

    def check_page(self, exchange: Exchange) -> None:
        """Refuse an over-large head, and a foreign page that sends a credential; add the CORS headers for any other.

        Raises ``Refusal``.
        """
        head = exchange.head
        if head.fine:
            return
        exchange.check_head()
        if not self._origins.host_ok(head.host):
            raise Refusal(MISDIRECTED, -32600, faults.HOST_REFUSED, reason="Host is not loopback")
        origin = head.origin
        if origin is None:
            head.fine = True
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
            token = exchange.head.token
        except BearerError as wrong:
            challenge = self.challenge(endpoint, error=wrong.error)
            raise _refused(wrong.status, wrong.fault, wrong.reason, challenge) from wrong
        if token is None:
            # RFC 6750 section 3.1: no error code where nothing was presented.
            raise _refused(UNAUTHORIZED, faults.CREDENTIAL_MISSING, "no credential", self.challenge(endpoint))
        return token

    def known_caller(self, exchange: Exchange, endpoint: Endpoint, now: Instant) -> Caller | None:
        """Return who presents the token of a request to ``endpoint``, None where that takes more than to look.

        Of what was looked at for all that came with it; whoever asks later asks ``caller``. Raises ``Unauthenticated``.
        """
        caller = self._live.known_caller(exchange.head.token_digest, looked=exchange.looked)
        if caller is not None:
            self._check(caller, exchange, endpoint, now)
        return caller

    async def caller(self, token: str, exchange: Exchange, now: Instant) -> tuple[Caller, Endpoint]:
        """Return who presents ``token`` in this request, as of now. Raises ``Unauthenticated``, ``Refusal`` 404."""
        caller = await self._live.caller(token, exchange.head.token_digest)
        endpoint = self._live.registry.find(exchange.path)
        if endpoint is None:
            raise Refusal(NOT_FOUND, -32600, faults.SERVER_UNKNOWN, reason="the server is gone")
        self._check(caller, exchange, endpoint, now)
        return caller, endpoint

    def _check(self, caller: Caller, exchange: Exchange, endpoint: Endpoint, now: Instant) -> None:
        """Check what depends on the moment, on the URL and on the address. Raises ``Unauthenticated``."""
        principal = caller.principal
        if principal.expires_at is not None and principal.expires_at <= now:
            raise Unauthenticated("the credential has expired")
        if caller.not_before > now + CLOCK_SKEW:
            raise Unauthenticated("the credential is from the future")
        if caller.audience is not None and caller.audience != endpoint.url:
            raise Unauthenticated("the token is for another URL")
        if endpoint.tenant_slug is not None and endpoint.tenant_slug != principal.tenant_slug:
            raise Unauthenticated("the credential is of another tenant")
        if caller.networks:
            self.check_address(caller, exchange)

    def check_address(self, caller: Caller, exchange: Exchange) -> None:
        """Refuse a credential that is not for where this request came from. Raises ``Unauthenticated``."""
        if caller.networks:
            require_address(caller.networks, self._address(exchange))

    def came_from(self, exchange: Exchange) -> str | None:
        """Return where a request came from, for people; the proxy's address where that does not say."""
        return self._requester.told(exchange.client, exchange.head.forwarded_for)

    def _address(self, exchange: Exchange) -> Address | None:
        return self._requester.exactly(exchange.client, exchange.head.forwarded_for)

    def refused(self, endpoint: Endpoint, why: Unauthenticated) -> Refusal:
        """Return the one answer for every presented credential that is not good.

        One whose checksum is wrong is told so: anybody can see that without asking (I1).
        """
        challenge = self.challenge(endpoint, error="invalid_token")
        fault = faults.CREDENTIAL_MALFORMED if isinstance(why, Damaged) else faults.CREDENTIAL_INVALID
        return _refused(UNAUTHORIZED, fault, why.reason, challenge)

    def challenge(
        self, endpoint: Endpoint, *, error: str | None = None, scopes: frozenset[str] | None = None
    ) -> str:  # fmt: skip
        """Return a WWW-Authenticate value: for ``scopes``, else for the default set."""
        registry: Registry = self._live.registry
        return bearer.challenge(
            resource_metadata=resource_metadata_url(self._public_url, endpoint.path),
            scope=_usual(registry, endpoint) if scopes is None else sorted(scopes),
            error=error,
        )


def _usual(registry: Registry, endpoint: Endpoint) -> Sequence[str]:
    if endpoint.server.tenant_id is not None:
        return [entry.permission for entry in OWN_PERMISSIONS]
    return registry.default_scopes


def challenge_header(value: str) -> Header:
    """Return a WWW-Authenticate header."""
    return b"www-authenticate", value.encode("latin-1")


def _refused(status: int, fault: Fault, reason: str, challenge: str) -> Refusal:
    return Refusal(status, _AUTHENTICATION_NEEDED, fault, reason=reason, headers=(challenge_header(challenge),))
