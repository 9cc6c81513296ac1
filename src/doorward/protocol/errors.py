"""What a refusal is: a fault with a public line, and an exact private reason.

``public`` may be shown to anybody. ``reason`` goes to the log and the audit trail only; it never holds a secret (code,
token, key, verifier, client secret, password), whatever the caller sent.
"""

from collections.abc import Mapping
from typing import Any

from doorward.protocol.faults import Fault


class ProtocolError(Exception):
    """A request that is refused. Never a 5xx: the caller did something that the rules do not allow."""

    def __init__(self, fault: Fault, *, reason: str, public: str | None = None) -> None:
        super().__init__(f"{fault.code}: {reason}")
        self.fault = fault
        self.public = public or fault.cause
        self.reason = reason

    @property
    def code(self) -> str:
        """The stable code, ``DW-…``."""
        return self.fault.code


class PageError(ProtocolError):
    """Shown as a page, never redirected: client or redirect URI are not proven (OAuth 2.1 section 4.1.2.1)."""

    status = 400


class OAuthError(ProtocolError):
    """An error with a registered OAuth code (RFC 6749 section 5.2, RFC 7591 section 3.2.2, RFC 8707 section 2).

    ``www_authenticate`` is set where the answer must carry that header (RFC 6749 section 5.2: 401 after Basic),
    ``retry_after`` (seconds) where the same request may be made again later.
    """

    def __init__(  # noqa: PLR0913  (what such an answer may say)
        self,
        fault: Fault,
        error: str,
        *,
        reason: str,
        public: str | None = None,
        status: int = 400,
        www_authenticate: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(fault, reason=reason, public=public)
        self.error = error
        self.status = status
        self.www_authenticate = www_authenticate
        self.retry_after = retry_after

    @property
    def description(self) -> str:
        """``error_description``: the public line with the stable code."""
        return f"{self.public} ({self.code})"

    def body(self) -> dict[str, str]:
        """Return the members of the JSON answer."""
        return {"error": self.error, "error_description": self.description}


class RedirectableError(OAuthError):
    """An error that is told to the client by redirect. Exists only after client and redirect URI are proven."""

    def __init__(
        self, fault: Fault, error: str, *, reason: str, redirect_uri: str, state: str | None, issuer: str
    ) -> None:
        super().__init__(fault, error, reason=reason)
        self.redirect_uri = redirect_uri
        self.state = state
        self.issuer = issuer


class BearerError(ProtocolError):
    """A credential was presented and cannot be used (RFC 6750 section 3.1). ``error`` is the code of the challenge."""

    def __init__(self, fault: Fault, *, reason: str, status: int = 401, error: str = "invalid_token") -> None:
        super().__init__(fault, reason=reason)
        self.status = status
        self.error = error


class JsonRpcError(ProtocolError):
    """A refused JSON-RPC message. ``rpc_code`` is JSON-RPC's code; ``request_id`` is None where none is known."""

    def __init__(
        self,
        fault: Fault,
        rpc_code: int,
        *,
        reason: str,
        http_status: int = 400,
        data: Mapping[str, Any] | None = None,
        request_id: str | int | None = None,
    ) -> None:
        super().__init__(fault, reason=reason)
        self.rpc_code = rpc_code
        self.http_status = http_status
        self.data = data
        self.request_id = request_id

    @property
    def message(self) -> str:
        """The public line with the stable code."""
        return f"{self.public} ({self.code})"
