"""What is kept of a linked account, and how it is sealed: to the row that it stands in, so that rows cannot be swapped."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from doorward.model import SECOND, ClientAuthMethod, Entropy, Instant, ServerId, TenantId, UserId
from doorward.protocol.outbound.client import OwnClient
from doorward.protocol.outbound.grant import Granted
from doorward.vault import Sealer

_GRANT: Final = "upstream grant/1"
_REQUEST: Final = "upstream request/1"
_CLIENT: Final = "upstream client/1"
"""Labels of the seal. A change of the members needs a new number: then what is older does not open."""

Place = tuple[TenantId, UserId, ServerId]
"""Whose account, for which tenant, at which server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """With whom and as whom we deal."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    resource: str
    client: OwnClient
    configured: bool
    """The client is the operator's: its secret is read from the vault each time, and stands nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one account."""

    terms: Terms
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    """'' where there is none."""
    expires_at: Instant | None
    """When the access token ends; None where that was not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What the answer to an authorization request is checked and redeemed with."""

    terms: Terms
    verifier: str = field(repr=False)
    scopes: tuple[str, ...]
    says_iss: bool


def tokens_of(granted: Granted, terms: Terms, now: Instant, *, before: Tokens | None = None) -> Tokens:
    """Return what a token endpoint gave, as it is kept; a refresh that brings no new refresh token keeps the old one."""
    kept = "" if before is None else before.refresh_token
    return Tokens(
        terms=terms,
        access_token=granted.access_token,
        refresh_token=granted.refresh_token or kept,
        expires_at=None if granted.expires_in is None else Instant(now + granted.expires_in * SECOND),
    )


class Safe:
    """Seals and opens. Opening raises ``Unsealed``."""

    def __init__(self, sealer: Sealer, entropy: Entropy) -> None:
        self._sealer, self._entropy = sealer, entropy

    def seal_tokens(self, tokens: Tokens, place: Place) -> str:
        """Return the tokens of the account at ``place``, sealed."""
        return self._seal(_GRANT, asdict(tokens), _bound(*place))

    def open_tokens(self, sealed: str, place: Place) -> Tokens:
        """Return the tokens."""
        members = self._open(_GRANT, sealed, _bound(*place))
        return Tokens(**{**members, "terms": _terms(members["terms"])})

    def seal_pending(self, pending: Pending, state: str) -> str:
        """Return what waits for an answer with ``state`` (its fingerprint), sealed."""
        return self._seal(_REQUEST, asdict(pending), _bound(state))

    def open_pending(self, sealed: str, state: str) -> Pending:
        """Return what waited."""
        members = self._open(_REQUEST, sealed, _bound(state))
        return Pending(**{**members, "terms": _terms(members["terms"]), "scopes": tuple(members["scopes"])})

    def seal_client(self, client: OwnClient, server_id: ServerId, issuer: str) -> str:
        """Return a registration, sealed."""
        return self._seal(_CLIENT, asdict(client), _bound(server_id, issuer))

    def open_client(self, sealed: str, server_id: ServerId, issuer: str) -> OwnClient:
        """Return a registration."""
        return _client(self._open(_CLIENT, sealed, _bound(server_id, issuer)))

    def _seal(self, label: str, members: dict[str, Any], place: bytes) -> str:
        return self._sealer.seal(label, json.dumps(members).encode(), aad=place, entropy=self._entropy)

    def _open(self, label: str, sealed: str, place: bytes) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self._sealer.open(label, sealed, aad=place))
        return members


def _terms(members: dict[str, Any]) -> Terms:
    return Terms(**{**members, "client": _client(members["client"])})


def _client(members: dict[str, Any]) -> OwnClient:
    return OwnClient(**{**members, "method": ClientAuthMethod(members["method"])})


def _bound(*parts: str) -> bytes:
    return json.dumps(parts).encode()
