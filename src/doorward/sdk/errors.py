"""What the SDK says no to, and what it could not find out."""

from collections.abc import Iterable

from mcp.server.mcpserver.exceptions import ToolError


class RefusedError(ToolError):
    """The caller may not do this. The text reaches the agent, as a tool result."""


class InsufficientScopeError(RefusedError):
    """The credential lacks permissions; a client can ask for ``permissions`` (RFC 6750 section 3.1)."""

    def __init__(self, permissions: Iterable[str]) -> None:
        self.permissions = tuple(sorted(permissions))
        words = " and ".join(self.permissions)
        super().__init__(f"insufficient_scope: this needs the permission {words}. Connect again and approve it.")


class NoSuchResourceError(RefusedError):
    """Missing, of another tenant, or outside what the caller may touch: the same words for all three."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"There is no {kind} {key!r} here.")


class NotVerifiedError(Exception):
    """The bearer is nothing for this server: 401. The text is for the log and never leaves."""


class UnavailableError(Exception):
    """Whether the bearer is good cannot be said now: 503, so that no client throws its tokens away. For the log."""
