"""What Harbour says no to, in words that an agent can act on."""

from mcp.server.mcpserver.exceptions import ToolError


class HarbourError(ToolError):
    """An anticipated refusal; its text reaches the caller."""


class NotFoundError(HarbourError):
    """Missing, of another tenant, or outside the allowed subtrees: the same words for all three."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"There is no {kind} {key!r} here.")


class ConflictError(HarbourError):
    """The request does not fit the present state; nothing was changed."""


class NotPushedError(HarbourError):
    """Doorward did not take the changed resource tree, so the change was not made."""

    def __init__(self) -> None:
        super().__init__("The change could not be published, so it was not made. Try again in a moment.")
