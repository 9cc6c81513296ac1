"""What follows from one act of consent."""

from dataclasses import dataclass

from doorward.model.basics import (
    ClientId,
    ConnectionId,
    Fingerprint,
    Instant,
    Permission,
    RequestId,
    ResourceId,
    ServerId,
    TenantId,
    UserId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One act of consent (an OAuth grant): one user, one client, one tenant, one server URL."""

    id: ConnectionId
    tenant_id: TenantId
    user_id: UserId
    client_id: ClientId
    server_id: ServerId
    resource: str
    """The server URL that tokens are bound to (RFC 8707): their ``aud``."""
    scopes: frozenset[Permission]
    declined: frozenset[Permission]
    """Shown on the consent page and unticked: hidden, not reachable by step-up."""
    asked: frozenset[Permission] = frozenset()
    """All that the consent page showed, whatever became of it: clients repeat it when they refresh."""
    identity: frozenset[str] = frozenset()
    """What the client is told of the person: ``openid``, ``profile``, ``email``. Empty: no ID token, no userinfo."""
    authenticated_at: Instant | None = None
    """When the person who approved had signed in; stays so at every refresh (OIDC Core section 12.2)."""
    resources: frozenset[ResourceId] | None = None
    """Narrowed to these subtrees; ``None`` means the whole tenant."""
    redirect_uri: str
    browser: Fingerprint | None = None
    """Of the browser in which it was approved, where that stands on the client's own device: what tells a client that
    asks again from the same client on another device. None where that is not known."""
    created_at: Instant
    expires_at: Instant
    """Absolute end: no refresh after it."""
    activated_at: Instant | None = None
    """When its code was redeemed; before that it is only an approval."""
    revoked_at: Instant | None = None
    revoked_reason: str | None = None
    label: str | None = None
    """What its person calls it, to tell one device from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A stored code. Kept after use, so that a replay can be recognised (OAuth 2.1 section 7.5.3)."""

    fingerprint: Fingerprint
    connection_id: ConnectionId
    tenant_id: TenantId
    client_id: ClientId
    redirect_uri: str
    redirect_uri_sent: bool
    """Whether the authorization request named it; then the token request must repeat it if it sends one at all."""
    nonce: str | None = None
    """Of the OpenID request; goes into its ID token."""
    code_challenge: str
    """S256 (RFC 7636 section 4.2); 43 base64url characters."""
    resource: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None = None
    failed_attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits for a person to answer at a browser elsewhere (RFC 8628). ``id`` is no secret."""

    id: RequestId
    device_code: Fingerprint
    user_code: Fingerprint
    client_id: ClientId
    resource: str
    scopes: tuple[str, ...]
    """What the consent page shows, in the order asked."""
    asked_from: str
    """The network address that the device asked from, for the person to compare."""
    created_at: Instant
    expires_at: Instant
    answered_at: Instant | None = None
    connection_id: ConnectionId | None = None
    """What the person approved; answered without one means denied."""
    used_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A stored refresh token. Its successor is derived from it, so losers of a race derive the same one."""

    fingerprint: Fingerprint
    connection_id: ConnectionId
    tenant_id: TenantId
    client_id: ClientId
    kid: str
    """Which derivation key makes its successor."""
    parent: Fingerprint | None
    created_at: Instant
    expires_at: Instant
    """Idle end."""
    used_at: Instant | None = None
    """When it was first exchanged. Replays until ``used_at`` + window get the same successor, while that is unused."""
