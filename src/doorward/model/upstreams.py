"""What people gave us at authorization servers of others: their linked accounts behind MCP servers."""

from dataclasses import dataclass

from doorward.model.basics import Fingerprint, Instant, ServerId, SessionId, TenantId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamGrant:
    """A person's own account at one server, linked for one tenant. There is at most one for the three."""

    tenant_id: TenantId
    user_id: UserId
    server_id: ServerId
    id: str
    """Another one at each linking: what is cached of an account is not another account's."""
    upstream: str
    """The server's URL then: its tokens are sent nowhere else, whatever the server is declared as later."""
    issuer: str
    """Whose tokens they are."""
    scopes: tuple[str, ...]
    sealed: str
    """The tokens, and as which client they are refreshed."""
    version: int
    """Counts the refreshes; who refreshes says which one it replaces."""
    linked_at: Instant
    refreshed_at: Instant
    rejected_at: Instant | None = None
    """When the other side refused to refresh it: from then on it is good until its access token ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """A browser that was sent to an authorization server and has not come back. Found by its ``state``, once."""

    state: Fingerprint
    session_id: SessionId
    user_id: UserId
    tenant_id: TenantId
    server_id: ServerId
    upstream: str
    sealed: str
    """What the answer is checked and redeemed with."""
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamClient:
    """As what we are registered at an authorization server, for one MCP server (RFC 7591)."""

    server_id: ServerId
    issuer: str
    sealed: str
    registered_at: Instant
    expires_at: Instant | None = None
    """When its secret ends."""
