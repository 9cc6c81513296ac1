"""What a grant comes to."""

from dataclasses import dataclass

from typing_extensions import override

from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.secret import Fingerprinter
from doorward.model import Cause, Connection, Permission
from doorward.protocol.errors import OAuthError
from doorward.protocol.id_token import SignedIn


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What every grant needs beside the request. Times are in seconds."""

    issuer: TokenIssuer
    fingerprinter: Fingerprinter
    refresh_idle: int
    replay_window: int
    access_ttl: int
    """The deployment's default; ``lifetimes.access_ttl`` decides."""
    access_most: int
    cause: Cause | None
    """Of the request that is answered, for the audit trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Tokens may be made: an access token for ``scopes``, and ``refresh_token`` goes with it."""

    connection: Connection
    scopes: frozenset[Permission]
    refresh_token: str | None
    access_ttl: int | None = None
    """How long the access token lives, in seconds, where the grant says so itself."""
    identity: frozenset[str] = frozenset()
    """What of the person this access token tells at the userinfo endpoint."""
    signed_in: SignedIn | None = None
    """An ID token goes with it."""

    @override
    def __repr__(self) -> str:
        return f"Granted(connection={self.connection.id!r})"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal that changed something which must stay (a counted attempt, a connection that was ended)."""

    error: OAuthError
