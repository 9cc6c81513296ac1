"""What the gateway's own tools tell a caller about the caller. Pure."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from doorward.model import CredentialKind, Permission, PermissionEntry, Principal, Server
from doorward.policy.reach import held_anywhere
from doorward.policy.rules import ResourceTree

READ_ONLY: Final[Mapping[str, Any]] = {
    "readOnlyHint": True,
    "destructiveHint": False,
    "idempotentHint": True,
    "openWorldHint": False,
}
NO_ARGUMENTS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}
KINDS: Final = {
    CredentialKind.API_KEY: "API key",
    CredentialKind.EXTERNAL: "bearer of",
    CredentialKind.SESSION: "browser session",
}


class About(NamedTuple):
    """All that they may tell from. ``words`` is the permission catalogue, for people."""

    principal: Principal
    server: Server
    words: Mapping[Permission, PermissionEntry]
    tree: ResourceTree
    public_url: str


def usable(principal: Principal) -> frozenset[Permission]:
    """Return what may be done with this credential, somewhere."""
    return held_anywhere(principal) & principal.scopes


def missing(about: About) -> list[Permission]:
    """Return what the person may do and this credential was not given."""
    return sorted((held_anywhere(about.principal) & frozenset(about.words)) - about.principal.scopes)


def limited(principal: Principal) -> bool:
    """Say whether it reaches only a part of the tenant's resources."""
    return principal.resources is not None or bool(usable(principal) - principal.permissions)


def how(scope: Permission, principal: Principal) -> str:
    """Return how to get a scope that is missing."""
    if not principal.can_step_up:
        return "Create an API key that has this scope."
    if scope in principal.declined:
        return "You left this out when you connected: disconnect, connect again and tick it."
    return "Call a tool that needs it: your app then asks for your approval."


def named(scope: str, words: Mapping[Permission, PermissionEntry]) -> str:
    """Return a scope with its words."""
    entry = words.get(Permission(scope))
    return scope if entry is None else f"{scope}: {entry.words}"
